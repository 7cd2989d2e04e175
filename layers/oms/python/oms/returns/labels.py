"""A return's labels: wanted by a request, bought by the return machine, followed by the carrier's news."""

from __future__ import annotations

from oms.carriers.labels import CARRIERS, SoldLabel
from oms.carriers.tracking import Tracking
from oms.errors import Fault, invalid
from oms.orders.order import Order
from oms.returns.announcing import new_label
from oms.returns.records import Label, Return
from oms.returns.requests import LabelRequest
from oms.returns.states import COMING, expect

_RANK = {"bought": 0, "pre_transit": 0, "in_transit": 1, "out_for_delivery": 2, "failure": 2, "return_to_sender": 3, "delivered": 4}
_MOVING = ("in_transit", "out_for_delivery", "delivered")


def want_label(order: Order, ret: Return, request: LabelRequest) -> None:
    """Note that a label is wanted; the return machine buys it as soon as the goods may come. One that is there already is enough, unless
    `another` is asked for. Conflict when nothing is expected any more; Invalid for a carrier that sells none here."""
    expect(ret, "labels", "requested", *COMING)
    if request.carrier not in CARRIERS:
        raise invalid(Fault(f"'{request.carrier}' sells no labels here; there are {', '.join(sorted(CARRIERS))}", "/carrier"))
    if ret.labels and not request.another:
        return
    ret.labels.append(new_label(order, request.carrier))
    order.record("return.label_requested", return_id=ret.id, carrier=request.carrier)


def bought(order: Order, ret: Return, asked: Label, sold: SoldLabel) -> bool:
    """Put what the carrier sold on record. False if it is there already. If nobody wants it any more, it has been paid for all the same."""
    known = next((label for label in ret.labels if label.key == asked.key), None)
    if known and known.status != "wanted":
        return False
    label = asked.model_copy(
        update={
            "status": "bought",
            "tracking_number": sold.tracking_number,
            "url": sold.url,
            "cost": sold.cost,
            "bought_at": order.now,
        }
    )
    ret.labels = [*(each for each in ret.labels if each.key != asked.key), label]
    order.record("return.label_bought", return_id=ret.id, tracking_number=sold.tracking_number, cost=sold.cost)
    return True


def follow(order: Order, ret: Return, news: Tracking) -> bool:
    """The carrier has news of a parcel on its way back. Its arrival is what our own people say of it (receive), not the carrier. False for
    what is old or repeated: nothing moves backwards."""
    label = next((label for label in ret.labels if label.tracking_number == news.tracking_number), None)
    if label is None or _RANK[news.status] <= _RANK[label.status]:
        return False
    label.status = news.status
    if ret.status == "approved" and news.status in _MOVING:
        ret.status = "in_transit"
    order.record(f"return.{news.status}", return_id=ret.id, tracking_number=news.tracking_number, occurred_at=news.occurred_at)
    return True
