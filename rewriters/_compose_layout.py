"""Inserting entries into a Compose file in its own style: indentation, line breaks, block or flow."""

from __future__ import annotations

from dataclasses import dataclass, field

from rewriters._api import Edit, Span
from rewriters._yaml import Alias, Document, Map, Node, Scalar, Seq, newline

__all__ = ["Entry", "Layout", "own", "own_pair"]


def own(node: Node | None) -> Scalar | Map | Seq | None:
    """The node if it stands here and is not shared by an anchor."""
    return None if node is None or isinstance(node, Alias) or node.anchor or node.tag else node


def own_pair(node: Map, name: str) -> tuple[Scalar, Node] | None:
    """The last pair of that key that stands in the map itself."""
    found = None
    for key, value in node.pairs:
        if isinstance(key, Scalar) and key.text == name:
            found = (key, value)
    return found


@dataclass(frozen=True, slots=True)
class Entry:
    """An item without its dash, or `key: value`; `rest` are lines one step deeper; `plain` needs no quotes in flow."""

    text: bytes
    rest: tuple[bytes, ...] = ()
    plain: bool = True


@dataclass(slots=True)
class _Group:
    """What is to be added below one key of one map."""

    parent: Map
    name: str
    listed: bool
    below: Node
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Layout:
    """One document of one file. Inserted lines are collected by place and come out as one edit each."""

    path: str
    data: bytes
    document: Document
    eol: bytes = b""
    _lines: dict[int, list[bytes]] = field(default_factory=dict)
    _heads: list[tuple[int, list[bytes]]] = field(default_factory=list)
    _groups: dict[tuple[int, str], _Group] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.eol = newline(self.data)

    def column(self, offset: int) -> int | None:
        """How many blanks stand before `offset`, if nothing else does."""
        start = self.data.rfind(b"\n", 0, offset) + 1
        before = self.data[start:offset].removeprefix(b"\xef\xbb\xbf")
        return len(before) if not before.strip(b" ") else None

    def replace(self, span: Span, text: bytes) -> None:
        self.edits.append(Edit(self.path, span, text))

    def after(self, offset: int, lines: list[bytes]) -> None:
        """Lines below the line on which the node ends that ends at `offset`."""
        if offset and self.data[offset - 1 : offset] == b"\n":
            at = offset
        else:
            end = self.data.find(b"\n", offset)
            at = len(self.data) if end < 0 else end + 1
        self._lines.setdefault(at, []).extend(lines)

    def first(self, offset: int, lines: list[bytes]) -> None:
        """As `after`, before all other lines that come there."""
        self._heads.append((offset, lines))

    def flush(self) -> list[Edit]:
        """All edits, the insertions included; of lines at one place the deeper ones come first."""
        for offset, head in self._heads:
            self.after(offset, head)
        self._heads.clear()
        for group in sorted(
            self._groups.values(), key=lambda group: -(self.column(group.parent.pairs[0][0].start) or 0)
        ):
            self._grow(group)
        self._groups.clear()
        for at, lines in sorted(self._lines.items()):
            if at and self.data[at - 1 : at] != b"\n":
                text = b"".join(self.eol + line for line in lines)
            else:
                text = b"".join(line + self.eol for line in lines)
            self.edits.append(Edit(self.path, Span(at, at), text))
        self._lines.clear()
        return self.edits

    # --- entries -----------------------------------------------------------------------------------------------------

    def can_grow(self, parent: Map, name: str, kinds: tuple[type, ...]) -> bool:
        """Whether `add` can put something below `name` of this block map."""
        if parent.flow or not parent.pairs or self.column(parent.pairs[0][0].start) is None:
            return False
        pair = own_pair(parent, name)
        if pair is None:
            return name not in parent.entries()
        node = own(pair[1])
        if isinstance(node, Scalar):
            return not node.text and node.style == "plain" and self.column(pair[0].start) is not None
        if not isinstance(node, Map | Seq) or not isinstance(node, kinds):
            return False
        return node.flow or self._start(node) is not None

    def _start(self, node: Map | Seq) -> int | None:
        return self.column(node.pairs[0][0].start if isinstance(node, Map) else node.start)

    def step(self) -> int:
        """How deep the file indents."""
        root = self.document.root
        if isinstance(root, Map):
            for _, value in root.pairs:
                if isinstance(value, Map) and value.pairs and not value.flow:
                    return self.column(value.pairs[0][0].start) or 2
        return 2

    def add(self, parent: Map, name: str, entry: Entry, *, listed: bool, below: Node) -> None:
        """An entry below `name` of a block map, which `can_grow` allows. `below` is the node after which a missing
        `name` is made."""
        group = self._groups.setdefault((id(parent), name), _Group(parent, name, listed, below))
        if entry not in group.entries:
            group.entries.append(entry)

    def _grow(self, group: _Group) -> None:
        step = self.step()
        pair = own_pair(group.parent, group.name)
        node = own(pair[1]) if pair else None
        if isinstance(node, Map | Seq) and node.flow:
            children: list[Node] = list(node.items) if isinstance(node, Seq) else [value for _, value in node.pairs]
            at = children[-1].end if children else node.start + 1
            texts = [
                entry.text if isinstance(node, Map) or entry.plain else b'"' + entry.text + b'"'
                for entry in group.entries
            ]
            self.replace(Span(at, at), (b", " if children else b"") + b", ".join(texts))
            return
        at = self.column(group.parent.pairs[0][0].start) or 0
        depth = (self._start(node) or 0) if isinstance(node, Map | Seq) else at + step
        lines: list[bytes] = []
        for entry in group.entries:
            lines.append(b" " * depth + (b"- " if group.listed else b"") + entry.text)
            lines += [b" " * (depth + step) + line for line in entry.rest]
        if isinstance(node, Map | Seq):
            self.after(node.end, lines)
        elif pair is None:
            self.after(group.below.end, [b" " * at + group.name.encode() + b":", *lines])
        else:
            self.after(pair[0].end, lines)
