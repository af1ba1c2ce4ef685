"""A Dockerfile as instructions whose every byte knows where it stands.

Follows BuildKit's line rules: parser directives, the escape character, continuations with comments and empty lines in
between, flags, the JSON form, heredocs, several pairs in one instruction and the old `ENV NAME value`.

Source: moby/buildkit, frontend/dockerfile/parser (parser.go, line_parsers.go, split_command.go) and shell/lex.go.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Span, Unreadable

__all__ = ["Dockerfile", "Heredoc", "Instruction", "Pair", "Text", "json_items", "pairs", "read", "words"]

MAX_INSTRUCTIONS = 5_000
_BOM = b"\xef\xbb\xbf"
_SPACE = rb"(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)"
_LEADING = re.compile(_SPACE + rb"*")
_TRAILING = re.compile(_SPACE + rb"*\Z")
_BLANKS = re.compile(rb"[\t\v\f\r ]+")
_DIRECTIVE = re.compile(rb"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)\Z", re.DOTALL)
_HEREDOC = re.compile(rb"(\d*)<<(-?)\s*([^<]+)\Z")
_JSON_STRING = rb'"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"'
_JSON_ITEM = re.compile(rb"\s*" + _JSON_STRING + rb"\s*(,|\])")


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A decoded text and where its bytes stand in the file.

    `pieces` are (start in the text, start in the file, end in the file, divisible), in order; a piece that is not
    divisible is an escape. `chain` are the codecs that lead from the file's bytes to the text.
    """

    value: bytes = field(repr=False)
    pieces: tuple[tuple[int, int, int, bool], ...] = field(repr=False)
    chain: tuple[str, ...]

    def span(self, start: int, end: int) -> Span:
        """The bytes of the file that stand for this range."""
        first = self._piece(start)
        begin = first[1] + (start - first[0] if first[3] else 0)
        if start >= end:
            return Span(begin, begin)
        last = self._piece(end - 1)
        return Span(begin, last[1] + end - last[0] if last[3] else last[2])

    def _piece(self, at: int) -> tuple[int, int, int, bool]:
        index = bisect_right(self.pieces, at, key=lambda piece: piece[0]) - 1
        return self.pieces[max(index, 0)] if self.pieces else (0, 0, 0, True)

    def inner(self, start: int, end: int, name: str) -> Text:
        """The text that this range stands for in the codec `name`."""
        from rewriters._encode import units

        out: list[bytes] = []
        pieces: list[tuple[int, int, int, bool]] = []
        at, size = start, 0
        for length, piece, plain in units(name, self.value[start:end]):
            span = self.span(at, at + length)
            if plain and len(span) == length:
                pieces.append((size, span.start, span.end, True))
            elif plain:
                for offset in range(length):
                    one = self.span(at + offset, at + offset + 1)
                    pieces.append((size + offset, one.start, one.end, True))
            elif piece:
                pieces.append((size, span.start, span.end, False))
            out.append(piece)
            at, size = at + length, size + len(piece)
        if not pieces:
            empty = self.span(start, start)
            pieces.append((0, empty.start, empty.end, True))
        return Text(b"".join(out), tuple(pieces), (*self.chain, name))


@dataclass(frozen=True, slots=True, eq=False)
class Heredoc:
    """A here-document: `expand` says that variables in it are substituted, `body` are its lines."""

    name: bytes
    expand: bool
    body: Span


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """One instruction. `text` is the joined line; `flags` and `rest` are ranges of it; `span` are its whole lines.

    For `ONBUILD X ...` the keyword is that of X and `onbuild` is set. `keyword_end` is the offset in the text where
    the blank after the keyword begins.
    """

    keyword: str
    text: Text
    flags: tuple[tuple[int, int], ...]
    rest: tuple[int, int]
    span: Span
    line: int
    heredocs: tuple[Heredoc, ...] = ()
    onbuild: bool = False

    @property
    def args(self) -> bytes:
        return self.text.value[self.rest[0] : self.rest[1]]

    @property
    def options(self) -> tuple[bytes, ...]:
        """The flags without their quotes and escapes."""
        escape = self.text.chain[0][-1].encode()
        return tuple(_bare(self.text.value[start:end], escape) for start, end in self.flags)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """`name=value` of ENV, ARG or LABEL as ranges of the text; `value` is `None` for a bare `ARG name`."""

    name: bytes
    word: tuple[int, int]
    value: tuple[int, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class Dockerfile:
    """A read file. `syntax` is the span of the syntax directive's value, `top` where such a line would be put."""

    data: bytes = field(repr=False)
    instructions: tuple[Instruction, ...]
    escape: bytes
    syntax: Span | None
    top: int


def _trim(text: bytes, start: int, end: int) -> tuple[int, int]:
    """The range without white space at its ends."""
    lead = _LEADING.match(text, start, end)
    start = lead.end() if lead else start
    while end > start and text[end - 1 : end].isspace():
        end -= 1
    tail = _TRAILING.search(text[max(start, end - 8) : end])
    return start, end - len(tail[0]) if tail else end


class _Lines:
    """The file's lines, one after the other, with their offsets."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.number = 0

    def next(self) -> tuple[int, int] | None:
        """Start and end (line break included) of the next line."""
        if self.at >= len(self.data):
            return None
        start = self.at
        found = self.data.find(b"\n", start)
        self.at = len(self.data) if found < 0 else found + 1
        self.number += 1
        return start, self.at


def _bare(flag: bytes, escape: bytes) -> bytes:
    out: list[bytes] = []
    quote = b""
    at = 0
    while at < len(flag):
        char = flag[at : at + 1]
        if char == escape:
            at += 1
            out.append(flag[at : at + 1])
        elif char == quote or (not quote and char in (b"'", b'"')):
            quote = b"" if quote else char
        else:
            out.append(char)
        at += 1
    return b"".join(out)


def _strip_break(data: bytes, start: int, end: int) -> int:
    while end > start and data[end - 1] in b"\r\n":
        end -= 1
    return end


def read(data: bytes) -> Dockerfile:
    """The instructions of a file. Raises `Unreadable` for what BuildKit's parser does not read either."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4096]:
        raise Unreadable("the file is not UTF-8 text; save it as UTF-8 to have it read")
    lines = _Lines(data)
    top = len(_BOM) if data.startswith(_BOM) else 0
    if data.startswith(b"#!", top):
        found = data.find(b"\n", top)
        top = len(data) if found < 0 else found + 1
    escape, syntax = b"\\", None
    directives = True
    seen: set[bytes] = set()
    instructions: list[Instruction] = []
    while (line := lines.next()) is not None:
        begin, stop = line
        start = begin + (len(_BOM) if begin == 0 and data.startswith(_BOM) else 0)
        end = _strip_break(data, start, stop)
        lead = _LEADING.match(data, start, end)
        start = lead.end() if lead else start
        if directives and not (begin == 0 and data.startswith(b"#!", start)):
            match = _DIRECTIVE.match(data[start:end])
            name = match[1].lower() if match else b""
            if match and name in (b"syntax", b"escape", b"check"):
                if name in seen:
                    raise Unreadable(f"the {name.decode()} directive stands twice", lines.number)
                seen.add(name)
                value = match[2].rstrip()
                if name == b"syntax":
                    syntax = Span(start + match.start(2), start + match.start(2) + len(value.split(b" ", 1)[0]))
                elif name == b"escape":
                    if value not in (b"\\", b"`"):
                        raise Unreadable("the escape directive names neither a backslash nor a backtick", lines.number)
                    escape = value
                continue
            directives = False
        if start >= end or data[start : start + 1] == b"#":
            continue
        instruction = _instruction(data, lines, escape, start, end)
        if instruction is not None:
            instructions.append(instruction)
        if len(instructions) > MAX_INSTRUCTIONS:
            raise Unreadable(f"more than {MAX_INSTRUCTIONS} instructions", lines.number)
    if not instructions:
        raise Unreadable("there is no instruction in it")
    return Dockerfile(data, tuple(instructions), escape, syntax, top)


def _continued(data: bytes, start: int, end: int, escape: bytes) -> int | None:
    """Where the continuation mark of this line stands, if the line is continued."""
    at = end
    while at > start and data[at - 1] in b" \t":
        at -= 1
    if data[at - 1 : at] != escape or at <= start:
        return None
    if at - 1 == start or data[at - 2 : at - 1] != escape:
        return at - 1
    return None


def _instruction(data: bytes, lines: _Lines, escape: bytes, start: int, end: int) -> Instruction | None:
    first, number = data.rfind(b"\n", 0, start) + 1, lines.number
    out: list[bytes] = []
    pieces: list[tuple[int, int, int, bool]] = []
    size = 0
    while True:
        mark = _continued(data, start, end, escape)
        last = end if mark is None else mark
        if last > start:
            pieces.append((size, start, last, True))
            out.append(data[start:last])
            size += last - start
        if mark is None:
            break
        line = lines.next()
        while line is not None:
            start, end = line[0], _strip_break(data, *line)
            lead = _LEADING.match(data, start, end)
            blank = lead.end() if lead else start
            if blank < end and data[blank : blank + 1] != b"#":
                break
            line = lines.next()
        if line is None:
            break
    text = Text(b"".join(out), tuple(pieces), (f"dockerfile-line:{escape.decode()}",))
    parsed = _command(text, escape, *_trim(text.value, 0, size))
    if parsed is None:
        return None
    keyword, flags, rest, onbuild = parsed
    heredocs: list[Heredoc] = []
    if keyword in ("RUN", "COPY", "ADD") and b"<<" in text.value and json_items(text.value, *rest) is None:
        for name, expand, chomp in _heredoc_words(text.value):
            body = lines.at
            while True:
                line = lines.next()
                if line is None:
                    raise Unreadable("a here-document has no end", number)
                content = data[line[0] : _strip_break(data, *line)]
                if (content.lstrip(b"\t") if chomp else content) == name:
                    heredocs.append(Heredoc(name, expand, Span(body, line[0])))
                    break
    return Instruction(keyword, text, flags, rest, Span(first, lines.at), number, tuple(heredocs), onbuild)


_Parsed = tuple[str, tuple[tuple[int, int], ...], tuple[int, int], bool]


def _command(text: Text, escape: bytes, start: int, end: int) -> _Parsed | None:
    onbuild = False
    while True:
        blank = _BLANKS.search(text.value, start, end)
        keyword_end = blank.start() if blank else end
        keyword = text.value[start:keyword_end].decode("ascii", "replace").upper()
        flags, at = _flags(text.value, escape, blank.end() if blank else end, end)
        rest = _trim(text.value, at, end)
        if keyword != "ONBUILD" or onbuild:
            return (keyword, flags, rest, onbuild) if keyword else None
        if rest[0] >= rest[1]:
            return None
        onbuild = True
        start, end = rest


def _flags(text: bytes, escape: bytes, start: int, end: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """The `--name=value` words in front, and where the rest begins."""
    flags: list[tuple[int, int]] = []
    at = start
    while at < end:
        while at < end and text[at : at + 1].isspace():
            at += 1
        if text[at : at + 2] != b"--":
            break
        begin = at
        quote = b""
        while at < end:
            char = text[at : at + 1]
            if char == escape:
                at += 2
                continue
            if quote:
                quote = b"" if char == quote else quote
            elif char in (b"'", b'"'):
                quote = char
            elif char.isspace():
                break
            at += 1
        at = min(at, end)
        if text[begin:at] == b"--":
            break
        flags.append((begin, at))
    return tuple(flags), at


def words(text: bytes, escape: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The words of a range: separated by white space outside of quotes."""
    at = start
    while True:
        lead = _LEADING.match(text, at, end)
        at = lead.end() if lead else at
        if at >= end:
            return
        begin, quote = at, b""
        while at < end:
            char = text[at : at + 1]
            if char == escape and quote != b"'":
                at += 2
                continue
            if quote:
                quote = b"" if char == quote else quote
            elif char in (b"'", b'"'):
                quote = char
            elif char.isspace() or (char >= b"\x80" and (lead := _LEADING.match(text, at, end)) and lead[0]):
                break
            at += 1
        at = min(at, end)
        yield begin, at


def pairs(instruction: Instruction, escape: bytes) -> tuple[Pair, ...]:
    """The pairs of ENV, ARG or LABEL. Raises `Unreadable` for a word that is none."""
    text = instruction.text.value
    found = list(words(text, escape, *instruction.rest))
    if not found:
        return ()
    if instruction.keyword != "ARG" and b"=" not in text[slice(*found[0])]:
        blank = _BLANKS.search(text, *instruction.rest)
        if blank is None:
            raise Unreadable(f"{instruction.keyword} names no value", instruction.line)
        name = text[instruction.rest[0] : blank.start()]
        return (Pair(name, instruction.rest, (blank.end(), instruction.rest[1])),)
    result: list[Pair] = []
    for start, end in found:
        equals = text.find(b"=", start, end)
        if equals < 0 and instruction.keyword != "ARG":
            raise Unreadable(f"a word of {instruction.keyword} has no equals sign", instruction.line)
        value = None if equals < 0 else (equals + 1, end)
        result.append(Pair(text[start : end if equals < 0 else equals], (start, end), value))
    return tuple(result)


def json_items(text: bytes, start: int, end: int) -> tuple[tuple[int, int], ...] | None:
    """The strings of a JSON array, as ranges without quotes; `None` when this is no array of strings."""
    if text[start : start + 1] != b"[":
        return None
    if not text[start + 1 : end].strip(b" \t\r\n]") and text[start + 1 : end].strip() == b"]":
        return ()
    items: list[tuple[int, int]] = []
    at = start + 1
    while True:
        match = _JSON_ITEM.match(text, at, end)
        if match is None:
            return None
        items.append(match.span(1))
        at = match.end()
        if match[2] == b"]":
            return tuple(items) if not text[at:end].strip(b" \t\r\n") else None


def _heredoc_words(text: bytes) -> Iterator[tuple[bytes, bool, bool]]:
    """Name, expansion and tab stripping of the here-documents that a line announces."""
    for start, end in words(text, b"\\", 0, len(text)):
        match = _HEREDOC.match(text[start:end])
        if match is None:
            continue
        word = match[3]
        bare = word.translate(None, b"\"'\\")
        if bare and not bare.isspace():
            yield bare, not (b"'" in word or b'"' in word), match[2] == b"-"
