"""Taking a run back: what would be restored, removed and kept is shown before anything happens, and then done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Static

from secretscan import api
from secretscan.errors import SecretscanError, printable
from secretscan.events import Cancellation, Event, Listener
from secretscan.tui.actions import bindings
from secretscan.tui.jobs import Job, JobFailed
from secretscan.tui.screens.base import AppScreen
from secretscan.tui.screens.signin import remember, sign_in
from secretscan.tui.widgets.rows import Piece, Rows, fit
from secretscan.tui.widgets.steps import Steps

if TYPE_CHECKING:
    from secretscan.run.folder import RunFolder
    from secretscan.run.preview import UndoPreview
    from secretscan.run.undo import Undone
    from secretscan.vault.choice import VaultChoice

__all__ = ["UndoScreen"]

_WORD: Final = 18
"""Cells of what happens to a row."""

_FILES: Final = {
    "restores": ("restore", "good"),
    "is the original": ("as it was", "muted"),
    "changed since": ("! keep: changed", "warning"),
    "gone": ("! gone", "warning"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the preview: a heading (`word` empty), or what happens to `subject`; below it `text` is explained."""

    subject: str
    word: str = ""
    style: str = ""
    text: str = ""
    diff: bool = False


class UndoScreen(AppScreen[None]):
    """Preview, start, steps and outcome of undoing one run."""

    SCOPE: ClassVar[str] = "undo"
    ABOUT: ClassVar[str] = (
        "What undoing the run would do with each file. The originals are rendered from the vault's values, and written "
        "only if they are the original to the byte. A file that has changed since is left alone. Values stay in the "
        "vault unless you say otherwise."
    )
    BINDINGS = bindings("undo")

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run_id = run
        self.preview: UndoPreview | None = None
        self.delete = False
        self.job: Job[Undone] | None = None
        self.undone: Undone | None = None
        self.vault_url = ""
        self.begun = False
        """Whether an undo of the run was begun, and its end is not in the journal."""
        self._rows: list[Row] = []
        self._lines: list[list[Piece]] = []

    def body(self) -> ComposeResult:
        yield Static("reading the files…", id="summary", classes="heading", markup=False)
        with Container(id="undo-panes"):
            with Vertical(id="undo-list"):
                yield Rows(self._paint, id="undo-rows")
            with Vertical(id="undo-detail"):
                yield Rows(lambda index, _: self._lines[index], id="undo-diff")
                yield Steps()
        yield Static(id="status", classes="status", markup=False)

    @property
    def listed(self) -> Rows:
        return self.query_one("#undo-rows", Rows)

    @property
    def diff(self) -> Rows:
        return self.query_one("#undo-diff", Rows)

    @property
    def steps(self) -> Steps:
        return self.query_one(Steps)

    @property
    def running(self) -> bool:
        return self.job is not None and not self.job.ended

    def on_mount(self) -> None:
        self.title_line(f"Undo of run {self.run_id}")
        self.steps.display = False
        self.listed.focus()
        self._look()

    # the preview

    def _look(self) -> None:
        root, run = self.review.root, self.run_id

        def work(*_: object) -> tuple[RunFolder, bool, UndoPreview]:
            found = api.find_run(root, run)
            return found, found.state() == "undo unfinished", api.preview_undo(root, run)

        Job(self, "undo preview", work, self._seen, self._unseen).start()

    def _seen(self, seen: tuple[RunFolder, bool, UndoPreview]) -> None:
        found, self.begun, self.preview = seen
        self.vault_url = found.plan.vault_url
        self._show()
        self.refresh_bindings()

    def action_again(self) -> None:
        """The preview anew, for who has mended a file meanwhile."""
        if not self.running:
            self.undone = None
            self.steps.display, self.diff.display = False, True
            self.listed.focus()
            self._look()

    def _unseen(self, failure: JobFailed) -> None:
        self.preview, self._rows = None, []
        self._summary("This run cannot be undone as it stands")
        for line in failure.error.lines():
            self._rows.append(Row(printable(line), style="bad"))
        self.listed.show(len(self._rows))
        self.refresh_bindings()
        self.review.show_error(failure.error)

    def _show(self) -> None:
        self._rows = list(self._preview_rows())
        first = next((n for n, row in enumerate(self._rows) if row.word), 0)
        self.listed.show(len(self._rows), self.listed.cursor or first)
        self._summary(self._consequence())
        self._explain()

    def _preview_rows(self) -> Iterator[Row]:
        preview = self.preview
        if preview is None:
            return
        reasons = {kept.path: kept.reason for kept in preview.keeps}
        yield Row("Files that the run rewrote")
        for file in preview.files:
            word, style = _FILES[file.state]
            reason = reasons.pop(file.path, "")
            yield Row(file.path, word, style, file.diff or _why(file.state, reason), bool(file.diff))
        if preview.removes or reasons:
            yield Row("Files that the run made")
        for path in preview.removes:
            yield Row(path, "remove", "warning", _REMOVED)
        for path, reason in reasons.items():
            yield Row(path, "! keep", "warning", f"Left as it is: {reason}.")
        if preview.secrets:
            yield Row(f"In {self.vault_url}")
        for name in preview.secrets:
            if self.delete:
                yield Row(name, "! delete", "bad", _DELETED)
            else:
                yield Row(name, "keep", "muted", _STAYS)

    def _consequence(self) -> str:
        preview = self.preview
        if preview is None:
            return ""
        back = sum(file.state == "restores" for file in preview.files)
        kept = len(preview.keeps)
        said = [f"{_many(back, 'file gets its', 'files get their')} original bytes back"] if back else []
        said += [f"{_many(len(preview.removes), 'made file is', 'made files are')} removed"] if preview.removes else []
        said += [f"{kept} kept"] if kept else []
        if self.delete:
            said.append(f"{_many(len(preview.secrets), 'secret is', 'secrets are')} deleted from the vault")
        else:
            said.append("the vault is not changed")
        nothing = "" if self._any() else "There is nothing to undo: "
        if not nothing and not self._changes() and not self.delete:
            nothing = "The undo was interrupted, and nothing is left to restore: to go on writes that down; "
        return nothing + "; ".join(said) + "."

    def _paint(self, index: int, width: int) -> Iterator[Piece]:
        row = self._rows[index]
        if not row.word:
            yield printable(row.subject), row.style or "heading"
            return
        yield ("> " if index == self.listed.cursor else "  "), "accent"
        yield fit(row.word, _WORD), row.style
        yield fit(printable(row.subject), max(8, width - _WORD - 2), middle=True), ""

    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows is self.listed:
            self._explain()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        if event.rows is self.listed and self._lines and self.diff.display:
            self.diff.focus()

    def _explain(self) -> None:
        row = self._rows[self.listed.cursor] if self._rows else Row("")
        width = max(20, self.diff.size.width - 1)
        if row.diff:
            self._lines = [_diff_line(line) for line in row.text.splitlines()]
        else:
            self._lines = [[(line, "")] for line in wrap(printable(row.text), width)]
        self.diff.show(len(self._lines), 0, "")

    def on_resize(self) -> None:
        self.call_after_refresh(self._explain)

    # doing it

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        preview = self.preview
        if action == "start":
            return True if preview is not None and not self.running and self.undone is None and self._any() else None
        if action == "delete":
            return True if preview and preview.secrets and not self.running and self.undone is None else None
        if action == "cancel":
            return True if self.running else None
        if action in ("close", "again"):
            return None if self.running else True
        return True

    def why_not(self, action: str) -> str:
        if action != "start" or self.running or self.preview is None:
            return ""
        return "it is undone" if self.undone is not None else "there is nothing to undo"

    def _any(self) -> bool:
        """Whether there is anything to do."""
        preview = self.preview
        return preview is not None and (self.delete or self._changes() or (self.begun and not preview.keeps))

    def _changes(self) -> bool:
        """Whether a file would be restored or removed."""
        preview = self.preview
        return preview is not None and (
            bool(preview.removes) or any(file.state == "restores" for file in preview.files)
        )

    def action_delete(self) -> None:
        self.delete = not self.delete
        self._show()
        self.refresh_bindings()
        if self.delete and self.preview is not None:
            at = next((n for n, row in enumerate(self._rows) if row.word == "! delete"), 0)
            self.listed.cursor = at

    def action_start(self) -> None:
        count = len(self.preview.secrets) if self.preview is not None else 0
        what = f"to undo the run and delete {_many(count, 'secret', 'secrets')}" if self.delete else "to undo the run"
        sign_in(self.review, self.vault_url, what, self._begin)

    def _begin(self, choice: VaultChoice) -> None:
        root, run, delete = self.review.root, self.run_id, self.delete

        def work(listener: Listener, cancellation: Cancellation) -> Undone:
            with choice.open(listener, cancellation) as vault:
                return api.undo(
                    root, run, vault, delete_from_vault=delete, listener=listener, cancellation=cancellation
                )

        self.steps.clear()
        self.steps.display, self.diff.display = True, False
        self.steps.focus()
        self._summary("Undoing…")
        self._status("signing in…")
        # The application owns it: the work goes on, and is known to be under way, whatever screen is shown.
        self.job = Job(
            self.app, f"undo {run}", work, lambda undone: self._done(undone, choice), self._failed, self._heard
        )
        self.review.started(cast("Job[object]", self.job))
        self.job.start()
        self.refresh_bindings()

    def _heard(self, event: Event) -> None:
        if self.is_attached:
            self.steps.hear(event)
            self._status(self.steps.now)

    def _done(self, undone: Undone, choice: VaultChoice) -> None:
        self.undone = undone
        remember(choice)
        self.review.files_changed()
        if not self.is_attached:
            return
        for kept in undone.kept:
            self.steps.say("! kept", f"{kept.path}: {kept.reason}", "warning")
        said = [f"{_many(len(undone.restored), 'file has its', 'files have their')} original bytes"]
        if undone.removed:
            said.append(f"{_many(len(undone.removed), 'made file', 'made files')} removed")
        if undone.kept:
            said.append(f"{len(undone.kept)} kept, so the undo is not finished")
        if undone.deleted:
            said.append(f"{_many(len(undone.deleted), 'secret', 'secrets')} deleted, recoverable for a time")
        else:
            said.append("the vault was not changed")
        self._summary(f"{'Not all undone' if undone.kept else 'Undone'}: {'; '.join(said)}.")
        self._status(_KEPT if undone.kept else "Esc goes back")
        self.refresh_bindings()

    def _failed(self, failure: JobFailed) -> None:
        self.review.files_changed()
        if not self.is_attached:
            self.review.show_error(failure.error)
            return
        if failure.cancelled:
            self._summary("Stopped between two files, as asked. Start again to go on with the rest.")
        else:
            self._summary("Not finished. Start again once the trouble is over: it goes on with the rest.")
            self._show_error(failure.error)
        self._status("^r looks at the files again")
        self.refresh_bindings()

    def _show_error(self, error: SecretscanError) -> None:
        for line in error.lines():
            self.steps.say("error", line, "bad")
        self.review.show_error(error)

    def _summary(self, text: str) -> None:
        self.query_one("#summary", Static).update(printable(text))

    def _status(self, text: str) -> None:
        self.query_one("#status", Static).update(printable(text))

    def action_cancel(self) -> None:
        if self.job is not None and self.running:
            self.job.cancel()
            self._status("stopping after this file…")

    def action_close(self) -> None:
        if self.running:
            return
        if self.diff.has_focus:
            self.listed.focus()
        else:
            self.dismiss(None)


_STAYS: Final = "The run stored this secret. It stays in the vault; d deletes it there, too."
_DELETED: Final = (
    "The run stored this secret, so it would be deleted from the vault, after all files have their original bytes and "
    "only if none was kept. A deleted secret can be recovered as long as the vault's retention lasts. Its name is "
    "taken until then."
)
_KEPT: Final = "mend the kept files by hand; or put them back as the run left them, then ^r looks again"


_REMOVED: Final = (
    "The run made this file, or added to it, and nothing has changed in it since. It goes, or gets its former text "
    "back."
)


def _why(state: str, reason: str) -> str:
    return {
        "restores": "The original bytes come back.",
        "is the original": "The file has its original bytes already: there is nothing to do.",
        "changed since": (
            f"Left as it is: {reason}. To have it undone, put it back as the run left it and undo again; or mend it by "
            "hand. Files that the run made, and what it stored, stay with it."
        ),
        "gone": f"Left so: {reason}. There is nothing to restore the original into.",
    }[state]


def _diff_line(line: str) -> list[Piece]:
    style = {"+": "added", "-": "removed", "@": "muted"}.get(line[:1], "")
    return [(line, style)]


def _many(number: int, thing: str, things: str) -> str:
    return f"{number} {thing if number == 1 else things}"
