"""Large orders (design section 4): taken with their lines written first, captured and declined part by part by the Capture state.

Each part is an ordinary commit: pins, stock rows and reservations of some lines together. What is done is read from the lines, so a run
that is killed between two parts, or whose time is over, is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from oms.clock import stamp
from oms.errors import Invalid
from oms.flows.capacity import capacity_left
from oms.flows.capture import Placed, brought_by, finish, key_of, known_order, repeated, who_pays
from oms.flows.expiry import expire_due
from oms.flows.gateways import GATEWAYS
from oms.flows.idempotency import Request
from oms.inventory.reservations import take_over
from oms.inventory.stock import Stock
from oms.orders.capture import accept, release_lines
from oms.orders.large import Routed, begin_decline, end_decline, holding, keep_lease, lacking, parts, refused, reserve_part, route
from oms.orders.order import Order
from oms.orders.placing import PlaceOrder
from oms.routing.serving import StockRows
from oms.settings import Settings
from oms.storage.inventory import stock_at_places, stock_of
from oms.storage.orders import Cause, StockShort, Taken, commit, load, update
from oms.storage.reservations import beside
from oms.storage.settings import settings
from oms.storage.table import Lost
from oms.storage.unplaced import give_up, write_lines

_ATTEMPTS = 6
_PART = 50
"""Lines of one commit: a stock row each, and room for what else some of them need (a place in the queue, debts that move)."""
_RESERVE = 8
"""Seconds kept for the commit that a run is at, and for its answer."""
_READ_AT_ONCE = 30_000
"""Stock rows that a run reads before it reserves: 10,000 lines at 3 locations."""
_FEW_PLACES = 20
"""With more locations than that a query per SKU is cheaper than a key per SKU and location."""
_QUERIED_AT_ONCE = 500
SecondsLeft = Callable[[], float]


def place_large(request: PlaceOrder, asked: Request, *, actor: str) -> Placed:
    """Take a large order: always for later, so always 202 when it is new.

    Conflict for a number used with other content; Invalid for money that does not add up, a reservation that never was, a reused key.
    """
    for attempt in range(_ATTEMPTS):
        known = known_order(request, asked)
        if known:
            return repeated(known, actor, f"{actor}/{asked.digest}")
        account, priorities = who_pays(request)
        order = accept(request, settings(), GATEWAYS, now=stamp(), later_on=True, account=account, priorities=priorities)
        brought, cause = brought_by(request), Cause(actor, "POST /v1/orders", key_of(asked, order.id))
        placed = write_lines(order)
        if brought and brought.is_open:
            take_over(order, brought, settings())
        try:
            commit(order, cause, [placed, *(beside(brought, cause) if brought else ())])
        except (Taken, Lost, StockShort, Invalid) as error:
            give_up(order.id)
            if isinstance(error, Invalid) or attempt == _ATTEMPTS - 1:
                raise
            continue
        return Placed(order, 202)
    raise AssertionError("unreachable")


def capture_large(order: Order, execution: str, seconds_left: SecondsLeft) -> str:
    """Reserve, authorize, or decline; returns what comes next: this state again, when the time of this run is over.

    Lost when a run got nowhere at all, so that its state's retries and then a person see to it.
    """
    run = Run(order, execution, seconds_left)
    before = run.left()
    run.reserve()
    summary = run.order.summary
    if summary.status == "received" and not summary.declining and not lacking(run.order):
        run.order = finish(run.order, "capture").order
    if run.order.summary.declining:
        run.decline()
    if run.order.summary.status == "received" and run.left() != (False, 0):
        if run.left() == before:
            raise Lost(f"nothing of {order.id} could be reserved or given back: others were first each time")
        return "capture"
    return "declined" if run.order.summary.status == "declined" else "allocate"


class Run:
    """One run of the Capture state over an order."""

    def __init__(self, order: Order, execution: str, seconds_left: SecondsLeft) -> None:
        self.order, self.execution, self.seconds_left = order, execution, seconds_left
        self.most, self.smaller = _PART, False

    def left(self) -> tuple[bool, int]:
        """What is still to be done: whether to decline, and how many lines are to be given back or reserved."""
        declining = bool(self.order.summary.declining)
        return declining, len(holding(self.order) if declining else lacking(self.order))

    def reserve(self) -> None:
        """Reserve all lines that lack a place. With stock short for a line that may not wait, the order is to be declined."""
        swept = False
        while self._on() and not self.order.summary.declining and (lines := lacking(self.order)):
            picture = settings()
            lines, stock = _read_stock(self.order, lines, picture)
            routed = route(self.order, lines, stock, picture, capacity_left(picture, stock, stamp()))
            if routed.short and not swept:
                swept = True
                if expire_due({self.order.line(line_id)[0].sku for line_id in routed.short}):
                    continue
            short = refused(self.order, routed) or self._reserve(lines, routed, stock, picture)
            if short:
                self._commit(partial(begin_decline, short=short))
            elif self._stands_still(lines, lacking(self.order)):
                return

    def _reserve(self, lines: Sequence[str], routed: Routed, stock: StockRows, picture: Settings) -> dict[str, str]:
        """Pin lines where they were routed to, part by part. Returns those that nobody may serve, with the reason."""
        unserved: dict[str, str] = {}

        def pin_them(order: Order, part: Sequence[str]) -> None:
            unserved.update(reserve_part(order, part, routed, stock, picture))

        most = self.most
        for part in parts(self.order, lines, most):
            if not self._on() or unserved or self.most < most:
                break
            self._commit(partial(pin_them, part=part))
        return unserved

    def decline(self) -> None:
        """Give back all that is held, part by part, then decline."""
        while self._on() and (lines := holding(self.order)):
            most = self.most
            for part in parts(self.order, lines, most):
                if self._on() and self.most == most:
                    self._commit(partial(release_lines, lines=part))
            if self._stands_still(lines, holding(self.order)):
                return
        if not holding(self.order):
            self.order = update(self.order.id, end_decline, Cause("capture", self.execution))

    def _commit(self, act: Callable[[Order], object]) -> None:
        """One part. Whoever is not the first reads the order again, and leaves the part to the next round."""
        keep_lease(self.order, self.execution)
        act(self.order)
        try:
            commit(self.order, Cause("capture", self.execution))
        except (Lost, StockShort):
            self.order = load(self.order.id)
        except Invalid as error:
            if error.kind != "too-large" or self.most == 1:
                raise
            self.most, self.smaller = self.most // 2, True
            self.order = load(self.order.id)

    def _stands_still(self, lines: Sequence[str], left: Sequence[str]) -> bool:
        """Whether a round got nowhere: others were first for each of its parts. One that only made the parts smaller is tried again."""
        smaller, self.smaller = self.smaller, False
        return not smaller and set(lines) <= set(left)

    def _on(self) -> bool:
        return self.seconds_left() > _RESERVE and self.order.summary.status == "received"


def _read_stock(order: Order, lines: Sequence[str], picture: Settings) -> tuple[list[str], dict[str, list[Stock]]]:
    """Stock of as many of these lines as can be read at once, and which lines they are: they are routed together."""
    places = [place.id for place in picture.locations.values() if place.enabled]
    few = len(places) <= _FEW_PLACES
    first = list(lines[: _READ_AT_ONCE // max(1, len(places)) if few else _QUERIED_AT_ONCE])
    skus = {order.line(line_id)[0].sku for line_id in first}
    return first, stock_at_places(skus, places) if few else stock_of(skus)
