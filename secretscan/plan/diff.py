"""The preview of a plan: a unified diff in which every value is masked, also those that stay."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rewriters import Edit, Span, splice
from secretscan.errors import printable
from secretscan.model import Finding

__all__ = ["FileDiff", "masked_diff"]

_MASK = b"***"
_SHORT = 8


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What changes in one file: lines of a unified diff from the first hunk on, control characters escaped."""

    path: str
    text: str


def masked_diff(
    path: str, data: bytes, edits: Sequence[Edit], findings: Iterable[Finding], moved: Iterable[Span]
) -> FileDiff:
    """The diff of one file. `moved` are the places of values that an edit removes; `findings` all that was found in
    the file: their places are masked too, and their values wherever else they stand if long enough to be told apart."""
    found = list(findings)
    spans = _union([*moved, *(finding.location.span for finding in found)])
    old = _masked(data, spans)
    # The new text is masked where the old text was, and cut along the same places so that both show alike.
    new = _masked(splice(data, edits), _shifted(spans, edits))
    for finding in found:
        value = finding.value.reveal()
        if len(value) >= _SHORT and finding.strength == "strong":
            old, new = old.replace(value, _MASK), new.replace(value, _MASK)
    lines = difflib.unified_diff(_lines(old), _lines(new), n=2, lineterm="")
    return FileDiff(path, "".join(f"{line}\n" for line in list(lines)[2:]))


def _lines(data: bytes) -> list[str]:
    return [printable(line) for line in data.decode("utf-8", "replace").splitlines()]


def _union(spans: Iterable[Span]) -> list[Span]:
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def _shifted(spans: Sequence[Span], edits: Sequence[Edit]) -> list[Span]:
    """Where the places that no edit touches stand in the new text."""
    result: list[Span] = []
    for span in spans:
        if any(edit.span.touches(span) for edit in edits):
            continue
        shift = sum(len(edit.replacement) - len(edit.span) for edit in edits if edit.span.end <= span.start)
        result.append(Span(span.start + shift, span.end + shift))
    return result


def _masked(data: bytes, spans: Sequence[Span]) -> bytes:
    """Line breaks inside of a value stay, so that the lines around keep their places."""
    edits = [Edit("", span, _MASK + b"\n" * data.count(b"\n", span.start, span.end)) for span in spans if len(span)]
    return splice(data, edits)
