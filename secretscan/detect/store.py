"""Where the compiled form of the triggers is kept between runs: the user's cache folder.

What is stored is code for a native engine, so it is believed only from a folder and a file that belong to this user and
that nobody else can write, and only with its digest in front. Whenever anything about it is not as it should be, there
is no store, and the triggers are compiled anew: a fraction of a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat

__all__ = ["read", "write"]

# ruff: noqa: PTH102, PTH103, PTH105, PTH108, PTH111, PTH117, PTH118 - pathlib costs start-up time
_MOST_BYTES = 32 << 20
_DIGEST = hashlib.sha256().digest_size


def _folder() -> str:
    """The folder, made if need be; empty when it cannot be trusted or made."""
    if not hasattr(os, "geteuid"):
        base = os.environ.get("LOCALAPPDATA", "")
        place = os.path.join(base, "secretscan", "cache") if base else ""
        with contextlib.suppress(OSError):
            if place:
                os.makedirs(place, exist_ok=True)
        return place
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
        if not os.path.isabs(base):  # nobody's home: "~" would be a folder of the scanned tree
            return ""
    place = os.path.join(base, "secretscan")
    try:
        os.makedirs(base, mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(place, 0o700)
        status = os.lstat(place)
    except OSError:
        return ""
    good = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return place if good else ""


def read(name: str) -> bytes | None:
    """What was written under this name, or nothing."""
    folder = _folder()
    if not folder:
        return None
    try:
        handle = os.open(os.path.join(folder, name), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        own = not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)
        if not stat.S_ISREG(status.st_mode) or not own or status.st_size > _MOST_BYTES:
            return None
        data = file.read(_MOST_BYTES)
    return data[_DIGEST:] if hashlib.sha256(data[_DIGEST:]).digest() == data[:_DIGEST] else None


def write(name: str, data: bytes) -> None:
    """Keeps the data under this name, in place of what was there. Does nothing when that is not possible."""
    folder = _folder()
    if not folder:
        return
    place = os.path.join(folder, name)
    draft = f"{place}.{os.getpid()}"
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(data).digest() + data)
        os.replace(draft, place)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft)
