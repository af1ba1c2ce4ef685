"""The terminal application: which screen comes first, what holds everywhere, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.driver import Driver
from textual.screen import Screen

from secretscan.errors import SecretscanError, printable, unforeseen
from secretscan.plan.saved import Saved
from secretscan.tui.actions import bindings
from secretscan.tui.config import Config

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.notifications import SeverityLevel

    from secretscan.tui.jobs import Job
    from secretscan.tui.migration import Migration
    from secretscan.tui.running import Running

__all__ = ["Options", "ReviewApp"]

_WAIT_S = 10.0
"""Seconds that the end waits for a step under way; what is not finished by then is found by the next start."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for. `vault_url`, `auth` and `descriptor` fill in the migration's first step,
    `first` all others."""

    targets: tuple[str, ...] = (".",)
    scan: bool = True
    record: bool = True
    allow_reveal: bool = False
    vault_url: str = ""
    auth: str = ""
    descriptor: str = ""
    demo: bool = False
    config: Config = field(default_factory=Config)
    first: Saved = field(default_factory=Saved)


def _commands() -> type[Provider]:
    """The palette's own module is loaded when the palette is opened: the first picture does not wait for it."""
    from secretscan.tui.palette import Commands

    return Commands


class ReviewApp(App[int]):
    """`secretscan review`. Returns the exit status of the command."""

    TITLE = "secretscan"
    CSS_PATH = Path(__file__).with_name("review.tcss")
    COMMANDS = {_commands}  # noqa: RUF012 - the toolkit's type
    BINDINGS = bindings("app")
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+shift+p"  # ours is in the table
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (70, "-normal"), (130, "-wide")]  # type: ignore[misc]
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-short"), (36, "-tall")]  # type: ignore[misc]

    def __init__(self, root: Path, options: Options, migration: Migration) -> None:
        super().__init__()
        self.root = root
        self.options = options
        self.migration = migration
        self.failure: SecretscanError | None = None
        self.jobs: list[Job[object]] = []
        self.resumed: dict[str, Running] = {}
        """Earlier runs that are gone on with in this session, by id."""
        self.given_up = False
        """Whether a person has answered that what would be lost may be."""
        self._interrupted = False
        if options.config.theme:
            self.theme = options.config.theme
        self.set_keymap(dict(options.config.keys))

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for asked in (signal.SIGHUP, signal.SIGTERM):
            with suppress(ValueError, RuntimeError, NotImplementedError):  # not in the main thread, as in tests
                loop.add_signal_handler(asked, self._asked_to_end)
        for note in self.options.config.notes:
            self.notify(printable(note), severity="warning", timeout=10)
        self.push_screen(self.first_screen())

    def get_driver_class(self) -> type[Driver]:
        if sys.platform == "win32":
            return super().get_driver_class()
        from secretscan.tui.driver import TerminalDriver

        return TerminalDriver

    def first_screen(self) -> Screen[None]:
        """What is opened at the start."""
        from secretscan.tui.screens.review import ReviewScreen

        return ReviewScreen()

    def _asked_to_end(self) -> None:
        """The terminal is gone, or somebody ends us: stop between two steps, then go. What is open can be resumed."""
        self.cancel_jobs()
        self.exit(3)

    async def on_event(self, event: events.Event) -> None:
        """What is pasted comes from anywhere: a field would show it to the terminal as it is."""
        if isinstance(event, events.Paste):
            event.text = "\n".join(
                "".join(char for char in line if char.isprintable()) for line in event.text.splitlines()
            )
        await super().on_event(event)

    # jobs

    def started(self, job: Job[object]) -> None:
        """Remembers work that changes something, so that the end waits for its step."""
        self.jobs = [each for each in self.jobs if not each.ended]
        self.jobs.append(job)

    def cancel_jobs(self) -> None:
        for job in self.jobs:
            job.cancel()

    @property
    def keymap_shown(self) -> dict[str, str]:
        """The keys that the user gave to actions, by name."""
        return dict(self.options.config.keys)

    @property
    def busy(self) -> bool:
        """Whether work that changes something is under way."""
        return any(not job.ended for job in self.jobs)

    def wait_for_jobs(self) -> None:
        """Asks the work under way to stop, and waits for its step within bounds."""
        self.cancel_jobs()
        for job in self.jobs:
            job.join(_WAIT_S)

    def files_changed(self) -> None:
        """Work of ours changed files or the vault: the review starts over from the inventory when it is next seen."""
        from secretscan.tui.screens.review import ReviewScreen

        for screen in self.screen_stack:
            if isinstance(screen, ReviewScreen):
                screen.start_over()

    # actions

    def action_help(self) -> None:
        from secretscan.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_palette(self) -> None:
        self.action_command_palette()

    def action_theme(self) -> None:
        """The next theme, by name; the terminal's own palette is among them."""
        names = sorted(self.available_themes)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.notify(f"theme: {self.theme}", timeout=2)

    async def action_press(self, key: str) -> None:
        """What the key does, asked for by mouse or by name."""
        self.simulate_key(key)

    async def action_interrupt(self) -> None:
        """Ctrl-C: the first one stops what runs, or asks; the second one ends at once. A value in sight goes first."""
        from secretscan.tui.screens.reveal import RevealDialog

        if isinstance(self.screen, RevealDialog):
            self.screen.hide()
            return
        if self._interrupted:
            self.exit(130)
            return
        self._interrupted = True
        self.set_timer(3.0, self._forget_interrupt)
        if self.busy:
            self.cancel_jobs()
            self.notify("stopping after this step; once more to end at once", severity="warning")
        elif self.migration.would_lose():
            await self.action_quit()
        else:
            self.notify("once more to end", timeout=3)

    def _forget_interrupt(self) -> None:
        self._interrupted = False

    async def action_quit(self) -> None:
        """Ends, after asking when a run is under way or an embedded vault would forget what it holds."""
        from secretscan.tui.screens.dialogs import QuitDialog

        lost = self.migration.would_lose()
        if not self.busy and not lost:
            self.exit(0)
            return
        under_way = "A run is under way. It stops after the step under way"
        why = (f"{under_way}. {lost}" if lost else f"{under_way} and can be resumed.") if self.busy else lost

        def answered(yes: bool | None) -> None:
            if yes:
                self.given_up = bool(lost)
                self.cancel_jobs()
                self.exit(3 if self.busy else 0)

        self.push_screen(QuitDialog(why), answered)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A message for some seconds. It is text: what looks like the toolkit's markup in a path is no link."""
        super().notify(printable(message), title=title, severity=severity, timeout=timeout, markup=False)

    def copy_text(self, text: str, what: str) -> None:
        """Puts text on the clipboard (OSC 52: also over ssh), line by line as it is shown. Never called with a value,
        and with a line break only where one is meant: pasted into a shell, it would send off what stands before it."""
        self.copy_to_clipboard("\n".join(printable(line, len(line)) for line in text.split("\n")))
        self.notify(f"copied {what}", timeout=2)

    def show_error(self, error: SecretscanError) -> None:
        """An error, as a dialog that says what, where, why and what to do next."""
        from secretscan.tui.screens.dialogs import ErrorDialog

        self.push_screen(ErrorDialog(error))

    # the end

    def get_system_commands(self, screen: Screen[object]) -> Iterator[SystemCommand]:
        """None: the toolkit's own would write screenshots."""
        yield from ()

    def _handle_exception(self, error: Exception) -> None:
        """A mistake of ours ends the application with a message. The toolkit's traceback would print variables."""
        self.failure = unforeseen(error)
        self._return_code = 3
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()
