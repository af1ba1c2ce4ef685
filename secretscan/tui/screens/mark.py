"""Marking: what the places are, why, who answers for it, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, get_args

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, Static

from secretscan import api
from secretscan.errors import printable
from secretscan.inventory.marks import Mark, MarkKind
from secretscan.model import Sighting
from secretscan.tui.actions import bindings
from secretscan.tui.screens.base import Dialog
from secretscan.tui.widgets.choice import Choice

__all__ = ["MarkDialog"]

_KINDS: Final[tuple[MarkKind, ...]] = get_args(MarkKind)
_LABELS: Final = {
    "false-alarm": "false alarm: this is no credential",
    "accepted": "accepted: it is one, and may stay (needs an owner)",
    "placeholder": "placeholder: there is nothing to migrate",
}


class MarkDialog(Dialog[tuple[Mark, ...]]):
    """Returns the marks to be written. `whole`: the secrets wherever they stand; else only in these files."""

    BINDINGS: ClassVar = [*bindings("mark"), *bindings("dialog")]
    SCOPES: ClassVar[tuple[str, ...]] = ("mark",)
    ABOUT: ClassVar[str] = (
        "A marked secret is no leak any more, and is left out of migrations. The mark is a line of .secretscan-ignore, "
        "which the command line heeds too. Everybody can read it: say why."
    )

    def __init__(self, places: Sequence[Sighting], *, whole: bool) -> None:
        super().__init__()
        self.places = places
        self.whole = whole

    def body(self) -> ComposeResult:
        secrets = len({item.secret for item in self.places})
        files = len({item.path for item in self.places})
        where = (
            ("wherever it stands" if secrets == 1 else "wherever they stand")
            if self.whole
            else f"in {files} file{'s' * (files != 1)} only"
        )
        with Vertical(classes="box"):
            yield Static(f"Mark {secrets} secret{'s' * (secrets != 1)}, {where}", classes="heading", markup=False)
            yield Choice([_LABELS[kind] for kind in _KINDS], id="kind")
            yield Label("Reason", classes="field")
            yield Input(id="reason", compact=True, placeholder="why this is no leak")
            yield Label("Owner", classes="field")
            yield Input(id="owner", compact=True, placeholder="who answers for it")
            yield Label("Until", classes="field")
            yield Input(id="until", compact=True, placeholder="YYYY-MM-DD, or empty for ever")
            yield Static(id="fault", classes="note", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Save", id="save", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "save":
            self.action_save()
        else:
            self.dismiss(None)

    def on_rows_chosen(self) -> None:
        self.focus_next()

    def on_input_submitted(self) -> None:
        self.focus_next()

    def action_save(self) -> None:
        """Closes with the marks, or says what is wrong with them."""
        kind = _KINDS[self.query_one(Choice).cursor]
        reason, owner, until = (
            self.query_one(f"#{name}", Input).value.strip() for name in ("reason", "owner", "until")
        )
        about = {(item.secret, "" if self.whole else item.path): None for item in self.places}
        marks = tuple(Mark(kind, secret, path, reason, owner, until) for secret, path in about)
        fault = api.mark_fault(marks)
        if fault:
            self.query_one("#fault", Static).update(printable(f"not saved: {fault}"))
            missing = (
                "reason" if not reason else "owner" if kind == "accepted" and not owner else "until" if until else ""
            )
            if missing:
                self.query_one(f"#{missing}").focus()
        else:
            self.dismiss(marks)
