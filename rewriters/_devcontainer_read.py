"""A devcontainer.json as the sites that can hold a value.

Source: containers.dev, metadata reference (containerEnv, remoteEnv, runArgs, build, features, lifecycle scripts).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rewriters._api import Place, Slot, Span, Unreadable
from rewriters._encode import locate
from rewriters._json import STRING
from rewriters._json import read as read_json
from rewriters._options import option
from rewriters._yaml import Map, Node, Scalar, Seq, join
from rewriters.plaintext import Plaintext

__all__ = ["ALTERNATIVES", "TARGET", "Site", "read"]

TARGET = "local-env"
MAX_SITES = 50_000
REASONS: dict[str, str] = {
    "": "this property is not for credentials",
    "build": "a build argument stays in the history of the image, wherever its value comes from",
    "feature": "the options of a feature stay in the layers of the image",
    "command": "the shell that runs the command would read the value as part of its text",
}
ALTERNATIVES: dict[str, str] = {
    "": "put the credential into remoteEnv, and have the program read it there",
    "build": "mount it as a build secret in the Dockerfile, or set it in remoteEnv",
    "feature": "set it in remoteEnv, and have what the feature installs read it there",
    "command": "set a variable in remoteEnv, and have the command read it",
}
_COMMANDS = frozenset(("initializeCommand", "onCreateCommand", "updateContentCommand", "postCreateCommand",
                       "postStartCommand", "postAttachCommand"))  # fmt: skip
_NAMES = frozenset(("name", "image", "$schema", "service", "dockerFile", "dockerfile", "context", "workspaceFolder",
                    "remoteUser", "containerUser", "shutdownAction", "waitFor", "userEnvProbe"))  # fmt: skip
_SETTING = re.compile(r"(?:--[a-z-]+=|-e)?([A-Za-z_][A-Za-z0-9_]*)=(.+)\Z", re.DOTALL)

Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot; `refused` is a key of `ALTERNATIVES` where it has no target."""

    slot: Slot
    refused: str = ""


def read(path: str, data: bytes) -> tuple[Site, ...]:
    """In the order of their spans. Raises `Unreadable`."""
    root = read_json(data)
    if not isinstance(root, Map):
        raise Unreadable("not a map of properties", 1)
    finder = _Finder(path, data)
    finder.walk(root)
    return tuple(sorted(finder.sites, key=lambda site: site.slot.span))


class _Finder:
    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        self.sites: list[Site] = []
        self.pointers: dict[str, int] = {}

    def walk(self, root: Map) -> None:
        todo: list[tuple[Where, Node, str]] = [((), root, "")]
        while todo:
            where, node, before = todo.pop()
            if isinstance(node, Map):
                todo += [((*where, key.text), value, "") for key, value in node.pairs if isinstance(key, Scalar)]
            elif isinstance(node, Seq):
                last = ""
                for index, item in enumerate(node.items):
                    todo.append(((*where, index), item, last))
                    last = item.text if isinstance(item, Scalar) else ""
            elif isinstance(node, Scalar) and node.style == "double":
                self.text(where, node, before)

    def text(self, where: Where, node: Scalar, before: str) -> None:
        top = str(where[0]) if where else ""
        if top in ("containerEnv", "remoteEnv") and len(where) == 2:
            self.site(where, str(where[1]), node, "env", target=True)
        elif top == "runArgs" and len(where) == 2:
            self.argument(where, node, before)
        elif top == "build" and len(where) > 1 and where[1] in ("args", "options"):
            self.site(where, str(where[-1]) if where[1] == "args" else "", node, "build", refused="build")
        elif top == "features" and len(where) > 1:
            self.site(where, str(where[-1]), node, "build", refused="feature")
        elif top in _COMMANDS:
            self.site(where, "", node, "arg", refused="command")
        elif len(where) > 2 or top not in _NAMES:
            self.site(where, next((step for step in reversed(where) if isinstance(step, str)), ""), node, "other")

    def argument(self, where: Where, node: Scalar, before: str) -> None:
        """An argument of `docker run`: of `NAME=value` the value alone."""
        match = _SETTING.match(node.text)
        if match is None:
            self.site(where, "" if node.text.startswith("-") else option(before), node, "arg", target=True)
            return
        start = len(node.text[: match.start(2)].encode("utf-8", "surrogatepass"))
        part = Span(start, start + len(match[2].encode("utf-8", "surrogatepass")))
        found = locate(STRING, self.data[node.span.start : node.span.end], part)
        if found is None:
            self.site(where, match[1], node, "env", target=True)
            return
        inner = Span(node.span.start + found.start, node.span.start + found.end)
        self.site(where, match[1], node, "env", target=True, inner=inner, value=match[2])

    def site(
        self, where: Where, key: str, node: Scalar, place: Place, *, refused: str = "", target: bool = False,
        inner: Span | None = None, value: str = "",
    ) -> None:  # fmt: skip
        if len(self.sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        pointer = join(*where)
        count = self.pointers[pointer] = self.pointers.get(pointer, 0) + 1
        if count > 1:
            pointer = f"{pointer}#{count}"
        text = node.text if inner is None else value
        slot = Slot(
            "devcontainer",
            self.path,
            pointer,
            key,
            Plaintext(text.encode("utf-8", "surrogatepass")),
            inner or node.span,
            node.literal,
            node.encoding,
            place,
            (TARGET,) if target else (),
            "" if target else REASONS[refused],
            target,
        )
        self.sites.append(Site(slot, refused))
