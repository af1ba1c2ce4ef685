"""The edits of Bake files: variables lose their defaults, texts name variables, and targets hand secrets to builds.

Sources: Docker documents, Bake file reference (`secret = ["id=…,env=…"]`; `context` and `dockerfile` of a target) and
Bake, variables.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from rewriters import fetch
from rewriters._api import (
    Assignment,
    Edit,
    Reference,
    Refusal,
    Request,
    Requirement,
    Rewrite,
    Span,
    Unreadable,
    Variable,
)
from rewriters._bake_read import REASONS, Site, folder_of, read
from rewriters._encode import locate
from rewriters._hcl import Block, Body, Group, apart
from rewriters._hcl import read as read_hcl
from rewriters._hcl_edit import Editor, quoted
from rewriters._json import read as read_json
from rewriters._json_edit import Editor as JsonEditor
from rewriters._yaml import Map
from rewriters.bake import claims

__all__ = ["rewrite"]


class _No(Exception):
    def __init__(self, reason: str, alternative: str) -> None:
        super().__init__(reason)
        self.reason, self.alternative = reason, alternative


def rewrite(request: Request) -> Rewrite:
    if not request.assignments and not any(need.kind == "build-secret" for need in request.requirements):
        return Rewrite()
    return _Work(request).answer()


class _Work:
    def __init__(self, request: Request) -> None:
        self.files, self.request = request.files, request
        self.bodies: dict[str, Body] = {}
        self.sites: dict[str, dict[str, Site]] = {}
        self.editors: dict[str, Editor] = {}
        self.json: dict[str, JsonEditor] = {}
        self.more: list[Edit] = []
        self.refusals: list[Refusal] = []
        self.given: dict[tuple[str, str], Reference] = {}
        self.new: dict[str, dict[str, None]] = {}
        self.notes: dict[str, None] = {}
        self.provided: list[Requirement] = []
        self.secrets: set[tuple[str, str]] = set()
        self.lists: dict[tuple[str, int], list[str]] = {}
        for path, data in sorted(request.files.items()):
            if claims(path, data[:4096]):
                try:
                    self.sites[path] = {site.slot.pointer: site for site in read(path, data)}
                    if not path.lower().endswith(".json"):
                        self.bodies[path] = read_hcl(data)
                except Unreadable:
                    continue

    def answer(self) -> Rewrite:
        for need in self.request.requirements:
            if need.kind == "build-secret":
                self.provide(need)
        by_path: dict[str, list[Assignment]] = {}
        for item in self.request.assignments:
            by_path.setdefault(item.slot.path, []).append(item)
        for path, items in by_path.items():
            self.file(path, items)
        self.declare()
        self.list_secrets()
        edits = [edit for editor in self.editors.values() for edit in editor.done()]
        edits += [edit for editor in self.json.values() for edit in editor.edits()]
        variables = (Variable(folder, name, reference) for (folder, name), reference in self.given.items())
        return Rewrite(
            edits=(*edits, *self.more),
            refusals=tuple(self.refusals),
            provides=tuple(self.provided),
            variables=tuple(sorted(variables)),
            notes=tuple(self.notes),
        )

    def editor(self, path: str) -> Editor:
        if path not in self.editors:
            self.editors[path] = Editor(path, self.files[path])
        return self.editors[path]

    def json_editor(self, path: str) -> JsonEditor:
        if path not in self.json:
            self.json[path] = JsonEditor(path, self.files[path])
        return self.json[path]

    def file(self, path: str, items: list[Assignment]) -> None:
        taken: list[Span] = []
        for item in sorted(items, key=lambda item: (item.slot.span, item.part or Span(0, 0))):
            site = self.sites.get(path, {}).get(item.slot.pointer)
            try:
                if site is None or site.slot.span != item.slot.span:
                    raise _No("this place is not in the file any more", "scan the file again")
                span = self.span(item, site)
                if any(span.touches(other) or span == other for other in taken):
                    raise _No("this place was moved already", "scan the file again")
                if site.kind == "default":
                    self.default(path, item, site)
                elif site.kind == "argument":
                    self.argument(path, item, site)
                else:
                    self.text(path, item, site, span)
                taken.append(span)
            except _No as no:
                self.refusals.append(Refusal(path, item.slot.pointer, no.reason, no.alternative))

    def span(self, item: Assignment, site: Site) -> Span:
        """The bytes that go: the literal, or those of the part."""
        slot = site.slot
        value = slot.value.reveal()
        if not site.kind:
            if site.refused:
                raise _No(*REASONS[site.refused])
            raise _No(slot.reason, "write the text in another way, then run this again")
        if b"\0" in value:
            raise _No("an environment variable cannot hold a NUL byte", "read it from the vault in the build")
        if item.part is None or len(item.part) == len(value):
            if site.template and site.kind != "argument":
                raise _No(*REASONS["template"])
            return slot.literal
        if not slot.interpolates:
            if site.kind == "argument":
                raise _No(*REASONS["argument"])
            raise _No("a variable is set as a whole", "move the whole text as one secret")
        raw = self.files[slot.path][slot.span.start : slot.span.end]
        found = locate(slot.encoding, raw, item.part)
        if found is None or not apart(raw, found):
            raise _No("this part of the text cannot be replaced alone", "move the whole text as one secret")
        return Span(slot.span.start + found.start, slot.span.start + found.end)

    # --- variables ---------------------------------------------------------------------------------------------------

    def known(self, folder: str) -> dict[str, Reference]:
        known = dict(fetch.variables(folder, self.files))
        known |= {name: reference for (other, name), reference in self.given.items() if other == folder}
        return known

    def declared(self, folder: str) -> dict[str, int]:
        """The variables of the folder's files, and how many of them give it a default."""
        found: dict[str, int] = {}
        for path, body in self.bodies.items():
            for block in body.of("variable") if folder_of(path) == folder else ():
                name = block.labels[0] if block.labels else ""
                found[name] = found.get(name, 0) + (block.body.get("default") is not None)
        for path, sites in self.sites.items():
            if path in self.bodies or folder_of(path) != folder:
                continue
            for site in sites.values():
                if site.words[0] == "variable" and len(site.words) > 2:
                    found[site.words[1]] = found.get(site.words[1], 0) + (site.words[2:] == ("default",))
        return found

    def take(self, folder: str, name: str, reference: Reference) -> None:
        if not fetch.is_variable(name) or name in fetch.RESERVED:
            raise _No(f"{name} has a meaning of its own in the environment", "give the variable another name")
        if self.known(folder).get(name, reference) != reference:
            raise _No(
                f"the fetch script of this folder sets {name} to another secret", "give the variable another name"
            )
        self.given[folder, name] = reference
        self.run(folder)

    def run(self, folder: str) -> None:
        script = fetch.path_for(folder, self.files)
        self.notes[f"{folder or 'the root folder'}: run docker buildx bake through {script}."] = None

    def default(self, path: str, item: Assignment, site: Site) -> None:
        name = site.words[1]
        folder = folder_of(path)
        if self.declared(folder).get(name, 0) > 1:
            raise _No(
                "other Bake files of the folder give this variable a default as well",
                "leave one of them, then run this",
            )
        self.take(folder, name, item.reference)
        if site.place is not None:
            self.editor(path).instead(site.place.body, site.place.attribute, [])
        elif site.owner is not None:
            self.json_editor(path).remove(site.owner, site.index)

    def text(self, path: str, item: Assignment, site: Site, span: Span) -> None:
        name = self.named(folder_of(path), item.reference)
        self.new.setdefault(path, {})
        if name not in self.declared(folder_of(path)):
            self.new[path][name] = None
        if site.place is not None and span == site.slot.literal:
            self.editor(path).put(span, name)
        else:
            span = site.slot.span if span == site.slot.literal else span
            self.more.append(Edit(path, span, f"${{{name}}}".encode()))

    def named(self, folder: str, reference: Reference) -> str:
        """The variable that carries a secret: one that is there, or a free name."""
        known, declared = self.known(folder), self.declared(folder)
        for name, other in known.items():
            if other == reference and fetch.is_variable(name):
                self.take(folder, name, reference)
                return name
        base = reference.variable if reference.variable[:1].isalpha() else f"SECRET_{reference.variable}"
        name, number = base, 1
        while name in known or name in declared or name in fetch.RESERVED:
            number += 1
            name = f"{base}_{number}"
        self.take(folder, name, reference)
        return name

    def declare(self) -> None:
        """The variables that texts name."""
        done: set[tuple[str, str]] = set()
        for path, names in self.new.items():
            fresh = [name for name in names if (folder_of(path), name) not in done]
            done |= {(folder_of(path), name) for name in fresh}
            if path in self.bodies:
                for name in fresh:
                    self.editor(path).append([f'variable "{name}" {{}}'])
            elif fresh:
                root = read_json(self.files[path])
                there = root.get("variable") if isinstance(root, Map) else None
                if isinstance(there, Map):
                    for name in fresh:
                        self.json_editor(path).add(there, name, {})
                elif isinstance(root, Map):
                    self.json_editor(path).add(root, "variable", {name: {} for name in fresh})

    # --- build secrets -----------------------------------------------------------------------------------------------

    def provide(self, need: Requirement) -> None:
        """Each target that builds from the Dockerfile hands the secret over."""
        found = [(path, block) for path in self.bodies for block in self.builders(path, need.path)]
        if not found:
            return
        for path, block in found:
            if any(need.name == name for name, _ in _listed(block, self.files[path])):
                self.secrets.add((path, need.name))
                continue
            secrets = block.body.get("secret")
            if secrets is not None and not (isinstance(secrets.value, Group) and secrets.value.kind == "list"):
                return
        for path, block in found:
            if (path, need.name) in self.secrets:
                continue
            variable = self.named(folder_of(path), need.reference)
            self.lists.setdefault((path, block.span.start), []).append(quoted(f"id={need.name},env={variable}"))
        self.secrets |= {(path, need.name) for path, _ in found}
        self.provided.append(need)

    def builders(self, path: str, dockerfile: str) -> Iterator[Block]:
        """The targets that build from this Dockerfile, and do not have their secrets from one that does."""
        targets = {block.labels[0]: block for block in self.bodies[path].of("target") if block.labels}
        mine = {name for name in targets if self.builds(path, targets, name) == dockerfile}
        for name in mine:
            parents = _inherits(targets[name])
            if targets[name].body.get("secret") is not None or not any(parent in mine for parent in parents):
                yield targets[name]

    def builds(self, path: str, targets: dict[str, Block], name: str) -> str:
        """The Dockerfile of a target; empty when it is not written down."""
        found: dict[str, str] = {}
        todo, seen = [name], set()
        while todo:
            current = todo.pop(0)
            if current in seen or current not in targets:
                continue
            seen.add(current)
            body = targets[current].body
            for key in ("context", "dockerfile", "dockerfile-inline"):
                if key not in found and body.get(key) is not None:
                    found[key] = body.text(key) or "\0"
            todo += reversed(_inherits(targets[current]))
        if "dockerfile-inline" in found or "\0" in found.values() or "://" in found.get("context", ""):
            return ""
        folder = folder_of(path) or "."
        return posixpath.normpath(
            posixpath.join(folder, found.get("context", "."), found.get("dockerfile", "Dockerfile"))
        )

    def list_secrets(self) -> None:
        for (path, start), entries in self.lists.items():
            block = next(block for block in self.bodies[path].of("target") if block.span.start == start)
            secrets = block.body.get("secret")
            editor = self.editor(path)
            if secrets is None:
                editor.into(block, [f"secret = [{', '.join(entries)}]"])
                continue
            literal = secrets.value.literal
            inner = self.files[path][literal.start + 1 : literal.end - 1]
            at = literal.start + 1 + len(inner.rstrip())
            lead = ", " if inner.strip() and not inner.rstrip().endswith(b",") else " " * bool(inner.strip())
            editor.put(Span(at, at), lead + ", ".join(entries))

    def argument(self, path: str, item: Assignment, site: Site) -> None:
        """An argument goes when its target hands the secret over under the same name."""
        name = site.words[-1].lower().replace("_", "-")
        handed = [need for need in self.provided if need.reference == item.reference]
        same = [need for need in handed if need.name.lower().replace("_", "-") == name]
        block = site.place.blocks[0] if site.place is not None else None
        mine = {need.path for need in same}
        targets = {other.labels[0]: other for other in self.bodies[path].of("target") if other.labels} if block else {}
        if block is None or not block.labels or self.builds(path, targets, block.labels[0]) not in mine:
            raise _No(*REASONS["argument"])
        attribute = site.place.attribute if site.place is not None else None
        if attribute is None or not isinstance(attribute.value, Group) or len(site.words) != 4:
            raise _No(*REASONS["argument"])
        if len(attribute.value.items) == 1:
            self.editor(path).instead(block.body, attribute, [])
            return
        data = self.files[path]
        start = data.rfind(b"\n", 0, site.slot.literal.start) + 1
        stop = data.find(b"\n", site.slot.literal.end) + 1
        line = data[start:stop].strip().rstrip(b",")
        plain = line.endswith(data[site.slot.literal.start : site.slot.literal.end].strip()) and line.count(b"=") == 1
        if not stop or not plain or start <= attribute.span.start:
            raise _No("the argument stands on a line with others", "write each argument on a line of its own")
        self.editor(path).put(Span(start, stop), "")


def _inherits(block: Block) -> list[str]:
    found = block.body.get("inherits")
    items = found.value.items if found is not None and isinstance(found.value, Group) else ()
    return [item.name() for _, item in items if not isinstance(item, Group)]


def _listed(block: Block, data: bytes) -> Iterator[tuple[str, str]]:
    """Ids of the secrets that a target lists, with the text of each."""
    found = block.body.get("secret")
    if found is None:
        return
    text = data[found.value.literal.start : found.value.literal.end].decode("utf-8", "replace")
    for match in re.finditer(r'(?:\bid=|\bid\s*=\s*")([^",\s]+)', text):
        yield match[1], text
