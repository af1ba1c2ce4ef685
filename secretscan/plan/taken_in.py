"""Credentials in files that a manifest takes in whole: a key that a Dockerfile copies, a file that a generator packs.

No reference can stand in such a file. What can be done is done in the manifest, and its rewriter says what.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import rewriters
from rewriters import Assignment, Reference, Refusal, Request, Settings, Slot
from secretscan.detect.survey import Survey
from secretscan.plan.document import Left

__all__ = ["taken_in"]

_MOST = 20_000
"""How many names of files are looked at; a tree with more of them keeps the general reason for the rest."""


def taken_in(left: Sequence[Left], survey: Survey, settings: Settings, vault_url: str) -> list[Left]:
    """The same places; those in files that a manifest takes in have its reason, and what to do there."""
    named = [slot for slots in survey.slots.values() for slot in slots if slot.place == "file"][:_MOST]
    bare = {item.path for item in left if not item.platform and not item.mark} if named else set()
    by_path: dict[str, Slot] = {}
    meant = _Meant(bare)
    for slot in named if bare else ():
        for path in meant.by(slot):
            by_path.setdefault(path, slot)
    said = _said(list(by_path.values()), survey, settings, vault_url)
    result: list[Left] = []
    for item in left:
        own = by_path.get(item.path) if not item.platform and not item.mark else None
        refusal = said.get((own.path, own.pointer)) if own is not None else None
        if own is not None and refusal is not None:
            item = replace(
                item, reason=f"{own.path} takes this file in: {refusal.reason}", alternative=refusal.alternative
            )
        result.append(item)
    return result


class _Meant:
    """Which of some files the name in a manifest means."""

    def __init__(self, paths: set[str]) -> None:
        self._paths = paths
        self._below: dict[str, list[str]] = {}
        for path in sorted(paths):
            folder = posixpath.dirname(path)
            while folder:
                self._below.setdefault(folder, []).append(path)
                folder = posixpath.dirname(folder)
        self._asked: set[str] = set()

    def by(self, slot: Slot) -> Iterator[str]:
        """From the manifest's own folder, or for a Dockerfile from one above, where builds may start."""
        name = slot.value.reveal().decode("utf-8", "replace").lstrip("/")
        folder = posixpath.dirname(slot.path)
        while name:
            place = posixpath.normpath(posixpath.join(folder, name))
            if place not in self._asked:
                self._asked.add(place)
                yield from self._at(place)
            if not folder or slot.platform != "dockerfile":
                return
            folder = posixpath.dirname(folder)

    def _at(self, place: str) -> Iterator[str]:
        if place in self._paths:
            yield place
        elif place in self._below:
            yield from self._below[place]
        elif any(char in place for char in "*?") and len(place) < 1000:
            folder = posixpath.dirname(place)
            near = self._below.get(folder, ()) if folder else self._paths
            yield from (path for path in near if posixpath.dirname(path) == folder and fnmatchcase(path, place))


def _said(slots: Sequence[Slot], survey: Survey, settings: Settings, vault_url: str) -> dict[tuple[str, str], Refusal]:
    """What the rewriters answer when such a name is asked to become a reference: never an edit."""
    found: dict[tuple[str, str], Refusal] = {}
    for platform in sorted({slot.platform for slot in slots}):
        mine = dict.fromkeys((slot.path, slot.pointer) for slot in slots if slot.platform == platform)
        by_place = {(slot.path, slot.pointer): slot for slot in slots}
        items = tuple(Assignment(by_place[place], Reference(vault_url, "file")) for place in mine)
        answer = rewriters.by_name(platform).rewrite(Request(survey.claimed, items, settings))
        found |= {(refusal.path, refusal.pointer): refusal for refusal in answer.refusals}
    return found
