"""What a text of a template says: a literal, an escaped one, or an expression; and names, whose case is free.

Source: Azure Resource Manager, "Syntax and expressions in ARM templates": an expression begins with a bracket and ends
with one; `[[` at the beginning of a text that ends with a bracket stands for one bracket; names of functions and
parameters are the same in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rewriters._yaml import Map, Node, Scalar, Seq

__all__ = ["ESCAPED", "child", "is_escaped", "is_expression", "named", "pairs", "texts", "word"]

ESCAPED = "arm"
"""The codec of a literal that would be read as an expression."""

_CALL = re.compile(r"\[\s*(parameters|variables)\s*\(\s*'((?:[^']|'')+)'\s*\)\s*\]", re.IGNORECASE)


def is_expression(text: str) -> bool:
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[") and len(text) > 1


def is_escaped(text: str) -> bool:
    return text.startswith("[[") and text.endswith("]")


def named(text: str) -> tuple[str, str] | None:
    """`parameters` or `variables`, and which, when an expression is nothing else; both in lower case."""
    match = _CALL.fullmatch(text)
    return None if match is None else (match[1].lower(), match[2].replace("''", "'").lower())


def pairs(node: Node | None) -> Iterator[tuple[int, Scalar, Node]]:
    """The pairs of a map with their index."""
    if isinstance(node, Map):
        for index, (key, value) in enumerate(node.pairs):
            if isinstance(key, Scalar):
                yield index, key, value


def child(node: Node | None, name: str) -> Node | None:
    """The value under a name of any case; the last of several."""
    found = None
    for _, key, value in pairs(node):
        if key.text.lower() == name.lower():
            found = value
    return found


def texts(node: Node | None) -> Iterator[Scalar]:
    """The texts of a list."""
    for item in node.items if isinstance(node, Seq) else ():
        if isinstance(item, Scalar):
            yield item


def word(node: Node | None, name: str) -> str:
    """The text under a name, empty when there is none."""
    found = child(node, name)
    return found.text if isinstance(found, Scalar) and found.style == "double" else ""
