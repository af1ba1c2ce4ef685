"""The lines around places, as the files are now, for a person to read: never with a value in them.

A file is read once, as a scan reads it: within its bounds, and never through a link. What is shown are the bytes that
were searched, with every finding masked, and whatever can be told to spell a value that was found in one of the files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Literal

from rewriters import Plaintext, Slot, Span
from rewriters._undo import spellings
from secretscan.detect.catalog import describe
from secretscan.detect.lines import Lines, transcode
from secretscan.detect.scan import MOST_WHOLE, Detector, FileScan
from secretscan.errors import printable
from secretscan.events import Cancellation
from secretscan.inventory.ids import Ids
from secretscan.inventory.sightings import Sighter, held, named
from secretscan.model import Sighting
from secretscan.plan.diff import MASK, masked, union
from secretscan.prove.traces import Traces
from secretscan.review.known import REACH, known_spans
from secretscan.sources.file import HeldFile
from secretscan.sources.tree import pick

__all__ = ["Inspection", "Seen", "SeenLine", "SeenState", "inspect_places"]

SeenState = Literal["there", "changed", "gone", "unreadable"]
"""`there`: the secret stands in its place; `changed`: the file is there, and the place holds something else or is gone;
`gone`: there is no file; `unreadable`: it is not read, for the reason given."""

LONGEST = 300
"""Characters of a line that are shown."""
_LEAD = 80
"""Characters before a place that are shown of a longer line."""
_TAB = 4
_WIDEST = 4
"""Bytes of a character in UTF-8."""


@dataclass(frozen=True, slots=True)
class SeenLine:
    """A line of the file, from 1, masked, cut and with control characters escaped."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One place as it is now. `line` is the one it begins on, 0 if the file cannot be shown.

    `references` are the kinds of reference that can stand there; if there are none, `reason` says why. `trouble` says
    why the file is `gone` or `unreadable`, or that it was only searched as text.
    """

    path: str
    state: SeenState
    line: int = 0
    lines: tuple[SeenLine, ...] = ()
    references: tuple[str, ...] = ()
    reason: str = ""
    encoding: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The places in the order in which they were given. `why_found` are the words of the rules that found them."""

    places: tuple[Seen, ...]
    why_found: str


def inspect_places(
    root: Path,
    sightings: Sequence[Sighting],
    ids: Ids,
    cancellation: Cancellation,
    *,
    around: int = 4,
    known: Collection[str] = (),
) -> Inspection:
    """Reads the files of these places again. `around` is how many lines are shown before a place and after it. `known`
    are ids of values that stand in any file, and must not be seen in these. Raises `Cancelled` between two files."""
    files: dict[str, _File | _Unread] = {}
    for sighting in sightings:
        if sighting.path not in files:
            cancellation.check()
            files[sighting.path] = _read(root, sighting.path, ids)
        file = files[sighting.path]
        if isinstance(file, _File):
            file.look_for(sighting, ids)
    values = [value for file in files.values() if isinstance(file, _File) for value in file.values()]
    forms = {str(number): spellings(value) for number, value in enumerate(values)}
    longest = max((len(form) for each in forms.values() for form in each), default=0)
    hidden = _Hidden(Traces(forms), longest, cache(lambda line: known_spans(line, known, ids)) if known else None)
    places: list[Seen] = []
    for sighting in sightings:
        file = files[sighting.path]
        if isinstance(file, _Unread):
            places.append(Seen(sighting.path, file.state, reason=sighting.reason, trouble=file.why))
        else:
            places.append(file.seen(sighting, hidden, around))
    return Inspection(tuple(places), " ".join(filter(None, dict.fromkeys(describe(each.rule) for each in sightings))))


@dataclass(frozen=True, slots=True)
class _Unread:
    """A file that cannot be shown."""

    state: SeenState
    why: str


@dataclass(frozen=True, slots=True)
class _Hidden:
    """What is blotted out wherever it stands, and how many bytes the longest of it has; and what finds in a line the
    values that are known by id."""

    traces: Traces
    longest: int
    known: Callable[[bytes], list[Span]] | None


def _read(root: Path, path: str, ids: Ids) -> _File | _Unread:
    """The file of a path as the inventory holds it, read once and searched."""
    for name in dict.fromkeys((path, named(path))):
        try:
            with pick(root, name).open() as handle:
                data = b""
                while len(data) <= MOST_WHOLE and (piece := handle.read(MOST_WHOLE + 1 - len(data))):
                    data += piece
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return _Unread("unreadable", error.strerror or str(error))
        if len(data) > MOST_WHOLE:
            return _Unread("unreadable", f"it has more than {MOST_WHOLE >> 20} MiB")
        return _File(path, data, Detector().scan(HeldFile(name, data), "tree"), ids)
    return _Unread("gone", "there is no such file any more")


class _File:
    """A file as it was read and searched."""

    def __init__(self, path: str, data: bytes, scan: FileScan, ids: Ids) -> None:
        self._path = path
        self._data = data
        self._scan = scan
        found = Sighter().of_file((ids.secret(finding.value), finding) for finding in scan.findings)
        self._findings = {_key(sighting): finding for sighting, finding in zip(found, scan.findings, strict=True)}
        self._slots = {held(slot.pointer): slot for slot in reversed(scan.slots)}
        self._whole: dict[tuple[str, str, int], Slot] = {}
        self._spans: list[Span] = []
        self._text = b""
        self._starts: list[int] = []
        self._wide = False
        self._raw_lines = Lines(data)

    def look_for(self, sighting: Sighting, ids: Ids) -> None:
        """Notes a place that holds a secret as a whole, which is no finding: a text that moved around a password."""
        slot = self._slots.get(sighting.pointer)
        if _key(sighting) not in self._findings and slot and ids.secret(slot.value) == sighting.secret:
            self._whole[_key(sighting)] = slot

    def values(self) -> Iterator[Plaintext]:
        """All that must not be seen."""
        yield from (finding.value for finding in self._scan.findings)
        yield from (slot.value for slot in self._whole.values())

    def seen(self, sighting: Sighting, hidden: _Hidden, around: int) -> Seen:
        """The place as it is now."""
        if not self._starts:
            self._mask()
        finding, whole = self._findings.get(_key(sighting)), self._whole.get(_key(sighting))
        slot = whole or self._slots.get(sighting.pointer)
        if finding is not None:
            at, line = finding.location.span.start, finding.location.line
        elif slot is not None:
            at, line = slot.span.start, self._raw_lines.place(slot.span.start)[0]
        else:
            at, line = -1, sighting.line
        line = max(1, min(line, len(self._starts) - 1))
        references, reason = (finding.references, finding.reason) if finding else ((), sighting.reason)
        if whole is not None:
            references, reason = whole.targets, whole.reason
        return Seen(
            path=self._path,
            state="changed" if finding is None and whole is None else "there",
            line=line,
            lines=tuple(self._shown(line, self._lead(at), hidden, around)),
            references=references,
            reason="" if references else reason,
            encoding=finding.encoding if finding is not None else sighting.encoding,
            trouble=next((each.reason for each in self._scan.unscanned), ""),
        )

    def _mask(self) -> None:
        """The text with every finding masked, as UTF-8, and where its lines start; at last where one more would."""
        data, spans = self._data, [finding.location.span for finding in self._scan.findings]
        self._spans = union([*spans, *(slot.span for slot in self._whole.values())])
        wide = transcode(data)
        if wide is not None:
            data, self._spans = wide.data, _moved(data, self._spans)
        self._text = masked(data, self._spans)
        self._starts = [0, *accumulate(len(line) + 1 for line in self._text.split(b"\n"))]
        self._wide = wide is not None

    def _lead(self, at: int) -> int:
        """How many bytes stand before a place on its masked line, as far as that is known."""
        if at < 0 or self._wide:
            return 0
        start = self._data.rfind(b"\n", 0, at) + 1
        before = [Span(span.start - start, span.end - start) for span in self._spans if start <= span.start < at]
        return at - start - sum(max(0, len(span) - len(MASK)) for span in before)

    def _shown(self, line: int, lead: int, hidden: _Hidden, around: int) -> Iterator[SeenLine]:
        first, last = max(0, line - 1 - around), min(len(self._starts) - 1, line + around)
        pieces = [self._piece(number, lead if number == line - 1 else 0) for number in range(first, last)]
        # A form that reaches into what is shown begins or ends so many bytes further on at most.
        windows = union(Span(max(0, piece.start - hidden.longest), piece.end + hidden.longest) for piece in pieces)
        spans = union(
            Span(window.start + found.start, window.start + found.end)
            for window in windows
            for found in hidden.traces.spans(self._text[window.start : window.end])
        )
        spans += [found for number, piece in enumerate(pieces, first) for found in self._known(number, piece, hidden)]
        for number, piece in enumerate(pieces, first):
            inside = [
                Span(max(span.start, piece.start) - piece.start, min(span.end, piece.end) - piece.start)
                for span in spans
                if span.start < piece.end and span.end > piece.start
            ]
            inside = union(inside)
            start, end = self._starts[number], self._starts[number + 1] - 1
            text = masked(self._text[piece.start : piece.end], inside).removesuffix(b"\r").decode("utf-8", "replace")
            text = (text.removeprefix("\ufeff") if number == 0 else text).expandtabs(_TAB)
            more = piece.end < end or len(text) > LONGEST
            shown = printable(text[:LONGEST])
            yield SeenLine(number + 1, f"{'...' * (piece.start > start)}{shown}{'...' * more}")

    def _known(self, number: int, piece: Span, hidden: _Hidden) -> Iterator[Span]:
        """What stands in a piece of a line, or reaches into it, of the values that are known by id."""
        if hidden.known is None:
            return
        start, end = self._starts[number], self._starts[number + 1] - 1
        low, high = max(start, piece.start - REACH), min(end, piece.end + REACH)
        for span in hidden.known(self._text[low:high]):
            yield Span(low + span.start, low + span.end)

    def _piece(self, number: int, lead: int) -> Span:
        """So much of a line as is shown at most: of a long one from a little before the place on."""
        start, end = self._starts[number], self._starts[number + 1] - 1
        low = start + max(0, min(lead - _LEAD, end - start - LONGEST))
        while low < end and self._text[low] & 0xC0 == 0x80:  # within a character
            low += 1
        return Span(low, min(end, low + LONGEST * _WIDEST))


def _key(sighting: Sighting) -> tuple[str, str, int]:
    return sighting.secret, sighting.pointer, sighting.ordinal


def _moved(data: bytes, spans: Iterable[Span]) -> list[Span]:
    """Places of a UTF-16 text, in order, as those of the same text in UTF-8."""
    codec = "utf-16-le" if data.startswith(b"\xff\xfe") else "utf-16-be"
    result: list[Span] = []
    at, size = 2, 0
    for span in spans:
        between, inside = (
            len(piece.decode(codec, "surrogatepass").encode("utf-8", "surrogatepass"))
            for piece in (data[at : span.start], data[span.start : span.end])
        )
        result.append(Span(size + between, size + between + inside))
        at, size = span.end, size + between + inside
    return result
