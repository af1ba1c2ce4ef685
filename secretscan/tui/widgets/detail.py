"""The detail: the lines around each place of a secret, its value masked, and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from textwrap import wrap

from secretscan.errors import printable
from secretscan.model import SightingState
from secretscan.review.inspect import Inspection, Seen
from secretscan.tui.widgets.rows import Piece, Rows

__all__ = ["Detail"]

_STATES = {
    "there": "",
    "changed": "the file has changed since it was scanned: scan again",
    "gone": "the file is gone: scan again",
    "unreadable": "",
}


class Detail(Rows):
    """Shows one inspection."""

    def __init__(self) -> None:
        super().__init__(lambda index, _: self._lines[index], id="detail", empty="")
        self._lines: list[list[Piece]] = []
        self._starts: list[int] = []
        self.inspection: Inspection | None = None
        self._head: list[str] = []
        self._known: Sequence[SightingState] = ()
        self._width = 0

    def show_inspection(
        self, head: Sequence[str], inspection: Inspection | None, known: Sequence[SightingState] = ()
    ) -> None:
        """`head` are lines about the secret as a whole, `known` what the list says of each place."""
        self._head, self.inspection, self._known = list(head), inspection, known
        self._lay_out()
        self.show(len(self._lines), 0)

    def step(self, by: int) -> None:
        """To the next place, or the one before."""
        if not self._starts:
            return
        at = max((n for n, start in enumerate(self._starts) if start <= self.cursor), default=-1) + by
        start = self._starts[at % len(self._starts)]
        self.cursor = min(self.count - 1, start + self.scrollable_content_region.height - 1)
        self.cursor = start

    def on_resize(self) -> None:
        super().on_resize()
        if self.size.width != self._width:
            self._lay_out()
            self.show(len(self._lines))

    def _lay_out(self) -> None:
        self._width = self.size.width
        width = max(20, self._width - 1)
        self._lines, self._starts = [], []
        for line in self._head:
            self._lines += [[(part, "heading")] for part in wrap(printable(line), width)]
        if self.inspection is None:
            return
        for number, seen in enumerate(self.inspection.places):
            if number:
                self._lines.append([("", "")])
            self._starts.append(len(self._lines))
            known = self._known[number] if number < len(self._known) else "present"
            self._lines += self._place(seen, known, width)
        if self.inspection.why_found:
            self._lines.append([("", "")])
            self._say("found as", self.inspection.why_found, width)

    def _say(self, label: str, text: str, width: int, style: str = "") -> None:
        first, *rest = wrap(printable(text), width - 10) or [""]
        self._lines.append([(f"{label:<10}", "muted"), (first, style)])
        self._lines += [[(" " * 10, ""), (line, style)] for line in rest]

    def _place(self, seen: Seen, known: SightingState, width: int) -> Iterator[list[Piece]]:
        yield [(printable(seen.path), "accent")]
        if known == "migrated" and seen.state == "changed":
            yield [("  a reference stands here now", "good")]
        for note in filter(None, (_STATES[seen.state] if known == "present" else "", seen.trouble)):
            for part in wrap(printable(note), width - 2):
                yield [(f"  {part}", "warning")]
        for line in seen.lines:
            sign = ">" if line.number == seen.line else " "
            number = f"{sign}{line.number:>4} "
            yield [(number, "heading" if sign == ">" else "muted"), *coloured(seen.path, line.text)]
        if seen.encoding:
            yield [(f"  written as {' in '.join(reversed(seen.encoding))}", "muted")]
        if seen.references:
            for part in wrap("can become: " + ", ".join(seen.references), width - 2):
                yield [(f"  {part}", "good")]
        elif seen.reason:
            for part in wrap("stays: " + printable(seen.reason), width - 2):
                yield [(f"  {part}", "warning")]


_YAML = re.compile(r"(?P<comment>(?:^|\s)\#.*$)|(?P<key>^[\s\-]*[\w./\"'-]+(?=\s*:(?:\s|$)))|(?P<mask>\*\*\*)")
_JSON = re.compile(r"(?P<key>\"[^\"]*\"(?=\s*:))|(?P<mask>\*\*\*)")
_LINES = re.compile(r"(?P<comment>^\s*\#.*$)|(?P<key>^\s*(?:export\s+)?[\w.-]+(?=\s*=))|(?P<mask>\*\*\*)")
_DOCKER = re.compile(
    r"(?P<comment>^\s*\#.*$)|(?P<key>^\s*(?:FROM|RUN|ENV|ARG|COPY|ADD|CMD|ENTRYPOINT|LABEL|USER|WORKDIR|EXPOSE|VOLUME|"
    r"HEALTHCHECK|ONBUILD|SHELL|STOPSIGNAL)\b)|(?P<mask>\*\*\*)",
    re.IGNORECASE,
)
_OTHER = re.compile(r"(?P<mask>\*\*\*)")


@cache
def _syntax(path: str) -> re.Pattern[str]:
    name = path.rpartition("/")[2].lower()
    if name.endswith((".yaml", ".yml")):
        return _YAML
    if name.endswith(".json"):
        return _JSON
    if "dockerfile" in name or "containerfile" in name:
        return _DOCKER
    return _LINES if ".env" in name or name.endswith((".ini", ".cfg", ".toml", ".properties", ".sh")) else _OTHER


def coloured(path: str, text: str) -> Iterator[Piece]:
    """A masked line with its keys, comments and masks told apart: by the line alone, as a part of a file is all there
    is to see."""
    at = 0
    for match in _syntax(path).finditer(text):
        if match.start() > at:
            yield text[at : match.start()], ""
        yield match.group(), {"key": "code", "comment": "comment", "mask": "mask"}[match.lastgroup or "mask"]
        at = match.end()
    if at < len(text):
        yield text[at:], ""
