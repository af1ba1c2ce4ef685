"""The folder of a run: `.secretscan/runs/<id>/` with the plan as it was carried out, and the journal."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from secretscan.errors import UsageError
from secretscan.inventory.store import folder_of
from secretscan.plan.document import Plan
from secretscan.run.journal import Entry, entries

__all__ = ["RunFolder", "begin", "latest", "open_run", "runs"]

MAX_PLAN_BYTES = 256 * 1024 * 1024


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
        return entries(self.journal) if self.journal.exists() else []

    def state(self) -> str:
        """`unfinished`, `done`, `undo unfinished` or `undone`."""
        steps = [entry.step for entry in self.entries()]
        undo = len(steps) - steps[::-1].index("undo-begin") if "undo-begin" in steps else 0
        if undo:
            return "undone" if "undone" in steps[undo:] else "undo unfinished"
        return "done" if "done" in steps else "unfinished"


def runs(root: Path) -> tuple[RunFolder, ...]:
    """The runs of a root, oldest first."""
    folder = root / ".secretscan" / "runs"
    if not folder.is_dir():
        return ()
    names = sorted(
        entry.name for entry in folder.iterdir() if entry.name[:1] != "." and (entry / "plan.json").is_file()
    )
    return tuple(_load(root, folder / name) for name in names)


def open_run(root: Path, name: str) -> RunFolder:
    """A run by its id or an unambiguous beginning of it. Raises `UsageError`."""
    found = [run for run in runs(root) if run.id.startswith(name)]
    if name and len(found) == 1:
        return found[0]
    raise UsageError(
        "several runs have ids that begin so" if len(found) > 1 else "no such run",
        where=name,
        next_step="secretscan status lists the runs of a folder",
    )


def latest(root: Path, plan: Plan) -> RunFolder | None:
    """The latest run of this very plan, if it is not undone: what `apply` goes on with."""
    digest = plan.digest()
    same = [run for run in runs(root) if run.plan.digest() == digest]
    return same[-1] if same and same[-1].state() in ("unfinished", "done") else None


def begin(root: Path, plan: Plan) -> RunFolder:
    """A new run's folder, complete before it gets its name."""
    parent = folder_of(root) / "runs"
    parent.mkdir(mode=0o700, exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)
    draft = parent / f".{name}"
    draft.mkdir(mode=0o700)
    with (draft / "plan.json").open("w", encoding="ascii") as file:
        file.write(plan.to_text())
        file.flush()
        os.fsync(file.fileno())
    final = draft.rename(parent / name)
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(handle)
    os.close(handle)
    return _load(root, final)


def _load(root: Path, folder: Path) -> RunFolder:
    file = folder / "plan.json"
    if file.stat().st_size > MAX_PLAN_BYTES:
        raise UsageError("the plan of a run is too large", where=str(file), next_step="move the run's folder away")
    return RunFolder(folder.name, root, folder, Plan.from_text(file.read_text(encoding="ascii"), str(file)))
