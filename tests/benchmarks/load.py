"""Many clients at once: orders placed a second, whole lives a second, and what happens to the last 40 units."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.local.replay.report import percentile
from infra.local.stack import Stack
from infra.local.trouble import Trouble
from tests.benchmarks.shop import LOCATION, Failed, OutOfTime, Shop, Tokens, Waits, stock

LEVELS = (1, 4, 16)
STOCK = 40
_BUYERS, _TRIES_EACH = 16, 4


@dataclass
class Level:
    """What a number of clients got done."""

    clients: int
    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    unfinished: int = 0

    @property
    def per_second(self) -> float:
        """Over the whole time, until the last client had finished."""
        return len(self.took) / self.seconds if self.seconds else 0.0

    def ms(self, percent: float) -> float:
        """A percentile of what one took."""
        return percentile(self.took, percent) * 1000


@dataclass(frozen=True)
class Sale:
    """The last units: who got one, how the others were refused, and what the stock record says."""

    sold: int
    refused: Counter[str]
    reserved: int
    available: int


def at_level(
    stack: Stack, tokens: Tokens, clients: int, seconds: float, work: Callable[[Shop], object], *, patience: float = 60.0
) -> Level:
    """Every client works until the time is over and has `patience` seconds more to finish what it has begun."""
    level, waits = Level(clients), Waits()
    began = time.monotonic()

    def client() -> None:
        shop = Shop(stack, tokens, waits, deadline=began + seconds + patience)
        try:
            while time.monotonic() - began < seconds:
                started = time.monotonic()
                work(shop)
                level.took.append(time.monotonic() - started)
        except OutOfTime:
            level.unfinished += 1
        except (Failed, Trouble) as error:
            level.failures.append(str(error))
        finally:
            shop.api.close()

    _together(clients, client)
    level.seconds = time.monotonic() - began
    return level


def settle(stack: Stack, tokens: Tokens) -> float:
    """Wait until everything placed before has been allocated: relay works in turn, so until an order placed now has. In seconds."""
    began = time.monotonic()
    shop = Shop(stack, tokens)
    shop.to_allocated(shop.place())
    shop.api.close()
    return time.monotonic() - began


def last_units(stack: Stack, tokens: Tokens) -> Sale:
    """16 buyers try to buy 64 of 40."""
    sku = f"LAST-{uuid.uuid4().hex[:8].upper()}"
    first = Shop(stack, tokens)
    stock(first.api, (sku,), STOCK)
    answers: Counter[str] = Counter()

    def buyer() -> None:
        shop = Shop(stack, tokens)
        for _ in range(_TRIES_EACH):
            answer = shop.buy(shop.next_order(sku))
            kind = str(answer.body.get("type", "")).rpartition(":")[2] if isinstance(answer.body, dict) else ""
            answers["sold" if answer.status == 201 else f"{answer.status} {kind}".strip()] += 1
        shop.api.close()

    _together(_BUYERS, buyer)
    left = first.get(f"/v1/inventory/{sku}/{LOCATION}")
    first.api.close()
    sold = answers.pop("sold", 0)
    return Sale(sold, answers, left["reserved"], left["available_to_fulfill"])


def _together(number: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
