"""Proving a run again: the files as they are now against the files as they were. Nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from secretscan import api
from secretscan.errors import printable
from secretscan.events import Cancellation, Event, Listener
from secretscan.tui.actions import bindings
from secretscan.tui.jobs import Job, JobFailed
from secretscan.tui.screens.base import AppScreen
from secretscan.tui.screens.signin import remember
from secretscan.tui.widgets.steps import Steps

if TYPE_CHECKING:
    from secretscan.prove.proof import Proof
    from secretscan.vault.choice import VaultChoice

__all__ = ["ProveScreen"]


class ProveScreen(AppScreen[None]):
    """The proof of one run, as often as it is asked for."""

    SCOPE: ClassVar[str] = "prove"
    ABOUT: ClassVar[str] = (
        "Whether every workload still receives the same values as before the run, now from the vault, and no value is "
        "left where it was moved from. Nothing is changed by looking."
    )
    BINDINGS = bindings("prove")

    def __init__(self, run: str, choice: VaultChoice) -> None:
        super().__init__()
        self.run_id = run
        self.choice = choice
        self.job: Job[Proof] | None = None

    def body(self) -> ComposeResult:
        yield Static(id="summary", classes="heading", markup=False)
        yield Steps()
        yield Static(id="status", classes="status", markup=False)

    @property
    def steps(self) -> Steps:
        return self.query_one(Steps)

    @property
    def running(self) -> bool:
        return self.job is not None and not self.job.ended

    def on_mount(self) -> None:
        self.title_line(f"Proof of run {self.run_id}  {self.choice.url}")
        self.steps.focus()
        self._begin()

    def _begin(self) -> None:
        root, run, choice = self.review.root, self.run_id, self.choice

        def work(listener: Listener, cancellation: Cancellation) -> Proof:
            with choice.open(listener, cancellation) as vault:
                return api.prove(root, run, vault, listener=listener, cancellation=cancellation)

        self._say("Proving…", "signing in…")
        self.job = Job(self, f"prove {run}", work, self._done, self._failed, self._heard).start()
        self.refresh_bindings()

    def _heard(self, event: Event) -> None:
        self.steps.hear(event)
        self.query_one("#status", Static).update(self.steps.now)

    def _done(self, proof: Proof) -> None:
        remember(self.choice)
        for difference in proof.differences:
            where = difference.address
            text = f"{where.subject or where.path} {where.channel} {where.name}: {difference.problem}"
            self.steps.say("! differs", text, "bad")
        for leftover in proof.leftovers:
            self.steps.say("! still there", f"{leftover.path}:{leftover.line} {leftover.pointer}", "bad")
        for rest in proof.elsewhere:
            self.steps.say(
                "elsewhere", f"{rest.path}:{rest.line} {rest.pointer} holds the same value, and was not moved"
            )
        if proof.holds:
            places = "place holds" if proof.places == 1 else "places hold"
            self._say(
                f"Proved: {_many(proof.deliveries, 'delivery is', 'deliveries are')} the same, {proof.places} "
                f"rewritten {places} no value.",
                "Esc goes back",
            )
        else:
            self._say("The proof does not hold: what is listed is not as before.", "undo the run, or mend it")
        self.refresh_bindings()

    def _failed(self, failure: JobFailed) -> None:
        if failure.cancelled:
            self._say("Stopped, as asked.", "^r begins again")
        else:
            self._say("Not proved, and not refuted.", "^r begins again")
            for line in failure.error.lines():
                self.steps.say("error", line, "bad")
            self.review.show_error(failure.error)
        self.refresh_bindings()

    def _say(self, state: str, text: str) -> None:
        self.query_one("#summary", Static).update(printable(state))
        self.query_one("#status", Static).update(printable(text))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "cancel":
            return True if self.running else None
        if action == "again":
            return True if self.job is not None and not self.running else None
        return True

    def action_cancel(self) -> None:
        if self.job is not None and self.running:
            self.job.cancel()
            self.query_one("#status", Static).update("stopping…")

    def action_again(self) -> None:
        if not self.running:
            self.steps.clear()
            self._begin()

    def action_close(self) -> None:
        if self.job is not None:
            self.job.cancel()
        self.dismiss(None)


def _many(number: int, thing: str, things: str = "") -> str:
    return f"{number} {thing if number == 1 else things or thing + 's'}"
