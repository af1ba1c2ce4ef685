"""YAML as a tree of nodes that know their exact bytes.

Reads LibYAML's events (YAML 1.1, its C parser), so scalars are text as written and never converted (`yes`, `0777`,
`1:30`), aliases are never expanded, and nothing recurses: a hostile file costs no more than its size. Marks count
characters; they are turned into byte offsets here, byte order mark included.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from rewriters._api import Span, Unreadable
from rewriters._encode import Undecodable, decode

__all__ = [
    "Alias",
    "Document",
    "Map",
    "Node",
    "Scalar",
    "Seq",
    "documents",
    "join",
    "line_indent",
    "newline",
    "segment",
    "stops",
]

MAX_DEPTH = 100
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A scalar. `text` is the decoded value; `span` its encoded content; `literal` that with quotes or block header.

    `encoding` decodes `span`'s bytes (`rewriters._encode`). `style` is `plain`, `single`, `double`, `literal` or
    `folded`. `start` is where the node begins, tag and anchor included. A value that is not there (`key:`) is a plain
    scalar with an empty span.
    """

    text: str = field(repr=False)
    span: Span
    literal: Span
    style: str
    encoding: tuple[str, ...]
    tag: str = ""
    anchor: str = ""
    start: int = 0

    @property
    def end(self) -> int:
        return self.literal.end


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A mapping: its pairs in order, duplicates included. `flow` says that it is written with braces."""

    pairs: tuple[tuple[Node, Node], ...] = field(repr=False)
    start: int
    end: int
    flow: bool
    tag: str = ""
    anchor: str = ""

    def get(self, key: str) -> Node | None:
        """The value of the last pair with this key, aliases followed, `<<` looked through as YAML 1.1 merges do."""
        return self.entries().get(key, (None, None))[1]

    def entries(self) -> dict[str, tuple[Scalar, Node]]:
        """Key text to the key's node and the value, aliases followed; own pairs win over merged ones."""
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: dict[str, tuple[Scalar, Node]] = {}
        todo: list[tuple[Map, bool]] = [(self, True)]
        seen = {id(self)}
        while todo:
            node, mine = todo.pop(0)
            for key, value in node.pairs:
                if not isinstance(key, Scalar):
                    continue
                target = value.target if isinstance(value, Alias) else value
                if key.text == "<<" and key.style == "plain":
                    sources = target.items if isinstance(target, Seq) else (target,)
                    for source in sources:
                        source = source.target if isinstance(source, Alias) else source
                        if isinstance(source, Map) and id(source) not in seen:
                            seen.add(id(source))
                            todo.append((source, False))
                elif mine:
                    own[key.text] = (key, target)
                else:
                    merged.setdefault(key.text, (key, target))
        return {**merged, **own}


@dataclass(frozen=True, slots=True, eq=False)
class Seq:
    """A sequence. `flow` says that it is written with brackets. `items` may hold aliases."""

    items: tuple[Node, ...] = field(repr=False)
    start: int
    end: int
    flow: bool
    tag: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Alias:
    """`*name`, and the node that it stands for."""

    name: str
    start: int
    end: int
    target: Scalar | Map | Seq = field(repr=False)


Node = Scalar | Map | Seq | Alias


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One document: its root, and the bytes from its first token (or `---`) to its end (without `...`)."""

    root: Node = field(repr=False)
    start: int
    end: int


def follow(node: Node) -> Scalar | Map | Seq:
    """The node itself, or what the alias stands for."""
    return node.target if isinstance(node, Alias) else node


def stops(data: bytes, node: Node) -> int:
    """Where a node's text ends, the trailing line breaks of a block scalar left to the file."""
    end = node.end
    while end > node.start and data[end - 1] in b"\r\n":
        end -= 1
    return end


class _Offsets:
    """Character index to byte offset."""

    def __init__(self, text: str, shift: int) -> None:
        self._shift = shift
        self._table: array[int] | None = None
        if not text.isascii():
            table = array("L", bytes(0))
            at = 0
            for char in text:
                table.append(at)
                code = ord(char)
                at += 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
            table.append(at)
            self._table = table

    def __call__(self, index: int) -> int:
        if self._table is None:
            return index + self._shift
        return self._table[min(index, len(self._table) - 1)] + self._shift


_STYLES = {None: "plain", "'": "single", '"': "double", "|": "literal", ">": "folded", "": "plain"}
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_VALUE_BREAK = re.compile("[\n\u2028\u2029]")
_LINE = re.compile("([^\r\n\x85\u2028\u2029]*)(\r\n|[\r\n\x85\u2028\u2029]|\\Z)")
_HEADER = re.compile("[|>]([0-9+-]*)[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?:\r\n|[\r\n\x85\u2028\u2029]|\\Z)")
_PROPERTY = re.compile("[&!][^\\s]*[ \t]*(?:(?:#[^\r\n\x85\u2028\u2029]*)?(?:\r\n|[\r\n\x85\u2028\u2029])[ \t]*)*")


class _Reader:
    """One pass over the events, with an explicit stack."""

    def __init__(self, data: bytes) -> None:
        bom = data.startswith(_BOM)
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise Unreadable("the file is UTF-16; save it as UTF-8 to have it rewritten")
        try:
            self.text = data.decode("utf-8-sig" if bom else "utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise Unreadable("the file is not UTF-8 text", line) from None
        self.at = _Offsets(self.text, len(_BOM) if bom else 0)

    def documents(self) -> Iterator[Document]:
        try:
            yield from self._documents()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "it is not valid YAML"
            raise Unreadable(f"broken YAML: {_plain(str(problem))}", mark.line + 1 if mark else 0) from None

    def _documents(self) -> Iterator[Document]:
        parser = yaml.CSafeLoader(self.text)
        try:
            start = 0
            anchors: dict[str, Scalar | Map | Seq] = {}
            stack: list[tuple[Any, list[Node]]] = []
            root: Node | None = None
            while True:
                event: Any = parser.get_event()  # the stubs leave marks and attributes open
                kind = type(event)
                if event is None or kind is yaml.StreamEndEvent:
                    return
                if kind is yaml.DocumentStartEvent:
                    start, anchors, root = event.start_mark.index, {}, None
                    continue
                if kind is yaml.DocumentEndEvent:
                    if root is not None:
                        yield Document(root, self.at(start), max(self.at(event.start_mark.index), root.end))
                    continue
                node: Node
                if kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
                    if len(stack) >= MAX_DEPTH:
                        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels", event.start_mark.line + 1)
                    stack.append((event, []))
                    continue
                if kind is yaml.ScalarEvent:
                    node = self._scalar(event)
                elif kind is yaml.AliasEvent:
                    target = anchors.get(event.anchor)
                    if target is None:
                        raise Unreadable("an alias names no anchor", event.start_mark.line + 1)
                    node = Alias(event.anchor, self.at(event.start_mark.index), self.at(event.end_mark.index), target)
                elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
                    opening, children = stack.pop()
                    node = self._collection(opening, children, event.end_mark.index)
                else:
                    continue
                if not isinstance(node, Alias) and node.anchor:
                    anchors[node.anchor] = node
                if stack:
                    stack[-1][1].append(node)
                else:
                    root = node
        finally:
            parser.dispose()

    def _collection(self, event: Any, children: list[Node], end: int) -> Map | Seq:
        flow = bool(event.flow_style)
        start = self.at(event.start_mark.index)
        stop = self.at(end) if flow or not children else children[-1].end
        tag, anchor = event.tag or "", event.anchor or ""
        if isinstance(event, yaml.MappingStartEvent):
            pairs = tuple(zip(children[::2], children[1::2], strict=True))
            return Map(pairs, start, stop, flow, tag, anchor)
        return Seq(tuple(children), start, stop, flow, tag, anchor)

    def _scalar(self, event: Any) -> Scalar:
        begin, end = event.start_mark.index, event.end_mark.index
        start = begin
        style = _STYLES[event.style]
        if event.anchor or event.tag:
            while self.text[start : start + 1] in ("&", "!") and start < end:
                match = _PROPERTY.match(self.text, start, end)
                if match is None or match.end() == start:
                    break
                start = match.end()
            start = min(start, end)
        if style in ("literal", "folded"):
            return self._block(event, begin, start, style)
        inner = (start + 1, end - 1) if style in ("single", "double") else (start, end)
        if style == "plain" and not event.value:
            inner = (end, end) if not (event.anchor or event.tag) else (start, start)
            start, end = inner
        return self._exact(event, (f"yaml-{style}",), inner, (start, end), begin)

    def _block(self, event: Any, begin: int, start: int, style: str) -> Scalar:
        header = _HEADER.match(self.text, start)
        if header is None:
            raise Unreadable("a block scalar's header cannot be read", event.start_mark.line + 1)
        chomp = "keep" if "+" in header[1] else "strip" if "-" in header[1] else "clip"
        if chomp == "clip" and not event.value.endswith("\n"):
            chomp = "strip"  # the file ends without a line break
        first = header.end()
        lines = _LINE.findall(self.text, first, max(event.end_mark.index, first))
        # Line breaks before the first text stand one for one in the value; what LibYAML took off the line that
        # begins the text is the indentation.
        wanted = _VALUE_BREAK.split(event.value)
        at = next((index for index, line in enumerate(wanted) if line), None)
        if at is None:
            indent = max((len(line) for line, _ in lines if not line.strip(" ")), default=0)
        else:
            indent = _leading(lines[at][0]) - _leading(wanted[at]) if at < len(lines) else 0
        pad = " " * max(indent, 0)
        end = position = first
        for line, line_break in lines:
            content = len(line) > len(pad)
            if not line.startswith(pad) if content else line.strip(" "):
                break
            if content or chomp == "keep":
                end = position + len(line)
            position += len(line) + len(line_break)
            if chomp == "keep":
                end = position
        crlf = set(_BREAK.findall(self.text, first, end))
        chain = f"yaml-{style}:{len(pad)}:{chomp}" + (":crlf" if crlf == {"\r\n"} else "")
        return self._exact(event, (chain,), (first, end), (start, end), begin)

    def _exact(
        self, event: Any, chain: tuple[str, ...], inner: tuple[int, int], literal: tuple[int, int], begin: int
    ) -> Scalar:
        """The scalar, if its bytes do decode to what LibYAML read: what is not located exactly is never edited."""
        raw = self.text[inner[0] : inner[1]]
        if raw != event.value:
            try:
                exact = decode(chain, raw.encode()) == event.value.encode()
            except Undecodable:
                exact = False
            if not exact:
                raise Unreadable("a text is written in a form that cannot be located", event.start_mark.line + 1)
        return Scalar(
            event.value,
            Span(self.at(inner[0]), self.at(inner[1])),
            Span(self.at(literal[0]), self.at(literal[1])),
            _STYLES[event.style],
            chain,
            event.tag or "",
            event.anchor or "",
            self.at(begin),
        )


def _leading(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _plain(problem: str) -> str:
    """LibYAML's words for a problem, which quote at most one character of the file; kept to one short line."""
    return re.sub(r"[^ -~]", "?", problem)[:120]


def documents(data: bytes) -> tuple[Document, ...]:
    """The documents of a stream that are not empty. Raises `Unreadable` for broken YAML, too much depth, or a charset
    other than UTF-8."""
    return tuple(_Reader(data).documents())


_SIMPLE = re.compile(r"[A-Za-z0-9_/-]+\Z")


def segment(name: str) -> str:
    """One step of a pointer; names with other characters are quoted, so that a pointer reads back one way only."""
    return name if _SIMPLE.match(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def join(*names: str | int) -> str:
    """A pointer from its steps: `join("services", "db", 0)` is `services.db.0`."""
    return ".".join(str(name) if isinstance(name, int) else segment(name) for name in names)


def newline(data: bytes) -> bytes:
    """The file's own line break: that of its first line."""
    at = data.find(b"\n")
    return b"\r\n" if at > 0 and data[at - 1] == 13 else b"\n"


def line_indent(data: bytes, offset: int) -> int:
    """How many spaces the line of `offset` begins with."""
    start = data.rfind(b"\n", 0, offset) + 1
    if start == 0 and data.startswith(_BOM):
        start = len(_BOM)
    end = start
    while end < len(data) and data[end] == 0x20:
        end += 1
    return end - start
