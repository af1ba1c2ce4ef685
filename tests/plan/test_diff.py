"""The preview never shows a value, whatever the edit and wherever the value stands."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from rewriters import Edit, Plaintext, Span
from secretscan.model import Finding, Location
from secretscan.plan.diff import masked_diff

VALUES = st.text(string.ascii_letters + string.digits, min_size=12, max_size=30)
LINES = st.lists(st.text("ab :#'\"\x1b\t", max_size=12), max_size=4)


def found(data: bytes, value: str, strength: str = "strong") -> Finding:
    start = data.index(value.encode())
    place = Location("tree", "f", Span(start, start + len(value)), 1, 1, 1, 1)
    return Finding("r", "password", strength, "high", place, Plaintext(value.encode()))  # type: ignore[arg-type]


@given(VALUES, VALUES, LINES, LINES)
def test_moved_and_staying_values_are_masked(moved: str, stays: str, above: list[str], below: list[str]) -> None:
    data = "\n".join([*above, f"a: {moved}", f"b: {stays}", f"again {moved}", *below, ""]).encode()
    first = found(data, moved)
    edit = Edit("f", first.location.span, b"${A:?}")
    diff = masked_diff("f", data, [edit], [first, found(data, stays)], [first.location.span])
    assert moved not in diff.text
    assert stays not in diff.text
    assert "\x1b" not in diff.text
    assert "+a: ${A:?}" in diff.text


def test_a_weak_value_is_masked_where_it_was_found_only() -> None:
    data = b"image: postgres\npassword: postgres\n"
    finding = Finding(
        "r", "password", "weak", "high", Location("tree", "f", Span(26, 34), 2, 11, 2, 19), Plaintext(b"postgres")
    )
    diff = masked_diff("f", data, [Edit("f", Span(26, 34), b"${A:?}")], [finding], [Span(26, 34)])
    assert diff.text == "@@ -1,2 +1,2 @@\n image: postgres\n-password: ***\n+password: ${A:?}\n"
