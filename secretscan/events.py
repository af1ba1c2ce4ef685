"""What the use cases say while they work, as typed facts; and how they are told to stop.

A driver (command line, terminal application, script) passes a listener and shows what it likes. Events never hold a
value. Cancelling takes effect between steps: no step is left half done by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from secretscan.errors import Cancelled

if TYPE_CHECKING:
    from secretscan.model import Sighting, Unscanned

__all__ = ["Cancellation", "Event", "FileScanned", "Listener", "Noted", "Progress", "Stage", "StepDone", "silent"]

Stage = Literal["scan", "plan", "preflight", "store", "rewrite", "prove", "undo"]


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` things of a stage are behind us; `total` is 0 while it is not known. `subject` is the current
    path or secret name."""

    stage: Stage
    done: int
    total: int
    subject: str = ""


@dataclass(frozen=True, slots=True)
class StepDone:
    """One step of a run is done and journaled: `what` (`stored`, `adopted`, `verified`, `rewritten`, `created`,
    `restored`, `removed`, `deleted`) of `subject`."""

    stage: Stage
    what: str
    subject: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that a person should know, in one sentence; it changes nothing about the outcome."""

    stage: Stage
    text: str


@dataclass(frozen=True, slots=True)
class FileScanned:
    """A file was read, with all that was found in it: nothing, mostly. `unscanned` says what of it was not read, also
    of a path that was not opened at all."""

    path: str
    sightings: tuple[Sighting, ...] = ()
    unscanned: tuple[Unscanned, ...] = ()


Event = Progress | StepDone | Noted | FileScanned
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """The listener of who wants to hear nothing."""


class Cancellation:
    """A request to stop, raised by one thread or signal handler and noticed by the worker between two steps."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked = False

    def cancel(self) -> None:
        self._asked = True

    def check(self) -> None:
        """Raises `Cancelled` if someone asked to stop."""
        if self._asked:
            raise Cancelled("stopped as asked", next_step="run the same command again to go on where it stopped")
