"""How the nodes of an Azure resource's YAML are walked: pairs by their names, items by theirs."""

from __future__ import annotations

from collections.abc import Iterator

from rewriters._options import option, setting
from rewriters._yaml import Map, Node, Scalar, Seq

__all__ = ["named", "pairs", "words"]


def pairs(node: Node) -> Iterator[tuple[Scalar, Node]]:
    """The pairs of a map whose keys are texts; what an alias stands for is read where it is written."""
    if isinstance(node, Map):
        for key, value in node.pairs:
            if isinstance(key, Scalar):
                yield key, value


def named(node: Node, by: str = "name") -> Iterator[tuple[str | int, Node]]:
    """The items of a list with their names; an item without one goes by its index."""
    for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
        name = item.get(by) if isinstance(item, Map) else None
        yield name.text if isinstance(name, Scalar) and name.text else index, item


def words(node: Node) -> Iterator[tuple[int, str, Scalar]]:
    """The words of a command with their indices, each named by its option."""
    before = ""
    for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
        if not isinstance(item, Scalar):
            before = ""
            continue
        given = setting(item.text)
        yield index, given[0] if given else "" if item.text.startswith("-") else option(before), item
        before = item.text
