"""The toolkit's driver of the terminal, so that a terminal which goes away cannot keep the application from ending.

A terminal that is closed sends SIGHUP and then SIGCONT (POSIX, General Terminal Interface, "Modem Disconnect" and
`exit`). Textual 8.2.8 takes every SIGCONT for the end of a suspension and starts a second thread of input and of output
beside those at work; and its thread of output dies of the first write that fails, after which the end waits for ever
for room in that thread's queue.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, cast

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["TerminalDriver"]


class TerminalDriver(LinuxDriver):
    """The driver of Linux and macOS, for terminals that may be closed."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if self._file is not None:
            self._file = cast("Any", _MayBeClosed(self._file))

    def _sigcont_application(self, *_: object) -> None:
        """Goes on after a suspension of ours; at any other time nothing was stopped."""
        if self._must_signal_resume:
            super()._sigcont_application()


class _MayBeClosed:
    """A stream to a terminal, where what can't be written any more is dropped."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()
