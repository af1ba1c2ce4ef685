"""Bytes on disk against bytes as they are scanned, and offsets as lines and columns."""

from __future__ import annotations

from bisect import bisect_right

from rewriters import Span
from secretscan.model import Location

__all__ = ["Lines", "Transcoded", "locate_in", "transcode"]


class Lines:
    """Line starts of a text. Lines end at a line feed; both numbers count from 1, columns in bytes.

    For a text that is a part of its file, `first` is the number of line feeds before it, `shift` its offset in the
    file, and `line_start` the offset in the file of the line that it begins in.
    """

    def __init__(self, data: bytes | bytearray, first: int = 0, shift: int = 0, line_start: int | None = None) -> None:
        self._starts = [0 if line_start is None else line_start - shift]
        at = data.find(b"\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = data.find(b"\n", at + 1)
        self._first, self._shift = first, shift

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a byte offset of the file."""
        at = offset - self._shift
        line = bisect_right(self._starts, at)
        return self._first + line, at - self._starts[line - 1] + 1


class Transcoded:
    """A UTF-16 text as UTF-8, with the way back for offsets. `data` is the UTF-8 text."""

    def __init__(self, raw: bytes, codec: str) -> None:
        even = len(raw) - len(raw) % 2
        self._codec = codec
        self.data = raw[2:even].decode(codec, "surrogatepass").encode("utf-8", "surrogatepass")

    def original(self, offset: int) -> int:
        """The offset in the file of an offset of `data`, which lies between two characters."""
        text = self.data[:offset].decode("utf-8", "surrogatepass")
        return 2 + len(text.encode(self._codec, "surrogatepass"))

    def span(self, span: Span) -> Span:
        return Span(self.original(span.start), self.original(span.end))


def transcode(raw: bytes) -> Transcoded | None:
    """The text of a file that begins with a UTF-16 byte order mark; nothing for any other.

    Lone surrogates are carried along; a text that is not UTF-16 after all is not transcoded.
    """
    codec = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(raw[:2])
    if codec is None:
        return None
    try:
        return Transcoded(raw, codec)
    except UnicodeError:
        return None


def locate_in(lines: Lines, path: str, source: str, span: Span) -> Location:
    """The place of a span of the file."""
    line, column = lines.place(span.start)
    end_line, end_column = lines.place(span.end)
    return Location(source, path, span, line, column, end_line, end_column)
