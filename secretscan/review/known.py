"""Values in a text that are known from elsewhere by their keyed ids alone: nothing has to hold the values for that.

Whoever knows the key can tell whether a piece of text is a value that was found in another file. Pieces are what stands
between two delimiters, as it is and as what it may spell: base64, URL-encoded, JSON-escaped.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Container, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final
from urllib.parse import unquote_to_bytes

from rewriters import Plaintext, Span
from secretscan.inventory.ids import Ids

__all__ = ["REACH", "known_spans"]

REACH: Final = 512
"""Bytes of the longest piece that is looked up."""
_SHORTEST: Final = 8
_MOST_PIECES: Final = 1000
"""Pieces of one text that are looked up: a line of nothing but delimiters would have very many."""
_BREAK = re.compile(rb"[\s\"'`]")
_MOST_WORDS: Final = 12
_MORE: Final = 3
"""Delimiters that a value may end with."""
_WORD = re.compile(rb"[^\s\"'`,;:=(){}\[\]<>|&@/\\#?$!*]+")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}={0,2}")


def known_spans(text: bytes, known: Container[str], ids: Ids) -> list[Span]:
    """Where the values of these ids stand in a line of text, in the order of their beginnings; none lies in another."""
    found: list[Span] = []
    for start, end in islice(_pieces(text), _MOST_PIECES):
        if found and end <= found[-1].end:
            continue
        if any(ids.secret(Plaintext(value)) in known for value in _spelled(text[start:end])):
            found.append(Span(start, end))
    return found


def _pieces(text: bytes) -> Iterator[tuple[int, int]]:
    """From each word on, first the longest pieces; a few delimiters before and after may belong to the value."""
    words = [match.span() for match in _WORD.finditer(text)]
    ends = [
        [
            end + more
            for more in range(_MORE, -1, -1)
            if not _BREAK.search(text, end, end + more) and end + more <= len(text)
        ]
        for _, end in words
    ]
    for number, (start, _) in enumerate(words):
        last = min(number + _MOST_WORDS, len(words))
        for first in (start - 1, start) if start and not _BREAK.search(text, start - 1, start) else (start,):
            for end in (end for each in reversed(ends[number:last]) for end in each):
                if _SHORTEST <= end - first <= REACH:
                    yield first, end


def _spelled(piece: bytes) -> Iterator[bytes]:
    yield piece
    if b"%" in piece:
        yield unquote_to_bytes(piece)
    if b"\\" in piece:
        with suppress(ValueError):
            yield str(json.loads(b'"' + piece + b'"')).encode()
    if _BASE64.fullmatch(piece):
        plain = piece.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        with suppress(binascii.Error):
            yield base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
