"""The preview of a plan: a unified diff in which every value is masked, also those that stay."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rewriters import Edit, Span, splice
from secretscan.errors import printable
from secretscan.prove.traces import Traces

__all__ = ["MASK", "FileDiff", "masked", "masked_diff", "masked_texts", "shifted", "union"]

MASK = b"***"


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What changes in one file: lines of a unified diff from the first hunk on, control characters escaped."""

    path: str
    text: str


def masked_diff(path: str, data: bytes, edits: Sequence[Edit], found: Iterable[Span], known: Traces) -> FileDiff:
    """The diff of one file. `found` are the places of values in it, also of those that stay: they are masked, and so
    is every trace of a value that is `known` wherever else it stands."""
    spans = union(found)
    # The new text is masked where the old text was, and cut along the same places so that both show alike.
    return masked_texts(path, (data, spans), (splice(data, edits), shifted(spans, edits)), known)


def masked_texts(
    path: str, before: tuple[bytes, Sequence[Span]], after: tuple[bytes, Sequence[Span]], known: Traces
) -> FileDiff:
    """The diff of two texts, each with the places to mask in it, which are in order and do not touch."""
    old, new = (known.blot(masked(data, spans), MASK) for data, spans in (before, after))
    lines = difflib.unified_diff(_lines(old), _lines(new), n=2, lineterm="")
    return FileDiff(path, "".join(f"{line}\n" for line in list(lines)[2:]))


def _lines(data: bytes) -> list[str]:
    return [printable(line) for line in data.decode("utf-8", "replace").splitlines()]


def union(spans: Iterable[Span]) -> list[Span]:
    """The same bytes as places in order that do not touch."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def shifted(spans: Sequence[Span], edits: Sequence[Edit]) -> list[Span]:
    """Where the places that no edit touches stand in the new text. Both are in the order of their places."""
    result: list[Span] = []
    todo = sorted(edits, key=lambda edit: edit.span)
    at = shift = 0
    for span in spans:
        while at < len(todo) and todo[at].span.end <= span.start:
            shift += len(todo[at].replacement) - len(todo[at].span)
            at += 1
        if at == len(todo) or not todo[at].span.touches(span):
            result.append(Span(span.start + shift, span.end + shift))
    return result


def masked(data: bytes, spans: Sequence[Span]) -> bytes:
    """The text with a mask in each of these places, which are in order and do not touch. Line breaks inside of a value
    stay, so that the lines around keep their places."""
    edits = [Edit("", span, MASK + b"\n" * data.count(b"\n", span.start, span.end)) for span in spans if len(span)]
    return splice(data, edits)
