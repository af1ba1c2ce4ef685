"""The filter's language: what is typed, half-typed and mistyped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretscan.review.query import ALL, FACETS, FIXED, Query, Term, parse, toggled

KNOWN = {facet: FIXED.get(facet, ()) for facet in FACETS} | {"platform": ("compose", "aci", "none")}
TYPED = st.text(st.sampled_from('kind:password,state!" \t\nweakQpth/é\x1b\u202e'), max_size=60) | st.text(max_size=600)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("  ", ()),
        ("kind:", ()),
        ("!", ()),
        ('""', ()),
        ("kind:Token,pass", (Term("kind", ("token", "pass")),)),
        ("KIND:token,", (Term("kind", ("token",)),)),
        ("!strength:weak", (Term("strength", ("weak",), negated=True),)),
        ("path:Deploy/ x", (Term("path", ("deploy/",)), Term("", ("x",)))),
        ('path:"my files,"', (Term("path", ("my files,",)),)),
        ('"Two words"', (Term("", ("two words",), literal=True),)),
        ('!"two words', (Term("", ("two words",), negated=True, literal=True),)),
        ('"kind:token"', (Term("", ("kind:token",), literal=True),)),
        ('"!weak"', (Term("", ("!weak",), literal=True),)),
    ],
)
def test_what_is_understood(text: str, terms: tuple[Term, ...]) -> None:
    assert parse(text) == Query(terms)


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("knd:token", "no facet is called knd, so this is looked for as a text; did you mean kind:"),
        ("plat:aci", "no facet is called plat, so this is looked for as a text; did you mean platform:"),
        ("kind:tokken", "no kind begins with tokken; there are password, token,"),
        ("zzzzz:5000", "there are state, kind,"),
        ("a" * 501, "only the first 500 characters count"),
        ("\x1b[2Jx:1", "\\x1b[2jx"),
    ],
)
def test_what_is_not_understood_is_said(text: str, flaw: str) -> None:
    query = parse(text)
    assert flaw in " ".join(query.flaws)
    assert " ".join(query.flaws).isprintable()


def test_a_word_with_an_unknown_name_is_still_looked_for() -> None:
    assert parse("registry:5000").terms == (Term("", ("registry:5000",)),)


@pytest.mark.parametrize(
    ("text", "facets"),
    [
        ("weak", {"strength": {"weak"}}),
        ("aci", {"platform": {"aci"}}),
        ("placeholder", {"state": {"placeholder"}, "strength": {"placeholder"}}),
        ("wea", {}),
        ('"weak"', {}),
        ("yes", {}),
        ("none", {}),
        ("platform:none", {"platform": {"none"}}),
        ("kind:p", {"kind": {"password", "private-key"}}),
        ("platform:x", {"platform": set()}),
        ("path:weak", {}),
    ],
)
def test_what_a_word_asks_of_the_facets(text: str, facets: dict[str, set[str]]) -> None:
    (term,) = parse(text).terms
    assert term.facets(KNOWN) == facets


@given(TYPED)
def test_never_fails(text: str) -> None:
    query = parse(text)
    assert all(flaw.isprintable() for flaw in query.flaws)
    for term in query.terms:
        assert term.values
        assert "\n" not in "".join(term.values)
        term.facets(KNOWN)


@given(TYPED.map(lambda text: text[:300]), st.sampled_from(FACETS), st.sampled_from(["token", "my image", "a,b"]))
def test_adding_a_value_and_taking_it_out_again(text: str, facet: str, value: str) -> None:
    text = text.replace('"', "")
    if any(term.name == facet and value in term.values for term in parse(text).terms):
        return
    added = toggled(text, facet, value)  # type: ignore[arg-type]
    assert parse(added).terms == (*parse(text).terms, Term(facet, (value,)))  # type: ignore[arg-type]
    assert parse(toggled(added, facet, value)).terms == parse(text).terms  # type: ignore[arg-type]


def test_taking_one_of_two_values_out() -> None:
    assert toggled("x kind:token,password y", "kind", "token") == "x kind:password y"
    assert toggled("kind:token", "kind", "token") == ""
    assert parse(toggled("", "source", "my image")) == Query((Term("source", ("my image",)),))
    assert parse(toggled("", "kind", "token")) != ALL
