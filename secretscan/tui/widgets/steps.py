"""The steps of work under way, as they are done: the newest is in sight unless somebody looks at an older one."""

from __future__ import annotations

from secretscan.errors import printable
from secretscan.events import Event, Noted, Progress, StepDone
from secretscan.tui.widgets.rows import Piece, Rows

__all__ = ["Steps"]

_COLUMN = 12
_STAGES = {
    "store": "storing and reading back",
    "rewrite": "rewriting",
    "prove": "proving",
    "undo": "restoring",
}


class Steps(Rows):
    """`hear` takes what a job says; `now` is what it is at."""

    def __init__(self, id: str = "deeds") -> None:  # noqa: A002 - the toolkit's name
        super().__init__(lambda index, _: self._lines[index], id=id)
        self._lines: list[list[Piece]] = []
        self.now = ""
        self.done = 0

    def clear(self) -> None:
        """Forgets all of it, for another attempt."""
        self._lines, self.now, self.done = [], "", 0
        self.show(0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "choose"  # there is nothing to open

    def hear(self, event: Event) -> None:
        """One event more."""
        if isinstance(event, Progress):
            total = f" {event.done} of {event.total}" if event.total else ""
            subject = f": {printable(event.subject)}" if event.subject else ""
            self.now = f"{_STAGES.get(event.stage, event.stage)}{total}{subject}"
        elif isinstance(event, StepDone):
            self.done += 1
            self._add([(f"  {event.what:<{_COLUMN}}", "good"), (printable(event.subject), "")])
        elif isinstance(event, Noted):
            self.say("note", event.text, "warning")

    def say(self, word: str, text: str, style: str = "") -> None:
        """A line that is no step."""
        self._add([(f"  {word:<{_COLUMN}}", style or "muted"), (printable(text), style)])

    def _add(self, line: list[Piece]) -> None:
        follow = self.cursor >= self.count - 1
        self._lines.append(line)
        self.show(len(self._lines), len(self._lines) - 1 if follow else None)
