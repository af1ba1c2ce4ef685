"""Reading a folder for the review: what its inventory knows first, then a scan that brings it up to date."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from secretscan import api
from secretscan.events import Cancellation, Event, FileScanned, Listener, Noted, Progress
from secretscan.review.table import Table
from secretscan.tui.jobs import Job, JobFailed

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from secretscan.errors import SecretscanError
    from secretscan.model import Unscanned
    from secretscan.tui.app import ReviewApp

__all__ = ["Reader", "Reading"]

T = TypeVar("T")
_FIRST_S: Final = 2.0
"""Seconds that loading waits at most for the first picture."""


class Reader(Protocol):
    """Who is told of it, in the interface's thread."""

    @property
    def review(self) -> ReviewApp: ...

    def first_rows(self) -> None:
        """There is something to show; `Reading.drawn` is to be called when it is on the screen."""

    def read_so_far(self, status: str) -> None:
        """What is being done, or was; there may be new rows."""

    def read_all(self) -> None:
        """All is read that was asked for."""

    def noted(self, text: str) -> None:
        """Something to know."""

    def failed(self, error: SecretscanError) -> None:
        """It ended early."""


class Reading:
    """Fills `table`. `skipped` are the things that were not read, or not fully, by path."""

    def __init__(self, owner: DOMNode, reader: Reader) -> None:
        """`owner` is the node whose timers look after the work: the reader itself."""
        self.table = Table()
        self.skipped: dict[str, tuple[Unscanned, ...]] = {}
        self.fresh = False
        """Whether the table has changed since this was last set to false."""
        self._owner, self._reader = owner, reader
        self._scan: Job[api.Scan] | None = None
        self._drawn = threading.Event()
        self._again = False

    @property
    def scanning(self) -> bool:
        """Whether a scan is under way."""
        return self._scan is not None and not self._scan.ended

    @property
    def skipped_count(self) -> int:
        return sum(map(len, self.skipped.values()))

    def skipped_lines(self) -> Iterator[str]:
        """What was skipped, a line each, with the reason."""
        for path in sorted(self.skipped):
            for item in self.skipped[path]:
                at = f":{item.line}" if item.line else ""
                yield f"{item.path}{at}: {item.reason}{' (read as text only)' if item.partial else ''}"

    @property
    def drawn(self) -> bool:
        """Whether the first rows have been on the screen."""
        return self._drawn.is_set()

    def set_drawn(self) -> None:
        self._drawn.set()

    def start(self) -> None:
        """Reads the inventory, and then the folder if that is wanted. When this is done already, it begins anew, once
        the scan under way has ended."""
        if self.scanning and self._scan is not None:
            self._again = True
            self._scan.cancel()
            return
        root, table = self._reader.review.root, Table()
        self.table = table
        self._drawn.clear()

        def work(listener: Listener, cancellation: Cancellation) -> int:
            total = 0
            for batch in api.sightings(root):
                cancellation.check()
                listener(FileScanned("", batch))
                total += len(batch)
                # The first rows are to be read while the rest is loaded, not after it.
                self._drawn.wait(_FIRST_S)
            return total

        self._reader.read_so_far("reading the inventory…")
        Job(
            self._owner,
            "inventory",
            work,
            self._only(table, self._loaded),
            self._only(table, self._load_failed),
            self._only(table, self._heard_inventory),
            backlog=4,
        ).start()

    def scan(self) -> None:
        """Reads the folder again."""
        if self.scanning:
            self._reader.noted("a scan is under way")
            return
        options = self._reader.review.options

        def work(listener: Listener, cancellation: Cancellation) -> api.Scan:
            return api.scan(options.targets, record=options.record, listener=listener, cancellation=cancellation)

        self.skipped = {}
        self._scan = Job(self._owner, "scan", work, self._scanned, self._scan_failed, self._heard_scan).start()

    def resting(self) -> AbstractContextManager[None]:
        """Keeps the scan waiting while the table is drawn.

        What a scan keeps of 50,000 findings is a million objects, and the collector of cycles would stop everything for
        200 ms to look through them, again and again. Frozen, they are left out; counting references goes on.
        """
        gc.freeze()
        return self._scan.paused() if self._scan is not None else nullcontext()

    def _only(self, table: Table, heard: Callable[[T], None]) -> Callable[[T], None]:
        """Heard only while that table is the one that is filled."""
        return lambda said: heard(said) if table is self.table else None

    def _heard_inventory(self, event: Event) -> None:
        if isinstance(event, FileScanned):
            first = not len(self.table)
            self.table.extend(event.sightings)
            self.fresh = True
            if first:
                self._reader.first_rows()

    def _loaded(self, total: int) -> None:
        if self._reader.review.options.scan:
            self.scan()
        elif total:
            self._reader.read_so_far(f"{total} places known from the inventory; ^r reads the folder again")
        else:
            self._reader.read_so_far("nothing is known of this folder yet; ^r scans it")
        self._reader.read_all()

    def _load_failed(self, failure: JobFailed) -> None:
        self._reader.failed(failure.error)
        self._loaded(0)

    def _heard_scan(self, event: Event) -> None:
        if isinstance(event, FileScanned):
            self.table.replace(event.path, event.sightings)
            if event.unscanned:
                self.skipped[event.path] = event.unscanned
            self.fresh = True
        elif isinstance(event, Progress):
            self._reader.read_so_far(f"scanning… {event.done} files  {event.subject}")
        elif isinstance(event, Noted):
            self._reader.noted(event.text)

    def _scanned(self, scan: api.Scan) -> None:
        if self._begun_again():
            return
        self.fresh = True
        skipped = f"; {self.skipped_count} not read fully (i lists them)" if self.skipped else ""
        self._reader.read_so_far(f"{scan.files} file{'s' * (scan.files != 1)} read{skipped}")
        self._reader.read_all()

    def _scan_failed(self, failure: JobFailed) -> None:
        if self._begun_again():
            return
        self._reader.read_so_far(f"the scan ended early: {failure.error.what}")
        self._reader.read_all()
        if not failure.cancelled:
            self._reader.failed(failure.error)

    def _begun_again(self) -> bool:
        again, self._again = self._again, False
        if again:
            self.start()
        return again
