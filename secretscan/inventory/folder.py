"""`.secretscan/` in a root: made for its owner only, kept out of git, and trusted in nothing.

A checkout may bring such a folder, with links, pipes or endless files in it. So nothing in it is reached through a
link, and what is read is a plain file of bounded size.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from secretscan.errors import InventoryBroken

__all__ = ["IGNORE_FILE", "NAME", "folder_of", "read_plain"]

NAME = ".secretscan"
IGNORE_FILE = ".secretscan-ignore"
"""Beside it in the root, and kept in git: what people said of findings (`secretscan.inventory.marks`)."""


def folder_of(root: Path) -> Path:
    """The folder, made on first use. Raises `InventoryBroken` when it is a link or no folder, and `OSError`."""
    folder = root / NAME
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        mode = folder.lstat().st_mode
        if not stat.S_ISDIR(mode):
            kind = "a link" if stat.S_ISLNK(mode) else "no folder"
            raise InventoryBroken(
                f"the inventory's folder is {kind}", where=str(folder), next_step="remove it and run again"
            ) from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO) and folder.stat().st_uid == os.geteuid():
            folder.chmod(0o700)
    if not os.path.lexists(folder / ".gitignore"):
        handle = os.open(folder / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, b"*\n")
        finally:
            os.close(handle)
    return folder


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of a plain file that is not reached through a link. Raises `OSError`, also for anything else than a
    plain file and for one of more than `most` bytes."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            raise OSError(0, "it is not a plain file")
        if info.st_size > most:
            raise OSError(0, "it is too large")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(handle)
