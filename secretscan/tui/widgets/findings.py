"""The list of findings: groups and their places, painted from the table's facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, count
from typing import Final

from secretscan.errors import printable
from secretscan.model import Sighting
from secretscan.review.table import Table
from secretscan.review.view import Row, View
from secretscan.tui.widgets.rows import Piece, Rows, fit

__all__ = ["STATES", "Findings"]

STATES: Final = {
    "open": ("open", "bad"),
    "stored": ("stored", "warning"),
    "migrated": ("moved", "good"),
    "gone": ("gone", "muted"),
    "false-alarm": ("false", "muted"),
    "accepted": ("accept", "muted"),
    "placeholder": ("holder", "muted"),
}
"""A state as a word of at most six letters, and its style: never the style alone."""


class Findings(Rows):
    """Rows of a `View`. Selected rows are kept by what they are about, so that they survive a new view."""

    def __init__(self) -> None:
        super().__init__(self._paint_row, empty="  nothing found yet", id="findings")
        self.table: Table | None = None
        self.view: View | None = None
        self._selected = bytearray()
        """A one for each place of the table that is selected."""

    def update(self, table: Table, view: View, cursor: int | None = None, empty: str | None = None) -> None:
        if table is not self.table:
            self._selected.clear()  # its numbers are those of the other table
        self.table, self.view = table, view
        self.show(len(view), cursor, empty)

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.view[self.cursor] if self.view is not None and len(self.view) else None

    @property
    def places(self) -> Sequence[int]:
        """The indexes of the places under the cursor: of a group's head all of them."""
        return self.view.under(self.cursor) if self.view is not None and len(self.view) else ()

    def sightings(self, indexes: Iterable[int]) -> tuple[Sighting, ...]:
        """The places of these indexes, of the table that is shown: another one may be filled already."""
        return tuple(self.table[index] for index in indexes) if self.table is not None else ()

    def _paint_row(self, index: int, width: int) -> list[Piece]:
        assert self.view is not None  # noqa: S101 - rows come with a view
        row = self.view[index]
        chosen = bool(self._selected) and self._all_selected(self.view.under(index))
        sign = f"{'>' if index == self.cursor else ' '}{'*' if chosen else ' '}"
        return [(sign, "accent"), *(self._group(row, width - 2) if row.head else self._place(row, width - 2))]

    @property
    def selected(self) -> Sequence[int]:
        """The indexes of the selected places."""
        return tuple(compress(count(), self._selected))

    @property
    def selected_count(self) -> int:
        return self._selected.count(1)

    def toggle_selected(self, places: Sequence[int]) -> None:
        """Selects these places, or none of them if all of them are."""
        if self.table is None:
            return
        self._selected.extend(bytes(len(self.table) - len(self._selected)))
        mark = 0 if self._all_selected(places) else 1
        for place in places:
            self._selected[place] = mark
        self.refresh()

    def clear_selected(self) -> None:
        self._selected.clear()
        self.refresh()

    def _all_selected(self, places: Sequence[int]) -> bool:
        size = len(self._selected)
        return all(place < size and self._selected[place] for place in places)

    def columns(self) -> str:
        """What stands in the columns, at the present width."""
        width = self.size.width - 2
        if self.view is None or self.view.group != "secret":
            return (
                "    state  value  line  what" if self.view and self.view.group == "file" else "    state  value  place"
            )
        kind, own = _secret_columns(width)
        shown = "kind".ljust(kind) if kind else ""
        return f"    state  value  {shown}places {'name'.ljust(own - 1)}first place"

    def _group(self, row: Row, width: int) -> list[Piece]:
        assert self.view is not None and self.table is not None  # noqa: S101
        fold = "▾ " if row.open else "▸ "
        first = self.table[row.index]
        size = f"{row.count:>4} "
        if self.view.group == "secret":
            state, style = STATES[self.table.value(row.index, "state")]
            name = first.name or first.key or first.pointer or first.rule
            where = f"{first.path}:{first.line}"
            kind, own = _secret_columns(width)
            return [
                (fold, "muted"),
                (fit(state, 7), style),
                (fit(first.strength[:6], 7), "bad" if first.strength == "strong" else ""),
                *([(fit(first.kind, kind), "")] if kind else []),
                (size, "muted"),
                (fit(printable(name), own) + " ", "heading"),
                (fit(printable(where), max(0, width - 22 - kind - own), middle=True), "muted"),
            ]
        title = printable(row.key)
        return [(fold, "muted"), (fit(title, width - 8, middle=True) + " ", "heading"), (size, "muted")]

    def _place(self, row: Row, width: int) -> list[Piece]:
        assert self.view is not None and self.table is not None  # noqa: S101
        item = self.table[row.index]
        state, style = STATES[self.table.value(row.index, "state")]
        what = printable(item.pointer or item.key or item.rule)
        if self.view.group == "secret":
            where = f"{printable(item.path)}:{item.line}"
            left = width - 4 - 7
            own = min(left - 12, max(20, left // 2))
            return [
                ("    ", ""),
                (fit(state, 7), style),
                (fit(where, own, middle=True) + " ", ""),
                (fit(what, max(0, left - own - 1), middle=True), "muted"),
            ]
        where = f"{item.line}" if self.view.group == "file" else f"{printable(item.path)}:{item.line}"
        at = 6 if self.view.group == "file" else max(16, (width - 40) // 2)
        left = width - 4 - 7 - 7 - at - 1
        kind = 0 if left < 36 else 16
        return [
            ("    ", ""),
            (fit(state, 7), style),
            (fit(item.strength[:6], 7), "bad" if item.strength == "strong" else ""),
            (fit(where, at, middle=True) + " ", ""),
            *([(fit(item.kind, kind), "muted")] if kind else []),
            (fit(what, max(0, left - kind), middle=True), ""),
        ]


def _secret_columns(width: int) -> tuple[int, int]:
    """Cells of the kind (none in a narrow list) and of the name, where groups are secrets."""
    left = width - 21
    kind = 0 if left < 44 else 18
    return kind, max(0, (left - kind) // 2)
