"""Finding many parts of one encoded text: its pieces are read once, however many parts there are."""

from __future__ import annotations

from bisect import bisect_right

from rewriters._api import Span
from rewriters._encode import cover, locate, units

__all__ = ["Parts"]


class Parts:
    """`rewriters._encode.locate` for one text and chain, in the time of a search after the first question."""

    def __init__(self, chain: tuple[str, ...], raw: bytes) -> None:
        self._chain, self._raw = chain, raw
        self._pieces: list[tuple[int, bytes, bool]] | None = None
        self._raw_at: list[int] = []
        self._value_at: list[int] = []
        self._size = 0

    def locate(self, part: Span) -> Span | None:
        """The bytes that stand for a part of the decoded value; `None` when they cannot be told apart."""
        if len(self._chain) != 1:
            return locate(self._chain, self._raw, part)
        if self._pieces is None:
            self._read(self._chain[0])
        pieces = self._pieces
        if not pieces or part == Span(0, self._size):
            return locate(self._chain, self._raw, part)
        first = max(bisect_right(self._value_at, part.start) - 1, 0)
        raw_at, value_at = self._raw_at[first], self._value_at[first]
        shifted = Span(part.start - value_at, part.end - value_at)
        found = cover((pieces[index] for index in range(first, len(pieces))), shifted)
        return Span(found.start + raw_at, found.end + raw_at) if found is not None else None

    def _read(self, name: str) -> None:
        try:
            self._pieces = list(units(name, self._raw))
        except ValueError:
            self._pieces = []
        raw_at = 0
        for size, piece, _ in self._pieces:
            self._raw_at.append(raw_at)
            self._value_at.append(self._size)
            raw_at, self._size = raw_at + size, self._size + len(piece)
