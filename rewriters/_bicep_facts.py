"""What a Bicep file consists of: declarations, resources, and the sites that can hold a value."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from rewriters._api import Slot, Span
from rewriters._bicep_tokens import Statement
from rewriters._bicep_tree import Node, Object

__all__ = ["Declared", "File", "Resource", "Site"]


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """A resource or module: its symbol, its type or path as written, and its body where that is one object."""

    symbol: str
    type: str
    existing: bool
    body: Object | None
    statement: Statement
    parent: Resource | None = None
    name: str = ""
    """The last part of its name, in lower case, where that is a text: `appsettings` of `site/appsettings`."""


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """A statement, and what stands behind its `=`."""

    statement: Statement
    value: Node | None

    @property
    def type(self) -> str:
        """The type of a parameter or variable as it is written."""
        parts = self.statement.tokens[self.statement.keyword + 2 :]
        found: list[str] = []
        for token in parts:
            if token.text == "=" or token.kind == "line":
                break
            found.append(token.text or f"<{token.kind}>")
        return "".join(found)


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot and its surroundings. `role` says what may become of it; for those without targets, `refused` is a key of
    `_bicep_reasons.ALTERNATIVES`.

    `literal` is what a reference replaces when the whole of the text moves; `piece` says that it stands between holes.
    """

    slot: Slot
    role: str
    refused: str
    declared: Declared
    literal: Span
    piece: bool = False
    lines: bool = False
    owner: Object | None = None
    resource: Resource | None = None


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """One file. `parameters` says that it is a parameter file."""

    path: str
    data: bytes = field(repr=False)
    parameters: bool
    declared: tuple[Declared, ...]
    sites: tuple[Site, ...]
    resources: tuple[Resource, ...]
    breaks: tuple[int, ...] = field(default=(), repr=False)
    """Where lines end, those within strings and comments left out."""

    def line_end(self, at: int) -> int:
        """The end of the line on which a statement ends; comments behind it belong to the line."""
        index = bisect_left(self.breaks, at)
        return self.breaks[index] if index < len(self.breaks) else len(self.data)

    def named(self, kind: str, name: str) -> Declared | None:
        for item in self.declared:
            if item.statement.kind == kind and item.statement.name == name:
                return item
        return None
