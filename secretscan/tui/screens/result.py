"""The last step: the proof, and what is left to do, with commands to copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.widgets import Static

from secretscan import api
from secretscan.tui.actions import bindings
from secretscan.tui.migration import Step
from secretscan.tui.running import Running
from secretscan.tui.screens.preview import LeftDialog
from secretscan.tui.screens.wizard import WizardScreen, clock, many
from secretscan.tui.widgets.lines import Lines, Para

if TYPE_CHECKING:
    from secretscan.run.aftermath import FollowUp, FollowUpKind
    from secretscan.run.apply import Applied

__all__ = ["ResultScreen"]

_TITLES: Final[dict[FollowUpKind, str]] = {
    "proof": "Not as before",
    "refused": "Stays as it is",
    "elsewhere": "Still stands elsewhere",
    "grant": "Roles to grant",
    "apply": "To deploy",
    "rotate": "Exposed until rotated",
    "note": "To know before you deploy",
    "undo": "The way back",
}


_MOST_REFUSED: Final = 4
"""Places that stay which are shown among the rest: of hundreds, the list would be nothing else."""


class ResultScreen(WizardScreen):
    """Everything that a run leaves to people."""

    STEP: ClassVar[Step] = "result"
    SCOPE: ClassVar[str] = "result"
    SCOPES: ClassVar[tuple[str, ...]] = ()
    ABOUT: ClassVar[str] = (
        "The run is done and proved: every workload receives the same values, now from the vault. Below is what is "
        "left for you. y copies a command; words in capitals are to be filled in."
    )
    BINDINGS = bindings("result")

    def __init__(self, running: Running | None = None) -> None:
        """`running` is the run that is done, if it is not the migration's."""
        super().__init__()
        self._given = running
        self.items: list[FollowUp | None] = []

    @property
    def running(self) -> Running:
        running = self._given or self.migration.running
        assert running is not None and running.done is not None  # noqa: S101 - this step comes after the run
        return running

    @property
    def done(self) -> Applied:
        assert self.running.done is not None  # noqa: S101
        return self.running.done

    @property
    def vault_url(self) -> str:
        return self.running.choice.url

    def content(self) -> ComposeResult:
        yield Static("\n".join(self._head()), id="verdict", classes="field", markup=False)
        yield Lines(id="left")

    def on_mount(self) -> None:
        left = self.query_one(Lines)
        left.update_entries(list(self._entries()))
        left.focus()
        commands = sum(1 for item in self.items if item is not None and item.command)
        self.say(f"{many(commands, 'command')} to copy: y for the one under the cursor, Y for all")

    def on_screen_resume(self) -> None:
        """Back from undoing it, or from looking at that."""
        state = next((run.state for run in api.status(self.migration.root).runs if run.id == self.done.run), "")
        if state.startswith("und"):
            self.query_one("#verdict", Static).update(
                f"UNDONE  The files have their original bytes again; run {self.done.run} is taken back."
                if state == "undone"
                else f"The undo of run {self.done.run} is not finished: U goes on with it."
            )

    def _head(self) -> Iterator[str]:
        done, proof = self.done, self.done.proof
        if proof.holds:
            yield (
                f"PROVED  {many(proof.deliveries, 'delivery is', 'deliveries are')} the same as before, "
                f"{many(proof.places, 'rewritten place holds', 'rewritten places hold')} no value any more."
            )
        else:
            yield "NOT PROVED  Something is not as before: it stands first in the list. Undo the run, or mend it."
        yield (
            f"{done.stored} stored, {done.adopted} there already; {many(len(done.rewritten), 'file')} rewritten, "
            f"{len(done.created)} made. Run {done.run} took {clock(self.running.elapsed)}."
        )

    def _entries(self) -> Iterator[list[Para]]:
        kind: FollowUpKind | None = None
        shown = 0
        running = self.running
        for item in api.aftermath(running.plan, self.done, root=self.migration.root, choice=running.choice):
            if item.kind != kind:
                if kind is not None:
                    self.items.append(None)
                    yield [Para("")]
                kind = item.kind
                self.items.append(None)
                yield [Para(_TITLES[item.kind], "bad" if item.kind == "proof" else "heading")]
                shown = 0
            shown += 1
            if item.kind == "refused" and shown > _MOST_REFUSED:
                if shown == _MOST_REFUSED + 1:
                    self.items.append(None)
                    yield [Para(f"and {len(running.plan.left) - _MOST_REFUSED} more; i lists them all", label="  - ")]
                continue
            self.items.append(item)
            entry = [Para(item.text, label="  - ")]
            if item.command:
                entry.append(Para(item.command, "code", label="    $ "))
            yield entry

    # actions

    def action_left(self) -> None:
        self.app.push_screen(LeftDialog(self.running.plan))

    def _command(self) -> str:
        entry = self.query_one(Lines).entry
        item = self.items[entry] if 0 <= entry < len(self.items) else None
        return item.command if item is not None else ""

    def on_rows_moved(self) -> None:
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "left":
            return bool(self.running.plan.left)
        if action == "copy":
            return True if self._command() else None
        return True

    def action_copy(self) -> None:
        self.review.copy_text(self._command(), "the command")

    def action_copy_all(self) -> None:
        commands = [item.command for item in self.items if item is not None and item.command]
        self.review.copy_text("\n".join(commands), many(len(commands), "command"))

    def action_undo(self) -> None:
        from secretscan.tui.screens.undo import UndoScreen

        self.app.push_screen(UndoScreen(self.done.run))

    def action_close(self) -> None:
        """Back to where the migration was begun."""
        if self._given is None:
            self.migration.finish()
        self.app.pop_screen()
