"""Docker Compose files.
Compose specification: https://github.com/compose-spec/compose-spec (spec.md, 12-interpolation.md, 09-secrets.md)

Compose knows no vault. A reference is a variable of the environment in which Compose is run, `${NAME:?...}`, set by
the folder's fetch script; where an image is known to read `NAME_FILE`, it is a secret that Compose mounts as a file.
"""

from __future__ import annotations

from rewriters._api import (
    Assignment,
    Delivery,
    Files,
    Lookup,
    Reference,
    Request,
    Requirement,
    Rewrite,
    Slot,
    Unreadable,
    Variable,
)
from rewriters._compose_effective import deliveries
from rewriters._compose_project import Variables, claims
from rewriters._compose_rewrite import FileRewrite
from rewriters._compose_slots import find
from rewriters._unsplit import unsplit

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "compose"


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    return find(NAME, path, data)


def rewrite(request: Request) -> Rewrite:
    return unsplit(request, _rewrite)


def _rewrite(request: Request) -> Rewrite:
    variables = Variables(request.files)
    assigned: dict[str, list[Assignment]] = {}
    for item in sorted(request.assignments, key=lambda item: (item.slot.span, item.part is not None)):
        assigned.setdefault(item.slot.path, []).append(item)
    named: dict[str, set[Reference]] = {}
    for item in request.assignments:
        named.setdefault(item.reference.name, set()).add(item.reference)
    ambiguous = frozenset(name for name, references in named.items() if len(references) > 1)
    work: list[FileRewrite] = []
    for path, data in sorted(request.files.items()):
        if path not in assigned and not (request.requirements and claims(path, data[:4096])):
            continue
        try:
            one = FileRewrite(path, data, request.files, variables, ambiguous)
        except Unreadable:
            if path in assigned:
                raise
            continue
        for item in assigned.get(path, ()):
            one.assign(item)
        for need in request.requirements:
            one.require(need)
        work.append(one)
    provided: dict[Requirement, None] = {}
    for need in request.requirements:
        concerned = [one for one in work if one.builders(need.path)]
        if concerned and all(need in one.provided for one in concerned):
            provided[need] = None
    given = [Variable(folder, name, reference) for (folder, name), reference in variables.given.items()]
    notes = dict.fromkeys(note for one in work for note in one.notes)
    return Rewrite(
        edits=tuple(edit for one in work for edit in one.edits()),
        refusals=tuple(refusal for one in work for refusal in one.refusals),
        provides=tuple(provided),
        variables=tuple(sorted(given)),
        notes=(*notes, *variables.notes),
    )


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    return deliveries(files, lookup, lambda path, data: claims(path, data[:4096]))
