"""What the conservation checker reads, and its repairs: each in one transaction, on condition of what was seen, with a fact that says so.

Which SKUs a place has: the index `places` of the inventory table. A row 0 is in it from its birth (`place`), which never changes; so no
sale pays for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from oms.clock import stamp
from oms.errors import NotFound
from oms.inventory.conservation import REPAIRED, Finding, Queue, Shelf, Word
from oms.inventory.counts import Movement
from oms.inventory.reservations import HeldLine
from oms.orders.order import Order, StockChange
from oms.orders.records import Waiting
from oms.storage import reservations
from oms.storage.codec import encode
from oms.storage.effects import movement, reserved_pk, row_effect, row_key
from oms.storage.environment import environment
from oms.storage.inventory import movements, note, reserved_at, settle_debts
from oms.storage.lists import listed, status_lists
from oms.storage.orders import Cause, commit, load
from oms.storage.shards import first_row, read_rows, stock_row
from oms.storage.table import Cancelled, Lost, Write, get, get_many, query, write

_HOLDING = ("received", "open", "on_hold")
_PAGE = 100
_ALWAYS = "9999"
_CURSOR = {"pk": "audit", "sk": "cursor"}


def skus_at(location_id: str, after: str = "") -> Iterator[str]:
    """SKUs that have a row at a place, from behind `after`, in sort order."""
    values = {":place": location_id, ":after": f"sku#{after}"}
    for row in query(environment().inventory_table, "place = :place AND pk > :after", values, IndexName="places"):
        yield row["pk"].removeprefix("sku#")


def reserved_by_sku(location_id: str) -> dict[str, dict[str, int]]:
    """The reserved items of a place: SKU to owner to units."""
    out: dict[str, dict[str, int]] = {}
    for owner, units in reserved_at(location_id):
        for sku, count in units.items():
            owners = out.setdefault(sku, {})
            owners[owner] = owners.get(owner, 0) + count
    return out


def word_of(owner: str) -> Word:
    """What an order or a reservation says of itself, strongly consistent."""
    if owner.startswith("res_"):
        found = reservations.find(owner, stamp())
        return Word(found.record.v, found.record.held()) if found else Word()
    order = _loaded(owner)
    return word_of_order(order) if order else Word()


def word_of_order(order: Order) -> Word:
    """The same of an order that is loaded already."""
    shipped: dict[str, dict[str, int]] = {}
    waiting: dict[str, dict[str, int]] = {}
    skus = {line.id: line.sku for line in order.every_line}
    for fo in order.fulfillment_orders.values():
        for line_id, row in fo.lines.items():
            at = shipped.setdefault(fo.location_id, {})
            at[skus[line_id]] = at.get(skus[line_id], 0) + row.shipped
    for line_id, units in order.queued().items():
        waiting.setdefault(skus[line_id], {})[_in_line(order, line_id)] = units
    return Word(order.summary.v, order.held(), shipped, waiting, tuple(order.chunks))


def everyone() -> Iterator[str]:
    """Whoever may hold stock: open orders, reservations that hold something."""
    for name in (name for status in _HOLDING for name in status_lists(status)):
        after = ""
        while page := listed(name, newest_first=False, limit=_PAGE, after=after):
            after = page[-1]["at"]
            yield from (row["pk"] for row in page)
    yield from reservations.due(_ALWAYS)


def shelf(sku: str, location_id: str, items: Mapping[str, int]) -> Shelf:
    """One SKU at one place: rows and movements are read, the reserved items are given; nobody is asked yet."""
    first = first_row(sku, location_id)
    rows = {0: first, **read_rows(first, range(1, first.width))} if first else {}
    moves = list(movements(sku, location_id, after=first.effective_at)) if first else []
    return Shelf(sku, location_id, rows, items, moves)


def queue(sku: str) -> Queue:
    """The waiting queue of a SKU and the debts of its rows; nobody is asked yet."""
    table = environment().inventory_table
    debts: dict[tuple[str, int], tuple[int, int]] = {}
    for row in query(table, "pk = :pk AND begins_with(sk, :prefix)", {":pk": f"sku#{sku}", ":prefix": "stock#"}):
        first = stock_row(row)
        for number, each in {0: first, **read_rows(first, range(1, first.width))}.items():
            debts[first.location_id, number] = (each.queued, each.v)
    return Queue(sku, debts, _entries(sku))


def _entries(sku: str) -> dict[str, int]:
    """Units of each entry in the queue of a SKU, by its place in it."""
    rows = query(environment().inventory_table, "pk = :pk AND begins_with(sk, :prefix)", {":pk": f"sku#{sku}", ":prefix": "queue#"})
    return {row["sk"].removeprefix("queue#"): int(row["units"]) for row in rows}


def unlike(owner: str, word: Word) -> set[tuple[str, str]]:
    """SKU and place (empty: the queue) where an owner's reserved items or queue entries are not what it says. Reads those only."""
    items: dict[str, dict[str, int]] = {}
    for row in _items(owner, word):
        at = items.setdefault(row["pk"].split("#")[1], {})
        for sku, units in row["units"].items():
            at[sku] = at.get(sku, 0) + units
    keys = [{"pk": f"sku#{sku}", "sk": f"queue#{at}"} for sku, entries in word.waiting.items() for at in entries]
    found = {row["sk"].removeprefix("queue#"): int(row["units"]) for row in _many(keys)}
    out = {(sku, place) for place, units in word.held.items() for sku in units if items.get(place, {}).get(sku, 0) != units[sku]}
    return out | {(sku, "") for sku, entries in word.waiting.items() if any(found.get(at, 0) != n for at, n in entries.items())}


def repair_figures(findings: list[Finding], cause: Cause, reason: str) -> None:
    """Add to row 0 of a place what its figures lack. The movements stand: what was changed beside them is undone, which is a movement of
    nothing. Lost if the row changed since it was looked at."""
    sku, place, at = findings[0].sku, findings[0].location_id, stamp()
    lacks = {finding.law: finding.missing for finding in findings}
    gain = lacks.get("spare", 0)
    shift, arrived = settle_debts([StockChange(sku, place, on_hand=gain)]) if gain > 0 else ([], [])
    debt = sum(change.queue for change in shift if change.location_id == place)
    values: dict[str, Any] = {f":{figure}": units for figure, units in lacks.items()}
    values |= {":available": lacks.get("available", 0) - debt, ":queued": debt, ":place": place, ":one": 1, ":v": findings[0].row_v}
    adds = ", ".join(f"{name[1:]} {name}" for name in values if name not in (":place", ":one", ":v"))
    condition = "v = :v" if findings[0].row_v else "attribute_not_exists(pk)"
    if not findings[0].row_v:
        del values[":v"]
    moved = [finding for finding in findings if finding.law == "on_hand"]
    expression = f"SET place = :place ADD {adds}, v :one" + (", moves :one" if moved else "")
    writes = [Write(environment().inventory_table, encode(row_key(sku, place)), condition, encode(values), expression)]
    writes += [row_effect(change, at) for change in shift if change.location_id != place]
    for finding in moved:
        more = {"cause": f"{finding.id}@{finding.row_v}", "actor": cause.actor, "on_hand": finding.expected}
        writes.append(movement(Movement(sku=sku, location_id=place, at=at, kind=REPAIRED, delta=0, **more)))
    facts = [*_facts(findings, reason), *[("stock.arrived", {"sku": sku, "location_id": place}) for _ in arrived]]
    _write([*writes, note(sku, at, f"{findings[0].id}@{findings[0].row_v}", cause.actor, facts)])


def repair_debts(finding: Finding, cause: Cause, reason: str) -> None:
    """Make the rows of a SKU owe its queue what is backordered: less where most is owed, more likewise. Lost if a row changed."""
    at, left, writes = stamp(), finding.missing, []
    read = queue(finding.sku)
    if sum(units for units, _ in read.debts.values()) != finding.found:
        raise Lost(f"the queue of {finding.sku} changed meanwhile")
    firsts = {place: debt for (place, number), debt in read.debts.items() if number == 0}
    for place, (owed, v) in sorted(firsts.items(), key=lambda row: (-row[1][0], row[0])):
        part = left if left > 0 else max(left, -owed)
        if part:
            left -= part
            values = encode({":part": part, ":less": -part, ":one": 1, ":v": v})
            expression = "ADD queued :part, available :less, v :one"
            writes.append(Write(environment().inventory_table, encode(row_key(finding.sku, place)), "v = :v", values, expression))
    facts = _facts([finding], reason)
    _write([*writes, note(finding.sku, at, f"{finding.id}@{finding.seen}", cause.actor, facts)])


def repair_owner(findings: list[Finding], cause: Cause, reason: str) -> None:
    """Write an owner's reserved item at a place, or an entry of the queue, as its record says, in a commit of that record; what belongs
    to nobody is removed. Lost if it changed since it was looked at."""
    one, facts = findings[0], _facts(findings, reason)
    if one.owner.startswith("res_"):
        found = reservations.find(one.owner, stamp())
        if found and found.before:
            found.before.lines = _as_stored(found.before.lines, findings)
            for _, data in facts:
                found.note(REPAIRED, **data)
            reservations.commit(found, cause)
            return
    else:
        order = _loaded(one.owner)
        if order and _pretend_as_stored(order, one):
            for fact, data in facts:
                order.record(fact, **data)
            commit(order, cause)
            return
    _remove(findings, cause, reason)


def cursor() -> str:
    """Where the last audit ended; empty if it was over."""
    return str((get(environment().inventory_table, _CURSOR["pk"], _CURSOR["sk"]) or {}).get("after", ""))


def keep_cursor(after: str) -> None:
    """Keep where an audit ended: the last one wins, for a place that is looked at twice is as good as one that is looked at once."""
    write([Write(environment().inventory_table, encode({**_CURSOR, "after": after}))])


def _as_stored(lines: list[HeldLine], findings: list[Finding]) -> list[HeldLine]:
    """The lines of a reservation with the pins that its reserved items have: its commit then writes the difference."""
    out = {line.sku: line.model_copy(deep=True) for line in lines}
    for finding in findings:
        line = out.setdefault(finding.sku, HeldLine(sku=finding.sku, quantity=0))
        line.pins[finding.location_id] = finding.found
        line.pins = {place: units for place, units in line.pins.items() if units}
    return list(out.values())


def _pretend_as_stored(order: Order, finding: Finding) -> bool:
    """Tell an order what is stored, so that its commit writes the difference. False if its commits never reach that item."""
    if finding.law == "reservation":
        place = finding.location_id
        stored = _stored(order.id, place)
        if sum(units.get(finding.sku, 0) for units in stored.values()) != finding.found:
            raise Lost(f"what {order.id} holds at {place} changed meanwhile")
        order.held_before = {at: units for at, units in order.held_before.items() if at.partition("#")[0] != place} | stored
        return True
    if finding.line_id not in order.summary.lines or not finding.seen.startswith(f"{_in_line(order, finding.line_id)}:"):
        return False
    order.waiting_before = {line_id: place for line_id, place in order.waiting_before.items() if line_id != finding.line_id}
    if finding.found:
        order.waiting_before[finding.line_id] = Waiting(units=finding.found)
    return True


def _remove(findings: list[Finding], cause: Cause, reason: str) -> None:
    """Remove what belongs to nobody."""
    one, table, at = findings[0], environment().inventory_table, stamp()
    gone: list[Write] = []
    if one.law == "place_in_queue":
        key = {"pk": f"sku#{one.sku}", "sk": "queue#" + one.seen.rsplit(":", 2)[0]}
        gone.append(Write(table, encode(key), "units = :found", encode({":found": one.found}), delete=True))
    else:
        wrong = {finding.sku for finding in findings}
        stored = {place: units for place, units in _stored(one.owner, one.location_id).items() if wrong & units.keys()}
        for place, units in stored.items():
            chunk = place.partition("#")[2]
            key = {"pk": reserved_pk(one.location_id, one.owner), "sk": f"{one.owner}#{chunk}" if chunk else one.owner}
            rest = {sku: count for sku, count in units.items() if sku not in wrong}
            item = {**key, "units": rest, "at": at} if rest else key
            gone.append(Write(table, encode(item), "units = :seen", encode({":seen": units}), delete=not rest))
        if not gone:
            raise Lost("the stock changed since it was looked at")
    _write([*gone, note(one.sku, at, f"{one.id}@{at}", cause.actor, _facts(findings, reason))])


def _facts(findings: Iterable[Finding], reason: str) -> list[tuple[str, dict[str, Any]]]:
    shown = {"law", "sku", "location_id", "owner", "line_id", "expected", "found", "first_cause"}
    return [
        (
            "stock.repaired",
            {**finding.model_dump(include=shown, exclude_defaults=True), "finding_id": finding.id, "reason": reason},
        )
        for finding in findings
    ]


def _write(writes: list[Write]) -> None:
    try:
        write(writes)
    except Cancelled as error:
        raise Lost("the stock changed since it was looked at") from error


def _loaded(order_id: str) -> Order | None:
    try:
        return load(order_id)
    except NotFound:
        return None


def _in_line(order: Order, line_id: str) -> str:
    return f"{order.placed.priority}#{order.placed.placed_at}#{order.id}#{line_id}"


def _items(owner: str, word: Word) -> list[dict[str, Any]]:
    names = [f"{owner}#{chunk}" for chunk in word.chunks] or [owner]
    return _many([{"pk": reserved_pk(place, owner), "sk": name} for place in word.held for name in names])


def _stored(owner: str, location_id: str) -> dict[str, dict[str, int]]:
    """The reserved items of one owner at a place, by place (of a large order place#chunk)."""
    values = {":pk": reserved_pk(location_id, owner), ":owner": owner}
    rows = query(environment().inventory_table, "pk = :pk AND begins_with(sk, :owner)", values)
    return {location_id + row["sk"].removeprefix(owner): row["units"] for row in rows}


def _many(keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return get_many(environment().inventory_table, keys) if keys else []
