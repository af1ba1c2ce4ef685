"""HCL as a tree of nodes that know their exact bytes, read with tree-sitter.

Sources: HCL native syntax specification (strings, heredocs, templates); HCL's parser, `flushHeredocTemplateParts` (how
much `<<-` takes off each line) and its use of NFC for every string.

Texts are read out of the file's bytes between the marks that the grammar finds. What stands inside of `${…}` belongs to
the text around it. A block that the grammar cannot read is kept, and its texts say that they are not to be touched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rewriters._api import Span, Unreadable
from rewriters._encode import Undecodable, decode

__all__ = [
    "MAX_DEPTH",
    "Attribute",
    "Block",
    "Body",
    "Group",
    "Node",
    "Text",
    "apart",
    "indent_of",
    "newline",
    "opens",
    "read",
    "texts",
]

MAX_DEPTH = 100
MAX_HEREDOC_NAME = 64

_BOM = b"\xef\xbb\xbf"
_OPENS = re.compile(rb"(?<!\$)\$\{|(?<!%)%\{")
_LONG_NAME = re.compile(rb"<<-?[\w-]{%d}" % (MAX_HEREDOC_NAME + 1))
_HEREDOC = re.compile(rb"<<(?P<flush>-?)[ \t]*(?P<name>[^\s]+)[ \t]*\r?\n")
_BROKEN = "the text around it is not HCL as it is known here"


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string or a heredoc. `literal` holds the quotes or marks too; `odd` says why it is not to be moved.

    `template` says that it holds `${…}` or `%{…}`; these stand in its `text` as they are written.
    """

    text: bytes
    span: Span
    literal: Span
    encoding: tuple[str, ...]
    template: bool = False
    odd: str = ""

    @property
    def heredoc(self) -> bool:
        return self.encoding[0] not in ("hcl-string", "hcl-template")

    def name(self) -> str:
        return self.text.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Group:
    """Any other expression, with those in it: `items` has the key of an object's value, the name for a call's
    arguments, and nothing for the rest."""

    kind: Literal["list", "object", "call", "other"]
    literal: Span
    items: tuple[tuple[str, Node], ...] = ()


Node = Text | Group


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    span: Span
    key: Span
    value: Node


@dataclass(frozen=True, slots=True)
class Body:
    attributes: tuple[Attribute, ...]
    blocks: tuple[Block, ...]

    def get(self, name: str) -> Attribute | None:
        return next((item for item in self.attributes if item.name == name), None)

    def text(self, name: str) -> str:
        """The text of an attribute that is one, without templates; else empty."""
        found = self.get(name)
        plain = found is not None and isinstance(found.value, Text) and not found.value.template
        return found.value.name() if found is not None and isinstance(found.value, Text) and plain else ""

    def of(self, kind: str) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.kind == kind)


@dataclass(frozen=True, slots=True)
class Block:
    """`inner` is what stands between the braces."""

    kind: str
    labels: tuple[str, ...]
    span: Span
    inner: Span
    body: Body


def newline(data: bytes) -> str:
    """The file's own line break: that of its first line."""
    at = data.find(b"\n")
    return "\r\n" if at > 0 and data[at - 1] == 13 else "\n"


def indent_of(data: bytes, at: int) -> str:
    """The blanks that the line of this offset begins with."""
    start = data.rfind(b"\n", 0, at) + 1
    end = start
    while end < at and data[end : end + 1] in (b" ", b"\t"):
        end += 1
    return data[start:end].decode()


def opens(raw: bytes, start: int = 0, end: int | None = None) -> bool:
    """Whether a text holds `${…}` or `%{…}`; of several marks before a brace, two are one of them as a text."""
    return _OPENS.search(raw, start, len(raw) if end is None else end) is not None


def apart(raw: bytes, found: Span) -> bool:
    """Whether a part of a template neither lies in `${…}` nor touches a mark."""
    if re.search(rb"[$%]\{", raw[max(found.start - 1, 0) : found.end + 1]):
        return False
    opened = max((match.start() for match in _OPENS.finditer(raw, 0, found.start)), default=-1)
    return opened < 0 or raw.find(b"}", opened, found.start) >= 0


def read(data: bytes) -> Body:
    """The file's body. Raises `Unreadable` for what is not HCL outside of any block, too deep, or not UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("the file is not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None
    if b"\0" in data or _LONG_NAME.search(data):
        raise Unreadable("the file is not HCL")
    from tree_sitter import Language, Parser
    from tree_sitter_hcl import language

    # Three blanks keep every offset, and the grammar knows no byte order mark.
    source = b"   " + data[3:] if data.startswith(_BOM) else data
    root = Parser(Language(language())).parse(source).root_node
    return _Reader(data).file(root)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def file(self, root: Any) -> Body:
        body: Body | None = None
        for child in root.children:
            if child.type == "body":
                body = self.body(child, 0, root.has_error and _torn(child))
            elif child.type != "comment":
                raise self.broken(child)
        if root.type != "config_file":
            raise self.broken(root)
        return body or Body((), ())

    def broken(self, node: Any) -> Unreadable:
        return Unreadable("broken HCL", node.start_point[0] + 1)

    def body(self, node: Any, depth: int, bad: bool) -> Body:
        attributes: list[Attribute] = []
        blocks: list[Block] = []
        for child in node.children:
            if child.type == "attribute":
                if child.has_error and not depth:
                    raise self.broken(child)
                attributes.append(self.attribute(child, depth, bad or child.has_error))
            elif child.type == "block":
                blocks.append(self.block(child, depth + 1, bad or child.has_error))
            elif child.type != "comment" and not depth:
                raise self.broken(child)
        return Body(tuple(attributes), tuple(blocks))

    def attribute(self, node: Any, depth: int, bad: bool) -> Attribute:
        key, *_, value = (child for child in node.children if child.type not in ("comment", "ERROR"))
        span = Span(node.start_byte, node.end_byte)
        return Attribute(_name(key), span, Span(key.start_byte, key.end_byte), self.node(value, depth + 1, bad))

    def block(self, node: Any, depth: int, bad: bool) -> Block:
        if depth > MAX_DEPTH:
            raise Unreadable("nested too deep", node.start_point[0] + 1)
        labels: list[str] = []
        body = Body((), ())
        start = end = node.end_byte
        for child in node.children[1:]:
            if child.type == "identifier":
                labels.append(_name(child))
            elif child.type == "string_lit":
                labels.append(self.text(child, False).name())
            elif child.type == "block_start":
                start = child.end_byte
            elif child.start_byte == child.end_byte:
                raise self.broken(node)
            elif child.type == "block_end":
                end = child.start_byte
            elif child.type == "body":
                body = self.body(child, depth, bad)
        span = Span(node.start_byte, node.end_byte)
        return Block(_name(node.children[0]), tuple(labels), span, Span(start, end), body)

    def node(self, node: Any, depth: int, bad: bool) -> Node:
        """An expression. Wrappers with one child are that child."""
        while node.type in _WRAPPERS and node.named_child_count == 1 and node.child_count == 1:
            node = node.named_children[0]
            depth += 1
        if depth > MAX_DEPTH * 2:
            raise Unreadable("nested too deep", node.start_point[0] + 1)
        if node.type in ("string_lit", "quoted_template"):
            return self.text(node, bad)
        if node.type == "heredoc_template":
            return self.heredoc(node, bad)
        items: list[tuple[str, Node]] = []
        kind: Literal["list", "object", "call", "other"] = "other"
        name = ""
        for child in node.named_children:
            if child.type == "object_elem":
                kind = "object"
                parts = [part for part in child.named_children if part.type != "comment"]
                if len(parts) == 2:
                    items.append((self.key(parts[0]), self.node(parts[1], depth + 1, bad)))
            elif child.type == "identifier" and node.type == "function_call":
                kind, name = "call", _name(child)
            elif child.type == "function_arguments":
                items += ((name, self.node(item, depth + 1, bad)) for item in child.named_children if _is_value(item))
            elif _is_value(child):
                items.append(("", self.node(child, depth + 1, bad)))
        if node.type == "tuple":
            kind = "list"
        elif node.type == "object":
            kind = "object"
        return Group(kind, Span(node.start_byte, node.end_byte), tuple(items))

    def key(self, node: Any) -> str:
        raw = self.data[node.start_byte : node.end_byte]
        if raw[:1] == b'"' and raw[-1:] == b'"' and len(raw) > 1:
            return _decoded(("hcl-string",), raw[1:-1]).decode("utf-8", "replace")
        return raw.decode("utf-8", "replace")

    def text(self, node: Any, bad: bool) -> Text:
        span = Span(node.start_byte + 1, max(node.end_byte - 1, node.start_byte + 1))
        raw = self.data[span.start : span.end]
        odd = _BROKEN if bad or b"\n" in raw or self.data[span.end : span.end + 1] != b'"' else ""
        return self.made(raw, span, Span(node.start_byte, span.end + 1), ("hcl-string",), odd, ("hcl-template",))

    def heredoc(self, node: Any, bad: bool) -> Text:
        literal = Span(node.start_byte, node.end_byte)
        match = _HEREDOC.match(self.data, literal.start)
        # The line of the closing mark is not part of the text.
        end = self.data.rfind(b"\n", literal.start, literal.end) + 1
        if match is None or end < match.end():
            return Text(b"", Span(literal.end, literal.end), literal, ("raw",), odd=_BROKEN)
        span = Span(match.end(), end)
        raw = self.data[span.start : span.end]
        encoding, odd = _flush(raw) if match["flush"] else (("hcl-text",), "")
        return self.made(raw, span, literal, encoding, _BROKEN if bad else odd, ("raw",))

    def made(
        self, raw: bytes, span: Span, literal: Span, plain: tuple[str, ...], odd: str, template: tuple[str, ...]
    ) -> Text:
        """The text, read as a template when it is one."""
        is_template = opens(raw)
        chain = template if is_template else plain
        value = _decoded(chain, raw)
        if not odd and not raw.isascii() and not _normal(value):
            odd = "it holds characters that HCL writes in another way (Unicode form C)"
        return Text(value, span, literal, chain, is_template, odd)


_WRAPPERS = frozenset(("expression", "literal_value", "template_expr", "collection_value", "for_expr"))


def _is_value(node: Any) -> bool:
    """Whether a node is, or holds, values: keys of an index and names are none."""
    return node.type not in (
        "identifier", "comment", "variable_expr", "get_attr", "index", "numeric_lit", "bool_lit", "null_lit", "splat",
        "tuple_start", "tuple_end", "object_start", "object_end", "for_intro", "ellipsis",
    )  # fmt: skip


def _torn(body: Any) -> bool:
    """Whether something outside of any block is broken; what is inside of one concerns that block alone."""
    return any(child.type == "ERROR" or child.is_missing for child in body.children)


def _name(node: Any) -> str:
    return bytes(node.text or b"").decode("utf-8", "replace")


def _decoded(chain: tuple[str, ...], raw: bytes) -> bytes:
    try:
        return decode(chain, raw)
    except Undecodable:
        raise Unreadable("an escape in a string names no character") from None


def _normal(value: bytes) -> bool:
    try:
        return unicodedata.is_normalized("NFC", value.decode())
    except UnicodeDecodeError:
        return False


def _flush(raw: bytes) -> tuple[tuple[str, ...], str]:
    """The encoding of a `<<-` heredoc: by how much its lines are indented."""
    blanks = [line[: len(line) - len(line.lstrip())] for line in raw.split(b"\n")[:-1] if line.strip()]
    depth = min(map(len, blanks), default=0)
    taken = {blank[:depth] for blank in blanks}
    if not depth:
        return ("hcl-text",), ""
    if taken == {b" " * depth}:
        return (f"hcl-heredoc:{depth}",), ""
    if taken == {b"\t" * depth}:
        return (f"hcl-heredoc:{depth}t",), ""
    return ("hcl-text",), "its lines are indented by blanks of several kinds"


def texts(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Text]]:
    """The texts in an expression with the keys and numbers that lead to them. Values of the same object key are told
    apart by who calls."""
    if isinstance(node, Text):
        yield path, node
        return
    for index, (key, item) in enumerate(node.items):
        step = key if node.kind == "object" else _of_pair(item) or str(index)
        if node.kind == "other" and len(node.items) == 1:
            yield from texts(item, path)
        elif node.kind == "call":
            yield from texts(item, (*path, key) if len(node.items) == 1 else (*path, key, str(index)))
        else:
            yield from texts(item, (*path, step))


def _of_pair(node: Node) -> str:
    """What an object with a `name` in a list is called."""
    if not isinstance(node, Group) or node.kind != "object":
        return ""
    for key, item in node.items:
        if key == "name" and isinstance(item, Text) and not item.template:
            return item.name()
    return ""
