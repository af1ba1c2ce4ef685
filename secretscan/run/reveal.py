"""Shows one found value to the person who asks for it, after that is on record.

What is handed out is read from the file again, and only if it is the very value that was found there. The record is
`.secretscan/reveals.jsonl`: a journal as runs have one, which says who was shown which secret of which place, and when.
Without the record nothing is shown.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from secretscan.detect.scan import Detector
from secretscan.errors import ChangedSince, InventoryBroken, JournalBroken, UsageError, printable
from secretscan.inventory.folder import folder_of
from secretscan.inventory.ids import Ids
from secretscan.inventory.sightings import held, named
from secretscan.model import Sighting
from secretscan.run import files
from secretscan.run.journal import Chain, Form, Record
from secretscan.sources.tree import TreeFile

if TYPE_CHECKING:
    from rewriters import Plaintext

__all__ = ["Revealed", "reveal_value"]


@dataclass(frozen=True, slots=True)
class Revealed(Record):
    """That the user `who` was shown the value of a secret. Texts from outside are escaped, and cut when very long."""

    who: str
    path: str
    pointer: str
    line: int
    secret: str


_FORM = Form(
    Revealed,
    "the journal of values that were shown",
    64 * 1024 * 1024,
    "no value was shown; move the journal away to begin a new one",
)


def reveal_value(root: Path, sighting: Sighting, ids: Ids) -> Plaintext:
    """The value of that secret from that file, once it is on disk that it is shown.

    Raises `ChangedSince` when the file does not hold it any more, `UsageError` for a place that is in no file of the
    root, and `JournalBroken` when it cannot be journaled.
    """
    if sighting.source != "tree":
        raise UsageError("only values in files can be shown", where=sighting.path, why=f"this is: {sighting.source}")
    place, value = _found(root, sighting, ids)
    record = Revealed(
        who=_user(),
        path=printable(place.path),
        pointer=printable(place.pointer),
        line=place.line,
        secret=sighting.secret,
    )
    try:
        journal = folder_of(root) / "reveals.jsonl"
    except (OSError, InventoryBroken) as error:
        raise JournalBroken(
            "it cannot be journaled that a value is shown, and none is shown without that",
            where=str(root / ".secretscan"),
            why=(error.strerror or type(error).__name__) if isinstance(error, OSError) else error.what,
            next_step="make it a folder of your own that can be written, then ask again",
        ) from None
    with Chain(journal, _FORM) as chain:
        chain.append(record)
    return value


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    pointer: str
    line: int


def _found(root: Path, sighting: Sighting, ids: Ids) -> tuple[_Place, Plaintext]:
    """The value, and its place: the one that was asked for, or else the nearest one in the file that holds it too."""
    why = "the file is gone"
    for path in dict.fromkeys((sighting.path, named(sighting.path))):
        try:
            place = files.inside(root, path)
        except UsageError as error:
            raise UsageError("this place is in no file of the folder", where=path, why=error.what) from None
        if not os.path.lexists(place):
            continue
        scan = Detector().scan(TreeFile(path, 0, str(place)), "tree")
        same = [(each.location.pointer, each.location.line, each.value) for each in scan.findings]
        # A whole text that moved with the credential in it is a secret, too, and no finding.
        same += [
            (slot.pointer, sighting.line, slot.value) for slot in scan.slots if held(slot.pointer) == sighting.pointer
        ]
        same = [each for each in same if ids.secret(each[2]) == sighting.secret]
        if same:
            pointer, line, value = min(
                same, key=lambda each: (held(each[0]) != sighting.pointer, abs(each[1] - sighting.line))
            )
            return _Place(path, pointer, line), value
        why = next((each.reason for each in scan.unscanned), "it has changed since it was scanned")
    step = "scan again" + (f"; the vault has it as {sighting.name}" if sighting.name else "")
    raise ChangedSince("the value is no longer where it was found", where=sighting.path, why=why, next_step=step)


def _user() -> str:
    """The system's name of the user that this process works for, which no variable of the environment changes."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
