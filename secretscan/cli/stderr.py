"""The only speaker: everything that is said on standard error goes through here.

Messages are lower case, without a full stop, cause then hint. Control characters of foreign text never reach the
terminal. Progress is a line that is drawn over on a terminal, and a line for each stage elsewhere.
"""

from __future__ import annotations

import sys
import time

from secretscan.errors import SecretscanError, printable
from secretscan.events import Event, FileScanned, Noted, Progress, StepDone

__all__ = ["Speaker"]

_BAR = 24
_REDRAW_S = 0.05
_STAGES = {
    "scan": "scanning",
    "plan": "planning",
    "preflight": "checking",
    "store": "storing in the vault",
    "rewrite": "rewriting",
    "prove": "proving",
    "undo": "undoing",
}


class Speaker:
    """Says things to the person at the terminal, or to a log. Its `hear` is a listener of events."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._drawn = False
        self._last = 0.0
        self._stage = ""

    def say(self, text: str) -> None:
        """A line for people, unless they asked for quiet."""
        if not self._quiet:
            self._line(printable(text, longest=100_000))

    def warn(self, text: str) -> None:
        """A line that is shown in any case."""
        self._line(f"note: {printable(text)}")

    def error(self, error: SecretscanError) -> None:
        """The message of an error: what and where, why, what to do next."""
        head, *rest = error.lines()
        self._line(f"secretscan: {head}")
        for line in rest:
            self._line(f"  {line}")

    def hear(self, event: Event) -> None:
        """Shows an event."""
        if isinstance(event, Noted):
            self.warn(event.text)
        elif self._quiet or isinstance(event, FileScanned):
            return
        elif isinstance(event, StepDone):
            if not self._terminal:  # there the bar says how far it is
                self._line(f"  {event.what} {printable(event.subject)}")
        elif self._terminal:
            self._draw(event)
        elif event.stage not in {self._stage, "scan"}:
            self._stage = event.stage
            self._line(_STAGES[event.stage])

    def clear(self) -> None:
        """Takes the progress line off the screen."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False

    def _draw(self, event: Progress) -> None:
        now = time.monotonic()
        finished = event.total and event.done >= event.total
        if not finished and now - self._last < _REDRAW_S:
            return
        self._last = now
        if finished:
            self.clear()
            return
        if event.total:
            full = _BAR * event.done // event.total
            bar = f"[{'=' * full}{' ' * (_BAR - full)}] {event.done}/{event.total}"
        else:
            bar = f"{event.done} files"
        text = f"{_STAGES[event.stage]} {bar} {printable(event.subject)}"
        sys.stderr.write("\r\x1b[K" + text[: _columns() - 1])
        sys.stderr.flush()
        self._drawn = True

    def _line(self, text: str) -> None:
        self.clear()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns
