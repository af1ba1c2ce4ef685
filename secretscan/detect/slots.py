"""Slots to findings: what the names say of them, and what the text rules see in their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from rewriters import Plaintext, Slot, Span
from rewriters._encode import SYNTAX, Undecodable, locate
from secretscan.detect.assignments import Syntax, syntax_of
from secretscan.detect.judge import Verdict, is_structured, judge
from secretscan.detect.lines import Lines, locate_in
from secretscan.model import Finding

if TYPE_CHECKING:
    from secretscan.detect.text import Hit, Tally, TextRules

__all__ = ["slot_findings"]

_MOST_OF = 0.8
"""A vendor's form that makes up this share of a value names the value as a whole."""


def slot_findings(
    rules: TextRules, slots: tuple[Slot, ...], raw: bytes, lines: Lines, source: str, tally: Tally
) -> list[Finding]:
    """The findings in the slots of one file; one for each place, also when two platforms have it as a slot."""
    findings: list[Finding] = []
    for slot in _distinct(slots):
        value = slot.value.reveal()
        if value:
            findings += (
                _finding(slot, verdict, raw, lines, source) for verdict in _verdicts(rules, slot, value, tally)
            )
    findings += (_finding(slot, verdict, raw, lines, source) for slot, verdict in _commands(rules, slots, tally))
    return _one_for_each_place(findings)


def _distinct(slots: tuple[Slot, ...]) -> list[Slot]:
    """One slot for each place in the file, preferably one that can take a reference."""
    by_place: dict[Span, Slot] = {}
    for slot in slots:
        known = by_place.get(slot.span)
        if known is None or (slot.targets and not known.targets):
            by_place[slot.span] = slot
    return list(by_place.values())


def _one_for_each_place(findings: list[Finding]) -> list[Finding]:
    """Slots may lie within each other: a command, and a password in it. The inner one says more; one that can take a
    reference says most. Values that only share a place, as parts of one base64 text do, stay."""
    kept: list[Finding] = []
    cluster: list[Finding] = []
    end = 0
    for finding in sorted(findings, key=lambda each: each.location.span):
        if finding.location.span.start >= end:
            kept += _best(cluster)
            cluster = []
        cluster.append(finding)
        end = max(end, finding.location.span.end)
    return kept + _best(cluster)


def _best(cluster: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in sorted(cluster, key=_rank):
        value = finding.value.reveal()
        if not any(
            finding.location.span.touches(other.location.span)
            and (value in other.value.reveal() or other.value.reveal() in value)
            for other in kept
        ):
            kept.append(finding)
    return kept


def _commands(rules: TextRules, slots: tuple[Slot, ...], tally: Tally) -> Iterator[tuple[Slot, Verdict]]:
    """What the words of a command say together, where each is a slot: `mysqladmin`, `-u`, `root`, `-pPASSWORD`."""
    commands: dict[tuple[str, str], list[Slot]] = {}
    for slot in slots:
        command, _, word = slot.pointer.rpartition(".")
        if slot.place == "arg" and word.isdigit():
            commands.setdefault((slot.platform, command), []).append(slot)
    for words in commands.values():
        values = [slot.value.reveal() for slot in words]
        if len(words) < 2 or any(b"\n" in value for value in values):
            continue
        for hit in rules.find(b" ".join(values), Syntax.SHELL, tally=tally):
            start = 0
            for slot, value in zip(words, values, strict=True):
                if start <= hit.span.start and hit.span.end <= start + len(value):
                    inner = replace(hit, span=Span(hit.span.start - start, hit.span.end - start))
                    yield slot, _verdict(inner, value)
                start += len(value) + 1


def _rank(finding: Finding) -> tuple[bool, int, bool, Span]:
    size = len(finding.slot.span) if finding.slot is not None else 0
    return (not finding.references, size, finding.part is not None, finding.location.span)


def _verdicts(rules: TextRules, slot: Slot, value: bytes, tally: Tally) -> list[Verdict]:
    whole = judge(_key(slot), slot.place, value)
    lined = b"\n" in value.strip()
    hits = rules.find(value, _syntax(slot, lined), tally=tally)
    parts = [_verdict(hit, value) for hit in hits]
    if whole is None:
        return parts
    if whole.part is not None or not hits:
        return [whole]
    vendors = [hit for hit in hits if not hit.rule.generic]
    for hit in vendors:
        if len(hit.span) >= _MOST_OF * len(value.strip()):
            return [
                replace(whole, rule=hit.rule.id, kind=hit.kind, confidence=hit.rule.confidence, strength=hit.strength)
            ]
    # A name that says credential over a URL or a connection string: the credential is the part of it that is one.
    return parts if is_structured(value) and whole.rule == "credential-by-name" else [whole]


def _key(slot: Slot) -> str:
    """The name that says what the value is: of a pair `name`, `value` it is the step before."""
    steps = slot.pointer.rsplit(".", 2)
    return steps[-2] if slot.key == "value" and len(steps) == 3 else slot.key


def _syntax(slot: Slot, lined: bool) -> Syntax:
    """What kind of text a value is: a file by its name, else settings when it has lines, else words of a command."""
    if slot.place in ("arg", "build") or not lined:
        return Syntax.SHELL
    named = syntax_of(slot.key) if "." in slot.key else Syntax.SETTINGS
    return Syntax.SETTINGS if named is Syntax.PROSE and slot.place == "secret" else named


def _verdict(hit: Hit, value: bytes) -> Verdict:
    part = None if hit.span == Span(0, len(value)) else hit.span
    return Verdict(hit.rule.id, hit.kind, hit.strength, hit.rule.confidence, part)


def _finding(slot: Slot, verdict: Verdict, raw: bytes, lines: Lines, source: str) -> Finding:
    value = slot.value
    span = slot.span
    if verdict.part is not None:
        whole = slot.value.reveal()
        value = Plaintext(whole[verdict.part.start : verdict.part.end])
        found = _locate(slot, whole, raw[slot.span.start : slot.span.end], verdict.part)
        if found is not None:
            span = Span(slot.span.start + found.start, slot.span.start + found.end)
    place = locate_in(lines, slot.path, source, span)
    return Finding(
        rule=verdict.rule,
        kind=verdict.kind,
        strength=verdict.strength,
        confidence=verdict.confidence,
        location=replace(place, pointer=slot.pointer, key=slot.key, platform=slot.platform),
        value=value,
        encoding=tuple(name.partition(":")[0] for name in slot.encoding if name.partition(":")[0] not in SYNTAX),
        references=slot.targets,
        reason="" if slot.targets else slot.reason,
        slot=slot,
        part=verdict.part,
    )


def _locate(slot: Slot, value: bytes, literal: bytes, part: Span) -> Span | None:
    """The bytes of the file that stand for a part of the value; nothing when the encoding does not let them be told.

    Where a codec has no way back (a folded block), a part that stands in the file as it is, and as often, is found by
    counting.
    """
    try:
        found = locate(slot.encoding, literal, part)
    except Undecodable:
        return None
    sought = value[part.start : part.end]
    if found is not None or literal.count(sought) != value.count(sought):
        return found
    at = -1
    for _ in range(value.count(sought, 0, part.start) + 1):
        at = literal.find(sought, at + 1)
    return Span(at, at + len(sought))
