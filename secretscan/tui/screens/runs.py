"""Earlier runs: what each did, when, and how far it is; going on with one, or taking it back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from shlex import quote
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Button, Static

from secretscan import api
from secretscan.errors import SecretscanError, printable
from secretscan.tui.actions import bindings
from secretscan.tui.jobs import Job, JobFailed
from secretscan.tui.screens.base import AppScreen, Dialog, at_home
from secretscan.tui.screens.dialogs import BUTTONS, Choose
from secretscan.tui.widgets.rows import Piece, Rows, fit

if TYPE_CHECKING:
    from secretscan.events import Cancellation, Listener
    from secretscan.plan.document import Plan
    from secretscan.run.apply import Applied
    from secretscan.run.folder import RunFolder
    from secretscan.tui.app import ReviewApp
    from secretscan.vault.choice import VaultChoice

__all__ = ["RunsScreen", "offer_unfinished"]

_DETAIL_S: Final = 0.05
"""Seconds that the cursor rests before the journal of its run is read."""

_NARROW: Final = 64
"""Cells of the list below which it says only when, and how far."""

_OPEN: Final = ("unfinished", "undo unfinished")

_STATES: Final = {
    "unfinished": ("… ", "warning"),
    "undo unfinished": ("… ", "warning"),
    "done": ("✓ ", "good"),
    "undone": ("↶ ", "muted"),
}

_STEPS: Final = {
    "begin": "begun",
    "stored": "stored",
    "rewritten": "rewritten",
    "created": "created",
    "proved": "proved",
    "done": "done",
    "undo-begin": "undo begun",
    "restored": "restored",
    "removed": "removed",
    "deleted": "deleted",
    "undone": "undone",
}
"""Deeds of a journal in words. The intents before them are shown only where no deed followed."""

_INTENTS: Final = {
    "store-intent": "storing…",
    "rewrite-intent": "rewriting…",
    "create-intent": "creating…",
    "restore-intent": "restoring…",
    "remove-intent": "removing…",
    "delete-intent": "deleting…",
}


class RunsScreen(AppScreen[None]):
    """The runs of the folder, newest first, with the journal of the one under the cursor."""

    SCOPE: ClassVar[str] = "runs"
    ABOUT: ClassVar[str] = (
        "Every run that moved values out of this folder. One that was interrupted can be gone on with: it looks at "
        "what is there and does only what is left. Any run can be taken back, after a preview, as long as the vault "
        "holds its values."
    )
    BINDINGS = bindings("runs")

    def __init__(self) -> None:
        super().__init__()
        self.runs: tuple[api.RunStatus, ...] = ()
        self.details: api.RunDetails | None = None
        self._lines: list[list[Piece]] = []
        self._problem = ""
        self._timer: Timer | None = None
        self._width = 0

    def body(self) -> ComposeResult:
        with Container(id="runs-panes"):
            with Vertical(id="runs-list"):
                yield Static(id="columns", classes="columns", markup=False)
                yield Rows(self._paint, id="runs", empty="  reading the journals…")
            with Vertical(id="runs-detail"):
                yield Rows(lambda index, _: self._lines[index], id="run")
        yield Static(id="status", classes="status", markup=False)

    @property
    def listed(self) -> Rows:
        return self.query_one("#runs", Rows)

    @property
    def detail(self) -> Rows:
        return self.query_one("#run", Rows)

    @property
    def current(self) -> api.RunStatus | None:
        """The run under the cursor."""
        return self.runs[self.listed.cursor] if self.runs else None

    # reading

    def on_mount(self) -> None:
        self.title_line(f"Runs of {at_home(self.review.root)}")
        self.listed.focus()

    def on_screen_resume(self) -> None:
        self.load()

    def load(self) -> None:
        """Reads all journals anew, as another process may have worked meanwhile."""
        root = self.review.root
        Job(self, "runs", lambda *_: api.run_history(root), self._show, self._failed).start()

    def _show(self, runs: Sequence[api.RunStatus]) -> None:
        at = self.current
        self.runs = _newest_first(runs)
        cursor = next((n for n, each in enumerate(self.runs) if at is not None and each.id == at.id), 0)
        self.listed.show(len(self.runs), cursor, "  no run yet: M on the review screen begins one")
        unfinished = sum(each.state in _OPEN for each in self.runs)
        damaged = sum(not _readable(each) for each in self.runs)
        said = [_many(len(self.runs), "run")]
        said += [f"{unfinished} unfinished"] if unfinished else []
        said += [f"{damaged} damaged"] if damaged else []
        said += ["one is under way: wait for its end, or stop it there"] if self.review.busy else []
        self.query_one("#status", Static).update(", ".join(said))
        self._detail_soon()

    def _failed(self, failure: JobFailed) -> None:
        self.listed.show(0, 0, "  the runs cannot be read")
        self.review.show_error(failure.error)

    # the list

    def _columns(self) -> str:
        rest = "" if self.listed.size.width < _NARROW else f"{'secrets':>7}{'files':>7}  vault"
        return f"  {'when':<18}{'state':<24}{rest}"

    def _paint(self, index: int, width: int) -> Iterator[Piece]:
        run = self.runs[index]
        yield ("> " if index == self.listed.cursor else "  "), "accent"
        yield fit(_when(run), 18), ""
        if not _readable(run):
            yield "! ", "bad"
            yield fit(f"{run.state}: {printable(run.trouble)}", max(10, width - 22)), "bad"
            return
        sign, style = _STATES[run.state]
        if width < _NARROW:
            yield sign + _state(run), style
            return
        yield fit(sign + _state(run), 24), style
        yield f"{run.secrets:>7}{run.files:>7}  ", ""
        yield fit(printable(run.vault_url).removeprefix("https://"), max(8, width - 60), middle=True), "muted"

    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows is self.listed:
            self._detail_soon()
            self.refresh_bindings()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        if event.rows is self.listed and self.runs:
            self.detail.focus()

    # the detail

    def _detail_soon(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_DETAIL_S, self._read_detail)

    def _read_detail(self) -> None:
        run, root = self.current, self.review.root
        self.refresh_bindings()
        if run is None:
            self.details, self._problem = None, ""
            self._lay_out()
            return

        def done(details: api.RunDetails) -> None:
            if self.current is not None and self.current.id == run.id:
                self.details, self._problem = details, ""
                self._lay_out()

        def failed(failure: JobFailed) -> None:
            if self.current is not None and self.current.id == run.id:
                self.details, self._problem = None, "\n".join(failure.error.lines())
                self._lay_out()

        Job(self, "run details", lambda *_: api.run_details(root, run.id), done, failed).start()

    def on_resize(self) -> None:
        self.call_after_refresh(self._lay_out)

    def _lay_out(self) -> None:
        self.query_one("#columns", Static).update(self._columns())
        width = max(20, self.detail.size.width - 1)
        self._lines = list(self._described(width))
        self.detail.show(len(self._lines), empty="")

    def _described(self, width: int) -> Iterator[list[Piece]]:
        run = self.current
        if run is None:
            return
        yield [("run      ", "muted"), (run.id, "heading")]
        if self.details is None:
            for text in self._problem.split("\n"):
                yield from ([(line, "bad")] for line in wrap(printable(text), width))
            return
        plan = self.details.plan
        for label, text in (
            ("state", _sentence(run) + self._hint(run)),
            ("vault", plan.vault_url),
            ("planned", _clock(plan.made)),
            ("moves", _extent(run, len(plan.companions))),
        ):
            first, *rest = wrap(printable(text), width - 9) or [""]
            yield [(f"{label:<9}", "muted"), (first, "")]
            yield from ([(" " * 9 + line, "")] for line in rest)
        yield [("", "")]
        yield [("Steps, the latest first", "heading")]
        yield from reversed(list(_journal(self.details)))

    def _under_way(self, run: api.RunStatus) -> bool:
        """Whether this session is at work on that run."""
        running = self.review.resumed.get(run.id)
        return running is not None and running.active

    def _hint(self, run: api.RunStatus) -> str:
        if self._under_way(run):
            return " It is under way: R shows it."
        return " R goes on with it." if run.state in _OPEN and not self.review.busy else ""

    # going on

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        run = self.current if self.is_mounted else None
        if action in ("resume", "undo", "prove", "copy") and (run is None or not _readable(run)):
            return None
        if run is not None and action == "resume" and self._under_way(run):
            return True
        if action in ("resume", "undo", "prove") and self.review.busy:
            return None
        if run is not None and action == "resume":
            return True if run.state in _OPEN else None
        if run is not None and action == "prove":
            return True if run.state == "done" else None
        return True

    def why_not(self, action: str) -> str:
        run = self.current
        if run is None:
            return ""
        if not _readable(run):
            return "the journal of this run cannot be read"
        if self.review.busy:
            return "one is under way: wait for its end, or stop it there"
        return {
            "resume": "this run is not interrupted: there is nothing to go on with",
            "prove": "only a run that is done can be proved, and not one that was undone",
        }.get(action, "")

    def action_resume(self) -> None:
        if self.current is not None:
            go_on(self.review, self.current)

    def action_prove(self) -> None:
        if self.current is not None:
            go_on(self.review, self.current, prove=True)

    def action_undo(self) -> None:
        from secretscan.tui.screens.undo import UndoScreen

        if self.current is not None:
            self.app.push_screen(UndoScreen(self.current.id))

    def action_copy(self) -> None:
        run = self.current
        if run is None:
            return
        root = quote(str(self.review.root))
        kinds = [("run id", run.id), ("command to undo", f"secretscan undo {run.id} --root {root}")]
        if run.state == "unfinished":
            kinds.append(("command to resume", f"secretscan apply --resume {run.id} --root {root}"))
        kinds.append(("vault", run.vault_url))

        def copy(index: int | None) -> None:
            if index is not None:
                label, text = kinds[index]
                self.review.copy_text(text, label)

        self.app.push_screen(Choose("Copy", kinds), copy)

    def action_close(self) -> None:
        if self.detail.has_focus:
            self.listed.focus()
        else:
            self.dismiss(None)


class ResumeDialog(Dialog[str]):
    """An interrupted run: go on now, look at it, or later. Returns `resume`, `show` or nothing."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = (
        "An earlier run or undo was interrupted. Nothing is half written; going on does only what is left."
    )

    def __init__(self, run: api.RunStatus, others: int) -> None:
        super().__init__()
        self.run = run
        self.others = others

    def body(self) -> ComposeResult:
        run = self.run
        what = "An undo" if run.state == "undo unfinished" else "A run"
        more = f"\n\n{_many(self.others, 'more run')} not finished, too." if self.others else ""
        text = (
            f"{_when(run)}  {_extent(run)}\n{'from' if what == 'An undo' else 'to'} {run.vault_url}\n\n"
            f"{_sentence(run)} Every file is whole. To go on takes a sign-in to the vault.{more}"
        )
        with Vertical(classes="box"):
            yield Static(f"{what} was interrupted", classes="heading", markup=False)
            yield Static("\n".join(map(printable, text.split("\n"))), classes="field", markup=False)
            yield Static(BUTTONS, classes="field muted", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Go on", id="resume", variant="primary", compact=True)
                yield Button("Show runs", id="show", compact=True)
                yield Button("Later", id="later", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id if event.button.id != "later" else None)


def offer_unfinished(app: ReviewApp) -> None:
    """Looks for an interrupted run of the folder that this user made, and offers to go on with it."""
    root, here = app.root, app.screen

    def work(*_: object) -> tuple[api.RunStatus, ...]:
        return tuple(run for run in _newest_first(api.run_history(root)) if run.state in _OPEN and _own(app, run))

    def done(runs: tuple[api.RunStatus, ...]) -> None:
        if runs and app.screen is here and not app.busy:
            app.push_screen(ResumeDialog(runs[0], len(runs) - 1), lambda answer: answered(runs[0], answer))
        elif runs:  # somebody is at something else already
            app.notify("an earlier run was interrupted: it is listed among the runs (r)", severity="warning")

    def answered(run: api.RunStatus, answer: str | None) -> None:
        if answer == "resume":
            go_on(app, run)
        elif answer == "show":
            app.push_screen(RunsScreen())

    # What cannot be read is said where runs are listed; a start is not held up by it.
    Job(app, "unfinished runs", work, done, lambda _: None).start()


def go_on(app: ReviewApp, run: api.RunStatus, *, prove: bool = False) -> None:
    """Goes on with an interrupted run, or with its undo; or proves one again that is done."""
    from secretscan.tui.running import Running
    from secretscan.tui.screens.prove import ProveScreen
    from secretscan.tui.screens.run import RunScreen
    from secretscan.tui.screens.signin import remember, sign_in
    from secretscan.tui.screens.undo import UndoScreen

    root, before = app.root, app.resumed.get(run.id)
    if before is not None and before.active:
        app.push_screen(RunScreen(before))
        return

    def ready(found: RunFolder) -> None:
        if run.state == "undo unfinished":
            app.push_screen(UndoScreen(run.id))
        elif prove:
            sign_in(app, run.vault_url, f"to prove run {run.id}", lambda choice: show(ProveScreen(run.id, choice)))
        else:
            sign_in(app, run.vault_url, f"to go on with run {run.id}", lambda choice: begin(found.plan, choice))

    def show(screen: ProveScreen | RunScreen) -> None:
        app.push_screen(screen)

    def begin(plan: Plan, choice: VaultChoice) -> None:
        def work(listener: Listener, cancellation: Cancellation) -> Applied:
            with choice.open(listener, cancellation) as vault:
                done = api.resume(root, run.id, vault, listener=listener, cancellation=cancellation)
            remember(choice)
            return done

        running = app.resumed[run.id] = Running(app, plan, choice, work)
        running.start()
        show(RunScreen(running))

    # It fails for a run that somebody else made: its vault must not be signed in to.
    Job(app, "run", lambda *_: api.find_run(root, run.id), ready, lambda failure: app.show_error(failure.error)).start()


def _own(app: ReviewApp, run: api.RunStatus) -> bool:
    """Whether this user made the run: a checkout could bring one along that names somebody else's vault."""
    try:
        api.find_run(app.root, run.id)
    except SecretscanError:
        return False
    return True


def _readable(run: api.RunStatus) -> bool:
    return run.state in _STATES


def _newest_first(runs: Sequence[api.RunStatus]) -> tuple[api.RunStatus, ...]:
    """By the second in the id, which a damaged run has too, and then by the journal."""
    return tuple(sorted(runs, key=lambda run: (run.id[:15], run.made), reverse=True))


def _when(run: api.RunStatus) -> str:
    """When the run began, in local time; of a damaged one, what its id says."""
    if run.made:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(run.made))
    day, clock = run.id[:8], run.id[9:13]
    return f"{day[:4]}-{day[4:6]}-{day[6:]} {clock[:2]}:{clock[2:]}"


def _state(run: api.RunStatus) -> str:
    if run.state in _OPEN:
        return f"{run.state}, {run.steps_done}/{run.steps_total}"
    return run.state


def _sentence(run: api.RunStatus) -> str:
    steps = f"{run.steps_done} of {_many(run.steps_total, 'step')}"
    return {
        "unfinished": f"Unfinished: {steps} are done.",
        "undo unfinished": "Its undo is unfinished: some files may have their original bytes, others not yet.",
        "done": "Done, and proved.",
        "undone": "Undone: the files have their original bytes.",
    }.get(run.state, run.trouble)


def _extent(run: api.RunStatus, companions: int = 0) -> str:
    new = f", {_many(companions, 'new file')}" if companions else ""
    return f"{_many(run.secrets, 'secret')} in {_many(run.moves, 'place')} of {_many(run.files, 'file')}{new}"


def _journal(details: api.RunDetails) -> Iterator[list[Piece]]:
    """A line for each deed; for an intent only where it is the last word of the journal."""
    names = {secret.id: secret.name for secret in details.plan.secrets}
    for index, entry in enumerate(details.entries):
        intent = _INTENTS.get(entry.step, "") if index == len(details.entries) - 1 else ""
        word = intent or _STEPS.get(entry.step, "")
        if entry.step == "stored" and not entry.made:
            word = "adopted"
        if word:
            subject = entry.name or names.get(entry.subject, entry.subject)
            style = "warning" if intent else "good" if word in ("proved", "done", "undone") else ""
            at = time.strftime("%Y-%m-%d %H:%M:%S  ", time.localtime(entry.at))
            yield [(at, "muted"), (f"{word:<12}", style), (printable(subject), "")]


def _clock(made: str) -> str:
    """The plan's time as local time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(datetime.fromisoformat(made).timestamp()))
    except (ValueError, OverflowError, OSError):
        return made


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
