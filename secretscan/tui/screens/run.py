"""The seventh step: the run, live, with a stop between any two of its steps."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.widgets import Static

from secretscan.errors import printable
from secretscan.events import Noted, StepDone
from secretscan.tui.actions import bindings
from secretscan.tui.migration import Step
from secretscan.tui.running import Running
from secretscan.tui.screens.wizard import WizardScreen, clock, many
from secretscan.tui.widgets.lines import Lines, Para

__all__ = ["RunScreen"]

_LOOK_S: Final = 0.1
"""Seconds between two looks at the run."""

_STAGES: Final = {
    "store": "storing in the vault and reading back",
    "rewrite": "rewriting files",
    "prove": "proving: what arrives is the same, and no value is left",
    "undo": "restoring",
}
_BAR: Final = 30


class RunScreen(WizardScreen):
    """Shows a run; it goes on when this screen is left."""

    STEP: ClassVar[Step] = "run"
    SCOPE: ClassVar[str] = "run"
    ABOUT: ClassVar[str] = (
        "Every value is stored and read back before the first file changes. x stops between two steps; what is done "
        "stays done and written down, and the run goes on from there with ^g, here or another day."
    )
    BINDINGS = [*bindings("wizard"), *bindings("run")]  # noqa: RUF012

    def __init__(self, running: Running | None = None) -> None:
        """`running` is the run to show, if it is not the migration's."""
        super().__init__()
        self._given = running
        self._shown = 0
        self._state = ""

    @property
    def running(self) -> Running:
        running = self._given or self.migration.running
        assert running is not None  # noqa: S101 - this step comes after the start
        return running

    @property
    def vault_url(self) -> str:
        return self.running.choice.url

    def content(self) -> ComposeResult:
        yield Static(id="now", classes="field", markup=False)
        yield Static(id="bar", classes="field", markup=False)
        yield Lines(id="done")
        yield Static(id="after", classes="field", markup=False)

    def on_mount(self) -> None:
        self.query_one(Lines).focus()
        self.set_interval(_LOOK_S, self._look)
        self._look()

    def _look(self) -> None:
        running = self.running
        done = self.query_one("#done", Lines)
        for step in running.steps[self._shown :]:
            done.add([_entry(step)])
        self._shown = len(running.steps)
        self._show_now(running)
        self._show_bar(running)
        state = self._state_of(running)
        if state != self._state:
            self._state = state
            self._show_end(running)
            self.refresh_bindings()

    @staticmethod
    def _state_of(running: Running) -> str:
        if running.done is not None:
            return "done"
        if running.active:
            return "stopping" if running.stopping else "active"
        return "stopped" if running.stopped else "failed"

    def _show_now(self, running: Running) -> None:
        now = running.progress
        if running.done is not None:
            text = "done"
        elif not running.active:
            text = "stopped between two steps, as asked" if running.stopped else "not finished"
        elif running.stopping:
            text = "stopping after this step…"
        elif now is None:
            text = "signing in, and looking at the files…"
        else:
            text = f"{_STAGES.get(now.stage, now.stage)}  {now.subject}"
        self.query_one("#now", Static).update(printable(text))

    def _show_bar(self, running: Running) -> None:
        now = running.progress
        text = f"{clock(running.elapsed)} so far" if running.active else f"took {clock(running.elapsed)}"
        if now is not None and now.total and running.active:
            full = _BAR * now.done // now.total
            text = f"[{'#' * full}{'.' * (_BAR - full)}] {now.done} of {now.total}   {text}"
            pace = running.pace()
            if pace is not None and now.done < now.total:
                text += f", {pace[0]:.1f} a second, about {clock(pace[1])} left"
        self.query_one("#bar", Static).update(text)

    def _show_end(self, running: Running) -> None:
        lines: list[str] = []
        if running.done is not None:
            word = "holds" if running.done.proof.holds else "DOES NOT HOLD"
            lines = [f"The run is done, and its proof {word}. ^n shows the result."]
        elif running.error is not None:
            lines = [*running.error.lines(), "", _REST]
        elif running.stopped:
            lines = [_REST]
        self.query_one("#after", Static).update("\n".join(lines))
        steps = sum(isinstance(step, StepDone) for step in running.steps)
        self.say(f"{many(steps, 'step')} done; each is in the journal" if steps else "")

    # actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        running = self.running
        if action == "cancel":
            return running.active and not running.stopping
        if action == "resume":
            return not running.active and running.done is None
        if action == "back":
            return None if running.active else True
        return super().check_action(action, parameters)

    def why_not(self, action: str) -> str:
        if action == "back":
            return "the run is under way: x stops it after the step under way, ^l leaves it to itself"
        return "the run is not finished" if action == "next" else ""

    def may_go_on(self) -> bool:
        return self.running.done is not None

    def action_back(self) -> None:
        """To the last look before a run that did not end; of one that is done, or was shown by itself, out of here."""
        if self._given is None and self.running.done is None:
            super().action_back()
        else:
            self.action_leave()

    def action_next(self) -> None:
        from secretscan.tui.screens.result import ResultScreen

        if self._given is None:
            self.go("result")
        else:
            self.app.switch_screen(ResultScreen(self._given))

    def action_cancel(self) -> None:
        self.running.stop()
        self._look()

    def action_resume(self) -> None:
        self.running.start()
        self._look()


_REST: Final = (
    "What is done stays done, and nothing is half written. ^g goes on where it stopped; so does 'secretscan review' "
    "the next time."
)


def _entry(step: StepDone | Noted) -> Para:
    if isinstance(step, Noted):
        return Para(step.text, "", "note        ", "warning")
    return Para(step.subject, "", f"{step.what:<12}", "good")
