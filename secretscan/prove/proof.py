"""Before equals after, and the plaintext is gone.

Two independent questions about a rewritten tree. What does each platform hand its workloads, references resolved
against the vault (`effective` of every rewriter, which reads files with another parser than the rewriting does)? And
does any place that was rewritten still hold its value, in any spelling?
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import rewriters
from rewriters import Address, Files, Lookup, Plaintext, Reference, Rewriter, Unreadable
from rewriters._undo import traces

__all__ = ["Difference", "Leftover", "Proof", "compare", "stands_in"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a workload received before and does not receive now, or not the same, or that is new to it."""

    address: Address
    problem: Literal["missing", "changed", "added", "unreadable"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """A rewritten place that still holds the value that was moved from it."""

    path: str
    pointer: str
    line: int


@dataclass(frozen=True, slots=True)
class Proof:
    """`deliveries` addresses were compared and `places` rewritten places searched. `elsewhere` are places of the same
    secrets that were not part of the run and still hold them: true, and no failure of the run."""

    deliveries: int
    places: int
    differences: tuple[Difference, ...]
    leftovers: tuple[Leftover, ...]
    elsewhere: tuple[Leftover, ...]

    @property
    def holds(self) -> bool:
        return not self.differences and not self.leftovers


def compare(
    before: Files, after: Files, lookup: Lookup, provided: Iterable[str] = ()
) -> tuple[int, tuple[Difference, ...]]:
    """How many deliveries there were before, and those that are missing, changed or unasked for now.

    A rewrite may give a workload one more variable for a value of the vault (to put it together with other text); any
    other variable or argument that was not there before is a difference. `provided` names image variables
    (`path#NAME`) that the image no longer sets since every deployment does: they are equal when a deployment hands
    over that name with that value.
    """
    resolve = cache(_tolerant(lookup))
    old, unread = deliveries(before, resolve)
    read: list[Plaintext] = []

    def noting(reference: Reference) -> Plaintext:
        read.append(resolve(reference))
        return read[-1]

    new, unread_now = deliveries(after, noting)
    differences = [
        Difference(Address(path, f"{path}: {reason}", "object", ""), "unreadable")
        for path, reason in (unread | unread_now).items()
        if path not in unread or before.get(path) != after.get(path)
    ]
    moved = frozenset(provided)
    for address, value in old.items():
        now = new.get(address)
        if now is not None and now == value:
            continue
        if now is None and address.channel == "env" and f"{address.path}#{address.name}" in moved:
            others = (item for place, item in new.items() if place.channel == "env" and place.name == address.name)
            if any(item == value for item in others):
                continue
        differences.append(Difference(address, "missing" if now is None else "changed"))
    for address, value in new.items():
        fresh = address not in old and address.path not in unread and address.channel in {"env", "arg"}
        if fresh and not any(value == item for item in read):
            differences.append(Difference(address, "added"))
    return len(old), tuple(differences)


def deliveries(files: Files, lookup: Lookup) -> tuple[dict[Address, Plaintext], dict[str, str]]:
    """What all platforms hand over, and the files that could not be asked, each with the reason."""
    result: dict[Address, Plaintext] = {}
    unread: dict[str, str] = {}
    for name in rewriters.names():
        rewriter = rewriters.by_name(name)
        mine = [path for path, data in files.items() if rewriter.claims(path, data[: rewriters.HEAD])]
        if not mine:
            continue
        try:
            handed = rewriter.effective(files, lookup)
        except Unreadable:
            # One file that cannot be read must not keep the others of its platform from being compared.
            broken = {path: why for path in mine if (why := _flaw(rewriter, {path: files[path]}, lookup))}
            rest = {path: data for path, data in files.items() if path not in broken}
            if why := _flaw(rewriter, rest, lookup):
                unread |= dict.fromkeys(mine, why)
                continue
            unread |= broken
            handed = rewriter.effective(rest, lookup)
        for delivery in handed:
            result[delivery.address] = delivery.value
    return result, unread


def _flaw(rewriter: Rewriter, files: Files, lookup: Lookup) -> str:
    """Why the platform cannot read these files, or `""`."""
    try:
        rewriter.effective(files, lookup)
    except Unreadable as error:
        return error.reason
    return ""


def _tolerant(lookup: Lookup) -> Lookup:
    """A reference that leads nowhere stands for itself: equal before and after, and never equal to a value."""

    def resolve(reference: Reference) -> Plaintext:
        try:
            return lookup(reference)
        except LookupError:
            return Plaintext(f"\0unresolved {reference.vault_url}/{reference.name}".encode())

    return resolve


def stands_in(text: bytes, value: Plaintext) -> bool:
    """Whether a text holds the value plain, base64, URL-encoded or JSON-escaped.

    A value that stands in ordinary text by chance (`postgres`) counts only as the whole text; what a platform would
    take for a credential among others is for detection to say.
    """
    return text == value.reveal() or any(form in text for form in traces(value))
