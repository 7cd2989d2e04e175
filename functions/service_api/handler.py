"""What agents do: holds, notes, cancellations, adjustments, edits, reshipments, claims, goodwill, approvals, returns, process exceptions.
Customers may do some of it for their own orders."""

from __future__ import annotations

from typing import Any

from oms.api.changes import change_order
from oms.api.commands import command
from oms.api.http import Answer, client_of, create_api, json_body, parsed
from oms.api.kinds import kind_of
from oms.api.observe import observed
from oms.api.service import agent_of, answer_with_order, caller_of, order_id_of
from oms.errors import NotFound
from oms.service.notes import NoteRequest, add_note

app = create_api()


@app.post("/v1/orders/<order_id>/holds")
def post_hold(order_id: str) -> Answer:
    """Put a hold on an order."""
    from oms.api.holds import hold  # noqa: PLC0415 few orders are held

    return hold(app, order_id)


@app.delete("/v1/orders/<order_id>/holds/<hold_id>")
def delete_hold(order_id: str, hold_id: str) -> Answer:
    """Release one hold."""
    from oms.api.holds import release  # noqa: PLC0415 few orders are held

    return release(app, order_id, hold_id)


@app.post("/v1/orders/<order_id>/notes")
def post_note(order_id: str) -> Answer:
    """Write a note."""
    request = parsed(json_body(app), NoteRequest)
    return command(app, order_id, lambda order: add_note(order, request, client_of(app)), answer_with_order, status=201)


@app.post("/v1/orders/<order_id>/cancellations")
def post_cancellation(order_id: str) -> Answer:
    """Cancel units, at once or by asking their location: any as an agent, one's own as a customer."""
    return change_order(app, order_id, kind_of("cancellations"), caller_of(app))


@app.post("/v1/orders/<order_id>/adjustments")
def post_adjustment(order_id: str) -> Answer:
    """Take something off the price of lines or delivery charges, or put something on."""
    return change_order(app, order_id, kind_of("adjustments"), agent_of(app))


@app.post("/v1/orders/<order_id>/edits")
def post_edit(order_id: str) -> Answer:
    """Add lines, change quantities, prices, addresses, methods."""
    return change_order(app, order_id, kind_of("edits"), agent_of(app))


@app.post("/v1/orders/<order_id>/exchanges")
def post_exchange(order_id: str) -> Answer:
    """Take goods back and send others for them, in a new order: any as an agent, one's own as a customer."""
    return change_order(app, order_id, kind_of("exchanges"), caller_of(app))


@app.post("/v1/orders/<order_id>/reshipments")
def post_reshipment(order_id: str) -> Answer:
    """Send units that have left once more, for nothing."""
    return change_order(app, order_id, kind_of("reshipments"), agent_of(app))


@app.post("/v1/orders/<order_id>/refunds")
def post_refund(order_id: str) -> Answer:
    """Give money back without a return, for goodwill."""
    return change_order(app, order_id, kind_of("refunds"), agent_of(app))


@app.post("/v1/shipments/<shipment_id>/claims")
def post_claim(shipment_id: str) -> Answer:
    """Units of a parcel are lost, damaged or missing: send them again, or pay them back."""
    from oms.service.claims import ClaimRequest  # noqa: PLC0415 few parcels are claimed for

    parsed(json_body(app), ClaimRequest)  # which shipment it is, only the path says
    return change_order(app, order_id_of(shipment_id, "shipment"), kind_of("claims"), agent_of(app), shipment_id=shipment_id)


@app.post("/v1/approvals/<change_id>/<action>")
def post_approval(change_id: str, action: str) -> Answer:
    """approve, reject."""
    from oms.api.approvals import decide_approval  # noqa: PLC0415 few shops limit their agents

    if action not in ("approve", "reject"):
        raise NotFound(f"an approval has no action '{action}'; it has approve, reject")
    return decide_approval(app, order_id_of(change_id, "approval"), change_id, action, kind_of)


@app.post("/v1/orders/<order_id>/returns")
def post_return(order_id: str) -> Answer:
    """Announce a return (RMA), or take the goods back at once: any as an agent, one's own RMA as a customer."""
    return change_order(app, order_id, kind_of("returns"), caller_of(app))


@app.post("/v1/returns/<return_id>/<action>")
def post_return_action(return_id: str, action: str) -> Answer:
    """approve, reject, labels, receive, close, cancel; notes."""
    from oms.api.returns import act_on_return  # noqa: PLC0415 changes of orders need nothing of it

    return act_on_return(app, order_id_of(return_id, "return"), return_id, action)


@app.post("/v1/exceptions/<exception_id>/<action>")
def post_exception_action(exception_id: str, action: str) -> Answer:
    """retry, resolve, abandon; notes."""
    from oms.api.exceptions import act_on_exception  # noqa: PLC0415 most requests are about no exception

    return act_on_exception(app, exception_id, action)


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
