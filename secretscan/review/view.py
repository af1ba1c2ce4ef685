"""What a filter leaves of the table, as lines: groups, and under those that are open their places.

A view is a snapshot. It keeps numbers only; a line is made when it is asked for, since a screen shows fifty of 50,000.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from secretscan.review.query import Facet

__all__ = ["Group", "Row", "Sort", "View"]

Group = Literal["secret", "file", "platform"]
Sort = Literal["place", "strength", "kind", "name", "places"]

_OPEN: Mapping[Group, bool] = {"secret": False, "file": True, "platform": True}
"""Whether groups are open that nobody touched: of a secret one line says enough."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the head of a group, or a place in it.

    `key` is the group's: the secret's id, the path, or the platform. `index` is the place's in the table; of a head,
    that of the group's first place. `count` is how many places of the group are in view, and `open` whether they are
    shown.
    """

    head: bool
    key: str
    index: int
    count: int
    open: bool


class View:
    """The lines. `places`, `groups` and `secrets` say how many are in view, whether their groups are open or not.

    `counts` has for each facet its values, each with how many places would be in view if the filter said nothing of
    that facet but this value.
    """

    __slots__ = ("_ends", "_keys", "_lines", "_order", "counts", "group", "opened", "places", "secrets", "toggled")

    def __init__(
        self,
        group: Group,
        order: array[int],
        sizes: Mapping[str, int],
        counts: Mapping[Facet, tuple[tuple[str, int], ...]],
        secrets: int,
    ) -> None:
        """`order` has the places group by group, `sizes` how many are in each."""
        self.group: Group = group
        self.counts = counts
        self.secrets = secrets
        self._keys = list(sizes)
        self._order = order
        self._ends = array("I", accumulate(sizes.values()))
        self.places = len(self._order)
        self._lay_out(frozenset(), _OPEN[group])

    def _lay_out(self, toggled: frozenset[str], opened: bool) -> None:
        self.toggled = toggled
        self.opened = opened
        """Whether groups are open but for those in `toggled`, which are the other way."""
        ends = self._ends
        if opened:  # a group's end, and a line for the head of each group so far
            if not toggled:
                self._lines = array("I", map(int.__add__, range(1, len(ends) + 1), ends))
                return
        elif not toggled:
            self._lines = array("I", range(1, len(ends) + 1))
            return
        sizes = map(int.__sub__, ends, (0, *ends[:-1]))
        self._lines = array(
            "I",
            accumulate(
                1 + size if (key in toggled) != opened else 1 for key, size in zip(self._keys, sizes, strict=True)
            ),
        )

    @property
    def groups(self) -> int:
        return len(self._keys)

    @property
    def order(self) -> Sequence[int]:
        """The indices of all places in view, in the order of their lines if all groups were open."""
        return self._order

    def __len__(self) -> int:
        """How many lines."""
        return self._lines[-1] if self._lines else 0

    def __getitem__(self, line: int) -> Row:
        """The row of a line, from 0."""
        if not 0 <= line < len(self):
            raise IndexError(line)
        group = bisect_right(self._lines, line)
        first = self._lines[group - 1] if group else 0
        start, end = self._start(group), self._ends[group]
        head = line == first
        shown = self._lines[group] - first > 1
        return Row(head, self._keys[group], self._order[start + max(0, line - first - 1)], end - start, shown)

    def __iter__(self) -> Iterator[Row]:
        return map(self.__getitem__, range(len(self)))

    def under(self, line: int) -> Sequence[int]:
        """The indices of the places that a line stands for: all of the group for its head."""
        row = self[line]
        if not row.head:
            return (row.index,)
        group = bisect_right(self._lines, line)
        return self._order[self._start(group) : self._ends[group]]

    def find(self, key: str, index: int = -1) -> int | None:
        """The line of a group's head; with `index` that of the place, if its group is open. `None` if it is not in
        view."""
        try:
            group = self._keys.index(key)
        except ValueError:
            return None
        first = self._lines[group - 1] if group else 0
        if index < 0 or self._lines[group] - first == 1:
            return first
        try:
            return first + 1 + self._order[self._start(group) : self._ends[group]].index(index)
        except ValueError:
            return None

    def showing(self, toggled: frozenset[str], opened: bool | None = None) -> View:
        """The same places with groups open or closed as is usual for their kind, or as `opened` says, but for those in
        `toggled`."""
        return self._again(toggled, _OPEN[self.group] if opened is None else opened)

    def toggle(self, *keys: str) -> View:
        """The same places with these groups opened, or closed if they are open."""
        toggled = self.toggled ^ frozenset(keys)
        if len(keys) != 1:
            return self._again(toggled, self.opened)
        other = self._copy()
        other.toggled = toggled
        if keys[0] in self._keys:  # what comes after it moves, and nothing else
            group = self._keys.index(keys[0])
            size = self._ends[group] - self._start(group)
            moves = size if (keys[0] in toggled) != self.opened else -size
            other._lines = self._lines[:group] + array("I", map(moves.__add__, self._lines[group:]))
        return other

    def all(self, opened: bool) -> View:
        """The same places with every group open, or every one closed."""
        return self._again(frozenset(), opened)

    def _again(self, toggled: frozenset[str], opened: bool) -> View:
        if (toggled, opened) == (self.toggled, self.opened):
            return self
        other = self._copy()
        other._lay_out(toggled, opened)
        return other

    def _copy(self) -> View:
        other = object.__new__(View)
        for name in ("group", "counts", "secrets", "places", "toggled", "opened", "_keys", "_order", "_ends", "_lines"):
            setattr(other, name, getattr(self, name))
        return other

    def _start(self, group: int) -> int:
        return self._ends[group - 1] if group else 0
