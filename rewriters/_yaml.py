"""YAML as a tree of nodes that know their exact bytes.

Reads LibYAML's events (YAML 1.1, its C parser), so scalars are text as written and never converted (`yes`, `0777`,
`1:30`), aliases are never expanded, and nothing recurses: a hostile file costs no more than its size. Marks count
characters; they are turned into byte offsets here, byte order mark included. Nodes are made by the ten thousand, so
their classes are not frozen, which would cost as much again as the parser; nobody changes them all the same.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
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


@dataclass(slots=True, eq=False)
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


@dataclass(slots=True, eq=False)
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
        found: Node | None = None
        merges = False
        for name, value in self.pairs:
            if isinstance(name, Scalar):
                if name.text == key:
                    found = value
                merges |= name.text == "<<"
        if merges:
            return self.entries().get(key, (None, None))[1]
        return found.target if isinstance(found, Alias) else found

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


@dataclass(slots=True, eq=False)
class Seq:
    """A sequence. `flow` says that it is written with brackets. `items` may hold aliases."""

    items: tuple[Node, ...] = field(repr=False)
    start: int
    end: int
    flow: bool
    tag: str = ""
    anchor: str = ""


@dataclass(slots=True, eq=False)
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


_PLAIN = ("yaml-plain",)
_WIDE = re.compile("[^\x00-\x7f]")
_STYLES = {None: "plain", "'": "single", '"': "double", "|": "literal", ">": "folded", "": "plain"}
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_VALUE_BREAK = re.compile("[\n\u2028\u2029]")
_LINE = re.compile("([^\r\n\x85\u2028\u2029]*)(\r\n|[\r\n\x85\u2028\u2029]|\\Z)")
_HEADER = re.compile("[|>]([0-9+-]*)[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?:\r\n|[\r\n\x85\u2028\u2029]|\\Z)")
_PROPERTY = re.compile("[&!][^\\s]*[ \t]*(?:(?:#[^\r\n\x85\u2028\u2029]*)?(?:\r\n|[\r\n\x85\u2028\u2029])[ \t]*)*")


class _Offsets:
    """Character index to byte offset, in a text that is not all ASCII: what the characters before it take beyond one
    byte each."""

    def __init__(self, text: str, shift: int) -> None:
        self._places = array("L")
        self._beyond = array("L", (shift,))
        for match in _WIDE.finditer(text):
            char = match.group()
            self._places.append(match.start())
            self._beyond.append(self._beyond[-1] + (1 if char < "\u0800" else 2 if char < "\U00010000" else 3))

    def __getitem__(self, index: int) -> int:
        return index + self._beyond[bisect_left(self._places, index)]


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
        shift = len(_BOM) if bom else 0
        ascii_only = self.text.isascii()
        self.at = range(shift, shift + len(self.text) + 1) if ascii_only else _Offsets(self.text, shift)

    def documents(self) -> Iterator[Document]:
        try:
            yield from self._documents()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "it is not valid YAML"
            raise Unreadable(f"broken YAML: {_plain(str(problem))}", mark.line + 1 if mark else 0) from None

    def _documents(self) -> Iterator[Document]:
        parser = yaml.CSafeLoader(self.text)
        at, text, next_event = self.at, self.text, parser.get_event
        scalar_event, mapping_start, mapping_end = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.MappingEndEvent
        try:
            start = 0
            anchors: dict[str, Scalar | Map | Seq] = {}
            stack: list[tuple[Any, list[Node]]] = []
            roots: list[Node] = []
            siblings = roots
            while True:
                event: Any = next_event()  # the stubs leave marks and attributes open
                kind = type(event)
                node: Node
                if kind is scalar_event:
                    value, begin, end = event.value, event.start_mark.index, event.end_mark.index
                    # Nearly all scalars are like this, and it is nearly all of the time. What has quotes, a tag, an
                    # anchor or a header is longer than its value.
                    if value and text[begin:end] == value:
                        first = at[begin]
                        span = Span(first, at[end])
                        siblings.append(Scalar(value, span, span, "plain", _PLAIN, "", "", first))
                        continue
                    node = self._scalar(event)
                elif kind is mapping_start or kind is yaml.SequenceStartEvent:
                    if len(stack) >= MAX_DEPTH:
                        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels", event.start_mark.line + 1)
                    stack.append((event, siblings))
                    siblings = []
                    continue
                elif kind is mapping_end or kind is yaml.SequenceEndEvent:
                    children = siblings
                    opening, siblings = stack.pop()
                    node = self._collection(opening, children, event)
                elif kind is yaml.AliasEvent:
                    target = anchors.get(event.anchor)
                    if target is None:
                        raise Unreadable("an alias names no anchor", event.start_mark.line + 1)
                    siblings.append(Alias(event.anchor, at[event.start_mark.index], at[event.end_mark.index], target))
                    continue
                elif kind is yaml.DocumentStartEvent:
                    start, anchors = event.start_mark.index, {}
                    continue
                elif kind is yaml.DocumentEndEvent:
                    if roots:
                        root = roots.pop()
                        yield Document(root, at[start], max(at[event.start_mark.index], root.end))
                    continue
                elif event is None or kind is yaml.StreamEndEvent:
                    return
                else:
                    continue
                if node.anchor:
                    anchors[node.anchor] = node
                siblings.append(node)
        finally:
            parser.dispose()

    def _collection(self, opening: Any, children: list[Node], closing: Any) -> Map | Seq:
        flow = bool(opening.flow_style)
        start = self.at[opening.start_mark.index]
        stop = self.at[closing.end_mark.index] if flow or not children else children[-1].end
        tag, anchor = opening.tag or "", opening.anchor or ""
        if type(opening) is yaml.MappingStartEvent:
            each = iter(children)
            return Map(tuple(zip(each, each, strict=True)), start, stop, flow, tag, anchor)
        return Seq(tuple(children), start, stop, flow, tag, anchor)

    def _scalar(self, event: Any) -> Scalar:
        begin, end, value = event.start_mark.index, event.end_mark.index, event.value
        style, anchor, tag = _STYLES[event.style], event.anchor or "", event.tag or ""
        if style in ("literal", "folded"):
            return self._block(event, begin, self._after_properties(event, begin, end), style)
        start = self._after_properties(event, begin, end)
        inner = (start, end) if style == "plain" else (start + 1, end - 1)
        if style == "plain" and not value:
            inner = (start, start) if anchor or tag else (end, end)
            start, end = inner
        return self._exact(event, (f"yaml-{style}",), inner, (start, end), begin)

    def _after_properties(self, event: Any, start: int, end: int) -> int:
        """Where the text of a scalar begins, behind its tag and its anchor."""
        if event.anchor or event.tag:
            while self.text[start : start + 1] in ("&", "!") and start < end:
                match = _PROPERTY.match(self.text, start, end)
                if match is None or match.end() == start:
                    break
                start = match.end()
        return min(start, end)

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
        at = self.at
        return Scalar(
            event.value,
            Span(at[inner[0]], at[inner[1]]),
            Span(at[literal[0]], at[literal[1]]),
            _STYLES[event.style],
            chain,
            event.tag or "",
            event.anchor or "",
            at[begin],
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


@lru_cache(maxsize=4096)
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
