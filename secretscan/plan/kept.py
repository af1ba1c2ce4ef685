"""What undo needs of an edit: the replaced text as kept pieces, with holes where the values stood."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from rewriters import Edit, Slot
from rewriters._encode import encode
from rewriters._undo import Hole, Template, Text, flaw, holes, template
from secretscan.errors import SecretscanError
from secretscan.plan.candidates import Candidate
from secretscan.plan.document import Piece, PlannedEdit
from secretscan.plan.render import to_text
from secretscan.plan.work import Work
from secretscan.prove.traces import Traces

__all__ = ["Kept", "drop_irreversible"]

_FORMS: tuple[tuple[str, ...], ...] = ((), ("url",), ("base64",))
"""How `holes` looks for a value inside of a text."""


class Kept:
    """The pieces of the edits of one round."""

    def __init__(self, work: Work) -> None:
        self._survey = work.survey
        self._values = work.values()
        self._standing = Traces(
            {key: [encode(chain, value.reveal()) for chain in _FORMS] for key, value in self._values.items()}
        )
        self._slots: dict[str, _Slots] = {}

    def holes(self, edit: Edit) -> tuple[Hole, ...]:
        """Where values stand in the slots that the edit touches."""
        path = edit.path
        if path not in self._slots:
            self._slots[path] = _Slots(self._survey.slots.get(path, ()))
        touched = list(self._slots[path].touched(edit))
        there = self._standing.within(*(slot.value.reveal() for slot in touched))
        return holes(self._survey.claimed[path], touched, {key: self._values[key] for key in there})

    def pieces(self, edit: Edit) -> Template:
        """What the edit replaces."""
        return template(self._survey.claimed[edit.path], edit, self.holes(edit))

    def planned(self, edit: Edit) -> PlannedEdit:
        """The edit as the plan holds it."""
        data = self._survey.claimed[edit.path]
        before = tuple(
            Piece(to_text(piece.content))
            if isinstance(piece, Text)
            else Piece("\n" * data.count(b"\n", piece.span.start, piece.span.end), piece.key, piece.encoding)
            for piece in self.pieces(edit)
        )
        return PlannedEdit(edit.span.start, edit.span.end, before, to_text(edit.replacement))


class _Slots:
    """The slots of a file, to be asked for those that an edit touches. They may lie within each other."""

    def __init__(self, slots: tuple[Slot, ...]) -> None:
        self._slots = sorted(slots, key=lambda slot: slot.literal)
        self._starts = [slot.literal.start for slot in self._slots]
        self._ends = list(accumulate((slot.literal.end for slot in self._slots), max))

    def touched(self, edit: Edit) -> Iterator[Slot]:
        at = bisect_left(self._starts, edit.span.end)
        while at and self._ends[at - 1] > edit.span.start:
            at -= 1
            if edit.span.touches(self._slots[at].literal):
                yield self._slots[at]


def drop_irreversible(work: Work) -> bool:
    """Takes out places whose original text could not be rendered again; whether there were any.

    That is so for spellings that no canonical form gives back, and where an edit would remove the text of another
    credential which itself stays.
    """
    kept = Kept(work)
    known = work.known()
    seen = Traces.of(known)
    by_path: dict[str, list[Candidate]] = {}
    for item in work.open:
        by_path.setdefault(item.slot.path, []).append(item)
    flaws: dict[tuple[str, str], str] = {}
    for path, edits in work.edits().items():
        data = work.survey.claimed[path]
        for edit in edits:
            pieces = kept.pieces(edit)
            there = {piece.key for piece in pieces if isinstance(piece, Hole)}
            there.update(seen.within(data[edit.span.start : edit.span.end]))
            why = flaw(data, edit, pieces, {key: known[key] for key in there})
            if not why:
                continue
            here = by_path.get(path, [])
            hit = [item for item in here if edit.span.touches(item.slot.literal)] or here
            if not hit:
                raise SecretscanError("an edit cannot be undone", where=path, why=why, next_step="report this")
            for item in hit:
                flaws.setdefault(item.where, why)
    again = False
    for reason in dict.fromkeys(flaws.values()):
        again |= work.drop(
            lambda item, reason=reason: flaws.get(item.where) == reason,  # type: ignore[misc]
            f"undo could not give the file's bytes back: {reason}",
            "write the value on one line in plain quotes, then plan again",
        )
    return again
