"""A `.properties` file as entries with byte spans, and its documents.

Sources: java.util.Properties, `load` (keys, delimiters, escapes, lines that go on); Spring Boot,
OriginTrackedPropertiesLoader (`#---` and `!---` between documents; a comment right before or after makes it a comment).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Span, Unreadable
from rewriters._encode import Undecodable, decode

__all__ = ["CHAIN", "Entry", "entries", "text_of"]

CHAIN = ("properties",)
"""The encoding of a value, and of a key."""

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"[ \t\f\r\n]*")
_LINE = re.compile(rb"[^\r\n]*")
_SEPARATOR = re.compile(rb"[#!]---[ \t\f]*(?=[\r\n]|\Z)")
_ENTRY = re.compile(
    rb"""(?P<key>(?:[^\\=:\ \t\f\r\n]|\\(?:\r\n|.|\Z))*+)
    (?:[ \t\f]|\\(?:\r\n|[\r\n]))*+ [=:]? (?:[ \t\f]|\\(?:\r\n|[\r\n]))*+
    (?P<value>(?:[^\\\r\n]|\\(?:\r\n|.|\Z))*+)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """`key=value`; `span` is the value as it is written. `document` counts from one."""

    key: str
    span: Span
    document: int


def entries(data: bytes) -> Iterator[Entry]:
    """In order. Raises `Unreadable` for UTF-16, binary content, and an escape of which digits are missing."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("the file is UTF-16; save it as UTF-8 to have it rewritten")
    if b"\0" in data:
        raise Unreadable("the file holds NUL bytes, so it is no text", data.count(b"\n", 0, data.index(b"\0")) + 1)
    at = len(_BOM) if data.startswith(_BOM) else 0
    document, filled, comment, opened = 1, False, b"", False
    while True:
        before, at = at, _end(_BLANK, data, at)
        if data[before:at].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") > 1:
            comment = b""  # an empty line ends a comment
        if at >= len(data):
            return
        first = data[at : at + 1]
        if first in b"#!":
            starts_line = at == 0 or data[at - 1] in b"\r\n" or (data.startswith(_BOM) and at == len(_BOM))
            if starts_line and comment != first and _SEPARATOR.match(data, at):
                document, opened, filled = document + filled, opened or filled, False
            else:
                if opened:  # the separator was a part of this comment
                    document, opened, filled = document - 1, False, True
                comment = first
            at = _end(_LINE, data, at)
            continue
        match = _ENTRY.match(data, at)
        if match is None:  # the pattern takes anything; this is for the reader of types
            raise Unreadable("broken properties", data.count(b"\n", 0, at) + 1)
        key = text_of(match["key"], data, at)
        text_of(match["value"], data, match.start("value"))
        yield Entry(key.decode("utf-8", "replace"), Span(*match.span("value")), document)
        filled, comment, opened, at = True, b"", False, match.end()


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    return match.end() if match is not None else at


def text_of(raw: bytes, data: bytes, at: int) -> bytes:
    """What `raw`, which stands at this offset of the file, means."""
    try:
        return decode(CHAIN, raw)
    except Undecodable:
        raise Unreadable(
            "an escape \\u without four digits, which Spring does not start with", data.count(b"\n", 0, at) + 1
        ) from None
