"""What detection needs of a file, whatever source it comes from."""

from __future__ import annotations

from typing import BinaryIO, Protocol

__all__ = ["SourceFile"]


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
