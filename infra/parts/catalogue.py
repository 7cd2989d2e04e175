"""Every function and everything it may do. The role, the environment and the alarm of a function follow from its entry here.

A function may touch nothing that its entry does not name, and knows the address of nothing that it may not touch.
DynamoDB authorizes each part of a transaction as the action it is (ConditionCheckItem included).
"""

from __future__ import annotations

from dataclasses import dataclass

MACHINES = ("order", "fulfillment", "return", "change")
LIBRARIES = {"POWERTOOLS_LOG_LEVEL": "INFO", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""What every function's libraries are told. Looking for plugins, pydantic would read what all packages offer, at each cold start."""


@dataclass(frozen=True)
class Needs:
    """What one function is for and what it may do; DynamoDB actions are blank-separated.

    `lists`: may query the index of orders; `places`: the index of stock by place; `keys`: may use items of orders with these beginnings
    of the partition key, and no others; `webhooks`: the kind of webhook secrets it may read, or the one of a kind; `pays`: calls payment
    gateways, may read our keys there; `executions`: actions on the state machines; `resumes`: may resume waiting executions;
    `publishes`: may put events on the bus; `parks`, `unparks`: may write, read the parked queue; `tells_books`: may write
    the queue of the books; `loads`: read (files to load), or work (also write and read reports about them);
    `feed`: may read the stream of inventory.
    """

    purpose: str
    orders: str = ""
    lists: bool = False
    places: bool = False
    keys: str = ""
    inventory: str = ""
    settings: str = ""
    webhooks: str = ""
    pays: bool = False
    executions: str = ""
    resumes: bool = False
    publishes: bool = False
    loads: str = ""
    feed: bool = False
    tells_books: bool = False
    parks: bool = False
    unparks: bool = False
    timeout: int = 30  # seconds; an HTTP API waits for 30 at most, a step's state for longer (see machines/steps.py)
    memory: int = 512  # MB


READ = "GetItem Query"
RECORD = "GetItem Query PutItem UpdateItem"
STOCK = "GetItem BatchGetItem Query PutItem UpdateItem DeleteItem"
SERVICE_STOCK = STOCK
"""What the commands of the service stage need of stock, whoever gives them: agents, customers, guests."""

STEPS = {
    "capture": Needs(
        "Take an order: validate, reserve, authorize. Serves the Capture state and the synchronous door",
        orders=f"{RECORD} DeleteItem",
        inventory=STOCK,
        settings=READ,
        pays=True,
        memory=1024,
    ),
    "allocate": Needs(
        "Confirm or move the pins of an order and release its work",
        orders=RECORD,
        inventory=STOCK,
        settings=READ,
        resumes=True,
    ),
    "ship": Needs(
        "Wait for shipments, releases and deliveries; end what nobody shipped in time", orders=RECORD, inventory=STOCK, resumes=True
    ),
    "capture_payment": Needs(
        "Invoice everything shipped and capture exactly that; secure the payment of work", orders=RECORD, settings=READ, pays=True
    ),
    "settle": Needs(
        "Move the money of a change: refund, void, authorize, capture; let the new order of an exchange go, or cancel it",
        orders=RECORD,
        inventory=STOCK,
        settings=READ,
        pays=True,
    ),
    "return_order": Needs(
        "Approve a return, wait for the goods, settle it", orders=RECORD, inventory=STOCK, settings=READ, pays=True, resumes=True
    ),
    "raise_exception": Needs("Record a process exception and wait for a decision", orders=RECORD, resumes=True),
}

EDGES = {
    "service_api": Needs(
        "What agents do: holds, notes, cancellations, adjustments, reshipments, claims, goodwill, returns, exceptions",
        orders=RECORD,
        inventory=STOCK,
        settings=READ,
        webhooks="quotes/service",
        memory=1024,
    ),
    "track_api": Needs(
        "What customers see and do by a tracking link; open to everybody",
        keys="ord_ key# limit# credit_ account_ number#",
        lists=True,
        inventory=SERVICE_STOCK,
        settings=READ,
        webhooks="links/tracking quotes/service",
        memory=1024,
    ),
    "query_api": Needs(
        "Read orders, lists, timelines, documents; simulate routing over them",
        orders=READ,
        lists=True,
        inventory=f"{READ} BatchGetItem",
        settings=READ,
        executions="DescribeExecution",
        webhooks="links/tracking",
        memory=1024,
    ),
    "fulfillment_api": Needs("What warehouses and stores do", orders=RECORD, lists=True, inventory=STOCK, settings=READ, memory=1024),
    "inventory_api": Needs(
        "Stock: counts, reservations, loads, availability, routing previews",
        keys="key# sku_ res_ load_",
        loads="read",
        feed=True,
        inventory=STOCK,
        settings=READ,
        memory=1024,
    ),
    "check_api": Needs(
        "Check that stock adds up, and repair what does not on request",
        orders="GetItem Query PutItem",
        lists=True,
        places=True,
        inventory=STOCK,
        settings=READ,
        memory=1024,
    ),
    "finance_api": Needs("Invoices, credit memos, money received for them, the journal", orders=RECORD),
    "credit_api": Needs("Gift cards, store credit, what business customers owe", keys="key# credit_ account_", settings=READ),
    "settings_api": Needs(
        "What a merchant sets: locations, channels, rules, reasons, roles, accounts",
        keys="key#",
        settings=f"{READ} PutItem UpdateItem",
    ),
    "carrier_webhook": Needs("Signed news from carriers", orders=RECORD, webhooks="carriers"),
    "payment_page": Needs("Pay what an order owes by a signed link", orders=RECORD, settings=READ, webhooks="links/payment", memory=1024),
    "payment_webhook": Needs("Signed news from payment providers", orders=RECORD, webhooks="payments"),
}

BACKGROUND = {
    "relay": Needs(
        "After a commit: start executions, resume them, publish events, tell the books",
        orders=f"{READ} UpdateItem",
        executions="StartExecution",
        resumes=True,
        publishes=True,
        tells_books=True,
        parks=True,
        timeout=60,
    ),
    "stockkeeper": Needs(
        "After a change of stock: arrivals to the waiting queue, reservations that expire, loads, short orders",
        orders=f"{RECORD} BatchGetItem",
        lists=True,
        inventory=STOCK,
        settings=READ,
        loads="work",
        publishes=True,
        parks=True,
        timeout=300,
        memory=1024,
    ),
    "bookkeeper": Needs("Number documents and write the journal, one channel after the other", orders=RECORD, settings=READ, timeout=60),
    "reconcile": Needs(
        "Find and repair what was left undone",
        orders=f"{RECORD} DeleteItem",
        lists=True,
        places=True,
        inventory=STOCK,
        settings=READ,
        executions="StartExecution DescribeExecution",
        resumes=True,
        publishes=True,
        tells_books=True,
        unparks=True,
        timeout=240,  # it runs every 5 minutes and never twice at once for long
    ),
}

FUNCTIONS = {**STEPS, **EDGES, **BACKGROUND}
