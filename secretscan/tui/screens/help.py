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
from secretscan.tui.widgets.pages import Pages
from secretscan.tui.widgets.rows import Piece

__all__ = ["HelpScreen"]


class HelpScreen(Dialog[None]):
    """Actions of the screen it was opened from, then those that hold everywhere."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = "Every action has a key, stands in the command palette (^p), and can be given other keys."

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self.about = about
        self.lines: list[list[Piece]] = []
        self._width = 0

    def body(self) -> ComposeResult:
        self.lines = list(self._lines())
        with Vertical(classes="box tall wide"):
            yield Static("Help", classes="heading", markup=False)
            yield Pages(lambda index, _: self.lines[index], count=len(self.lines))

    def _lines(self) -> Iterator[list[Piece]]:
        text = getattr(self.about, "ABOUT", "")
        self._width = self.app.size.width
        width = min(76, max(16, self._width * 94 // 100 - 7))
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
                yield from _entry(keys, action.help, width)
            words = getattr(self.about, "WORDS", ()) if scope == getattr(self.about, "SCOPE", "") else ()
            if words:
                yield [("", "")]
                yield [("Words of the list", "heading")]
                for word, text in words:
                    yield from _entry(word, text, width)
        yield [("", "")]
        yield from ([(line, "muted")] for line in _wrapped(_REMAP, width))

    def on_resize(self) -> None:
        if self.app.size.width != self._width:
            self.lines = list(self._lines())
            self.query_one(Pages).show(len(self.lines))


def _entry(name: str, text: str, width: int) -> Iterator[list[Piece]]:
    """A name and what it means beside it, or below it where there is no room for that."""
    if width < _NARROW:
        yield [(f"  {name}", "accent")]
        yield from ([(f"    {line}", "")] for line in _wrapped(text, width - 4))
        return
    first, *rest = _wrapped(text, width - 14) or [""]
    yield [(f"  {name:<12}", "accent"), (first, "")]
    yield from ([(" " * 14 + line, "")] for line in rest)


_NARROW = 50
"""Cells below which what a key does stands below it."""

_REMAP = (
    "Other keys: in secretscan/config.toml of your configuration folder, under [review.keys], for example "
    '"review.filter" = "ctrl+f". The names are in docs/terminal.md.'
)


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, width)
