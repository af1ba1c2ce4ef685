"""Where a variable's expansion goes in a shell's text, and the quotes that it needs there."""

from __future__ import annotations

import re

from rewriters._api import Assignment, Span
from rewriters._dockerfile_mount import No
from rewriters._dockerfile_places import Place
from rewriters._dockerfile_shell import BARE, DOUBLE, SINGLE
from rewriters._encode import locate

__all__ = ["replaced", "substitutes"]

_WRITTEN = "the text is quoted or escaped there in a way that a variable cannot be put into as it is"
_WRITE_PLAINLY = "write the value as a word of its own, then run this again"


def replaced(item: Assignment, place: Place) -> tuple[Span, bytes, bytes]:
    """The bytes that the expansion replaces, and the quotes to put around it."""
    text, slot = place.text, place.slot
    assert text is not None  # noqa: S101 - asked by the caller
    if item.part is None or (place.word and item.part == Span(0, len(slot.value.reveal()))):
        assert place.word is not None  # noqa: S101 - asked by the caller
        start, end = place.word
        raw = text.value[start:end]
        if substitutes(raw, b"\\", commands=True) and raw[:1] != b"'" and place.quote != b"'":
            raise No(
                "the value is put together from other variables by the shell",
                "move those, or write the text out so that it can move as a whole",
            )
        if place.shell is None:
            return slot.span, b"", b""
        if place.quote == b"":
            return text.span(start, end), b'"', b'"'
        around = b"'\"" if place.quote == b"'" else b""
        return text.span(start, end), around, around[::-1]
    start, end = _range(item.part, place)
    raw = text.value[start:end]
    if place.shell is None:
        if re.search(rb"[$`\\]", raw):
            raise No(_WRITTEN, _WRITE_PLAINLY)
        return text.span(start, end), b"", b""
    kind = place.shell.context(start, end)
    bad = {BARE: rb"[\s'\"\\$`;&|<>()]", DOUBLE: rb"[\"\\$`]", SINGLE: rb"'"}.get(kind if kind is not None else -1)
    if place.word is not None and bad is not None:
        bad = {BARE: rb"[\s'\"$`;&|<>()]", DOUBLE: rb"(?<!\\)[\"$`]", SINGLE: rb"'"}[kind if kind is not None else 0]
    if bad is None or re.search(bad, raw):
        raise No(_WRITTEN, _WRITE_PLAINLY)
    around = {BARE: b'"', DOUBLE: b"", SINGLE: b"'\""}[kind if kind is not None else 0]
    if kind == SINGLE and text.value[start - 1 : start] == text.value[end : end + 1] == b"'":
        return text.span(start - 1, end + 1), b'"', b'"'
    return text.span(start, end), around, around[::-1]


def _range(part: Span, place: Place) -> tuple[int, int]:
    """The range of the place's text that stands for a part of the slot's value."""
    assert place.text is not None and place.inner is not None  # noqa: S101 - places of texts have both
    start, end = place.inner
    codec = place.slot.encoding[-1]
    if codec.startswith(("escape", "word")):
        found = locate((codec,), place.text.value[start:end], part)
        if found is None:
            raise No(_WRITTEN, _WRITE_PLAINLY)
        part = found
    return start + part.start, start + part.end


def substitutes(raw: bytes, escape: bytes, *, commands: bool = False) -> bool:
    """Whether something in a word is replaced by a variable's value, or by a command's output."""
    pattern = rb"\$[A-Za-z_{(]|`" if commands else rb"\$[A-Za-z_{]"
    return any(raw[at.start() - 1 : at.start()] != escape for at in re.finditer(pattern, raw))
