"""Files of the user: read within bounds, replaced whole or not at all, and only if still what was planned on."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from secretscan.errors import ChangedSince, UsageError
from secretscan.inventory.folder import read_plain

__all__ = ["check_writable", "create", "inside", "read", "remove", "replace", "sweep", "sync_folder"]

MAX_BYTES = 64 * 1024 * 1024
_NEXT = "plan again"
_DRAFT = re.compile(r"\..+\.[0-9a-f]{8}\.secretscan", re.DOTALL)


def inside(root: Path, path: str) -> Path:
    """The place of a plan's path below the root. Raises `UsageError` for one that leads out of it, by its text or
    through a link: a plan may come from somebody else."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts or "\0" in path:
        raise UsageError(
            "a path of the plan leads out of its root", where=path, next_step="make the plan again yourself"
        )
    place = root.joinpath(*pure.parts)
    if not place.parent.resolve().is_relative_to(root.resolve()):
        raise UsageError("a path of the plan leads out of its root through a link", where=path, next_step=_NEXT)
    return place


def read(root: Path, path: str) -> bytes | None:
    """The bytes of a regular file, or `None` when nothing is there. Raises `ChangedSince` for anything else."""
    place = inside(root, path)
    try:
        return read_plain(place, MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ChangedSince("cannot read a file of the plan", where=path, why=why, next_step=_NEXT) from None


def replace(root: Path, path: str, data: bytes, expected: Callable[[bytes], bool]) -> None:
    """Replaces the file by `data` in one step, keeping mode, owner and extended attributes.

    Its bytes are checked with `expected` at the last moment. A crash leaves the old file or the new one, and at most a
    draft beside it, which `sweep` removes. Raises `ChangedSince`, or `UsageError` when the folder cannot be written.
    """
    place = inside(root, path)
    current = read(root, path)
    if current is None or not expected(current):
        raise ChangedSince("a file has changed since it was planned on", where=path, next_step=_NEXT)
    draft: Path | None = None
    try:
        info = place.stat(follow_symlinks=False)
        draft = _draft(place, data, stat.S_IMODE(info.st_mode))
        if os.geteuid() == 0 or (info.st_uid, info.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, info.st_uid, info.st_gid)
            os.chmod(draft, stat.S_IMODE(info.st_mode))  # noqa: PTH101 - chown clears set-id bits
        for name in os.listxattr(place, follow_symlinks=False):
            value = os.getxattr(place, name, follow_symlinks=False)
            if name not in os.listxattr(draft, follow_symlinks=False) or os.getxattr(draft, name) != value:
                os.setxattr(draft, name, value, follow_symlinks=False)
        if read(root, path) != current:
            raise ChangedSince("a file changed while it was being rewritten", where=path, next_step=_NEXT)
        os.replace(draft, place)  # noqa: PTH105
        draft = None
        sync_folder(place.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def create(root: Path, path: str, data: bytes, *, executable: bool, was: bytes | None) -> None:
    """Makes a file of ours, or replaces the bytes `was`. Raises `ChangedSince` when something else stands there."""
    place = inside(root, path)
    current = read(root, path)
    if current == data:
        return
    if current != was:
        raise ChangedSince(
            "a file that would be made is there already", where=path, next_step="move it away and " + _NEXT
        )
    if current is not None:
        replace(root, path, data, lambda now: now == was)
        return
    mask = os.umask(0)
    os.umask(mask)
    draft = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(place, data, (0o777 if executable else 0o666) & ~mask)
        try:
            os.link(draft, place)  # unlike a rename this never replaces what appeared meanwhile
        except FileExistsError:
            raise ChangedSince("a file that would be made is there already", where=path, next_step=_NEXT) from None
        sync_folder(place.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def remove(root: Path, path: str, data: bytes) -> None:
    """Removes a file of ours, which holds `data`. Raises `ChangedSince` when it holds something else."""
    place = inside(root, path)
    if read(root, path) != data:
        raise ChangedSince("a file has changed since it was made", where=path, next_step="remove it by hand")
    try:
        place.unlink()
        sync_folder(place.parent)
    except OSError as error:
        raise _unwritable(path, error) from None


def check_writable(root: Path, path: str) -> bool:
    """Whether a file has other names, which would keep what they have (hard links).

    Raises `UsageError` when the file's folder takes no changes, or a file would not keep its owner: to be asked before
    anything is done. A file or folder that is not there yet is judged by the folder above.
    """
    place = inside(root, path)
    folder = place.parent
    while not folder.is_dir() and folder != root:
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    try:
        info = place.lstat()
    except OSError:
        return False
    if os.geteuid() not in (0, info.st_uid):
        raise UsageError(
            "cannot write a file",
            where=path,
            why="it belongs to another user, and would not any more",
            next_step="give the command as its owner",
        )
    return info.st_nlink > 1


def sweep(root: Path, path: str) -> None:
    """Removes drafts of this file that a crash left behind."""
    place = inside(root, path)
    if place.parent.is_dir():
        for entry in os.scandir(place.parent):
            if _DRAFT.fullmatch(entry.name) and entry.name.startswith(f".{place.name}.") and not entry.is_dir():
                os.unlink(entry.path)  # noqa: PTH108


def _draft(place: Path, data: bytes, mode: int) -> Path:
    """A file beside the place, on disk with these bytes. Raises `OSError`, and then leaves none."""
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}.secretscan")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except FileExistsError:
        raise
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _unwritable(path: str, error: OSError) -> UsageError:
    return UsageError(
        "cannot write a file",
        where=path,
        why=error.strerror or type(error).__name__,
        next_step=(
            "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make the file and its folder writable"
        )
        + ", then give the same command again: it goes on where it stopped",
    )


def sync_folder(folder: Path) -> None:
    """Puts a folder's entries on disk. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
