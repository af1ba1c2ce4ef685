"""Small edits of a YAML file in its own style: other texts for scalars, new pairs for maps."""

from __future__ import annotations

import re

from rewriters._api import Edit, Span
from rewriters._yaml import Map, Node, Scalar, Seq, line_indent, newline, stops

__all__ = ["Editor", "quoted"]

# Texts that YAML 1.1 takes for something else than a text when they stand without quotes.
_SAFE = re.compile(r"(?!(?i:y|n|yes|no|on|off|true|false|null)\Z)[A-Za-z][A-Za-z0-9-]*\Z")


def quoted(text: str) -> str:
    return text if _SAFE.match(text) else f"'{text}'"


class Editor:
    """Collects the edits of one file."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        self.newline = newline(data).decode()
        self.edits: list[Edit] = []

    def edit(self, span: Span, text: str) -> None:
        self.edits.append(Edit(self.path, span, text.encode()))

    def put(self, node: Scalar, text: str) -> None:
        """Another text for a scalar, in its own quotes where it has some."""
        if node.style in ("single", "double") and node.start == node.literal.start:
            self.edit(node.span, text)
        else:
            self.edit(Span(node.start, stops(self.data, node)), quoted(text))

    def line_end(self, at: int) -> int:
        """Where the line of this offset ends, its break not included."""
        found = self.data.find(b"\n", at)
        end = len(self.data) if found < 0 else found
        return end - 1 if end > at and self.data[end - 1 : end] == b"\r" else end

    def append_lines(self, node: Node, column: int, lines: list[str]) -> None:
        """Lines behind a node, indented by so much."""
        pad = " " * column
        if self.data[node.end - 1 : node.end] == b"\n":  # a block scalar that keeps its line breaks
            text = "".join(f"{pad}{line}{self.newline}" for line in lines)
            self.edit(Span(node.end, node.end), text)
        else:
            at = self.line_end(node.end)
            self.edit(Span(at, at), "".join(f"{self.newline}{pad}{line}" for line in lines))

    def column(self, at: int) -> int:
        """How many bytes of its line stand before this offset, a byte order mark not counted."""
        start = self.data.rfind(b"\n", 0, at) + 1
        return at - (3 if start == 0 and self.data.startswith(b"\xef\xbb\xbf") else start)

    def leads(self, node: Node) -> bool:
        """Whether only spaces stand before a node in its line."""
        return self.column(node.start) == line_indent(self.data, node.start)

    def block_lines(self, before: Node, lines: list[str]) -> None:
        """Lines in front of a key, indented as it is."""
        at = self.data.rfind(b"\n", 0, before.start) + 1
        indent = " " * line_indent(self.data, before.start)
        if at == 0 and self.data.startswith(b"\xef\xbb\xbf"):
            at = 3
        self.edit(Span(at, at), "".join(f"{indent}{line}{self.newline}" for line in lines))

    def flow_pair(self, node: Map, text: str) -> None:
        """A pair in front of those of a map in braces, on a line of its own if they are."""
        at = self.data.find(b"{", node.start) + 1
        line = re.compile(rb"\r?\n[ \t]*").match(self.data, at)
        if line is not None and node.pairs:
            self.edit(Span(at, at), f"{line[0].decode()}{text},")
        else:
            self.edit(Span(at, at), text + ", " * bool(node.pairs))

    def fill(self, key: Scalar, value: Node, text: str) -> None:
        """A text in the place of a value that is not there, or null."""
        if isinstance(value, Scalar) and len(value.literal):
            self.edit(value.literal, text)
        else:
            at = self.data.find(b":", key.end) + 1
            self.edit(Span(at, at), f" {text}")

    def flow_item(self, node: Seq, text: str) -> None:
        """An item behind those of a list in brackets."""
        at = node.items[-1].end if node.items else node.end - 1
        self.edit(Span(at, at), ", " * bool(node.items) + text)

    def cut(self, owner: Map, key: Scalar, gone: set[int]) -> None:
        """The pairs of these indices go; `key` is that of the whole map."""
        spans = [(pair[0].start, stops(self.data, pair[1])) for pair in owner.pairs]
        if len(gone) == len(spans):
            start, end = spans[0][0], spans[-1][1]
            colon = self.data.find(b":", key.end, start)
            if not owner.flow and not owner.anchor and not owner.tag and not self.data[colon + 1 : start].strip():
                self.edit(Span(colon + 1, end), " {}")
            else:
                self.edit(Span(start, end), "" if owner.flow else "{}")
            return
        first_kept = min(set(range(len(spans))) - gone)
        for index in sorted(gone):
            start, end = spans[index]
            if owner.flow:
                self.edit(
                    Span(start, spans[index + 1][0]) if index < first_kept else Span(spans[index - 1][1], end), ""
                )
                continue
            if owner.pairs[index][1].end > end:  # the line breaks that a block scalar keeps go with it
                self.edit(Span(start - self.column(start), owner.pairs[index][1].end), "")
                continue
            stop = self.line_end(end)
            comment = self.data[end:stop].lstrip(b" \t")
            if comment:  # it stays, on a line of its own
                self.edit(Span(start, stop - len(comment)), "")
            else:
                after = self.data.find(b"\n", stop)
                self.edit(Span(start - self.column(start), len(self.data) if after < 0 else after + 1), "")
