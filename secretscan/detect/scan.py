"""One file to findings.

Every file is read by the text rules. If platforms claim it, their rewriters give its slots besides, which are judged by
name, place and value, and whose decoded values the text rules read, too. What both see is one finding.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rewriters import HEAD, Plaintext, Slot, Span, Unreadable, claimants
from secretscan.detect.lines import Lines, Transcoded, locate_in, transcode
from secretscan.model import Finding, Unscanned

if TYPE_CHECKING:
    from typing import BinaryIO

    from secretscan.detect.text import Hit, Tally, TextRules
    from secretscan.sources.file import SourceFile

__all__ = ["MOST_WHOLE", "WINDOW", "Detector", "FileScan"]

MOST_WHOLE = 8 << 20
"""Bytes up to which a file is read as a whole, and by the platforms' readers. Larger ones go through windows."""

WINDOW = 1 << 20
"""Bytes of a large file that are read at a time, beside the overlap."""

_SNIFF = 8192

_ARCHIVES = (
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
)

NO_PLATFORM = "no supported platform reads this file, so there is no reference that could stand here"
NO_SLOT = "not a place that a platform reads a value from, so there is no reference that could stand here"


@dataclass(frozen=True, slots=True)
class FileScan:
    """What one file gave. `data` are its bytes if a platform claims it; `slots` all places of all these platforms."""

    findings: tuple[Finding, ...] = ()
    slots: tuple[Slot, ...] = field(default=(), repr=False)
    data: bytes | None = field(default=None, repr=False)
    unscanned: tuple[Unscanned, ...] = ()


class Detector:
    """Reads files. One object for a whole scan: rules and engine are loaded with its first file."""

    def __init__(self) -> None:
        self._rules: TextRules | None = None

    @property
    def engine(self) -> str:
        """The name of the engine in use, `hyperscan` or `re`; empty before the first file."""
        return self._rules.engine if self._rules is not None else ""

    def scan(self, file: SourceFile, source: str = "") -> FileScan:
        """The findings in one file by position. `source` is said in their locations. Never raises for the file's sake:
        what cannot be read is in `unscanned`. Raises `ConfigurationError` for an engine that there is not."""
        if self._rules is None:
            from secretscan.detect.text import TextRules

            self._rules = TextRules()
        try:
            with file.open() as handle:
                data = _read(handle, MOST_WHOLE + 1)
                if len(data) > MOST_WHOLE:
                    return _large(self._rules, file.path, source, data, handle)
        except OSError as error:
            reason = error.strerror or str(error)
            return FileScan(unscanned=(Unscanned(file.path, f"cannot be read: {reason[:1].lower()}{reason[1:]}"),))
        return _whole(self._rules, file.path, source, bytes(data))


def _read(handle: BinaryIO, most: int) -> bytearray:
    """So many bytes, or all that are left. Raw files may give fewer at a time than asked for."""
    data = bytearray()
    while len(data) < most:
        piece = handle.read(min(most - len(data), WINDOW))
        if not piece:
            break
        data += piece
    return data


def _whole(rules: TextRules, path: str, source: str, raw: bytes) -> FileScan:
    from secretscan.detect.assignments import is_example, syntax_of
    from secretscan.detect.text import Tally

    wide = transcode(raw)
    data = wide.data if wide is not None else raw
    lines = Lines(data)
    tally = Tally()
    claimed, slots, unscanned = _claimed(path, raw)
    findings: list[Finding] = []
    if slots:
        from secretscan.detect.slots import slot_findings

        findings = slot_findings(rules, slots, raw, lines, source, tally)
    places = Covered([slot.literal for slot in slots] + [finding.location.span for finding in findings])
    binary = b"\0" in data[:_SNIFF]
    for hit in rules.find(data, syntax_of(path), binary=binary, tally=tally, claimed=claimed):
        # Outside of every slot a guessable value is an example in a comment, most of the time.
        if not places.touch(hit.span) and (hit.strength == "strong" or not claimed):
            findings.append(_finding(hit, path, source, data, lines, wide, NO_SLOT if claimed else NO_PLATFORM))
    if not findings and not claimed and not binary:
        findings = _secret_file(path, source, data, lines, wide)
    if is_example(path):
        findings = [finding for finding in findings if finding.strength == "strong"]
    findings.sort(key=lambda finding: (finding.location.span, finding.rule))
    unscanned += _exceeded(path, tally) + _archive(path, raw)
    return FileScan(tuple(findings), slots, raw if claimed else None, tuple(unscanned))


def _claimed(path: str, raw: bytes) -> tuple[bool, tuple[Slot, ...], list[Unscanned]]:
    """Whether a platform claims the file and can read it; all slots; and what could not be read."""
    claimed = False
    slots: list[Slot] = []
    unscanned: list[Unscanned] = []
    for rewriter in claimants(path, raw[:HEAD]):
        try:
            slots += rewriter.slots(path, raw)
            claimed = True
        except Unreadable as error:
            reason = f"not readable as a {rewriter.NAME} file, only searched as text: {error.reason}"
            unscanned.append(Unscanned(path, reason, error.line, partial=True))
        except RecursionError:
            reason = f"nested too deep to be read as a {rewriter.NAME} file, only searched as text"
            unscanned.append(Unscanned(path, reason, partial=True))
    return claimed, tuple(slots), unscanned


def _large(rules: TextRules, path: str, source: str, head: bytearray, handle: BinaryIO) -> FileScan:
    """A file through windows: its text alone, in memory that does not grow with the file."""
    from secretscan.detect.assignments import syntax_of
    from secretscan.detect.ruleset import MOST_BACK, MOST_REACH
    from secretscan.detect.text import LOOK_BEHIND, Tally

    if bytes(head[:2]) in (b"\xff\xfe", b"\xfe\xff"):
        return FileScan(unscanned=(Unscanned(path, f"a UTF-16 file of more than {MOST_WHOLE >> 20} MiB is not read"),))
    syntax, binary, tally = syntax_of(path), b"\0" in head[:_SNIFF], Tally()
    unscanned: list[Unscanned] = []
    for rewriter in claimants(path, bytes(head[:HEAD])):
        reason = (
            f"more than {MOST_WHOLE >> 20} MiB, too large to be read as a {rewriter.NAME} file, only searched as text"
        )
        unscanned.append(Unscanned(path, reason, partial=True))
    first_bytes = bytes(head[:8])
    findings: list[Finding] = []
    # `buffer` begins at the file's byte `shift`; candidates up to `done` are dealt with. Before it stay the bytes that
    # a candidate's window may reach back to, after it those that it may reach forward to.
    buffer, shift, done, lines_before, line_start = head, 0, -1, 0, 0
    del head
    ended = False
    while not ended:
        piece = _read(handle, WINDOW)
        ended = not piece
        buffer += piece
        stop = shift + len(buffer) if ended else shift + len(buffer) - MOST_REACH
        own = Span(done - shift, stop - shift)
        hits = rules.find(buffer, syntax, binary=binary, tally=tally, own=own)
        if hits:
            lines = Lines(buffer, lines_before, shift, line_start)
            findings += (_finding(hit, path, source, buffer, lines, None, NO_PLATFORM, shift) for hit in hits)
        done = stop
        cut = max(0, done - shift - MOST_BACK - LOOK_BEHIND)
        lines_before += buffer.count(b"\n", 0, cut)
        last_break = buffer.rfind(b"\n", 0, cut)
        line_start = shift + last_break + 1 if last_break >= 0 else line_start
        del buffer[:cut]
        shift += cut
    unscanned += _exceeded(path, tally) + _archive(path, first_bytes)
    return FileScan(tuple(findings), unscanned=tuple(unscanned))


class Covered:
    """Spans, to ask whether another one touches any of them."""

    def __init__(self, spans: list[Span]) -> None:
        self._ends: list[int] = []
        self._starts: list[int] = []
        for span in sorted(span for span in spans if span):
            if self._ends and span.start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], span.end)
            else:
                self._starts.append(span.start)
                self._ends.append(span.end)

    def touch(self, span: Span) -> bool:
        at = bisect_right(self._ends, span.start)
        return at < len(self._starts) and self._starts[at] < span.end


def _finding(
    hit: Hit,
    path: str,
    source: str,
    data: bytes | bytearray,
    lines: Lines,
    wide: Transcoded | None,
    reason: str,
    shift: int = 0,
) -> Finding:
    value = bytes(data[hit.span.start : hit.span.end])
    span = Span(hit.span.start + shift, hit.span.end + shift)
    place = locate_in(lines, path, source, span)
    if wide is not None:
        line_start = wide.original(span.start - place.column + 1)
        last_start = wide.original(span.end - place.end_column + 1)
        original = wide.span(span)
        place = replace(
            place,
            span=original,
            column=original.start - line_start + 1,
            end_column=original.end - last_start + 1,
        )
    return Finding(
        rule=hit.rule.id,
        kind=hit.kind,
        strength=hit.strength,
        confidence=hit.rule.confidence,
        location=replace(place, key=hit.key) if hit.key else place,
        value=Plaintext(value),
        reason=reason,
    )


def _secret_file(path: str, source: str, data: bytes, lines: Lines, wide: Transcoded | None) -> list[Finding]:
    """A file that is a credential as a whole, which its name says: `secrets/db_password.txt`."""
    from secretscan.detect.secret_file import whole_file

    hit = whole_file(path, data)
    return [_finding(hit, path, source, data, lines, wide, NO_PLATFORM)] if hit is not None else []


def _exceeded(path: str, tally: Tally) -> list[Unscanned]:
    from secretscan.detect.ruleset import load
    from secretscan.detect.text import MOST_FOUND

    reason = "more candidates of rule {} than are looked at in one file (at most {} finds); look at this file by hand"
    names = sorted(load()[index].id for index in tally.exceeded)
    return [Unscanned(path, reason.format(name, MOST_FOUND), partial=True) for name in names]


def _archive(path: str, raw: bytes) -> list[Unscanned]:
    """Compressed files: their bytes were searched, and say nothing of what they hold."""
    for magic, name in _ARCHIVES:
        if raw.startswith(magic):
            return [Unscanned(path, f"compressed ({name}); what is in it was not read", partial=True)]
    return []
