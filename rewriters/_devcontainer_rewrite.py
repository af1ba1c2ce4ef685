"""The edits of devcontainer.json: `${localEnv:NAME}` in place of a value.

Source: containers.dev, metadata reference, "Variables in devcontainer.json".
"""

from __future__ import annotations

import posixpath
import re

from rewriters import fetch
from rewriters._api import Assignment, Edit, Reference, Refusal, Request, Rewrite, Span, Unreadable, Variable
from rewriters._devcontainer_read import ALTERNATIVES, Site, read
from rewriters._encode import locate

__all__ = ["rewrite"]

_EXPRESSION = re.compile(rb"\$\{[^}]*\}")


class _No(Exception):
    def __init__(self, reason: str, alternative: str) -> None:
        super().__init__(reason)
        self.reason, self.alternative = reason, alternative


def rewrite(request: Request) -> Rewrite:
    work = _Work(request)
    for item in sorted(request.assignments, key=lambda item: (item.slot.path, item.slot.span, item.part or Span(0, 0))):
        try:
            work.move(item)
        except _No as no:
            work.refusals.append(Refusal(item.slot.path, item.slot.pointer, no.reason, no.alternative))
    variables = (Variable(folder, name, reference) for (folder, name), reference in work.given.items())
    return Rewrite(
        edits=tuple(work.edits),
        refusals=tuple(work.refusals),
        variables=tuple(sorted(variables)),
        notes=tuple(work.notes),
    )


class _Work:
    def __init__(self, request: Request) -> None:
        self.files = request.files
        self.sites: dict[str, dict[str, Site]] = {}
        self.edits: list[Edit] = []
        self.refusals: list[Refusal] = []
        self.given: dict[tuple[str, str], Reference] = {}
        self.notes: dict[str, None] = {}
        for path in {item.slot.path for item in request.assignments}:
            try:
                self.sites[path] = {site.slot.pointer: site for site in read(path, self.files.get(path, b""))}
            except Unreadable:
                continue

    def move(self, item: Assignment) -> None:
        path = item.slot.path
        site = self.sites.get(path, {}).get(item.slot.pointer)
        if site is None or site.slot.span != item.slot.span:
            raise _No("this place is not in the file any more", "scan the file again")
        span = self.span(item, site)
        if any(edit.path == path and edit.span.touches(span) for edit in self.edits):
            raise _No("this place was moved already", "scan the file again")
        name = self.named(posixpath.dirname(path), item.reference)
        self.edits.append(Edit(path, span, f"${{localEnv:{name}}}".encode()))

    def span(self, item: Assignment, site: Site) -> Span:
        slot = site.slot
        value = slot.value.reveal()
        if not slot.targets:
            raise _No(slot.reason, ALTERNATIVES[site.refused])
        part = item.part or Span(0, len(value))
        if b"\0" in value:
            raise _No("an environment variable cannot hold a NUL byte", "read it from the vault in the container")
        if not len(part):
            raise _No("there is nothing here to move", "scan the file again")
        if any(Span(*match.span()).touches(part) for match in _EXPRESSION.finditer(value)):
            raise _No("the text names a variable, which the vault would not put in", "move the credential alone")
        if len(part) == len(value):
            return slot.span
        found = locate(slot.encoding, self.files[slot.path][slot.span.start : slot.span.end], part)
        if found is None:
            raise _No("this part of the text cannot be replaced alone", "move the whole text as one secret")
        return Span(slot.span.start + found.start, slot.span.start + found.end)

    def named(self, folder: str, reference: Reference) -> str:
        """The variable that carries a secret: one that the script sets already, or a free name."""
        known = dict(fetch.variables(folder, self.files))
        known |= {name: other for (where, name), other in self.given.items() if where == folder}
        names = [name for name, other in known.items() if other == reference and fetch.is_variable(name)]
        base = reference.variable if reference.variable[:1].isalpha() else f"SECRET_{reference.variable}"
        name, number = names[0] if names else base, 1
        while not names and (name in known or name in fetch.RESERVED):
            number += 1
            name = f"{base}_{number}"
        self.given[folder, name] = reference
        script = fetch.path_for(folder, self.files)
        self.notes[f"{folder or 'the root folder'}: start the editor or devcontainer up through {script}."] = None
        self.notes[
            "A variable of containerEnv or runArgs stays in the container's configuration, which docker inspect shows; "
            "one of remoteEnv does not."
        ] = None
        return name
