"""What every screen has: a title line, a body, and the footer with its keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from secretscan.errors import SecretscanError, printable
from secretscan.tui.widgets.keys import Keys

if TYPE_CHECKING:
    from secretscan.tui.app import ReviewApp

__all__ = ["AppScreen", "Dialog", "at_home"]

Result = TypeVar("Result")


class AppScreen(Screen[Result]):
    """A full screen. `SCOPE` names its actions in the table, `ABOUT` says in a sentence or two what it is for."""

    SCOPE: ClassVar[str] = ""
    SCOPES: ClassVar[tuple[str, ...]] = ()
    """Scopes whose actions it has besides."""
    ABOUT: ClassVar[str] = ""

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield from self.body()
        yield Keys()

    def body(self) -> ComposeResult:
        """The widgets between title and footer."""
        yield from ()

    @property
    def review(self) -> ReviewApp:
        """The application."""
        return cast("ReviewApp", self.app)

    def why_not(self, action: str) -> str:
        """Why an action of this screen that is shown dimmed is not open now, as a sentence; `""` if it goes without
        saying."""
        return ""

    def on_key(self, event: events.Key) -> None:
        """A key that does nothing now says why."""
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            if self.check_action(binding.action, ()) is None and (why := self.why_not(binding.action)):
                self.app.notify(printable(why), severity="warning", timeout=4)

    _title = ""

    def title_line(self, text: str) -> None:
        """What the first line says; text from outside is escaped."""
        if text != self._title:
            self._title = text
            self.query_one("#title", Static).update(printable(text), layout=False)


class Dialog(ModalScreen[Result]):
    """A box over the screen it was opened from."""

    SCOPE: ClassVar[str] = "dialog"
    SCOPES: ClassVar[tuple[str, ...]] = ()
    ABOUT: ClassVar[str] = ""

    def compose(self) -> ComposeResult:
        yield from self.body()
        yield Keys()

    def body(self) -> ComposeResult:
        """The box: one container of class `box`."""
        yield from ()

    @property
    def review(self) -> ReviewApp:
        return cast("ReviewApp", self.app)

    def action_close(self) -> None:
        self.dismiss(None)


def message(error: SecretscanError) -> str:
    """An error's lines as one text."""
    return "\n".join(error.lines())


def at_home(path: Path) -> str:
    """A path as people write it: `~/shop` below their home folder."""
    try:
        inside = path.relative_to(Path.home())
    except (ValueError, RuntimeError):
        return str(path)
    return "~" if inside == Path() else f"~/{inside}"
