"""What all steps of a migration have: the line that says where one is, next, back, leave, and work that can be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, cast

from textual.app import ComposeResult
from textual.widgets import Static

from secretscan.errors import printable
from secretscan.events import Cancellation, Event, Listener, Noted, Progress
from secretscan.tui.actions import bindings
from secretscan.tui.jobs import Job, JobFailed
from secretscan.tui.migration import STEPS, Migration, Step
from secretscan.tui.screens.base import AppScreen

if TYPE_CHECKING:
    from textual.binding import Binding

    from secretscan.plan.build import Draft
    from secretscan.plan.saved import Saved

__all__ = ["TITLES", "WizardScreen", "clock", "key_of", "many"]

T = TypeVar("T")

TITLES: Final[dict[Step, str]] = {
    "vault": "Vault",
    "targets": "References",
    "names": "Names",
    "preview": "Preview",
    "preflight": "Checks",
    "confirm": "Confirm",
    "run": "Run",
    "result": "Result",
}
_MOMENT_S: Final = 5.0
_STAGES: Final = {"scan": "reading the files", "plan": "planning", "preflight": "checking"}


class WizardScreen(AppScreen[None]):
    """One step. The choices are the migration's; a screen only shows and changes them, so it can go at any time."""

    STEP: ClassVar[Step]
    SCOPES: ClassVar[tuple[str, ...]] = ("wizard",)

    def __init__(self) -> None:
        super().__init__()
        self.job: Job[object] | None = None
        self._then: Step | None = None

    def body(self) -> ComposeResult:
        yield Static(id="steps", markup=False)
        yield from self.content()
        yield Static(id="status", classes="status", markup=False)

    def content(self) -> ComposeResult:
        """The widgets between the step line and the status line."""
        yield from ()

    @property
    def migration(self) -> Migration:
        return self.review.migration

    @property
    def vault_url(self) -> str:
        """Where the values go, empty while that is not chosen."""
        return self.migration.saved.vault_url

    @property
    def busy(self) -> bool:
        """Whether work of this screen is under way."""
        return self.job is not None and not self.job.ended

    def on_mount(self) -> None:
        self.show_title()
        self._show_steps()

    def show_title(self) -> None:
        """What moves where."""
        url = self.vault_url
        self.title_line(f"Migrate {self.migration.root.name}{f' into {url}' if url else ''}")

    def on_resize(self) -> None:
        self._show_steps()

    def _show_steps(self) -> None:
        """Where one is. The step is in brackets, so that it shows without colours."""
        at = STEPS.index(self.STEP)
        trail = (f"[{TITLES[step]}]" if step == self.STEP else TITLES[step] for step in STEPS)
        text = f"{at + 1}/{len(STEPS)}  {' > '.join(trail)}"
        if len(text) > self.size.width - 2:
            text = f"{at + 1} of {len(STEPS)}  {TITLES[self.STEP]}"
        self.query_one("#steps", Static).update(text)

    def say(self, text: str) -> None:
        """The status line."""
        self.query_one("#status", Static).update(printable(text))

    # work

    def work(self, name: str, work: Callable[[Listener, Cancellation], T], done: Callable[[T], None]) -> None:
        """Does something in a thread, with its progress in the status line. Nothing else goes on meanwhile."""

        def failed(failure: JobFailed) -> None:
            self.refresh_bindings()
            self.failed(failure)

        def ended(result: T) -> None:
            self.refresh_bindings()
            self.say("")
            done(result)

        self.say(f"{name}…")
        self.job = cast("Job[object]", Job(self, name, work, ended, failed, self.heard).start())
        self.refresh_bindings()

    def heard(self, event: Event) -> None:
        """One event of the work."""
        if isinstance(event, Progress):
            count = f" {event.done} of {event.total}" if event.total else f" {event.done}" if event.done else ""
            self.say(f"{_STAGES.get(event.stage, event.stage)}{count}  {event.subject}")
        elif isinstance(event, Noted):
            self.notify(printable(event.text), severity="warning", timeout=10, markup=False)

    def failed(self, failure: JobFailed) -> None:
        """The work did not end well."""
        if failure.cancelled:
            self.say("stopped as asked")
        else:
            self.say(failure.error.what)
            self.review.show_error(failure.error)

    def on_unmount(self) -> None:
        if self.job is not None:
            self.job.cancel()

    # going on

    def go(self, step: Step) -> None:
        """To another step; while a dialog is open, when it closes."""
        if self.is_current:
            self.app.switch_screen(self.migration.screen(step))
        else:
            self._then = step

    def on_screen_resume(self) -> None:
        if self._then is not None:
            step, self._then = self._then, None
            self.call_later(self.go, step)

    def plan(self, then: Step) -> None:
        """Goes to a step, with a plan of the choices as they are now."""
        if self.migration.planned:
            self.go(then)
            return

        def made(result: tuple[Saved, Draft]) -> None:
            self.migration.take_plan(result)
            self.go(then)

        self.work("planning", self.migration.make_plan, made)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "next":
            return True if not self.busy and self.may_go_on() else None
        return True

    def may_go_on(self) -> bool:
        """Whether the next step is open."""
        return True

    def action_next(self) -> None:
        self.go(STEPS[STEPS.index(self.STEP) + 1])

    def action_back(self) -> None:
        """Stops the work under way; else to the step before, or out of the first one."""
        if self.busy and self.job is not None:
            self.job.cancel()
            self.say("stopping…")
        elif STEPS.index(self.STEP) == 0:
            self.action_leave()
        else:
            self.go(STEPS[STEPS.index(self.STEP) - 1])

    def action_leave(self) -> None:
        self.app.pop_screen()


def key_of(name: str) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """The one action of the table of this name, for the widget that it belongs to."""
    scope = name.partition(".")[0]
    return [each for each in bindings(scope) if getattr(each, "id", "") == name]


def many(number: int, thing: str, things: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def clock(seconds: float) -> str:
    """`a moment`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if seconds < _MOMENT_S:
        return "a moment"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
