"""Looks for all triggers of all rules in one pass over raw bytes.

Two engines with the same answers: hyperscan (about 1 GB/s), and `re` where hyperscan is not to be had (some MB/s) or
`SECRETSCAN_ENGINE=re` asks for it. Triggers are regular expressions without regard to case that end in something of
fixed width, so both find the same ends. What is found is a candidate; `text` confirms it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Set
from typing import Any, Protocol

from secretscan.detect import store
from secretscan.errors import ConfigurationError

__all__ = ["ENGINE_VARIABLE", "MOST_CANDIDATES", "Engine", "make"]

ENGINE_VARIABLE = "SECRETSCAN_ENGINE"

MOST_CANDIDATES = 10_000
"""How many candidates of one rule are looked at in one file. Beyond that a file is a list of examples or an attack."""


class Engine(Protocol):
    """Finds triggers. `name` is `hyperscan` or `re`."""

    @property
    def name(self) -> str: ...

    def find(self, data: bytes | bytearray, ignored: Set[int] = frozenset()) -> list[tuple[int, int]]:
        """(end of the match, index of the rule), sorted and without repetition. Rules that are ignored cost less."""
        ...


def make(triggers: tuple[tuple[bytes, ...], ...]) -> Engine:
    """The engine for these triggers, given for each rule. Raises `ConfigurationError` when `SECRETSCAN_ENGINE` asks for
    one that there is not."""
    wanted = os.environ.get(ENGINE_VARIABLE, "")
    if wanted not in ("", "hyperscan", "re"):
        raise _unusable("it names no engine")
    if wanted != "re":
        try:
            return _Hyperscan(triggers)
        except ImportError:
            if wanted:
                raise _unusable("hyperscan is not installed for this interpreter") from None
    return _Re(triggers)


def _unusable(why: str) -> ConfigurationError:
    step = "set it to hyperscan or re, or leave it unset to take the fastest that is there"
    return ConfigurationError("cannot use the engine that is asked for", ENGINE_VARIABLE, why, step)


class _Hyperscan:
    name = "hyperscan"

    def __init__(self, triggers: tuple[tuple[bytes, ...], ...]) -> None:
        import platform
        from threading import Lock

        import hyperscan

        flat = [(trigger, index) for index, each in enumerate(triggers) for trigger in each]
        self._rule_of = [index for _, index in flat]
        digest = hashlib.sha256(f"{vars(hyperscan).get('__version__')} {platform.machine()}".encode())
        for trigger, index in flat:
            digest.update(b"%d %d %s\n" % (index, len(trigger), trigger))
        name = f"triggers-{digest.hexdigest()[:32]}.hs"
        # The engine works in a space of the database, which is in use while it looks: a second thread has to wait.
        self._alone = Lock()
        self._database: Any = None
        stored = store.read(name)
        if stored is not None:
            try:
                self._database = hyperscan.loadb(stored, hyperscan.HS_MODE_BLOCK)
                self._database.scratch = hyperscan.Scratch(self._database)
            except Exception:  # noqa: BLE001 - made by another version or for another processor: compiled anew
                self._database = None
        if self._database is None:
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            self._database.compile(
                expressions=[trigger for trigger, _ in flat],
                ids=list(range(len(flat))),
                elements=len(flat),
                flags=[hyperscan.HS_FLAG_CASELESS] * len(flat),
            )
            store.write(name, hyperscan.dumpb(self._database))

    def find(self, data: bytes | bytearray, ignored: Set[int] = frozenset()) -> list[tuple[int, int]]:
        rule_of = self._rule_of
        found: set[tuple[int, int]] = set()
        add = found.add

        def matched(expression: int, start: int, end: int, flags: int, context: object) -> None:
            if (rule := rule_of[expression]) not in ignored:
                add((end, rule))

        with self._alone:
            self._database.scan(data, match_event_handler=matched)
        return sorted(found)


_PLAIN = re.compile(rb"(?:[^\\.^$*+?{}\[\]|()]|\\[^\w])+")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class _Re:
    name = "re"

    def __init__(self, triggers: tuple[tuple[bytes, ...], ...]) -> None:
        self._literals: dict[bytes, list[int]] = {}
        self._patterns: list[tuple[re.Pattern[bytes], int]] = []
        for index, each in enumerate(triggers):
            for trigger in each:
                if _PLAIN.fullmatch(trigger):
                    self._literals.setdefault(_ESCAPED.sub(rb"\1", trigger).lower(), []).append(index)
                else:
                    self._patterns.append((re.compile(trigger, re.IGNORECASE), index))

    def find(self, data: bytes | bytearray, ignored: Set[int] = frozenset()) -> list[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        lowered = bytes(data).lower()
        for literal, rules in self._literals.items():
            at = lowered.find(literal)
            while at >= 0:
                found.update((at + len(literal), rule) for rule in rules)
                at = lowered.find(literal, at + 1)
        for pattern, rule in self._patterns:
            found.update((match.end(), rule) for match in pattern.finditer(data))
        return sorted(each for each in found if each[1] not in ignored)
