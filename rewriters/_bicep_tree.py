"""The expressions of a Bicep statement as a tree with byte spans, read with tree-sitter.

Source: the grammar tree-sitter-bicep 1.1; Azure/bicep, docs/grammar.md. Each statement's value is read alone, so that
one that the grammar does not know spoils no other; a few marks that it does not know are covered by text of the same
length. Where a node is in error, `Bad` stands for it. A string counts only where `_bicep_tokens` sees the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from rewriters._bicep_odd import hopeless
from rewriters._bicep_tokens import MAX_DEPTH, Statement, Token

if TYPE_CHECKING:
    from tree_sitter import Node as Parsed
    from tree_sitter import Parser

__all__ = [
    "Array",
    "Bad",
    "Branches",
    "Call",
    "Name",
    "Node",
    "Object",
    "Other",
    "Pair",
    "Text",
    "expression",
    "parser",
    "value_at",
]


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A string: one token, or the pieces around its holes."""

    start: int
    end: int
    pieces: tuple[Token, ...] = field(repr=False)
    holes: tuple[Node, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A property: its name, where that stands, and its value."""

    name: str
    start: int
    end: int
    value: Node


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """Properties in braces. `resources` are declarations among them: symbol, type and value."""

    start: int
    end: int
    pairs: tuple[Pair, ...]
    resources: tuple[tuple[str, str, Node], ...] = ()
    spreads: bool = False

    def get(self, name: str) -> Node | None:
        """The value of a property; Bicep does not tell upper case from lower case here."""
        for pair in self.pairs:
            if pair.name.lower() == name.lower():
                return pair.value
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    start: int
    end: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call of a function, or of a method (`kv.getSecret`): the name as it is written."""

    start: int
    end: int
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Branches:
    """One of these is the value: branches of a choice, the body of a condition or of a loop. `others` decide which.

    `kind` is `choice`, `if` or `for`.
    """

    start: int
    end: int
    kind: str
    values: tuple[Node, ...]
    others: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Other:
    """Any other expression, and what is in it."""

    start: int
    end: int
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Bad:
    """What the grammar does not know."""

    start: int
    end: int


Node = Text | Object | Array | Call | Name | Branches | Other | Bad


@cache
def parser() -> Parser:
    import tree_sitter_bicep
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bicep.language()))


def value_at(statement: Statement) -> int:
    """The index of the token after the statement's `=`; the number of its tokens when it has none."""
    depth = 0
    for index, token in enumerate(statement.tokens):
        if token.kind == "left":
            depth += 1
        elif token.kind == "right":
            depth -= 1
        elif token.kind == "op":
            depth += (token.text in ("(", "[", "[?", "{")) - (token.text in (")", "]", "}"))
            if token.text == "=" and not depth and index > statement.keyword:
                return index + 1
    return len(statement.tokens)


def expression(data: bytes, statement: Statement) -> Node | None:
    """What stands behind the statement's `=`."""
    tokens = statement.tokens[value_at(statement) :]
    if not tokens:
        return None
    start, end = tokens[0].start, tokens[-1].end
    if hopeless(tokens):
        return Bad(start, end)
    head = b"resource x 'a' = " if statement.kind in ("resource", "module") else b"var x = "
    text = bytearray(head + data[start:end] + b"\n")
    _cover(text, tokens, len(head) - start)
    root = parser().parse(bytes(text)).root_node
    declared = [child for child in root.children if child.type not in ("comment", "diagnostic_comment")]
    if len(declared) != 1 or declared[0].type not in ("resource_declaration", "variable_declaration"):
        return Bad(start, end)
    parts = declared[0].children
    if any(part.type == "ERROR" or part.is_missing for part in parts):
        return Bad(start, end)
    return _Reader(start - len(head), tokens).node(parts[-1], 0)


def _cover(text: bytearray, tokens: tuple[Token, ...], shift: int) -> None:
    """What the grammar does not know as text of the same length that it does: a spread as a property or an item;
    `x!`, `x[?y]` and `x[^y]` without their marks."""
    opened: list[str] = []
    before = ("op", "")
    for token in tokens:
        cover = b""
        if token.kind == "left":
            opened.append("")
        elif token.kind == "right":
            opened.pop()
        elif token.text in ("(", "[", "[?", "{"):
            opened.append(token.text)
            cover = b"[ " if token.text == "[?" else b""
        elif token.text in (")", "]", "}"):
            opened.pop()
        elif token.text == "..." and opened:
            cover = b"_: " if opened[-1] == "{" else b"   "
        elif (token.text == "!" and (before[0] in ("id", "text", "right") or before[1] in (")", "]", "}"))) or (
            token.text == "^" and before[1] in ("[", "[?")
        ):
            cover = b" "
        if cover:
            text[token.start + shift : token.end + shift] = cover
        before = (token.kind, token.text)


class _Reader:
    def __init__(self, shift: int, tokens: tuple[Token, ...]) -> None:
        self.shift = shift
        self.strings = dict(_strings(tokens))
        self.spreads = {token.start for token in tokens if token.text == "..."}
        self.names = {token.start: token.text for token in tokens if token.kind in ("id", "op")}

    def node(self, parsed: Parsed, depth: int) -> Node:
        start, end = parsed.start_byte + self.shift, parsed.end_byte + self.shift
        children = [child for child in parsed.children if child.type not in ("comment", "diagnostic_comment")]
        if depth > MAX_DEPTH or any(child.type == "ERROR" or child.is_missing for child in parsed.children):
            return Bad(start, end)
        named = [child for child in children if child.is_named]
        make = getattr(self, f"_{parsed.type}", None)
        if make is not None:
            made: Node = make(start, end, children, depth + 1)
            return made
        if parsed.type in ("identifier", "compatible_identifier"):
            return Name(start, end, self.names.get(start, ""))
        return Other(start, end, tuple(self.node(child, depth + 1) for child in named))

    def _string(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        pieces = self.strings.get(start)
        if pieces is None or pieces[-1].end != end:
            return Bad(start, end)
        holes = [part for child in children if child.type == "interpolation" for part in child.children]
        return Text(start, end, pieces, tuple(self.node(part, depth) for part in holes if part.is_named))

    def _object(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        pairs: list[Pair] = []
        resources: list[tuple[str, str, Node]] = []
        spreads = False
        for child in children:
            if child.type != "object_property":
                continue
            parts = [part for part in child.children if part.type not in ("comment", "diagnostic_comment")]
            at = child.start_byte + self.shift
            if parts and parts[0].type in ("resource_declaration", "decorators"):
                resources += self.inner([part for part in parts if part.type == "resource_declaration"], depth)
            elif at in self.spreads:
                spreads = True
                pairs.append(Pair("...", at, at + 3, self.node(parts[-1], depth)))
            elif len(parts) == 3 and parts[1].type == ":" and not any(part.type == "ERROR" for part in parts):
                name = self.key(parts[0])
                span = parts[0].start_byte + self.shift, parts[0].end_byte + self.shift
                pairs.append(Pair(name, *span, self.node(parts[2], depth)))
            else:
                pairs.append(Pair("", at, at, Bad(at, child.end_byte + self.shift)))
        return Object(start, end, tuple(pairs), tuple(resources), spreads)

    def inner(self, declared: list[Any], depth: int) -> Iterator[tuple[str, str, Node]]:
        for child in declared:
            parts = [part for part in child.children if part.type not in ("comment", "diagnostic_comment")]
            broken = any(part.type == "ERROR" or part.is_missing for part in parts)
            strings = [part for part in parts if part.type == "string"]
            if broken or not strings or len(parts) < 4:
                yield "", "", Bad(child.start_byte + self.shift, child.end_byte + self.shift)
                continue
            kind = self.key(strings[0])
            existing = any(part.type == "existing" for part in parts)
            symbol = self.names.get(parts[1].start_byte + self.shift, "")
            yield symbol, f"{kind} existing" if existing else kind, self.node(parts[-1], depth)

    def key(self, parsed: Any) -> str:
        """A property's name as it is written, quotes taken off."""
        text: str = parsed.text.decode("utf-8", "replace")
        return text[1:-1] if text[:1] == "'" else text

    def _array(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        return Array(start, end, tuple(self.node(child, depth) for child in children if child.is_named))

    def _call_expression(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        arguments = children[-1]
        if arguments.type != "arguments" or any(part.type == "ERROR" or part.is_missing for part in arguments.children):
            return Bad(start, end)
        name = "".join(part.text.decode("utf-8", "replace") for part in children[:-1])
        parts = [part for part in arguments.children if part.is_named and not part.type.endswith("comment")]
        inner = () if name.isidentifier() else tuple(self.node(part, depth) for part in children[:-1])
        found = tuple(self.node(part, depth) for part in parts)
        if inner and not all(isinstance(part, Other | Name) for part in inner):
            return Other(start, end, (*inner, *found))
        return Call(start, end, "".join(name.split()), found)

    def _parenthesized_expression(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        named = [child for child in children if child.is_named]
        return Branches(start, end, "choice", tuple(self.node(child, depth) for child in named))

    def _ternary_expression(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        named = [self.node(child, depth) for child in children if child.is_named]
        return Branches(start, end, "choice", tuple(named[1:]), tuple(named[:1]))

    def _binary_expression(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        named = tuple(self.node(child, depth) for child in children if child.is_named)
        if any(child.type == "??" for child in children):
            return Branches(start, end, "choice", named)
        return Other(start, end, named)

    def _if_statement(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        named = [self.node(child, depth) for child in children if child.is_named]
        return Branches(start, end, "if", tuple(named[-1:]), tuple(named[:-1]))

    def _for_statement(self, start: int, end: int, children: list[Any], depth: int) -> Node:
        named = [self.node(child, depth) for child in children if child.is_named]
        return Branches(start, end, "for", tuple(named[-1:]), tuple(named[:-1]))


def _strings(tokens: tuple[Token, ...]) -> Iterator[tuple[int, tuple[Token, ...]]]:
    """The strings by where they start, in pieces."""
    open_: list[list[Token]] = []
    for token in tokens:
        if token.kind in ("text", "lines"):
            yield token.start, (token,)
        elif token.kind == "left":
            open_.append([token])
        elif token.kind in ("middle", "right") and open_:
            open_[-1].append(token)
            if token.kind == "right":
                pieces = open_.pop()
                yield pieces[0].start, tuple(pieces)
