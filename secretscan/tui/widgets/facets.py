"""The facets: what there is, counted. Choosing a value filters by it, choosing it again does not any more."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from secretscan.errors import printable
from secretscan.review.query import Facet
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

    def __init__(self, view: View | None = None, id: str = "facets") -> None:  # noqa: A002
        super().__init__(self._paint_line, id=id)
        self.view = view
        self.lines = facet_lines(view) if view is not None else []
        self._count = len(self.lines)

    def update(self, view: View) -> None:
        """The counts of another view; they are written when the facets are on screen."""
        self.view = view
        if self.display:
            self.on_show()

    def on_show(self) -> None:
        if self.view is not None and (lines := facet_lines(self.view)) != self.lines:
            self.lines = lines
            self.show(len(lines))

    def _paint_line(self, index: int, width: int) -> list[Piece]:
        line = self.lines[index]
        if not line.value:
            return [(line.facet, "heading")]
        sign = ">" if index == self.cursor and self.has_focus else " "
        return [(f"{sign} ", "accent"), (fit(printable(line.value), width - 9), ""), (f"{line.count:>6} ", "muted")]

    def action_choose(self) -> None:
        line = self.lines[self.cursor] if self.lines else None
        if line is not None and line.value:
            self.post_message(self.Chosen(line.facet, line.value))
