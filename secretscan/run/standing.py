"""How the files of a run stand, and what undoing it would do with each: what `undo` does and its preview says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from secretscan.errors import ChangedSince, JournalBroken, UsageError
from secretscan.inventory.ids import Ids
from secretscan.plan import render
from secretscan.plan.document import PlannedCompanion, PlannedFile, PlannedSecret
from secretscan.plan.pins import Pins
from secretscan.run import files
from secretscan.run.folder import RunFolder, others
from secretscan.run.journal import Entry

__all__ = ["FileState", "Kept", "Owned", "Standing", "of_companion", "of_file", "owned"]

FileState = Literal["restores", "is the original", "changed since", "gone"]
"""What undo does with a file: it `restores` the original bytes, or finds that it `is the original` already; it keeps
one that was `changed since` the rewriting, or is `gone`."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was left as it is, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A rewritten file as it is now. `data` are its bytes if it `restores`; `reason` says why it is kept."""

    state: FileState
    data: bytes = field(default=b"", repr=False)
    reason: str = ""


def of_file(run: RunFolder, file: PlannedFile, ids: Ids, pinned: Pins) -> Standing:
    """How a file of the run stands. Never raises for the file's sake."""
    try:
        data = files.read(run.root, file.path)
    except (ChangedSince, UsageError) as error:  # a link, a pipe, a folder; or the way there leads out of the root
        return Standing("changed since", reason=error.why or error.what)
    if data is None:
        return Standing("gone", reason="it is gone")
    if render.is_before(file, data, ids):
        return Standing("is the original")
    if not render.is_after(file, pinned.take(data), ids):
        return Standing("changed since", reason="it has changed since it was rewritten")
    return Standing("restores", data)


def of_companion(
    run: RunFolder, companion: PlannedCompanion, pinned: Pins, *, needed: bool
) -> Kept | Literal["remove", "nothing"]:
    """What undo does with a file that the run made or extended; `needed` says that a file was kept which may need it.
    Never raises for the file's sake."""
    try:
        data = files.read(run.root, companion.path)
    except (ChangedSince, UsageError) as error:
        return Kept(companion.path, error.why or error.what)
    if data == (None if companion.was is None else render.to_bytes(companion.was)):
        return "nothing"
    if data is None or pinned.take(data) != render.to_bytes(companion.content):
        return Kept(companion.path, "it has changed since it was made")
    return Kept(companion.path, "a file that was kept may need it") if needed else "remove"


@dataclass(frozen=True, slots=True)
class Owned:
    """A secret that the run brought into the vault, as `version`. `needed_by` is another run of the root that put
    references to it into files, empty if none did."""

    secret: PlannedSecret
    version: str
    needed_by: str


def owned(run: RunFolder, entries: Sequence[Entry]) -> Iterator[Owned]:
    """What undo may delete from the vault, by the journal of the run."""
    latest = {(entry.step, entry.subject): entry for entry in entries}
    needed = _needed(run)
    for secret in run.plan.secrets:
        stored = latest.get(("stored", secret.id))
        if stored is not None and stored.made and ("deleted", secret.id) not in latest:
            yield Owned(secret, stored.version, needed.get(secret.name.lower(), ""))


def _needed(run: RunFolder) -> dict[str, str]:
    """Names in the vault that other runs of this root refer to, with the run: they adopted what this one stored."""
    result: dict[str, str] = {}
    for other in others(run.root, run.id):
        if other.plan.vault_url == run.plan.vault_url and not _undone(other):
            result |= {secret.name.lower(): other.id for secret in other.plan.secrets}
    return result


def _undone(run: RunFolder) -> bool:
    try:
        return run.state() == "undone"
    except JournalBroken:
        return False  # nobody knows, so what it may need stays
