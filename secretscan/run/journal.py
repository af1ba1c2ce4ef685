"""The journal of a run: every step, fsynced before and after it is taken, chained, and without a value.

One JSON object a line: `seq`, `at` (seconds since 1970), `step`, the step's own fields, and `chain`, the SHA-256 over
the line before. A crash can tear only the last line, which is cut off when the journal is opened again: what it would
have said is seen by looking (is the value in the vault, has the file its new digest). Any other damage stops the run.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, Self

from secretscan.errors import JournalBroken
from secretscan.inventory.folder import read_plain
from secretscan.run.files import sync_folder

__all__ = ["Entry", "Journal", "StepName", "entries"]

StepName = Literal[
    "begin", "store-intent", "stored", "rewrite-intent", "rewritten", "create-intent", "created", "proved",
    "done", "undo-begin", "restore-intent", "restored", "remove-intent", "removed", "delete-intent", "deleted",
    "undone",
]  # fmt: skip
"""Steps come in pairs: the intent is on disk before anything happens, the deed after it has."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One step. `subject` is a path, or a secret's id; `name` its vault name; `version` what the vault answered;
    `made` says that this run brought the value there."""

    step: StepName
    subject: str = ""
    name: str = ""
    version: str = ""
    made: bool = False


_START = "0" * 64
MAX_BYTES = 1024 * 1024 * 1024


class Journal:
    """An open journal, locked against a second process. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Opens or makes it. Raises `JournalBroken` when it is damaged or another process works on this run."""
        self._path = path
        try:
            fresh = not path.exists()
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError as error:
            raise _unusable(path, error) from None
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
                "another process works on this run", where=self._path.parent.name, next_step="wait for it to end"
            ) from None
        whole, self.entries, self._chain = _parse(self._path)
        self._latest = {(entry.step, entry.subject): entry for entry in self.entries}
        try:
            if fresh:
                sync_folder(self._path.parent)
            if os.fstat(self._file).st_size != whole:
                os.ftruncate(self._file, whole)
                os.fsync(self._file)
        except OSError as error:
            raise _unusable(self._path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def append(self, entry: Entry) -> None:
        """Puts one step on disk; returns when it is there. Raises `JournalBroken` when the disk does not take it."""
        record = {"seq": len(self.entries), "at": round(time.time(), 3), **asdict(entry), "chain": self._chain}
        line = json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            raise _unusable(self._path, error) from None
        self._chain = sha256(line).hexdigest()
        self.entries.append(entry)
        self._latest[entry.step, entry.subject] = entry

    def last(self, step: StepName, subject: str = "") -> Entry | None:
        """The latest record of this step for this subject."""
        return self._latest.get((step, subject))


def entries(path: Path) -> list[Entry]:
    """The whole entries of a journal, without opening it for work. Raises `JournalBroken`."""
    return _parse(path)[1]


def _parse(path: Path) -> tuple[int, list[Entry], str]:
    try:
        data = read_plain(path, MAX_BYTES)
    except OSError as error:
        raise _unusable(path, error) from None
    whole = data.rfind(b"\n") + 1
    chain, result = _START, list[Entry]()
    for line in data[:whole].splitlines(keepends=True):
        try:
            record = json.loads(line)
            if record.pop("chain") != chain or record.pop("seq") != len(result):
                raise ValueError
            record.pop("at")
            result.append(Entry(**record))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise JournalBroken(
                "the journal of this run is damaged",
                where=f"{path.parent.name}, line {len(result) + 1}",
                next_step="nothing was changed just now; put the journal back from a backup",
            ) from None
        chain = sha256(line).hexdigest()
    return whole, result, chain


def _unusable(path: Path, error: OSError) -> JournalBroken:
    return JournalBroken(
        "the journal of this run cannot be used",
        where=f"{path.parent.name}/{path.name}",
        why=error.strerror or type(error).__name__,
        next_step="make it a plain file that can be written, then give the same command again",
    )
