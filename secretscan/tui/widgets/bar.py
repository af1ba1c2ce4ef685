"""The scroll bar of a list, as cheap as a list's own lines."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import cast

from rich.style import Style
from textual.geometry import Region
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip

__all__ = ["Bar"]


class Bar(ScrollBar):
    """The toolkit's scroll bar, a line at a time. Through the renderer of texts it costs more than all the list."""

    _drawn: tuple[object, ...] = ()
    _strips: Sequence[Strip] = ()

    def render_lines(self, crop: Region) -> list[Strip]:
        self._draw()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    def _draw(self) -> None:
        style = cast(ScrollBarRender, self.render()).style
        assert isinstance(style, Style) and style.bgcolor and style.color  # noqa: S101 - as the toolkit makes them
        width, height = self.size
        window = self.window_size if self.window_size < self.window_virtual_size else 0
        asks = (width, height, self.window_virtual_size, window, self.position, style)
        if asks == self._drawn:
            return
        bar = self.renderer.render_bar(
            size=height,
            virtual_size=ceil(self.window_virtual_size),
            window_size=ceil(window),
            position=self.position,
            thickness=width,
            back_color=style.bgcolor,
            bar_color=style.color,
        )
        strips: dict[int, Strip] = {}  # most lines are one and the same piece
        self._strips = [strips.setdefault(id(piece), Strip([piece], width)) for piece in bar.segments]
        self._drawn = asks
