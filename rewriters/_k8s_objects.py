"""What a manifest consists of: objects, and the places in them that can hold a value.

Source: the Kubernetes API reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from rewriters._api import Slot
from rewriters._yaml import Alias, Document, Map, Node, Scalar, Seq

__all__ = ["CONTAINERS", "STRATEGIES", "Form", "Manifest", "Object", "Site", "follow", "labelled", "text_at"]

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")

Form = Literal["data", "stringData", "config", "env", "arg", "webhook", "parameter", "generator", "other"]
STRATEGIES = ("dockerStrategy", "sourceStrategy", "customStrategy")
"""Strategies of a build whose variables take `valueFrom`; a Jenkins pipeline has no pod that would resolve it."""


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """One API object.

    `alone` says that it is a document by itself, not an item of a list. `home` is the map and the key of the list that
    further objects beside it belong to, where a further document cannot hold them: a template, JSON. In a template,
    `templated`, texts take in parameters, and a namespace written out does not count.
    """

    path: str
    api: str
    kind: str
    name: str
    namespace: str
    pointer: str
    root: Map = field(repr=False)
    document: Document = field(repr=False)
    alone: bool = True
    home: tuple[Map, str] | None = field(default=None, repr=False)
    templated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot with what rewriting needs of its surroundings.

    `pair` is the key and the value of the map that holds the scalar; `owner` that map, or the list of arguments;
    `container` the container around it.
    """

    slot: Slot
    object: Object
    scalar: Scalar
    form: Form
    owner: Map | Seq
    pair: tuple[Scalar, Scalar] | None = None
    container: Map | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """A file as it was read. `aliases` are all of them, with the object around each."""

    path: str
    data: bytes = field(repr=False)
    objects: tuple[Object, ...]
    sites: tuple[Site, ...]
    aliases: tuple[tuple[Alias, Object], ...]
    repeated: bool
    """Whether some map has a key twice: readers disagree about which one counts."""
    kustomization: Object | None = None
    """What stands for the file itself, if it is a kustomization."""


def follow(node: Node) -> Scalar | Map | Seq:
    """The node, or what the alias stands for."""
    return node.target if isinstance(node, Alias) else node


def text_at(node: Node | None, *keys: str) -> str:
    """The text at the end of a path of keys, or nothing."""
    for key in keys:
        node = node.get(key) if isinstance(node, Map) else None
    return node.text if isinstance(node, Scalar) else ""


def labelled(node: Seq) -> Iterator[tuple[str | int, Node]]:
    """The items of a list, by their `name` where each has one of its own, else by number."""
    names = [text_at(follow(item), "name") for item in node.items]
    unique = all(names) and len(set(names)) == len(names)
    for index, item in enumerate(node.items):
        yield (names[index] if unique else index), item
