"""Journals: every step, fsynced before and after it is taken, chained, and without a value.

One JSON object a line: `seq`, `at` (seconds since 1970), the record's own fields, and `chain`, the SHA-256 over the
line before. A crash can tear only the last line, which is cut off when the journal is opened again: what it would have
said is seen by looking (is the value in the vault, has the file its new digest). Any other damage stops the work.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Generic, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

from secretscan.errors import JournalBroken
from secretscan.inventory.folder import read_plain
from secretscan.run.files import sync_folder

__all__ = ["LAST_MOMENT", "Chain", "Entry", "Form", "Journal", "Record", "StepName", "entries"]

StepName = Literal[
    "begin", "store-intent", "stored", "rewrite-intent", "rewritten", "create-intent", "created", "proved",
    "done", "undo-begin", "restore-intent", "restored", "remove-intent", "removed", "delete-intent", "deleted",
    "undone",
]  # fmt: skip
"""Steps come in pairs: the intent is on disk before anything happens, the deed after it has."""

LAST_MOMENT = 2**37
"""In seconds since 1970: no later time is believed, since it has to be a date that can be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of a journal. `at` is when it was written, in seconds since 1970: 0 before it is."""

    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Entry(Record):
    """One step of a run. `subject` is a path, or a secret's id; `name` its vault name; `version` what the vault
    answered; `made` says that this run brought the value there."""

    step: StepName
    subject: str = ""
    name: str = ""
    version: str = ""
    made: bool = False


_START = "0" * 64
_R = TypeVar("_R", bound=Record)


@dataclass(frozen=True, slots=True)
class Form(Generic[_R]):
    """A kind of journal: its records, what messages call it, the bytes up to which it is read, and what to do about a
    damaged one."""

    kind: type[_R]
    name: str
    most: int
    cure: str


class Chain(Generic[_R]):
    """An open journal, locked against a second process. Use it as a context manager."""

    def __init__(self, path: Path, form: Form[_R]) -> None:
        """Opens or makes it. Raises `JournalBroken` when it is damaged or another process works with it."""
        self._path, self._form = path, form
        try:
            fresh = not path.exists()
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError as error:
            raise _unusable(path, form, error) from None
        try:
            self._prepare(fresh)
        except BaseException:
            os.close(self._file)
            raise

    def _prepare(self, fresh: bool) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JournalBroken(
                f"another process writes {self._form.name}",
                where=_place(self._path),
                next_step="wait for it to end",
            ) from None
        whole, self.entries, self._chain = _parse(self._path, self._form)
        try:
            if fresh:
                sync_folder(self._path.parent)
            if os.fstat(self._file).st_size != whole:
                os.ftruncate(self._file, whole)
                os.fsync(self._file)
        except OSError as error:
            raise _unusable(self._path, self._form, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def append(self, entry: _R) -> None:
        """Puts one step on disk; returns when it is there. Raises `JournalBroken` when the disk does not take it."""
        entry = replace(entry, at=round(time.time(), 3))
        record = {"seq": len(self.entries), **asdict(entry), "chain": self._chain}
        line = json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            raise _unusable(self._path, self._form, error) from None
        self._chain = sha256(line).hexdigest()
        self.entries.append(entry)


class Journal(Chain[Entry]):
    """The open journal of a run."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _RUN)
        self._latest = {(entry.step, entry.subject): entry for entry in self.entries}

    def append(self, entry: Entry) -> None:
        super().append(entry)
        self._latest[entry.step, entry.subject] = self.entries[-1]

    def last(self, step: StepName, subject: str = "") -> Entry | None:
        """The latest record of this step for this subject."""
        return self._latest.get((step, subject))


_RUN = Form(
    Entry,
    "the journal of this run",
    1024 * 1024 * 1024,
    "nothing was changed just now; put the journal back from a backup",
)


def entries(path: Path) -> list[Entry]:
    """The whole entries of a run's journal, without opening it for work. Raises `JournalBroken`."""
    return _parse(path, _RUN)[1]


def _parse(path: Path, form: Form[_R]) -> tuple[int, list[_R], str]:
    try:
        data = read_plain(path, form.most)
    except OSError as error:
        raise _unusable(path, form, error) from None
    whole = data.rfind(b"\n") + 1
    chain, result = _START, list[_R]()
    hints = get_type_hints(form.kind)
    for line in data[:whole].splitlines(keepends=True):
        try:
            record = json.loads(line)
            if record.pop("chain") != chain or record.pop("seq") != len(result):
                raise ValueError
            if not all(_fits(record[name], hints[name]) for name in record):
                raise ValueError
            result.append(form.kind(**record))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise JournalBroken(
                f"{form.name} is damaged", where=f"{_place(path)}, line {len(result) + 1}", next_step=form.cure
            ) from None
        chain = sha256(line).hexdigest()
    return whole, result, chain


def _fits(value: object, hint: object) -> bool:
    """Whether a field can have been written by us: a checkout may bring anything."""
    if hint is float:
        return isinstance(value, int | float) and 0 <= value < LAST_MOMENT
    return value in get_args(hint) if get_origin(hint) is Literal else type(value) is hint


def _place(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _unusable(path: Path, form: Form[_R], error: OSError) -> JournalBroken:
    return JournalBroken(
        f"{form.name} cannot be used",
        where=_place(path),
        why=error.strerror or type(error).__name__,
        next_step="make it a plain file that can be written, then give the same command again",
    )
