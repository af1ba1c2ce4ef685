"""Splicing against the plainest way to do the same, and its refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Edit, Span, after_spans, splice


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, list[Edit]]:
    """A file and edits of it that do not overlap, in any order."""
    data = draw(st.binary(max_size=60))
    marks = sorted(draw(st.lists(st.integers(0, len(data)), max_size=10)))
    pairs = list(zip(marks[::2], marks[1::2], strict=False))
    # Insertions at one place keep their order, so only the others may be given in any.
    starts = [start for start, _ in pairs]
    edits = [Edit("f", Span(start, end), draw(st.binary(max_size=8))) for start, end in pairs]
    return data, edits if len(set(starts)) < len(starts) else draw(st.permutations(edits))


def naive(data: bytes, edits: list[Edit]) -> bytes:
    """One edit after the other from the end, so that earlier offsets stay true."""
    for _, edit in sorted(enumerate(edits), key=lambda item: (item[1].span.start, item[1].span.end, item[0]))[::-1]:
        data = data[: edit.span.start] + edit.replacement + data[edit.span.end :]
    return data


@given(edited())
def test_splice_is_what_one_edit_after_the_other_gives(case: tuple[bytes, list[Edit]]) -> None:
    data, edits = case
    assert splice(data, edits) == naive(data, edits)


@given(edited())
def test_spans_after_hold_the_replacements_and_turn_round(case: tuple[bytes, list[Edit]]) -> None:
    data, edits = case
    result = splice(data, edits)
    placed = after_spans(edits, len(data))
    assert len(placed) == len(edits)
    for edit, span in placed:
        assert result[span.start : span.end] == edit.replacement
    back = [Edit("f", span, data[edit.span.start : edit.span.end]) for edit, span in placed]
    assert splice(result, back) == data


@given(st.binary())
def test_no_edit_gives_the_same_object(data: bytes) -> None:
    assert splice(data, []) is data


@pytest.mark.parametrize("spans", [[(0, 3), (2, 4)], [(1, 1), (0, 2)], [(2, 9)], [(-1, 1)], [(3, 2)]])
def test_overlaps_and_spans_outside_are_refused(spans: list[tuple[int, int]]) -> None:
    edits = [Edit("f", Span(start, end), b"x") for start, end in spans]
    with pytest.raises(ValueError, match="edit"):
        splice(b"abcdef", edits)
    with pytest.raises(ValueError, match="edit"):
        after_spans(edits, 6)
