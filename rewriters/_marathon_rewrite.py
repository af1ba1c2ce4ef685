"""The edits of Marathon's definitions: variables that are secrets, and where the store has them.

Source: Marathon documentation, "Secret Configuration": `env` and `secrets` of an application, `environment` of a pod;
the feature has to be enabled, and a plugin has to be there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress

from rewriters import fetch
from rewriters._api import (
    Assignment,
    Edit,
    Files,
    Reference,
    Refusal,
    Request,
    Requirement,
    Rewrite,
    Unreadable,
    Variable,
)
from rewriters._json_edit import Editor
from rewriters._marathon_read import ALTERNATIVES, Definitions, Site, read, works
from rewriters._yaml import Map, Scalar, Seq
from rewriters.marathon import claims

__all__ = ["rewrite"]

_NOT_ASKED = (
    "Marathon delivers no secrets without a plugin, ships none, and knows none that reads Key Vault",
    "where a plugin and its store are there (DC/OS Enterprise), say so with --marathon-secrets; else have the program "
    "read Key Vault itself, or run the service on a platform that does",
)


class _No(Exception):
    """Why an assignment cannot be carried out."""

    def __init__(self, reason: str, alternative: str) -> None:
        super().__init__(reason)
        self.reason, self.alternative = reason, alternative


def rewrite(request: Request) -> Rewrite:
    """Carries out the assignments, and says which requirements the files fulfil."""
    by_path: dict[str, list[Assignment]] = {}
    for item in request.assignments:
        by_path.setdefault(item.slot.path, []).append(item)
    edits: list[Edit] = []
    refusals: list[Refusal] = []
    variables: set[Variable] = set()
    notes: dict[str, None] = {}
    given: set[tuple[str, Reference]] = set()
    named = _named(request.files) if by_path and request.settings.marathon_secrets else frozenset()
    for path, items in by_path.items():
        try:
            file = _File(path, request.files[path], read(path, request.files[path]), request.files, named)
        except Unreadable as error:
            raise ValueError(f"{path} is assigned, and cannot be read: {error.reason}") from None
        for item in items:
            site = file.sites[item.slot.pointer]
            try:
                file.possible(item, site, asked=request.settings.marathon_secrets)
                file.refer(item, site)
                given.add((item.slot.key, item.reference))
                variables.add(Variable(file.folder, item.reference.variable, item.reference))
                notes |= dict.fromkeys(file.notes(item.reference))
            except _No as no:
                refusals.append(Refusal(path, item.slot.pointer, no.reason, no.alternative))
        edits += file.edits()
    if any(need.kind == "runtime-variable" for need in request.requirements):
        given |= set(_there(request.files))
    return Rewrite(
        edits=tuple(edits),
        refusals=tuple(refusals),
        provides=tuple(need for need in request.requirements if _fulfilled(need, given)),
        variables=tuple(sorted(variables)),
        notes=tuple(notes),
    )


def _fulfilled(need: Requirement, given: set[tuple[str, Reference]]) -> bool:
    return need.kind == "runtime-variable" and (need.name, need.reference) in given


def _there(files: Files) -> list[tuple[str, Reference]]:
    """The variables that are secrets of a known place in the vault already."""
    found: list[tuple[str, Reference]] = []
    for path, definitions in _readable(files):
        known = {reference.name: reference for reference in _fetched(path, files).values()}
        for _, work in works(definitions.root):
            sources = _sources(work)
            for key, value in _variables(work):
                if (reference := known.get(sources.get(value, ""))) is not None:
                    found.append((key, reference))
    return found


def _named(files: Files) -> frozenset[str]:
    """The sources of all secrets of all files."""
    definitions = (found for _, found in _readable(files))
    return frozenset(
        source for found in definitions for _, work in works(found.root) for source in _sources(work).values()
    )


def _readable(files: Files) -> Iterator[tuple[str, Definitions]]:
    for path, data in files.items():
        if claims(path, data[:4096]):
            with suppress(Unreadable):
                yield path, read(path, data)


def _variables(work: Map) -> list[tuple[str, str]]:
    """The names of the variables that are secrets, with those of the secrets."""
    owners = [work.get("env"), work.get("environment")]
    containers = work.get("containers")
    for item in containers.items if isinstance(containers, Seq) else ():
        owners.append(item.get("environment") if isinstance(item, Map) else None)
    found: list[tuple[str, str]] = []
    for owner in owners:
        for key, value in owner.pairs if isinstance(owner, Map) else ():
            secret = value.get("secret") if isinstance(value, Map) else None
            if isinstance(key, Scalar) and isinstance(secret, Scalar):
                found.append((key.text, secret.text))
    return found


def _sources(work: Map) -> dict[str, str]:
    """The secrets of an application with their sources."""
    secrets = work.get("secrets")
    found: dict[str, str] = {}
    for key, value in secrets.pairs if isinstance(secrets, Map) else ():
        source = value.get("source") if isinstance(value, Map) else None
        if isinstance(key, Scalar) and isinstance(source, Scalar):
            found[key.text] = source.text
    return found


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _fetched(path: str, files: Files) -> Mapping[str, Reference]:
    try:
        return fetch.variables(_folder(path), files)
    except ValueError:
        return {}


class _File:
    """One file and what becomes of it."""

    def __init__(self, path: str, data: bytes, definitions: Definitions, files: Files, named: frozenset[str]) -> None:
        self.path, self.folder, self.files = path, _folder(path), files
        self.editor = Editor(path, data)
        self.sites = {site.slot.pointer: site for site in definitions.sites}
        self.strict = _is_strict(data)
        self.known: dict[int, dict[str, str]] = {}
        self.new: dict[int, tuple[Map, dict[str, dict[str, str]]]] = {}
        self.fetched = dict(_fetched(path, files))
        self.sources = named
        self.done: list[Edit] = []

    def possible(self, item: Assignment, site: Site, *, asked: bool) -> None:
        if site.work is None:
            raise _No(site.slot.reason, ALTERNATIVES[site.refused])
        if not asked:
            raise _No(*_NOT_ASKED)
        if item.part is not None:
            raise _No("a secret stands for a whole value here", "move the whole text")
        if not self.strict:
            raise _No("the file has comments or commas that Marathon does not read", "write it as plain JSON first")
        secrets = site.work.get("secrets")
        if secrets is not None and not isinstance(secrets, Map):
            raise _No("the secrets of the application are no map", "write them as one, then run this again")
        name = item.reference.variable
        try:
            fetch.path_for(self.folder, self.files)
        except ValueError:
            raise _No("no name for the fetch script is free in the folder", "rename one of the files there") from None
        if not fetch.is_variable(name) or name in fetch.RESERVED:
            raise _No("the secret's name makes no variable for the fetch script", "give the secret another name")
        if item.reference.name in self.sources and item.reference not in self.fetched.values():
            raise _No(
                "a definition takes a secret of this name from the store, which may be another one",
                "give the secret another name",
            )
        if self.fetched.setdefault(name, item.reference) != item.reference:
            raise _No("the fetch script reads another secret into the same variable", "give the secret another name")

    def refer(self, item: Assignment, site: Site) -> None:
        if site.work is not None:
            text = json.dumps({"secret": self.secret(site.work, item.reference)})
            self.done.append(Edit(self.path, site.node.literal, text.encode()))

    def edits(self) -> tuple[Edit, ...]:
        for work, entries in self.new.values():
            self.editor.add(work, "secrets", entries)
        return (*self.done, *self.editor.edits())

    def secret(self, work: Map, reference: Reference) -> str:
        """The name under which the application knows a secret; a new one unless there is one."""
        known = self.known.setdefault(id(work), _sources(work))
        for name, source in known.items():
            if source == reference.name:
                return name
        secrets = work.get("secrets")
        taken = {key.text for key, _ in secrets.pairs if isinstance(key, Scalar)} if isinstance(secrets, Map) else set()
        name, number = reference.name, 1
        while name in known or name in taken:
            number += 1
            name = f"{reference.name}-{number}"
        known[name] = reference.name
        entry = {"source": reference.name}
        if isinstance(secrets, Map):
            self.editor.add(secrets, name, entry)
        elif id(work) in self.new:
            self.new[id(work)][1][name] = entry
        else:
            self.new[id(work)] = (work, {name: entry})
        return name

    def notes(self, reference: Reference) -> tuple[str, ...]:
        script = fetch.path_for(self.folder, self.files)
        return (
            f"{self.path}: copy {reference.name} into the store that the plugin reads, under that name, before the "
            f"deployment and after each rotation: {script} gives it to a command as {reference.variable}.",
            f"{self.path}: Marathon needs --enable_features secrets and a plugin for them; without, it takes the file "
            "and hands over nothing.",
        )


def _is_strict(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return True
