"""A list of entries to read, each of as many lines as it takes: wrapped at the width there is, never cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.cells import cell_len

from secretscan.errors import printable
from secretscan.tui.widgets.rows import Piece, Rows

__all__ = ["Lines", "Para"]


@dataclass(frozen=True, slots=True)
class Para:
    """A paragraph: `label` before its first line, the rest indented below. `exact`: blanks stay, and lines break
    anywhere, as for code."""

    text: str
    style: str = ""
    label: str = ""
    label_style: str = "muted"
    exact: bool = False

    def lines(self, width: int) -> Iterator[list[Piece]]:
        """The paragraph in lines of at most so many cells."""
        text, indent = printable(self.text, longest=20_000), cell_len(self.label)
        room = max(12, width - indent)
        if cell_len(text) > len(text):  # characters of two cells
            room //= 2
        if self.exact:
            parts = [text[at : at + room] for at in range(0, len(text), room)]
        else:
            parts = wrap(text, room, break_on_hyphens=False)
        for number, part in enumerate(parts or [""]):
            yield [(self.label if number == 0 else " " * indent, self.label_style), (part, self.style)]


class Lines(Rows):
    """Entries of paragraphs. `entry` is the one that the cursor is in."""

    def __init__(self, entries: Sequence[Sequence[Para]] = (), *, empty: str = "", id: str | None = None) -> None:  # noqa: A002 - the toolkit's name
        super().__init__(self._paint_line, empty=empty, id=id)
        self._entries: list[Sequence[Para]] = list(entries)
        self._lines: list[list[Piece]] = []
        self._of: list[int] = []
        self._laid_out = 0

    def _paint_line(self, index: int, width: int) -> Iterator[Piece]:
        yield (">" if self.has_focus and index == self.cursor else " "), "accent"
        yield from self._lines[index]

    @property
    def entry(self) -> int:
        """The index of the entry under the cursor, or -1."""
        return self._of[self.cursor] if self._of else -1

    def update_entries(self, entries: Iterable[Sequence[Para]], *, keep: bool = False) -> None:
        """Other entries; the cursor goes to the first, or stays in the entry of the same number."""
        here = self.entry if keep else 0
        self._entries = list(entries)
        self._lay_out()
        self.show(len(self._lines), self._of.index(here) if here in self._of else 0)

    def add(self, entry: Sequence[Para]) -> None:
        """One entry more; the cursor goes along if it was on the last line."""
        follow = self.cursor >= self.count - 1
        self._entries.append(entry)
        self._lay_out_one(len(self._entries) - 1, entry)
        self.show(len(self._lines), len(self._lines) - 1 if follow else None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "choose"  # there is nothing to open

    def on_resize(self) -> None:
        super().on_resize()
        if self.size.width != self._laid_out:
            self._lay_out()
            self.show(len(self._lines))

    def _lay_out(self) -> None:
        self._lines, self._of = [], []
        for number, entry in enumerate(self._entries):
            self._lay_out_one(number, entry)

    def _lay_out_one(self, number: int, entry: Sequence[Para]) -> None:
        self._laid_out = self.size.width
        width = max(20, self.size.width - 4)  # the sign of the cursor and the scroll bar's cells stay free
        for para in entry:
            lines = list(para.lines(width))
            self._lines += lines
            self._of += [number] * len(lines)
