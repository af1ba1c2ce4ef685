"""How fast a vault may be asked: below the service's limits, slower after a 429, and stoppable while waiting.

The service allows 300 creations of secrets and 4,000 other requests per 10 s, for each vault and region (Key Vault
service limits). Its quota is shared with whoever else writes, so a 429 can come at any rate: then every thread pauses
and the rate halves, and creeps back while nothing more happens.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from secretscan.events import Cancellation

__all__ = ["CLOCK", "LOCAL", "READS", "WRITES", "Clock", "Pacer", "Rate"]

WINDOW = 10.0
"""Seconds over which the service counts: the shortest useful pause after a 429."""

LONGEST_PAUSE = 60.0
"""Seconds: what a `Retry-After` beyond this says is not believed."""

_SLICE = 0.25
"""Seconds between two looks at the cancellation while waiting."""


class Clock(Protocol):
    """Seconds that only go forward, and a way to let them pass."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


CLOCK: Clock = time
"""The real one."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` at once and `per_second` in the long run: `burst + 10 * per_second` in any 10 s."""

    per_second: float
    burst: int


WRITES = Rate(25, 25)
"""At most 275 in any 10 s: a margin of 25 for writes that a lost answer makes us repeat."""

READS = Rate(200, 100)
"""At most 2,100 in any 10 s, about half of what the service allows."""


LOCAL = Rate(5000, 1000)
"""For the embedded vault, which is nobody else's."""


class Pacer:
    """A token bucket shared by the threads of one vault client.

    Kept as the time at which the next request would be due if all were evenly spaced (the "theoretical arrival time" of
    the generic cell rate algorithm): a bucket without a thread that fills it.
    """

    def __init__(self, rate: Rate, clock: Clock = CLOCK, cancellation: Cancellation | None = None) -> None:
        self._rate = rate
        self._clock = clock
        self._cancellation = cancellation
        self._lock = threading.Lock()
        self._per_second = rate.per_second
        self._due = clock.monotonic()
        self._pause_until = self._due

    @property
    def per_second(self) -> float:
        """The rate at present."""
        return self._per_second

    def acquire(self) -> None:
        """Waits until one more request may be sent. Raises `Cancelled`."""
        with self._lock:
            now = self._clock.monotonic()
            slack = (self._rate.burst - 1) / self._per_second
            start = max(now, self._due - slack, self._pause_until)
            self._due = max(self._due, start) + 1 / self._per_second
        self._until(start)
        while (pause := self._pause_until) > self._clock.monotonic():  # a 429 of another thread while we waited
            self._until(pause)

    def throttled(self, retry_after: float | None) -> float:
        """The service said 429: everyone pauses. Returns the seconds until the pause is over.

        Several threads hear the same 429s; the rate is halved once for each pause.
        """
        with self._lock:
            now = self._clock.monotonic()
            if now >= self._pause_until:
                self._per_second = max(self._per_second / 2, min(1.0, self._rate.per_second))
            pause = min(max(retry_after or 0.0, WINDOW), LONGEST_PAUSE)
            self._pause_until = max(self._pause_until, now + pause)
            # no burst after the pause: other writers come back at the same moment
            self._due = max(self._due, self._pause_until + (self._rate.burst - 1) / self._per_second)
            return self._pause_until - now

    def succeeded(self) -> None:
        """One request went through: the rate creeps back towards its full height."""
        if self._per_second < self._rate.per_second:
            with self._lock:
                self._per_second = min(self._per_second + self._rate.per_second / 100, self._rate.per_second)

    def wait(self, seconds: float) -> None:
        """Lets time pass. Raises `Cancelled` soon after someone asks to stop."""
        self._until(self._clock.monotonic() + seconds)

    def _until(self, moment: float) -> None:
        while True:
            if self._cancellation is not None:
                self._cancellation.check()
            left = moment - self._clock.monotonic()
            if left <= 0:
                return
            self._clock.sleep(min(left, _SLICE) if self._cancellation is not None else left)
