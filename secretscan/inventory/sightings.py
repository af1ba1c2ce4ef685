"""Places as lists show them: those of a scan that is under way, and those that the inventory holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from secretscan.model import Finding, Sighting, SightingState

__all__ = ["QUERY", "Sighter", "held", "named", "of_row"]

QUERY = """
SELECT o.secret, o.rule, s.kind, s.strength, o.source, o.path, o.pointer, o.key, o.platform, o.encoding, o.state,
    o.reason, s.name, o.line, o.column, o.ordinal
FROM occurrence o JOIN secret s ON s.id = o.secret
WHERE (o.source, o.path, o.secret, o.pointer, o.ordinal) > (?, ?, ?, ?, ?)
ORDER BY o.source, o.path, o.secret, o.pointer, o.ordinal LIMIT ?
"""
"""So many places of the inventory after one of them, in the order of an index: nothing is sorted for the first."""

_STATES: dict[str, SightingState] = {"present": "present", "migrated": "migrated", "gone": "gone"}
_MOST = 2**31
_LONGEST_CHAIN = 1000


def held(text: str) -> str:
    """Text as the inventory holds it: what is no character (a byte of a file name that is not UTF-8) as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def named(text: str) -> str:
    """A path as the file system has it, of one that is `held` and whose name is not UTF-8."""
    return re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda match: chr(int(match[1], 16)), text)


class Sighter:
    """Makes the sightings of one scan, file by file. Equal texts are kept once, since a scan may find 50,000."""

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def of_file(self, found: Iterable[tuple[str, Finding]]) -> tuple[Sighting, ...]:
        """All findings of one file, each with the id of its secret, in the order in which the inventory takes them."""
        times: Counter[tuple[str, str]] = Counter()
        sightings: list[Sighting] = []
        for secret, finding in found:
            place = finding.location
            pointer = self._once(place.pointer)
            sightings.append(
                Sighting(
                    secret=self._once(secret),
                    rule=finding.rule,
                    kind=finding.kind,
                    strength=finding.strength,
                    source=place.source,
                    path=self._once(place.path),
                    pointer=pointer,
                    key=self._once(place.key),
                    platform=place.platform,
                    encoding=finding.encoding,
                    line=place.line,
                    column=place.column,
                    ordinal=times[secret, pointer],
                    reason=self._once(finding.reason),
                )
            )
            times[secret, pointer] += 1
        return tuple(sightings)

    def _once(self, text: str) -> str:
        text = held(text)
        return self._texts.setdefault(text, text)


def of_row(row: tuple[object, ...], texts: dict[str, str], chains: dict[str, tuple[str, ...]]) -> Sighting:
    """A row of `QUERY`; `texts` and `chains` keep equal ones once. Raises `TypeError` and `ValueError` for a row that
    cannot be ours: SQLite holds anything in any column."""
    *words, line, column, ordinal = row
    if not (type(line) is type(column) is type(ordinal) is int):
        raise TypeError
    if not (0 <= line < _MOST and 0 <= column < _MOST and 0 <= ordinal < _MOST):
        raise ValueError
    once: list[str] = []
    for word in words:
        if not isinstance(word, str):
            raise TypeError
        once.append(texts.setdefault(word, word))
    secret, rule, kind, strength, source, path, pointer, key, platform, chain, state, reason, name = once
    if len(chain) > _LONGEST_CHAIN or not all(map(str.isprintable, (rule, kind, strength, source, platform))):
        raise ValueError  # words of ours, which lists and filters show as they are
    if chain not in chains:
        import json

        chains[chain] = tuple(str(codec) for codec in json.loads(chain))
        if not all(map(str.isprintable, chains[chain])):
            raise ValueError
    if state not in _STATES:
        raise ValueError
    return Sighting(
        *(secret, rule, kind, strength, source, path, pointer, key, platform, chains[chain]),
        *(line, column, ordinal, _STATES[state], reason, name),
    )
