"""JSON as a tree of nodes that know their exact bytes: the nodes of `rewriters._yaml`.

Takes what Azure's tools and editors take besides RFC 8259: comments, commas before a closing bracket, and line breaks
inside of strings (Azure Resource Manager, "Template syntax": comments and multi-line strings). Nothing recurses, so a
hostile file costs no more than its size.
"""

from __future__ import annotations

import re
from typing import Any

from rewriters._api import Span, Unreadable
from rewriters._encode import Undecodable, decode
from rewriters._yaml import MAX_DEPTH, Map, Node, Scalar, Seq

__all__ = ["STRING", "read"]

STRING = ("json",)
"""The encoding of a string's content."""

_BOM = b"\xef\xbb\xbf"
_TOKEN = re.compile(
    rb"""(?:[ \t\r\n]+|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/)*+
    (?:"(?P<string>(?:[^"\\]|\\.)*+)" | (?P<mark>[{}\[\]:,])
    | (?P<word>-?[0-9][0-9.eE+-]*+ | true\b | false\b | null\b) | (?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)


class _Open:
    """A map or a list that is being read."""

    __slots__ = ("children", "key", "start", "waits")

    def __init__(self, start: int, *, of_pairs: bool) -> None:
        self.start = start
        self.children: list[Any] = []
        self.key: Scalar | None = None
        self.waits = "key" if of_pairs else "value"


def read(data: bytes) -> Map | Seq | Scalar:
    """The document. Numbers, `true`, `false` and `null` are plain scalars, texts as they are written; duplicate keys
    are kept. Raises `Unreadable` for what is not JSON, too deep, or not UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("the file is UTF-16; save it as UTF-8 to have it rewritten")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("the file is not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None
    at = len(_BOM) if data.startswith(_BOM) else 0
    stack: list[_Open] = []
    root: Map | Seq | Scalar | None = None
    match_at = _TOKEN.match
    while True:
        match = match_at(data, at)
        if match is None:
            raise _broken(data, at)
        start, at = match.end() - len(match[match.lastgroup or 0]), match.end()
        kind = match.lastgroup
        node: Node
        if kind == "end":
            if root is None or stack:
                raise _broken(data, at)
            return root
        if root is not None:
            raise _broken(data, start)
        top = stack[-1] if stack else None
        if kind == "mark":
            mark = match["mark"]
            if mark in b"{[":
                if (top and top.waits != "value") or len(stack) >= MAX_DEPTH:
                    raise _broken(data, start)
                stack.append(_Open(start, of_pairs=mark == b"{"))
                continue
            if top is None:
                raise _broken(data, start)
            if mark in b":,":
                if top.waits != mark.decode():
                    raise _broken(data, start)
                top.waits = "key" if mark == b"," and top.key is not None else "value"
                if mark == b",":
                    top.key = None
                continue
            stack.pop()
            pairs = data[top.start : top.start + 1] == b"{"
            if pairs != (mark == b"}") or top.waits == ":" or (pairs and top.waits == "value"):
                raise _broken(data, start)
            if pairs:
                node = Map(tuple(top.children), top.start, at, True)
            else:
                node = Seq(tuple(top.children), top.start, at, True)
            top = stack[-1] if stack else None
        elif kind == "string":
            span = Span(at - 1 - len(match["string"]), at - 1)
            literal = Span(span.start - 1, at)
            node = Scalar(_text(data, span), span, literal, "double", STRING, start=literal.start)
        else:
            span = Span(start, at)
            node = Scalar(data[start:at].decode(), span, span, "plain", ("raw",), start=start)
        if top is None:
            root = node
        elif top.waits == "key":
            if not isinstance(node, Scalar) or node.style != "double":
                raise _broken(data, start)
            top.key, top.waits = node, ":"
        elif top.waits == "value":
            top.children.append(node if top.key is None else (top.key, node))
            top.waits = ","
        else:
            raise _broken(data, start)


def _text(data: bytes, span: Span) -> str:
    raw = data[span.start : span.end]
    if b"\\" not in raw:
        return raw.decode()
    try:
        return decode(STRING, raw).decode()
    except (Undecodable, UnicodeDecodeError):
        raise Unreadable("a string holds half of a character", data.count(b"\n", 0, span.start) + 1) from None


def _broken(data: bytes, at: int) -> Unreadable:
    return Unreadable("broken JSON, or nested too deep", data.count(b"\n", 0, at) + 1)
