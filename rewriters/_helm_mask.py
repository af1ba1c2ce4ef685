"""Text with Go template actions, made readable as YAML: each action becomes other text of the same length.

Sources: Go `text/template` (delimiters, comments, strings in actions); Helm documentation, "Chart Template Guide".
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass, field

from rewriters._api import Span, Unreadable

__all__ = ["Masked", "has_word", "masked", "shown"]

_ACTION = re.compile(
    rb"\{\{(?:-\s)?/\*.*?\*/(?:\s-)?\}\}"
    rb'|\{\{(?!-?\s*/\*)(?:"(?:\\.|[^"\\\n])*+"|`[^`]*+`|\'(?:\\.|[^\'\\\n])*+\'|[^"`\'{}]|\}(?!\}))*+\}\}',
    re.DOTALL,
)
_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")
_WORD = re.compile("qz[bcdfghjkmnpqrstv]{3,}")
_SPACE = re.compile(rb"[^\r\n]")
MAX_ACTIONS = 100_000


@dataclass(frozen=True, slots=True)
class Masked:
    """`data` is as long as the text, with no action in it; `actions` says where they stood."""

    data: bytes = field(repr=False)
    actions: tuple[Span, ...] = field(repr=False)
    _ends: tuple[int, ...] = field(default=(), repr=False)

    def touches(self, span: Span) -> bool:
        """Whether an action stands in these bytes."""
        at = bisect_right(self._ends, span.start)
        return at < len(self.actions) and self.actions[at].start < max(span.end, span.start + 1)


def masked(data: bytes) -> Masked:
    """Raises `Unreadable` for an action that does not end."""
    spans: list[Span] = []
    at = data.find(b"{{")
    while at >= 0:
        match = _ACTION.match(data, at)
        if match is None or len(spans) >= MAX_ACTIONS:
            raise Unreadable("an action of the template does not end", data.count(b"\n", 0, at) + 1)
        spans.append(Span(at, match.end()))
        at = data.find(b"{{", match.end())
    if not spans:
        return Masked(data, ())
    result = bytearray(data)
    for first, last in _runs(data, spans):
        _alone(result, data, spans, first, last)
    return Masked(bytes(result), tuple(spans), tuple(span.end for span in spans))


def _word(action: bytes, size: int) -> bytes:
    """A word in the place of an action: the same for the same text, and in all likelihood another one for another."""
    letters = "qz" + hashlib.blake2s(action).hexdigest().translate(_LETTERS)
    return (letters * (size // len(letters) + 1))[:size].encode()


def shown(text: str) -> str:
    """A text of a masked file for people: without the words that stand for actions."""
    return _WORD.sub("_", text)


def has_word(text: str) -> bool:
    """Whether a text of a masked file holds an action's place."""
    return _WORD.search(text) is not None


def _runs(data: bytes, spans: list[Span]) -> list[tuple[int, int]]:
    """Neighbours that share a line, by their numbers."""
    runs: list[tuple[int, int]] = []
    for index, span in enumerate(spans):
        if runs and b"\n" not in data[spans[index - 1].end : span.start]:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _alone(result: bytearray, data: bytes, spans: list[Span], first: int, last: int) -> None:
    """Writes over the actions of one line: blanks where nothing else stands on it, else a word."""
    begin = data.rfind(b"\n", 0, spans[first].start) + 1
    stop = data.find(b"\n", spans[last].end)
    between = [data[begin : spans[first].start].removeprefix(b"\xef\xbb\xbf")]
    between += [data[spans[index].end : spans[index + 1].start] for index in range(first, last)]
    between.append(data[spans[last].end : stop if stop >= 0 else len(data)])
    blank = not b"".join(between).strip()
    for index in range(first, last + 1):
        start, end = spans[index].start, spans[index].end
        text = _SPACE.sub(b" ", data[start:end])
        # `key: {{ toYaml .x | nindent 4 }}` gives lines below the key.
        below = index == last and not between[-1].strip() and b"nindent" in data[start:end]
        before = between[index - first].rstrip(b" \t")
        if not (blank or (below and before.endswith(b":"))):
            head, line, rest = text.partition(b"\n")
            # A line that goes on below it is one text in YAML, too.
            size = len(head.rstrip(b"\r"))
            text = _word(data[start:end], size) + head[size:] + line + rest
        result[start:end] = text
