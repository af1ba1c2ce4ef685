"""Proves a run: the tree as it is now against the tree as it was, rendered again in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewriters import Plaintext, Reference
from secretscan.detect.survey import Root, Survey, survey
from secretscan.errors import ChangedSince
from secretscan.events import Cancellation, Listener, Noted, Progress
from secretscan.inventory.ids import Ids
from secretscan.plan import render
from secretscan.plan.document import Plan
from secretscan.prove.proof import Leftover, Proof, compare, stands_in
from secretscan.run.folder import RunFolder
from secretscan.vault.facts import Held

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["prove_run"]


def prove_run(
    run: RunFolder,
    versions: dict[str, str],
    vault: Vault,
    ids: Ids,
    listener: Listener,
    cancellation: Cancellation | None = None,
) -> Proof:
    """Reads the tree again and compares. `versions` are those that the run stored, by secret id.

    Raises `ChangedSince` when a rewritten file has changed since, so that there is nothing to prove about it any more.
    """
    plan = run.plan
    now = survey(Root(run.root), listener, cancellation)
    listener(Progress("prove", 0, 2, "values"))
    values: dict[str, Plaintext] = {}
    handed: dict[str, Plaintext] = {}
    for secret in plan.secrets:
        values[secret.id], current = _stored(vault, plan.reference(secret, versions[secret.id]))
        if current:
            handed[secret.name.lower()] = values[secret.id]
            if current != versions[secret.id] and vault.read(plan.reference(secret)) != values[secret.id]:
                text = f"{secret.name} has another value in the vault since the run: workloads get that one"
                listener(Noted("prove", text))
    before = dict(now.claimed)
    for companion in plan.companions:
        before.pop(companion.path, None)
        if companion.was is not None:
            before[companion.path] = render.to_bytes(companion.was)
    for file in plan.files:
        data = now.claimed.get(file.path)
        if data is None:
            raise ChangedSince("a rewritten file is gone, or is no manifest any more", where=file.path)
        before[file.path] = render.before(file, data, values.__getitem__, ids)
    after = dict(now.claimed)
    for companion in plan.companions:
        after[companion.path] = render.to_bytes(companion.content)

    def lookup(reference: Reference) -> Plaintext:
        if reference.vault_url.rstrip("/") != plan.vault_url:
            raise LookupError  # another vault than the user named: never asked
        if not reference.version and reference.name.lower() in moved:
            return handed[reference.name.lower()]  # a rotation is no fault of the rewrite
        return vault.read(reference)

    moved = {secret.name.lower() for secret in plan.secrets}
    count, differences = compare(before, after, lookup, plan.provided)
    listener(Progress("prove", 1, 2, "places"))
    places, leftovers, elsewhere = _search(plan, now, values, ids)
    listener(Progress("prove", 2, 2))
    return Proof(count, places, differences, leftovers, elsewhere)


def _stored(vault: Vault, reference: Reference) -> tuple[Plaintext, str]:
    """The stored value, and the version that is current now, if one is."""
    now = vault.current(reference.name)
    current = now.version if isinstance(now, Held) else ""
    if isinstance(now, Held) and current == reference.version:
        return now.value, current
    try:
        return vault.read(reference), current
    except LookupError:
        raise ChangedSince(
            "a stored value is no longer in the vault", where=reference.name, next_step="recover the deleted secret"
        ) from None


def _search(
    plan: Plan, now: Survey, values: dict[str, Plaintext], ids: Ids
) -> tuple[int, tuple[Leftover, ...], tuple[Leftover, ...]]:
    """How many places were searched, those that still hold what was moved, and other places of the same secrets."""
    leftovers: dict[tuple[str, str], Leftover] = {}
    moved = {(move.path, move.pointer): move for move in plan.moves}
    for path in {move.path for move in plan.moves}:
        for slot in now.slots.get(path, ()):
            move = moved.get((path, slot.pointer))
            if move is not None and stands_in(slot.value.reveal(), values[move.secret]):
                leftovers[path, slot.pointer] = Leftover(path, slot.pointer, move.line)
    for file in plan.files:
        within = [values[move.secret] for move in plan.moves if move.path == file.path]
        for edit in file.edits:
            text = render.to_bytes(edit.replacement)
            if any(stands_in(text, value) for value in within):
                leftovers[file.path, f"bytes {edit.start}"] = Leftover(file.path, f"bytes {edit.start}", 0)
    for companion in plan.companions:
        if any(stands_in(render.to_bytes(companion.content), value) for value in values.values()):
            leftovers[companion.path, ""] = Leftover(companion.path, "", 0)
    known = {*values, *(covered for move in plan.moves for covered in move.covers)}
    elsewhere: list[Leftover] = []
    for finding in now.findings:
        if ids.secret(finding.value) not in known:
            continue
        place = finding.location
        here = Leftover(place.path, place.pointer, place.line)
        if place.pointer and (place.path, place.pointer) in moved:
            leftovers[place.path, place.pointer] = here
        else:
            elsewhere.append(here)
    return len(plan.moves), tuple(leftovers.values()), tuple(elsewhere)
