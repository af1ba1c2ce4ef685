"""How many tokens of Bicep stand where no expression has them: each of many errors costs a grammar time that grows.

A text with a few errors is read about as fast as one without; one of nothing but errors takes hours per megabyte.
"""

from __future__ import annotations

from collections.abc import Iterable

from rewriters._bicep_tokens import Token

__all__ = ["hopeless"]

MOST = 150
_ENDS = ("id", "number", "text", "lines", "right")
_BEGINS = ("id", "number", "text", "lines", "left")
_OPENS, _CLOSES = ("(", "[", "[?", "{"), (")", "]", "}")
_BETWEEN = frozenset(
    "+ - * / % == != < > <= >= && || ?? =~ !~ . .? :: ? : , = => | ! ... ( [ [? { ) ] }".split()  # noqa: SIM905 - marks
)
_UNARY = ("!", "-", "...")
_WORDS = frozenset(("for", "in", "if", "resource", "existing", "as", "from", "with"))


def hopeless(tokens: Iterable[Token]) -> bool:
    """Whether so many tokens are out of place that a grammar is not asked."""
    count = 0
    before = Token("line", 0, 0, "")
    marks: list[set[str]] = [set()]
    for token in tokens:
        mark = token.text if token.kind == "op" else ""
        ended = before.kind in _ENDS or before.text in _CLOSES
        if token.kind in _BEGINS:
            count += ended and before.text not in _WORDS
        elif mark:
            count += mark not in _BETWEEN
            alone = mark in _UNARY or mark in _OPENS or mark in _CLOSES
            count += not alone and before.kind == "op" and before.text not in _CLOSES and before.text not in ("?", "!")
        if mark in _OPENS or token.kind == "left":
            marks.append(set())
        elif (mark in _CLOSES or token.kind == "right") and len(marks) > 1:
            marks.pop()
        elif mark in (",", "?") or token.kind == "line":
            marks[-1].clear()
        elif mark in (":", "=", "=>"):
            count += mark in marks[-1]
            marks[-1].add(mark)
        if count > MOST:
            return True
        before = token
    return False
