"""Text rules over bytes: candidates from the engine, confirmed in small windows.

What a rule finds depends on the bytes around a candidate alone, never on where a buffer begins or which engine found
the candidate. So a file read in windows gives what the whole file gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from rewriters import Span
from secretscan.detect import shapes
from secretscan.detect.assignments import Syntax, at
from secretscan.detect.engine import MOST_CANDIDATES, Engine, make
from secretscan.detect.ruleset import MOST_BACK, Rule, compiled, load
from secretscan.detect.strength import strength
from secretscan.model import Kind, Strength

__all__ = ["LOOK_BEHIND", "MOST_FOUND", "Hit", "TextRules"]

MOST_FOUND = 1000
"""How many finds of one rule are kept for one file."""

_PIECE = 1 << 20

LOOK_BEHIND = 64
"""Bytes before a window that look-behind may see; a buffer holds them unless the file begins later."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A credential in a text: the rule, its bytes, and what is to be said of it. `key` is the name before it."""

    rule: Rule
    span: Span
    kind: Kind
    strength: Strength
    key: str = ""


@dataclass(slots=True)
class Tally:
    """What was looked at and found in one file, for the bounds. Shared by the windows of the file."""

    candidates: Counter[int] = field(default_factory=Counter)
    found: Counter[int] = field(default_factory=Counter)
    exceeded: set[int] = field(default_factory=set)


@cache
def _engine() -> Engine:
    return make(tuple(rule.triggers for rule in load()))


class TextRules:
    """All text rules and the engine for them. Made once; holds nothing of what was scanned."""

    def __init__(self) -> None:
        self.rules = load()
        self._engine = _engine()

    @property
    def engine(self) -> str:
        """The name of the engine in use."""
        return self._engine.name

    def find(
        self,
        data: bytes | bytearray,
        syntax: Syntax,
        *,
        binary: bool = False,
        tally: Tally | None = None,
        own: Span | None = None,
        claimed: bool = False,
    ) -> list[Hit]:
        """The credentials in these bytes by position, the better rule first where two find the same.

        `own` restricts candidates to ends within it, `(start, end]`: the part of a file that this window answers for.
        `claimed` leaves out the rules that are of no use in a platform's file, whose slots are judged by name.
        """
        tally = tally if tally is not None else Tally()
        own = own if own is not None else Span(-1, len(data))
        hits: dict[tuple[int, int, str], Hit] = {}
        for end, index in self._candidates(data, own, tally):
            rule = self.rules[index]
            if (binary and rule.scope != "any") or (claimed and rule.scope == "free"):
                continue
            tally.candidates[index] += 1
            if tally.candidates[index] > MOST_CANDIDATES or tally.found[index] >= MOST_FOUND:
                tally.exceeded.add(index)
                continue
            for hit in _confirm(rule, data, end, syntax):
                place = (hit.span.start, hit.span.end, rule.id)
                if place not in hits:
                    hits[place] = hit
                    tally.found[index] += 1
        return best(list(hits.values()))

    def _candidates(self, data: bytes | bytearray, own: Span, tally: Tally) -> Iterator[tuple[int, int]]:
        """(end, index of the rule) of the candidates, a piece of the bytes at a time: there may be very many."""
        if len(data) <= _PIECE:
            yield from (each for each in self._engine.find(data, tally.exceeded) if own.start < each[0] <= own.end)
            return
        for start in range(max(own.start, 0), own.end, _PIECE):
            stop = min(start + _PIECE, own.end)
            base = max(0, start - MOST_BACK)
            for end, index in self._engine.find(data[base:stop], tally.exceeded):
                if max(start, own.start) < end + base:
                    yield end + base, index


def best(hits: list[Hit]) -> list[Hit]:
    """One hit for each place: of hits that overlap, the one of a vendor's form, the more certain, the longer."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=_rank):
        if not any(hit.span.touches(other.span) for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda hit: (hit.span, hit.rule.id))


_CONFIDENCE = {"high": 0, "medium": 1, "low": 2}


def _rank(hit: Hit) -> tuple[bool, int, int, int, str]:
    return (hit.rule.generic, _CONFIDENCE[hit.rule.confidence], -len(hit.span), hit.span.start, hit.rule.id)


def _confirm(rule: Rule, data: bytes | bytearray, end: int, syntax: Syntax) -> Iterator[Hit]:
    if rule.reader == "assignment":
        found = at(data, end, syntax, rule.reach)
        if found is not None:
            yield Hit(rule, found.span, found.kind, found.strength, found.key)
        return
    start, stop = max(0, end - rule.back), min(len(data), end + rule.reach)
    if rule.needs:
        window = bytes(data[start:stop]).lower()
        if not any(need in window for need in rule.needs):
            return
    if rule.plugin:
        from secretscan.detect.plugins import secrets

        start, stop = _line(data, end, start, stop)
        spans: Iterator[Span] = (Span(start + a, start + b) for a, b in secrets(rule.plugin, bytes(data[start:stop])))
    else:
        spans = _matches(rule, data, start, stop, end)
    for span in spans:
        judged = _judged(rule, bytes(data[span.start : span.end]), syntax)
        if judged is not None:
            yield Hit(rule, span, rule.kind, judged)


def _matches(rule: Rule, data: bytes | bytearray, start: int, stop: int, end: int) -> Iterator[Span]:
    for match in compiled(rule.pattern).finditer(data, start, stop):
        if match.start() < end and (rule.multiple or match.end() >= end):
            yield Span(*match.span("secret"))
        elif match.start() >= end and not rule.multiple:
            return


def _line(data: bytes | bytearray, end: int, start: int, stop: int) -> tuple[int, int]:
    """The line of `end` as far as it lies in the window."""
    first = max(data.rfind(b"\n", start, end - 1) + 1, start)
    last = data.find(b"\n", end, stop)
    return first, stop if last < 0 else last


def _judged(rule: Rule, raw: bytes, syntax: Syntax) -> Strength | None:
    """How strong the value is; nothing when it is none after all."""
    text = raw.decode("utf-8", "surrogateescape")
    if len(set(text)) < rule.distinct and not rule.weak:
        return None
    if shapes.is_reference(text) or shapes.is_mask(text) or shapes.is_template(text) or not text.strip():
        return None
    if rule.generic and (len(text) < _SHORTEST or shapes.harmless(text)):
        return None
    if rule.random and not shapes.looks_random(text):
        return None
    found = strength(text)
    if not rule.generic and not rule.weak:
        return "strong"
    if rule.generic and syntax is Syntax.PROSE and not shapes.looks_random(text):
        return None
    believed = _WEAK_BELIEVED if rule.weak else (Syntax.SETTINGS,)
    return found if found == "strong" or syntax in believed else None


_SHORTEST = 3
"""Bytes of a value that only its surroundings make a credential: less is punctuation, most of the time."""

_WEAK_BELIEVED = (Syntax.SETTINGS, Syntax.SHELL, Syntax.PLAIN)
