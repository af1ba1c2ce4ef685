"""All places of a root in columns, made to be filtered, counted, grouped and sorted at every key.

50,000 places are asked in a few milliseconds: each facet is a column of one byte a place, so that a condition is a
translation of bytes, several are one AND of long integers, and counting is counting bits. Texts are searched in the
different values of each field. A place keeps its index for as long as the table lives.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial, reduce
from itertools import accumulate, chain, compress
from operator import and_, or_
from typing import TYPE_CHECKING

from secretscan.model import Sighting, SightingState
from secretscan.review.query import ALL, FACETS, FIXED, Facet, Query, Term
from secretscan.review.view import Group, Row, Sort, View

if TYPE_CHECKING:
    from datetime import date

    from secretscan.inventory.marks import Marks

__all__ = ["MORE", "Group", "Row", "Sort", "Table", "View"]

MORE = "more"
"""The value of a facet under which those beyond the 254th are counted together."""

_MOST = 254
_FLAGS = bytes((0, *[255] * 255))
_STATES: tuple[SightingState, ...] = ("present", "migrated", "gone")
_NO_PLATFORM = "none"

_LEAST_OF_ID = 4
"""Characters from which on a word alone is looked for in ids, too: nearly every id holds a shorter one."""
_HEX = frozenset("0123456789abcdef")


class _Column:
    """One facet: a code for each place, from 1, and the values of the codes."""

    __slots__ = ("_codes", "_fixed", "bytes", "values")

    def __init__(self, values: Sequence[str] = ()) -> None:
        """`values` are those that are listed first, in this order."""
        self._fixed = bool(values)
        self.bytes = bytearray()
        self.values: list[str] = []
        self._codes: dict[str, int] = {}
        for value in values:
            self.code(value)

    def code(self, value: str) -> int:
        code = self._codes.get(value)
        if code is not None:
            return code
        if len(self.values) >= _MOST:
            if len(self.values) == _MOST:
                self.values.append(MORE)
            return _MOST + 1
        self.values.append(value)
        code = self._codes[value] = len(self.values)
        return code

    def where(self, holds: Callable[[str], bool]) -> int:
        """A byte of ones for each place whose value holds, a byte of zeros for the others, as a number."""
        table = bytearray(256)
        for code, value in enumerate(self.values, 1):
            if holds(value):
                table[code] = 255
        return int.from_bytes(self.bytes.translate(table), "little")

    def counts(self, left: int) -> tuple[tuple[str, int], ...]:
        """The values that there are in the table, each with its places among those that are left."""
        there = [(value, code) for code, value in enumerate(self.values, 1) if code in self.bytes]
        if not self._fixed:
            there.sort()
        ones = ((value, int.from_bytes(self.bytes.translate(_one(code)), "little")) for value, code in there)
        return tuple((value, (places & left).bit_count()) for value, places in ones)

    def put(self, index: int, value: str) -> None:
        self.bytes[index] = self.code(value)

    def __getitem__(self, index: int) -> str:
        return self.values[self.bytes[index] - 1]


@dataclass(slots=True)
class _Asked:
    """A query against the values that there are: for each facet the values that may be (`None` for all) and those that
    may not; words that are values of several facets; and texts."""

    wanted: dict[Facet, set[str] | None] = field(default_factory=dict)
    unwanted: dict[Facet, set[str]] = field(default_factory=dict)
    either: list[tuple[dict[Facet, frozenset[str]], bool]] = field(default_factory=list)
    texts: list[Term] = field(default_factory=list)

    @staticmethod
    def of(query: Query, known: Mapping[Facet, Collection[str]]) -> _Asked:
        asked = _Asked()
        for term in query.terms:
            facets = term.facets(known)
            if not facets:
                asked.texts.append(term)
            elif len(facets) > 1:
                asked.either.append((facets, term.negated))
            for facet, values in facets.items() if len(facets) == 1 else ():
                asked.wanted.setdefault(facet, None)
                if term.negated:
                    asked.unwanted.setdefault(facet, set()).update(values)
                else:
                    asked.wanted[facet] = (asked.wanted[facet] or set()) | values
        return asked

    def holds(self, facet: Facet, value: str) -> bool:
        wanted = self.wanted[facet]
        return (wanted is None or value in wanted) and value not in self.unwanted.get(facet, ())


class Table:
    """The places. Feed it with `extend` from the inventory and with `replace` while files are scanned, in any order."""

    def __init__(self) -> None:
        self._secret: list[str] = []
        self._path: list[str] = []
        self._pointer: list[str] = []
        self._key: list[str] = []
        self._rule: list[str] = []
        self._reason: list[str] = []
        self._own: list[str] = []
        """Pointer and key in small letters: texts that are different for nearly every place."""
        self._encoding: list[tuple[str, ...]] = []
        self._line = array("I")
        self._column = array("I")
        self._ordinal = array("I")
        self._found = bytearray()
        self._facets: dict[Facet, _Column] = {facet: _Column(FIXED.get(facet, ())) for facet in FACETS}
        self._files: dict[str, array[int]] = {}
        self._names: dict[str, str] = {}
        self.strong: set[str] = set()
        """The ids of all strong values, those that stood here once included."""
        self._marks: Marks | None = None
        self._marked: frozenset[str] = frozenset()
        self._today: date | None = None
        self._scanned: set[tuple[str, str]] = set()
        # Put right before the next look, so that a scan under way pays for it once a screen and not once a file.
        self._unsorted: set[str] = set()
        self._unsettled: set[str] = set()
        self._orders: dict[Sort, array[int]] = {}
        self._held: dict[tuple[str, str], int] = {}
        """The places that hold a text in a field, by the field (or none) and the texts that were asked for."""
        self._everything: dict[tuple[Sort, Group], View] = {}
        """What no query leaves out, as it was asked for last."""
        self._in_groups_known: dict[tuple[Sort, Group], tuple[array[int], list[str]]] = {}

    def __len__(self) -> int:
        return len(self._secret)

    def __getitem__(self, index: int) -> Sighting:
        """The place of an index."""
        secret, facets = self._secret[index], self._facets
        return Sighting(
            secret=secret,
            rule=self._rule[index],
            kind=facets["kind"][index],
            strength=facets["strength"][index],
            source=facets["source"][index],
            path=self._path[index],
            pointer=self._pointer[index],
            key=self._key[index],
            platform="" if facets["platform"][index] == _NO_PLATFORM else facets["platform"][index],
            encoding=self._encoding[index],
            line=self._line[index],
            column=self._column[index],
            ordinal=self._ordinal[index],
            state=_STATES[self._found[index]],
            reason=self._reason[index],
            name=self._names.get(secret, ""),
        )

    def value(self, index: int, facet: Facet) -> str:
        """A facet's value of a place: its `state` is what a person reads, marks and vault taken into account."""
        self._settle()
        return self._facets[facet][index]

    def extend(self, sightings: Iterable[Sighting]) -> None:
        """Takes in places of the inventory, each once. What a scan has said of a file meanwhile is newer."""
        for sighting in sightings:
            self._name(sighting)
            if (sighting.source, sighting.path) not in self._scanned:
                self._append(sighting, sighting.state)
            elif _place(sighting) not in self._places(sighting.path, sighting.source):
                self._append(sighting, "gone" if sighting.state == "present" else sighting.state)

    def replace(self, path: str, sightings: Iterable[Sighting], source: str = "tree") -> None:
        """Takes in all that a scan found in one file, as the inventory does: places that it no longer has are gone,
        but for those that were migrated."""
        self._scanned.add((source, path))
        known = self._places(path, source)
        for sighting in sightings:
            self._name(sighting)
            index = known.pop(_place(sighting), None)
            if index is None:
                self._append(sighting, "present")
            else:
                self._update(index, sighting, "present")
        for index in known.values():
            if _STATES[self._found[index]] == "present":
                self._found[index] = _STATES.index("gone")
                self._settle_one(index)

    def set_marks(self, marks: Marks, today: date) -> None:
        """Takes marks into account from now on; `today` tells which have expired."""
        before = self._marked
        self._marked = frozenset(entry.secret for entry in marks.entries)
        self._marks, self._today = marks, today
        self._unsettled |= before | self._marked

    def select(
        self,
        query: Query = ALL,
        group: Group = "secret",
        sort: Sort = "place",
        toggled: frozenset[str] = frozenset(),
        opened: bool | None = None,
    ) -> View:
        """The places for which the query holds, in groups. `toggled` are the keys of groups that are not as all others
        are: open or closed as `opened` says, or as is usual for that kind of group.

        A group stands where the first of its places stands, also when the query leaves that one out: so groups keep
        their order while somebody types. Sorted by `places` those with the most in view come first.
        """
        self._settle()
        if query.terms:
            return self._select(query, group, sort).showing(toggled, opened)
        everything = self._everything.get((sort, group))
        if everything is None:
            everything = self._everything[sort, group] = self._select(query, group, sort)
        return everything.showing(toggled, opened)

    def _select(self, query: Query, group: Group, sort: Sort) -> View:
        size = len(self)
        asked = _Asked.of(query, {facet: column.values for facet, column in self._facets.items()})
        left = self._left_by_texts(asked)
        parts = {facet: self._facets[facet].where(partial(asked.holds, facet)) for facet in asked.wanted}
        counts: dict[Facet, tuple[tuple[str, int], ...]] = {}
        for facet, column in self._facets.items():
            others = reduce(and_, (part for other, part in parts.items() if other != facet), left)
            counts[facet] = column.counts(others)
        mask = reduce(and_, parts.values(), left).to_bytes(size, "little")
        order, keys = self._in_groups("place" if sort == "places" else sort, group)
        if b"\0" in mask:
            chosen = bytes(map(mask.__getitem__, order))
            members, sizes = array("I", compress(order, chosen)), Counter(compress(keys, chosen))
        else:
            members, sizes = order, Counter(keys)
        if sort == "places":
            members, sizes = _largest_first(members, sizes)
        secrets = len(sizes) if group == "secret" else len(set(compress(self._secret, mask)))
        return View(group, members, sizes, counts, secrets)

    def _in_groups(self, sort: Sort, group: Group) -> tuple[array[int], list[str]]:
        """All places in the order of a sort, but those of a group together, and the group of each."""
        known = self._in_groups_known.get((sort, group))
        if known is None:
            members = _grouped(self._order(sort), self._keys(group))
            together = array("I", list(chain.from_iterable(members.values())))
            known = together, [key for key, places in members.items() for _ in places]
            self._in_groups_known[sort, group] = known
        return known

    def _left_by_texts(self, asked: _Asked) -> int:
        """The places that hold what is not asked of one facet alone."""
        every = left = int.from_bytes(b"\xff" * len(self), "little")
        for term in asked.texts:
            part = reduce(or_, (self._holding(term.name, text) for text in term.values))
            left &= every ^ part if term.negated else part
        for facets, negated in asked.either:
            parts = (self._facets[facet].where(values.__contains__) for facet, values in facets.items())
            hit = reduce(or_, parts)
            left = left & ~hit if negated else left & hit
        return left

    def _holding(self, name: str, text: str) -> int:
        """The places that hold a text in the field of this name, or in any; looked for once, as people type on and go
        back."""
        part = self._held.get((name, text))
        if part is None:
            part = self._in_field(name, text) if name else self._in_any_field(text)
            self._held[name, text] = part
        return part

    def _in_any_field(self, text: str) -> int:
        everywhere = _mask(b"\1" * len(self))
        part = 0
        for name in ("path", "rule", "name", "secret")[: 4 if len(text) >= _LEAST_OF_ID else 3]:
            part |= self._in_field(name, text)
            if part == everywhere:
                return part  # no other field can add to that
        return part | _mask(bytes([text in own for own in self._own]))

    def _in_field(self, name: str, text: str) -> int:
        """Each different text of a field is looked at once, however many places have it."""
        meant = self._meant(name, text)
        if not meant:
            return 0
        return _mask(bytes([each in meant for each in self._searched(name)]))

    def _meant(self, name: str, text: str) -> set[str]:
        """The entries of the searched column with which the text stands in the field of this name."""
        if name == "name":
            return {secret for secret, called in self._names.items() if text in called.casefold()}
        if name == "secret":  # most texts are no part of an id, of which there are the most
            return {each for each in set(self._secret) if text in each} if _HEX.issuperset(text) else set()
        return {each for each in set(self._searched(name)) if text in each.casefold()}

    def _searched(self, name: str) -> Sequence[str]:
        return {"path": self._path, "key": self._key, "rule": self._rule}.get(name, self._secret)

    def _keys(self, group: Group) -> Sequence[str]:
        if group == "platform":
            column = self._facets["platform"]
            return [column.values[code - 1] for code in column.bytes]
        return self._secret if group == "secret" else self._path

    def _order(self, sort: Sort) -> array[int]:
        """All places in the order of a sort. Places that it does not tell apart are by path and line."""
        if self._unsorted:
            position = self._position()
            for path in self._unsorted:
                self._files[path] = array("I", sorted(self._files[path], key=position))
            self._unsorted.clear()
        if sort not in self._orders:
            if sort == "place":
                order: Iterable[int] = chain.from_iterable(self._files[path] for path in sorted(self._files))
            elif sort == "name":
                by_secret = _grouped(self._order("place"), self._secret)
                named = sorted((name, secret) for secret, name in self._names.items() if secret in by_secret)
                unnamed = sorted(by_secret.keys() - self._names.keys())
                order = chain.from_iterable(by_secret[secret] for secret in chain((each[1] for each in named), unnamed))
            else:
                column = self._facets["strength" if sort == "strength" else "kind"]
                order = sorted(self._order("place"), key=column.bytes.__getitem__)
            self._orders[sort] = array("I", order)
        return self._orders[sort]

    def _position(self) -> Callable[[int], tuple[object, ...]]:
        """What places of one file are sorted by: it differs for any two of them."""
        line, column, pointer, secret, ordinal = self._line, self._column, self._pointer, self._secret, self._ordinal
        codes, values = self._facets["source"].bytes, self._facets["source"].values
        return lambda at: (line[at], column[at], pointer[at], secret[at], ordinal[at], values[codes[at] - 1])

    def _forget_orders(self) -> None:
        self._orders.clear()
        self._in_groups_known.clear()

    def _append(self, sighting: Sighting, state: SightingState) -> None:
        index = len(self._secret)
        self._secret.append(sighting.secret)
        self._path.append(sighting.path)
        self._pointer.append(sighting.pointer)
        for column in (self._key, self._rule, self._reason, self._own):
            column.append("")
        self._encoding.append(())
        self._line.append(0)
        self._column.append(0)
        self._ordinal.append(sighting.ordinal)
        self._found.append(0)
        for facet in self._facets.values():
            facet.bytes.append(0)
        self._files.setdefault(sighting.path, array("I")).append(index)
        self._update(index, sighting, state)

    def _update(self, index: int, sighting: Sighting, state: SightingState) -> None:
        self._key[index] = sighting.key
        self._own[index] = _own_text(self._pointer[index], sighting.key)
        self._rule[index] = sighting.rule
        self._reason[index] = sighting.reason
        self._encoding[index] = sighting.encoding
        self._line[index] = sighting.line
        self._column[index] = sighting.column
        self._found[index] = _STATES.index(state)
        facets = self._facets
        facets["kind"].put(index, sighting.kind)
        facets["strength"].put(index, sighting.strength)
        facets["platform"].put(index, sighting.platform or _NO_PLATFORM)
        facets["source"].put(index, sighting.source)
        facets["rewritable"].put(index, "no" if sighting.reason else "yes")
        self._settle_one(index)
        if sighting.strength == "strong":
            self.strong.add(sighting.secret)
        self._unsorted.add(sighting.path)
        self._forget_orders()

    def _name(self, sighting: Sighting) -> None:
        if sighting.name and self._names.get(sighting.secret) != sighting.name:
            self._names[sighting.secret] = sighting.name
            self._unsettled.add(sighting.secret)

    def _settle(self) -> None:
        """Puts right what follows from names and marks that came after the places."""
        if self._unsettled:
            for index, secret in enumerate(self._secret):
                if secret in self._unsettled:
                    self._settle_one(index)
            self._unsettled.clear()
            self._forget_orders()

    def _settle_one(self, index: int) -> None:
        self._everything.clear()
        self._held.clear()
        secret, path = self._secret[index], self._path[index]
        name = self._names.get(secret, "")
        state: str = _STATES[self._found[index]]
        if state == "present":
            state = self._marked_as(secret, path) or ("stored" if name else "open")
        self._facets["state"].put(index, state)

    def _marked_as(self, secret: str, path: str) -> str:
        if self._marks is None or self._today is None or secret not in self._marked:
            return ""
        mark = self._marks.of(secret, path, self._today)
        return mark.kind if mark is not None else ""

    def _places(self, path: str, source: str) -> dict[tuple[str, str, str, int], int]:
        """The places of a file by what tells them apart."""
        sources = self._facets["source"]
        return {
            (self._secret[index], source, self._pointer[index], self._ordinal[index]): index
            for index in self._files.get(path, ())
            if sources[index] == source
        }


def _place(sighting: Sighting) -> tuple[str, str, str, int]:
    return sighting.secret, sighting.source, sighting.pointer, sighting.ordinal


def _own_text(pointer: str, key: str) -> str:
    """Most pointers end in the key, and most are in small letters already: then nothing is kept twice."""
    text, folded = pointer.casefold(), key.casefold()
    if folded not in text:
        text = f"{text}\n{folded}" if text else folded
    return next((each for each in (pointer, key) if each == text), text)


def _mask(holds: bytes) -> int:
    """A byte of ones for each place that holds something, as a number."""
    return int.from_bytes(holds.translate(_FLAGS), "little")


def _grouped(places: Iterable[int], keys: Sequence[str]) -> dict[str, list[int]]:
    """Places by their keys, both in the order of the places."""
    groups: dict[str, list[int]] = {}
    for place in places:
        key = keys[place]
        if key in groups:
            groups[key].append(place)
        else:
            groups[key] = [place]
    return groups


def _largest_first(order: array[int], sizes: Counter[str]) -> tuple[array[int], Counter[str]]:
    """Groups by their number of places, those of the same number as they were."""
    ends = accumulate(sizes.values())
    spans = [(key, order[end - size : end]) for (key, size), end in zip(sizes.items(), ends, strict=True)]
    spans.sort(key=lambda span: -len(span[1]))
    largest = Counter({key: len(places) for key, places in spans})
    return array("I", list(chain.from_iterable(places for _, places in spans))), largest


@cache
def _one(code: int) -> bytes:
    """A translation of a column that leaves a one for this code, and zeros for all others."""
    return bytes(1 if each == code else 0 for each in range(256))
