"""Signing in again to the vault of a run: which vault is the run's own and cannot be chosen, only as whom."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from secretscan import api
from secretscan.errors import SecretscanError, printable
from secretscan.tui.actions import bindings
from secretscan.tui.screens.base import Dialog
from secretscan.tui.widgets.ways import Ways
from secretscan.vault.auth import AUTHS, Auth
from secretscan.vault.choice import VaultChoice

if TYPE_CHECKING:
    from secretscan.tui.app import ReviewApp

__all__ = ["SignInDialog", "remember", "sign_in"]


class SignInDialog(Dialog[VaultChoice]):
    """Asks as whom to sign in. Nothing is sent before the answer."""

    BINDINGS: ClassVar = [*bindings("signin"), *bindings("dialog")]
    SCOPES: ClassVar[tuple[str, ...]] = ("signin",)
    ABOUT: ClassVar[str] = (
        "The vault is the one that the run names. Nothing is sent to it before you say so here. An embedded vault that "
        "has ended took its values with it: a run that stored there cannot be gone on with."
    )

    def __init__(self, url: str, what: str, proposed: VaultChoice) -> None:
        """`what` says in a few words what the sign-in is for."""
        super().__init__()
        self.url = url
        self.what = what
        self.proposed = proposed

    def body(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(printable(f"Sign in {self.what}"), classes="heading", markup=False)
            yield Static(printable(f"vault  {self.url}"), classes="field", markup=False)
            yield Ways(self.proposed.auth)
            yield Input(
                self.proposed.descriptor, id="descriptor", compact=True, placeholder="path of the descriptor file"
            )
            yield Static(id="fault", classes="note", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Sign in", id="go", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        self.query_one(Ways).focus()
        self._show_field()

    def on_rows_moved(self) -> None:
        self._show_field()

    def _way(self) -> Auth:
        return self.query_one(Ways).way

    def _show_field(self) -> None:
        self.query_one("#descriptor").display = self._way() == "local"
        self.query_one("#fault", Static).update("")

    def on_rows_chosen(self) -> None:
        if self._way() == "local" and not self.query_one("#descriptor", Input).value:
            self.query_one("#descriptor").focus()
        else:
            self.action_go()

    def on_input_submitted(self) -> None:
        self.action_go()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "go":
            self.action_go()
        else:
            self.dismiss(None)

    def action_go(self) -> None:
        """Closes with the choice, or says what is missing."""
        way = self._way()
        descriptor = self.query_one("#descriptor", Input).value.strip() if way == "local" else ""
        choice = VaultChoice(self.url, way, str(Path(descriptor).expanduser()) if descriptor else "")
        fault = choice.fault()
        if fault is None:
            self.dismiss(choice)
            return
        hint = "; the embedded vault may have ended" if descriptor else ""
        self.query_one("#fault", Static).update(printable(f"{fault}{hint}"))


def sign_in(app: ReviewApp, url: str, what: str, then: Callable[[VaultChoice], None]) -> None:
    """Asks as whom to sign in to the vault at `url`, and goes on with the answer; does nothing when there is none."""

    def answered(choice: VaultChoice | None) -> None:
        if choice is not None:
            then(choice)

    trial = app.migration.trial
    if trial is not None and trial.choice.url == url:
        then(trial.choice)  # of this very process: there is nothing to choose
        return
    app.push_screen(SignInDialog(url, what, _proposed(app, url)), answered)


def remember(choice: VaultChoice) -> None:
    """The vault has answered: it is offered again next time."""
    with suppress(SecretscanError):
        api.remember_vault(choice.url, choice.auth, choice.descriptor)


def _proposed(app: ReviewApp, url: str) -> VaultChoice:
    """What the command line names for that vault, else how this user signed in to it last."""
    options = app.options
    way = next((known for known in AUTHS if known == ("local" if options.descriptor else options.auth)), None)
    named = None if way is None else VaultChoice(url, way, options.descriptor)
    if named is not None and options.vault_url.rstrip("/") == url:
        return named
    recent = next((each.choice for each in api.recent_vaults() if each.url == url), None)
    return recent or named or VaultChoice(url, "cli")
