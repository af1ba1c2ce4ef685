"""What can be copied of places: ids, paths, names. None of it holds a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secretscan.errors import printable
from secretscan.model import Sighting

__all__ = ["copies"]


def copies(here: Sequence[Sighting]) -> list[tuple[str, str]]:
    """What can be copied of these places: label and text. None of it holds a value."""

    def lines(texts: Iterator[str]) -> str:
        return "\n".join(dict.fromkeys(printable(text, len(text)) for text in texts))

    found = [
        ("secret ids", lines(item.secret for item in here)),
        ("places", lines(f"{item.path}:{item.line}" for item in here)),
        ("paths", lines(item.path for item in here)),
        ("pointers", lines(item.pointer for item in here if item.pointer)),
        ("names in the vault", lines(item.name for item in here if item.name)),
    ]
    return [(label, text) for label, text in found if text]
