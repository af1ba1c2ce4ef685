"""A definition of Marathon as the sites that can hold a value.

Source: the RAML definitions of Marathon's REST API: app, pod, podContainer, group, environmentVariable, healthCheck,
artifact, appContainer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Place, Slot, Span, Unreadable
from rewriters._encode import locate
from rewriters._json import STRING
from rewriters._json import read as read_json
from rewriters._options import option, setting
from rewriters._yaml import Map, Node, Scalar, Seq, join
from rewriters.plaintext import Plaintext

__all__ = ["ALTERNATIVES", "TARGET", "Definitions", "Site", "read", "works"]

TARGET = "marathon-secret"
MAX_SITES = 50_000
REASONS: dict[str, str] = {
    "": "this property takes no secret",
    "command": "a command takes no secret",
    "check": "a health check takes no secret",
    "parameter": "the parameters of the Docker runtime take no secret",
    "label": "labels take no secret, and everybody who may read the application reads them",
    "artifact": "the address of an artifact takes no secret",
}
ALTERNATIVES: dict[str, str] = {
    "": "put the credential into an environment variable, and have the program read it there",
    "command": "set an environment variable, and have the command read it: a cmd is run by a shell, which replaces "
    "$NAME",
    "check": "set an environment variable, and have the check's command read it",
    "parameter": "set the variable in env, where it can be a secret",
    "label": "put the credential into an environment variable, and have the program read it there",
    "artifact": "put the credentials of the artifact store on the agents, or have the program fetch it",
}
_NAMES = frozenset(("id", "name", "type", "kind", "version", "protocol", "mode", "network", "executor", "containerPath",
                    "hostPath", "image", "user", "secret", "source", "forcePullImage"))  # fmt: skip
_SKIPPED = frozenset(("secrets", "constraints", "dependencies", "networks", "versionInfo", "acceptedResourceRoles"))


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot, and the definition whose `secrets` would have its reference. `refused` is a key of `ALTERNATIVES`."""

    slot: Slot
    node: Scalar
    work: Map | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Definitions:
    """One file."""

    root: Node
    sites: tuple[Site, ...]


def read(path: str, data: bytes) -> Definitions:
    """Raises `Unreadable` for what is no JSON."""
    root = read_json(data)
    finder = _Finder(path, data)
    for where, work in works(root):
        finder.work(where, work)
    finder.sites.sort(key=lambda site: site.slot.span)
    return Definitions(root, tuple(finder.sites))


def works(root: Node) -> Iterator[tuple[tuple[str | int, ...], Map]]:
    """Applications, pods and groups with the steps to them; each one is given before those in it."""
    todo: list[tuple[tuple[str | int, ...], Node]] = [((), root)]
    while todo:
        where, node = todo.pop()
        if isinstance(node, Seq):
            todo += [((*where, _label(item, index)), item) for index, item in enumerate(node.items)]
        elif isinstance(node, Map):
            yield where, node
            for name, value in _pairs(node):
                if name.text in ("apps", "pods", "groups") and isinstance(value, Seq):
                    todo.append(((*where, name.text), value))


def _label(node: Node, index: int) -> str | int:
    found = node.get("id") or node.get("name") if isinstance(node, Map) else None
    return found.text if isinstance(found, Scalar) and found.text else index


def _pairs(node: Node | None) -> Iterator[tuple[Scalar, Node]]:
    if isinstance(node, Map):
        for key, value in node.pairs:
            if isinstance(key, Scalar):
                yield key, value


def _items(node: Node) -> Iterator[tuple[str | int, Node]]:
    for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
        yield _label(item, index), item


Where = tuple[str | int, ...]


class _Finder:
    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        self.sites: list[Site] = []
        self.pointers: dict[str, int] = {}

    def work(self, where: Where, work: Map) -> None:
        for key, value in _pairs(work):
            name, at = key.text, (*where, key.text)
            if name in ("apps", "pods", "groups") and isinstance(value, Seq):
                continue
            if name in ("env", "environment"):
                self.environment(at, value, work)
            elif name == "containers" and isinstance(value, Seq):
                for label, item in _items(value):
                    self.container((*at, label), item, work)
            else:
                self.any(at, name, value)

    def container(self, where: Where, node: Node, work: Map) -> None:
        """A container of a pod."""
        for key, value in _pairs(node):
            if key.text == "environment":
                self.environment((*where, key.text), value, work)
            else:
                self.any((*where, key.text), key.text, value)

    def environment(self, where: Where, node: Node, work: Map) -> None:
        for key, value in _pairs(node):
            if isinstance(value, Scalar) and value.style == "double":
                self.site((*where, key.text), key.text, value, "env", work=work)

    def any(self, where: Where, name: str, node: Node, refused: str = "", place: Place = "other") -> None:
        """Any other property, however deep: for the record, since none of these takes a secret."""
        todo: list[tuple[Where, str, Node, str, Place]] = [(where, name, node, refused, place)]
        while todo:
            at, key, value, why, kind = todo.pop()
            if key in _SKIPPED and not why:
                continue
            if key in ("cmd", "args", "argv", "shell", "command") and not why:
                why, kind = "command", "arg"
            elif key in ("healthChecks", "healthCheck", "check", "readinessChecks") and not why:
                why = "check"
            elif key in ("labels", "uris", "fetch", "artifacts", "storeUrls") and not why:
                why = "label" if key == "labels" else "artifact"
            if isinstance(value, Map):
                todo += [((*at, each.text), each.text, inner, why, kind) for each, inner in _pairs(value)]
            elif isinstance(value, Seq) and key == "parameters" and "docker" in at:
                for label, item in _items(value):
                    self.parameter((*at, label), item)
            elif isinstance(value, Seq) and key in ("args", "argv"):
                self.words(at, value, why)
            elif isinstance(value, Seq):
                todo += [((*at, label), key, item, why, kind) for label, item in _items(value)]
            elif isinstance(value, Scalar) and value.style == "double" and (why == "label" or key not in _NAMES):
                if why == "check" and key in ("value", "shell"):
                    kind = "arg"
                self.site(at, key, value, kind, refused=why)

    def words(self, where: Where, node: Seq, refused: str) -> None:
        """A command in words, each named by its option."""
        before = ""
        for index, item in enumerate(node.items):
            if not isinstance(item, Scalar) or item.style != "double":
                before = ""
                continue
            given = setting(item.text)
            name = given[0] if given else "" if item.text.startswith("-") else option(before)
            self.site((*where, index), name, item, "arg", refused=refused)
            before = item.text

    def parameter(self, where: Where, node: Node) -> None:
        """An option of `docker run`: of `NAME=value` the value alone."""
        found = node.get("value") if isinstance(node, Map) else None
        key = node.get("key") if isinstance(node, Map) else None
        if not isinstance(found, Scalar) or found.style != "double":
            return
        kind = key.text if isinstance(key, Scalar) else ""
        name, equals, value = found.text.partition("=")
        span = None
        if equals and value:
            start = len((name + equals).encode("utf-8", "surrogatepass"))
            size = len(value.encode("utf-8", "surrogatepass"))
            raw = self.data[found.span.start : found.span.end]
            span = locate(STRING, raw, Span(start, start + size))
        place: Place = "env" if kind in ("env", "e") and span else "arg"
        if span is None:
            self.site((*where, "value"), kind, found, place, refused="parameter")
        else:
            inner = Span(found.span.start + span.start, found.span.start + span.end)
            self.site((*where, "value"), name, found, place, refused="parameter", inner=inner, value=value)

    def site(
        self, where: Where, key: str, node: Scalar, place: Place, *, refused: str = "", work: Map | None = None,
        inner: Span | None = None, value: str = "",
    ) -> None:  # fmt: skip
        if len(self.sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        pointer = join(*where)
        count = self.pointers[pointer] = self.pointers.get(pointer, 0) + 1
        if count > 1:
            pointer = f"{pointer}#{count}"
        text = value if inner is not None else node.text
        slot = Slot(
            "marathon",
            self.path,
            pointer,
            key,
            Plaintext(text.encode("utf-8", "surrogatepass")),
            inner or node.span,
            node.literal,
            node.encoding,
            place,
            (TARGET,) if work is not None else (),
            "" if work is not None else REASONS[refused],
        )
        self.sites.append(Site(slot, node, work, refused))
