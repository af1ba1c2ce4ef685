"""The embedded vault in the foreground, for `secretscan vault serve`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from secretscan.errors import ConfigurationError

from .embedded import EmbeddedVault
from .faults import Faults
from .records import VaultSettings

_LOOK_SECONDS: Final = 0.1
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class DescriptorTakenError(ConfigurationError):
    """The descriptor's place is taken: by a server that still runs, or by a file that is no descriptor."""


def serve(
    descriptor_path: str,
    *,
    say: Callable[[str], None],
    names: Sequence[str] = ("local",),
    open_names: bool = False,
    port: int = 0,
    faults: Faults | None = None,
    settings: VaultSettings | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Run an embedded vault until SIGINT, SIGTERM or `stop`.

    Once it answers, `descriptor_path` holds where it is and its token: JSON, mode 0600, there at once and whole. The
    authority's certificate is beside it (`.ca.pem`). Both are removed at the end. `say` gets each line meant for a
    person, none of which holds the token. Signals are only minded in the main thread.

    Raises `DescriptorTakenError`, `ValueError` for a bad vault name, `OSError` if the port is taken or the folder
    cannot be written to.
    """
    path = Path(descriptor_path).absolute()
    ca_path = path.with_name(path.name + ".ca.pem")
    _clear_stale(path, ca_path)
    stop = stop or threading.Event()
    with (
        _signals_minded() as signalled,
        EmbeddedVault(
            names, open_names=open_names, faults=faults, settings=settings, port=port, ca_file=ca_path
        ) as vault,
    ):
        written = describe(path, vault)
        try:
            for line in _lines(vault, path):
                say(line)
            # Not one long wait: the kernel may give the signal to another thread, and then nothing wakes this one.
            while not (signalled or stop.wait(_LOOK_SECONDS)):
                pass
        finally:
            _remove_own(path, written)


def _lines(vault: EmbeddedVault, path: Path) -> Iterator[str]:
    for name in vault.names:
        yield f"vault {name}: {vault.url(name)}, or {vault.azure_url(name)} through the proxy {vault.proxy_url}"
    yield f"certificate authority: {vault.ca_file}"
    yield f"descriptor with the token: {path}"
    yield "secrets are kept in memory only and are gone when this ends (Ctrl-C)"


def describe(path: Path, vault: EmbeddedVault) -> bytes:
    """Writes the descriptor of a vault, mode 0600, there at once and whole; what was written."""
    body = {
        "url": vault.url(),
        "azure_url": vault.azure_url(),
        "vaults": {name: {"url": vault.url(name), "azure_url": vault.azure_url(name)} for name in vault.names},
        "proxy": vault.proxy_url,
        "ca_file": str(vault.ca_file),
        "token": vault.token,
        "pid": os.getpid(),
    }
    content = (json.dumps(body, indent=2) + "\n").encode()
    # mkstemp makes the file 0600, so the token is never readable by others, not even for a moment.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return content


def _remove_own(path: Path, written: bytes) -> None:
    with contextlib.suppress(OSError):
        if path.read_bytes() == written:
            path.unlink()


def _clear_stale(path: Path, ca_path: Path) -> None:
    """Make room where a server was killed. One that still runs keeps its descriptor."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        found = None
    except (ValueError, RecursionError):
        found = {}
    match found:
        case None:
            pass
        case {"pid": int(pid), "proxy": str(proxy)}:
            # Not by the process id: it may belong to another program by now, or to this one after a restart.
            if _answers(proxy):
                raise DescriptorTakenError(
                    "another embedded vault is running",
                    where=str(path),
                    why=f"process {pid} wrote this descriptor and still answers",
                    next_step="end it, or name another descriptor",
                )
        case _:
            raise DescriptorTakenError(
                "this file is no descriptor of an embedded vault, so it is left alone",
                where=str(path),
                next_step="name another descriptor",
            )
    path.unlink(missing_ok=True)
    ca_path.unlink(missing_ok=True)


def _answers(proxy: str) -> bool:
    port = proxy.rpartition(":")[2]
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 1 << 16):
        return False
    try:
        socket.create_connection(("127.0.0.1", int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _signals_minded() -> Iterator[list[int]]:
    """The signals that came, in a list that grows: an event's lock must not be taken by a signal's handler."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {one: signal.signal(one, note) for one in _SIGNALS}
    try:
        yield came
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
