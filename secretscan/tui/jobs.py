"""Work in threads, and how what it says reaches the screen.

A job calls one use case. Its events go into an inbox, which the screen empties many times a second: so a job that says
a thousand things a moment never floods the screen, and only the interface's own thread draws.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from textual.dom import DOMNode
from textual.timer import Timer

from secretscan.errors import Cancelled, SecretscanError, unforeseen
from secretscan.events import Cancellation, Event, Listener, Progress

__all__ = ["EVERY_S", "Inbox", "Job", "JobFailed"]

EVERY_S = 0.05
"""Seconds between two looks into an inbox."""
_HEAR_S = 0.02
"""Seconds that one look may take: then keys and the screen have their turn."""

T = TypeVar("T")


class Inbox:
    """Events of a job, for another thread to take out: of progress only the newest, of the rest everything."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._progress: Progress | None = None

    def put(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Progress):
                self._progress = event
            else:
                self._events.append(event)

    def take(self) -> Event | None:
        """The oldest event; the newest progress when there is no other."""
        with self._lock:
            if self._events:
                return self._events.popleft()
            progress, self._progress = self._progress, None
            return progress

    def __len__(self) -> int:
        return len(self._events)

    @property
    def empty(self) -> bool:
        return not self._events and self._progress is None


@dataclass(frozen=True, slots=True)
class JobFailed:
    """How a job ended that did not end well; `cancelled` when a person asked for it."""

    error: SecretscanError

    @property
    def cancelled(self) -> bool:
        return isinstance(self.error, Cancelled)


@dataclass(eq=False)
class Job(Generic[T]):
    """One piece of work in a thread of its own, on behalf of a screen.

    `work` gets a listener and a cancellation. `hear` is called in the interface's thread with each event, `done` or
    `failed` at the end, also there. A job goes on when its screen is gone, unless it is cancelled.
    """

    owner: DOMNode
    name: str
    work: Callable[[Listener, Cancellation], T]
    done: Callable[[T], None]
    failed: Callable[[JobFailed], None]
    hear: Callable[[Event], None] = lambda _: None
    backlog: int = 5000
    """Events that may wait to be heard; then the work waits, too."""
    cancellation: Cancellation = field(default_factory=Cancellation)
    inbox: Inbox = field(default_factory=Inbox)
    ended: bool = False
    _result: T | None = None
    _failure: JobFailed | None = None
    _timer: Timer | None = None
    _thread: threading.Thread | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> Job[T]:
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._timer = self.owner.set_interval(EVERY_S, self._look)
        self._thread.start()
        return self

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keeps the work waiting at its next event: two busy threads would take turns of 5 ms, and drawing would take
        twice as long."""
        with self._turn:
            yield

    def _put(self, event: Event) -> None:
        while len(self.inbox) >= self.backlog:
            self.cancellation.check()
            time.sleep(_HEAR_S)
        with self._turn:
            self.inbox.put(event)

    def cancel(self) -> None:
        """Asks the work to stop between two steps."""
        self.cancellation.cancel()

    def join(self, seconds: float) -> bool:
        """Waits for the thread at most so long; whether it has ended."""
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._result = self.work(self._put, self.cancellation)
        except SecretscanError as error:
            self._failure = JobFailed(error)
        except BaseException as error:  # noqa: BLE001 - a traceback would print what the exception quotes
            self._failure = JobFailed(unforeseen(error))

    def _look(self) -> None:
        over = self._thread is not None and not self._thread.is_alive()
        until = time.perf_counter() + _HEAR_S
        with self.paused():
            while (event := self.inbox.take()) is not None:
                self.hear(event)
                if time.perf_counter() > until:
                    break
        if over and self.inbox.empty and not self.ended:
            self.ended = True
            if self._timer is not None:
                self._timer.stop()
            if self._failure is not None:
                self.failed(self._failure)
            else:
                self.done(self._result)  # type: ignore[arg-type]
