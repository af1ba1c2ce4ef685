"""The preview never shows a value, whatever the edit and wherever the value stands."""

from __future__ import annotations

import base64
import string
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from rewriters import Edit, Plaintext, Span
from secretscan.plan.diff import masked_diff
from secretscan.prove.traces import Traces

# Shorter ones of lower-case letters only are ordinary words: they are masked where they were found and nowhere else.
VALUES = st.text(string.ascii_letters + string.digits, min_size=16, max_size=30)
LINES = st.lists(st.text("ab :#'\"\x1b\t", max_size=12), max_size=4)


def found(data: bytes, value: str) -> Span:
    start = data.index(value.encode())
    return Span(start, start + len(value))


def traces(*values: str) -> Traces:
    return Traces.of({value: Plaintext(value.encode()) for value in values})


@given(VALUES, VALUES, LINES, LINES)
def test_moved_and_staying_values_are_masked(moved: str, stays: str, above: list[str], below: list[str]) -> None:
    data = "\n".join([*above, f"a: {moved}", f"b: {stays}", f"again {moved}", *below, ""]).encode()
    first = found(data, moved)
    diff = masked_diff("f", data, [Edit("f", first, b"${A:?}")], [first, found(data, stays)], traces(moved, stays))
    assert moved not in diff.text
    assert stays not in diff.text
    assert "\x1b" not in diff.text
    assert "+a: ${A:?}" in diff.text


def test_a_weak_value_is_masked_where_it_was_found_only() -> None:
    data = b"image: postgres\npassword: postgres\n"
    place = Span(26, 34)
    diff = masked_diff("f", data, [Edit("f", place, b"${A:?}")], [place], traces())
    assert diff.text == "@@ -1,2 +1,2 @@\n image: postgres\n-password: ***\n+password: ${A:?}\n"


@given(VALUES)
def test_no_spelling_of_a_value_shows_in_the_lines_around(value: str) -> None:
    """A comment beside a rewritten line can hold the value in a form that detection does not list."""
    odd = value + "/+"
    coded = base64.b64encode(odd.encode()).decode()
    data = f"# {coded}\na: {odd}\n# {quote(odd, safe='')}\n# see {odd}\n".encode()
    place = found(data, odd)
    diff = masked_diff("f", data, [Edit("f", place, b"${A:?}")], [place], traces(odd))
    assert not any(form in diff.text for form in (odd, coded.rstrip("=")[:-1], quote(odd, safe="")))
