"""Manifests as plain trees, read with ruamel.yaml: scalars as they are written, merges applied, aliases shared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from rewriters._k8s_claims import claims

__all__ = ["Thing", "Tree", "at", "composed", "list_in", "map_in", "text_in", "things"]

Tree = str | dict[str, "Tree"] | list["Tree"] | None


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """An API object; `subject` names it and its file."""

    path: str
    kind: str
    name: str
    namespace: str
    subject: str
    tree: dict[str, Tree] = field(repr=False)


def things(path: str, data: bytes) -> Iterator[Thing]:
    """The objects of a file, templates as they stand; none of one that is no manifest, or no YAML or JSON."""
    if not claims(path, data[:4096]):
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    roots = _json(text) if path.lower().endswith(".json") else composed(text)
    seen: Counter[str] = Counter()
    for root in roots:
        items = list_in(at(root, "items")) if text_in(at(root, "kind")).endswith("List") else [root]
        for item in items:
            if isinstance(item, dict) and "kind" in item:
                kind, metadata = text_in(item["kind"]), item.get("metadata")
                name = text_in(at(metadata, "name")) or text_in(at(metadata, "generateName"))
                label = f"{kind}/{name}"
                seen[label] += 1
                label += f"#{seen[label]}" if seen[label] > 1 else ""
                yield Thing(path, kind, name, text_in(at(metadata, "namespace")), f"{path}#{label}", item)


def _json(text: str) -> list[Tree]:
    def pairs(items: list[tuple[str, Tree]]) -> dict[str, Tree]:
        if len(dict(items)) < len(items):
            raise _Repeated
        return dict(items)

    try:
        root = json.loads(text, strict=False, parse_int=str, parse_float=str, object_pairs_hook=pairs)
    except (ValueError, _Repeated, RecursionError):
        return []
    return [root]


class _Repeated(Exception):
    """A map has a key twice."""


def _tree(node: object, made: dict[int, Tree]) -> Tree:
    """A node as plain data: scalars as written, aliases shared, merges applied."""
    if node is None or isinstance(node, ScalarNode):
        return None if node is None else str(node.value)
    if id(node) in made:
        return made[id(node)]
    if isinstance(node, SequenceNode):
        items: list[Tree] = []
        made[id(node)] = items
        items += [_tree(item, made) for item in node.value]
        return items
    assert isinstance(node, MappingNode)  # noqa: S101 - there is no other kind of node
    own: dict[str, Tree] = {}
    made[id(node)] = own
    merged: list[Tree] = []
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            continue
        inner = _tree(value, made)
        if key.value == "<<" and key.style is None:
            merged += inner if isinstance(inner, list) else [inner]
        elif key.value in own:
            raise _Repeated
        else:
            own[str(key.value)] = inner
    for source in merged:
        for name, inner in source.items() if isinstance(source, dict) else ():
            own.setdefault(name, inner)
    return own


def at(tree: Tree, *keys: str) -> Tree:
    """What stands at the end of a path of keys, if anything."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def text_in(tree: Tree) -> str:
    """The text, or an empty one."""
    return tree if isinstance(tree, str) else ""


def list_in(tree: Tree) -> list[Tree]:
    """The list, or an empty one."""
    return tree if isinstance(tree, list) else []


def map_in(tree: Tree) -> dict[str, Tree]:
    """The map, or an empty one."""
    return tree if isinstance(tree, dict) else {}


def composed(source: str) -> list[Tree]:
    """The documents of a text; none if any of it is no YAML, or has a key twice."""
    try:
        return [_tree(node, {}) for node in YAML(typ="safe", pure=True).compose_all(StringIO(source))]
    except (YAMLError, _Repeated, RecursionError, ValueError):
        return []
