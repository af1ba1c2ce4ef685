"""What people said of findings, in `.secretscan-ignore` in the root: false alarms, accepted risks, placeholders.

The file is theirs and goes into git: one entry a line, a JSON object, so that a merge is right when it takes the lines
of both sides. Empty lines and those that begin with `#` are comments. Changing an entry leaves every other line as it
is, byte for byte.

A checkout may bring any file, so it is read as data, within bounds and never through a link. What is not an entry is
listed with its line, and marks nothing. An entry names a secret by its keyed id, which nobody without the key can make
up: entries under another key mark nothing either, and are counted.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, get_args

from rewriters import Plaintext
from secretscan.errors import UsageError
from secretscan.inventory.folder import IGNORE_FILE, read_plain
from secretscan.inventory.ids import Ids

__all__ = ["KINDS", "Flaw", "Mark", "MarkKind", "Marks", "add", "load_marks", "quoting", "remove"]

MarkKind = Literal["false-alarm", "accepted", "placeholder"]
"""`false-alarm`: no credential; `accepted`: one that stays, somebody answers for it; `placeholder`: nothing to keep."""

KINDS: tuple[MarkKind, ...] = get_args(MarkKind)

MAX_BYTES = 16 * 1024 * 1024
MAX_LINES = 100_000
MAX_LINE = 8 * 1024
"""Bytes of one entry."""
MAX_FLAWS = 100
"""Flaws that are kept one by one; more are counted."""

_HEADER = (
    b"# What secretscan leaves out of its findings, one entry a line. Merge it by keeping the lines of both sides.\n"
)
_SECRET = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{16}")
_FIELDS = {
    "mark": "kind",
    "id": "secret",
    "path": "path",
    "reason": "reason",
    "owner": "owner",
    "until": "until",
    "made-under": "key",
}
"""Fields of an entry in the file, and those of a `Mark`. Scanners take hexadecimal digits for a credential where the
name says `secret` or `key`, ours too."""

_AROUND = "\"'`.,;:!?()[]{}<>"
"""What stands around a word in prose."""
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person said of a secret: everywhere, or (`path`) in one file only.

    `until` is the last day on which it holds, as an ISO date; empty is for ever. `key` is the fingerprint of the key
    under which `secret`, the id, was made.
    """

    kind: MarkKind
    secret: str
    path: str = ""
    reason: str = ""
    owner: str = ""
    until: str = ""
    key: str = ""

    def active(self, today: date) -> bool:
        return not self.until or self.until >= today.isoformat()

    def fault(self) -> str:
        """Why this cannot be an entry, or `""`."""
        return _fault(self) or (f"it is longer than {MAX_LINE} bytes" if len(_line(self)) > MAX_LINE else "")


@dataclass(frozen=True, slots=True)
class Flaw:
    """A line of the file that is no entry, and why. Line 0 is the whole file. `reason` quotes nothing of it."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"{IGNORE_FILE}{f':{self.line}' if self.line else ''}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Marks:
    """The entries under this user's key, in the order of the file, and what else is in it.

    `foreign` counts the entries under other keys, `flawed` the lines that are no entries; `flaws` are the first of
    those.
    """

    entries: tuple[Mark, ...] = ()
    foreign: int = 0
    flaws: tuple[Flaw, ...] = ()
    flawed: int = 0
    _index: dict[tuple[str, str], list[Mark]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[tuple[str, str], list[Mark]] = {}
        for mark in self.entries:
            index.setdefault((mark.secret, _plain(mark.path)), []).append(mark)
        object.__setattr__(self, "_index", index)

    def of(self, secret: str, path: str, today: date) -> Mark | None:
        """The mark that holds today for a secret in a file: one for that file before one for all, and of several (a
        merge took both sides) the last in the file."""
        for where in (_plain(path), ""):
            for mark in reversed(self._index.get((secret, where), ())):
                if mark.active(today):
                    return mark
        return None

    def expired(self, today: date) -> tuple[Mark, ...]:
        """Those that hold no longer."""
        return tuple(mark for mark in self.entries if not mark.active(today))


def load_marks(root: Path, fingerprint: str) -> Marks:
    """What the file of a root says to the holder of the key with this fingerprint. A file that cannot be read marks
    nothing, and is a flaw."""
    try:
        data = _read(root)
    except OSError as error:
        return Marks(flaws=(Flaw(0, _why(error)),), flawed=1)
    if data.count(b"\n") > MAX_LINES:
        return Marks(flaws=(Flaw(0, f"it has more than {MAX_LINES} lines"),), flawed=1)
    entries: list[Mark] = []
    flaws: list[Flaw] = []
    foreign = flawed = 0
    for number, line in enumerate(data.split(b"\n"), start=1):
        if _comment(line):
            continue
        found = _parse(line)
        if isinstance(found, str):
            flawed += 1
            if len(flaws) < MAX_FLAWS:
                flaws.append(Flaw(number, found))
        elif found.key == fingerprint:
            entries.append(found)
        else:
            foreign += 1
    return Marks(tuple(entries), foreign, tuple(flaws), flawed)


def add(root: Path, marks: Sequence[Mark]) -> None:
    """Takes marks into the file, each in the place of what it said of the same secret and path before.

    Raises `UsageError` for a mark that cannot be an entry, and for a file that cannot be read or written.
    """
    new: dict[tuple[str, str, str], Mark] = {}
    for mark in marks:
        if fault := mark.fault():
            raise UsageError("this cannot be marked", where=mark.secret[:8], why=fault)
        new[_subject(mark)] = mark

    def change(lines: list[bytes]) -> Iterable[bytes]:
        todo = dict(new)
        end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
        kept: list[bytes] = []
        for line in lines:
            was = None if _comment(line) else _parse(line)
            if not isinstance(was, Mark) or _subject(was) not in new:
                kept.append(line)
            elif mark := todo.pop(_subject(was), None):
                kept.append(line if was == mark else _line(mark) + end)
        if kept and todo and not kept[-1].endswith(b"\n"):
            kept[-1] += end
        head = (_HEADER,) if todo and not lines else ()
        return *head, *kept, *(_line(mark) + end for mark in todo.values())

    _rewrite(root, change)


def remove(root: Path, marks: Sequence[Mark]) -> None:
    """Takes entries out of the file, which are equal to one of these; one that is not there is no error. A file in
    which nothing of anybody is left is removed. Raises `UsageError` for a file that cannot be read or written."""
    gone = frozenset(marks)

    def change(lines: list[bytes]) -> Iterable[bytes]:
        kept = [line for line in lines if _comment(line) or _parse(line) not in gone]
        return () if kept == [_HEADER] else kept

    _rewrite(root, change)


def quoting(marks: Iterable[Mark], ids: Ids) -> Mark | None:
    """The first mark of which reason or owner hold the value itself, as all of the text or as a word of it: seen by its
    id, under the key of `ids`. The file goes into git."""
    seen: dict[str, frozenset[str]] = {}
    for mark in marks:
        for text in (mark.reason, mark.owner):
            if text not in seen:
                words = {text, text.strip(), *text.split(), *(word.strip(_AROUND) for word in text.split())}
                seen[text] = frozenset(ids.secret(Plaintext(word.encode("utf-8", "surrogatepass"))) for word in words)
            if mark.secret in seen[text]:
                return mark
    return None


def _subject(mark: Mark) -> tuple[str, str, str]:
    return mark.key, mark.secret, _plain(mark.path)


def _plain(path: str) -> str:
    """A path as the inventory has it: bytes of a name that are not UTF-8 as escapes."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()


def _comment(line: bytes) -> bool:
    return line.removeprefix(codecs.BOM_UTF8).strip()[:1] in (b"", b"#")


def _line(mark: Mark) -> bytes:
    """The entry without its line break. What a terminal would act upon, or that would hide text in a review, is
    escaped."""
    fields = {name: getattr(mark, of) for name, of in _FIELDS.items()}
    text = json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
    return text.encode()


def _parse(line: bytes) -> Mark | str:
    """The entry in a line, or why there is none."""
    if line[:7] in (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||"):
        return "a merge conflict is not resolved: keep the lines of both sides, and take this one out"
    if len(line) > MAX_LINE + 2:
        return f"it is longer than {MAX_LINE} bytes"
    try:
        raw = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return "it is no JSON object in which every field stands once"
    if not isinstance(raw, dict):
        return "it is no JSON object"
    if not raw.keys() <= _FIELDS.keys():  # one that is misspelt, or means more than this version knows
        return f"it has other fields than {', '.join(_FIELDS)}"
    if not all(isinstance(value, str) for value in raw.values()):
        return "a field is no text"
    if missing := [name for name in ("mark", "id", "reason", "made-under") if not raw.get(name)]:
        return f"it has no {missing[0]}"
    mark = Mark(**{of: raw.get(name, "") for name, of in _FIELDS.items()})
    return _fault(mark) or mark


def _fault(mark: Mark) -> str:
    """Why a mark of any length cannot be an entry, or `""`."""
    if mark.kind not in KINDS:
        return f"the mark is none of {', '.join(KINDS)}"
    if not _SECRET.fullmatch(mark.secret):
        return "the id of the secret is not 32 hexadecimal digits"
    if not _KEY.fullmatch(mark.key):
        return "the key under which the id was made is not given as 16 hexadecimal digits"
    if not mark.reason.strip():
        return "it has no reason"
    if mark.kind == "accepted" and not mark.owner.strip():
        return "it is accepted, and has no owner"
    if mark.until and not _is_date(mark.until):
        return "its last day is not a date such as 2027-01-31"
    return ""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object, unless a field stands twice: a reader would see one, and the other would count."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError
    return result


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _read(root: Path) -> bytes:
    """The file's bytes, none when there is no file. Raises `OSError` for what is not a plain file of bounded size."""
    try:
        return read_plain(root / IGNORE_FILE, MAX_BYTES)
    except FileNotFoundError:
        return b""


def _why(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a link, which is not followed"
    return error.strerror or type(error).__name__


def _rewrite(root: Path, change: Callable[[list[bytes]], Iterable[bytes]]) -> None:
    """Replaces the file's lines in one step; a crash leaves the old file or the new one, and at most a draft."""
    place = root / IGNORE_FILE
    draft = place.with_name(f"{IGNORE_FILE}.{secrets.token_hex(4)}.secretscan")
    try:
        with _alone(root):
            old = _read(root)
            new = b"".join(change(_LINES.findall(old)))
            if len(new) > MAX_BYTES or new.count(b"\n") > MAX_LINES:
                raise OSError(0, f"it would have more than {MAX_LINES} lines or {MAX_BYTES} bytes, and not be read")
            if new == old:
                return
            try:
                _write(draft, new, place)
                if _read(root) != old:
                    raise OSError(0, "somebody else changed it at this moment")
                if new:
                    os.replace(draft, place)  # noqa: PTH105
                else:
                    place.unlink()
                _sync(root)
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            "the ignore file cannot be changed",
            where=str(place),
            why=_why(error),
            next_step="make it a plain file in a folder that can be written, then do the same again",
        ) from None


def _write(draft: Path, data: bytes, place: Path) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        with suppress(FileNotFoundError):
            info = place.lstat()
            if (info.st_uid, info.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, info.st_uid, info.st_gid)
            os.fchmod(handle, stat.S_IMODE(info.st_mode))
        os.fsync(handle)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One change at a time: another process, or thread, of ours waits. Raises `OSError`."""
    import fcntl

    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file system without locks: what others changed is still seen before the file is
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync(root: Path) -> None:
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
