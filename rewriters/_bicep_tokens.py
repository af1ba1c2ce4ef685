"""A Bicep file as tokens with byte offsets, and as the statements that they make up.

Source: Azure/bicep, src/Bicep.Core/Parsing/Lexer.cs (strings, their escapes and holes; multi-line strings end at the
last three of three or more quotes, and lose one line break at their beginning). This reader knows no expressions: the
rewriting reads those with tree-sitter. The proof reads files with `_bicep_leaves`, which takes these statements where
the grammar fails, and only there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rewriters._api import Span, Unreadable

__all__ = ["MAX_DEPTH", "Statement", "Token", "literal_text", "statements", "string_value", "tokens"]

MAX_DEPTH = 100
MAX_TOKENS = 2_000_000
_BOM = b"\xef\xbb\xbf"


class Token(NamedTuple):
    """`kind` is `id`, `number`, `op`, `line` (one or more line breaks), or for strings: `text` a string without holes,
    `lines` the same over several lines, and `left`, `middle`, `right` the pieces around holes."""

    kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One declaration: its keyword, the first name after it, and all of its tokens from the first decorator on."""

    kind: str
    name: str
    tokens: tuple[Token, ...] = field(repr=False)
    keyword: int
    """The index of the keyword's token; decorators stand before it."""

    @property
    def span(self) -> Span:
        return Span(self.tokens[0].start, self.tokens[-1].end)

    @property
    def decorators(self) -> tuple[str, ...]:
        """The names of the decorators, without a namespace."""
        found: list[str] = []
        depth = 0
        head = self.tokens[: self.keyword]
        for at, token in enumerate(head):
            depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "op" else 0
            if token.kind == "op" and token.text == "@" and not depth:
                names = [part.text for part in head[at + 1 : at + 4] if part.kind == "id" or part.text == "."]
                found.append(names[2] if len(names) == 3 and names[1] == "." else names[0] if names else "")
        return tuple(found)


_TOKEN = re.compile(
    rb"(?P<blank>[ \t]+|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/|#(?:disable|restore)[^\r\n]*)"
    rb"|(?P<line>[\r\n]+)"
    rb"|(?P<id>[A-Za-z_][A-Za-z0-9_]*)"
    rb"|(?P<number>[0-9]+)"
    rb"|(?P<lines>\$*''')"
    rb"|(?P<quote>')"
    rb"|(?P<op>\.\.\.|=>|==|=~|!=|!~|<=|>=|&&|\|\||\?\?|::|\.\?|\[\?|[!#-&(-~])",
)
_SEGMENT = re.compile(rb"(?:[^'\\$\r\n]|\\[^\r\n]|\$(?!\{))*+('|\$\{)")


def tokens(data: bytes) -> list[Token]:
    """All tokens but blanks and comments. Raises `Unreadable`."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("it is no UTF-8 text") from None
    return list(_scan(data, len(_BOM) if data.startswith(_BOM) else 0))


def _scan(data: bytes, at: int) -> Iterator[Token]:
    # What `{` or a hole opened, innermost last: 0 a brace, 1 a hole of a string, 1 + N one of a `$…'''` with N marks.
    open_: list[int] = []
    count = 0
    while at < len(data):
        match = _TOKEN.match(data, at)
        if match is None:
            raise Unreadable("there is a character that Bicep does not know", _line(data, at))
        kind, start, at = str(match.lastgroup), at, match.end()
        if kind == "blank":
            continue
        count += 1
        if count > MAX_TOKENS:
            raise Unreadable(f"more than {MAX_TOKENS} tokens")
        if kind == "quote":
            at, hole = _segment(data, at)
            open_ += [1] * hole
            kind = "left" if hole else "text"
        elif kind == "lines":
            marks = at - start - 3
            at, hole = _multi(data, at, marks)
            open_ += [1 + marks] * hole
            kind = "left" if hole else "lines"
        elif kind == "op" and match[0] == b"{":
            open_.append(0)
        elif kind == "op" and match[0] == b"}" and open_:
            mode = open_.pop()
            if mode:
                at, hole = _segment(data, at) if mode == 1 else _multi(data, at, mode - 1)
                open_ += [mode] * hole
                kind = "middle" if hole else "right"
        if len(open_) > MAX_DEPTH:
            raise Unreadable(f"braces lie within each other more than {MAX_DEPTH} deep", _line(data, start))
        yield Token(kind, start, at, data[start:at].decode() if kind in ("id", "op") else "")


def _segment(data: bytes, at: int) -> tuple[int, bool]:
    """Where a piece of a string ends, and whether a hole follows it."""
    match = _SEGMENT.match(data, at)
    if match is None:
        raise Unreadable("a string does not end on its line", _line(data, at))
    return match.end(), match[1] != b"'"


def _multi(data: bytes, at: int, marks: int) -> tuple[int, bool]:
    pattern = rb"'{3,}|" + rb"\$" * marks + rb"(\{)" if marks else rb"'{3,}|(?!)(x)"
    match = re.compile(pattern).search(data, at)
    if match is None:
        raise Unreadable("a string of several lines does not end", _line(data, at))
    return match.end(), match[1] == b"{"


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1


def statements(found: list[Token]) -> tuple[Statement, ...]:
    """The declarations: each begins on a line of its own, outside of all brackets, with a decorator or a name."""
    result: list[Statement] = []
    current: list[Token] = []
    keyword = -1
    stack: list[str] = []
    fresh = True
    closing = {")": "([?", "]": "([?", "}": "{"}

    def finish() -> None:
        while current and current[-1].kind == "line":
            current.pop()
        if current:
            index = keyword if keyword >= 0 else 0
            names = [token for token in current[index + 1 : index + 2] if token.kind == "id"]
            kind = current[index].text if keyword >= 0 else ""
            result.append(Statement(kind, names[0].text if names else "", tuple(current), max(index, 0)))

    for token in found:
        if token.kind == "line":
            fresh = fresh or not stack
            if current:
                current.append(token)
            continue
        if fresh and not stack:
            decorator = token.kind == "op" and token.text == "@"
            if (decorator and (keyword >= 0 or not current)) or (token.kind == "id" and (keyword >= 0 or not current)):
                finish()
                current, keyword = [], -1
            if token.kind == "id" and keyword < 0:
                keyword = len(current)
        fresh = False
        current.append(token)
        if token.kind == "left":
            stack.append("${")
        elif token.kind == "right":
            if not stack or stack.pop() != "${":
                raise Unreadable("brackets and strings do not fit together")
        elif token.kind == "op" and token.text in ("(", "[", "[?", "{"):
            stack.append(token.text)
        elif token.kind == "op" and token.text in closing and (not stack or stack.pop() not in closing[token.text]):
            raise Unreadable("brackets do not fit together")
        if len(stack) > MAX_DEPTH:
            raise Unreadable(f"brackets lie within each other more than {MAX_DEPTH} deep")
    if stack:
        raise Unreadable("a bracket is not closed")
    finish()
    return tuple(result)


_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]+)\}|(.))", re.DOTALL)
_MEANS = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "$": "$"}


def literal_text(data: bytes, token: Token) -> str:
    """The text of a string without holes, or of one piece of a string with holes. Raises `Unreadable`."""
    raw = data[token.start : token.end].decode()
    if token.kind == "lines":
        return re.sub(r"\A\r?\n?", "", raw[raw.index("'") + 3 : -3])
    if token.kind in ("left", "middle"):
        raw = raw[: raw.rindex("{")].rstrip("$") if raw.startswith("$") else raw[:-2]
    elif token.kind in ("text", "right"):
        raw = raw[:-1]
    return string_value(raw[1:])


def string_value(raw: str) -> str:
    """The value of the text between quotes. Raises `Unreadable`."""

    def meaning(match: re.Match[str]) -> str:
        if match[1]:
            code = int(match[1], 16) if len(match[1]) < 32 else 0x110000
            if code > 0x10FFFF:
                raise Unreadable("an escape names no character")
            return chr(code)
        if match[2] not in _MEANS:
            raise Unreadable("there is an escape that Bicep does not know")
        return _MEANS[match[2]]

    return _ESCAPE.sub(meaning, raw)
