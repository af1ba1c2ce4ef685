"""Small edits of a JSON file in its own style: other values, new pairs and items, pairs that go."""

from __future__ import annotations

import json
import re
from typing import Any

from rewriters._api import Edit, Span
from rewriters._yaml import Map, Node, Scalar, Seq, newline

__all__ = ["Editor"]

_INDENT = re.compile(rb"[ \t]*")
_COMMA = re.compile(rb"(?:[ \t\r\n]+|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/)*+,")


class Editor:
    """Collects the changes of one file; `edits()` gives them, in order and apart."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        self._newline = newline(data).decode()
        self._unit = _unit(data)
        self._edits: list[Edit] = []
        self._gone: dict[int, tuple[Map | Seq, set[int]]] = {}
        self._new: dict[int, tuple[Map | Seq, list[str]]] = {}

    def put(self, node: Node, value: Any) -> None:
        """Another value for a node, with the line breaks and the indentation of its line."""
        start, end = _bounds(node)
        self._edits.append(Edit(self.path, Span(start, end), self._render(value, self._indent(start)).encode()))

    def rename(self, key: Scalar, name: str) -> None:
        self._edits.append(Edit(self.path, key.literal, json.dumps(name, ensure_ascii=False).encode()))

    def add(self, owner: Map, key: str, value: Any) -> None:
        """One more pair at a map's end."""
        inner = self._indent_in(owner)
        text = f"{json.dumps(key, ensure_ascii=False)}: {self._render(value, inner, lines=self._in_lines(owner))}"
        self._new.setdefault(id(owner), (owner, []))[1].append(text)

    def append(self, owner: Seq, value: Any) -> None:
        """One more item at a list's end."""
        text = self._render(value, self._indent_in(owner), lines=self._in_lines(owner))
        self._new.setdefault(id(owner), (owner, []))[1].append(text)

    def remove(self, owner: Map | Seq, index: int) -> None:
        """The pair or the item of this index goes, with its comma."""
        self._gone.setdefault(id(owner), (owner, set()))[1].add(index)

    def edits(self) -> tuple[Edit, ...]:
        done = list(self._edits)
        for owner, gone in self._gone.values():
            done += (Edit(self.path, span, b"") for span in self._removals(owner, gone))
        for key, (owner, texts) in self._new.items():
            count = len(_children(owner))
            kept = count - len(self._gone[key][1]) if key in self._gone else count
            done.append(self._insertion(owner, texts, empty=not kept))
        return tuple(sorted(done, key=lambda edit: (edit.span.start, edit.span.end)))

    def _removals(self, owner: Map | Seq, gone: set[int]) -> list[Span]:
        places = [_extent(child) for child in _children(owner)]
        if len(gone) == len(places):
            end = places[-1][1]
            comma = _COMMA.match(self.data, end)
            return [Span(places[0][0], comma.end() if comma else end)]
        spans: list[Span] = []
        first_kept = min(set(range(len(places))) - gone)
        for index in sorted(gone):
            if index < first_kept:  # nothing is kept before it: it goes up to the next one
                spans.append(Span(places[index][0], places[index + 1][0]))
            else:
                spans.append(Span(places[index - 1][1], places[index][1]))
        return spans

    def _insertion(self, owner: Map | Seq, texts: list[str], *, empty: bool) -> Edit:
        inner = self._indent_in(owner)
        lines = self._in_lines(owner)
        break_ = f"{self._newline}{inner}" if lines else " "
        children = _children(owner)
        text = f",{break_}".join(texts)
        if not empty:
            at = _extent(children[-1])[1]
            return Edit(self.path, Span(at, at), f",{break_}{text}".encode())
        if children:  # all of them go: in the place of the last one
            at = _extent(children[-1])[1]
            comma = _COMMA.match(self.data, at)
            at = comma.end() if comma else at
            return Edit(self.path, Span(at, at), text.encode())
        at = owner.start + 1
        if not lines:
            return Edit(self.path, Span(at, at), f" {text} ".encode())
        if self.data[at : owner.end - 1].strip():  # a comment stands in it
            return Edit(self.path, Span(at, at), f"{break_}{text}".encode())
        outer = self._newline + self._indent(owner.start)
        return Edit(self.path, Span(at, owner.end - 1), f"{break_}{text}{outer}".encode())

    def _render(self, value: Any, indent: str, *, lines: bool = True) -> str:
        if isinstance(value, str | int | float | bool) or value is None or not self._unit or not lines:
            return json.dumps(value, ensure_ascii=False)
        text = json.dumps(value, ensure_ascii=False, indent=self._unit)
        return text.replace("\n", self._newline + indent)

    def _in_lines(self, owner: Map | Seq) -> bool:
        """Whether a map or list has its parts on lines of their own; an empty one does as the file does."""
        children = _children(owner)
        if not children:
            return bool(self._unit)
        return b"\n" in self.data[owner.start : _extent(children[0])[0]]

    def _indent(self, at: int) -> str:
        """What the line of this offset begins with."""
        start = self.data.rfind(b"\n", 0, at) + 1
        found = _INDENT.match(self.data, start)
        return found[0].decode() if found else ""

    def _indent_in(self, owner: Map | Seq) -> str:
        """The indentation of what stands in a map or list."""
        children = _children(owner)
        if children and self._in_lines(owner):
            return self._indent(_extent(children[-1])[0])
        if children:
            return self._indent(owner.start)
        return self._indent(owner.start) + self._unit


def _children(owner: Map | Seq) -> tuple[Any, ...]:
    return owner.pairs if isinstance(owner, Map) else owner.items


def _bounds(node: Node) -> tuple[int, int]:
    return (node.literal.start, node.literal.end) if isinstance(node, Scalar) else (node.start, node.end)


def _extent(child: Any) -> tuple[int, int]:
    """Where a pair or an item stands."""
    if isinstance(child, tuple):
        return _bounds(child[0])[0], _bounds(child[1])[1]
    return _bounds(child)


def _unit(data: bytes) -> str:
    """One step of the file's indentation: that of its first indented line; none in a file of one line."""
    found = re.search(rb"\n([ \t]+)[^ \t\r\n]", data)
    return found[1].decode() if found else "    " if b"\n" in data.strip() else ""
