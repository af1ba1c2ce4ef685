"""The words of a command that is written as one text, as Compose divides it.

Source: go-shellwords 1.0, `Parser.Parse`, which Compose calls on the text after its variables are put in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Span

__all__ = ["Word", "words"]

_WORD = re.compile(
    rb"""(?P<double>"(?P<in_double>[^"\\]*)"(?=[ \t\r\n]|\Z))|(?P<single>'(?P<in_single>[^'\\]*)'(?=[ \t\r\n]|\Z))|"""
    rb"""(?P<plain>(?:\\.|\$\{[^}\n]{0,500}\}|"(?:\\.|[^"\\])*"|'[^']*'|[^ \t\r\n"'\\]|["'\\])+)""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Word:
    """`span` is the word's own text: without the quotes when one pair of them encloses all of it. `simple` says that
    the program gets just this text, once variables are put in."""

    span: Span
    simple: bool


def words(text: bytes) -> Iterator[Word]:
    """The words in order."""
    for match in _WORD.finditer(text):
        if match["double"] is not None:
            yield Word(Span(*match.span("in_double")), True)
        elif match["single"] is not None:
            yield Word(Span(*match.span("in_single")), True)
        else:
            yield Word(Span(*match.span()), not re.search(rb"[\"'\\]", match[0]))
