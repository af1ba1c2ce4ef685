"""Whether a service may get a variable as a file: `NAME_FILE` and a secret, in place of `NAME`.

The images end with an error when both are set, and read the file once, at the start. So nothing else may set or read
the variable: not the service, not what it inherits, not an env file, and not a Compose file that may be laid over
this one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rewriters._api import Files
from rewriters._compose_images import file_variable
from rewriters._compose_project import claims, env_files, folder_of
from rewriters._compose_swarm import Kind
from rewriters._yaml import Map, Node, Scalar, Seq, follow

__all__ = ["EnvEntry", "file_name"]


@dataclass(frozen=True, slots=True)
class EnvEntry:
    """An entry of a service's own environment: the service, the pair's or item's scalar, and the variable's name."""

    service: str
    body: Map
    environment: Map | Seq
    scalar: Scalar
    key_node: Scalar | None
    key: str

    def value_start(self, data: bytes) -> int:
        """Where the value begins in the file."""
        if self.key_node is not None:
            return self.scalar.span.start
        return data.find(b"=", self.scalar.span.start) + 1


def file_name(entry: EnvEntry, path: str, files: Files, kind: Kind = "") -> str:
    """The variable that names the file; empty when the value has to stay a variable. `kind`: whether it is a stack."""
    entries = entry.body.entries()
    image = entries.get("image", (None, None))[1]
    if not isinstance(image, Scalar) or "$" in image.text or entry.scalar.style in ("literal", "folded"):
        return ""
    name = file_variable(image.text, entry.key)
    read_only = entries.get("read_only", (None, None))[1]
    writable = not isinstance(read_only, Scalar) or read_only.text.lower() in ("false", "no", "off")
    if not name or kind == "maybe" or not (writable or kind == "stack"):  # a swarm mounts its secrets
        return ""
    if "extends" in entries or _mentions(entry, name) or _set_elsewhere(entry, path, files):
        return ""
    return name


def _mentions(entry: EnvEntry, name: str) -> bool:
    """Whether the service speaks of the variable elsewhere (a health check that reads it), or has the file's."""
    pattern = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(entry.key)}(?![A-Za-z0-9_])")
    mine = {id(entry.key_node), id(entry.scalar)}
    todo: list[Node] = [entry.body]
    seen: set[int] = set()
    while todo:
        node = follow(todo.pop())
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Map):
            todo += [part for pair in node.pairs for part in pair]
        elif isinstance(node, Seq):
            todo += node.items
        elif id(node) not in mine and (pattern.search(node.text) or node.text.partition("=")[0] == name):
            return True
    return False


def _set_elsewhere(entry: EnvEntry, path: str, files: Files) -> bool:
    """Whether an env file, a service that extends this one, or a neighbouring Compose file may set it."""
    key = entry.key.encode()
    if "env_file" in entry.body.entries():
        for named in env_files(path, files[path]):
            if key in files.get(named.path or "", key):
                return True
    service = entry.service.encode()
    for other, data in files.items():
        near = folder_of(other) == folder_of(path)
        if key not in data or not (near or b"extends:" in data) or not claims(other, data[:4096]):
            continue
        if b"extends:" in data or (other != path and service in data):
            return True
    return False
