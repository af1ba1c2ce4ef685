"""The folder of a run: `.secretscan/runs/<id>/` with the plan as it was carried out, and the journal."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from secretscan.errors import JournalBroken, UsageError
from secretscan.inventory.folder import NAME, folder_of, read_plain
from secretscan.inventory.ids import Ids
from secretscan.plan.document import Plan
from secretscan.plan.pins import Pins, pins_of
from secretscan.run.files import sync_folder
from secretscan.run.journal import Entry, entries

__all__ = [
    "RunFolder",
    "alone",
    "begin",
    "check_keepable",
    "latest",
    "load",
    "open_run",
    "others",
    "pins",
    "run_ids",
    "state_of",
]

MAX_PLAN_BYTES = 256 * 1024 * 1024

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
_AWAY = "move the run's folder away; the plan it was made from, if you have it, can still be given to apply"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run on disk."""

    id: str
    root: Path
    folder: Path
    plan: Plan

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def entries(self) -> list[Entry]:
        """What the journal says so far."""
        return entries(self.journal) if os.path.lexists(self.journal) else []

    def state(self) -> str:
        """`unfinished`, `done`, `undo unfinished` or `undone`."""
        return state_of(self.entries())


def pins(run: RunFolder, entries: Sequence[Entry], ids: Ids) -> Pins:
    """The versions that the run stored so far, for the stand-ins of its plan."""
    return pins_of(run.plan, ((entry.subject, entry.version) for entry in entries if entry.step == "stored"), ids)


def state_of(entries: Sequence[Entry]) -> str:
    """The state of a run by its journal (`RunFolder.state`)."""
    steps = [entry.step for entry in entries]
    undo = len(steps) - steps[::-1].index("undo-begin") if "undo-begin" in steps else 0
    if undo:
        return "undone" if "undone" in steps[undo:] else "undo unfinished"
    return "done" if "done" in steps else "unfinished"


def run_ids(root: Path) -> tuple[str, ...]:
    """The ids of the runs of a root, oldest first. What is not a folder of ours is none."""
    folder = root / NAME / "runs"
    if any(place.is_symlink() for place in (folder.parent, folder)) or not folder.is_dir():
        return ()
    with os.scandir(folder) as entries:
        return tuple(
            sorted(each.name for each in entries if _ID.fullmatch(each.name) and each.is_dir(follow_symlinks=False))
        )


def load(root: Path, run: str) -> RunFolder:
    """The run of that id. Raises `UsageError` when its plan cannot be read."""
    folder = root / NAME / "runs" / run
    file = folder / "plan.json"
    try:
        text = read_plain(file, MAX_PLAN_BYTES).decode("ascii")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageError("the plan of a run cannot be read", where=str(file), why=why, next_step=_AWAY) from None
    except UnicodeDecodeError:
        raise UsageError("the plan of a run is damaged", where=str(file), next_step=_AWAY) from None
    return RunFolder(run, root, folder, Plan.from_text(text, str(file)))


def open_run(root: Path, name: str) -> RunFolder:
    """A run by its id or an unambiguous beginning of it. Raises `UsageError`."""
    found = [run for run in run_ids(root) if run.startswith(name)]
    if name and len(found) == 1:
        return load(root, found[0])
    raise UsageError(
        "several runs have ids that begin so" if len(found) > 1 else "no such run",
        where=name,
        next_step="secretscan status lists the runs of a folder",
    )


def others(root: Path, run: str) -> Iterator[RunFolder]:
    """The other runs of the root that can be read, newest first."""
    for each in reversed(run_ids(root)):
        if each != run:
            with suppress(UsageError):
                yield load(root, each)


def latest(root: Path, plan: Plan) -> RunFolder | None:
    """The latest run of this very plan, if it is not undone: what `apply` goes on with."""
    digest = plan.digest()
    same = next((run for run in others(root, "") if run.plan.digest() == digest), None)
    return same if same is not None and same.state() in ("unfinished", "done") else None


def begin(root: Path, plan: Plan) -> RunFolder:
    """A new run's folder, complete before it gets its name. Raises `JournalBroken` when it cannot be made."""
    name = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)
    try:
        parent = _runs(root)
        draft = parent / f".{name}"
        draft.mkdir(mode=0o700)
        with (draft / "plan.json").open("x", encoding="ascii") as file:
            file.write(plan.to_text())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(parent / name)
        sync_folder(parent)
    except OSError as error:
        raise _unmakable(root, error) from None
    return load(root, name)


def check_keepable(root: Path) -> None:
    """Whether a run can be kept in this root. Raises `JournalBroken` when not, or while another process works on it,
    and `InventoryBroken` when the folder of the runs is a link."""
    with alone(root):
        try:
            folder = _runs(root)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise _unmakable(root, error) from None


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keeps a second process from changing the files of this root. Raises `JournalBroken` while one does."""
    try:
        handle = os.open(
            folder_of(root) / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise _unmakable(root, error) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JournalBroken(
                "another process works on this folder", where=str(root), next_step="wait for it to end"
            ) from None
        yield
    finally:
        os.close(handle)


def _runs(root: Path) -> Path:
    folder = folder_of(root) / "runs"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink():
        raise OSError(0, "runs is a link")
    return folder


def _unmakable(root: Path, error: OSError) -> JournalBroken:
    return JournalBroken(
        "a run cannot be kept in this folder, and nothing is changed without one",
        where=str(root / NAME),
        why=error.strerror or type(error).__name__,
        next_step="make the folder writable, then give the same command again",
    )
