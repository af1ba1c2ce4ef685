"""The language of the filter: `kind:token platform:aci !weak path:deploy/ "two words"`.

Words that stand side by side all have to hold. `facet:value` asks for a value of a facet by its beginning, and several
values of one facet (`kind:token,password`, or the facet twice) are alternatives. `field:text` looks for a text in one
field. A word alone is a value of a facet if there is one of that name, else a text in any field; in quotes it is always
a text. `!` before any of them takes out what it asks for. Nothing minds upper and lower case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from secretscan.errors import printable
from secretscan.model import Kind, Strength

__all__ = ["ALL", "FACETS", "FIELDS", "FIXED", "Facet", "Field", "Query", "Term", "parse", "toggled"]

Facet = Literal["state", "kind", "strength", "platform", "source", "rewritable"]
Field = Literal["path", "key", "name", "rule", "secret"]

FACETS: tuple[Facet, ...] = get_args(Facet)
FIELDS: tuple[Field, ...] = get_args(Field)

FIXED: Mapping[Facet, tuple[str, ...]] = {
    "state": ("open", "stored", "migrated", "gone", "false-alarm", "accepted", "placeholder"),
    "kind": get_args(Kind),
    "strength": get_args(Strength),
    "rewritable": ("yes", "no"),
}
"""The values of the facets that have the same ones everywhere, in the order in which they are listed."""

_SAY_NOTHING_ALONE = ("yes", "no", "none")
_LONGEST = 500
"""Characters of a filter that count: a person types it, and each word costs a search."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: any of the `values`, in small letters, of the facet or field `name`; of a word alone the name is
    empty. `literal` marks a word in quotes."""

    name: Facet | Field | Literal[""]
    values: tuple[str, ...]
    negated: bool = False
    literal: bool = False

    def facets(self, known: Mapping[Facet, Collection[str]]) -> dict[Facet, frozenset[str]]:
        """The facets that it asks for, each with the values meant, given those `known`. Nothing for a text; no values
        when the facet has none that begins like this. A word alone may be a value of two facets."""
        for facet in FACETS:
            if facet == self.name:
                meant = (_meant(value, known[facet]) for value in self.values)
                return {facet: frozenset(name for names in meant for name in names)}
        if self.name or self.literal or self.values[0] in _SAY_NOTHING_ALONE:
            return {}
        exact = {facet: _exactly(self.values[0], (*FIXED.get(facet, ()), *known[facet])) for facet in FACETS}
        return {facet: names for facet, names in exact.items() if names}


@dataclass(frozen=True, slots=True)
class Query:
    """What was typed, as conditions that all have to hold. `flaws` says, as sentences, what of it is not understood."""

    terms: tuple[Term, ...] = ()
    flaws: tuple[str, ...] = ()


ALL = Query()


def parse(text: str) -> Query:
    """Never fails: a half-typed word asks for nothing yet, and what is not understood is a flaw."""
    terms: list[Term] = []
    flaws: list[str] = []
    if len(text) > _LONGEST:
        flaws.append(f"only the first {_LONGEST} characters count")
    for word in _words(text[:_LONGEST]):
        term, flaw = _term(word)
        if term is not None:
            terms.append(term)
        if flaw:
            flaws.append(flaw)
    return Query(tuple(terms), tuple(flaws))


def toggled(text: str, facet: Facet, value: str) -> str:
    """The filter with this value of a facet added, or taken out where it was asked for by its whole name."""
    kept: list[str] = []
    there = False
    for word in _words(text[:_LONGEST]):
        term, _ = _term(word)
        if term is not None and term.name == facet and not term.negated and value.casefold() in term.values:
            there = True
            others = [other for other in term.values if other != value.casefold()]
            if others:
                kept.append(f"{facet}:{','.join(map(_quoted, others))}")
        else:
            kept.append("".join(word.source))
    return " ".join(kept if there else [*kept, f"{facet}:{_quoted(value)}"])


@dataclass(frozen=True, slots=True)
class _Word:
    """A word as typed, and its characters without the quotes, each with whether it stood in quotes."""

    source: list[str]
    chars: list[tuple[str, bool]]


def _words(text: str) -> Iterator[_Word]:
    word = _Word([], [])
    quoted = False
    for char in text:
        if char.isspace() and not quoted:
            if word.source:
                yield word
            word = _Word([], [])
            continue
        word.source.append(char)
        if char == '"':
            quoted = not quoted
        else:  # fields are searched with a line break between them
            word.chars.append((" " if char.isspace() else char, quoted))
    if word.source:
        yield word


def _term(word: _Word) -> tuple[Term | None, str]:
    chars = word.chars
    negated = chars[:1] == [("!", False)]
    if negated:
        chars = chars[1:]
    text = "".join(char for char, _ in chars)
    colon = next((at for at, char in enumerate(chars) if char == (":", False)), -1)
    name = text[:colon].casefold() if colon > 0 else ""
    for known in (*FACETS, *FIELDS):
        if name == known:
            values = tuple(value for value in _values(chars[colon + 1 :]) if value)
            term = Term(known, values, negated) if values else None
            return term, _unknown_value(known, values)
    literal = any(quoted for _, quoted in chars)
    term = Term("", (text.casefold(),), negated, literal) if text else None
    return term, _unknown_name(name) if name and not literal else ""


def _values(chars: list[tuple[str, bool]]) -> list[str]:
    values = [""]
    for char, quoted in chars:
        if char == "," and not quoted:
            values.append("")
        else:
            values[-1] += char
    return [value.casefold() for value in values]


def _unknown_value(name: Facet | Field, values: tuple[str, ...]) -> str:
    for facet, known in FIXED.items():
        for value in values if facet == name else ():
            if not _meant(value, known):
                return f"no {facet} begins with {printable(value)}; there are {', '.join(known)}"
    return ""


def _unknown_name(name: str) -> str:
    from difflib import get_close_matches

    known = (*FACETS, *FIELDS)
    near = [each for each in known if each.startswith(name)] or get_close_matches(name, known, 1, 0.5)
    hint = f"; did you mean {near[0]}:" if near else f"; there are {', '.join(known)}"
    return f"no facet is called {printable(name)}, so this is looked for as a text{hint}"


def _meant(value: str, known: Collection[str]) -> frozenset[str]:
    """The values of that name, else those that begin with it."""
    return _exactly(value, known) or frozenset(each for each in known if each.casefold().startswith(value))


def _exactly(value: str, known: Collection[str]) -> frozenset[str]:
    return frozenset(each for each in known if each.casefold() == value)


def _quoted(value: str) -> str:
    return f'"{value}"' if any(char.isspace() or char in ",:!" for char in value) else value
