"""A run under way: what it said so far, how fast it is, and how it ended. It outlives the screen that shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from secretscan.errors import SecretscanError
from secretscan.events import Cancellation, Event, Listener, Noted, Progress, StepDone
from secretscan.tui.jobs import Job, JobFailed

if TYPE_CHECKING:
    from secretscan.plan.document import Plan
    from secretscan.run.apply import Applied
    from secretscan.tui.app import ReviewApp
    from secretscan.vault.choice import VaultChoice

__all__ = ["Running"]

_SETTLED: Final = 3
"""Steps after which a rate says something."""


class Running:
    """`steps` only grows: what was done and noted, in order. Owned by the application, so it goes on when no screen
    shows it."""

    def __init__(
        self,
        app: ReviewApp,
        plan: Plan,
        choice: VaultChoice,
        work: Callable[[Listener, Cancellation], Applied],
    ) -> None:
        """`work` carries the plan out, or goes on with it; it is safe to do again."""
        self.app = app
        self.plan = plan
        self.choice = choice
        self.steps: list[StepDone | Noted] = []
        self.progress: Progress | None = None
        self.done: Applied | None = None
        self.error: SecretscanError | None = None
        self.stopped = False
        self.begun = False
        self.seconds = 0.0
        """Of the attempts that have ended."""
        self._work = work
        self._job: Job[Applied] | None = None
        self._since = 0.0
        self._stage_since = (0.0, 0)
        self._stop_asked = False

    @property
    def active(self) -> bool:
        """Whether the work is under way."""
        return self._job is not None and not self._job.ended

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self.active and self._stop_asked

    @property
    def elapsed(self) -> float:
        """Seconds of work so far."""
        return self.seconds + (time.monotonic() - self._since if self.active else 0.0)

    def start(self) -> None:
        """Begins, or goes on after a stop or an error."""
        if self.active or self.done is not None:
            return
        self.error, self.stopped, self.progress, self._stop_asked = None, False, None, False
        self._since = time.monotonic()
        self._job = Job(self.app, "run", self._work, self._ended_well, self._ended, self._heard)
        self.app.started(cast("Job[object]", self._job))
        self._job.start()

    def stop(self) -> None:
        """Asks it to stop between two steps."""
        if self._job is not None and self.active:
            self._stop_asked = True
            self._job.cancel()

    def pace(self) -> tuple[float, float] | None:
        """Steps a second of the present stage, and the seconds that the rest of it takes at that; `None` while too
        little is known."""
        now, (since, first) = self.progress, self._stage_since
        if now is None or not now.total or now.done - first < _SETTLED:
            return None
        rate = (now.done - first) / max(0.001, time.monotonic() - since)
        return rate, (now.total - now.done) / rate

    def _heard(self, event: Event) -> None:
        if isinstance(event, Progress):
            if self.progress is None or event.stage != self.progress.stage:
                self._stage_since = (time.monotonic(), event.done)
            self.progress = event
        elif isinstance(event, StepDone | Noted):
            self.steps.append(event)
            self.begun = self.begun or isinstance(event, StepDone)

    def _ended_well(self, done: Applied) -> None:
        self.seconds += time.monotonic() - self._since
        self.done = done
        self._tell("the run is done: M shows its proof, and what is left")
        self.app.files_changed()

    def _ended(self, failure: JobFailed) -> None:
        self.seconds += time.monotonic() - self._since
        self.stopped = failure.cancelled
        self.error = None if failure.cancelled else failure.error
        self._tell("the run has stopped: M shows how far it is")
        self.app.files_changed()

    def _tell(self, text: str) -> None:
        """Says how it ended to somebody who looks at something else."""
        from secretscan.tui.screens.run import RunScreen

        if not any(isinstance(screen, RunScreen) for screen in self.app.screen_stack):
            self.app.notify(text, severity="information" if self.done else "warning", timeout=10)
