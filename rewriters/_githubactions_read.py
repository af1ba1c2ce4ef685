"""A workflow or an action as the sites that can hold a value, and its jobs with their steps.

Source: GitHub documentation, "Workflow syntax for GitHub Actions" and "Metadata syntax for GitHub Actions".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Place, Unreadable
from rewriters._ci_sites import Collector, Manner, Site, pairs, shaped
from rewriters._options import option, setting
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["ALTERNATIVES", "Job", "Step", "Workflow", "login_step", "read"]

EXPRESSION, VARIABLE = "expression", "github-env"
"""The kinds of reference: an output of the step that reads the vault, and a variable that it sets for later steps."""

_SECRET = "keep it as a secret of the repository, which a person makes in its settings, and write "
REASONS: dict[str, str] = {
    "service": "a service is started before the job's first step, so nothing that a step reads can reach it",
    "container": "the job's container is started before its first step, so nothing that a step reads can reach it",
    "matrix": "a matrix is expanded before the job starts, where neither steps nor secrets can be named",
    "default": "the default of an input is read before any step runs",
    "call": "a reusable workflow is called outside of any job's steps, where no step's output can be named",
    "output": "an output of a job or an action is shown to whoever uses it, and masked values are dropped from it",
    "shell": "the step's script is not known to be for a POSIX shell, whose quoting this rewriter knows",
    "docker": "an action that is a container is started by the runner; nothing can be read before",
    "other": "this is no place of a step, and takes no value that a step reads",
}
ALTERNATIVES: dict[str, str] = {
    "service": _SECRET + "`${{ secrets.NAME }}`, or start the service in a step, after the values are read",
    "container": _SECRET + "`${{ secrets.NAME }}`",
    "matrix": "let the matrix hold the secret's name only, and have a step read it from the vault",
    "default": "take the default out, and have whoever starts or calls it pass the value",
    "call": _SECRET + "`${{ secrets.NAME }}` below `secrets:`",
    "output": "have the job that needs the value read it from the vault itself",
    "shell": "give the step `shell: bash`, or pass the value through the step's `env`",
    "docker": "make it an input of the action, and have the workflow pass it",
    "other": _SECRET + "`${{ secrets.NAME }}` where the documentation allows the secrets context",
}

_POSIX = re.compile(r"(?:\S*/)?(?:ba|da|k|z)?sh(?:\.exe)?(?:\s|\Z)")
_NAMES = frozenset(
    (
        "uses",
        "id",
        "shell",
        "needs",
        "runs-on",
        "using",
        "main",
        "pre",
        "post",
        "image",
        "working-directory",
        "icon",
        "color",
        "type",
    )
)
_SCRIPTS = frozenset(("script", "inlinescript", "run", "command", "cmd", "args", "entrypoint", "options"))
_OPEN = (EXPRESSION,)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step: its number in the job, and its map (`None` when it is an alias or no map)."""

    index: int
    node: Map | None


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A job, or an action's `runs`. `plain` says that nothing of it is written elsewhere (alias, merge)."""

    name: str
    node: Map
    steps: tuple[Step, ...]
    seq: Seq | None
    action: bool = False
    plain: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Workflow:
    """One file."""

    data: bytes = field(repr=False)
    root: Map
    jobs: tuple[Job, ...]
    sites: tuple[Site, ...]
    action: bool
    collector: Collector


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose the site is: of a job, of a step of it, of neither."""

    job: Job | None = None
    step: Step | None = None


def read(path: str, data: bytes) -> Workflow:
    """Raises `Unreadable` for broken YAML and for what is neither a workflow nor an action."""
    found = documents(data)
    if len(found) > 1:
        raise Unreadable("there are several documents in it, of which GitHub reads none")
    root = follow(found[0].root) if found else None
    if not isinstance(root, Map):
        raise Unreadable("it is no workflow: there is no map in it")
    return _Finder(path, data, root).find()


class _Finder:
    def __init__(self, path: str, data: bytes, root: Map) -> None:
        self.data, self.root = data, root
        self.collector = Collector("githubactions", path, data, root)
        self.jobs: list[Job] = []

    def find(self) -> Workflow:
        jobs = shaped(self.root, "jobs")
        runs = shaped(self.root, "runs")
        action = jobs is None and isinstance(runs, Map)
        if not action and not isinstance(jobs, Map):
            raise Unreadable("it is neither a workflow nor an action: it has no map of jobs, and none below runs")
        for key, value in pairs(self.root):
            name = key.text
            if name == "jobs":
                for label, job in pairs(value):
                    if isinstance(job, Map):
                        self.job(label.text, job)
            elif name == "runs" and action:
                self.runs(value)
            elif name == "env":
                self.variables(("env",), value, Manner("workflow-env", "env", (VARIABLE,)), Holder())
            elif name == "inputs":
                self.inputs(("inputs",), value)
            elif name in ("on", "true"):
                self.triggers(value)
            elif name == "outputs":
                self.rest((name,), value, "output")
            elif name != "permissions":
                self.rest((name,), value, "other")
        return Workflow(self.data, self.root, tuple(self.jobs), self.collector.sites(), action, self.collector)

    # --- what is not a job's -----------------------------------------------------------------------------------------

    def triggers(self, node: Node) -> None:
        for event, value in pairs(node):
            for key, content in pairs(value):
                if key.text == "inputs":
                    self.inputs(("on", event.text, "inputs"), content)
                else:
                    self.rest(("on", event.text, key.text), content, "other")

    def inputs(self, where: tuple[str | int, ...], node: Node) -> None:
        for name, value in pairs(node):
            for key, content in pairs(value):
                if key.text == "default":
                    self.add((*where, name.text, "default"), name.text, content, "default", "config")
                else:
                    self.rest((*where, name.text, key.text), content, "other")

    def rest(self, where: tuple[str | int, ...], node: Node, role: str) -> None:
        manner = Manner(role, "other", (), REASONS[role])
        self.collector.rest(where, str(where[-1]), node, manner, skip=_NAMES)

    def add(self, where: tuple[str | int, ...], name: str, node: Node, role: str, place: Place) -> None:
        self.collector.add(where, name, node, Manner(role, place, (), REASONS[role]))

    def variables(self, where: tuple[str | int, ...], node: Node, manner: Manner, holder: Holder) -> None:
        if not isinstance(node, Map):
            return
        for key, value in pairs(node):
            self.collector.add((*where, key.text), key.text, value, manner, context=holder, owner=node, key=key)

    # --- jobs --------------------------------------------------------------------------------------------------------

    def job(self, name: str, node: Map) -> None:
        where = ("jobs", name)
        value = shaped(node, "steps")
        seq = value if isinstance(value, Seq) else None
        steps = tuple(
            Step(at, item if isinstance(item, Map) else None) for at, item in enumerate(seq.items if seq else ())
        )
        plain = seq is not None and not any(key.text == "<<" for key, _ in pairs(node))
        job = Job(name, node, steps, seq, plain=plain)
        self.jobs.append(job)
        shell = self.default_shell(node)
        for key, content in pairs(node):
            part = key.text
            if part == "steps":
                for step in steps:
                    self.step((*where, "steps"), job, step, shell)
            elif part == "env":
                self.variables((*where, part), content, Manner("job-env", "env", (VARIABLE,)), Holder(job))
            elif part == "services":
                for label, service in pairs(content):
                    self.container((*where, part, label.text), service, "service")
            elif part == "container":
                self.container((*where, part), content, "container")
            elif part == "strategy":
                self.matrix((*where, part), content)
            elif part in ("with", "secrets"):
                self.keyed((*where, part), content, "call")
            elif part == "outputs":
                self.rest((*where, part), content, "output")
            elif part not in ("permissions", *_NAMES):
                self.rest((*where, part), content, "other")

    def default_shell(self, node: Map) -> str:
        """The shell of the job's scripts: as it is said, else what its runner has."""
        for owner in (node, self.root):
            said = shaped(owner, "defaults", "run", "shell")
            if isinstance(said, Scalar):
                return said.text
        if shaped(node, "container") is not None:
            return "sh"
        runs_on = shaped(node, "runs-on")
        labels = runs_on.items if isinstance(runs_on, Seq) else (runs_on,)
        texts = [label.text.lower() for label in labels if isinstance(label, Scalar)]
        known = texts and not any("${{" in text for text in texts)
        return "bash" if known and not any("windows" in text for text in texts) else "?"

    def container(self, where: tuple[str | int, ...], node: Node, role: str) -> None:
        for key, value in pairs(node):
            part = key.text
            if part == "env":
                self.keyed((*where, part), value, role)
            elif part == "credentials":
                for name, content in pairs(value):
                    self.add((*where, part, name.text), name.text, content, role, "registry")
            elif part == "options":
                self.collector.script((*where, part), value, Manner(role, "arg", (), REASONS[role]))
            elif part not in _NAMES:
                self.rest((*where, part), value, role)

    def keyed(self, where: tuple[str | int, ...], node: Node, role: str) -> None:
        for key, value in pairs(node):
            self.add((*where, key.text), key.text, value, role, "env")

    def matrix(self, where: tuple[str | int, ...], node: Node) -> None:
        manner = Manner("matrix", "config", (), REASONS["matrix"])
        for key, value in pairs(node):
            self.collector.rest((*where, key.text), key.text, value, manner)

    # --- steps -------------------------------------------------------------------------------------------------------

    def step(self, where: tuple[str | int, ...], job: Job, step: Step, shell: str) -> None:
        if step.node is None:
            return
        holder = Holder(job, step)
        at = (*where, step.index)
        node = step.node
        said = shaped(node, "shell")
        shell = said.text if isinstance(said, Scalar) else shell
        for key, value in pairs(node):
            part = key.text
            if part == "run":
                posix = _POSIX.match(shell) is not None
                manner = (
                    Manner("run", "arg", _OPEN, "", True) if posix else Manner("shell", "arg", (), REASONS["shell"])
                )
                self.collector.script((*at, part), value, manner, context=holder, owner=node, key=key, posix=posix)
            elif part == "env":
                self.variables((*at, part), value, Manner("step-env", "env", _OPEN, "", True), holder)
            elif part == "with" and isinstance(value, Map):
                for name, content in pairs(value):
                    lined = isinstance(content, Scalar) and "\n" in content.text.strip()
                    config = lined and name.text.lower() not in _SCRIPTS
                    manner = Manner("with", "config" if config else "arg", _OPEN, "", True)
                    self.collector.add(
                        (*at, part, name.text), name.text, content, manner, context=holder, owner=value, key=name
                    )
            elif part not in _NAMES:
                self.rest((*at, part), value, "other")

    def runs(self, node: Node) -> None:
        if not isinstance(node, Map):
            return
        value = shaped(node, "steps")
        seq = value if isinstance(value, Seq) else None
        steps = tuple(
            Step(at, item if isinstance(item, Map) else None) for at, item in enumerate(seq.items if seq else ())
        )
        job = Job("", node, steps, seq, action=True, plain=seq is not None)
        self.jobs.append(job)
        for key, content in pairs(node):
            part = key.text
            if part == "steps":
                for step in steps:
                    self.step(("runs", "steps"), job, step, "?")
            elif part == "env":
                self.keyed(("runs", part), content, "docker")
            elif part == "args":
                self.words(("runs", part), content)
            elif part not in _NAMES:
                self.rest(("runs", part), content, "docker")

    def words(self, where: tuple[str | int, ...], node: Node) -> None:
        before = ""
        for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
            text = item.text if isinstance(item, Scalar) else ""
            given = setting(text)
            name = given[0] if given else "" if text.startswith("-") else option(before)
            self.collector.add((*where, index), name, item, Manner("docker", "arg", (), REASONS["docker"]))
            before = text


def login_step(node: Map | None) -> str:
    """The version of `azure/login` that a step uses, empty for any other step; a step with a condition may not run."""
    uses = shaped(node, "uses")
    match = re.match(r"(?i)azure/login@(\S+)", uses.text) if isinstance(uses, Scalar) else None
    return match[1] if match else ""


def texts(node: Node | None) -> Iterator[str]:
    """All scalars below a node, keys included, aliases not followed."""
    todo = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, Scalar):
            yield item.text
        elif isinstance(item, Map):
            todo += (part for pair in item.pairs for part in pair)
        elif isinstance(item, Seq):
            todo += item.items
