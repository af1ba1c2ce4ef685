"""Proves a run: the tree as it is now against the tree as it was, rendered again in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewriters import Plaintext, Reference
from secretscan.detect.survey import Root, Survey, survey
from secretscan.errors import ChangedSince
from secretscan.events import Cancellation, Listener, Noted, Progress
from secretscan.inventory.ids import Ids
from secretscan.plan import render
from secretscan.plan.document import Move, Plan
from secretscan.plan.pins import pins_of
from secretscan.prove.proof import Leftover, Proof, compare, stands_in
from secretscan.prove.traces import Traces
from secretscan.run.folder import RunFolder
from secretscan.vault.facts import Held

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["missing", "prove_run"]


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
    pinned = pins_of(plan, versions.items(), ids)
    now = survey(Root(run.root), listener, cancellation)
    listener(Progress("prove", 0, 2, "values"))
    values: dict[str, Plaintext] = {}
    handed: dict[str, Plaintext] = {}
    for secret in plan.secrets:
        values[secret.id], current = _stored(vault, plan.reference(secret, versions[secret.id]))
        if current:
            handed[secret.name.lower()] = values[secret.id]
            rotated = current != versions[secret.id] and not plan.pinned
            if rotated and vault.read(plan.reference(secret)) != values[secret.id]:
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
        before[file.path] = render.before(file, pinned.take(data), values.__getitem__, ids)
    after = dict(now.claimed)
    for companion in plan.companions:
        after[companion.path] = pinned.put(render.to_bytes(companion.content))

    def lookup(reference: Reference) -> Plaintext:
        if reference.vault_url.rstrip("/") != plan.vault_url:
            raise LookupError  # another vault than the user named: never asked
        if not reference.version and reference.name.lower() in moved:
            return handed[reference.name.lower()]  # a rotation is no fault of the rewrite
        return held[reference] if reference in held else vault.read(reference)

    held = {plan.reference(secret, versions[secret.id]): values[secret.id] for secret in plan.secrets}
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
        raise missing(reference) from None


def missing(reference: Reference) -> ChangedSince:
    """That the vault does not hold a stored value any more."""
    command = f"az keyvault secret recover --vault-name {reference.vault_name} --name {reference.name}"
    return ChangedSince(
        "a stored value is no longer in the vault",
        where=reference.name,
        next_step=f"recover it, then give the same command again: {command}",
    )


def _search(
    plan: Plan, now: Survey, values: dict[str, Plaintext], ids: Ids
) -> tuple[int, tuple[Leftover, ...], tuple[Leftover, ...]]:
    """How many places were searched, those that still hold what was moved, and other places of the same secrets."""
    leftovers: dict[tuple[str, str], Leftover] = {}
    moved: dict[tuple[str, str], list[Move]] = {}
    by_path: dict[str, dict[str, Plaintext]] = {}
    for move in plan.moves:
        moved.setdefault((move.path, move.pointer), []).append(move)
        by_path.setdefault(move.path, {})[move.secret] = values[move.secret]
    for path in by_path:
        for slot in now.slots.get(path, ()):
            for move in moved.get((path, slot.pointer), ()):
                if stands_in(slot.value.reveal(), values[move.secret]):
                    leftovers[path, slot.pointer] = Leftover(path, slot.pointer, move.line)
    for file in plan.files:
        within = list(by_path.get(file.path, {}).values())
        for edit in file.edits:
            text = render.to_bytes(edit.replacement)
            if any(stands_in(text, value) for value in within):
                leftovers[file.path, f"bytes {edit.start}"] = Leftover(file.path, f"bytes {edit.start}", 0)
    every = Traces.of(values)
    for companion in plan.companions:
        if every.within(render.to_bytes(companion.content)):
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
    listed = {(item.path, item.line) for item in (*elsewhere, *leftovers.values())}
    strong = {secret.id: values[secret.id] for secret in plan.secrets if secret.strength == "strong"}
    seen = Traces.of(strong)
    for path, data in now.claimed.items():
        lines = sorted({line for each in seen.lines(data).values() for line in each})
        elsewhere += [Leftover(path, "", line) for line in lines if (path, line) not in listed]
    return len(plan.moves), tuple(leftovers.values()), tuple(elsewhere)
