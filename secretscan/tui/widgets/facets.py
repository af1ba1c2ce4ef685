"""The facets: what there is, counted. Choosing a value filters by it, choosing it again does not any more."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from secretscan.errors import printable
from secretscan.review.query import Facet, toggled
from secretscan.review.view import View
from secretscan.tui.widgets.rows import Piece, Rows, fit

__all__ = ["Facets", "facet_lines"]


@dataclass(frozen=True, slots=True)
class FacetLine:
    """A facet's title (`value` empty), or one of its values with its count."""

    facet: Facet
    value: str = ""
    count: int = 0


def facet_lines(view: View) -> list[FacetLine]:
    """All facets of a view, with the values that there are."""
    lines: list[FacetLine] = []
    for facet, counts in view.counts.items():
        there = [FacetLine(facet, value, count) for value, count in counts if count]
        if there:
            lines += [FacetLine(facet), *there]
    return lines


class Facets(Rows):
    """The facets as a list; choosing one puts its term into the filter, or takes it out."""

    @dataclass
    class Chosen(Message):
        """A value was chosen."""

        facet: Facet
        value: str

    def __init__(self, view: View | None = None, text: str = "", id: str = "facets") -> None:  # noqa: A002
        super().__init__(self._paint_line, id=id)
        self.view = view
        self.text = text
        self.lines = facet_lines(view) if view is not None else []
        self._count = len(self.lines)
        self.set_reactive(Rows.cursor, min(1, len(self.lines)))  # the first line is a title

    def update(self, view: View, text: str) -> None:
        """The counts of another view, and the filter that it is of; they are written when the facets are on screen."""
        self.view, self.text = view, text
        if self.display:
            self.on_show()

    def on_show(self) -> None:
        if self.view is not None and (lines := facet_lines(self.view)) != self.lines:
            self.lines = lines
            self.show(len(lines), max(1, self.cursor))

    def _paint_line(self, index: int, width: int) -> list[Piece]:
        line = self.lines[index]
        if not line.value:
            return [(line.facet, "heading")]
        sign = ">" if index == self.cursor and self.has_focus else " "
        kept = "*" if len(toggled(self.text, line.facet, line.value)) < len(self.text) else " "
        return [
            (f"{sign}{kept}", "accent"),
            (fit(printable(line.value), width - 9), ""),
            (f"{line.count:>6} ", "muted"),
        ]

    def action_cursor_up(self) -> None:
        self._step(-1)

    def action_cursor_down(self) -> None:
        self._step(1)

    def _step(self, by: int) -> None:
        """To the next value; titles are passed over."""
        at = self.cursor + by
        if 0 < at < len(self.lines) - 1 and not self.lines[at].value:
            at += by
        self.cursor = max(1, at)

    def action_choose(self) -> None:
        line = self.lines[self.cursor] if self.lines else None
        if line is not None and line.value:
            self.post_message(self.Chosen(line.facet, line.value))
