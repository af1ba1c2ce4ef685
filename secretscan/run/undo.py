"""Takes a run back: every file that has not changed since gets its original bytes.

No copy of the originals was kept. They are rendered from the plan's pieces and the values of the vault, and written
only if the whole file's digest is that of the original. Values stay in the vault unless their deletion is asked for,
and then only those go that the run itself brought there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewriters import Plaintext
from secretscan.errors import ChangedSince, InventoryBroken, UsageError, VaultConflict
from secretscan.events import Cancellation, Listener, Noted, Progress, StepDone
from secretscan.inventory.ids import Ids
from secretscan.inventory.store import Inventory
from secretscan.plan import render
from secretscan.plan.document import PlannedFile
from secretscan.plan.pins import Pins
from secretscan.run import files
from secretscan.run.folder import RunFolder, alone, pins
from secretscan.run.journal import Entry, Journal
from secretscan.run.standing import Kept, of_companion, of_file, owned

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["Kept", "Undone", "undo_run"]


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back. `deleted` are names of secrets; it is empty unless deletion was asked for."""

    run: str
    restored: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[Kept, ...]
    deleted: tuple[str, ...]


def undo_run(
    run: RunFolder,
    vault: Vault,
    ids: Ids,
    listener: Listener,
    cancellation: Cancellation,
    *,
    delete_from_vault: bool = False,
) -> Undone:
    """Restores the files of a run; can be repeated. Raises `Cancelled` and what the vault raises."""
    restored: list[str] = []
    removed: list[str] = []
    kept: list[Kept] = []
    deleted: list[str] = []
    with alone(run.root), Journal(run.journal) as journal:
        journal.append(Entry("undo-begin"))
        values = _Values(run, vault, journal)
        pinned = pins(run, journal.entries, ids)
        total = len(run.plan.files) + len(run.plan.companions)
        for done, file in enumerate(reversed(run.plan.files)):
            listener(Progress("undo", done, total, file.path))
            cancellation.check()
            _sweep(run, file.path)
            standing = of_file(run, file, ids, pinned)
            if standing.reason:
                kept.append(Kept(file.path, standing.reason))
                continue
            try:
                if standing.state == "restores":
                    _restore(run, file, standing.data, values, ids, pinned, journal)
                    listener(StepDone("undo", "restored", file.path))
                restored.append(file.path)
            except ChangedSince as error:
                kept.append(Kept(file.path, error.why or error.what))
        for done, companion in enumerate(reversed(run.plan.companions), len(run.plan.files)):
            listener(Progress("undo", done, total, companion.path))
            cancellation.check()
            _sweep(run, companion.path)
            fate = of_companion(run, companion, pinned, needed=bool(kept))
            if isinstance(fate, Kept):
                kept.append(fate)
            if fate != "remove":
                continue
            content = pinned.put(render.to_bytes(companion.content))
            journal.append(Entry("remove-intent", companion.path))
            if companion.was is None:
                files.remove(run.root, companion.path, content)
            else:
                was = render.to_bytes(companion.was)
                files.replace(run.root, companion.path, was, lambda now, content=content: now == content)  # type: ignore[misc]
            journal.append(Entry("removed", companion.path))
            removed.append(companion.path)
            listener(StepDone("undo", "removed", companion.path))
        listener(Progress("undo", total, total))
        try:
            _record(run, set(restored), ids)
        except InventoryBroken as error:
            listener(Noted("undo", f"{error}; the next scan finds the values that are back"))
        if delete_from_vault and not kept:
            for item in tuple(owned(run, journal.entries)):
                secret = item.secret
                cancellation.check()
                if item.needed_by:
                    text = f"{secret.name} is not deleted: run {item.needed_by} put references to it into files"
                    listener(Noted("undo", text))
                    continue
                journal.append(Entry("delete-intent", secret.id, secret.name, item.version))
                try:
                    vault.delete(run.plan.reference(secret, item.version))
                except VaultConflict as error:  # somebody has rotated it meanwhile: theirs is not ours to delete
                    listener(Noted("undo", str(error)))
                    continue
                journal.append(Entry("deleted", secret.id, secret.name, item.version))
                deleted.append(secret.name)
                listener(StepDone("undo", "deleted", secret.name))
        if not kept:
            journal.append(Entry("undone"))
    return Undone(run.id, tuple(restored), tuple(removed), tuple(kept), tuple(deleted))


class _Values:
    """The values of a run's secrets, each read from the vault once: the version that the run stored."""

    def __init__(self, run: RunFolder, vault: Vault, journal: Journal) -> None:
        self._run, self._vault, self._journal = run, vault, journal
        self._planned = {item.id: item for item in run.plan.secrets}
        self._held: dict[str, Plaintext] = {}

    def __call__(self, secret: str) -> Plaintext:
        if secret not in self._held:
            planned = self._planned[secret]
            stored = self._journal.last("stored", secret)
            version = stored.version if stored else planned.version
            try:
                self._held[secret] = self._vault.read(self._run.plan.reference(planned, version))
            except LookupError:
                raise ChangedSince(
                    "a value is no longer in the vault",
                    where=planned.name,
                    why=f"the vault has no version {version} of {planned.name} any more",
                    next_step="recover the deleted secret, then undo again",
                ) from None
        return self._held[secret]


def _restore(
    run: RunFolder, file: PlannedFile, data: bytes, values: _Values, ids: Ids, pinned: Pins, journal: Journal
) -> None:
    original = render.before(file, pinned.take(data), values, ids)
    journal.append(Entry("restore-intent", file.path))
    files.replace(run.root, file.path, original, lambda now: now == data)
    journal.append(Entry("restored", file.path))


def _sweep(run: RunFolder, path: str) -> None:
    """Drafts that a crash left behind go, unless the way to the file leads out of the root by now."""
    with suppress(UsageError):
        files.sweep(run.root, path)


def _record(run: RunFolder, restored: set[str], ids: Ids) -> None:
    with Inventory(run.root, ids.fingerprint()) as inventory, inventory.changes():
        for move in run.plan.moves:
            if move.path in restored:
                inventory.mark(move.path, (move.pointer,), "present")
