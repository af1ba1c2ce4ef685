"""Opens the application without a terminal, presses its keys, and reads what it shows.

All waiting has a deadline and none of it is a plain sleep: a test says what must become true, and gets the screen
into its failure when that does not happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import textual.app
from rich.segment import Segment
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from secretscan import api
from secretscan.tui import jobs
from secretscan.tui.actions import BY_NAME, in_scope
from secretscan.tui.app import Options, ReviewApp
from secretscan.tui.migration import Migration

__all__ = ["BY_SIZE", "SIZES", "Keys", "Session", "compare", "opened", "plain", "screen_text", "segments"]

SIZES = ((80, 24), (160, 50))
BY_SIZE = pytest.mark.parametrize(
    "size",
    [SIZES[0], pytest.param(SIZES[1], marks=pytest.mark.slow)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
DEADLINE_S = 30.0
"""Seconds until something that has not become true is a failure. Long, since machines that run tests are busy."""
_LOOK_S = 0.01
_GOLDEN = Path(__file__).with_name("screens")


def segments(app: App[Any]) -> list[list[Segment]]:
    """What is on screen, a list of pieces a line, with the styles that the terminal would get."""
    return [list(strip) for strip in app.screen._compositor.render_strips()]


def screen_text(app: App[Any]) -> str:
    """What is on screen as plain text: a line a row, without the blanks at its end."""
    lines = ("".join(piece.text for piece in line if not piece.control).rstrip() for line in segments(app))
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """The text with all blanks and line breaks as single blanks: for words that the width may have torn apart."""
    return " ".join(text.translate(_FRAME).split())


_FRAME = str.maketrans(dict.fromkeys("│─╭╮╰╯┌┐└┘▁▂▃▄▅▆▇█▔▕▎▊", " "))


@dataclass
class Said:
    """All that the application let out besides its screen, and every frame of the screen."""

    messages: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    screens: set[type[Screen[Any]]] = field(default_factory=set)
    keep_frames: bool = False


class Watched(ReviewApp):
    """The application as it is, with a record of what it says."""

    CSS_PATH = ReviewApp.CSS_PATH

    def __init__(self, root: Path, options: Options, migration: Migration, said: Said) -> None:
        self.said = said
        super().__init__(root, options, migration)

    def notify(self, message: str, **rest: Any) -> None:
        self.said.messages.append(f"{rest.get('title', '')} {message}")
        super().notify(message, **rest)

    def copy_to_clipboard(self, text: str) -> None:
        self.said.copied.append(text)
        super().copy_to_clipboard(text)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if self.said.keep_frames and screen is self.screen and screen.size:
            self.said.screens.add(type(screen))
            frame = screen_text(self)
            if not self.said.frames or self.said.frames[-1] != frame:
                self.said.frames.append(frame)
        super()._display(screen, renderable)


@dataclass
class Session:
    """An open application and the hands and eyes of its user."""

    app: Watched
    pilot: Pilot[int]
    said: Said
    jobs: list[jobs.Job[Any]]

    @property
    def text(self) -> str:
        """The screen as it is now."""
        return screen_text(self.app)

    @property
    def screen(self) -> str:
        """The name of the screen that is open."""
        return type(self.app.screen).__name__

    async def press(self, *keys: str) -> None:
        """Presses keys one by one, each when what the one before has set going in the interface is done."""
        for key in keys:
            await self.pilot.press(key)
            await self.drawn()

    async def drawn(self) -> None:
        """Waits until the messages under way are dealt with, those that they send too, and the screen is drawn."""
        for _ in range(3):
            await self.pilot._wait_for_screen()
        self.app.screen._on_timer_update()

    async def type(self, text: str) -> None:
        """Types a text, letter by letter."""
        for letter in text:
            await self.press({" ": "space"}.get(letter, letter))

    async def until(self, what: str | Callable[[], object], seconds: float = DEADLINE_S) -> None:
        """Waits until a text is on screen, or something holds."""
        deadline = time.monotonic() + seconds
        while True:
            await self.drawn()
            if self.app._exception is not None:
                raise AssertionError(f"the application failed: {self.app._exception!r}") from self.app._exception
            if (what in plain(self.text)) if isinstance(what, str) else what():
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.text}")
            await asyncio.sleep(_LOOK_S)

    async def on(self, screen: str, seconds: float = DEADLINE_S) -> None:
        """Waits until the screen of this name is open and at rest."""
        await self.until(lambda: self.screen == screen, seconds)
        await self.settled(seconds)

    async def settled(self, seconds: float = DEADLINE_S) -> None:
        """Waits until no job is at work and the screen stays as it is."""
        before = ""
        since = time.perf_counter()

        def rests() -> bool:
            nonlocal before, since
            now = self.text
            if now != before or any(map(_at_work, self.jobs)):
                before, since = now, time.perf_counter()
            return time.perf_counter() - since > _REST_S

        await self.until(rests, seconds)


def _at_work(job: jobs.Job[Any]) -> bool:
    """Whether something may come of a job yet: of one whose screen is closed nothing does."""
    return not job.ended and (job.owner.is_attached or not job.join(0))


_REST_S = 0.11
"""Seconds without a change after which a screen is at rest: longer than any timer of the application that a key starts,
but for the one of the preview."""


@asynccontextmanager
async def opened(
    root: Path,
    *,
    size: tuple[int, int] = (80, 24),
    theme: str = "textual-dark",
    frames: bool = False,
    notifications: bool = False,
    **options: Any,
) -> AsyncIterator[Session]:
    """The application on a folder. `frames` keeps every frame that it draws, `notifications` shows its messages."""
    said = Said(keep_frames=frames)
    chosen = Options(targets=(str(root),), **options)
    if not chosen.config.theme:
        chosen = replace(chosen, config=replace(chosen.config, theme=theme))
    folder = api.root_of(chosen.targets)
    migration = Migration(folder, chosen)
    app = Watched(folder, chosen, migration, said)
    started: list[jobs.Job[Any]] = []
    with _recorded(started), _prompt():
        try:
            async with app.run_test(size=size, notifications=notifications) as pilot:
                await pilot.pause()
                session = Session(app, pilot, said, started)
                yield session
                for job in started:
                    job.cancel()
        finally:
            for job in started:
                job.join(DEADLINE_S)
            migration.close()


@contextlib.contextmanager
def _prompt() -> Iterator[None]:
    """The toolkit's pilot waits after each key until the process does next to nothing, for up to a second: which a
    server in the same process rarely does. Here what is waited for is said."""
    waits = textual.app.wait_for_idle

    async def prompt(*_: object) -> None:
        await asyncio.sleep(0)

    textual.app.wait_for_idle = prompt  # type: ignore[assignment]
    try:
        yield
    finally:
        textual.app.wait_for_idle = waits


@contextlib.contextmanager
def _recorded(started: list[jobs.Job[Any]]) -> Iterator[None]:
    start = jobs.Job.start

    def recorded(self: jobs.Job[Any]) -> jobs.Job[Any]:
        started.append(self)
        return start(self)

    jobs.Job.start = recorded  # type: ignore[method-assign]
    try:
        yield
    finally:
        jobs.Job.start = start  # type: ignore[method-assign]


def compare(text: str, name: str, *, update: bool) -> None:
    """Compares a screen with the file that holds how it should look, or writes that file."""
    path = _GOLDEN / f"{name}.txt"
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return
    assert path.exists(), f"{path.name} is not there; pytest --update-screens makes it:\n{text}"
    expected = path.read_text("utf-8")
    if text != expected:
        lines = difflib.unified_diff(expected.splitlines(), text.splitlines(), path.name, "now", lineterm="")
        raise AssertionError("the screen looks different (pytest --update-screens takes it):\n" + "\n".join(lines))


def stable_key(state: Path) -> None:
    """A key for the ids of secrets that is the same in every run, so that ids on screen are."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = state / "id.key"
    key.touch(mode=0o600)
    key.write_text("5e" * 32 + "\n")
    key.chmod(0o600)


class Keys:
    """Presses the keys of one scope, each of which must do something; knows at the end which were not pressed.

    A key must make true what is asked of it, and that must not have been true before.
    """

    def __init__(self, session: Session, scope: str) -> None:
        self.session = session
        self.scope = scope
        self.left = {action.id for action in in_scope(scope)}

    async def __call__(self, action: str, what: str | Callable[[], object], key: str = "") -> None:
        """Presses the key of an action (its first one, or `key`) and waits for what it does."""
        keys = BY_NAME[f"{self.scope}.{action}"].keys.split(",")
        assert not key or key in keys
        name = f"{self.scope}.{action} ({key or keys[0]})"
        before = what in plain(self.session.text) if isinstance(what, str) else what()
        assert not before, f"{name}: what the key is to do is so before\n{self.session.text}"
        await self.session.press(key or keys[0])
        try:
            await self.session.until(what)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
        self.left.discard(action)

    async def disabled(self, action: str) -> None:
        """The action is not open now: its key changes nothing."""
        key = BY_NAME[f"{self.scope}.{action}"].keys.split(",")[0]
        await self.session.settled()
        before = self.session.text
        await self.session.press(key)
        await self.session.settled()
        assert self.session.text == before, f"{self.scope}.{action} does something\n{self.session.text}"
        self.left.discard(action)

    async def __aenter__(self) -> Keys:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            assert not self.left, f"keys of {self.scope} that no test presses: {sorted(self.left)}"
