"""Versions in references that are written before the vault has given them.

A plan is made, looked at and sealed before its values are stored, and a vault names a version only as it stores one.
So a plan whose references are to name versions holds a stand-in for each, of the same length. A file on disk holds the
version itself: it is put in as the file is written, and taken out again before a file is compared with the plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from secretscan.errors import ChangedSince
from secretscan.inventory.ids import Ids
from secretscan.plan.document import Plan

__all__ = ["NO_PINS", "Pins", "pins_of"]

_VERSION = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class Pins:
    """`versions` are the stored ones by stand-in, `stand_ins` the reverse, also for versions of an earlier attempt."""

    versions: Mapping[bytes, bytes] = field(default_factory=dict)
    stand_ins: Mapping[bytes, bytes] = field(default_factory=dict)

    def put(self, data: bytes) -> bytes:
        """What stands on disk for this text of the plan. Raises `ChangedSince` for a text in which one of the versions
        stands already: nothing could tell the two apart afterwards."""
        if not self.versions:
            return data
        result = _swapped(self.versions, data)
        if self.take(result) != data:
            raise ChangedSince(
                "a file names the version already that its references are to name", next_step="plan again"
            )
        return result

    def take(self, data: bytes) -> bytes:
        """The text of the plan for what stands on disk."""
        return _swapped(self.stand_ins, data) if self.stand_ins else data


NO_PINS = Pins()


def pins_of(plan: Plan, stored: Iterable[tuple[str, str]], ids: Ids) -> Pins:
    """For the versions that were stored so far, by secret id and in the order of time."""
    if not plan.pinned:
        return NO_PINS
    new = {secret.id for secret in plan.secrets if not secret.version}
    pairs = [(ids.stand_in(id_).encode(), version.encode()) for id_, version in stored if id_ in new]
    return Pins(dict(pairs), {version: stand_in for stand_in, version in pairs})


def _swapped(pairs: Mapping[bytes, bytes], data: bytes) -> bytes:
    return _VERSION.sub(lambda found: pairs.get(found.group(), found.group()), data)
