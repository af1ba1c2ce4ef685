"""Sending requests to a vault: paced, and repeated when what went wrong passes by itself.

All repeating is done here and none in the SDK, for three reasons: a 429 has to slow down every thread and not one; a
`Retry-After` is honoured within bounds; and a write whose answer was lost must be looked for before it is sent again,
which only the caller can do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from secretscan.errors import VaultUnreachable
from secretscan.events import Cancellation, Listener, Noted
from secretscan.vault.answers import Action, Place, answer
from secretscan.vault.failures import explain, hopeless, unsure
from secretscan.vault.pacing import Clock, Pacer, Rate

__all__ = ["DELETION_PATIENCE", "POLL", "THROTTLE_PATIENCE", "TRIES", "Effort", "Failed", "Sender"]

TRIES = 5
"""How often a request is sent that fails for a reason which passes by itself."""

THROTTLE_PATIENCE = 300.0
"""Seconds for which one request is repeated after 429s."""

DELETION_PATIENCE = 60.0
"""Seconds allowed for a deletion or a recovery, which the service carries out after its answer."""

POLL = 2.0
"""Seconds between two looks at whether it is done."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that did not go through."""

    error: Exception


@dataclass(slots=True)
class Effort:
    """How much one request has been tried. `since` is on the clock of its sender."""

    place: Place
    action: Action
    since: float
    tries: int = 0


class Sender:
    """Sends the requests of one vault client, for all of its threads."""

    def __init__(
        self, writes: Rate, reads: Rate, clock: Clock, cancellation: Cancellation | None, listener: Listener
    ) -> None:
        self.writes = Pacer(writes, clock, cancellation)
        self.reads = Pacer(reads, clock, cancellation)
        self._clock = clock
        self._listener = listener
        self._answered = False

    def effort(self, place: Place, action: Action) -> Effort:
        return Effort(place, action, self._clock.monotonic())

    def request(self, work: Callable[[], T], place: Place, action: Action) -> T:
        """Sends a request that may simply be sent again, and raises what `explain` makes of a final failure."""
        effort = self.effort(place, action)
        pacer = self.reads if action in {"get", "list"} else self.writes
        while isinstance(result := self.once(work, pacer), Failed):
            self.wait_out(result.error, effort, pacer)
        return result

    def once(self, work: Callable[[], T], pacer: Pacer) -> T | Failed:
        """Sends a request once, when it is its turn."""
        from azure.core.exceptions import AzureError, HttpResponseError

        pacer.acquire()
        try:
            result = work()
        except (AzureError, ValueError, OSError) as error:
            self._answered = self._answered or (isinstance(error, HttpResponseError) and error.status_code is not None)
            return Failed(error)
        self._answered = True
        pacer.succeeded()
        return result

    def wait_out(self, error: Exception, effort: Effort, pacer: Pacer) -> None:
        """Waits as long as this failure suggests, or raises it as an error for people.

        A vault that never answered is not asked again: its name or the way to it is wrong, and a person waits.
        """
        from azure.core.exceptions import HttpResponseError

        effort.tries += 1
        spent = self._clock.monotonic() - effort.since
        if unsure(error):
            if self._answered and effort.tries < TRIES and not hopeless(error):
                pacer.wait(2.0 ** (effort.tries - 1))
                return
        elif isinstance(error, HttpResponseError) and error.status_code is not None:
            said = answer(error)
            if said.status == 429 and spent < THROTTLE_PATIENCE:
                effort.tries -= 1
                pause = pacer.throttled(said.retry_after)
                self._listener(Noted("store", f"the vault asks to slow down: waiting {pause:.0f} s"))
                return
            if said.status == 409 and said.inner == "ObjectIsBeingDeleted":
                if spent < DELETION_PATIENCE:
                    effort.tries -= 1
                    pacer.wait(POLL)
                    return
            elif said.status == 409 and said.inner != "ObjectIsDeletedButRecoverable" and effort.tries <= 3:
                pacer.wait(2.0 ** (effort.tries - 1))
                return
        raise explain(error, effort.place, effort.action)

    def until(self, done: Callable[[], bool], place: Place, doing: str) -> None:
        """Asks again and again whether it is done, for what the service carries out after its answer."""
        since = self._clock.monotonic()
        while not done():
            if self._clock.monotonic() - since >= DELETION_PATIENCE:
                raise VaultUnreachable(
                    f"{doing} the secret takes longer than expected",
                    where=str(place),
                    why=f"the vault accepted it but had not finished after {DELETION_PATIENCE:.0f} s",
                    next_step="run the same command again in a minute",
                )
            self.reads.wait(POLL)
