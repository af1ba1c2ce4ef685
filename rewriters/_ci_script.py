"""Shell scripts in the scalars of a CI file: their words as places of values, and where a variable goes instead.

Source: POSIX.1-2024, shell command language, 2.2 (quoting), 2.6 (expansions), 2.7.4 (here-documents).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Span
from rewriters._dockerfile_shell import BARE, DOUBLE, ESCAPABLE, SINGLE, SPECIAL, Shell, lex, named, value_codec
from rewriters._encode import Undecodable, decode, encode, locate, partial
from rewriters._parts import Parts
from rewriters._yaml import Scalar

__all__ = ["Script", "ScriptWord", "Unplaceable"]

_HEREDOC = re.compile(rb"<<(?P<dash>-?)[ \t]*(?P<quote>['\"]?)(?P<name>[A-Za-z_]\w*)(?P=quote)")
_SUBSTITUTED = re.compile(rb"(?<!\\)(?:\$[A-Za-z_{(]|`)")
_STOPS = {
    BARE: re.compile(rb"[\s'\"\\$`;&|<>()*?\[\]{}~#!]"),
    DOUBLE: re.compile(rb"[\"\\$`]"),
    SINGLE: re.compile(rb"'"),
}
_HEREDOC_STOPS = re.compile(rb"[\\$`]")
MAX_LOST = 50
_PLAINLY = "write the value as a word of its own, then run this again"


class Unplaceable(Exception):
    """Why a variable cannot stand in the place of these bytes of a script, and what to do."""

    def __init__(self, reason: str, alternative: str = _PLAINLY) -> None:
        super().__init__(reason)
        self.reason, self.alternative = reason, alternative


@dataclass(frozen=True, slots=True)
class ScriptWord:
    """A word that a name says something about. `outer` and `inner` are ranges of the script's text, with its own
    quotes and without; `quote` encloses more than the value; `span`, `literal` and `encoding` are the file's."""

    key: str
    value: bytes = field(repr=False)
    outer: Span
    inner: Span
    quote: bytes
    span: Span
    literal: Span
    encoding: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Heredoc:
    start: int
    end: int
    expands: bool


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """The decoded text of a scalar and its grammar; `shell` is `None` for another language."""

    node: Scalar
    raw: bytes = field(repr=False)
    text: bytes = field(repr=False)
    shell: Shell | None
    heredocs: tuple[_Heredoc, ...]
    parts: Parts

    @staticmethod
    def of(node: Scalar, data: bytes, *, posix: bool = True) -> Script:
        text = node.text.encode("utf-8", "surrogatepass")
        raw = data[node.span.start : node.span.end]
        shell = lex(text, 0, len(text)) if posix else None
        return Script(node, raw, text, shell, tuple(_heredocs(text)) if posix else (), Parts(node.encoding, raw))

    def located(self, part: Span) -> Span | None:
        """The bytes of the file that stand for a range of the text."""
        try:
            found = self.parts.locate(part)
        except Undecodable:
            return None
        start = self.node.span.start
        return Span(start + found.start, start + found.end) if found is not None else None

    def words(self) -> Iterator[ScriptWord]:
        if self.shell is None:
            return
        for word in named(self.shell):
            raw = self.text[word.start : word.end]
            if not raw or SPECIAL in self.shell.quoting[word.start : word.end]:
                continue
            begin, stop, codec = value_codec(raw, b"\\", ESCAPABLE, word.quote)
            inner = Span(word.start + begin, word.start + stop)
            span, literal = self.located(inner), self.located(Span(word.start, word.end))
            if span is None or literal is None or not inner:
                continue
            whole = inner == Span(0, len(self.text)) and span == self.node.span
            chain = self.node.encoding if whole else partial(self.node.encoding)
            encoding = chain if codec == "raw" else (*chain, codec)
            value = decode((codec,), self.text[inner.start : inner.end])
            if not self._stands(span, encoding, value):
                continue
            yield ScriptWord(word.key, value, Span(word.start, word.end), inner, word.quote, span, literal, encoding)

    def _stands(self, span: Span, encoding: tuple[str, ...], value: bytes) -> bool:
        """Whether the file's bytes say the value: not so where a quote is left open up to the end of a block."""
        start = self.node.span.start
        try:
            return decode(encoding, self.raw[span.start - start : span.end - start]) == value
        except Undecodable:
            return False

    def replacement(self, name: str, word: ScriptWord | None, part: Span | None) -> tuple[Span, bytes]:
        """The edit that puts the variable `name` in the place of a word, or of a part of a word or of the text.
        Raises `Unplaceable`."""
        if self.shell is None:
            raise Unplaceable("the script's shell is not known to be a POSIX shell", "name one: `shell: bash`")
        if self.shell.left_open:
            raise Unplaceable("a quote of the script has no end", "close it, then run this again")
        if word is None and part is None:
            raise Unplaceable("the script as a whole cannot become a reference", "move the values in it")
        if word is not None and (part is None or part == Span(0, len(word.value))):
            place, text = self._whole(name, word)
        else:
            place, text = self._part(name, self._range(word, part))
        span = self.located(place)
        if span is None:
            raise Unplaceable("the text is written in a way in which its parts cannot be told apart")
        try:
            written = encode(partial(self.node.encoding)[-1:], text)
        except Undecodable:
            raise Unplaceable("the text is written in a way in which nothing can be put into it") from None
        if self.node.style == "plain" and span.start == self.node.span.start and text[:1] in (b'"', b"'"):
            raise Unplaceable("the script begins with the value, where a quote would be YAML's")
        return span, written

    def _whole(self, name: str, word: ScriptWord) -> tuple[Span, bytes]:
        raw = self.text[word.outer.start : word.outer.end]
        if b"\\\n" in raw or b"\\\r" in raw:
            raise Unplaceable("the value goes on in the next line of the script", "write it on one line")
        bare = word.quote != b"'" and raw[:1] != b"'"
        if bare and _SUBSTITUTED.search(raw):
            raise Unplaceable(
                "the value is put together from other variables by the shell",
                "move those, or write the text out so that it can move as a whole",
            )
        if self._heredoc(word.outer) is not None:
            return self._part(name, word.inner)
        if not word.quote:
            return word.outer, b'"$%s"' % name.encode()
        return word.outer, _within(name, word.quote)

    def _part(self, name: str, place: Span) -> tuple[Span, bytes]:
        assert self.shell is not None  # noqa: S101 - asked by the caller
        raw = self.text[place.start : place.end]
        heredoc = self._heredoc(place)
        if heredoc is not None:
            if not heredoc.expands:
                raise Unplaceable(
                    "the here-document's name is quoted, so the shell puts no variable's value there",
                    "take the quotes off its name, if nothing else in it begins with `$`",
                )
            if _HEREDOC_STOPS.search(raw):
                raise Unplaceable("the text is escaped there in a way that a variable cannot be put into as it is")
            return place, _within(name, b'"')
        kind = self.shell.context(place.start, place.end)
        stops = _STOPS.get(kind) if kind is not None else None
        if stops is None or stops.search(raw):
            raise Unplaceable(
                "the text is quoted or escaped there in a way that a variable cannot be put into as it is"
            )
        if kind == BARE:
            return place, b'"$%s"' % name.encode()
        return place, _within(name, b'"' if kind == DOUBLE else b"'")

    def _range(self, word: ScriptWord | None, part: Span | None) -> Span:
        """The range of the text for a part of a word's value, or of the text itself."""
        assert part is not None  # noqa: S101 - asked by the caller
        if word is None:
            return part
        codec = word.encoding[-1]
        if codec.startswith(("escape:", "word:")):
            found = locate((codec,), self.text[word.inner.start : word.inner.end], part)
            if found is None:
                raise Unplaceable("the text is quoted or escaped there in a way that its parts cannot be told apart")
            part = found
        return Span(word.inner.start + part.start, word.inner.start + part.end)

    def _heredoc(self, place: Span) -> _Heredoc | None:
        at = bisect_right(self.heredocs, place.start, key=lambda heredoc: heredoc.start) - 1
        return self.heredocs[at] if at >= 0 and place.start < self.heredocs[at].end else None


def _within(name: str, quote: bytes) -> bytes:
    text = b"${%s}" % name.encode()
    return b"'\"" + text + b"\"'" if quote == b"'" else text


def _heredocs(text: bytes) -> Iterator[_Heredoc]:
    """The bodies of here-documents, one after another; `<<` of which no end is found is something else."""
    at = lost = 0
    while lost < MAX_LOST and (match := _HEREDOC.search(text, at)):
        at = match.end()
        line = text.find(b"\n", at)
        if text[match.start() - 1 : match.start()] == b"<" or line < 0:
            continue
        tabs = rb"\t*" if match["dash"] else rb""
        close = re.compile(rb"^" + tabs + re.escape(match["name"]) + rb"\r?$", re.MULTILINE).search(text, line + 1)
        if close is None:
            lost += 1
            continue
        yield _Heredoc(line + 1, close.start(), not match["quote"])
        at = close.end()
