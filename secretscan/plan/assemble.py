"""The settled work as a plan and its preview, after a last check of what workloads would receive."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rewriters import Companion, Edit, Plaintext, Reference, Variable, fetch, splice
from rewriters._undo import hole
from secretscan.errors import SecretscanError, printable
from secretscan.model import Finding, Unscanned
from secretscan.plan.candidates import Candidate
from secretscan.plan.diff import FileDiff, masked_diff
from secretscan.plan.document import FORMAT, Left, Move, Origin, Plan, PlannedCompanion, PlannedFile, PlannedSecret
from secretscan.plan.kept import Kept
from secretscan.plan.render import to_bytes, to_text
from secretscan.plan.work import Work
from secretscan.prove.proof import compare
from secretscan.prove.traces import Traces

__all__ = ["Draft", "Undelivered", "assemble"]


class Undelivered(SecretscanError):
    """The rewritten files would deliver something else than before, to workloads of the files `paths`."""

    def __init__(self, paths: tuple[str, ...], what: str, where: str, why: str, next_step: str) -> None:
        super().__init__(what, where, why, next_step)
        self.paths = paths


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan, and the preview of its edits in which every value is masked. `unscanned` is what could not be read: the
    plan says nothing of it. `taken` are all names that the vault has, deleted ones included; none when it was not
    asked."""

    plan: Plan
    diffs: tuple[FileDiff, ...]
    unscanned: tuple[Unscanned, ...] = ()
    taken: tuple[str, ...] = field(default=(), repr=False)


def _companions(work: Work, known: Traces) -> list[PlannedCompanion]:
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
        if known.within(companion.content + b"\n" + (was or b"")):
            raise SecretscanError(
                "a file that would be extended holds a credential",
                where=path,
                why="a plan keeps such a file's text, and no plan holds a value",
                next_step="move this file away, or the credential out of it, then plan again",
            )
        result.append(
            PlannedCompanion(
                path, to_text(companion.content), companion.note, None if was is None else to_text(was), executable
            )
        )
    return result


def assemble(work: Work, root: str) -> Draft:
    """The plan and its preview. Raises `Undelivered` when the result would deliver anything else than before."""
    kept = Kept(work)
    known = Traces.of(work.known())
    findings: dict[str, list[Finding]] = {}
    for finding in work.survey.findings:
        findings.setdefault(finding.location.path, []).append(finding)
    companions = _companions(work, known)
    planned: list[PlannedFile] = []
    diffs: list[FileDiff] = []
    after: dict[str, bytes] = dict(work.survey.claimed)
    for path, edits in sorted(work.edits().items()):
        data = work.survey.claimed[path]
        new = splice(data, edits)
        after[path] = new
        planned_edits = tuple(kept.planned(edit) for edit in edits)
        planned.append(PlannedFile(path, work.ids.file(data), work.ids.file(new), planned_edits))
        edits = [replace(edit, replacement=_shown(work, edit.replacement)) for edit in edits]
        shown = [finding.location.span for finding in findings.get(path, ())]
        shown += [place.span for edit in edits for place in kept.holes(edit) if edit.span.covers(place.span)]
        diffs.append(masked_diff(path, data, edits, shown, known))
    for companion in companions:
        after[companion.path] = to_bytes(companion.content)
        content = to_text(_shown(work, to_bytes(companion.content)))
        text = "".join(f"+{printable(line)}\n" for line in content.splitlines())
        diffs.append(FileDiff(companion.path, text))
    provided = tuple(
        f"{need.path}#{need.name}"
        for need in dict.fromkeys(need for rewrite in work.rewrites.values() for need in rewrite.provides)
        if need.kind == "runtime-variable"
    )
    _foresee(work, after, provided)
    # A marked value within a text that moves whole does not stay: it comes along, or the rest of the text could not.
    whole = {item.where for item in work.open if item.part is None}
    left = [item for item in work.left if not (item.mark and (item.path, item.pointer) in whole)]
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
        left=tuple(sorted((*left, *_unread(work)), key=lambda item: (item.path, item.line, item.pointer))),
        notes=tuple(dict.fromkeys(note for rewrite in work.rewrites.values() for note in rewrite.notes)),
        provided=provided,
        pinned=work.choices.pinned,
    )
    return Draft(plan.sealed(work.ids), tuple(diffs), work.survey.unscanned, work.names.existing)


def _shown(work: Work, text: bytes) -> bytes:
    """A new text as people look at it: a version that only the run will know says so."""
    if work.choices.pinned:
        for id_ in work.values():
            if not work.names[id_].version:
                text = text.replace(work.ids.stand_in(id_).encode(), b"<version>")
    return text


def _grouped(items: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    result: dict[str, list[Candidate]] = {}
    for item in items:
        result.setdefault(item.id, []).append(item)
    return result


def _origins(work: Work, item: Candidate) -> tuple[Origin, ...]:
    slot = item.slot
    data = work.survey.claimed[slot.path]
    place = hole(data, slot, item.id, item.part)
    return () if place is None else (Origin(slot.path, place.span.start, place.span.end, place.encoding),)


def _unread(work: Work) -> list[Left]:
    """Where a value that moves, by itself or inside of a whole text, stands besides: in a comment, or where no
    platform reads it."""
    strong = {item.id: item.value for item in work.open if item.strength == "strong"}
    if covered := {part for item in work.open for part in item.covers} - strong.keys():
        found = (finding.value for finding in work.survey.findings if finding.strength == "strong")
        strong |= {id_: value for value in found if (id_ := work.ids.secret(value)) in covered}
    seen = Traces.of(strong)
    known = {(item.path, item.secret) for item in work.left} | work.standing
    result: list[Left] = []
    edits = work.edits()
    for path, whole in work.survey.claimed.items():
        spans = (edit.span for edit in edits.get(path, ()))
        data = splice(whole, (Edit(path, span, b"\n" * whole.count(b"\n", span.start, span.end)) for span in spans))
        for id_, lines in seen.lines(data).items():
            if (path, id_) in known:
                continue
            result += [
                Left(
                    path=path,
                    pointer="",
                    line=line,
                    key="",
                    platform="",
                    secret=id_,
                    strength="strong",
                    reason="the value that moves stands here too, in text that no platform reads as a value",
                    alternative="take it out by hand",
                )
                for line in lines
            ]
    return result


def _foresee(work: Work, after: dict[str, bytes], provided: tuple[str, ...]) -> None:
    """The proof, beforehand and in memory: a plan that would change what a workload receives is never handed out."""
    by_name = {work.names[id_].name: value for id_, value in work.values().items()}

    def lookup(reference: Reference) -> Plaintext:
        if reference.vault_url.rstrip("/") != work.vault_url:
            raise LookupError
        value = by_name[reference.name]
        if reference.version and reference != work.reference(work.ids.secret(value)):
            raise LookupError
        return value

    _, differences = compare(work.survey.claimed, after, lookup, provided)
    if differences:
        first = differences[0]
        raise Undelivered(
            tuple(dict.fromkeys(item.address.path for item in differences)),
            f"the rewritten files would not deliver the same ({len(differences)} places)",
            where=first.address.subject or first.address.path,
            why=f"{first.address.channel} {first.address.name}: {first.problem}",
            next_step="nothing was changed; leave this file out of the targets, and report this",
        )
