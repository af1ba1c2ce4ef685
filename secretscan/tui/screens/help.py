"""What can be done here, and with which keys: made from the table of actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static

from secretscan.tui.actions import SCOPES, bindings, in_scope, shown
from secretscan.tui.screens.base import Dialog
from secretscan.tui.widgets.rows import Piece, Rows

__all__ = ["HelpScreen"]


class HelpScreen(Dialog[None]):
    """Actions of the screen it was opened from, then those that hold everywhere."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = "Every action has a key, stands in the command palette (^p), and can be given other keys."

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self.about = about
        self.lines: list[list[Piece]] = []

    def body(self) -> ComposeResult:
        self.lines = list(self._lines())
        with Vertical(classes="box tall wide"):
            yield Static("Help", classes="heading", markup=False)
            yield Rows(lambda index, _: self.lines[index], count=len(self.lines))

    def _lines(self) -> Iterator[list[Piece]]:
        text = getattr(self.about, "ABOUT", "")
        width = min(76, max(24, self.app.size.width * 94 // 100 - 7))
        yield from ([(line, "")] for line in _wrapped(text, width))
        keymap = self.review.keymap_shown
        scopes = (getattr(self.about, "SCOPE", ""), *getattr(self.about, "SCOPES", ()), "list", "app")
        for scope in dict.fromkeys(scopes):
            actions = list(in_scope(scope))
            if not actions:
                continue
            yield [("", "")]
            yield [(SCOPES[scope], "heading")]
            for action in actions:
                keys = " ".join(shown(key.strip()) for key in keymap.get(action.name, action.keys).split(","))
                first, *rest = _wrapped(action.help, max(20, width - 14)) or [""]
                yield [(f"  {keys:<12}", "accent"), (first, "")]
                yield from ([(" " * 14 + line, "")] for line in rest)
        yield [("", "")]
        yield from ([(line, "muted")] for line in _wrapped(_REMAP, width))


_REMAP = (
    "Other keys: in secretscan/config.toml of your configuration folder, under [review.keys], for example "
    '"review.filter" = "ctrl+f". The names are in docs/terminal.md.'
)


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, width)
