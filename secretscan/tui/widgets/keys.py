"""The footer: every action that is open now, with its key, on as many lines as it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content, Span
from textual.widgets import Static

from secretscan.tui.actions import BY_NAME, shown

if TYPE_CHECKING:
    from textual.binding import ActiveBinding

    from secretscan.tui.app import ReviewApp

__all__ = ["Keys"]

_NARROW = 60
"""Cells below which not all actions are shown."""
_LOW = 12
"""Rows of a terminal below which there is one line of them."""

_KEPT = ("app.help", "app.quit")
"""Actions that come first where not all are shown."""


class Keys(Container):
    """Actions of the focused widget, the screen and the application; a click does what the key does."""

    DEFAULT_CSS = """
    Keys {
        dock: bottom;
        height: auto;
        max-height: 3;
        background: $panel;
        & > Static { width: 1fr; height: auto; padding: 0 1; color: $foreground; }
        & > Static { link-style: none; link-color: $foreground; }
        &:ansi { background: ansi_default; }
    }
    """

    _shown = ""
    _spans: Sequence[Span] = ()

    def __init__(self) -> None:
        super().__init__()
        # Kept here, since a screen that is closed at once has not got it among its nodes yet.
        self._line = Static(id="keys-text")

    def compose(self) -> ComposeResult:
        yield self._line

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._update())
        self._update()

    def on_resize(self) -> None:
        self._update()

    def _update(self) -> None:
        if not self.is_attached or not self.screen.is_current:
            return
        room = max(10, self.size.width - 2)
        lines: list[list[Content]] = [[]]
        used = 0
        low = self.screen.size.height < _LOW
        self.styles.max_height = 1 if low else 3
        # What does not fit is in the help, whose key must not be what is cut off.
        for piece in self._pieces(first=_KEPT if low or room < _NARROW else ()):
            if used and used + 2 + piece.cell_length > room:
                lines.append([])
                used = 0
            used += piece.cell_length + (2 if used else 0)
            lines[-1].append(piece)
        text = Content("\n").join(Content("  ").join(line) for line in lines)
        if text.plain != self._shown or text.spans != self._spans:
            as_high = text.plain.count("\n") == self._shown.count("\n")
            self._shown, self._spans = text.plain, text.spans
            self._line.update(text, layout=not as_high or not self._line.size.height)

    def _pieces(self, first: Sequence[str] = ()) -> Iterator[Content]:
        keys: dict[str, list[str]] = {}
        bindings: dict[str, ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            name = active.binding.id or ""
            if active.binding.show and name in BY_NAME:
                keys.setdefault(name, []).append(active.binding.key)
                bindings[name] = active
        # The application's own actions come last, whatever has the focus.
        for name in sorted(
            keys, key=lambda each: (first.index(each) if each in first else len(first), bindings[each].node is self.app)
        ):
            binding = bindings[name]
            yield _piece(self._first(name, keys[name]), binding.binding.description, binding.enabled)

    def _first(self, name: str, open_now: list[str]) -> str:
        """Of the keys that work now, the one that the table or the user names first."""
        declared = cast("ReviewApp", self.app).keymap_shown.get(name, BY_NAME[name].keys)
        return next((key for key in map(str.strip, declared.split(",")) if key in open_now), open_now[0])


@lru_cache(maxsize=200)
def _piece(key: str, label: str, enabled: bool) -> Content:
    """One action: a link that presses its key, or dimmed while it cannot be used."""
    if not enabled:
        return Content.from_markup("[dim]$key $label[/]", key=shown(key), label=label)
    markup = f"[@click=app.press('{key}')][bold $accent]$key[/] $label[/]"
    return Content.from_markup(markup, key=shown(key), label=label)
