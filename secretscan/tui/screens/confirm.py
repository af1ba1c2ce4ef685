"""The sixth step: all of it once more in one place, and the one key that starts the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button

from secretscan.tui.actions import bindings
from secretscan.tui.migration import Step
from secretscan.tui.screens.base import at_home
from secretscan.tui.screens.wizard import WizardScreen, many
from secretscan.tui.widgets.lines import Lines, Para

__all__ = ["ConfirmScreen"]


class ConfirmScreen(WizardScreen):
    """Says what happens and what cannot be taken back. Starting is not what Enter does by itself."""

    STEP: ClassVar[Step] = "confirm"
    SCOPE: ClassVar[str] = "confirm"
    ABOUT: ClassVar[str] = (
        "The last look. ^g starts: every value goes into the vault and is read back, and only then the first file is "
        "rewritten. It can be stopped between two steps, gone on with, and undone."
    )
    BINDINGS = [*bindings("wizard"), *bindings("confirm")]  # noqa: RUF012

    def content(self) -> ComposeResult:
        yield Lines(list(self._entries()), id="summary")
        with Horizontal(classes="buttons"):
            yield Button("Back", id="back", compact=True)
            yield Button("Start the run (^g)", id="start", variant="warning", compact=True)

    def on_mount(self) -> None:
        self.query_one(Lines).focus()
        self.say("nothing was written yet; ^g starts the run")

    def _entries(self) -> Iterator[list[Para]]:
        migration = self.migration
        assert migration.draft is not None  # noqa: S101 - this step comes after planning
        plan, who = migration.draft.plan, migration.identity
        yield [_fact("vault", plan.vault_url)]
        yield [_fact("tenant", (who.tenant if who else "") or "not named")]
        yield [_fact("as", migration.signed_in)]
        yield [_fact("folder", at_home(migration.root))]
        yield [Para("")]
        adopted = sum(secret.action == "adopt" for secret in plan.secrets)
        stored = len(plan.secrets) - adopted
        there = f"; {adopted} more are there already with the equal value" if adopted else ""
        yield [_fact("stores", f"{many(stored, 'secret')}, each read back before any file changes{there}")]
        yield [_fact("rewrites", f"{many(len(plan.moves), 'place')} in {many(len(plan.files), 'file')}")]
        new = [each.path for each in plan.companions if each.was is None]
        more = [each.path for each in plan.companions if each.was is not None]
        if new:
            yield [_fact("makes", f"{many(len(new), 'new file')}: {', '.join(new)}")]
        if more:
            yield [_fact("extends", f"{many(len(more), 'file')}: {', '.join(more)}")]
        if plan.left:
            yield [_fact("leaves", f"{many(len(plan.left), 'place')} as they are")]
        yield [Para("")]
        yield [Para("What no undo takes back", "heading")]
        yield [
            Para(
                "what was readable in these files counts as exposed, also in the repository's history, until it is "
                "rotated where it was issued",
                label="  - ",
            )
        ]
        yield [
            Para(
                "undo gives the files their original bytes; the secrets stay in the vault unless you have it delete "
                "them, and deleted ones stay recoverable there",
                label="  - ",
            )
        ]
        if migration.on_trial:
            yield [
                Para(
                    "this vault lives in this program: when it ends, the values are gone. Undo the run before, or keep "
                    "a copy of the files",
                    "warning",
                    label="  ! ",
                    label_style="warning",
                )
            ]
        if plan.notes:
            yield [Para("")]
            yield [Para("Before you deploy", "heading")]
            for note in plan.notes:
                yield [Para(note, label="  - ")]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "next":
            return False  # ^g starts: the key that went through all steps must not
        return super().check_action(action, parameters)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "start":
            self.action_start()
        else:
            self.action_back()

    def action_start(self) -> None:
        if self.review.busy:
            self.notify("another run is under way; wait for it, or stop it", severity="warning")
            return
        self.migration.begin_run(self.review)
        self.go("run")


def _fact(label: str, text: str) -> Para:
    return Para(text, "heading" if label in ("vault", "tenant") else "", f"  {label:<10}")
