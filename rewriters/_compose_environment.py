"""The environment in which Compose is run, as far as the files tell: what the fetch script sets, then `.env`.

A secret is looked up when a file reads its variable, not before: a script may name secrets that nobody here uses, and
a hostile one secrets of other vaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rewriters._api import Lookup, Reference

__all__ = ["Environment"]


class Environment:
    """Variables by name. Reading one raises what the lookup raises."""

    def __init__(self, references: Mapping[str, Reference], lookup: Lookup) -> None:
        self._references = dict(references)
        self._lookup = lookup
        self._values: dict[str, bytes] = {}

    def value(self, name: str) -> bytes | None:
        """The variable's value, `None` when it is not set."""
        if name not in self._values:
            if name not in self._references:
                return None
            self._values[name] = self._lookup(self._references[name]).reveal()
        return self._values[name]

    def add(self, name: str, value: bytes) -> None:
        """Set a variable that is not set yet."""
        if name not in self._references:
            self._values.setdefault(name, value)

    def over(self, others: Mapping[str, bytes | None]) -> Callable[[str], bytes | None]:
        """Variables of this environment, then of `others`."""

        def value(name: str) -> bytes | None:
            found = self.value(name)
            return others.get(name) if found is None else found

        return value
