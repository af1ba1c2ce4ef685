"""A folder, or one file, as a source.

Every regular file is given once, at the place where it really is. A symbolic link is not followed: what it leads to
inside of the root is given at its own place, and what lies outside is named as not scanned, so a link in a hostile
checkout cannot pull in files of the machine. Nothing is opened here; `TreeFile.open` refuses whatever is not a regular
file any more by then.

Left out without a word: `.git` (history is not a tree) and `.secretscan` (our own state). Nothing else is, neither
ignored files nor `node_modules`: a `.env` is ignored by git in most repositories, and is what we are looking for.
"""

from __future__ import annotations

# ruff: noqa: PTH100, PTH116, PTH118, PTH119, PTH206 - pathlib costs start-up time, and surrogates in names stay as they are
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from secretscan.errors import UsageError
from secretscan.model import Unscanned

__all__ = ["SKIPPED", "TreeFile", "pick", "walk"]

SKIPPED = frozenset((".git", ".secretscan"))
"""Names that are left out: version control's own store (a file of this name, too, in a worktree), and ours."""

_MOST_FOLDERS_DEEP = 200

_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_SPECIAL = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A regular file below the root. `path` is relative, with `/`; bytes of a name that are not UTF-8 are carried as
    lone surrogates, as `os.fsdecode` does."""

    path: str
    size: int
    place: str = field(repr=False)
    """The path to open, relative to the process's working folder or absolute."""

    def open(self) -> BinaryIO:
        """The file, unbuffered. Raises `OSError`; also when it has become something other than a regular file."""
        handle = os.open(self.place, _OPEN)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError("it is not a regular file any more")
            return os.fdopen(handle, "rb", buffering=0)
        except BaseException:
            os.close(handle)
            raise


def walk(root: str | os.PathLike[str], targets: tuple[str, ...] = ("",)) -> Iterator[TreeFile | Unscanned]:
    """The files of a folder in the order of their paths, folder by folder; or the one file that `root` is.

    `targets` are folders or files below the root, as relative paths, to which the walk is restricted (`""` is the root
    itself); paths stay relative to the root, and what two targets share is given once. The root itself may be a link.
    What cannot be read is an `Unscanned`. Raises `UsageError`, at the call, when there is no such folder or file.
    """
    base = os.fspath(root)
    starts: list[tuple[str, os.stat_result]] = []
    for target in sorted(set(targets)):
        if not any(target == start or start in ("", ".") or target.startswith(f"{start}/") for start, _ in starts):
            starts.append((target, _status(os.path.join(base, target) if target else base)))
    return _starts(base, starts)


def pick(root: str | os.PathLike[str], path: str) -> TreeFile:
    """The file that `walk` gives under this path. Raises `OSError` when it would not give it now: nothing is there, a
    link is on the way, it is left out, or it is no regular file."""
    steps = path.split("/")
    if "\0" in path or not SKIPPED.union(("", ".", "..")).isdisjoint(steps):
        raise OSError("it is not a path of a scan")
    place = os.fspath(root)
    for step in steps:
        place = os.path.join(place, step)
        status = os.lstat(place)
        if stat.S_ISLNK(status.st_mode):
            raise OSError("it is behind a symbolic link, which is not followed")
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is a folder" if stat.S_ISDIR(status.st_mode) else f"it is {_special(status.st_mode)}")
    return TreeFile(path, status.st_size, place)


def _status(place: str) -> os.stat_result:
    try:
        status = os.stat(place)
    except OSError as error:
        raise UsageError(
            "cannot scan this target",
            place,
            _why(error),
            "check the spelling and the permissions; without a target the current folder is scanned",
        ) from None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        kind = _special(status.st_mode)
        raise UsageError("cannot scan this target", place, f"it is {kind}", "give a folder or a regular file")
    return status


def _starts(base: str, starts: list[tuple[str, os.stat_result]]) -> Iterator[TreeFile | Unscanned]:
    real_root = os.path.realpath(base)
    for target, status in starts:
        path = "" if target == "." else target
        place = os.path.join(base, path) if path else base
        if stat.S_ISREG(status.st_mode):
            yield TreeFile(path or os.path.basename(os.path.abspath(base)), status.st_size, os.path.realpath(place))
        else:
            yield from _folder(path, place, real_root)


def _folder(start: str, place: str, real_root: str) -> Iterator[TreeFile | Unscanned]:
    # A stack of paths relative to the root; a folder's entries are pushed in reverse, so that they come out in order.
    todo: list[tuple[str, os.DirEntry[str] | None]] = [(start, None)]
    while todo:
        path, entry = todo.pop()
        try:
            if entry is not None:
                if entry.is_symlink():
                    yield from _link(path, entry.path, real_root)
                    continue
                if not entry.is_dir(follow_symlinks=False):
                    yield _file(path, entry)
                    continue
                if path.count("/") >= _MOST_FOLDERS_DEEP:
                    yield Unscanned(path, f"more than {_MOST_FOLDERS_DEEP} folders deep; scan this folder by itself")
                    continue
            with os.scandir(entry.path if entry is not None else place) as entries:
                inside = sorted((each for each in entries if each.name not in SKIPPED), key=_position, reverse=True)
        except OSError as error:
            yield Unscanned(path or ".", f"cannot be read: {_why(error)}")
            continue
        todo += ((f"{path}/{each.name}" if path else each.name, each) for each in inside)


def _position(entry: os.DirEntry[str]) -> bytes:
    return os.fsencode(entry.name)


def _file(path: str, entry: os.DirEntry[str]) -> TreeFile | Unscanned:
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return Unscanned(path, f"{_special(status.st_mode)}; only regular files are read")
    return TreeFile(path, status.st_size, entry.path)


def _link(path: str, place: str, real_root: str) -> Iterator[Unscanned]:
    """Nothing for a link to a place inside, which is scanned by itself, or to nothing at all."""
    try:
        target = os.path.realpath(place, strict=True)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Unscanned(path, f"a symbolic link that cannot be followed: {_why(error)}")
        return
    if target != real_root and not target.startswith(real_root.rstrip(os.sep) + os.sep):
        yield Unscanned(path, "a symbolic link that leads out of the scanned folder; scan its target by itself")
    elif SKIPPED.intersection(target[len(real_root) :].split(os.sep)):
        yield Unscanned(path, "a symbolic link into a folder that is left out")


def _special(mode: int) -> str:
    return next((name for test, name in _SPECIAL if test(mode)), "a special file")


def _why(error: OSError) -> str:
    """The system's words in lower case, without the path that `str(error)` repeats."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
