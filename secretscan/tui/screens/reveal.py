"""One value, shown for ten seconds: after a question, with a line in a journal, and gone at the first occasion."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from secretscan import api
from secretscan.errors import printable
from secretscan.model import Sighting
from secretscan.tui.actions import bindings
from secretscan.tui.jobs import Job, JobFailed
from secretscan.tui.screens.base import Dialog

if TYPE_CHECKING:
    from textual.selection import Selection

    from rewriters import Plaintext

__all__ = ["SECONDS", "RevealDialog"]

SECONDS: Final = 10
"""How long a value is in sight."""

_LOOK_S: Final = 0.25
"""Seconds between two looks at the clock."""

_STOPPED_S: Final = 2.0
"""Seconds without such a look after which the process, or the machine, has been stopped meanwhile."""

_MOST: Final = 4000
"""Characters of a value that are drawn; a longer one is cut, and that is said."""


class Shown(Widget):
    """The lines of a value. No text can be selected in it, and nothing of it is kept once it is hidden."""

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = "Shown { height: auto; max-height: 12; width: 1fr; color: $text; }"

    def __init__(self) -> None:
        super().__init__()
        self._value: Plaintext | None = None
        self._looked = 0.0

    def show(self, value: Plaintext | None) -> None:
        """Draws the value, or nothing."""
        self._value = value
        self.look()
        self.refresh(layout=True)

    def look(self) -> bool:
        """Whether the clock was looked at in time. When it was not, the value is not drawn any more: who comes back to
        a stopped process, or a sleeping machine, is not the one who asked."""
        now, before = _now(), self._looked
        self._looked = now
        return now - before < _STOPPED_S

    def get_selection(self, selection: Selection) -> None:
        """Nothing, whatever was asked for: selected text can be copied."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width)) if self._value is not None else 0

    def render_lines(self, crop: object) -> list[Strip]:
        width, height = self.size
        lines = self._lines(width) if self._value is not None and _now() - self._looked < _STOPPED_S else []
        if len(lines) > height > 0:
            lines = [*lines[: height - 1], f"… and {len(lines) - height + 1} lines more"[:width]]
        style = self.rich_style
        blank = [""] * max(0, height - len(lines))
        return [Strip([Segment(line + " " * (width - cell_len(line)), style)], width) for line in (*lines, *blank)]

    def _lines(self, width: int) -> list[str]:
        if self._value is None or width <= 0:
            return []
        text = self._value.reveal().decode("utf-8", "surrogateescape")
        return list(_folded(text, width))


class RevealDialog(Dialog[None]):
    """Asks, journals, shows, hides. Any key hides it; so do another focus, another size and another screen."""

    SCOPE: ClassVar[str] = "value"
    ABOUT: ClassVar[str] = (
        "Shows one value for ten seconds. That it was looked at, by whom and when, is written to "
        ".secretscan/reveals.jsonl before it is shown. It cannot be selected or copied."
    )
    BINDINGS = bindings("value")
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, root: Path, sighting: Sighting) -> None:
        super().__init__()
        self.root = root
        self.sighting = sighting
        self.showing = False
        self.value = Shown()
        self._asked = False
        self._hidden = False
        self._size = Size(0, 0)
        self._until = 0.0
        self._timer: Timer | None = None

    def body(self) -> ComposeResult:
        item = self.sighting
        with Vertical(classes="box"):
            yield Static("Show the value?", id="question", classes="heading", markup=False)
            yield Static(printable(f"{item.strength} {item.kind}  {item.path}:{item.line}"), id="what", markup=False)
            yield self.value
            yield Static(_ASK, id="words", markup=False)

    def on_mount(self) -> None:
        self.watch(self.app, "app_focus", self._focus_changed, init=False)
        for stopped in (self.app.app_suspend_signal, self.app.app_resume_signal):
            stopped.subscribe(self, lambda _: self.hide(), immediate=True)

    # showing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "show":
            return None if self._asked else True
        return True

    def action_show(self) -> None:
        if self._asked:
            return
        self._asked = True  # one question, one look
        self.refresh_bindings()
        self.query_one("#words", Static).update("reading the file again, and writing the journal…")
        root, sighting = self.root, self.sighting
        Job(self, "show value", lambda *_: api.reveal(root, sighting), self._show, self._failed).start()

    def _show(self, value: Plaintext) -> None:
        if self._hidden or self.app.screen is not self or not self.app.app_focus:
            self.hide()  # nobody is looking any more: it is in the journal, and stays hidden
            return
        self.showing = True
        self._size = self.app.size
        self.query_one("#question", Static).update("The value")
        self.value.show(value)
        self._until = _now() + SECONDS
        self._timer = self.set_interval(_LOOK_S, self._tick)
        self._count_down(SECONDS)
        self.refresh_bindings()

    def _failed(self, failure: JobFailed) -> None:
        self.hide()
        self.review.show_error(failure.error)

    def _tick(self) -> None:
        left = math.ceil(self._until - _now())
        if not self.value.look() or left <= 0:
            self.hide()
        else:
            self._count_down(left)

    def _count_down(self, left: int) -> None:
        seconds = f"{left} second{'s' * (left != 1)}"
        self.query_one("#words", Static).update(f"Hidden in {seconds}, or by any key.")

    # hiding

    def hide(self) -> None:
        """Takes the value off the screen, and closes the box as soon as it is on top."""
        self.showing, self._asked, self._hidden = False, True, True
        self.value.show(None)
        if self._timer is not None:
            self._timer.stop()
        if self.is_attached and self.app.screen is self:
            self.dismiss(None)

    def action_close(self) -> None:
        self.hide()

    async def on_key(self, event: events.Key) -> None:
        if self.showing:
            event.stop()
            event.prevent_default()
            self.hide()

    def on_mouse_down(self) -> None:
        if self.showing:
            self.hide()

    def on_resize(self) -> None:
        if self.showing and self.app.size != self._size:
            self.hide()

    def on_screen_suspend(self) -> None:
        self.hide()

    def on_screen_resume(self) -> None:
        if self._hidden:
            self.dismiss(None)

    def on_unmount(self) -> None:
        self.hide()

    def _focus_changed(self, focus: bool) -> None:
        if self.showing and not focus:
            self.hide()


_ASK: Final = (
    f"Enter shows it on this screen for {SECONDS} seconds, and .secretscan/reveals.jsonl says that you looked. "
    "Esc leaves it hidden."
)


def _now() -> float:
    """Seconds that go on while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _folded(text: str, width: int) -> Iterator[str]:
    """The text in lines of the width. Line breaks are shown as such, everything else that a terminal would act upon
    is escaped."""
    if len(text) > _MOST:
        text = f"{text[:_MOST]}…"
    for line in text.split("\n"):
        yield from chop_cells(printable(line, _MOST + 1), width) or [""]
