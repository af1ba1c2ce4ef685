"""Who takes the variables of an azd environment: parameters of the infrastructure, hooks, texts of `azure.yaml`.

Sources: Azure/azure-dev, docs/using-environment-secrets.md; bicep_provider.go (a parameter file beside the module, its
`${NAME}`, which parameters are resolved; a `.bicepparam` is taken instead); hooks_runner.go and hooks_manager.go
(`secrets`, `windows`, `posix`); drone/envsubst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rewriters._api import Files, Unreadable
from rewriters._azd_read import is_script, leaves, project_map
from rewriters._compose_project import folder_of, inside
from rewriters._yaml import Map, Node, Scalar, Seq, follow, join

__all__ = ["Hook", "Parameter", "Project", "environments", "folders", "may_take", "names_in", "projects"]

ENVIRONMENT = re.compile(r"(?P<root>(?:.*/)?)\.azure/(?P<name>[^/]+)/\.env\Z")
_USE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_WHOLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(?::?[-=])[^{}]*)?\}\Z")
_ELSEWHERE = re.compile(
    r"[/\\]|\$\(|`|\.(?:sh|ps1|py|js|ts|cs|csx|cmd|bat)\b|\b(?:env|printenv|make|npm|yarn)\b", re.IGNORECASE
)
_MAX_HOOKS = 1000

Taking = Literal["resolved", "open", "inside", "typed", "unseen"]
"""How a parameter takes a variable: `resolved` through a reference; `open`, as it is no secure one; `inside` a longer
text; `typed`, as it is no text; `unseen`, when its declaration is not among the files."""


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A parameter that a parameter file gives a text with variables. `whole` is the variable that it is nothing but."""

    path: str
    name: str
    text: str
    whole: str
    module: str


@dataclass(frozen=True, slots=True, eq=False)
class Hook:
    """What runs at one moment on one kind of machine."""

    pointer: str
    node: Map
    script: str

    @property
    def secrets(self) -> Map | None:
        found = self.node.get("secrets")
        return found if isinstance(found, Map) else None

    def given(self) -> dict[str, str]:
        """What `secrets` says: which variable gets the value of which."""
        entries = self.secrets.entries() if self.secrets is not None else {}
        return {name: value.text for name, (_, value) in entries.items() if isinstance(value, Scalar)}

    def may_take(self, name: str) -> bool:
        """Whether the script names the variable, or starts something that is not seen here."""
        return may_take(self.script, name)


@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """A folder with `azure.yaml`, or with environments only. `modules` are the paths of its infrastructure without
    their endings; `texts` those of `azure.yaml` with variables, by pointer."""

    root: str
    path: str
    modules: tuple[str, ...]
    terraform: bool
    hooks: tuple[Hook, ...]
    texts: tuple[tuple[str, str], ...]


def may_take(script: str, name: str) -> bool:
    """Whether a script names a variable, or starts something that is not seen."""
    named = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", script) is not None
    return named or _ELSEWHERE.search(script) is not None


def names_in(text: str) -> Iterator[str]:
    """The variables that are substituted in a text."""
    for match in _USE.finditer(text):
        yield match[1]


def environments(files: Files) -> Iterator[tuple[str, str, str]]:
    """Each environment's file of variables, the folder of its project, and its name."""
    for path in sorted(files):
        match = ENVIRONMENT.match(path)
        if match is not None:
            yield path, match["root"].rstrip("/"), match["name"]


def folders(files: Files) -> dict[str, str]:
    """The folders of projects, and the `azure.yaml` in each."""
    from rewriters.azd import claims

    found = {root: "" for _, root, _ in environments(files)}
    for path in sorted(files):
        if path.endswith(("azure.yaml", "azure.yml")) and claims(path, files[path][:4096]):
            found.setdefault(folder_of(path), "")
            found[folder_of(path)] = found[folder_of(path)] or path
    return found


def projects(files: Files) -> dict[str, Project]:
    """By folder. Raises `Unreadable`."""
    return {root: _project(root, path, files) for root, path in folders(files).items()}


def _project(root: str, path: str, files: Files) -> Project:
    top = project_map(files[path]) if path else None
    infra = top.get("infra") if top is not None else None
    layers = infra.get("layers") if isinstance(infra, Map) else None
    parts: list[Node | None] = [*map(follow, layers.items)] if isinstance(layers, Seq) else []
    modules: list[str] = []
    providers: list[str] = []
    for part in parts or [infra]:
        where = inside(root, f"{_word(part, 'path') or 'infra'}/{_word(part, 'module') or 'main'}")
        modules += [where] if where is not None else []
        providers.append(_word(part, "provider") or _word(infra, "provider"))
    texts: list[tuple[str, str]] = []
    for steps, node in leaves(top) if top is not None else ():
        if "${" in node.text and not is_script(steps) and "secrets" not in steps:
            texts.append((join(*steps), node.text))
    hooks = tuple(_hooks(top)) if top is not None else ()
    return Project(root, path, tuple(modules), "terraform" in providers, hooks, tuple(texts))


def _word(node: Node | None, name: str) -> str:
    found = node.get(name) if isinstance(node, Map) else None
    return found.text if isinstance(found, Scalar) else ""


def _hooks(top: Map) -> Iterator[Hook]:
    """Those of the project, of its services, and of the layers of its infrastructure; each map once."""
    holders: list[tuple[tuple[str | int, ...], Node | None]] = [((), top)]
    services, infra = top.get("services"), top.get("infra")
    if isinstance(services, Map):
        holders += [(("services", name), node) for name, (_, node) in services.entries().items()]
    layers = infra.get("layers") if isinstance(infra, Map) else None
    if isinstance(layers, Seq):
        holders += [(("infra", "layers", at), follow(node)) for at, node in enumerate(layers.items)]
    seen: set[int] = set()
    todo: list[tuple[tuple[str | int, ...], Node]] = []
    for steps, holder in holders:
        hooks = holder.get("hooks") if isinstance(holder, Map) else None
        for name, (_, node) in hooks.entries().items() if isinstance(hooks, Map) else ():
            items = enumerate(node.items) if isinstance(node, Seq) else [(-1, node)]
            todo += [((*steps, "hooks", name, *((at,) if at >= 0 else ())), follow(item)) for at, item in items]
    for steps, node in todo[:_MAX_HOOKS]:
        if not isinstance(node, Map):
            continue
        inner = [(key, node.get(key)) for key in ("windows", "posix")]
        for key, part in [("", node), *inner]:
            if isinstance(part, Map) and id(part) not in seen and isinstance(part.get("run"), Scalar):
                seen.add(id(part))
                yield Hook(join(*steps, *([key] if key else [])), part, _word(part, "run"))


# --- parameters -----------------------------------------------------------------------------------------------------


class Parameters:
    """What the parameter files of a project take, and how."""

    def __init__(self, project: Project, files: Files) -> None:
        from rewriters._bicep_project import Project as Bicep

        self.files = files
        self.bicep = Bicep(files)
        self.modules = project.modules
        self.broken = ""
        self.all = tuple(item for module in project.modules for item in self._of(module))

    def _of(self, module: str) -> Iterator[Parameter]:
        from rewriters._arm_text import child, pairs
        from rewriters._json import read

        path = f"{module}.parameters.json"
        if path not in self.files:
            return
        try:
            root = read(self.files[path])
        except Unreadable:
            self.broken = path
            return
        for _, key, node in pairs(child(root, "parameters")):
            start, end = (node.literal.start, node.end) if isinstance(node, Scalar) else (node.start, node.end)
            text = self.files[path][start:end].decode("utf-8", "replace")
            value = child(node, "value")
            if "${" in text:
                match = _WHOLE.match(value.text) if isinstance(value, Scalar) else None
                yield Parameter(path, key.text, text, match[1] if match is not None else "", module)

    def given_by_file(self) -> str:
        """The parameter file in Bicep that is taken instead of those in JSON, if there is one."""
        return next((f"{at}.bicepparam" for at in self.modules if f"{at}.bicepparam" in self.files), "")

    def taking(self, item: Parameter, name: str) -> Taking | None:
        """How a parameter takes a variable; `None` when the module has no such parameter."""
        file = self.bicep.file(f"{item.module}.bicep")
        if file is None:
            return "unseen"
        declared = file.named("param", item.name)
        if declared is None:
            return None
        if item.whole != name:
            return "inside"
        if declared.type != "string":
            return "typed"
        return "resolved" if "secure" in declared.statement.decorators else "open"

    def output(self, name: str) -> str:
        """The module that has an output of this name, which azd writes into the environment."""
        for module in self.modules:
            file = self.bicep.file(f"{module}.bicep")
            for declared in file.declared if file is not None else ():
                if declared.statement.kind == "output" and declared.statement.name.lower() == name.lower():
                    return f"{module}.bicep"
        return ""
