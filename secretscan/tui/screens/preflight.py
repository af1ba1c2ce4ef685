"""The fifth step: everything that the run needs is looked at, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult

from secretscan.tui.actions import bindings
from secretscan.tui.jobs import JobFailed
from secretscan.tui.migration import Step
from secretscan.tui.screens.wizard import WizardScreen, many
from secretscan.tui.widgets.lines import Lines, Para

if TYPE_CHECKING:
    from secretscan.run.preflight import Check
    from secretscan.vault.identity import Identity

__all__ = ["PreflightScreen"]

_SIGNS: Final = {"ok": ("ok    ", "good"), "note": ("note  ", "warning"), "stop": ("STOP  ", "bad")}


class PreflightScreen(WizardScreen):
    """The checks, with what to do about each that does not hold."""

    STEP: ClassVar[Step] = "preflight"
    SCOPE: ClassVar[str] = "preflight"
    ABOUT: ClassVar[str] = (
        "The sign-in, the names, every file and the folder are looked at; nothing is written. 'ok' holds, 'note' is to "
        "be known, 'STOP' has to be mended before the run: do what it says, then check again (^r)."
    )
    BINDINGS = [*bindings("wizard"), *bindings("preflight")]  # noqa: RUF012

    def content(self) -> ComposeResult:
        yield Lines(id="checks")

    def on_mount(self) -> None:
        self.query_one(Lines).focus()
        self.action_again()

    def action_again(self) -> None:
        self.migration.keep()
        self.migration.checks = ()
        self.query_one(Lines).update_entries([])
        self.work("checking", self.migration.check, self._checked)

    def _checked(self, found: tuple[Identity, tuple[Check, ...]]) -> None:
        self.migration.identity, self.migration.checks = found
        checks = self.migration.checks
        self.query_one(Lines).update_entries([_entry(check) for check in checks])
        stops = sum(check.state == "stop" for check in checks)
        notes = sum(check.state == "note" for check in checks)
        said = f", {many(notes, 'note')} to read" if notes else ""
        if stops:
            self.say(f"{many(stops, 'thing has', 'things have')} to be mended before the run{said}")
        else:
            self.say(f"nothing stands in the way{said}; the plan is kept, ^n goes on")
        self.refresh_bindings()

    def failed(self, failure: JobFailed) -> None:
        super().failed(failure)
        if failure.cancelled:
            self.say("not checked; ^r checks again")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "again":
            return None if self.busy else True
        return super().check_action(action, parameters)

    def may_go_on(self) -> bool:
        checks = self.migration.checks
        return bool(checks) and all(check.state != "stop" for check in checks)

    def why_not(self, action: str) -> str:
        if action != "next" or self.busy:
            return ""
        if not self.migration.checks:
            return "the checks have not been made"
        return "what says STOP has to be mended first; then check again"


def _entry(check: Check) -> list[Para]:
    sign, style = _SIGNS[check.state]
    # A check of all names or files calls itself so; that, and the vault in the title, would be said twice.
    about = "" if check.what == check.kind else "" if "://" in check.what else f"{check.what}: "
    text = f"{about}{check.detail}"
    entry = [Para(text, "" if check.state == "ok" else "heading", sign, style)]
    if check.next_step:
        entry.append(Para(check.next_step, "", "      next: ", "muted"))
    return entry
