"""Small edits of an HCL file in its own style: attributes that come and go, blocks at the end.

Source: `terraform fmt`: the signs of attributes on consecutive lines stand below each other. Where a file has it so, it
keeps it, so the blanks of a changed line's neighbours may change too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Edit, Span
from rewriters._hcl import Attribute, Block, Body, indent_of, newline

__all__ = ["Editor", "quoted"]

Pairs = list[tuple[str, str]]


def quoted(text: str) -> str:
    """A text in quotes. Names, ids and URLs hold nothing that would need more."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("${", "$${").replace("%{", "%%{") + '"'


@dataclass(slots=True)
class _Line:
    """What becomes of an attribute: other pairs stand in its place, or below it, or it becomes a comment."""

    attribute: Attribute
    pairs: Pairs
    stays: bool
    comment: str = ""


class Editor:
    """Collects the edits of one file."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        self.newline = newline(data)
        self.edits: list[Edit] = []
        self._appended: list[str] = []
        self._indents: dict[int, str] = {}
        self._changed: dict[int, tuple[Body, dict[int, _Line]]] = {}

    def put(self, span: Span, text: str) -> None:
        self.edits.append(Edit(self.path, span, text.encode()))

    def unit(self, block: Block) -> str:
        """By how much the block's content is deeper than the block."""
        outer = indent_of(self.data, block.span.start)
        inside: list[Attribute | Block] = [*block.body.attributes, *block.body.blocks]
        for item in inside:
            inner = indent_of(self.data, item.span.start)
            if len(inner) > len(outer) and inner.startswith(outer):
                return inner[len(outer) :]
        return "  "

    # --- attributes --------------------------------------------------------------------------------------------------

    def instead(self, body: Body, attribute: Attribute, pairs: Pairs) -> None:
        """Other attributes in the place of one of this body; none drops it."""
        self._line(body, attribute, pairs, stays=False)

    def after(self, body: Body, attribute: Attribute, pairs: Pairs) -> None:
        """More attributes below one of this body."""
        self._line(body, attribute, pairs, stays=True)

    def comment(self, body: Body, attribute: Attribute, text: str) -> None:
        """A comment in the place of an attribute."""
        self._line(body, attribute, [], stays=False)
        self._changed[id(body)][1][attribute.span.start].comment = text

    def _line(self, body: Body, attribute: Attribute, pairs: Pairs, *, stays: bool) -> None:
        lines = self._changed.setdefault(id(body), (body, {}))[1]
        known = lines.setdefault(attribute.span.start, _Line(attribute, [], stays))
        known.pairs += pairs
        known.stays = known.stays and stays

    def _lines(self, body: Body, lines: dict[int, _Line]) -> None:
        """The edits of one body's attributes."""
        for run in self._runs(body):
            if not any(item.span.start in lines for item in run):
                continue
            columns = {self._column(item) for item in run}
            aligned = columns == {max(len(item.name) for item in run) + 1}
            part: list[Attribute] = []
            for item in run:
                line = lines.get(item.span.start)
                if line is not None and line.comment:
                    self.put(item.span, line.comment)
                    self._run(part, lines, aligned)
                    part = []
                else:
                    part.append(item)
            self._run(part, lines, aligned)

    def _run(self, run: list[Attribute], lines: dict[int, _Line], aligned: bool) -> None:
        """The edits of lines that stay together, and their blanks."""
        names: list[str] = []
        for item in run:
            line = lines.get(item.span.start)
            names += [item.name] if line is None or line.stays else []
            names += [name for name, _ in line.pairs] if line is not None else []
        width = max(map(len, names), default=0) + 1
        for item in run:
            line = lines.get(item.span.start)
            if aligned and (line is None or line.stays) and self._column(item) != width:
                at = Span(item.key.end, item.key.start + self._column(item))
                if not self.data[at.start : at.end].strip(b" "):
                    self.put(at, " " * (width - len(item.name)))
            if line is not None:
                self._write(line, width if aligned else self._column(item))

    def _runs(self, body: Body) -> Iterator[list[Attribute]]:
        """Attributes on consecutive lines, each on one."""
        run: list[Attribute] = []
        last = -2
        number, at = 0, 0
        for item in body.attributes:
            number += self.data.count(b"\n", at, item.span.start)
            at = item.span.start
            single = b"\n" not in self.data[item.span.start : item.span.end]
            if run and (number != last + 1 or not single):
                yield run
                run = []
            run.append(item)
            last = number
            if not single:
                yield run
                run = []
        if run:
            yield run

    def _column(self, attribute: Attribute) -> int:
        return self.data.find(b"=", attribute.key.end) - attribute.key.start

    def _write(self, line: _Line, column: int) -> None:
        span = line.attribute.span
        indent = self._indents.get(span.start) or self.newline + indent_of(self.data, span.start)
        texts = [f"{name:<{max(column, len(name) + 1)}}= {value}" for name, value in line.pairs]
        if line.stays:
            end = self._comment_end(span.end)
            self.put(Span(end, end), "".join(indent + text for text in texts))
        elif texts:
            self.put(span, indent.join(texts))
        else:
            self._drop(span)

    def _comment_end(self, at: int) -> int:
        """Behind the comment that follows on a line; where it starts without one."""
        stop = self.data.find(b"\n", at)
        rest = self.data[at : stop if stop >= 0 else len(self.data)]
        return at + len(rest.rstrip()) if rest.lstrip().startswith((b"#", b"//")) else at

    def _drop(self, span: Span) -> None:
        """The attribute goes, with its line when nothing else stands on it."""
        start, end = span.start, span.end
        line = self.data.rfind(b"\n", 0, start) + 1
        if line == 0 and self.data.startswith(b"\xef\xbb\xbf"):
            line = 3
        stop = self.data.find(b"\n", end)
        stop = len(self.data) if stop < 0 else stop + 1
        before, after = self.data[line:start], self.data[end:stop]
        if not before.strip() and not after.strip():
            start, end = line, stop
        else:
            end += len(after) - len(after.lstrip(b" \t"))
        self.put(Span(start, end), "")

    # --- blocks ------------------------------------------------------------------------------------------------------

    def open(self, block: Block) -> bool:
        """A block that stands on a single line gets lines of its own; whether it did not have them."""
        inner = self.data[block.inner.start : block.inner.end]
        blanks = len(inner) - len(inner.lstrip())
        if b"\n" in inner or not inner.strip():
            return False
        outer = self.newline + indent_of(self.data, block.span.start)
        self._indents.update((item.span.start, outer + self.unit(block)) for item in block.body.attributes)
        self.put(Span(block.inner.start, block.inner.start + blanks), outer + self.unit(block))
        self.put(Span(block.inner.start + len(inner.rstrip()), block.inner.end), outer)
        return True

    def into(self, block: Block, lines: list[str]) -> None:
        """Lines at the end of a block."""
        outer = self.newline + indent_of(self.data, block.span.start)
        unit = self.unit(block)
        inner = self.data[block.inner.start : block.inner.end]
        kept = len(inner.rstrip(b" \t\r\n"))
        at = block.inner.start + kept
        if not kept:
            lines = lines[1:] if lines and not lines[0] else lines
        text = "".join(f"{outer}{unit}{line}" if line else self.newline for line in lines)
        if b"\n" in self.data[at : block.inner.end]:
            # A comment at a line's end would swallow what follows on it: every line here begins with a break.
            self.put(Span(at, at), text)
        else:
            self.put(Span(at, block.inner.end), text + outer)

    def below(self, block: Block, lines: list[str]) -> None:
        """Lines behind a block, as deep as it, and behind the comment on its last line."""
        indent = self.newline + indent_of(self.data, block.span.start)
        at = self._comment_end(block.span.end)
        text = "".join(indent + line if line else self.newline for line in lines)
        self.put(Span(at, at), text)

    def append(self, lines: list[str]) -> None:
        """A block at the end of the file, after an empty line."""
        self._appended.append("".join(line + self.newline for line in lines))

    def done(self) -> list[Edit]:
        for body, lines in self._changed.values():
            self._lines(body, lines)
        self._changed = {}
        if self._appended:
            size = len(self.data)
            bare = self.data.removeprefix(b"\xef\xbb\xbf")
            start = "" if not bare.strip() else self.newline if bare.endswith(b"\n") else self.newline * 2
            self.edits.append(Edit(self.path, Span(size, size), (start + self.newline.join(self._appended)).encode()))
            self._appended = []
        return self.edits
