"""A clock on which waiting takes no time, and the client joined to an embedded vault."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from secretscan.events import Event
from secretscan.vault.client import Vault
from secretscan.vault.server import EmbeddedVault, Operation


class LeapingClock:
    """Sleeping moves the time on. `on_sleep` is called before, for what shall happen meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.on_sleep: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        if self.on_sleep is not None:
            self.on_sleep()
        with self._lock:
            self.now += seconds

    def unix(self) -> float:
        return 1_800_000_000 + self.now


class Pair:
    """An embedded vault and a client of it, on one clock."""

    def __init__(self, stack: ExitStack, clock: LeapingClock, server_options: dict[str, Any], **options: Any) -> None:
        self.clock = clock
        self.events: list[Event] = []
        self.server = stack.enter_context(
            EmbeddedVault(("shop",), clock=clock.unix, stopwatch=clock.monotonic, **server_options)
        )
        settings: dict[str, Any] = {"credential": self.server.credential(), "listener": self.events.append} | options
        self.vault = stack.enter_context(
            Vault(
                self.server.azure_url(),
                proxy=self.server.proxy_url,
                ca_file=str(self.server.ca_file),
                use_environment=False,
                clock=clock,
                **settings,
            )
        )

    def asked(self, operation: Operation) -> int:
        """How often the vault was asked for an operation with a token."""
        return sum(1 for each in self.server.requests if each.operation is operation and each.status != 401)

    def values(self, name: str) -> tuple[bytes, ...]:
        """The values of all versions, as the vault has them."""
        return tuple(value.reveal() for each in self.server.stored() if each.name == name for value in each.values)


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def join(clock: LeapingClock) -> Iterator[Callable[..., Pair]]:
    """Makes a `Pair`: `join(faults=..., settings=...)` for the server, everything else for the client."""
    with ExitStack() as stack:

        def make(**options: Any) -> Pair:
            ours = {key: options.pop(key) for key in ("faults", "settings") if key in options}
            pair = Pair(stack, clock, ours, **options)
            pairs.append(pair)
            return pair

        pairs: list[Pair] = []
        yield make
        assert not [failure for pair in pairs for failure in pair.server.failures]
