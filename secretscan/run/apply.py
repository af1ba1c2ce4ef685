"""Carries out a plan: every value into the vault and read back, then the files, then the proof.

The order is the promise: no byte of a manifest changes before all values that it holds are in the vault and were read
back equal (design, promise 3). Each step is journaled before and after, and each is safe to repeat: resuming looks at
what is there (the vault's current value, the file's digest) before doing anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rewriters import Plaintext
from secretscan.errors import ChangedSince, InventoryBroken, UsageError
from secretscan.events import Cancellation, Listener, Noted, Progress, StepDone
from secretscan.inventory.ids import Ids
from secretscan.inventory.store import Inventory
from secretscan.plan import render
from secretscan.plan.document import Move, PlannedCompanion, PlannedFile, PlannedSecret
from secretscan.plan.pins import Pins
from secretscan.prove.proof import Proof
from secretscan.run import files
from secretscan.run.folder import RunFolder, alone, pins
from secretscan.run.journal import Entry, Journal
from secretscan.run.prove import missing, prove_run
from secretscan.vault.facts import Held

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["Applied", "FileReady", "apply_run", "check_companion", "check_file", "value_gone", "value_of"]

ID_TAG = "secretscan-id"
"""Tag of a stored secret: its keyed id, which tells nothing of the value."""
RUN_TAG = "secretscan-run"


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run did. `resumed` says that an earlier process had begun it; `changed`, that this one had anything left
    to do."""

    run: str
    root: str
    stored: int
    adopted: int
    rewritten: tuple[str, ...]
    created: tuple[str, ...]
    proof: Proof
    resumed: bool
    changed: bool


def apply_run(run: RunFolder, vault: Vault, ids: Ids, listener: Listener, cancellation: Cancellation) -> Applied:
    """Carries out a run from wherever it stands.

    Raises `UsageError` for another vault than the plan's; `ChangedSince`, `Cancelled`, `InventoryBroken` and
    `JournalBroken`, and what the vault raises: the run can be resumed after any of them.
    """
    if vault.url.lower() != run.plan.vault_url.lower():
        raise UsageError("the plan is for another vault", where=vault.url, why=f"it names {run.plan.vault_url}")
    with alone(run.root), Journal(run.journal) as journal:
        with Inventory(run.root, ids.fingerprint()):
            pass  # one that cannot be used is said before anything is done
        _check_files(run, ids, pins(run, journal.entries, ids), listener)
        resumed, known = bool(journal.entries), len(journal.entries)
        if not resumed:
            journal.append(Entry("begin"))
        versions = _store(run, vault, ids, journal, listener, cancellation)
        pinned = pins(run, journal.entries, ids)
        rewritten, created = _rewrite(run, ids, pinned, journal, listener, cancellation)
        changed = len(journal.entries) > known
        proof = prove_run(run, versions, vault, ids, listener)
        if proof.holds and journal.last("proved") is None:
            journal.append(Entry("proved"))
        try:
            _record(run, versions, ids)
        except InventoryBroken as error:
            listener(
                Noted("prove", f"{error}; give the same command again when it can be used: the run itself is done")
            )
        if proof.holds and journal.last("done") is None:
            journal.append(Entry("done"))
        made = [secret for secret in run.plan.secrets if (entry := journal.last("stored", secret.id)) and entry.made]
        adopted = len(run.plan.secrets) - len(made)
        root = str(run.root)
        return Applied(run.id, root, len(made), adopted, rewritten, created, proof, resumed, changed)


def _check_files(run: RunFolder, ids: Ids, pinned: Pins, listener: Listener) -> None:
    """Before the first write to the vault: every file is either as planned on or as planned, and can be written."""
    for file in run.plan.files:
        files.sweep(run.root, file.path)
        if check_file(run.root, file, ids, pinned).linked:
            listener(Noted("rewrite", f"{file.path} has other names (hard links), which keep the plaintext"))
    for companion in run.plan.companions:
        files.sweep(run.root, companion.path)
        check_companion(run.root, companion, pinned)


@dataclass(frozen=True, slots=True)
class FileReady:
    """A file of a plan that can be rewritten, or is already. `linked`: it has other names, which keep the plaintext."""

    rewritten: bool
    linked: bool


def check_file(root: Path, file: PlannedFile, ids: Ids, pinned: Pins) -> FileReady:
    """Whether a file is as planned on or as planned, and can be written. Raises `ChangedSince` and `UsageError`."""
    data = files.read(root, file.path)
    if data is not None and render.is_after(file, pinned.take(data), ids):
        return FileReady(rewritten=True, linked=False)
    if data is None or not render.is_before(file, data, ids):
        raise ChangedSince("a file has changed since it was planned on", where=file.path, next_step="plan again")
    return FileReady(rewritten=False, linked=files.check_writable(root, file.path))


def check_companion(root: Path, companion: PlannedCompanion, pinned: Pins) -> None:
    """Whether a file can be made: nothing stands there, or what it extends, or it itself. Raises `ChangedSince` and
    `UsageError`."""
    files.check_writable(root, companion.path)
    was = None if companion.was is None else render.to_bytes(companion.was)
    there = files.read(root, companion.path)
    if there != was and (there is None or pinned.take(there) != render.to_bytes(companion.content)):
        raise ChangedSince(
            "a file that the plan makes is there already",
            where=companion.path,
            next_step="move it away and plan again",
        )


def _store(
    run: RunFolder, vault: Vault, ids: Ids, journal: Journal, listener: Listener, cancellation: Cancellation
) -> dict[str, str]:
    """Every value into the vault and read back (`Vault.put` does both); the versions by secret id."""
    versions: dict[str, str] = {}
    total = len(run.plan.secrets)
    pinned = pins(run, journal.entries, ids)
    pending = any(
        not render.is_after(file, pinned.take(files.read(run.root, file.path) or b""), ids) for file in run.plan.files
    )
    for done, secret in enumerate(run.plan.secrets):
        listener(Progress("store", done, total, secret.name))
        stored = journal.last("stored", secret.id)
        if stored is None or not _still_there(run, vault, ids, secret, stored.version):
            cancellation.check()
            stored = _store_one(run, vault, ids, journal, secret)
            listener(StepDone("store", "stored" if stored.made else "adopted", secret.name))
        elif pending and not run.plan.pinned:
            _check_current(vault, ids, secret)
        versions[secret.id] = stored.version
    listener(Progress("store", total, total))
    return versions


def _still_there(run: RunFolder, vault: Vault, ids: Ids, secret: PlannedSecret, version: str) -> bool:
    """Whether the vault holds what an earlier process stored: days may lie between, and somebody may have tidied up."""
    try:
        return ids.secret(vault.read(run.plan.reference(secret, version))) == secret.id
    except LookupError:
        return False


def _check_current(vault: Vault, ids: Ids, secret: PlannedSecret) -> None:
    """References name no version: before a file changes, what they lead to has to be the value that moves."""
    now = vault.current(secret.name)
    if not isinstance(now, Held) or ids.secret(now.value) != secret.id:
        raise ChangedSince(
            "the vault's current version holds another value by now than the files that are still to be rewritten",
            where=secret.name,
            next_step="make the moved value the current one again and give the same command again, or undo the run",
        )


def _store_one(run: RunFolder, vault: Vault, ids: Ids, journal: Journal, secret: PlannedSecret) -> Entry:
    value = _value(run, secret, ids, journal)
    if journal.last("store-intent", secret.id) is None:
        journal.append(Entry("store-intent", secret.id, secret.name))
    stored = vault.put(secret.name, value, tags={ID_TAG: secret.id, RUN_TAG: run.id})
    # A crash after the write and before this line leaves a version that the next attempt finds and adopts; the tag
    # tells that this run made it.
    made = stored.outcome == "created" or (RUN_TAG, run.id) in stored.tags
    if run.plan.pinned and secret.version and stored.version != secret.version:
        raise ChangedSince(
            "the vault holds the value under another version than the one that references are to name",
            where=secret.name,
            next_step="plan again",
        )
    entry = Entry("stored", secret.id, secret.name, stored.version, made)
    journal.append(entry)
    return entry


def _value(run: RunFolder, secret: PlannedSecret, ids: Ids, journal: Journal) -> Plaintext:
    """The value, from the first of its places that still holds it."""
    value = value_of(secret, lambda path: files.read(run.root, path), ids)
    if value is not None:
        return value
    if journal.last("stored", secret.id) is not None:  # its files were rewritten, and then somebody deleted it
        raise missing(run.plan.reference(secret))
    raise value_gone(secret)


def value_of(secret: PlannedSecret, read: Callable[[str], bytes | None], ids: Ids) -> Plaintext | None:
    """The value of a planned secret, from the first of its places that still holds it. Raises what `read` raises."""
    for origin in secret.origins:
        data = read(origin.path)
        value = None if data is None else render.value_at(data, origin)
        if value is not None and ids.secret(value) == secret.id:
            return value
    return None


def value_gone(secret: PlannedSecret) -> ChangedSince:
    """That no place of a planned secret holds its value any more."""
    return ChangedSince(
        "the value of a secret is no longer where it was found",
        where=secret.origins[0].path if secret.origins else secret.name,
        next_step="plan again",
    )


def _rewrite(
    run: RunFolder, ids: Ids, pinned: Pins, journal: Journal, listener: Listener, cancellation: Cancellation
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Companions first: a reference must not stand for a moment without what it needs."""
    total, done = len(run.plan.companions) + len(run.plan.files), 0
    created: list[str] = []
    for companion in run.plan.companions:
        listener(Progress("rewrite", done, total, companion.path))
        planned = render.to_bytes(companion.content)
        content, there = pinned.put(planned), files.read(run.root, companion.path)
        if there != content or journal.last("created", companion.path) is None:
            cancellation.check()
            journal.append(Entry("create-intent", companion.path))
            was = None if companion.was is None else render.to_bytes(companion.was)
            if there is not None and pinned.take(there) == planned:
                was = there  # by an earlier attempt, perhaps with a version that had to be stored again since
            files.create(run.root, companion.path, content, executable=companion.executable, was=was)
            journal.append(Entry("created", companion.path))
            listener(StepDone("rewrite", "created", companion.path))
        created.append(companion.path)
        done += 1
    rewritten: list[str] = []
    for file in run.plan.files:
        listener(Progress("rewrite", done, total, file.path))
        data = files.read(run.root, file.path)
        if data is None:
            raise ChangedSince("a file of the plan is gone", where=file.path, next_step="plan again")
        planned = pinned.take(data)
        new = pinned.put(planned if render.is_after(file, planned, ids) else render.after(file, data, ids))
        if new != data or journal.last("rewritten", file.path) is None:
            cancellation.check()
            journal.append(Entry("rewrite-intent", file.path))
            if new != data:
                files.replace(run.root, file.path, new, lambda now, data=data: now == data)  # type: ignore[misc]
            journal.append(Entry("rewritten", file.path))
            listener(StepDone("rewrite", "rewritten", file.path))
        rewritten.append(file.path)
        done += 1
    listener(Progress("rewrite", total, total))
    return tuple(rewritten), tuple(created)


def _record(run: RunFolder, versions: dict[str, str], ids: Ids) -> None:
    plan = run.plan
    moves: dict[str, list[Move]] = {}
    pointers: dict[str, set[str]] = {}
    for move in plan.moves:
        moves.setdefault(move.secret, []).append(move)
        pointers.setdefault(move.path, set()).add(move.pointer)
    own = {secret.id for secret in plan.secrets}
    with Inventory(run.root, ids.fingerprint()) as inventory, inventory.changes():
        for secret in plan.secrets:
            inventory.stored(secret.id, secret.kind, secret.strength, plan.vault_url, secret.name, versions[secret.id])
            if secret.whole_text:
                # The credentials inside of a whole text are in the vault with it, under its name.
                here = moves.get(secret.id, [])
                for covered in {part for move in here for part in move.covers} - own:
                    inventory.covered(covered, plan.vault_url, secret.name, versions[secret.id])
        for move in plan.moves:
            inventory.place(move.secret, move.path, move.pointer, move.line, move.platform, move.key)
        for path, each in pointers.items():
            inventory.mark(path, each, "migrated")
