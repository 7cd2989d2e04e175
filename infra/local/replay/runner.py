"""Many sales at once, by a number of clients that each have a connection of their own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.local.client import Api
from infra.local.console import Console
from infra.local.replay.drive import Outcome, play
from infra.local.replay.mapping import Sale
from infra.local.stack import Stack
from infra.local.trouble import Trouble


@dataclass
class Run:
    """What became of the sales that were played, and how long it took in seconds."""

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False


def run(stack: Stack, sales: Sequence[Sale], console: Console, *, concurrency: int, drive: bool) -> Run:
    """Play all sales. Ctrl-C lets the clients finish the order they are at. Trouble if the stack goes away."""
    crew = _Crew(stack, sales, drive)
    result, began = Run(crew.outcomes), time.monotonic()
    clients = [threading.Thread(target=crew.work, daemon=True) for _ in range(min(concurrency, len(sales)))]
    with console.step(f"Playing {len(sales)} orders with {len(clients)} at a time"):
        for client in clients:
            client.start()
        while any(client.is_alive() for client in clients):
            try:
                clients[0].join(0.2)
                for client in clients[1:]:
                    client.join(0.0 if clients[0].is_alive() else 0.2)
            except KeyboardInterrupt:
                result.interrupted = True
                crew.waiting.clear()
            done, seconds = len(crew.outcomes), time.monotonic() - began
            console.progress(f"{done} done, {done / seconds:.1f} a second{', finishing what has begun' if result.interrupted else ''}")
    result.seconds = time.monotonic() - began
    if crew.trouble:
        raise crew.trouble
    return result


class _Crew:
    """What the clients share: the sales still to be played, the outcomes, one token at a time."""

    def __init__(self, stack: Stack, sales: Sequence[Sale], drive: bool) -> None:
        self.waiting = deque(sales)
        self.outcomes: list[Outcome] = []
        self.trouble: Trouble | None = None
        self._stack, self._drive, self._lock = stack, drive, threading.Lock()

    def work(self) -> None:
        api = Api(self._stack.base_url, self._token)
        try:
            while True:
                self.outcomes.append(play(api, self.waiting.popleft(), drive=self._drive))
        except IndexError:
            return  # nothing is waiting any more
        except Trouble as trouble:
            self.trouble = trouble
            self.waiting.clear()
        finally:
            api.close()

    def _token(self) -> str:
        with self._lock:
            return self._stack.token()
