"""What GitHub hands the steps of a workflow, and the services and containers of its jobs, read with ruamel.yaml.

Sources: GitHub documentation, "Variables" (workflow, job, step: the most specific one wins), "Contexts".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rewriters._api import Delivery, Files, Lookup
from rewriters._ci_effective import Deliveries, as_map, expanded, items, leaves, load, text, words_of
from rewriters._githubactions_fetch import fetched

__all__ = ["effective"]

_OUTPUT = re.compile(r"\$\{\{\s*steps\.([\w-]+\.outputs\.[\w-]+)\s*\}\}")
_ENV = re.compile(r"\$\{\{\s*env\.([A-Za-z_]\w*)\s*\}\}")


def _nothing(_: str) -> None:
    return None


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    found = Deliveries()
    for path, data in sorted(files.items()):
        for root in load(data)[:1]:
            _File(path, as_map(root), lookup, found).read()
    return found.all()


class _File:
    def __init__(self, path: str, root: Mapping[str, Any], lookup: Lookup, found: Deliveries) -> None:
        self.path, self.root, self.lookup, self.found = path, root, lookup, found

    def read(self) -> None:
        env = self.environment(self.root.get("env"), _nothing)
        for name, node in as_map(self.root.get("jobs")).items():
            job = as_map(node)
            subject = f"{self.path}#jobs/{name}"
            own = {**env, **self.environment(job.get("env"), _nothing)}
            self.steps(subject, job, own)
            for service, inner in as_map(job.get("services")).items():
                self.container(f"{subject}/services/{service}", as_map(inner), own)
            self.container(f"{subject}/container", as_map(job.get("container")), own)
            for part in ("with", "secrets", "strategy"):
                self.texts(subject, part, job.get(part))
        runs = as_map(self.root.get("runs"))
        self.steps(f"{self.path}#runs", runs, {})
        for part in ("env", "args"):
            self.texts(f"{self.path}#runs", part, runs.get(part))
        for part in ("on", "inputs"):
            self.texts(self.path, part, self.root.get(part))

    def texts(self, subject: str, part: str, node: Any) -> None:
        for name, value in leaves(node):
            self.found.add(self.path, subject, "object", f"{part}.{name}", value)

    def environment(self, node: Any, outputs: Callable[[str], str | None]) -> dict[str, str]:
        return {
            name: expanded(value, _OUTPUT, outputs)
            for name, inner in as_map(node).items()
            if (value := text(inner)) is not None
        }

    def container(self, subject: str, node: Mapping[str, Any], env: Mapping[str, str]) -> None:
        for name, value in self.environment(node.get("env"), _nothing).items():
            self.found.add(self.path, subject, "env", name, expanded(value, _ENV, env.get))
        for name, value in self.environment(node.get("credentials"), _nothing).items():
            self.found.add(self.path, subject, "registry", name, expanded(value, _ENV, env.get))
        options = text(node.get("options"))
        if options is not None:
            self.found.add(self.path, subject, "arg", "options", options)

    def steps(self, subject: str, job: Mapping[str, Any], env: dict[str, str]) -> None:
        """The steps in order; those that sign in and read the vault are not counted, and hand over nothing but what
        they read."""
        outputs: dict[str, str] = {}
        number = 0
        for item in items(job.get("steps")):
            step = as_map(item)
            ours = list(fetched(text(step.get("run")) or ""))
            for each in ours:
                value = self.lookup(each.reference).reveal().decode("utf-8", "replace")
                if each.kind == "ENV":
                    env[each.name] = value
                else:
                    outputs[f"{text(step.get('id')) or ''}.outputs.{each.name}"] = value
            if ours or (text(step.get("uses")) or "").lower().startswith("azure/login@"):
                continue
            self.step(f"{subject}/steps/{number}", step, env, outputs)
            number += 1

    def step(self, subject: str, step: Mapping[str, Any], env: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        own = self.environment(step.get("env"), outputs.get)
        everything = {**env, **own}
        for name, value in everything.items():
            self.found.add(self.path, subject, "env", name, expanded(value, _ENV, everything.get))
        for name, value in self.environment(step.get("with"), outputs.get).items():
            self.found.add(self.path, subject, "arg", name, expanded(value, _ENV, everything.get))
        run = text(step.get("run"))
        if run is not None:
            script = expanded(expanded(run, _OUTPUT, outputs.get), _ENV, everything.get)
            self.found.add(self.path, subject, "arg", "run", words_of(script, everything.get))
