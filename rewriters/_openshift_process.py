"""The objects that an OpenShift template makes, as `oc process` makes them.

Source: library-go, `templateprocessing`: `${NAME}` within texts, `${{NAME}}` as a whole text, in the order in which
they stand; names of no parameter stay as they are written, and a namespace written out is taken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rewriters._k8s_tree import Thing, Tree, at, list_in, text_in

__all__ = ["parameters", "processed"]

_WHOLE = re.compile(r"\$\{\{(\w+)\}\}", re.ASCII)
_NAMED = re.compile(r"\$\{(\w+)\}", re.ASCII)
_MOST = 1_000_000
"""Characters that are put into one text."""


def parameters(template: Thing, outside: Mapping[str, str]) -> dict[str, str]:
    """The parameters that have a value: of their own, else of the environment of the command that processes it."""
    found: dict[str, str] = {}
    for item in list_in(template.tree.get("parameters")):
        name, value = text_in(at(item, "name")), text_in(at(item, "value"))
        if value:
            found[name] = value
        elif name in outside and not at(item, "generate"):
            found[name] = outside[name]
    return found


def processed(template: Thing, values: Mapping[str, str]) -> Iterator[Thing]:
    """The objects of a template with these values put in."""
    seen: dict[str, int] = {}
    for item in list_in(template.tree.get("objects")):
        tree = _Filling(values).fill(item)
        if not isinstance(tree, dict) or "kind" not in tree:
            continue
        kind = text_in(tree["kind"])
        name = text_in(at(tree, "metadata", "name")) or text_in(at(tree, "metadata", "generateName"))
        written = text_in(at(item, "metadata", "namespace"))
        namespace = text_in(at(tree, "metadata", "namespace")) if _NAMED.search(written) else ""
        label = f"{template.subject}/{kind}/{name}"
        seen[label] = seen.get(label, 0) + 1
        label += f"#{seen[label]}" if seen[label] > 1 else ""
        yield Thing(template.path, kind, name, namespace, label, tree)


class _Filling:
    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.made: dict[int, Tree] = {}

    def fill(self, tree: Tree) -> Tree:
        """A copy with values put in; shared parts stay shared, so that it grows no larger than the text."""
        if isinstance(tree, str):
            return self.text(tree)
        if tree is None or id(tree) in self.made:
            return self.made.get(id(tree)) if tree is not None else None
        if isinstance(tree, list):
            items: list[Tree] = []
            self.made[id(tree)] = items
            items += [self.fill(item) for item in tree]
            return items
        pairs: dict[str, Tree] = {}
        self.made[id(tree)] = pairs
        pairs.update({self.text(key): self.fill(value) for key, value in tree.items()})
        return pairs

    def text(self, text: str) -> str:
        if "${" not in text:
            return text
        whole = _WHOLE.fullmatch(text)
        if whole is not None and whole[1] in self.values:
            return self.values[whole[1]]
        names = [name for name in _NAMED.findall(text) if name in self.values]
        if sum(len(self.values[name]) for name in names) > _MOST:
            return text
        out = text
        for name in names:
            out = out.replace(f"${{{name}}}", self.values[name], 1)
        return out
