"""A listener on 127.0.0.1 and nowhere else, one thread a connection, all of which end with it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

_HOST: Final = "127.0.0.1"
_CONNECTIONS: Final = 256
"""More than these at once are closed unanswered. The SDK's pool opened 137 with 32 threads."""
_PATIENCE: Final = 5.0
_BREATH: Final = 0.05


class Connection:
    """An accepted connection. `socket` is what it is now: plain at first, perhaps TLS later."""

    __slots__ = ("socket",)

    def __init__(self, channel: socket.socket) -> None:
        self.socket = channel

    def interrupt(self) -> None:
        """End it from another thread: whoever reads from it reads the end."""
        with contextlib.suppress(OSError):
            # Not through ssl.SSLSocket.shutdown, which would pull the TLS object from under a reader.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Listener:
    """Accepts connections and lets `converse` have each, in a thread of its own.

    A mistake in `converse` ends its connection; its type and place (never its text, which might hold a value) are
    kept in `failures`.
    """

    def __init__(self, port: int, converse: Callable[[Connection], None]) -> None:
        self._socket = socket.create_server((_HOST, port), backlog=128)
        self._converse = converse
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, Connection] = {}
        self._closing = False
        self._accepting = threading.Thread(target=self._accept, name="vault-accept", daemon=True)
        self.failures: list[str] = []
        self.port: int = self._socket.getsockname()[1]
        self._accepting.start()

    def close(self) -> None:
        """Stop accepting, end every connection, wait for its thread. Returns within seconds; may be called again."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        # A blocking accept() is only sure to wake for a connection.
        with contextlib.suppress(OSError), socket.create_connection((_HOST, self.port), timeout=_PATIENCE):
            self._accepting.join(_PATIENCE)
        self._socket.close()
        with self._lock:
            running = dict(self._open)
        for connection in running.values():
            connection.interrupt()
        for thread in running:
            thread.join(_PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._socket.accept()
            except OSError:
                if self._closing:
                    return
                time.sleep(_BREATH)  # out of file descriptors, most likely: let some connections end
                continue
            with self._lock:
                if self._closing or len(self._open) >= _CONNECTIONS:
                    channel.close()
                    if self._closing:
                        return
                    continue
                connection = Connection(channel)
                thread = threading.Thread(target=self._run, args=(connection,), name="vault-connection", daemon=True)
                self._open[thread] = connection
            thread.start()

    def _run(self, connection: Connection) -> None:
        try:
            self._converse(connection)
        except OSError:
            pass  # the other side went away, or does not trust us
        except Exception as error:  # noqa: BLE001  # the default would print a traceback with its text
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.failures.append(f"{type(error).__name__} in {place.name}, line {place.lineno}")
        finally:
            connection.socket.close()
            with self._lock:
                del self._open[threading.current_thread()]
