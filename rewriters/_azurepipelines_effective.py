"""What the agent hands the steps of a pipeline, read with ruamel.yaml.

Sources: microsoft/azure-pipelines-agent, `Variables.cs` (variables put into each other, secrecy passed on),
`VarUtil.cs` (names in the environment); Microsoft Learn, "Variable scopes" (the most specific one wins).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rewriters._api import Delivery, Files, Lookup, Reference, Unreadable
from rewriters._ci_effective import Deliveries, as_map, expanded, items, leaves, load, text, words_of

__all__ = ["effective"]

_MACRO = re.compile(r"\$\(([^()\r\n]+)\)")
_SCRIPTS = ("script", "bash", "pwsh", "powershell")
_DEPTH = 50
_MOST = 20_000
"""Times that variables are put into each other for one job: they can double with each level."""


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    found = Deliveries()
    for path, data in sorted(files.items()):
        for root in load(data)[:1]:
            _File(path, lookup, found).read(as_map(root))
    return found.all()


class _Scope:
    """Variables by name in lower case: how each is spelled, its text, and whether it is a secret."""

    def __init__(self, known: Mapping[str, tuple[str, str, bool]] | None = None) -> None:
        self.known = dict(known or {})
        self.put = 0

    def set(self, name: str, value: str, *, secret: bool = False) -> None:
        was = self.known.get(name.lower())
        self.known[name.lower()] = (name, value, secret or (was is not None and was[2]))

    def value(self, name: str) -> tuple[str, bool] | None:
        """A variable with all that it names put in; nothing for one that is not set."""
        return self._value(name.lower(), ())

    def _value(self, name: str, above: tuple[str, ...]) -> tuple[str, bool] | None:
        found = self.known.get(name)
        if found is None or name in above or len(above) > _DEPTH:
            return None
        self.put += 1
        if self.put > _MOST:
            raise Unreadable(f"its variables name each other more than {_MOST} times")
        secret = found[2]

        def inner(nested: str) -> str | None:
            nonlocal secret
            value = self._value(nested.lower(), (*above, name))
            if value is None:
                return None
            secret = secret or value[1]
            return value[0]

        return expanded(found[1], _MACRO, inner), secret

    def put_in(self, value: str) -> str:
        """A text with the variables put in once."""
        return expanded(value, _MACRO, lambda name: found[0] if (found := self.value(name)) is not None else None)

    def environment(self) -> dict[str, str]:
        """What every step finds in its environment: all that is no secret."""
        found: dict[str, str] = {}
        for name, _, _ in self.known.values():
            value = self.value(name)
            if value is not None and not value[1]:
                found[name.replace(".", "_").replace(" ", "_").upper()] = value[0]
        return found


class _File:
    def __init__(self, path: str, lookup: Lookup, found: Deliveries) -> None:
        self.path, self.lookup, self.found = path, lookup, found

    def read(self, root: Mapping[str, Any]) -> None:
        scope = self.scope(root, _Scope())
        self.group(root, scope, self.path)
        for part in ("parameters", "resources", "extends"):
            self.texts(self.path, part, root.get(part))

    def texts(self, subject: str, part: str, node: Any) -> None:
        for name, value in leaves(node):
            self.found.add(self.path, subject, "object", f"{part}.{name}", value)

    def scope(self, node: Mapping[str, Any], outer: _Scope) -> _Scope:
        scope = _Scope(outer.known)
        said = node.get("variables")
        pairs = [(name, text(value)) for name, value in as_map(said).items()]
        pairs += [(text(as_map(item).get("name")) or "", text(as_map(item).get("value"))) for item in items(said)]
        for name, found in pairs:
            if name and found is not None:
                scope.set(name, found)
        return scope

    def group(self, node: Mapping[str, Any], scope: _Scope, subject: str) -> None:
        """Stages, jobs and steps of a map."""
        for kind in ("stages", "jobs"):
            for number, item in enumerate(items(node.get(kind))):
                inner = as_map(item)
                where = f"{subject}#{kind}/{number}" if subject == self.path else f"{subject}/{kind}/{number}"
                if text(inner.get("template")) is not None:
                    self.texts(where, "parameters", inner.get("parameters"))
                    continue
                own = self.scope(inner, scope)
                self.group(inner, own, where)
                self.texts(where, "container", inner.get("container"))
                self.texts(where, "matrix", as_map(inner.get("strategy")).get("matrix"))
                self.hooks(inner.get("strategy"), own, where)
        if items(node.get("steps")):
            self.steps(f"{subject}#steps" if subject == self.path else f"{subject}/steps", node["steps"], scope)

    def hooks(self, node: Any, scope: _Scope, subject: str) -> None:
        todo = [(subject, node, 0)]
        while todo:
            where, current, depth = todo.pop()
            for name, inner in as_map(current).items():
                if name == "steps":
                    self.steps(f"{where}/steps", inner, scope)
                elif name != "matrix" and depth < _DEPTH:
                    todo.append((f"{where}/{name}", inner, depth + 1))

    def steps(self, subject: str, node: Any, outer: _Scope) -> None:
        """The steps in order; those that read the vault are not counted, and hand over nothing but what they read."""
        scope = _Scope(outer.known)
        number = 0
        for item in items(node):
            step = as_map(item)
            task = (text(step.get("task")) or "").partition("@")[0].lower()
            if task == "azurekeyvault":
                self.fetch(scope, step)
                continue
            self.step(f"{subject}/{number}", step, scope)
            number += 1

    def fetch(self, scope: _Scope, step: Mapping[str, Any]) -> None:
        given = {name.lower(): text(inner) or "" for name, inner in as_map(step.get("inputs")).items()}
        vault = f"https://{scope.put_in(given.get('keyvaultname', '')).lower()}.vault.azure.net"
        for part in given.get("secretsfilter", "").split(","):
            name = part.strip()
            if name and name != "*":
                value = self.lookup(Reference(vault, name)).reveal().decode("utf-8", "replace")
                scope.set(name, value, secret=True)

    def step(self, subject: str, step: Mapping[str, Any], scope: _Scope) -> None:
        own = {name: scope.put_in(value) for name, inner in as_map(step.get("env")).items() if (value := text(inner))}
        # Names in the environment are told apart by case on some agents only; ours are given as they are exported.
        everything = {**scope.environment(), **own}
        if text(step.get("template")) is None and text(step.get("checkout")) is None:
            for name, value in everything.items():
                self.found.add(self.path, subject, "env", name, value)
        else:
            self.texts(subject, "parameters", step.get("parameters"))
        for kind in _SCRIPTS:
            if (run := text(step.get(kind))) is not None:
                self.found.add(self.path, subject, "arg", kind, words_of(scope.put_in(run), everything.get))
        for name, inner in as_map(step.get("inputs")).items():
            if (value := text(inner)) is not None:
                said = scope.put_in(value)
                script = name.lower() in ("script", "inlinescript")
                self.found.add(self.path, subject, "arg", name, words_of(said, everything.get) if script else said)
