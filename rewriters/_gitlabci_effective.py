"""What GitLab hands the jobs of a pipeline, read with ruamel.yaml.

Source: GitLab documentation, "CI/CD YAML syntax reference": `extends` merges maps and replaces lists, `default`,
`variables` of the file and of the job, `secrets`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rewriters._api import Delivery, Files, Lookup, Reference
from rewriters._ci_effective import Deliveries, as_map, expanded, items, leaves, load, text, words_of

__all__ = ["effective"]

_GLOBAL = frozenset(
    ("default", "image", "services", "stages", "types", "variables", "cache", "include", "workflow", "spec")
)
_SCRIPTS = ("script", "before_script", "after_script")
_SIGN_IN = ("AZURE_KEY_VAULT_SERVER_URL", "AZURE_CLIENT_ID", "AZURE_TENANT_ID")
"""Variables by which the runner reads the vault: how values come, and none of them."""
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_DEPTH = 12
"""GitLab's own bound is 11 levels of `extends`."""


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    found = Deliveries()
    for path, data in sorted(files.items()):
        for root in load(data)[-1:]:
            _File(path, as_map(root), lookup, found).read()
    return found.all()


class _File:
    def __init__(self, path: str, root: Mapping[str, Any], lookup: Lookup, found: Deliveries) -> None:
        self.path, self.root, self.lookup, self.found = path, root, lookup, found

    def read(self) -> None:
        for name, node in self.root.items():
            if name in _GLOBAL or name in _SCRIPTS or getattr(node, "id", "") != "mapping":
                continue
            # A hidden job is no job, and still what jobs of other files are made of.
            self.job(f"{self.path}#{name}", self.extended(name, ()), hidden=name.startswith("."))
        for part in ("default", "services", *_SCRIPTS, "workflow", "image"):
            for name, value in leaves(self.root.get(part)):
                self.found.add(self.path, self.path, "object", f"{part}.{name}", value)
        for name, value in self.variables(self.root.get("variables")).items():
            shared = [job for job, node in self.root.items() if job not in _GLOBAL and as_map(node)]
            if not shared:  # a file of variables only
                self.found.add(self.path, self.path, "env", name, value)

    def extended(self, name: str, above: tuple[str, ...]) -> dict[str, Any]:
        """A job with all that it extends: maps one within the other, anything else replaced."""
        own = as_map(self.root.get(name))
        if name in above or len(above) > _DEPTH:
            return own
        said = own.get("extends")
        parents = [found for item in (items(said) or [said]) if (found := text(item)) is not None]
        merged: dict[str, Any] = {}
        for parent in parents:
            merged = _merged(merged, self.extended(parent, (*above, name)))
        return _merged(merged, own)

    def variables(self, node: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, inner in _map(node).items():
            value = text(inner) if text(inner) is not None else text(_map(inner).get("value"))
            if value is not None:
                found[name] = value
        return found

    def job(self, subject: str, job: Mapping[str, Any], *, hidden: bool) -> None:
        own, shared = self.variables(job.get("variables")), self.variables(self.root.get("variables"))
        known = {**shared, **own}
        # The file's variables are the jobs', and a hidden one is none.
        env = {name: expanded(value, _VARIABLE, known.get) for name, value in (own if hidden else known).items()}
        server = known.get(_SIGN_IN[0], "").rstrip("/")
        for name, inner in _map(job.get("secrets")).items():
            vault = _map(_map(inner).get("azure_key_vault"))
            secret = text(vault.get("name"))
            if secret is not None and text(_map(inner).get("file")) == "false":
                reference = Reference(server, secret, text(vault.get("version")) or "")
                env[name] = self.lookup(reference).reveal().decode("utf-8", "replace")
        for name, value in env.items():
            if name not in _SIGN_IN:
                self.found.add(self.path, subject, "env", name, value)
        for part in _SCRIPTS:
            lines = _lines(job.get(part))
            if lines:
                self.found.add(self.path, subject, "arg", part, words_of("\n".join(lines), env.get))
        for part in ("services", "image", "parallel", "rules", "environment", "release", "artifacts"):
            for name, value in leaves(job.get(part)):
                self.found.add(self.path, subject, "object", f"{part}.{name}", value)


def _lines(node: Any) -> list[str]:
    """Texts in the order in which they are written."""
    found: list[str] = []
    todo = [node]
    while todo:
        item = todo.pop()
        value = text(item)
        if value is not None:
            found.append(value)
        else:
            todo += reversed(items(item))
    return found


def _map(node: Any) -> dict[str, Any]:
    """A map of the file, or one that was merged here."""
    return node if isinstance(node, dict) else as_map(node)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for name, node in above.items():
        inner = _map(node)
        result[name] = {**_map(result[name]), **inner} if inner and name in result and _map(result[name]) else node
    return result
