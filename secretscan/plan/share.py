"""Which vault the values of a file go to, where a tree has one for each environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Share", "fault"]

_ANY = "**"


@dataclass(frozen=True, slots=True)
class Share:
    """`rules` are pairs of a pattern and a vault's URL, and the first whose pattern fits a file's path decides;
    `default` is the vault of all other files. Paths are seen from where the patterns were written: `folder` is the way
    from there to the root, empty or ending in a slash.

    A pattern is a path in which `*` stands for any text within a step, `?` for one character, and a step `**` for any
    number of steps. One that fits a folder fits all below it.
    """

    default: str
    rules: tuple[tuple[str, str], ...] = ()
    folder: str = ""

    def of(self, path: str) -> str:
        """The vault of a file, by its path from the root."""
        steps = (self.folder + path).split("/")
        return next((url for pattern, url in self.rules if _fits(pattern.rstrip("/").split("/"), steps)), self.default)

    def urls(self) -> tuple[str, ...]:
        """All vaults, the default one first."""
        return tuple(dict.fromkeys((self.default, *(url for _, url in self.rules))))


def fault(pattern: str) -> str:
    """Why this is no pattern, or `""`."""
    if not pattern.strip("/") or pattern.startswith("/") or any(step in (".", "..") for step in pattern.split("/")):
        return "it has to be a way down from the folder of the patterns, such as deploy/prod/**"
    return ""


def _fits(pattern: list[str], steps: list[str]) -> bool:
    """Tried in all ways at once, so that no pattern costs more than its length times the path's."""
    at = set(_reached(pattern, 0))
    for step in steps:
        if len(pattern) in at:
            return True
        at = {
            there
            for each in at
            if pattern[each] == _ANY or _step_fits(pattern[each], step)
            for there in _reached(pattern, each if pattern[each] == _ANY else each + 1)
        }
    return len(pattern) in at


def _reached(pattern: list[str], at: int) -> Iterator[int]:
    """The place itself, and those after steps that may stand for nothing."""
    yield at
    while at < len(pattern) and pattern[at] == _ANY:
        at += 1
        yield at


def _step_fits(pattern: str, text: str) -> bool:
    """Only the last star is ever tried again with more text, so the time is bounded by the product of the lengths."""
    at = here = 0
    star, after = -1, 0
    while here < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, after = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            after += 1
            at, here = star + 1, after
        else:
            return False
    return not pattern[at:].strip("*")
