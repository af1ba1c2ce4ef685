"""The first step: which vault, and as whom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Label, Static

from secretscan import api
from secretscan.errors import SecretscanError, printable
from secretscan.tui.actions import bindings
from secretscan.tui.migration import SeenVault, Step
from secretscan.tui.screens.wizard import WizardScreen, many
from secretscan.tui.widgets.rows import Piece, Rows, fit
from secretscan.tui.widgets.ways import Ways
from secretscan.vault.choice import VaultChoice

if TYPE_CHECKING:
    from secretscan.vault.recent import RecentVault
    from secretscan.vault.server.trial import TrialVault

__all__ = ["VaultScreen"]


class VaultScreen(WizardScreen):
    """Fields for a vault, the ones used last, and what the vault said when it was asked."""

    STEP: ClassVar[Step] = "vault"
    SCOPE: ClassVar[str] = "vault"
    ABOUT: ClassVar[str] = (
        "Choose where the values go. Nothing is sent anywhere before you check (^y) or go on (^n). To try it all "
        "without Azure, take the embedded vault (^o): it lives in this program and forgets everything when it ends, "
        "so undo the run before that."
    )
    BINDINGS = [*bindings("wizard"), *bindings("vault")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.recent: tuple[RecentVault, ...] = ()

    def content(self) -> ComposeResult:
        self.recent = api.recent_vaults()
        before = self.migration.typed or self.migration.choice
        with VerticalScroll(id="form", can_focus=False):
            if self.recent:
                yield Label("Used last (Enter takes one)", classes="field heading")
                recent = Rows(self._paint_recent, count=len(self.recent), id="recent")
                recent.styles.height = min(4, len(self.recent))
                yield recent
            with Horizontal(classes="line"):
                yield Label("Vault", classes="name")
                yield Input(before.url, id="url", compact=True, placeholder="https://NAME.vault.azure.net")
            yield Static(id="fault", classes="fault", markup=False)
            yield Label("Sign in as", classes="field heading")
            yield Ways(before.auth)
            with Horizontal(classes="line", id="descriptor-line"):
                yield Label("Descriptor", classes="name")
                yield Input(
                    before.descriptor,
                    id="descriptor",
                    compact=True,
                    placeholder="path of the file that 'vault serve' wrote",
                )
            yield Static(id="descriptor-fault", classes="fault", markup=False)
            yield Static(id="seen", classes="field", markup=False)

    def on_mount(self) -> None:
        self._show_fault()
        self._show_seen()
        self.query_one("#recent" if self.recent and not self._typed().url else "#url").focus()
        if self.migration.options.demo and not self._typed().url:
            self.action_try()

    def _typed(self) -> VaultChoice:
        way = self.query_one(Ways).way
        path = self.query_one("#descriptor", Input).value.strip() if way == "local" else ""
        descriptor = str(Path(path).expanduser()) if path.startswith("~") else path
        return VaultChoice(self.query_one("#url", Input).value.strip().rstrip("/"), way, descriptor)

    def _fill(self, choice: VaultChoice) -> None:
        self.query_one("#url", Input).value = choice.url
        self.query_one("#descriptor", Input).value = choice.descriptor
        self.query_one(Ways).way = choice.auth

    def _paint_recent(self, index: int, width: int) -> list[Piece]:
        each = self.recent[index]
        here = index == self.query_one("#recent", Rows).cursor
        way = 18 if width >= 60 else 0
        return [
            ("> " if here else "  ", "accent"),
            (fit(printable(each.url), width - 2 - way - 12, middle=True), ""),
            (fit(each.auth, way), "muted"),
            (fit(f" {_ago(time.time() - each.used)}", 12), "muted"),
        ]

    # what is typed

    @on(Input.Changed)
    def _input_changed(self) -> None:
        self._changed()

    @on(Rows.Moved, "#ways")
    def _way_changed(self) -> None:
        self._changed()

    def _changed(self) -> None:
        self.migration.typed = self._typed()
        self._show_fault()
        self._show_seen()
        self.refresh_bindings()

    @on(Rows.Chosen, "#recent")
    def _take_recent(self, event: Rows.Chosen) -> None:
        self._fill(self.recent[event.index].choice)
        self.query_one("#url").focus()

    @on(Rows.Chosen, "#ways")
    def _way_chosen(self) -> None:
        self.focus_next()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.focus_next()

    def _show_fault(self) -> None:
        """What is wrong with what was typed, below the field that it is about."""
        typed = self._typed()
        local = typed.auth == "local"
        self.query_one("#descriptor-line").display = self.query_one("#descriptor-fault").display = local
        descriptor = replace(typed, url="").fault() if local else None
        fault = typed.fault() if typed.url and descriptor is None else None
        self.query_one("#fault", Static).update(printable(_told(fault)))
        self.query_one("#descriptor-fault", Static).update(printable(_told(descriptor)))

    def _show_seen(self) -> None:
        """What the vault said, as long as the fields still name that vault."""
        migration, typed = self.migration, self._typed()
        lines = list(migration.notes)
        if migration.vault_known and typed == migration.choice and migration.identity is not None:
            lines += ["The vault answers, and its secrets can be read.", f"signed in as  {migration.signed_in}"]
            lines += [f"tenant        {migration.identity.tenant}"] if migration.identity.tenant else []
            lines += [f"note          {note}" for note in migration.vault_notes]
            if migration.on_trial:
                lines += ["This vault lives in this program and forgets all at its end: undo before."]
        elif (typed.url or typed.descriptor) and typed.fault() is None:
            lines += ["Not asked yet: ^y signs in and looks, ^n does so and goes on."]
        elif typed.auth == "local":
            lines += ["An embedded vault needs no URL: its descriptor names it."] if not typed.url else []
        elif not typed.url and not lines:
            lines += [_NONE]
        self.query_one("#seen", Static).update("\n".join(map(printable, lines)))

    # actions

    def may_go_on(self) -> bool:
        typed = self._typed()
        return bool(typed.url or typed.descriptor) and typed.fault() is None

    def why_not(self, action: str) -> str:
        if action not in ("next", "check") or self.busy:
            return ""
        return _told(self._typed().fault()) if self._typed().url or self._typed().auth == "local" else _NONE

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "check":
            return super().check_action("next", parameters)
        if action == "try":
            return None if self.busy else True
        return super().check_action(action, parameters)

    def action_try(self) -> None:
        def started(trial: TrialVault) -> None:
            self._fill(trial.choice)
            self.query_one("#url").focus()
            self.action_check()

        self.work("starting the embedded vault", lambda listener, cancellation: self.migration.start_trial(), started)

    def action_check(self) -> None:
        self._look(self._answered)

    def action_next(self) -> None:
        self.migration.notes.clear()
        if self.migration.vault_known and self._typed() == self.migration.choice:
            self.go("targets")
        else:
            self._look(self._answered_and_on)

    def _look(self, done: Callable[[SeenVault], None]) -> None:
        choice = self._typed()
        self.work(
            f"signing in to {choice.url or 'the embedded vault'}",
            lambda listener, cancellation: self.migration.look(choice, listener, cancellation),
            done,
        )

    def _answered(self, found: SeenVault) -> None:
        if (found.choice.url, found.choice.auth) != (self.migration.saved.vault_url, self.migration.saved.auth):
            self.migration.draft = None
        self.migration.seen(found)
        self._fill(found.choice)
        self._changed()
        self.show_title()

    def _answered_and_on(self, found: SeenVault) -> None:
        self._answered(found)
        self.go("targets")

    def action_fresh(self) -> None:
        """Forgets the choices of before."""
        try:
            self.migration.begin_afresh()
        except SecretscanError as error:
            self.review.show_error(error)
            return
        self._fill(self.migration.choice)
        self._changed()
        self.show_title()
        self.say("what was chosen before is forgotten")


_NONE: Final = "Name a vault, or press ^o to try with an embedded one."


def _told(fault: SecretscanError | None) -> str:
    """An error in one line."""
    if fault is None:
        return ""
    why = f": {fault.why}" if fault.why else ""
    return f"{fault.what}{why}; {fault.next_step}" if fault.next_step else f"{fault.what}{why}"


def _ago(seconds: float) -> str:
    """How long it is since, roughly."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{many(int(seconds // length), unit)}"
    return "just now"
