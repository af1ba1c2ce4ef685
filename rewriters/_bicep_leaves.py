"""A Bicep file as statements of tokens, read with tree-sitter as a whole: the proof's reader.

What rewriting knows of a file comes from `_bicep_tokens`, and a mistake there would be made before and after alike.
Here the grammar says where declarations, strings and their holes begin and end; escapes have a reader of their own. A
declaration in which the grammar finds an error is read by `_bicep_tokens` after all. Where the two see different
declarations without an error, nothing is said about the file.
Source: the grammar tree-sitter-bicep 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from rewriters._api import Unreadable
from rewriters._bicep_odd import hopeless
from rewriters._bicep_tokens import Statement, Token, literal_text, statements, tokens
from rewriters._bicep_tree import parser

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Read", "even", "read"]

MOST = 1 << 19
"""Bytes of a file that are read with tree-sitter; of a larger one there is one reader only."""
MOST_ODD = 50
_KEYWORDS = frozenset(
    (
        *("param", "var", "output", "resource", "module", "type", "func", "import", "metadata", "using", "extends"),
        *("targetScope", "extension", "provider", "assert"),
    )
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_WORD = re.compile(rb"[A-Za-z_]\w*\Z")
_COMMENTS = ("comment", "diagnostic_comment")


class Read(NamedTuple):
    """The declarations of a file, and the texts of their strings by where these start."""

    data: bytes
    statements: tuple[Statement, ...]
    texts: Mapping[int, str]

    def text(self, token: Token) -> str:
        """The text of a string, or of a piece of one. Raises `Unreadable`."""
        found = self.texts.get(token.start)
        return literal_text(self.data, token) if found is None else found


def read(data: bytes) -> Read:
    """Raises `Unreadable`, also where the two readers do not agree."""
    all_ = tokens(data)
    own = statements(all_)
    odd = sum(statement.kind not in _KEYWORDS for statement in own)
    if len(data) > MOST or odd > MOST_ODD or hopeless(all_):
        return Read(data, tuple(map(even, own)), {})
    root = parser().parse(data).root_node
    texts: dict[int, str] = {}
    by_start = {statement.tokens[0].start: statement for statement in _declared(root, data, texts)}
    found: list[Statement] = []
    for statement in own:
        other = by_start.get(statement.tokens[0].start)
        same = other is not None and (other.span, other.kind, other.name) == (
            statement.span,
            statement.kind,
            statement.name,
        )
        if other is not None and same:
            found.append(even(other))
        elif root.has_error:
            found.append(even(statement))
        else:
            line = data.count(b"\n", 0, statement.span.start) + 1
            raise Unreadable("two readers of Bicep do not agree where a declaration ends", line)
    return Read(data, tuple(found), texts)


def even(statement: Statement) -> Statement:
    """The same from either reader: line breaks around a comment are one, `[?` is one mark."""
    found: list[Token] = []
    keyword = statement.tokens[statement.keyword]
    for token in statement.tokens:
        before = found[-1] if found else None
        if token.kind == "line" and before is not None and before.kind == "line":
            continue
        if token.text == "?" and before is not None and before.text == "[" and before.end == token.start:
            found[-1] = Token("op", before.start, token.end, "[?")
        else:
            found.append(token)
    return Statement(
        statement.kind,
        statement.name,
        tuple(found),
        next(at for at, token in enumerate(found) if token.start == keyword.start),
    )


def _declared(root: Node, data: bytes, texts: dict[int, str]) -> Iterator[Statement]:
    """The declarations without errors, each with the decorators before it."""
    head: list[Node] = []
    for child in root.children:
        if child.type in _COMMENTS:
            continue
        if child.type == "decorators":
            head = [child]
            continue
        whole, head = [*head, child], []
        if any(node.has_error or node.type == "ERROR" for node in whole):
            continue
        leaves: list[Token] = []
        keyword = 0
        for node in whole:
            keyword = len(leaves)
            leaves += _tokens(node, data, texts, leaves[-1].end if leaves else node.start_byte)
            if leaves and keyword < len(leaves) and leaves[keyword].kind == "line":
                keyword += 1
        if keyword < len(leaves):
            names = [token.text for token in leaves[keyword + 1 : keyword + 2] if token.kind == "id"]
            yield Statement(leaves[keyword].text, names[0] if names else "", tuple(leaves), keyword)


def _tokens(top: Node, data: bytes, texts: dict[int, str], end: int) -> Iterator[Token]:
    """The leaves of a declaration, line breaks between them, and strings in pieces around their holes."""
    todo: list[Node] = [top]
    while todo:
        node = todo.pop()
        if node.type == "string" and node.child_count:
            pieces = _pieces(node, data, texts)
        elif node.child_count and node.type not in _COMMENTS:
            todo += reversed(node.children)
            continue
        else:
            pieces = [node]
        for piece in pieces:
            start = piece.start if isinstance(piece, Token) else piece.start_byte
            if b"\n" in data[end:start] or b"\r" in data[end:start]:
                yield Token("line", end, start, "")
            if isinstance(piece, Token):
                yield piece
                end = piece.end
            elif piece.type in _COMMENTS:
                end = piece.end_byte
            else:
                yield from _inner(piece, data, texts, end)
                end = piece.end_byte


def _inner(piece: Node, data: bytes, texts: dict[int, str], end: int) -> Iterator[Token]:
    if piece.child_count:
        yield from _tokens(piece, data, texts, end)
        return
    raw = data[piece.start_byte : piece.end_byte]
    kind = "id" if _WORD.match(raw) else "number" if raw.isdigit() else "op"
    if raw[:1] == b"-" and raw[1:].isdigit():
        yield Token("op", piece.start_byte, piece.start_byte + 1, "-")
        yield Token("number", piece.start_byte + 1, piece.end_byte, "")
    elif raw:
        yield Token(kind, piece.start_byte, piece.end_byte, raw.decode() if kind != "number" else "")


def _pieces(node: Node, data: bytes, texts: dict[int, str]) -> list[Token | Node]:
    """A string's token, or the tokens around its holes with the nodes in these."""
    found: list[Token | Node] = []
    start = node.start_byte
    marks = len(data[start : node.end_byte]) - len(data[start : node.end_byte].lstrip(b"$"))
    lines = data.startswith(b"'''", start + marks)
    begin, kind = start + marks + (3 if lines else 1), "text"
    for child in node.children:
        if child.type == "interpolation":
            inner = child.children
            # Blanks of the text before a hole, and of a hole before its end, are in the tokens of the grammar.
            opens, closes = inner[0].end_byte, inner[-1].end_byte - 1
            found.append(Token("left" if kind == "text" else "middle", start, opens, ""))
            texts[start] = _meaning(data[begin : opens - 1 - max(marks, 1)], lines)
            found += inner[1:-1]
            start, begin, kind = closes, closes + 1, "right"
    found.append(Token("lines" if lines and kind == "text" else kind, start, node.end_byte, ""))
    texts[start] = _meaning(data[begin : node.end_byte - (3 if lines else 1)], lines)
    if lines and kind == "text":
        first = 2 if texts[start].startswith("\r\n") else 1 if texts[start][:1] in ("\n", "\r") else 0
        texts[start] = texts[start][first:]
    return found


def _meaning(raw: bytes, lines: bool) -> str:
    """A text with its escapes, of which there are none over several lines. Raises `Unreadable`."""
    text = raw.decode()
    if lines or "\\" not in text:
        return text
    found: list[str] = []
    at = 0
    while at < len(text):
        stop = text.find("\\", at)
        if stop < 0:
            break
        found.append(text[at:stop])
        sign = text[stop + 1 : stop + 2]
        if sign == "u" and text[stop + 2 : stop + 3] == "{":
            end = text.find("}", stop)
            digits = text[stop + 3 : end] if end >= 0 else ""
            found.append(_character(digits))
            at = end + 1
        elif sign and sign in "nrt\\'$":
            found.append(_ESCAPES.get(sign, sign))
            at = stop + 2
        else:
            raise Unreadable("there is an escape that Bicep does not know")
    return "".join((*found, text[at:]))


def _character(digits: str) -> str:
    if not 0 < len(digits) < 30 or digits.strip("0123456789abcdefABCDEF"):
        raise Unreadable("there is an escape that Bicep does not know")
    code = int(digits, 16)
    if code > 0x10FFFF:
        raise Unreadable("an escape names no character")
    return chr(code)
