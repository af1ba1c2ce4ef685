"""A pipeline or a template as the sites that can hold a value, and its jobs with their steps.

Sources: Microsoft Learn, "YAML schema reference for Azure Pipelines" (steps, jobs, deployment jobs and their lifecycle
hooks, variables, parameters, resources) and "Define variables" (macro, template and runtime expressions).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rewriters._api import Place, Unreadable
from rewriters._ci_sites import Collector, Manner, Site, pairs, shaped
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["ALTERNATIVES", "SCRIPTS", "Job", "Pipeline", "Scope", "Step", "inputs_of", "read", "task_of"]

MACRO = "macro"
"""The kind of reference: a variable of the job, which the agent puts in before a step runs."""

SCRIPTS = ("script", "bash", "pwsh", "powershell")
"""Steps that are a script."""

_KEEP = "keep it as a secret variable of the pipeline or of a variable group that is linked to the vault"
REASONS: dict[str, str] = {
    "parameter": "a parameter is put in when the pipeline is compiled, before any step runs",
    "template": "what a template does with a parameter is decided when the pipeline is compiled, before any step runs",
    "container": "a container of the job is started before its first step, so nothing that a step reads can reach it",
    "matrix": "a matrix is expanded before the job starts",
    "shell": "the script is not known to be for a POSIX shell, whose quoting this rewriter knows",
    "other": "this is no place of a step, and takes no value that a step reads",
}
ALTERNATIVES: dict[str, str] = {
    "parameter": "take the default out, and read the secret in the steps that use the parameter",
    "template": "let the template read the secret itself, or pass the name of the secret",
    "container": f"{_KEEP}, and name it there as $(NAME)",
    "matrix": "let the matrix hold the secret's name only, and have a step read it from the vault",
    "shell": "pass the value through the step's `env`",
    "other": _KEEP,
}
_NAMES = frozenset(
    (
        "task", "displayName", "name", "condition", "dependsOn", "checkout", "vmImage", "image", "template", "job",
        "stage", "deployment", "environment", "workingDirectory", "type", "group", "repository", "endpoint", "ref",
    )
)  # fmt: skip
_POSIX_INPUT = {"bash": ("script",), "azurecli": ("inlineScript",)}
"""Inputs of tasks that are scripts of a POSIX shell, by the task's name in lower case; Azure CLI's if it says so."""
_INLINE = re.compile(r"(?i)\A(?:inline)?script\Z")


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step: its number among those of its job, and its map (`None` for an alias or no map)."""

    index: int
    node: Map | None


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Steps that run one after another on one agent: a job's, a lifecycle hook's, or those of the file itself.

    `plain` says that nothing of it is written elsewhere (alias, merge, expression as a key).
    """

    name: str
    seq: Seq | None
    steps: tuple[Step, ...]
    plain: bool
    scopes: tuple[Scope, ...]


@dataclass(slots=True, eq=False)
class Scope:
    """The file, a stage or a job: `names` are its variables; `jobs` are all within it; `open` says that jobs or
    variables of it are written elsewhere, in a template."""

    node: Map
    names: set[str] = field(default_factory=set)
    jobs: list[Job] = field(default_factory=list)
    open: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose the site is: a step's of a job, or a scope's."""

    scope: Scope | None = None
    job: Job | None = None
    step: Step | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """One file."""

    data: bytes = field(repr=False)
    root: Map
    jobs: tuple[Job, ...]
    scopes: tuple[Scope, ...]
    sites: tuple[Site, ...]
    collector: Collector


def read(path: str, data: bytes) -> Pipeline:
    """Raises `Unreadable` for broken YAML and for what is no pipeline."""
    found = documents(data)
    if len(found) > 1:
        raise Unreadable("there are several documents in it, and a pipeline is one")
    root = follow(found[0].root) if found else None
    if not isinstance(root, Map):
        raise Unreadable("it is no pipeline: there is no map in it")
    return _Finder(path, data, root).find()


def task_of(node: Map | None) -> str:
    """The name of the task that a step is, in lower case and without its version; empty for any other step."""
    said = shaped(node, "task")
    return said.text.partition("@")[0].lower() if isinstance(said, Scalar) else ""


def inputs_of(node: Map | None) -> dict[str, Scalar]:
    """The inputs of a task that are texts, by their name in lower case."""
    return {key.text.lower(): value for key, value in pairs(shaped(node, "inputs")) if isinstance(value, Scalar)}


class _Finder:
    def __init__(self, path: str, data: bytes, root: Map) -> None:
        self.data, self.root = data, root
        self.collector = Collector("azurepipelines", path, data, root)
        self.jobs: list[Job] = []
        self.scopes: list[Scope] = []

    def find(self) -> Pipeline:
        scope = self.scope(self.root)
        for key, value in pairs(self.root):
            name = key.text
            if name == "variables":
                self.variables((name,), value, scope)
            elif name == "stages":
                self.listed((name,), value, "stage", (scope,), "")
            elif name == "jobs":
                self.listed((name,), value, "job", (scope,), self.pool(self.root))
            elif name == "steps":
                self.run((name,), "", value, (scope,), self.pool(self.root))
            elif name == "parameters":
                self.parameters((name,), value)
            elif name == "extends":
                self.rest((name,), value, "template")
                scope.open = True
            elif name == "resources":
                self.resources((name,), value)
            elif name not in _NAMES:
                self.rest((name,), value, "other")
        return Pipeline(
            self.data, self.root, tuple(self.jobs), tuple(self.scopes), self.collector.sites(), self.collector
        )

    def scope(self, node: Map) -> Scope:
        found = Scope(node)
        self.scopes.append(found)
        return found

    def rest(self, where: tuple[str | int, ...], node: Node, role: str, place: Place = "other") -> None:
        manner = Manner(role, place, (), REASONS[role])
        self.collector.rest(where, str(where[-1]), node, manner, skip=_NAMES)

    # --- variables and parameters ------------------------------------------------------------------------------------

    def variables(self, where: tuple[str | int, ...], node: Node, scope: Scope) -> None:
        """A map of names and values, or a list of variables, groups and templates."""
        manner = Manner("variable", "env", (MACRO,), "", True)
        holder = Holder(scope)
        if isinstance(node, Map):
            for key, value in pairs(node):
                scope.names.add(key.text.lower())
                scope.open |= key.text.startswith("${{")
                self.collector.add((*where, key.text), key.text, value, manner, context=holder, owner=node, key=key)
            return
        for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
            said = shaped(item, "name")
            name = said.text if isinstance(said, Scalar) else ""
            scope.names.add(name.lower())
            if not isinstance(item, Map) or (not name and shaped(item, "group") is None):
                scope.open = True
            for key, value in pairs(item):
                if key.text == "value" and name and isinstance(item, Map):
                    self.collector.add((*where, name), name, value, manner, context=holder, owner=item, key=key)
                elif key.text == "parameters":
                    self.rest((*where, index, key.text), value, "template", "config")
                elif key.text not in _NAMES:
                    self.rest((*where, index, key.text), value, "other")

    def parameters(self, where: tuple[str | int, ...], node: Node) -> None:
        if isinstance(node, Map):  # the older form: names and defaults
            for key, value in pairs(node):
                self.default((*where, key.text), key.text, value)
            return
        for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
            said = shaped(item, "name")
            name = said.text if isinstance(said, Scalar) else str(index)
            for key, value in pairs(item):
                if key.text in ("default", "values"):
                    self.default((*where, name, key.text), name, value)
                elif key.text not in _NAMES:
                    self.rest((*where, name, key.text), value, "other")

    def default(self, where: tuple[str | int, ...], name: str, value: Node) -> None:
        manner = Manner("parameter", "config", (), REASONS["parameter"])
        self.collector.rest(where, name, value, manner)

    def resources(self, where: tuple[str | int, ...], node: Node) -> None:
        for key, value in pairs(node):
            for index, item in enumerate(value.items if isinstance(value, Seq) else ()):
                self.container((*where, key.text, index), item)

    def container(self, where: tuple[str | int, ...], node: Node) -> None:
        for key, value in pairs(node):
            if key.text == "env":
                self.rest((*where, key.text), value, "container", "env")
            elif key.text == "options" and isinstance(value, Scalar):
                self.collector.script((*where, key.text), value, Manner("container", "arg", (), REASONS["container"]))
            elif key.text not in _NAMES:
                self.rest((*where, key.text), value, "container")

    # --- stages and jobs ---------------------------------------------------------------------------------------------

    def listed(self, where: tuple[str | int, ...], node: Node, kind: str, scopes: tuple[Scope, ...], pool: str) -> None:
        """Stages, or jobs."""
        seen: set[str] = set()
        for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
            said = shaped(item, kind) or shaped(item, "deployment")
            name = said.text if isinstance(said, Scalar) and said.text not in seen else str(index)
            seen.add(name)
            if not isinstance(item, Map) or said is None:
                for scope in scopes:  # a template, or an expression
                    scope.open = True
                if isinstance(item, Map):
                    self.rest((*where, name), item, "template", "config")
            elif kind == "stage":
                self.stage((*where, name), item, scopes)
            else:
                self.job((*where, name), name, item, scopes, self.pool(item) or pool)
        if not isinstance(node, Seq):
            for scope in scopes:
                scope.open = True

    def stage(self, where: tuple[str | int, ...], node: Map, scopes: tuple[Scope, ...]) -> None:
        scope = self.scope(node)
        inner = (*scopes, scope)
        for key, value in pairs(node):
            if key.text == "variables":
                self.variables((*where, key.text), value, scope)
            elif key.text == "jobs":
                pool = self.pool(node) or self.pool(self.root)
                self.listed((*where, key.text), value, "job", inner, pool)
            elif key.text not in _NAMES:
                self.rest((*where, key.text), value, "other")

    def job(self, where: tuple[str | int, ...], name: str, node: Map, scopes: tuple[Scope, ...], pool: str) -> None:
        scope = self.scope(node)
        inner = (*scopes, scope)
        for key, value in pairs(node):
            part = key.text
            if part == "variables":
                self.variables((*where, part), value, scope)
            elif part == "steps":
                self.run((*where, part), name, value, inner, pool)
            elif part == "strategy":
                self.strategy((*where, part), name, value, inner, pool)
            elif part == "container":
                self.container((*where, part), value)
            elif part == "services":
                self.rest((*where, part), value, "container")
            elif part in ("parameters", "template"):
                self.rest((*where, part), value, "template", "config")
            elif part not in _NAMES:
                self.rest((*where, part), value, "other")

    def strategy(
        self, where: tuple[str | int, ...], name: str, node: Node, scopes: tuple[Scope, ...], pool: str
    ) -> None:
        """A matrix, or the lifecycle hooks of a deployment, each of which runs as a job of its own."""
        for key, value in pairs(node):
            if key.text == "matrix":
                for each, inner in pairs(value):
                    for variable, content in pairs(inner):
                        scopes[-1].names.add(variable.text.lower())
                        manner = Manner("matrix", "env", (), REASONS["matrix"])
                        self.collector.add((*where, "matrix", each.text, variable.text), variable.text, content, manner)
                continue
            todo = [((*where, key.text), value)]
            while todo:
                at, found = todo.pop()
                for hook, content in pairs(found):
                    if hook.text == "steps":
                        self.run(
                            (*at, "steps"), f"{name}/{'/'.join(map(str, at[len(where) :]))}", content, scopes, pool
                        )
                    elif isinstance(content, Map):
                        todo.append(((*at, hook.text), content))

    def pool(self, node: Map) -> str:
        """The image of the agents, as far as it is said."""
        pool = shaped(node, "pool")
        image = shaped(pool, "vmImage") if isinstance(pool, Map) else None
        if shaped(node, "container") is not None:
            return "container"
        return image.text.lower() if isinstance(image, Scalar) else ""

    # --- steps -------------------------------------------------------------------------------------------------------

    def run(self, where: tuple[str | int, ...], name: str, node: Node, scopes: tuple[Scope, ...], pool: str) -> None:
        seq = node if isinstance(node, Seq) else None
        steps = tuple(
            Step(at, item if isinstance(item, Map) else None) for at, item in enumerate(seq.items if seq else ())
        )
        plain = seq is not None and all(
            step.node is not None and not any(key.text.startswith(("<<", "${{")) for key, _ in pairs(step.node))
            for step in steps
        )
        job = Job(name, seq, steps, plain, scopes)
        self.jobs.append(job)
        for scope in scopes:
            scope.jobs.append(job)
        for step in steps:
            self.step((*where, step.index), job, step, pool)

    def step(self, where: tuple[str | int, ...], job: Job, step: Step, pool: str) -> None:
        if step.node is None:
            return
        holder, node = Holder(None, job, step), step.node
        for key, value in pairs(node):
            part = key.text
            if part in SCRIPTS:
                posix = part == "bash" or (part == "script" and bool(pool) and "win" not in pool and "$" not in pool)
                self.script((*where, part), value, holder, node, key, posix)
            elif part == "env":
                manner = Manner("env", "env", (MACRO,), "", True)
                for name, content in pairs(value):
                    if isinstance(value, Map):
                        self.collector.add(
                            (*where, part, name.text), name.text, content, manner, context=holder, owner=value, key=name
                        )
            elif part == "inputs" and isinstance(value, Map):
                self.inputs((*where, part), value, holder)
            elif part == "parameters":
                self.rest((*where, part), value, "template", "config")
            elif part not in _NAMES:
                self.rest((*where, part), value, "other")

    def script(
        self, where: tuple[str | int, ...], value: Node, holder: Holder, owner: Map, key: Scalar, posix: bool
    ) -> None:
        manner = Manner("script", "arg", (MACRO,), "", True) if posix else Manner("shell", "arg", (), REASONS["shell"])
        self.collector.script(where, value, manner, context=holder, owner=owner, key=key, posix=posix)

    def inputs(self, where: tuple[str | int, ...], node: Map, holder: Holder) -> None:
        step = holder.step
        task = task_of(step.node) if step is not None else ""
        given = inputs_of(step.node) if step is not None else {}
        kind = given.get("scripttype")
        for key, value in pairs(node):
            lines = isinstance(value, Scalar) and "\n" in value.text.strip()
            if _INLINE.match(key.text) and task:
                named = key.text in _POSIX_INPUT.get(task, ())
                posix = named and (task != "azurecli" or (kind is not None and kind.text.lower() == "bash"))
                self.script((*where, key.text), value, holder, node, key, posix)
                continue
            manner = Manner("input", "config" if lines else "arg", (MACRO,), "", True)
            self.collector.add((*where, key.text), key.text, value, manner, context=holder, owner=node, key=key)
