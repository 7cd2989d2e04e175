"""From what a function needs (catalogue.py) to its IAM statements and its environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from infra.parts import secrets
from infra.parts.catalogue import Needs
from infra.parts.events import Events
from infra.parts.storage import LOADS, REPORTS
from infra.parts.tables import LISTS_INDEX, PLACES_INDEX, Tables


@dataclass(frozen=True)
class Resources:
    """What functions work on. Machines are given by ARN: they are built after the functions that they call. `feed`: the stream of
    inventory, as grants name it."""

    tables: Tables
    events: Events
    machines: Mapping[str, str]
    loads: s3.Bucket
    feed: str


def environment(needs: Needs, resources: Resources) -> dict[str, str]:
    """The addresses of what the function may touch, by the names that the code reads."""
    tables, events, arns = resources.tables, resources.events, resources.machines
    variables: dict[str, str] = {}
    if needs.orders or needs.keys:
        variables["ORDERS_TABLE"] = tables.orders.table_name
    if needs.inventory:
        variables["INVENTORY_TABLE"] = tables.inventory.table_name
    if needs.settings:
        variables["SETTINGS_TABLE"] = tables.settings.table_name
    if needs.executions:
        variables |= {f"{machine.upper()}_MACHINE_ARN": arn for machine, arn in arns.items()}
    if needs.publishes:
        variables["EVENT_BUS"] = events.bus.event_bus_name
    if needs.parks or needs.unparks:
        variables["PARKED_QUEUE_URL"] = events.parked.queue_url
    if needs.tells_books:
        variables["BOOKS_QUEUE_URL"] = events.books.queue_url
    if needs.webhooks:
        variables["WEBHOOK_SECRETS"] = secrets.PREFIX
    if needs.pays:
        variables["GATEWAY_SECRETS"] = secrets.GATEWAYS_PREFIX
    if needs.loads:
        variables["LOADS_BUCKET"] = resources.loads.bucket_name
    if needs.feed:
        variables["INVENTORY_STREAM"] = str(tables.inventory.table_stream_arn)
    return variables


def statements(needs: Needs, resources: Resources) -> Iterator[iam.PolicyStatement]:
    """The smallest statements that let the function do its work."""
    tables, events = resources.tables, resources.events
    for table, actions in ((tables.orders, needs.orders), (tables.inventory, needs.inventory), (tables.settings, needs.settings)):
        if actions:
            yield _allow("dynamodb", actions, table.table_arn)
    if needs.lists:
        yield _allow("dynamodb", "Query", f"{tables.orders.table_arn}/index/{LISTS_INDEX}")
    if needs.places:
        yield _allow("dynamodb", "Query", f"{tables.inventory.table_arn}/index/{PLACES_INDEX}")
    if needs.keys:
        yield _only(tables.orders, needs.keys.split())
    if needs.executions:
        yield from _executions(needs.executions, resources.machines)
    if needs.resumes:
        # IAM knows no narrower resource for these two: a request carries the token only, which names no machine.
        yield _allow("states", "SendTaskSuccess SendTaskFailure", "*")
    if needs.publishes:
        yield _allow("events", "PutEvents", events.bus.event_bus_arn)
    yield from _queues(needs, events)
    yield from _files(needs, resources)
    if needs.webhooks:
        for kind in needs.webhooks.split():
            yield _secrets(Stack.of(events), f"{secrets.PREFIX}{kind}{'-' if '/' in kind else '/'}*")
    if needs.pays:
        yield _secrets(Stack.of(events), f"{secrets.GATEWAYS_PREFIX}*")


def _queues(needs: Needs, events: Events) -> Iterator[iam.PolicyStatement]:
    """What waits to be relayed again, and the books. Who reads the books is granted so by its event source (events.py)."""
    if needs.parks:
        yield _allow("sqs", "SendMessage", events.parked.queue_arn)
    if needs.tells_books:
        yield _allow("sqs", "SendMessage", events.books.queue_arn)
    if needs.unparks:
        yield _allow("sqs", "ReceiveMessage DeleteMessage GetQueueAttributes", events.parked.queue_arn)


def _files(needs: Needs, resources: Resources) -> Iterator[iam.PolicyStatement]:
    """Files of stock, and the stream that the delta feed reads."""
    if needs.loads:
        # Without ListBucket S3 says "forbidden" of a file that is not there, which is all that a caller needs to know.
        yield _allow("s3", "GetObject GetObjectVersion", resources.loads.arn_for_objects(f"{LOADS}*"))
    if needs.loads == "work":
        yield _allow("s3", "GetObject PutObject", resources.loads.arn_for_objects(f"{REPORTS}*"))
    if needs.feed:
        yield _allow("dynamodb", "DescribeStream GetShardIterator GetRecords", resources.feed)


def _secrets(stack: Stack, names: str) -> iam.PolicyStatement:
    """By name: Secrets Manager adds six random characters to the ARN of a secret."""
    arn = stack.format_arn(service="secretsmanager", resource="secret", resource_name=names, arn_format=ArnFormat.COLON_RESOURCE_NAME)
    return _allow("secretsmanager", "GetSecretValue", arn)


def _only(orders: dynamodb.Table, beginnings: list[str]) -> iam.PolicyStatement:
    """Items of the orders table whose partition key begins so: idempotency keys, records that are no orders. Others are out of reach."""
    records = "" if beginnings == ["key#"] else " Query UpdateItem"
    statement = _allow("dynamodb", f"GetItem PutItem{records}", orders.table_arn)
    statement.add_condition("ForAllValues:StringLike", {"dynamodb:LeadingKeys": [f"{beginning}*" for beginning in beginnings]})
    return statement


def _executions(actions: str, machines: Mapping[str, str]) -> Iterator[iam.PolicyStatement]:
    """DescribeExecution acts on executions, the other actions on the machines."""
    on_machines = " ".join(action for action in actions.split() if action != "DescribeExecution")
    if on_machines:
        yield _allow("states", on_machines, *machines.values())
    if "DescribeExecution" in actions.split():
        yield _allow("states", "DescribeExecution", *(f"{arn.replace(':stateMachine:', ':execution:')}:*" for arn in machines.values()))


def _allow(service: str, actions: str, *resources: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=[f"{service}:{action}" for action in actions.split()], resources=list(resources))
