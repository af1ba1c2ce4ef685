"""A pipeline of GitLab as the sites that can hold a value, and its jobs.

Source: GitLab documentation, "CI/CD YAML syntax reference" (global keywords, job keywords).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rewriters._api import Place, Unreadable
from rewriters._ci_sites import Collector, Manner, Site, pairs, shaped
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["ALTERNATIVES", "SCRIPTS", "Job", "Pipeline", "read", "texts"]

SECRET = "job-secret"
"""The kind of reference: a secret of the job, which the runner reads and sets as a variable."""

SCRIPTS = ("script", "before_script", "after_script")
GLOBAL = frozenset(
    ("default", "image", "services", "stages", "types", "variables", "cache", "include", "workflow", "spec")
)

_KEEP = "keep it as a masked, protected variable of the project, which a person makes in its settings"
REASONS: dict[str, str] = {
    "service": "a service is started before the job's script, and is not given the job's secrets",
    "matrix": "a matrix is expanded when the pipeline is made",
    "rule": "rules are evaluated when the pipeline is made, before any secret is read",
    "global-script": "a script of all jobs can take a variable only that all of them have, and secrets are a job's",
    "shell": "the script is not known to be for a POSIX shell, whose quoting this rewriter knows",
    "input": "inputs are put in when the pipeline is made",
    "other": "this is no variable and no script of a job",
}
ALTERNATIVES: dict[str, str] = {
    "service": _KEEP,
    "matrix": "let the matrix hold the secret's name only, and have the script read it from the vault",
    "rule": _KEEP,
    "global-script": "move the script into the jobs, or keep it as a variable of the project",
    "shell": "pass the value through a variable of the job",
    "input": "take the default out, and read the secret in the jobs that use the input",
    "other": _KEEP,
}
_NAMES = frozenset(
    (
        "stage", "extends", "needs", "dependencies", "tags", "when", "rules", "only", "except", "image",
        "interruptible", "resource_group", "coverage", "timeout", "allow_failure", "parallel", "trigger", "include",
        "stages", "types", "name", "local", "project", "ref", "template", "component", "description", "options",
    )
)  # fmt: skip
_WINDOWS = re.compile(r"(?i)windows|powershell|pwsh|nanoserver|servercore")


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A job, or a hidden one (its name begins with a dot) that others extend."""

    name: str
    node: Map
    hidden: bool
    extends: tuple[str, ...]
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """One file. `includes` says that it takes in others, `whole` that it is the project's own first file."""

    path: str
    data: bytes = field(repr=False)
    root: Map
    jobs: tuple[Job, ...]
    sites: tuple[Site, ...]
    includes: bool
    collector: Collector


def read(path: str, data: bytes) -> Pipeline:
    """Raises `Unreadable` for broken YAML and for what is no pipeline."""
    found = [document for document in documents(data) if isinstance(follow(document.root), Map)]
    if not found or len(found) > 2:
        raise Unreadable("it is no pipeline: there is no map in it, or there are several")
    root = follow(found[-1].root)
    assert isinstance(root, Map)  # noqa: S101 - asked above
    finder = _Finder(path, data, root)
    if len(found) == 2:  # the header that lists the inputs
        for key, value in pairs(follow(found[0].root)):
            finder.rest((key.text,), value, "input")
    return finder.find()


def texts(node: Node | None) -> list[str]:
    """All scalars below a node, keys included, aliases not followed."""
    found: list[str] = []
    todo = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, Scalar):
            found.append(item.text)
        elif isinstance(item, Map):
            todo += (part for pair in item.pairs for part in pair)
        elif isinstance(item, Seq):
            todo += item.items
    return found


class _Finder:
    def __init__(self, path: str, data: bytes, root: Map) -> None:
        self.path, self.data, self.root = path, data, root
        self.collector = Collector("gitlabci", path, data, root)
        self.jobs: list[Job] = []

    def find(self) -> Pipeline:
        includes = False
        for key, value in pairs(self.root):
            name = key.text
            if name == "variables":
                self.variables((name,), value, None)
            elif name in SCRIPTS:
                self.scripts((name,), value, None, "global-script")
            elif name == "default":
                self.default(value)
            elif name == "services":
                self.services((name,), value)
            elif name == "include":
                includes = True
                self.rest((name,), value, "other")
            elif name == "workflow":
                self.rest((name,), value, "rule")
            elif name in GLOBAL or name == "<<":
                self.rest((name,), value, "other")
            elif isinstance(value, Map):
                self.job(name, value)
            else:
                self.rest((name,), value, "other")
        sites = self.collector.sites()
        return Pipeline(self.path, self.data, self.root, tuple(self.jobs), sites, includes, self.collector)

    def rest(self, where: tuple[str | int, ...], node: Node, role: str, place: Place = "other") -> None:
        manner = Manner(role, place, (), REASONS[role])
        self.collector.rest(where, str(where[-1]), node, manner, skip=_NAMES)

    def default(self, node: Node) -> None:
        for key, value in pairs(node):
            if key.text in SCRIPTS:
                self.scripts(("default", key.text), value, None, "global-script")
            elif key.text == "services":
                self.services(("default", key.text), value)
            else:
                self.rest(("default", key.text), value, "other")

    def variables(self, where: tuple[str | int, ...], node: Node, job: Job | None) -> None:
        """Names and values, a value perhaps with a description beside it."""
        if not isinstance(node, Map):
            return
        manner = Manner("variable", "env", (SECRET,))
        for key, value in pairs(node):
            name = key.text
            if isinstance(value, Map):
                for part, content in pairs(value):
                    if part.text == "value":
                        self.collector.add((*where, name), name, content, manner, context=job, owner=node, key=key)
                    elif part.text not in ("description", "options", "expand"):
                        self.rest((*where, name, part.text), content, "other")
            else:
                self.collector.add((*where, name), name, value, manner, context=job, owner=node, key=key)

    def services(self, where: tuple[str | int, ...], node: Node) -> None:
        for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
            for key, value in pairs(item):
                if key.text == "variables":
                    self.rest((*where, index, key.text), value, "service", "env")
                elif key.text not in _NAMES and key.text != "alias":
                    self.rest((*where, index, key.text), value, "service")

    def scripts(
        self, where: tuple[str | int, ...], node: Node, job: Job | None, role: str = "", *, posix: bool = True
    ) -> None:
        """A script, or a list of its lines, in which lists may stand."""
        role = role or ("script" if posix else "shell")
        manner = (
            Manner(role, "arg", (SECRET,), "", True) if role == "script" else Manner(role, "arg", (), REASONS[role])
        )
        todo: list[tuple[tuple[str | int, ...], Node, Map | Seq | None]] = [(where, node, None)]
        while todo:
            at, item, owner = todo.pop()
            if isinstance(item, Seq) and item.tag != "!reference":
                todo += [((*at, index), line, item) for index, line in enumerate(item.items)]
            elif isinstance(item, Scalar):
                self.collector.script(at, item, manner, context=job, owner=owner, posix=posix)

    # --- jobs --------------------------------------------------------------------------------------------------------

    def job(self, name: str, node: Map) -> None:
        said = shaped(node, "extends")
        items = said.items if isinstance(said, Seq) else (said,)
        extends = tuple(item.text for item in items if isinstance(item, Scalar))
        own = tuple(key.text for key, _ in pairs(shaped(node, "variables")))
        job = Job(name, node, name.startswith("."), extends, own)
        self.jobs.append(job)
        about = [*texts(shaped(node, "tags")), *texts(shaped(node, "image")), *texts(shaped(self.root, "image"))]
        posix = not any(_WINDOWS.search(text) for text in (*about, *extends, name))
        for key, value in pairs(node):
            part = key.text
            if part == "variables":
                self.variables((name, part), value, job)
            elif part in SCRIPTS:
                self.scripts((name, part), value, job, posix=posix)
            elif part == "services":
                self.services((name, part), value)
            elif part == "rules":
                for index, rule in enumerate(value.items if isinstance(value, Seq) else ()):
                    for inner, content in pairs(rule):
                        if inner.text == "variables":
                            self.rest((name, part, index, inner.text), content, "rule", "env")
            elif part == "parallel":
                self.rest((name, part), value, "matrix", "env")
            elif part == "hooks":
                for hook, content in pairs(value):
                    self.scripts((name, part, hook.text), content, None, "global-script")
            elif part not in (*_NAMES, "id_tokens", "secrets"):
                self.rest((name, part), value, "other")
