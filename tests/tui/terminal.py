"""A real terminal for tests: starts a program in tmux at a size, presses its keys, and reads what is on screen.

Each terminal is a tmux server of its own, with a socket in a folder of the test's, and without anybody's settings.
When the program has ended, the terminal stays, so that a test can look at how it was left.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["NOT_THERE", "Terminal", "missing"]

DEADLINE_S = 60.0
_LOOK_S = 0.05
_KEYS = {
    "enter": "Enter", "escape": "Escape", "space": "Space", "tab": "Tab", "shift+tab": "BTab", "backspace": "BSpace",
    "up": "Up", "down": "Down", "left": "Left", "right": "Right", "home": "Home", "end": "End", "pageup": "PageUp",
    "pagedown": "PageDown", "question_mark": "?", "slash": "/", "colon": ":", "f1": "F1",
}  # fmt: skip
"""Keys by the application's names, as tmux calls them; letters are called alike, `ctrl+p` is `C-p`."""

NOT_THERE = "tmux is not installed: real terminals are not tried here"


def missing() -> bool:
    """Whether there is no tmux here."""
    return shutil.which("tmux") is None


class Terminal:
    """One program in one terminal. Use it as a context manager; what still runs at the end is hung up on."""

    def __init__(
        self,
        argv: Sequence[str],
        folder: Path,
        *,
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """`folder` is where process number and exit status go; `environment` comes on top of the present one."""
        folder.mkdir(parents=True, exist_ok=True)
        self._short = Path(tempfile.mkdtemp(prefix="tmux-"))  # a socket's path may have about a hundred letters
        self._socket = self._short / "s"
        self._pid = folder / "pid"
        self._status = folder / "status"
        # A shell waits for the program, as in every terminal. `exec` keeps the number that was written down.
        inner = f"echo $$ > {shlex.quote(str(self._pid))}; exec {shlex.join(argv)}"
        script = (
            f"sh -c {shlex.quote(inner)}; echo $? > {shlex.quote(str(self._status))}; echo; stty -a; exec sleep 3600"
        )
        width, height = size
        variables = {**os.environ, **(environment or {})}
        variables.pop("TMUX", None)
        self._run(
            *("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height)),
            *("-c", str(cwd or folder), "sh", "-c", script),
            environment=variables,
        )
        self._run("set-option", "-g", "status", "off")
        self._run("set-option", "-s", "escape-time", "0")
        self._run("set-option", "-s", "set-clipboard", "on")
        self._run("set-option", "-g", "window-size", "manual")
        self.resize(width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()

    # its user

    def press(self, *keys: str) -> None:
        """Presses keys, by the names that the table of actions has for them."""
        for key in keys:
            name = f"C-{key[5:]}" if key.startswith("ctrl+") else _KEYS.get(key, key)
            self._run("send-keys", name)

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def click(self, text: str) -> None:
        """Clicks on the first place where the text is on screen."""
        row, line = next((row, line) for row, line in enumerate(self.screen.splitlines(), 1) if text in line)
        column = line.index(text) + 1
        self._run("send-keys", "-l", f"\x1b[<0;{column};{row}M")
        self._run("send-keys", "-l", f"\x1b[<0;{column};{row}m")

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-x", str(width), "-y", str(height))

    @property
    def screen(self) -> str:
        """What is on screen, a line a row."""
        return self._run("capture-pane", "-p")

    @property
    def bytes_seen(self) -> str:
        """The screen with its colours, as escape sequences."""
        return self._run("capture-pane", "-p", "-e")

    @property
    def clipboard(self) -> str:
        """What the program has put on the clipboard last."""
        return self._run("show-buffer")

    def at_rest(self) -> str:
        """The screen once it stays as it is for half a second."""
        while True:
            before = self.screen
            time.sleep(0.5)
            if self.screen == before:
                return before

    def until(self, what: str | Callable[[str], object], seconds: float = DEADLINE_S) -> str:
        """Waits until a text is on screen (wherever its lines break), or something holds of the screen; returns it."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen
            if (what in " ".join(screen.split())) if isinstance(what, str) else what(screen):
                return screen
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{screen}")
            time.sleep(_LOOK_S)

    # the program

    @property
    def pid(self) -> int:
        self.wait_for(self._pid.exists)
        self.wait_for(lambda: self._pid.read_text().strip())
        return int(self._pid.read_text())

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self, seconds: float = DEADLINE_S) -> int:
        """Waits for the program's end and returns its exit status."""
        self.wait_for(lambda: self._status.exists() and self._status.read_text().strip(), seconds)
        self.until("speed")  # the first word of the terminal's settings
        return int(self._status.read_text())

    def wait_for(self, holds: Callable[[], object], seconds: float = DEADLINE_S) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s\n{self.screen}")
            time.sleep(_LOOK_S)

    def modes(self) -> dict[str, str]:
        """How the terminal is set: what a program must put back when it ends."""
        names = ("alternate_on", "mouse_any_flag", "mouse_sgr_flag", "cursor_flag", "keypad_cursor_flag", "insert_flag")
        values = self._run("display-message", "-p", " ".join(f"#{{{name}}}" for name in names)).split()
        settings = self.screen
        return {
            **dict(zip(names, values, strict=True)),
            "echo": "off" if "-echo " in settings else "on",
            "lines": "off" if "-icanon" in settings else "on",
        }

    def hang_up(self) -> None:
        """Closes the terminal under its program."""
        self._run("kill-server", check=False)
        shutil.rmtree(self._short, ignore_errors=True)

    def _run(self, *words: str, environment: Mapping[str, str] | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", str(self._socket), *words],
            capture_output=True,
            env=None if environment is None else dict(environment),
            check=False,
            timeout=DEADLINE_S,
        )
        if check and done.returncode:
            raise AssertionError(f"tmux {words[0]}: {done.stderr.decode('utf-8', 'replace')}")
        return done.stdout.decode("utf-8", "replace")


RESTORED = {
    "alternate_on": "0",
    "mouse_any_flag": "0",
    "mouse_sgr_flag": "0",
    "cursor_flag": "1",
    "keypad_cursor_flag": "0",
    "insert_flag": "0",
    "echo": "on",
    "lines": "on",
}
"""What `modes` says of a terminal as a shell wants it."""
