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


class Journal:
    """An open journal, locked against a second process. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Opens or makes it. Raises `JournalBroken` when it is damaged or another process works on this run."""
        self._path = path
        fresh = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise JournalBroken(
                "another process works on this run", where=str(path.parent.name), next_step="wait for it to end"
            ) from None
        if fresh:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(folder)
            os.close(folder)
        whole, self.entries, self._chain = _parse(path)
        if os.fstat(self._file).st_size != whole:
            os.ftruncate(self._file, whole)
            os.fsync(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def append(self, entry: Entry) -> None:
        """Puts one step on disk; returns when it is there."""
        record = {"seq": len(self.entries), "at": round(time.time(), 3), **asdict(entry), "chain": self._chain}
        line = json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
        view = memoryview(line)
        while view:
            view = view[os.write(self._file, view) :]
        os.fsync(self._file)
        self._chain = sha256(line).hexdigest()
        self.entries.append(entry)

    def last(self, step: StepName, subject: str = "") -> Entry | None:
        """The latest record of this step for this subject."""
        for entry in reversed(self.entries):
            if entry.step == step and entry.subject == subject:
                return entry
        return None


def entries(path: Path) -> list[Entry]:
    """The whole entries of a journal, without opening it for work. Raises `JournalBroken`."""
    return _parse(path)[1]


def _parse(path: Path) -> tuple[int, list[Entry], str]:
    data = path.read_bytes()
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
