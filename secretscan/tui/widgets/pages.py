"""A text to read: the keys of a list move the text, since no row of it is chosen."""

from __future__ import annotations

from rich.style import Style

from secretscan.tui.widgets.rows import Rows

__all__ = ["Pages"]


class Pages(Rows):
    """Rows without a cursor that can be seen; it stays on the first line in sight."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "choose"  # there is nothing to open

    def _style(self, name: str, cursor: bool) -> Style:
        return super()._style(name, False)

    def _to(self, line: int) -> None:
        line = max(0, min(line, self.count - self.scrollable_content_region.height))
        self.scroll_to(y=line, animate=False, force=True, immediate=True)
        self.cursor = line

    def action_cursor_up(self) -> None:
        self._to(round(self.scroll_y) - 1)

    def action_cursor_down(self) -> None:
        self._to(round(self.scroll_y) + 1)

    def action_page_up(self) -> None:
        self._to(round(self.scroll_y) - max(1, self.scrollable_content_region.height - 1))

    def action_page_down(self) -> None:
        self._to(round(self.scroll_y) + max(1, self.scrollable_content_region.height - 1))

    def action_first(self) -> None:
        self._to(0)

    def action_last(self) -> None:
        self._to(self.count)
