"""What detection needs of a file, whatever source it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO, Protocol

__all__ = ["HeldFile", "SourceFile"]


class SourceFile(Protocol):
    """A file of a source: its path relative to the source's root, with `/` between folders, and its size in bytes.

    The size is what the source said when it listed the file; what `open` gives is what counts.
    """

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int: ...

    def open(self) -> BinaryIO:
        """The bytes, unbuffered, from the start. Raises `OSError`."""
        ...


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file whose bytes are at hand already."""

    path: str
    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return BytesIO(self.data)
