"""The only code that changes bytes: checks a file's edits and splices them in."""

from __future__ import annotations

from collections.abc import Iterable

from rewriters._api import Edit, Span

__all__ = ["after_spans", "ordered", "splice"]


def ordered(edits: Iterable[Edit], size: int) -> list[Edit]:
    """The edits of one file by position; insertions at one place keep the order in which they were given.

    Raises `ValueError` when two overlap or one lies outside the file: a rewriter's mistake, never a user's.
    """
    result = sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))
    at = 0
    for edit in result:
        if not 0 <= edit.span.start <= edit.span.end <= size:
            raise ValueError(f"edit outside of {edit.path}: {edit.span}")
        if edit.span.start < at:
            raise ValueError(f"overlapping edits in {edit.path} at byte {edit.span.start}")
        at = edit.span.end
    return result


def splice(data: bytes, edits: Iterable[Edit]) -> bytes:
    """`data` with the edits applied; without edits the same object. Raises `ValueError` as `ordered`."""
    todo = ordered(edits, len(data))
    if not todo:
        return data
    out: list[bytes] = []
    at = 0
    for edit in todo:
        out += (data[at : edit.span.start], edit.replacement)
        at = edit.span.end
    out.append(data[at:])
    return b"".join(out)


def after_spans(edits: Iterable[Edit], size: int) -> list[tuple[Edit, Span]]:
    """Each edit with the span that its replacement has in the spliced file."""
    result: list[tuple[Edit, Span]] = []
    shift = 0
    for edit in ordered(edits, size):
        start = edit.span.start + shift
        result.append((edit, Span(start, start + len(edit.replacement))))
        shift += len(edit.replacement) - len(edit.span)
    return result
