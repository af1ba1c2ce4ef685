"""Literals in a chart's templates: those of Secrets and of containers' environments, given by External Secrets instead.

What is made stands right before its object, so that it is rendered under the same conditions and with the same scope.
Sources: Go `text/template` (scope of the dot and of variables); Helm documentation, "Chart Template Guide"; Kubernetes
API; External Secrets Operator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from rewriters._api import Assignment, Edit, Reference, Refusal, Request, Span, Unreadable
from rewriters._helm_mask import has_word
from rewriters._helm_objects import Objects, objects
from rewriters._helm_project import Project
from rewriters._helm_template import Template, template
from rewriters._k8s_data import REPEATED, Moves, converted, reduced
from rewriters._k8s_literal import delivered_as_is, entry, env_value
from rewriters._k8s_objects import Object, Site
from rewriters._k8s_text import Style, Tree, block, style_of
from rewriters._k8s_vault import ESO, Entry, Unfit, Vaults
from rewriters._yaml import Map, Scalar, newline

__all__ = ["Literals"]

_TOKEN = "qzname"
"""Stands for a name while a text is made, which may hold actions that no writer of YAML would leave alone."""

_QUOTED = re.compile(r"\s*\|\s*s?quote(\s*\}\})\Z")
_INCLUDED = re.compile(r"(\{\{\s*include\s[^|{}]*?)\s*(\}\})\Z")
_CHANGING = re.compile(r"\b(?:rand\w+|uuidv4|now|gen[A-Z]\w+|lookup)\b")
_VARIABLE = re.compile(r"\$\w")
_ASSIGNED = re.compile(r"\$\w+\s*(?:,\s*\$\w+\s*)?:?=")
_ESCAPED = re.compile(rb"\\|''")
_HOOK = b"helm.sh/hook"
_BY_NAME = "put the value into the values, and read it from a Secret by its name there"


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    assignment: Assignment
    site: Site


@dataclass(frozen=True, slots=True)
class _Names:
    """An object's name and namespace as they are written; `stem` is the name as the start of another one's."""

    literal: str
    stem: str
    namespace: str


class Literals:
    """Collects what moves out of templates, and makes the edits."""

    def __init__(self, request: Request, vaults: Vaults, project: Project) -> None:
        self.request = request
        self.project = project
        self.vaults = vaults
        self.files: dict[str, Objects | Unreadable] = {}
        self.templates: dict[str, Template] = {}
        self.groups: dict[tuple[str, int, str], list[_Job]] = {}
        self.edits: list[Edit] = []
        self.refusals: list[Refusal] = []
        self.taken: dict[str | None, set[str]] = {}
        self.notes: dict[str, None] = {}

    def add(self, assignment: Assignment) -> None:
        """Raises `Unfit` for a place that takes no reference."""
        slot = assignment.slot
        found = self._read(slot.path)
        site = found.sites.get(slot.pointer)
        current = next((each for each in found.slots if each.pointer == slot.pointer), None)
        if site is None or current is None or current.span != slot.span:
            raise Unfit("the file does not hold this place any more", "scan again")
        if not current.targets or assignment.part is not None:
            reason = current.reason or "only the text as a whole can come from a Secret here"
            raise Unfit(reason, "let the template read the value from a Secret (secretKeyRef), by a name in the values")
        if found.manifest.repeated:
            raise Unfit(*REPEATED)
        form = "env" if site.form == "env" else "secret"
        self.groups.setdefault((slot.path, id(site.object), form), []).append(_Job(assignment, site))

    def _read(self, path: str) -> Objects:
        if path not in self.files:
            data = self.request.files.get(path, b"")
            try:
                self.files[path] = objects(path, data)
                self.templates[path] = template(path, data)
            except Unreadable as error:
                self.files[path] = error
        found = self.files[path]
        if isinstance(found, Unreadable):
            raise Unfit(found.reason, "write the value into the values, then plan again")
        return found

    def make(self) -> None:
        """All that was added."""
        for (path, _, form), jobs in self.groups.items():
            found = self._read(path)
            used = {key: list(paths) for key, paths in self.vaults.used.items()}
            try:
                self._check(found, jobs[0].site.object)
                edits = self._secret(found, jobs) if form == "secret" else self._env(found, jobs)
                if any(found.mask.touches(edit.span) for edit in edits if len(edit.span)):
                    raise Unfit(
                        "actions stand between the lines that would change",
                        "write the object without them, or put the value into the values",
                    )
            except Unfit as problem:
                self.vaults.used = used  # no store is made for it
                needs = self._needs(found, problem)
                self.refusals += [
                    Refusal(path, job.assignment.slot.pointer, problem.reason, problem.alternative, needs)
                    for job in jobs
                ]
                continue
            self.edits += edits
            self.notes[f"pods of {path} wait until External Secrets has made the Secret that they read"] = None

    @staticmethod
    def _needs(found: Objects, problem: Unfit) -> tuple[str, ...]:
        """The pointers of the file for those of its masked text."""
        known = {site.slot.pointer: pointer for pointer, site in found.sites.items()}
        return tuple(known[pointer] for pointer in problem.needs if pointer in known)

    def _check(self, found: Objects, thing: Object) -> None:
        """Raises `Unfit` where no other object can be rendered right before this one, or none of a name like its."""
        if self.vaults.target != ESO:
            raise Unfit(
                "only External Secrets makes a Secret that no pod of the chart mounts",
                "choose the target external-secrets",
            )
        root = thing.root
        if _HOOK in found.data[thing.document.start : thing.document.end]:
            raise Unfit(
                "a hook runs before External Secrets has made a Secret",
                "make the Secret before the release is installed, and read it in the hook",
            )
        before = found.data[: root.start]
        if not thing.alone or root.flow or (before.removeprefix(b"\xef\xbb\xbf") and not before.endswith(b"\n")):
            raise Unfit("the object is no document of its own, in block style", "write it as one")
        name = self._names(found, thing).stem
        if not name or "quote" in name or "{{-" in name or "-}}" in name or _CHANGING.search(name):
            raise Unfit(
                "the object has no name here that another one's could be made of",
                "write its name below metadata, with no action that puts quotes around it or changes each time",
            )
        item = self.templates[found.path]
        if any(span.start <= root.start < span.end for span in item.defines.values()):
            raise Unfit("the object is part of a named template", _BY_NAME)
        inner = [action for action in item.actions if root.start <= action.span.start < root.end]
        if _VARIABLE.search(name) and any(_ASSIGNED.match(action.text) for action in inner):
            raise Unfit("the object assigns variables, and its name is made of one", _BY_NAME)

    def _names(self, found: Objects, thing: Object) -> _Names:
        metadata = thing.root.get("metadata")
        texts: dict[str, str] = {}
        stem = ""
        for key in ("name", "namespace"):
            node = metadata.get(key) if isinstance(metadata, Map) else None
            if isinstance(node, Scalar) and node.style in ("plain", "single", "double") and "\n" not in node.text:
                texts[key] = found.original(node.literal.start, node.literal.end)
                inner = found.original(node.span.start, node.span.end)
                if key == "name" and (
                    node.style == "plain" or not _ESCAPED.search(found.mask.data[node.span.start : node.span.end])
                ):
                    stem = _INCLUDED.sub(r"\1 | trim \2", _QUOTED.sub(r"\1", inner))
        return _Names(texts.get("name", ""), stem, texts.get("namespace", ""))

    def _free(self, path: str, thing: Object, stem: str) -> str:
        """A name for what is made that nothing else in the templates of the chart has."""
        chart = self.project.chart_of(path)
        if chart not in self.taken:
            names = self.taken[chart] = set()
            for other, what in self.project.roles.items():
                if what == "template" and self.project.chart_of(other) == chart:
                    with suppress(Unfit):
                        found = self._read(other)
                        names |= {self._names(found, each).stem for each in found.manifest.objects}
        name, number = f"{stem}-keyvault", 1
        while name in self.taken[chart]:
            kind = f"-{thing.kind.lower()}"
            name, number = f"{stem}{kind}-keyvault{f'-{number}' if number > 1 else ''}", number + 1
        self.taken[chart].add(name)
        return name

    def _spec(self, thing: Object, entries: list[Entry], policy: str, shape: dict[str, Tree]) -> dict[str, Tree]:
        plain = replace(thing, namespace="" if has_word(thing.namespace) else thing.namespace)
        return self.vaults.external_spec(plain, _TOKEN, entries, policy, shape)

    # --- environments ------------------------------------------------------------------------------------------------

    def _env(self, found: Objects, jobs: Sequence[_Job]) -> list[Edit]:
        thing = jobs[0].site.object
        style = style_of(found.mask.data, thing.root)
        names = self._names(found, thing)
        references: dict[Reference, None] = {}
        made: list[Edit] = []
        for job in jobs:
            owner = job.site.owner
            assert isinstance(owner, Map)  # noqa: S101 - the owner of an env value is its entry
            if "$(" in job.site.scalar.text.replace("$$", "") or not delivered_as_is(job.site):
                raise Unfit("the kubelet hands over another text than stands here", "put the value into the values")
            if "{{" in names.stem and self._is_scoped(found.path, thing.root.start, job.site.scalar.start):
                raise Unfit("a block around the variable changes what the dot of the object's name is", _BY_NAME)
            reference = job.assignment.reference
            made.append(env_value(found.manifest, job.site, owner, _TOKEN, reference, style))
            references[reference] = None
        entries = [entry(reference) for reference in references]
        spec = self._spec(thing, entries, "Owner", {})
        name = self._free(found.path, thing, names.stem)
        edits = [Edit(edit.path, edit.span, edit.replacement.replace(_TOKEN.encode(), name.encode())) for edit in made]
        return [*edits, self._document(found, thing, name, name, spec, entries)]

    def _is_scoped(self, path: str, start: int, end: int) -> bool:
        """Whether a block that gives the dot another meaning opens between two places and is open at the second."""
        opened: list[bool] = []
        for action in self.templates[path].actions:
            if action.control and start <= action.span.start < end:
                word = action.text.split(None, 1)[0]
                if word == "end":
                    del opened[-1:]
                elif word != "else":
                    opened.append(word != "if")
                elif opened and "with" in action.text:
                    opened[-1] = True
        return any(opened)

    # --- Secrets -----------------------------------------------------------------------------------------------------

    def _secret(self, found: Objects, jobs: Sequence[_Job]) -> list[Edit]:
        thing = jobs[0].site.object
        style = style_of(found.mask.data, thing.root)
        names = self._names(found, thing)
        moves = Moves(found.manifest, thing, {id(job.site.scalar): job.assignment.reference for job in jobs})
        guards = self.templates[found.path].guards
        held = guards(thing.root.start)
        if any(guards(job.site.scalar.start) != held for job in jobs):
            raise Unfit("the Secret has the key under a condition", "put the value into the values")
        if moves.remaining:
            if moves.whole_only:
                raise Unfit(
                    "this Secret is valid only with all of its keys", "move the other keys along", moves.siblings
                )
            spec = self._spec(thing, moves.entries, "Merge", {})
            name = self._free(found.path, thing, names.stem)
            return [*reduced(moves), self._document(found, thing, name, names.literal, spec, moves.entries)]
        shape = moves.shape
        if has_word(repr(shape)) or has_word(moves.type):
            raise Unfit("the Secret's type or labels hold actions", "put the value into the values")
        if any(found.mask.touches(Span(key.end, value.end)) for _, key, value in moves.blocks):
            raise Unfit("actions stand between the keys of the Secret", "put the value into the values")
        spec = self._spec(thing, moves.entries, "Owner", shape)
        data = self.vaults.external_data(moves.entries)
        made = converted(moves, self.vaults.api, "ExternalSecret", spec, data, style)
        if any(guards(edit.span.start) != held for edit in made):
            raise Unfit("the Secret has its type or its data under a condition", "put the value into the values")
        self.notes[
            f"upgrading a release that has the Secret of {found.path} already deletes it once, and External Secrets "
            "makes it again"
        ] = None
        token, text = _TOKEN.encode(), names.literal.encode()
        return [Edit(edit.path, edit.span, edit.replacement.replace(token, text)) for edit in made]

    # --- what is made ------------------------------------------------------------------------------------------------

    def _document(
        self, found: Objects, thing: Object, name: str, secret: str, spec: dict[str, Tree], entries: list[Entry]
    ) -> Edit:
        """A document before that of the object."""
        namespace = self._names(found, thing).namespace
        metadata: dict[str, Tree] = {"name": f"{_TOKEN}-self"}
        if namespace:
            metadata["namespace"] = f"{_TOKEN}-space"
        kind: dict[str, Tree] = {"apiVersion": self.vaults.api, "kind": "ExternalSecret"}
        tree: dict[str, Tree] = {
            **kind,
            "metadata": metadata,
            "spec": spec | {"data": self.vaults.external_data(entries)},
        }
        line = newline(found.data).decode()
        text = block(tree, 0, Style(newline=line))
        for token, written in ((f"{_TOKEN}-self", name), (f"{_TOKEN}-space", namespace), (_TOKEN, secret)):
            text = text.replace(token, written)
        return Edit(found.path, Span(thing.root.start, thing.root.start), f"{text}{line}---{line}".encode())
