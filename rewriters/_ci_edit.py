"""Small edits of a CI file in its own style: expressions for values, pairs that go, items of lists that come."""

from __future__ import annotations

from collections.abc import Sequence

from rewriters._aci_edit import Editor as YamlEditor
from rewriters._api import Edit, Span
from rewriters._encode import locate
from rewriters._k8s_text import column, dash_of, removals, style_of, whole_lines
from rewriters._yaml import Map, Node, Scalar, Seq, stops

__all__ = ["CiEditor"]


class CiEditor(YamlEditor):
    """Collects the edits of one file."""

    def __init__(self, path: str, data: bytes, root: Map) -> None:
        super().__init__(path, data)
        self.style = style_of(data, root)
        self._gone: dict[int, tuple[Map, set[int], tuple[Map, int] | None]] = {}

    def express(self, node: Scalar, text: str, *, flow: bool) -> None:
        """An expression for a scalar as a whole, in its own quotes where it has some."""
        if node.style in ("single", "double") and node.start == node.literal.start:
            self.edit(node.span, text)
        else:
            self.edit(Span(node.start, stops(self.data, node)), f"'{text}'" if flow else text)

    def located(self, node: Scalar, part: Span) -> Span | None:
        """The bytes that stand for a part of a scalar's text."""
        found = locate(node.encoding, self.data[node.span.start : node.span.end], part)
        return Span(node.span.start + found.start, node.span.start + found.end) if found is not None else None

    def items_before(self, seq: Seq, index: int, items: Sequence[Sequence[str]]) -> None:
        """Items in front of one of a block list, above the comments that stand over it; behind the last one when there
        is none of that number."""
        pad = " " * column(self.data, dash_of(self.data, seq, 0))
        texts = [
            self.newline.join(pad + ("- " if not number else "  ") + line for number, line in enumerate(lines))
            for lines in items
        ]
        if index >= len(seq.items):
            at = self.line_end(stops(self.data, last_leaf(seq)))
            gap = (
                self.newline if self._blank_above(self._line_start(dash_of(self.data, seq, len(seq.items) - 1))) else ""
            )
            self.edit(Span(at, at), "".join(self.newline + gap + text for text in texts))
            return
        at = self._line_start(dash_of(self.data, seq, index))
        if self.data[at : dash_of(self.data, seq, index)].strip(b" "):
            # The list begins on the line of its key's dash: a list within a list.
            at = dash_of(self.data, seq, index)
            self.edit(Span(at, at), "".join(text.lstrip(" ") + self.newline + pad for text in texts))
            return
        floor = stops(self.data, last_leaf(seq.items[index - 1])) if index else 0
        while True:
            above = self.data.rfind(b"\n", 0, at - 1) + 1 if at else 0
            line = self.data[above:at].strip()
            if above >= at or above < floor or not line.startswith(b"#"):
                break
            at = above
        gap = self.newline if index and self._blank_above(at) else ""
        self.edit(Span(at, at), "".join(text + self.newline + gap for text in texts))

    def remove(self, owner: Map, index: int, parent: tuple[Map, int] | None) -> None:
        """A pair goes; with the last one its map goes, too, which is that pair of `parent`."""
        self._gone.setdefault(id(owner), (owner, set(), parent))[1].add(index)

    def finish(self) -> list[Edit]:
        """All edits."""
        for owner, gone, parent in self._gone.values():
            if len(gone) < len(owner.pairs) or parent is None:
                self.edits += removals(self.path, self.data, owner, gone)
                continue
            key = parent[0].pairs[parent[1]][0]
            if owner.flow or not self._remarks(key.end, owner):
                pass
            elif self.data[self._line_start(key.start) : key.start].strip():
                self.edits += removals(self.path, self.data, owner, gone)
                continue
            else:  # the remarks between the pairs stay
                below = self.data.find(b"\n", key.end) + 1
                self.edit(Span(self._line_start(key.start), below), "")
                self.edits += (Edit(self.path, whole_lines(self.data, *pair), b"") for pair in owner.pairs)
                continue
            for edit in removals(self.path, self.data, parent[0], {parent[1]}):
                self.edits.append(Edit(self.path, self._with_blank(edit.span), b""))
        self._gone.clear()
        return self.edits

    def _remarks(self, at: int, owner: Map) -> bool:
        """Whether comments on lines of their own stand among the pairs of a map, from this offset on."""
        for key, value in owner.pairs:
            for line in self.data[at : key.start].split(b"\n")[1:]:
                if line.strip().startswith(b"#"):
                    return True
            at = max(value.end, at)
        return False

    def _with_blank(self, span: Span) -> Span:
        """One of two empty lines that would then follow each other goes, too."""
        for blank in (b"\r\n", b"\n"):
            if self.data.startswith(blank, span.end) and self._blank_above(span.start):
                return Span(span.start, span.end + len(blank))
        return span

    def _blank_above(self, at: int) -> bool:
        above = self.data.rfind(b"\n", 0, max(at - 1, 0)) + 1
        return at > 0 and not self.data[above:at].strip() and above < at

    def _line_start(self, at: int) -> int:
        start = self.data.rfind(b"\n", 0, at) + 1
        return 3 if start == 0 and self.data.startswith(b"\xef\xbb\xbf") else start

    def pair_before(self, owner: Map, index: int, lines: Sequence[str]) -> None:
        """Lines of a new pair in front of a pair of a block map, also where that one follows a dash."""
        key = owner.pairs[index][0]
        pad = " " * column(self.data, key.start)
        self.edit(Span(key.start, key.start), "".join(line + self.newline + pad for line in lines))

    def pair_behind(self, node: Node, pad: int, lines: Sequence[str]) -> None:
        """Lines of a new pair behind the line on which a node ends."""
        at = self.line_end(stops(self.data, last_leaf(node)))
        self.edit(Span(at, at), "".join(self.newline + " " * pad + line for line in lines))


def last_leaf(node: Node) -> Node:
    """The last node within a node that has an end of its own."""
    while isinstance(node, Map | Seq) and not node.flow:
        children = node.items if isinstance(node, Seq) else tuple(value for _, value in node.pairs)
        if not children:
            return node
        node = children[-1]
    return node
