"""Many values are looked up in a text at once, with the answer that one search for each would give."""

from __future__ import annotations

import base64
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from rewriters import Plaintext, Span
from rewriters._undo import traces
from secretscan.prove.traces import Traces

FORMS = st.dictionaries(st.text("kxyz", max_size=3), st.lists(st.binary(max_size=12), max_size=3), max_size=12)


@given(FORMS, st.binary(max_size=200), st.data())
def test_finds_what_a_search_for_each_form_finds(
    forms: dict[str, list[bytes]], text: bytes, data: st.DataObject
) -> None:
    some = [form for each in forms.values() for form in each]
    for form in data.draw(st.lists(st.sampled_from(some), max_size=3)) if some else []:
        text += form
    expected = [key for key, each in forms.items() if any(form and form in text for form in each)]
    assert list(Traces(forms).within(text)) == expected


@given(FORMS, st.binary(max_size=200), st.data())
def test_places_are_those_of_a_search_for_each_form(
    forms: dict[str, list[bytes]], text: bytes, data: st.DataObject
) -> None:
    some = [form for each in forms.values() for form in each]
    for form in data.draw(st.lists(st.sampled_from(some), max_size=3)) if some else []:
        text += form
    expected = {
        Span(at, at + len(form)) for form in some if form for at in range(len(text)) if text.startswith(form, at)
    }
    for padded in (text, text + bytes(600)):  # long texts are searched another way
        found = {span for span in Traces(forms).spans(padded) if span.end <= len(text)}
        assert found == expected


@given(st.lists(st.text("aK9/ü", min_size=8).map(str.encode), min_size=1, max_size=5), st.binary(max_size=20))
def test_what_is_blotted_out_is_gone(values: list[bytes], around: bytes) -> None:
    known = {str(at): Plaintext(value) for at, value in enumerate(values)}
    text = around + around.join(values) + around
    left = Traces.of(known).blot(text, b"***")
    assert not any(form in left for value in known.values() for form in traces(value))


def test_names_the_line_of_every_spelling() -> None:
    value = b"Zt81mwQx/55Lk+77"
    text = b"\n".join((b"a: " + value, b"", b"b: " + base64.b64encode(value), b"", quote(value, safe="").encode()))
    assert Traces.of({"a": Plaintext(value), "b": Plaintext(b"another one")}).lines(text) == {"a": [1, 3, 5]}


def test_shows_nothing_of_its_values() -> None:
    assert repr(Traces.of({"a": Plaintext(b"Zt81mwQx55Lk")})) == "Traces(1)"
