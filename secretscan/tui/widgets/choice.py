"""One of a few: the row under the cursor is what is chosen, and says so with a sign."""

from __future__ import annotations

from collections.abc import Sequence

from secretscan.errors import printable
from secretscan.tui.widgets.rows import Piece, Rows, fit

__all__ = ["Choice"]


class Choice(Rows):
    """As many lines as there are options; `cursor` is the index of the chosen one."""

    def __init__(self, options: Sequence[str], chosen: int = 0, id: str | None = None) -> None:  # noqa: A002
        super().__init__(self._paint_option, count=len(options), id=id)
        self.options = [printable(option) for option in options]
        self.styles.height = len(self.options)
        self.set_reactive(Rows.cursor, chosen)

    def _paint_option(self, index: int, width: int) -> list[Piece]:
        return [("(x) " if index == self.cursor else "( ) ", "accent"), (fit(self.options[index], width - 4), "")]
