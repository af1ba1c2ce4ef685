"""Builds the plan: names, references, edits, companions; what stays and why; and checks that it can be undone.

Rewriters are asked until nothing changes any more: a refusal takes a place out, a place that needs its neighbours
takes them along, and what an image no longer sets must be set by whoever runs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import rewriters
from rewriters import (
    Assignment,
    Companion,
    Edit,
    Plaintext,
    Reference,
    Refusal,
    Request,
    Requirement,
    Rewrite,
    Settings,
    Slot,
    Variable,
    fetch,
    splice,
)
from rewriters._undo import Hole, Text, flaw, hole, holes, template
from secretscan.detect.survey import Survey
from secretscan.errors import SecretscanError
from secretscan.events import Cancellation, Listener, Noted, Progress
from secretscan.inventory.ids import Ids
from secretscan.plan.candidates import Candidate, candidates, carried, left_for, widened
from secretscan.plan.choose import Names
from secretscan.plan.diff import FileDiff, masked_diff
from secretscan.plan.document import (
    FORMAT,
    Left,
    Move,
    Origin,
    Piece,
    Plan,
    PlannedCompanion,
    PlannedEdit,
    PlannedFile,
    PlannedSecret,
)
from secretscan.plan.names import Wanted
from secretscan.plan.render import to_text
from secretscan.prove.proof import compare
from secretscan.vault.limits import unstorable

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["Draft", "build"]

_ROUNDS = 50
_BY_HAND = "move it by hand, then rotate the value"


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan, and the preview of its edits in which every value is masked."""

    plan: Plan
    diffs: tuple[FileDiff, ...]


@dataclass(slots=True)
class _Work:
    """What is being settled."""

    survey: Survey
    settings: Settings
    vault_url: str
    ids: Ids
    names: Names
    open: list[Candidate]
    left: list[Left]
    rewrites: dict[str, Rewrite] = field(default_factory=dict)

    def drop(self, gone: Callable[[Candidate], bool], reason: str, alternative: str) -> bool:
        """Takes places out; whether there were any."""
        out = [item for item in self.open if gone(item)]
        self.left += [left_for(item, reason, alternative) for item in out]
        self.open = [item for item in self.open if not gone(item)]
        return bool(out)

    def reference(self, secret: str) -> Reference:
        return Reference(self.vault_url, self.names[secret].name)


def build(
    survey: Survey,
    vault: Vault | None,
    vault_url: str,
    settings: Settings,
    ids: Ids,
    listener: Listener,
    cancellation: Cancellation,
    *,
    placeholders: bool = False,
    prefix: str = "",
    known: Mapping[str, str] | None = None,
    root: str,
) -> Draft:
    """The plan for everything found. Without a vault (`None`) all values are planned as new, and applying checks.

    `known` are names that the inventory remembers for this vault, by secret id. Raises what the vault raises, and
    `Cancelled`.
    """
    found, left = candidates(survey.findings, ids, placeholders=placeholders)
    listener(Progress("plan", 0, 3, "names"))
    names = Names(vault if found else None, prefix or survey.root.folder.name, known or {})
    work = _Work(survey, settings, vault_url, ids, names, found, left)
    _name(work)
    listener(Progress("plan", 1, 3, "edits"))
    for _ in range(_ROUNDS):
        cancellation.check()
        if not _round(work):
            break
    else:
        raise SecretscanError(
            "the rewriters do not agree on a plan", next_step="plan fewer targets at a time, and report this"
        )
    listener(Progress("plan", 2, 3, "check"))
    draft = _document(work, root)
    listener(Progress("plan", 3, 3))
    for note in draft.plan.notes:
        listener(Noted("plan", note))
    return draft


def _name(work: _Work) -> None:
    """Names for all secrets that have none yet; those that have keep theirs."""
    wanted: dict[str, list[Candidate]] = {}
    for item in work.open:
        if item.id not in work.names:
            wanted.setdefault(item.id, []).append(item)
    if not wanted:
        return
    values = {id_: group[0].value for id_, group in wanted.items()}
    asked = [
        Wanted(
            id_,
            tuple(dict.fromkeys(item.slot.key for item in group if item.slot.key)),
            tuple(dict.fromkeys(_subject(item.slot) for item in group)),
            tuple(dict.fromkeys(item.slot.path for item in group)),
            group[0].kind,
        )
        for id_, group in wanted.items()
    ]
    work.names.give(asked, values)


def _subject(slot: Slot) -> str:
    """What the place belongs to, for a name: the service or object in the pointer, or the kind of place."""
    if slot.place in ("registry", "volume"):
        return slot.place
    steps = slot.pointer.replace('"', "").split(".")
    if "services" in steps[:-1]:
        return steps[steps.index("services") + 1]
    if "/" in steps[0]:
        return steps[0].split("/", 1)[1].split("#")[0]
    return ""


def _round(work: _Work) -> bool:
    """Asks all rewriters once; whether something has to be asked again."""
    files = work.survey.claimed
    first = {name: _ask(work, name, ()) for name in rewriters.names()}
    again = False
    for rewrite in first.values():
        for refusal in rewrite.refusals:
            again |= _refused(work, refusal)
    if again:
        _name(work)
        return True
    requires = tuple(dict.fromkeys(need for rewrite in first.values() for need in rewrite.requires))
    work.rewrites = {name: _ask(work, name, requires) for name in rewriters.names()} if requires else first
    provided = {need for rewrite in work.rewrites.values() for need in rewrite.provides}
    for need in requires:
        if need.kind == "runtime-variable" and need not in provided:
            again |= work.drop(
                lambda item, need=need: _is_for(work, item, need),  # type: ignore[misc]
                f"the image sets {need.name} for its own run time, and no manifest here that runs it sets it instead",
                f"set {need.name} where the image is run, then plan again",
            )
    if again:
        return True
    owner: dict[str, list[tuple[Edit, str]]] = {}
    for name, rewrite in work.rewrites.items():
        for edit in rewrite.edits:
            owner.setdefault(edit.path, []).append((edit, name))
    for path, edits in owner.items():
        try:
            splice(files[path], (edit for edit, _ in edits))
        except ValueError:
            last = edits[-1][1]
            again |= work.drop(
                lambda item, path=path, last=last: item.slot.path == path and item.slot.platform == last,  # type: ignore[misc]
                "two platforms would change the same text of this file",
                _BY_HAND,
            )
            if not again:
                raise
    return again or _check_undo(work)


def _ask(work: _Work, name: str, requires: tuple[Requirement, ...]) -> Rewrite:
    mine = tuple(
        Assignment(item.slot, work.reference(item.id), item.part)
        for item in sorted(work.open, key=lambda item: (item.slot.path, item.slot.span, item.part or item.slot.span))
        if item.slot.platform == name
    )
    if not mine and not requires:
        return Rewrite()
    return rewriters.by_name(name).rewrite(Request(work.survey.claimed, mine, work.settings, requires))


def _refused(work: _Work, refusal: Refusal) -> bool:
    """Takes the neighbours along, or the whole text in place of a part, if possible; else the place goes out."""
    here = [item for item in work.open if item.where == (refusal.path, refusal.pointer)]
    known = {item.slot.pointer for item in work.open if item.slot.path == refusal.path}
    missing = [pointer for pointer in refusal.needs if pointer not in known]
    stays = {item.pointer for item in work.left if item.path == refusal.path}
    slots = {slot.pointer: slot for slot in work.survey.slots.get(refusal.path, ())}
    if here and missing and all(pointer in slots and pointer not in stays for pointer in missing):
        more = [carried(slots[pointer], here[0].line, work.ids) for pointer in missing]
        if not any(item.value.empty() for item in more):
            work.open += more
            return True
    if any(item.part is not None for item in here) and not refusal.needs and not unstorable(here[0].slot.value):
        work.open = [item for item in work.open if item not in here] + [widened(here, work.ids)]
        return True
    return work.drop(
        lambda item: item.where == (refusal.path, refusal.pointer), refusal.reason, refusal.alternative or _BY_HAND
    )


def _is_for(work: _Work, item: Candidate, need: Requirement) -> bool:
    return item.slot.path == need.path and work.names[item.id].name == need.reference.name


def _check_undo(work: _Work) -> bool:
    """Takes out places whose original text could not be rendered again; whether there were any.

    That is so for spellings that no canonical form gives back, and where an edit would remove the text of another
    credential which itself stays.
    """
    values = _values(work)
    others = {
        work.ids.secret(finding.value): finding.value
        for finding in work.survey.findings
        if finding.strength == "strong"
    }
    again = False
    for path, edits in _edits(work).items():
        data = work.survey.claimed[path]
        for edit in edits:
            pieces = template(data, edit, _holes(work, path, edit, values))
            why = flaw(data, edit, pieces, {**others, **values})
            if not why:
                continue
            hit = [item for item in work.open if item.slot.path == path and edit.span.touches(item.slot.literal)]
            hit = hit or [item for item in work.open if item.slot.path == path]
            if not hit:
                raise SecretscanError("an edit cannot be undone", where=path, why=why, next_step="report this")
            places = {item.where for item in hit}
            again |= work.drop(
                lambda item, places=places: item.where in places,  # type: ignore[misc]
                f"undo could not give the file's bytes back: {why}",
                "write the value on one line in plain quotes, then plan again",
            )
    return again


def _holes(work: _Work, path: str, edit: Edit, values: Mapping[str, Plaintext]) -> tuple[Hole, ...]:
    touched = (slot for slot in work.survey.slots[path] if edit.span.touches(slot.literal))
    return holes(work.survey.claimed[path], touched, values)


def _values(work: _Work) -> dict[str, Plaintext]:
    return {item.id: item.value for item in work.open}


def _edits(work: _Work) -> dict[str, list[Edit]]:
    result: dict[str, list[Edit]] = {}
    for rewrite in work.rewrites.values():
        for edit in rewrite.edits:
            result.setdefault(edit.path, []).append(edit)
    return {path: sorted(edits, key=lambda edit: (edit.span.start, edit.span.end)) for path, edits in result.items()}


def _companions(work: _Work) -> list[PlannedCompanion]:
    """Those of the rewriters, and one fetch script for each folder that reads variables."""
    existing = work.survey.claimed
    made: dict[str, tuple[Companion, bool]] = {}
    for rewrite in work.rewrites.values():
        for companion in rewrite.companions:
            made[companion.path] = (companion, False)
    folders: dict[str, set[Variable]] = {}
    for rewrite in work.rewrites.values():
        for variable in rewrite.variables:
            folders.setdefault(variable.folder, set()).add(variable)
    for folder, variables in sorted(folders.items()):
        companion = fetch.script(folder, tuple(sorted(variables)), existing)
        made[companion.path] = (companion, True)
    result: list[PlannedCompanion] = []
    for path, (companion, executable) in sorted(made.items()):
        was = existing.get(path)
        result.append(
            PlannedCompanion(
                path, to_text(companion.content), companion.note, None if was is None else to_text(was), executable
            )
        )
    return result


def _document(work: _Work, root: str) -> Draft:
    values = _values(work)
    companions = _companions(work)
    planned: list[PlannedFile] = []
    diffs: list[FileDiff] = []
    after: dict[str, bytes] = dict(work.survey.claimed)
    for path, edits in sorted(_edits(work).items()):
        data = work.survey.claimed[path]
        new = splice(data, edits)
        after[path] = new
        planned_edits = tuple(_planned(work, path, edit, values) for edit in edits)
        planned.append(PlannedFile(path, work.ids.file(data), work.ids.file(new), planned_edits))
        findings = [finding for finding in work.survey.findings if finding.location.path == path]
        shown = [place.span for edit in edits for place in _holes(work, path, edit, values)]
        diffs.append(masked_diff(path, data, edits, findings, shown))
    for companion in companions:
        after[companion.path] = companion.content.encode("utf-8", "surrogateescape")
        diffs.append(FileDiff(companion.path, "".join(f"+{line}\n" for line in companion.content.splitlines())))
    provided = tuple(
        f"{need.path}#{need.name}"
        for need in dict.fromkeys(need for rewrite in work.rewrites.values() for need in rewrite.provides)
        if need.kind == "runtime-variable"
    )
    _foresee(work, after, provided)
    origins: dict[str, list[Origin]] = {}
    for item in work.open:
        origins.setdefault(item.id, []).extend(_origins(work, item))
    secrets = tuple(
        PlannedSecret(
            id=id_,
            name=work.names[id_].name,
            kind=items[0].kind,
            strength=items[0].strength,
            action="adopt" if work.names[id_].version else "create",
            version=work.names[id_].version,
            whole_text=any(item.covers for item in items),
            origins=tuple(origins[id_]),
        )
        for id_, items in _grouped(work.open).items()
    )
    moves = tuple(
        Move(
            item.slot.path,
            item.slot.pointer,
            item.line,
            item.slot.key,
            item.slot.platform,
            item.id,
            item.covers,
        )
        for item in sorted(work.open, key=lambda item: (item.slot.path, item.slot.span))
    )
    plan = Plan(
        format=FORMAT,
        made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        root=root,
        vault_url=work.vault_url,
        key=work.ids.fingerprint(),
        secrets=secrets,
        files=tuple(planned),
        companions=tuple(companions),
        moves=moves,
        left=tuple(sorted(work.left, key=lambda item: (item.path, item.line, item.pointer))),
        notes=tuple(dict.fromkeys(note for rewrite in work.rewrites.values() for note in rewrite.notes)),
        provided=provided,
    )
    return Draft(plan, tuple(diffs))


def _grouped(items: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    result: dict[str, list[Candidate]] = {}
    for item in items:
        result.setdefault(item.id, []).append(item)
    return result


def _origins(work: _Work, item: Candidate) -> tuple[Origin, ...]:
    slot = item.slot
    data = work.survey.claimed[slot.path]
    place = hole(data, slot, item.id, item.part)
    return () if place is None else (Origin(slot.path, place.span.start, place.span.end, place.encoding),)


def _planned(work: _Work, path: str, edit: Edit, values: Mapping[str, Plaintext]) -> PlannedEdit:
    pieces = template(work.survey.claimed[path], edit, _holes(work, path, edit, values))
    before = tuple(
        Piece(to_text(piece.content)) if isinstance(piece, Text) else Piece("", piece.key, piece.encoding)
        for piece in pieces
    )
    return PlannedEdit(edit.span.start, edit.span.end, before, to_text(edit.replacement))


def _foresee(work: _Work, after: dict[str, bytes], provided: tuple[str, ...]) -> None:
    """The proof, beforehand and in memory: a plan that would change what a workload receives is never handed out."""
    by_name = {work.names[id_].name: value for id_, value in _values(work).items()}

    def lookup(reference: Reference) -> Plaintext:
        if reference.vault_url.rstrip("/") != work.vault_url:
            raise LookupError
        return by_name[reference.name]

    _, differences = compare(work.survey.claimed, after, lookup, provided)
    if differences:
        first = differences[0]
        raise SecretscanError(
            f"the rewritten files would not deliver the same ({len(differences)} places)",
            where=first.address.subject or first.address.path,
            why=f"{first.address.channel} {first.address.name}: {first.problem}",
            next_step="nothing was changed; leave this file out of the targets, and report this",
        )
