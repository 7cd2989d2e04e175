"""The three DynamoDB tables. Items are told apart by their keys; see oms.storage for the access patterns."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

LISTS_INDEX = "lists"
PLACES_INDEX = "places"


class Tables(Construct):
    """`orders` (one item collection per order), `inventory` and `settings`; on demand, with point-in-time recovery."""

    def __init__(self, scope: Construct, construct_id: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self._removal = removal
        # Relay and stockkeeper read timeline entries from its stream. It forgets keys and leases by `ttl`.
        self.orders = self._table("oms-orders", stream=dynamodb.StreamViewType.NEW_IMAGE, ttl="ttl")
        # Its stream is read by the delta feed. Only old capacity windows are forgotten there.
        self.inventory = self._table("oms-inventory", stream=dynamodb.StreamViewType.KEYS_ONLY, ttl="forget_at")
        self.settings = self._table("oms-settings")
        # Sparse: only items that carry `list` are in it. Keys only: lists read the records themselves, which are current.
        self.orders.add_global_secondary_index(
            index_name=LISTS_INDEX,
            partition_key=_string("list"),
            sort_key=_string("at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        # Sparse: the first row of each SKU at a place carries `place`, from its birth and for ever, so that sales do not touch the index.
        self.inventory.add_global_secondary_index(
            index_name=PLACES_INDEX,
            partition_key=_string("place"),
            sort_key=_string("pk"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )

    def _table(self, name: str, *, stream: dynamodb.StreamViewType | None = None, ttl: str | None = None) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            name.removeprefix("oms-").title(),
            table_name=name,
            partition_key=_string("pk"),
            sort_key=_string("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
            stream=stream,
            time_to_live_attribute=ttl,
            removal_policy=self._removal,
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
