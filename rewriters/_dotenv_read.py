"""`.env` files as statements with byte spans.

Reads what Compose reads (compose-go v2.10, `dotenv/parser.go`), but passes over lines that no reader of such files
would take for a statement, where Compose gives up: most of these files are read by other programs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from rewriters._api import Span, Unreadable
from rewriters._compose_interpolate import substitute
from rewriters._encode import decode

__all__ = [
    "ENCRYPTED",
    "Statement",
    "claims",
    "escaped_dollars",
    "raw_lines",
    "statements",
    "text_of",
    "unescaped",
    "values",
]

_NAMED = re.compile(
    r"(?:\.env(?:[._-].+)?|\.flaskenv|.+\.env(?:\.[^.]+)?|env(?:\..*)?\.txt|\.?env\.[^.]+|dotenv)\Z", re.IGNORECASE
)
_FOREIGN = re.compile(
    r"\.(?:sh|bash|zsh|ksh|fish|ps1|bat|cmd|py|rb|js|mjs|cjs|ts|mts|d|go|rs|php|java|c|h|cs|json|ya?ml|toml|xml|html?|"
    r"css|md|rst|j2|tpl|tmpl|erb|gpg|asc|age|enc|zip|gz|tgz|png|jpe?g)\Z",
    re.IGNORECASE,
)

_PLACED = re.compile(
    r"(?:^|/)(?:\.envs/(?:.+/)?[^/]+|(?:envs?|environments?)/[^/.]+|envfile|env[-_](?:file|vars)|\.dev\.vars(?:\.[^/]+)?)\Z"
)
"""Files that are known by their folder or a rarer name, when they begin as one of variables does."""
_BEGIN = re.compile(
    rb"(?:\s|#(?! \S+ (?:is read|comes) from the vault )[^\n]*+(?:\n|\Z))*+"
    rb"(?:#|(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*[ \t]*=|[A-Z][A-Z0-9_]*[ \t]*(?:\r?\n|\Z))"
)
"""A variable, the name of one alone, or the comment that a rewrite leaves."""
_OF_AZD = re.compile(r"(?:^|/)\.azure/[^/]+/\.env\Z")
_BOM = b"\xef\xbb\xbf"
_START = re.compile(
    rb"(?P<indent>[ \t\v\f\r]*)(?P<export>export[ \t]+)?(?P<key>[A-Za-z0-9_.\[\]-]+)[ \t]*(?P<sign>[=:])[ \t\v\f]*"
)
_REST = re.compile(rb"[ \t\v\f\r]*(?:#[^\n]*)?(?:\n|\Z)")
_RARE = re.compile(rb"(?<!\\)(?:\\\\)*\\[abcfv0]")

_ENCRYPTED = re.compile(rb"encrypted:[A-Za-z0-9+/=]{40,}\Z")
ENCRYPTED = "dotenvx has encrypted it already"

Quote = Literal["", "'", '"']


def claims(path: str, head: bytes) -> bool:
    """Whether this is a file of variables, by its name; a script is none, and an environment of azd is azd's."""
    name = path.rsplit("/", 1)[-1]
    if _FOREIGN.search(name) or _OF_AZD.search(path):
        return False
    text = head.removeprefix(_BOM)
    if not _NAMED.match(name) and not (_PLACED.search(path) and _BEGIN.match(text)):
        return False
    return not text.lstrip().startswith((b"#!", b"{"))


@dataclass(frozen=True, slots=True)
class Statement:
    """`KEY=value`. `start` is where the key (or `export`) begins; `span` the value without quotes; `literal` with them.

    `encoding` decodes the span. `odd` says, if not empty, why the value cannot be taken for one text that every
    reader agrees on.
    """

    key: str
    start: int
    span: Span
    literal: Span
    quote: Quote
    encoding: tuple[str, ...]
    export: bool
    sign: Literal["=", ":"]
    odd: str = ""

    def raw(self, data: bytes) -> bytes:
        return data[self.span.start : self.span.end]


def statements(data: bytes) -> Iterator[Statement]:
    """The file's statements in order. Raises `Unreadable` for UTF-16 or binary content."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("the file is UTF-16; save it as UTF-8 to have it rewritten")
    if b"\0" in data:
        raise Unreadable("the file holds NUL bytes, so it is no text", data.count(b"\n", 0, data.index(b"\0")) + 1)
    at = len(_BOM) if data.startswith(_BOM) else 0
    while at < len(data):
        match = _START.match(data, at)
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop
        if match is None or match.end("sign") > stop:
            at = stop + 1
            continue
        found = _statement(data, match, stop)
        yield found
        after = data.find(b"\n", max(found.literal.end, match.end()))
        at = len(data) if after < 0 else after + 1


def _statement(data: bytes, match: re.Match[bytes], stop: int) -> Statement:
    begin = match.end()
    start = match.start("export") if match["export"] else match.start("key")
    key = match["key"].decode()
    sign: Literal["=", ":"] = "=" if match["sign"] == b"=" else ":"
    first = data[begin : begin + 1]
    odd = ""
    if first in (b'"', b"'"):
        close = _closing(data, begin + 1, first)
        if close >= 0 and _REST.match(data, close + 1):
            span = Span(begin + 1, close)
            encoding, odd = _quoted(data[span.start : span.end], first)
            odd = ENCRYPTED if _ENCRYPTED.match(data, span.start, span.end) else odd
            quote: Quote = '"' if first == b'"' else "'"
            return Statement(
                key, start, span, Span(begin, close + 1), quote, encoding, bool(match["export"]), sign, odd
            )
        odd = "the quotes do not hold the whole value, so readers take it differently"
    if sign == ":" and first == b"#":
        stop = begin
    comment = data.find(b" #", begin, stop)
    text = data[begin : comment if comment >= 0 else stop].rstrip(b" \t\v\f\r")
    if b"$(" in text or b"`" in text:
        odd = "the value is made by a command"
    elif _ENCRYPTED.match(text):
        odd = ENCRYPTED
    span = Span(begin, begin + len(text))
    return Statement(key, start, span, span, "", ("dollar",), bool(match["export"]), sign, odd)


def _closing(data: bytes, at: int, quote: bytes) -> int:
    """The quote that ends the value; a backslash keeps the next character from being it."""
    while at < len(data):
        char = data[at : at + 1]
        if char == b"\\":
            at += 2
            continue
        if char == quote:
            return at
        at += 1
    return -1


def _quoted(raw: bytes, quote: bytes) -> tuple[tuple[str, ...], str]:
    """The chain for a quoted value's bytes, and what is odd about them."""
    if quote == b"'":
        return ("escape:\\'",), ""
    doubled = b"$$" in raw
    marks = '"\\' if doubled else '"\\$'
    # A line break as it stands has another spelling than one that is written as an escape.
    breaks = b"\n" in raw and not re.search(rb"(?<!\\)(?:\\\\)*\\[nrt]", raw)
    chain: tuple[str, ...] = ("escape:\\" + marks if breaks else "escape-c:" + marks,)
    odd = ""
    if (doubled and rb"\$" in raw) or _RARE.search(raw):
        odd = "the value uses escapes that readers take differently"
    if doubled:
        chain = (*chain, "dollar")
    return chain, odd


def raw_lines(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Variables as `docker run --env-file` reads them, and Compose with `format: raw`: no quotes, no substitution."""
    for line in data.removeprefix(_BOM).splitlines():
        text = line.lstrip()
        if not text or text.startswith(b"#"):
            continue
        key, sign, value = text.partition(b"=")
        if sign:
            yield key.decode("utf-8", "replace"), value


def escaped_dollars(data: bytes, statement: Statement) -> bytes:
    """The bytes of the value, as many, with `$$` for a dollar sign that a backslash makes stand for itself:
    substitution knows it as two of them."""
    raw = statement.raw(data)
    if statement.quote != '"':
        return raw
    return re.sub(rb"\\(.)", lambda match: b"$$" if match[1] == b"$" else match[0], raw, flags=re.DOTALL)


def unescaped(data: bytes, statement: Statement) -> bytes:
    """The text in which a reader substitutes variables; meaningless for single quotes, where none does."""
    if statement.quote != '"':
        return statement.raw(data)
    return decode(tuple(name for name in statement.encoding if name != "dollar"), escaped_dollars(data, statement))


def values(data: bytes, outside: Callable[[str], bytes | None]) -> Iterator[tuple[str, bytes]]:
    """Each variable and its value as Compose reads it: `outside` wins over what stands earlier in the file. A
    variable that neither knows stays as it is written."""
    inner: dict[str, bytes] = {}
    for statement in statements(data):
        if statement.quote == "'":
            value = text_of(data, statement)
        else:
            value = substitute(
                unescaped(data, statement), lambda name: inner.get(name) if (known := outside(name)) is None else known
            )
        inner[statement.key] = value
        yield statement.key, value


def text_of(data: bytes, statement: Statement) -> bytes:
    """The statement's value, decoded."""
    return decode(statement.encoding, statement.raw(data))
