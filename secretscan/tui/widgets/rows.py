"""The one list of this application: any number of rows, of which only those on screen are ever drawn.

Rows are facts outside of the widget; a painter turns the row of an index into pieces of text with styles. The cursor
is a sign as well as a colour, so it shows without colours, too. Measured on 50,000 rows: docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from secretscan.errors import printable
from secretscan.tui.actions import bindings
from secretscan.tui.widgets.bar import Bar

__all__ = ["Painter", "Piece", "Rows", "fit"]

Piece = tuple[str, str]
"""Text, and the name of its style: one of `STYLES`, or `""`."""

Painter = Callable[[int, int], Iterable[Piece]]
"""The pieces of the row of an index, for so many cells of width; cut and filled up by the list."""

STYLES: Final = frozenset(
    ("cursor", "muted", "heading", "good", "warning", "bad", "accent", "added", "removed", "mask", "code", "comment")
)


class Rows(ScrollView, can_focus=True):
    """A list with a cursor. `Moved` says that the cursor is on another row, `Chosen` that a row was opened."""

    BINDINGS = bindings("list")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"rows--{name}" for name in STYLES}
    DEFAULT_CSS = """
    Rows {
        height: 1fr;
        overflow-x: hidden;
        background: $background;
        & > .rows--cursor { background: $primary-muted; color: $text; }
        &:focus > .rows--cursor { background: $primary; color: $text; text-style: bold; }
        & > .rows--muted { color: $text-muted; }
        & > .rows--heading { text-style: bold; }
        & > .rows--good { color: $text-success; }
        & > .rows--warning { color: $text-warning; }
        & > .rows--bad { color: $text-error; }
        & > .rows--accent { color: $text-accent; }
        & > .rows--added { color: $text-success; }
        & > .rows--removed { color: $text-error; }
        & > .rows--mask { text-style: bold reverse; }
        & > .rows--code { color: $text-primary; }
        & > .rows--comment { color: $text-muted; text-style: italic; }
        &:ansi {
            & > .rows--cursor { text-style: reverse; color: ansi_default; background: ansi_default; }
            & > .rows--muted { color: ansi_default; text-style: dim; }
            & > .rows--good { color: ansi_green; }
            & > .rows--warning { color: ansi_yellow; }
            & > .rows--bad { color: ansi_red; }
            & > .rows--accent { color: ansi_cyan; }
            & > .rows--added { color: ansi_green; }
            & > .rows--removed { color: ansi_red; }
            & > .rows--code { color: ansi_blue; }
            & > .rows--comment { color: ansi_default; text-style: dim italic; }
        }
    }
    """

    cursor: reactive[int] = reactive(0, always_update=False, repaint=False)

    @dataclass
    class Moved(Message):
        """The cursor is on the row `index` now."""

        rows: Rows
        index: int

        @property
        def control(self) -> Rows:
            return self.rows

    @dataclass
    class Chosen(Message):
        """The row `index` was opened, by key or mouse."""

        rows: Rows
        index: int

        @property
        def control(self) -> Rows:
            return self.rows

    def __init__(self, painter: Painter, *, count: int = 0, empty: str = "", id: str | None = None) -> None:  # noqa: A002 - the toolkit's name
        super().__init__(id=id)
        self._painter = painter
        self._count = count
        self._empty = empty
        self._styles: dict[tuple[str, bool], Style] = {}
        self.virtual_size = Size(1, max(1, count))

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = bar = Bar(vertical=True, name="vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self.app._start_widget(self, bar)
        return self._vertical_scrollbar

    @property
    def count(self) -> int:
        return self._count

    def show(self, count: int, cursor: int | None = None, empty: str | None = None) -> None:
        """There are `count` rows now; the cursor stays where it is, or goes to `cursor`."""
        self._count = count
        if empty is not None:
            self._empty = empty
        # As wide as the widget: a row is cut to what there is room for, never scrolled sideways.
        self.virtual_size = Size(self.size.width, max(1, count))
        wanted = self.cursor if cursor is None else cursor
        self.cursor = max(0, min(wanted, count - 1))
        self.refresh()
        if count:
            self._reveal_cursor()

    def validate_cursor(self, value: int) -> int:
        return max(0, min(value, self._count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        self._refresh_row(old)
        self._refresh_row(new)
        self._reveal_cursor()
        self.post_message(self.Moved(self, new))

    def _refresh_row(self, index: int) -> None:
        self.refresh(Region(0, index - self.scroll_offset.y, self.size.width, 1))

    def _reveal_cursor(self) -> None:
        height = self.scrollable_content_region.height
        top = round(self.scroll_y)
        if not height:
            return
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True, immediate=True)
        elif top > max(0, self._count - height):  # it was lower when the rows came: no room stays empty below them
            self.scroll_to(y=max(0, self._count - height), animate=False, force=True, immediate=True)

    def notify_style_update(self) -> None:
        self._styles.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = y + round(self.scroll_y)
        if index >= self._count:
            text = self._empty if index == 0 and not self._count else ""
            return Strip([Segment(set_cell_size(text, width), self._style("muted" if text else "", False))], width)
        cursor = index == self.cursor
        left = width
        segments: list[Segment] = []
        for text, name in self._painter(index, width):
            text = printable(text)  # whatever a painter forgot: nothing of it is for the terminal to act upon
            size = cell_len(text)
            if size > left:
                text, size = set_cell_size(text, left), left
            segments.append(Segment(text, self._style(name, cursor)))
            left -= size
            if left <= 0:
                break
        if left > 0:
            segments.append(Segment(" " * left, self._style("", cursor)))
        return Strip(segments, width)

    def _style(self, name: str, cursor: bool) -> Style:
        found = self._styles.get((name, cursor))
        if found is None:
            found = self.get_component_rich_style(f"rows--{name}") if name else self.rich_style
            if cursor:
                above = self.get_component_rich_style("rows--cursor")
                found = (
                    found + above if name in ("", "heading") else above + Style(bold=found.bold, reverse=above.reverse)
                )
            self._styles[name, cursor] = found
        return found

    def action_cursor_up(self) -> None:
        self.cursor -= 1

    def action_cursor_down(self) -> None:
        self.cursor += 1

    def action_page_up(self) -> None:
        self.cursor -= max(1, self.scrollable_content_region.height - 1)

    def action_page_down(self) -> None:
        self.cursor += max(1, self.scrollable_content_region.height - 1)

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self.cursor = self._count - 1

    def action_choose(self) -> None:
        if self._count:
            self.post_message(self.Chosen(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        index = event.get_content_offset_capture(self).y + round(self.scroll_y)
        if index < self._count:
            again = index == self.cursor
            self.cursor = index
            if event.chain == 2 or (again and event.chain == 1 and self._opens_on_click):
                self.action_choose()

    _opens_on_click: ClassVar[bool] = False

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, max(1, self._count))
        self._reveal_cursor()


def fit(text: str, width: int, *, middle: bool = False) -> str:
    """The text in exactly so many cells: filled up with blanks, or cut with an ellipsis at its end or in its middle."""
    size = cell_len(text)
    if size <= width:
        return text + " " * (width - size)
    if width <= 1:
        return "…"[:width]
    if not middle:
        return set_cell_size(text, width - 1) + "…"
    tail = (width - 1) // 2
    head = width - 1 - tail
    end = text[-tail:] if tail else ""
    while cell_len(end) > tail:
        end = end[1:]
    return set_cell_size(text, head) + "…" + set_cell_size(end, tail)
