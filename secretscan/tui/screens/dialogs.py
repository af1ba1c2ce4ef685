"""Small boxes: an error, a question before ending, a choice from a short list, a line of text, a text to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Static

from secretscan.errors import SecretscanError, printable
from secretscan.tui.actions import bindings
from secretscan.tui.screens.base import Dialog
from secretscan.tui.widgets.pages import Pages
from secretscan.tui.widgets.rows import Piece, Rows, fit

__all__ = ["BUTTONS", "AskLine", "Choose", "ErrorDialog", "QuitDialog", "ReadDialog"]

BUTTONS: Final = "Tab goes to the next button, Enter presses it."


class ErrorDialog(Dialog[None]):
    """An error: what and where, why, what to do next."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = "Something did not work. Nothing is half done: the text says what to do next."

    def __init__(self, error: SecretscanError) -> None:
        super().__init__()
        self.error = error

    def body(self) -> ComposeResult:
        with Vertical(classes="box bad"):
            yield Static("\n\n".join(self.error.lines()), markup=False)
            yield Button("Close", id="close", variant="primary")

    def on_button_pressed(self) -> None:
        self.dismiss(None)


class QuitDialog(Dialog[bool]):
    """Asks before something would be interrupted or lost. Staying has the focus."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = "Ending now would interrupt or lose what the text names."

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why

    def body(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(printable(self.why), markup=False)
            yield Static(BUTTONS, classes="muted", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Stay", id="stay", variant="primary")
                yield Button("End", id="end", variant="error")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "end")


class ReadDialog(Dialog[None]):
    """A text to read."""

    BINDINGS = bindings("dialog")

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self.heading = title
        self.lines = [printable(line) for line in lines]

    def body(self) -> ComposeResult:
        with Vertical(classes="box tall"):
            yield Static(printable(self.heading), classes="heading", markup=False)
            yield Pages(lambda index, _: [(self.lines[index], "")], count=len(self.lines), empty="nothing")


class Choose(Dialog[int]):
    """A choice from a short list: the index of what was chosen, or nothing."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = "Choose with Enter."

    def __init__(self, title: str, options: Sequence[tuple[str, str]], current: int = 0) -> None:
        """`options` are labels, each with a note that is shown dimmed."""
        super().__init__()
        self.heading = title
        self.choices = [(printable(label), printable(note)) for label, note in options]
        self.current = current

    def body(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(printable(self.heading), classes="heading", markup=False)
            rows = Rows(self._paint, count=len(self.choices))
            rows.styles.height = min(14, len(self.choices))
            yield rows

    def on_mount(self) -> None:
        self.query_one(Rows).cursor = self.current

    def _paint(self, index: int, width: int) -> list[Piece]:
        label, note = self.choices[index]
        sign = "> " if index == self.query_one(Rows).cursor else "  "
        return [(sign + fit(label, min(30, width // 2)), ""), ("  " + note, "muted")]

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        self.dismiss(event.index)


class AskLine(Dialog[str]):
    """One line of text; `check` says while it is typed what is wrong with it, or `""`."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = "Enter takes the text, Esc leaves it as it was."

    def __init__(self, title: str, value: str = "", check: Callable[[str], str] = lambda _: "") -> None:
        super().__init__()
        self.heading = title
        self.value = value
        self.check = check

    def body(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(printable(self.heading), classes="heading", markup=False)
            yield Input(self.value, id="line")
            with VerticalScroll(classes="note"):
                yield Static(id="fault", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#fault", Static).update(printable(self.check(event.value)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not self.check(event.value):
            self.dismiss(event.value)
