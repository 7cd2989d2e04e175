"""What moves after a commit: the bus, relay's stream mapping, the parked queue and that of the books, reconcile's schedule."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct


def entries_of(*prefixes: str) -> dict[str, object]:
    """Every commit with a fact is a new timeline entry; whose it is says the beginning of its partition key."""
    keys = {"pk": {"S": [{"prefix": prefix} for prefix in prefixes]}, "sk": {"S": [{"prefix": "timeline#"}]}}
    return {"eventName": ["INSERT"], "dynamodb": {"Keys": keys}}


OF_ORDERS = entries_of("ord_")
OF_STOCK = entries_of("sku_", "res_", "load_", "loc_", "exc_", "credit_")


class Events(Construct):
    """The bus `oms`; the queue `oms-parked`, where relay puts what it cannot do now; the queue `oms-books.fifo`, which the bookkeeper
    reads: one channel is a group, so that it is with one consumer at a time."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.bus = events.EventBus(self, "Bus", event_bus_name="oms")
        self.dead = sqs.Queue(self, "Dead", queue_name="oms-parked-dead", retention_period=Duration.days(14))
        self.parked = sqs.Queue(
            self,
            "Parked",
            queue_name="oms-parked",
            visibility_timeout=Duration.minutes(5),  # longer than reconcile runs
            retention_period=Duration.days(14),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead, max_receive_count=10),
        )
        self._alarm(
            "DeadLetters",
            "oms-parked-dead",
            self.dead,
            "A fact could not be relayed, even after it was parked: read the message, repair the record, run reconcile",
        )
        books_dead = sqs.Queue(self, "BooksDead", queue_name="oms-books-dead.fifo", fifo=True, retention_period=Duration.days(14))
        self.books = sqs.Queue(
            self,
            "Books",
            queue_name="oms-books.fifo",
            fifo=True,
            visibility_timeout=Duration.seconds(90),  # longer than the bookkeeper runs; as long a channel waits behind what fails
            retention_period=Duration.days(14),
            dead_letter_queue=sqs.DeadLetterQueue(queue=books_dead, max_receive_count=3),
        )
        self._alarm(
            "BooksDeadLetters",
            "oms-books-dead",
            books_dead,
            "An order could not be brought into the books: the bookkeeper's log says why; repair it, then redrive the queue",
        )

    def _alarm(self, construct_id: str, name: str, queue: sqs.Queue, description: str) -> None:
        queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(5)).create_alarm(
            self,
            construct_id,
            alarm_name=name,
            alarm_description=description,
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def keep_books_with(self, bookkeeper: lambda_.Function) -> None:
        """Bring the bookkeeper the books' queue; what fails is left in it, the rest of its batch is done."""
        bookkeeper.add_event_source(sources.SqsEventSource(self.books, batch_size=10, report_batch_item_failures=True))

    def relay_from(self, orders: dynamodb.Table, function: lambda_.Function, entries: dict[str, object]) -> None:
        """Bring a function the new timeline entries that are its business.

        From the horizon: a stream that starts at `LATEST` loses what is written while the mapping is being made. No batching
        window: a customer may be waiting for what relay starts.
        """
        source = sources.DynamoEventSource(
            orders,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=100,
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            retry_attempts=3,
            on_failure=sources.SqsDlq(self.dead),
            filters=[lambda_.FilterCriteria.filter(entries)],
        )
        function.add_event_source(source)

    def reconcile_with(self, reconcile: lambda_.Function) -> None:
        """Run reconcile every five minutes; a run that fails is not tried again, the next one does its work."""
        events.Rule(
            self,
            "Reconcile",
            rule_name="oms-reconcile",
            schedule=events.Schedule.rate(Duration.minutes(5)),
            targets=[targets.LambdaFunction(reconcile, retry_attempts=0)],
        )
        drift = cloudwatch.Metric(namespace="oms", metric_name="drift", statistic="Maximum", period=Duration.minutes(5))
        drift.create_alarm(
            self,
            "Drift",
            alarm_name="oms-drift",
            alarm_description="Stock does not add up: the exceptions of kind drift say where, POST /v1/inventory/repairs repairs it",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

        unbalanced = cloudwatch.Metric(namespace="oms", metric_name="unbalanced", statistic="Maximum", period=Duration.minutes(5))
        unbalanced.create_alarm(
            self,
            "Unbalanced",
            alarm_name="oms-unbalanced",
            alarm_description="Money of an order does not add up: the log line 'reconciled' names the orders and what is wrong",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def sweep_with(self, stockkeeper: lambda_.Function) -> None:
        """Every minute: what is due. A run that fails is not tried again, the next one does its work."""
        events.Rule(
            self,
            "Sweep",
            rule_name="oms-sweep",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(stockkeeper, retry_attempts=0)],
        )
