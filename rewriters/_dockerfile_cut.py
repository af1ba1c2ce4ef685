"""What to take out of a Dockerfile to remove variables: whole instructions, or some of an instruction's pairs.

Comments stay, also those between the lines of one instruction.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rewriters._api import Span
from rewriters._dockerfile_flow import Step
from rewriters._dockerfile_read import Dockerfile

__all__ = ["cut"]


def cut(file: Dockerfile, step: Step, gone: list[bool]) -> Iterator[Span]:
    """The bytes to take out so that these of the step's pairs are gone: apart, in order."""
    data, whole = file.data, step.instruction.span
    if all(gone):
        start = max(whole.start, 3 if data.startswith(b"\xef\xbb\xbf") else 0)
        yield from _lines(data, start, start, whole.end)
        return
    words = [step.instruction.text.span(*pair.word) for pair in step.pairs]
    for taken, group in groupby(range(len(words)), key=gone.__getitem__):
        if not taken:
            continue
        indexes = list(group)
        first, last = words[indexes[0]], words[indexes[-1]]
        before = words[indexes[0] - 1].end if indexes[0] else None
        after = words[indexes[-1] + 1].start if indexes[-1] + 1 < len(words) else None
        start = first.start if before is None else before
        stop = after if before is None and after is not None else last.end
        if b"#" not in data[start : after or last.end].replace(data[first.start : last.end], b""):
            yield Span(start, stop)
        elif after is None:
            # The mark that led to these lines goes, and the lines without the comments between them.
            line = data.find(b"\n", start)
            mark = data[start:line].rstrip()
            if mark:
                yield Span(start, start + len(mark))
            yield from _lines(data, -1, line + 1, whole.end)
        else:
            yield from (_alone(data, words[index], file.escape) for index in indexes)


def _lines(data: bytes, first: int, start: int, end: int) -> Iterator[Span]:
    """The lines that are neither comments nor empty; the one that begins at `first` in any case."""
    at = begin = start
    while at < end:
        found = data.find(b"\n", at, end)
        stop = end if found < 0 else found + 1
        if at != first and data[at:stop].strip()[:1] in (b"", b"#"):
            if begin < at:
                yield Span(begin, at)
            begin = stop
        at = stop
    if begin < end:
        yield Span(begin, end)


def _alone(data: bytes, word: Span, escape: bytes) -> Span:
    """A word's lines when nothing else stands on them, otherwise the word and the blanks behind it."""
    line = data.rfind(b"\n", 0, word.start) + 1
    stop = data.find(b"\n", word.end) + 1
    if not data[line : word.start].strip() and data[word.end : stop].strip() == escape:
        return Span(line, stop)
    end = word.end
    while data[end : end + 1] in (b" ", b"\t"):
        end += 1
    return Span(word.start, end)
