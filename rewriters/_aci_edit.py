"""Small edits of a YAML file in its own style: other texts for scalars, new pairs for maps."""

from __future__ import annotations

import re

from rewriters._api import Edit, Span
from rewriters._yaml import Map, Node, Scalar, line_indent, newline, stops

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
