"""The books by API: numbers without gaps whoever is killed or races, the journal of a day, documents, money received for invoices."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from oms.clock import stamp
from oms.flows.bookkeeping import keep_books
from oms.payments.funds import excess, receivable
from oms.payments.ledger import fold
from oms.storage.clients import client
from oms.storage.orders import Cause, commit, load
from tests.support.world import ENVIRONMENT, JSON, Call, Killed, World, order_body

TERMS = [{"method": "terms", "terms": {"net_days": 30}}]
SELLER = {"name": "Shop & Sons", "address": {"city": "Lyon"}, "vat_id": "FR1"}


def returned(world: World, order: Any) -> None:
    """One unit of the first line comes back and is paid back."""
    body = {"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]}
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", body)
    world.done("POST", f"/v1/returns/{ret['id']}/approve")
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    assert world.step("return_order", "Return", order["id"], return_id=ret["id"])["next"] == "settled"


def numbers(world: World, *order_ids: str, kind: str = "invoices") -> list[str]:
    """The numbers that these orders' documents have."""
    rows = [row for order_id in order_ids for row in world.done("GET", f"/v1/{kind}", query={"order_id": order_id})["data"]]
    return [row["number"] for row in rows]


def journal(world: World, **query: str) -> Any:
    return world.done("GET", "/v1/journal", query={"date": stamp()[:10], **query})


def accounts(world: World) -> dict[str, int]:
    """What every account comes to, over the day."""
    sums: dict[str, int] = {}
    for entry in journal(world, limit="1000")["data"]:
        assert sum(line["amount"] for line in entry["lines"]) == 0
        for line in entry["lines"]:
            sums[line["account"]] = sums.get(line["account"], 0) + line["amount"]
    return sums


def in_step(world: World, *order_ids: str) -> None:
    """The journal says what the orders say."""
    orders, sums = [load(order_id) for order_id in order_ids], accounts(world)
    tenders = [fold(payment) for order in orders for payment in order.payments.values()]
    invoiced = sum(invoice.total_amount for order in orders for invoice in order.invoices.values())
    credited = sum(memo.total_amount for order in orders for memo in order.credit_memos.values())
    cash = sum(amount for account, amount in sums.items() if account.startswith("cash:"))
    earned = sum(a for n, a in sums.items() if n in ("revenue", "refunds", "shipping", "fees") or n.startswith("tax:"))
    assert cash == sum(each.captured - each.refunded - each.charged_back for each in tenders)
    assert earned == credited - invoiced
    assert sums.get("receivable", 0) == sum(receivable(order) for order in orders)
    assert sums.get("customer_deposits", 0) == -sum(excess(order) for order in orders)


class TestNumbers:
    def test_documents_get_the_next_number_of_their_series_and_the_seller(self, world: World) -> None:
        world.done("PUT", "/v1/channels/web", {"invoice_prefix": "R-", "legal_entity": SELLER})
        orders = [world.delivered(order_body(f"W-{i}", quantities={"B": 1})) for i in range(3)]
        assert numbers(world, *(order["id"] for order in orders)) == [None] * 3
        world.keep_books()
        returned(world, orders[0])
        world.keep_books()
        given = numbers(world, *(order["id"] for order in orders))
        assert sorted(given) == ["R-1", "R-2", "R-3"], "which of them is first is a matter of the moment"
        assert numbers(world, orders[0]["id"], kind="credit-memos") == ["CM-1"]
        shown = world.done("GET", f"/v1/invoices/{orders[0]['invoices'][0]['id']}")
        assert (shown["number"], shown["seller"], shown["buyer"]["name"]) == (given[0], SELLER, "Ann Example")

    def test_each_channel_counts_for_itself(self, world: World) -> None:
        bodies = [order_body("W-1", quantities={"B": 1}), order_body("S-1", quantities={"B": 1}, channel="shöp")]
        orders = [world.delivered(body) for body in bodies]
        world.keep_books()
        assert numbers(world, *(order["id"] for order in orders)) == ["INV-1", "INV-1"]
        for body, order in zip(bodies, orders, strict=True):
            found = world.done("GET", "/v1/invoices", query={"channel": body["channel"], "number": "INV-1"})["data"]
            assert [row["order_id"] for row in found] == [order["id"]]
        assert world.done("GET", "/v1/invoices", query={"channel": "web", "number": "INV-2"})["data"] == []

    def test_a_number_is_found_as_it_was_given_and_in_no_other_way(self, world: World) -> None:
        order = world.delivered(order_body(quantities={"B": 1}))
        world.keep_books()
        world.done("PUT", "/v1/channels/web", {"invoice_prefix": "R-"})
        for number, found in (("INV-1", [order["id"]]), ("R-1", []), ("INV-01", []), ("1", []), ("INV-", []), ("INV-" + "9" * 40, [])):
            rows = world.done("GET", "/v1/invoices", query={"channel": "web", "number": number})["data"]
            assert [row["order_id"] for row in rows] == found, number

    def test_a_document_is_numbered_once_however_often_the_books_are_kept(self, world: World) -> None:
        order = world.delivered(order_body())
        world.keep_books()
        before = world.items()
        assert keep_books([order["id"]] * 2) == {}
        assert world.items() == before

    def test_killed_at_any_write_and_run_again_it_comes_to_the_same(self, world: World) -> None:
        orders = [world.delivered(order_body(f"W-{i}", quantities={"B": 1}))["id"] for i in range(3)]
        world.pump()
        done = 0
        for _ in range(40):
            begun = len(world.wire.made)
            with world.wire.watched(**killing(world, (done // 2), after=bool(done % 2))):
                try:
                    keep_books(orders)
                    break
                except Killed:
                    done += 1
            assert len(world.wire.made) > begun
        assert done > 5, "nothing was killed"
        assert keep_books(orders) == {}
        assert sorted(numbers(world, *orders)) == ["INV-1", "INV-2", "INV-3"]
        assert len(journal(world)["data"]) == 3
        in_step(world, *orders)

    def test_two_consumers_that_meet_leave_no_gap_and_no_number_twice(self, world: World) -> None:
        orders = [world.delivered(order_body(f"W-{i}", quantities={"B": 1}))["id"] for i in range(4)]
        met: list[Call] = []

        def other_first(call: Call) -> None:
            if call.operation == "TransactWriteItems" and not met:
                met.append(call)
                assert keep_books([orders[1], orders[0]]) == {}

        with world.wire.watched(before=other_first):
            assert keep_books(orders) == {}
        assert met
        assert sorted(numbers(world, *orders)) == [f"INV-{n}" for n in (1, 2, 3, 4)]

    @pytest.mark.slow
    def test_consumers_at_the_same_time_leave_no_gap_and_no_number_twice(self, world: World) -> None:
        orders = [world.delivered(order_body(f"W-{i}", quantities={"B": 1}))["id"] for i in range(8)]
        failed: list[Any] = []
        workers = [threading.Thread(target=lambda part: failed.append(keep_books(part)), args=(orders[n:] + orders[:n],)) for n in (0, 3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for _ in range(2):
            keep_books(orders)
        assert sorted(numbers(world, *orders)) == sorted(f"INV-{n}" for n in range(1, 9))

    def test_a_commit_that_was_under_way_does_not_fail_over_a_number(self, world: World) -> None:
        order_id = world.delivered(order_body())["id"]
        order = load(order_id)
        order.record("order.noted")
        assert keep_books([order_id]) == {}
        commit(order, Cause("test", "test"))
        assert numbers(world, order_id) == ["INV-1"]

    def test_one_order_that_fails_does_not_stop_the_others_and_stays_in_the_queue(self, world: World) -> None:
        orders = [world.delivered(order_body(f"W-{i}", quantities={"B": 1}))["id"] for i in range(3)]

        def poisoned(call: Call) -> None:
            if call.operation == "Query" and call.given["ExpressionAttributeValues"].get(":pk") == {"S": orders[1]}:
                raise RuntimeError("poisoned")

        records = [{"messageId": f"m-{i}", "body": f'{{"order_id": "{order_id}"}}'} for i, order_id in enumerate(orders)]
        with world.wire.watched(before=poisoned):
            left = world.invoke("bookkeeper", {"Records": records})["batchItemFailures"]
        assert left == [{"itemIdentifier": "m-1"}]
        assert numbers(world, *orders) == ["INV-1", None, "INV-2"]
        assert world.invoke("bookkeeper", {"Records": records})["batchItemFailures"] == []
        assert numbers(world, *orders) == ["INV-1", "INV-3", "INV-2"]


def killing(world: World, at: int, *, after: bool) -> Any:
    """The process dies at its `at`-th write, before or after it took effect."""
    seen = 0

    def watch(call: Call) -> None:
        nonlocal seen
        if call.writes:
            seen += 1
            if seen > at:
                raise Killed

    return {"after" if after else "before": watch}


def to_books(call: Call) -> bool:
    return call.operation == "SendMessage" and call.given["QueueUrl"] == ENVIRONMENT["BOOKS_QUEUE_URL"]


class TestTheQueue:
    def test_the_books_are_told_of_money_and_of_nothing_else(self, world: World) -> None:
        order = world.delivered(order_body())
        world.pump()
        (entry,) = [call.given for call in world.wire.made if to_books(call)]
        assert order["id"] in entry["MessageBody"]
        assert entry["MessageDeduplicationId"].startswith(order["id"] + "#")

    def test_what_cannot_be_sent_is_relayed_again(self, world: World) -> None:
        order = world.delivered(order_body())

        def broken(call: Call) -> None:
            if to_books(call):
                raise RuntimeError("gone")

        with world.wire.watched(before=broken):
            world.pump()
        assert load(order["id"]).relayed.published == 0
        assert world.invoke("reconcile", {})["parked"] == 1
        world.keep_books()
        assert numbers(world, order["id"]) == ["INV-1"]

    def test_a_lost_message_is_sent_again_by_reconcile(self, world: World) -> None:
        order = world.delivered(order_body())
        world.pump()
        client("sqs").purge_queue(QueueUrl=ENVIRONMENT["BOOKS_QUEUE_URL"])
        world.keep_books()
        assert numbers(world, order["id"]) == [None]
        assert world.invoke("reconcile", {})["booked"] == 0, "not yet: the message may be on its way"
        world.advance(minutes=6)
        assert world.invoke("reconcile", {})["booked"] == 1
        world.keep_books()
        assert numbers(world, order["id"]) == ["INV-1"]
        assert world.invoke("reconcile", {})["booked"] == 0
        in_step(world, order["id"])


class TestTheJournal:
    def test_says_what_the_orders_say(self, world: World) -> None:
        orders = [world.delivered(order_body(f"W-{i}")) for i in range(2)]
        returned(world, orders[0])
        world.keep_books()
        in_step(world, *(order["id"] for order in orders))
        assert accounts(world)["refunds"] == 1000

    def test_is_read_page_by_page_each_entry_once(self, world: World) -> None:
        orders = [world.delivered(order_body(f"W-{i}", quantities={"B": 1}))["id"] for i in range(5)]
        world.keep_books()
        seen: list[str] = []
        cursor = ""
        for _ in range(20):
            page = journal(world, limit="2", **({"cursor": cursor} if cursor else {}))
            seen += [entry["order_id"] for entry in page["data"]]
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert sorted(seen) == sorted(orders)
        assert not cursor

    def test_is_exported_as_csv_and_as_json_lines(self, world: World) -> None:
        for i in range(3):
            world.delivered(order_body(f"W-{i}", quantities={"B": 1}))
        world.keep_books()
        day, rows, cursor = stamp()[:10], [], ""
        for _ in range(9):
            more = {"cursor": cursor} if cursor else {}
            answer = world.call("GET", "/v1/journal", query={"date": day, "format": "csv", "limit": "2", **more})
            assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
            rows += answer.body.splitlines()
            cursor = answer.headers.get("next-cursor", "")
            if not cursor:
                break
        assert [row[:3] for row in rows].count("at,") == 1
        assert sum(int(row.rpartition(",")[2]) for row in rows[1:]) == 0
        lines = world.call("GET", "/v1/journal", query={"date": day, "format": "jsonl"})
        assert (lines.headers["content-type"], lines.body.count("\n")) == ("application/jsonl", 3)

    @pytest.mark.parametrize(
        "query", [{}, {"date": "today"}, {"date": "2026-11-24", "format": "xml"}, {"date": "2026-11-24", "cursor": "eA"}]
    )
    def test_what_makes_no_sense_is_422(self, world: World, query: dict[str, str]) -> None:
        assert world.call("GET", "/v1/journal", query=query).status == 422

    def test_another_day_is_empty(self, world: World) -> None:
        assert journal(world, date="2020-01-01") == {"data": [], "next_cursor": None}


class TestDocuments:
    @pytest.mark.parametrize("form", ["accept", "path"])
    def test_an_invoice_is_a_page_to_print(self, world: World, form: str) -> None:
        order = world.delivered(order_body())
        world.keep_books()
        path = f"/v1/invoices/{order['invoices'][0]['id']}"
        asked: JSON = {"headers": {"Accept": "text/html,*/*"}} if form == "accept" else {}
        answer = world.call("GET", path if asked else f"{path}/html", **asked)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "Invoice INV-1" in answer.body
        assert "35.00 EUR" in answer.body
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    def test_a_credit_memo_names_its_invoice(self, world: World) -> None:
        order = world.delivered(order_body())
        world.keep_books()
        returned(world, order)
        world.keep_books()
        (row,) = world.done("GET", "/v1/credit-memos", query={"order_id": order["id"]})["data"]
        memo = world.done("GET", f"/v1/credit-memos/{row['id']}")
        assert memo["invoices"] == [{"id": order["invoices"][0]["id"], "number": "INV-1"}]
        assert "Credit memo CM-1" in world.call("GET", f"/v1/credit-memos/{row['id']}/html").body

    @pytest.mark.parametrize(
        "path", ["/v1/invoices/x", "/v1/credit-memos/x", "/v1/invoices/inv_00000000000000000000_1", "/v1/credit-memos/x/html"]
    )
    def test_what_is_not_there_is_404(self, world: World, path: str) -> None:
        assert world.call("GET", path).status == 404

    @pytest.mark.parametrize("query", [{}, {"number": "INV-1"}, {"order_id": "o", "channel": "web"}, {"colour": "red"}])
    def test_a_list_needs_one_filter(self, world: World, query: dict[str, str]) -> None:
        assert world.call("GET", "/v1/invoices", query=query).status == 422


class TestMoneyReceived:
    @pytest.fixture
    def invoice(self, world: World) -> Any:
        """35.00 EUR on terms of 30 days."""
        order = world.delivered(order_body(payments=TERMS))
        return world.done("GET", f"/v1/invoices/{order['invoices'][0]['id']}")

    def pay(self, world: World, invoice: Any, amount: Any, reference: str = "R-1", **more: Any) -> Any:
        body = {"amount": amount, "reference": reference}
        return world.call("POST", f"/v1/invoices/{invoice['id']}/payments", body, **more)

    def test_closes_the_invoice(self, world: World, invoice: Any) -> None:
        assert (invoice["open_amount"], invoice["status"]) == (3500, "open")
        part = self.pay(world, invoice, 1000)
        assert (part.status, part.body["open_amount"]) == (201, 2500)
        assert self.pay(world, invoice, 2500, "R-2").body["status"] == "paid"
        assert [type_ for type_, _ in world.facts(invoice["order_id"])][-1] in ("invoice.paid", "order.completed")
        world.keep_books()
        in_step(world, invoice["order_id"])

    def test_counts_a_reference_once(self, world: World, invoice: Any) -> None:
        assert [self.pay(world, invoice, 1000).body["open_amount"] for _ in range(2)] == [2500, 2500]
        assert self.pay(world, invoice, 1001).status == 409
        assert world.order(invoice["order_id"])["payment"]["captured"] == 1000

    def test_answers_the_same_key_without_counting_again(self, world: World, invoice: Any) -> None:
        answers = [self.pay(world, invoice, 1000, headers={"Idempotency-Key": "k"}) for _ in range(2)]
        assert [answer.status for answer in answers] == [201, 201]
        assert answers[1].headers["idempotent-replayed"] == "true"
        assert answers[1].body["open_amount"] == 2500

    @pytest.mark.parametrize("amount", [3501, 0, -5, 1.5, "10", None])
    def test_refuses_what_cannot_be(self, world: World, invoice: Any, amount: Any) -> None:
        before = world.items()
        assert self.pay(world, invoice, amount).status == 422
        assert world.items() == before

    def test_that_is_late_is_pointed_out(self, world: World, invoice: Any) -> None:
        world.advance(days=31)
        assert world.done("GET", f"/v1/invoices/{invoice['id']}")["overdue"]
        assert "overdue" in world.order(invoice["order_id"])["attention"]
        self.pay(world, invoice, 3500)
        assert "overdue" not in world.order(invoice["order_id"])["attention"]
