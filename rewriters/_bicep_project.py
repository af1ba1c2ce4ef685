"""Which Bicep files use which: parameter files, the modules of templates, JSON parameter files, and where vaults are.

Sources: Microsoft Learn, "Create parameters files for Bicep deployment" (`using`), "Bicep modules" (local paths);
Azure/bicep, AzNamespaceType.cs: `az.getSecret(subscriptionId, resourceGroupName, keyVaultName, secretName[, version])`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from rewriters._api import Files, Unreadable
from rewriters._bicep_facts import File, Resource
from rewriters._bicep_paths import json_parameters, resolved
from rewriters._bicep_read import read
from rewriters._bicep_tokens import Statement, literal_text
from rewriters.bicep import claims

__all__ = ["Ambiguous", "Project", "Users"]

_ID = re.compile(
    rb"/subscriptions/([\w-]+)/resourceGroups/([\w.()-]+)/providers/Microsoft\.KeyVault/vaults/([\w-]+)", re.IGNORECASE
)
_CALL = re.compile(rb"getSecret\(\s*'([\w-]+)'\s*,\s*'([\w.()-]+)'\s*,\s*'([\w-]+)'\s*,", re.IGNORECASE)


MAX_BASES = 20


class Ambiguous(Exception):
    """Several vaults of one name."""


@dataclass(frozen=True, slots=True)
class Users:
    """Who gives a template its parameters: Bicep parameter files, JSON parameter files, and calls of it as a module.

    `broken` names files that may be among them and cannot be read.
    """

    parameters: tuple[File, ...] = ()
    json: tuple[str, ...] = ()
    calls: tuple[tuple[File, Resource], ...] = ()
    broken: tuple[str, ...] = ()

    def any(self) -> bool:
        return bool(self.parameters or self.json or self.calls)


@dataclass(slots=True)
class _Index:
    parameters: list[File] = field(default_factory=list)
    calls: list[tuple[File, Resource]] = field(default_factory=list)


def _target_of(data: bytes, statement: Statement) -> str:
    """The path of a `using` or `extends` statement, as it is written."""
    for token in statement.tokens[statement.keyword + 1 : statement.keyword + 2]:
        if token.kind == "text":
            try:
                return literal_text(data, token)
            except Unreadable:
                return ""
    return ""


class Project:
    """The Bicep files of a tree, read when they are asked for."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._read: dict[str, File] = {}
        self.broken: list[str] = []
        self.paths = [path for path, data in files.items() if claims(path, data[:4096])]
        self._vaults: dict[str, set[tuple[str, str]]] | None = None

    def file(self, path: str) -> File | None:
        """A Bicep file; `None` when it is not there, or cannot be read."""
        if path in self._read:
            return self._read[path]
        if path not in self.files or path in self.broken or path not in self.paths:
            return None
        try:
            self._read[path] = read(path, self.files[path])
        except Unreadable:
            self.broken.append(path)
            return None
        return self._read[path]

    @cached_property
    def _index(self) -> dict[str, _Index]:
        index: dict[str, _Index] = {}
        for path in self.paths:
            file = self.file(path)
            if file is None:
                continue
            if file.parameters:
                target = self.template(file)
                if target:
                    index.setdefault(target, _Index()).parameters.append(file)
                continue
            for resource in file.resources:
                if resource.statement.kind == "module":
                    target = resolved(path, resource.type)
                    if target:
                        index.setdefault(target, _Index()).calls.append((file, resource))
        return index

    def template(self, file: File) -> str:
        """The template of a parameter file."""
        for item in file.declared:
            if item.statement.kind == "using":
                return resolved(file.path, _target_of(file.data, item.statement))
        return ""

    def templates(self, file: File) -> tuple[str, ...]:
        """The templates whose parameters a parameter file sets: its own, or those of the files that extend it."""
        own = self.template(file)
        if own:
            return (own,)
        found: list[str] = []
        for path in self.paths:
            other = self.file(path)
            if other is not None and other.parameters and file.path in self.bases(other)[1:]:
                found.append(self.template(other))
        return tuple(dict.fromkeys(path for path in found if path))

    def bases(self, file: File) -> tuple[str, ...]:
        """The paths of a parameter file and of those that it extends."""
        found = [file.path]
        current: File | None = file
        while current is not None and len(found) < MAX_BASES:
            targets = [
                resolved(current.path, _target_of(current.data, item.statement))
                for item in current.declared
                if item.statement.kind == "extends"
            ]
            if not targets or targets[0] in found or not targets[0]:
                break
            found.append(targets[0])
            current = self.file(targets[0])
        return tuple(found)

    def sets(self, file: File, name: str) -> bool:
        """Whether a parameter file, or one that it extends, sets this parameter."""
        files = (self.file(path) for path in self.bases(file))
        return any(found is not None and found.named("param", name) is not None for found in files)

    def users(self, path: str) -> Users:
        """Who gives this template its parameters."""
        found = self._index.get(path, _Index())
        data = json_parameters(path, self.files)
        return Users(tuple(found.parameters), data, tuple(found.calls), tuple(sorted(self.broken)))

    def vault(self, name: str, chosen: str) -> tuple[str, str] | None:
        """Subscription and resource group of a vault: as chosen, else as a file says. Raises `Ambiguous`."""
        match = _ID.fullmatch(chosen.rstrip("/").encode())
        if match is not None and match[3].decode().lower() == name.lower():
            return match[1].decode(), match[2].decode()
        if self._vaults is None:
            self._vaults = {}
            for subscription, group, vault in self._named_vaults():
                known = self._vaults.setdefault(vault.lower(), set())
                if not any((subscription.lower(), group.lower()) == (a.lower(), b.lower()) for a, b in known):
                    known.add((subscription, group))
        found = self._vaults.get(name.lower(), set())
        if len(found) > 1:
            raise Ambiguous
        return next(iter(found), None)

    def _named_vaults(self) -> Iterator[tuple[str, str, str]]:
        for data in self.files.values():
            for pattern in (_ID, _CALL):
                for match in pattern.finditer(data):
                    yield match[1].decode(), match[2].decode(), match[3].decode()
