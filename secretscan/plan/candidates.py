"""From findings to what can move: which slot, which part of it, and as which secret.

A platform that substitutes variables inside of a text lets a credential move alone. Elsewhere the whole text of the
place moves, as a secret of its own that covers the credentials in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from rewriters import Edit, Plaintext, Slot, Span, splice
from rewriters._undo import traces
from secretscan.inventory.folder import IGNORE_FILE
from secretscan.inventory.ids import Ids
from secretscan.inventory.marks import Mark, Marks
from secretscan.model import Finding, Kind, Strength
from secretscan.plan.document import Left
from secretscan.prove.traces import Traces
from secretscan.vault.limits import unstorable

__all__ = ["Candidate", "candidates", "carried", "left_for", "widened"]


_BY_HAND = "move it by hand, then rotate the value"
_UNMARK = f"take its entry out of {IGNORE_FILE}, then plan again"
_AS = {"false-alarm": "a false alarm", "accepted": "accepted", "placeholder": "a placeholder"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place that is to become a reference. `part` is `None` when all of the slot's value moves."""

    slot: Slot
    part: Span | None
    id: str
    value: Plaintext = field(repr=False)
    kind: Kind
    strength: Strength
    line: int
    covers: tuple[str, ...] = ()

    @property
    def where(self) -> tuple[str, str]:
        return self.slot.path, self.slot.pointer


def left_for(candidate: Candidate, reason: str, alternative: str) -> Left:
    """The candidate as a place that stays."""
    slot = candidate.slot
    return Left(
        path=slot.path,
        pointer=slot.pointer,
        line=candidate.line,
        key=slot.key,
        platform=slot.platform,
        secret=candidate.id,
        strength=candidate.strength,
        reason=reason,
        alternative=alternative,
    )


def candidates(
    findings: Sequence[Finding],
    ids: Ids,
    *,
    placeholders: bool = False,
    whole_texts: bool = False,
    elsewhere: Callable[[str], str] = lambda _: "",
    marks: Marks | None = None,
) -> tuple[list[Candidate], list[Left]]:
    """The places that may move, one for each part of a slot, and those that stay with the reason, also since they are
    marked. `elsewhere` tells the vault of a file by its path if it is another than the plan's."""
    stay: list[Left] = []
    said = _Said(marks, findings, ids)
    by_slot: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        slot = finding.slot
        if vault := elsewhere(finding.location.path):
            other = _left(finding, ids, f"its file's values go into {vault}", "plan for that vault too")
            stay.append(replace(other, mark="other-vault"))
        elif mark := said.of(ids.secret(finding.value), finding.location.path):
            stay.append(said.left(_left(finding, ids, "", ""), mark))
        elif slot is None:
            reason = finding.reason or "no rewriter knows this kind of file"
            stay.append(_left(finding, ids, reason, _BY_HAND))
        elif not slot.targets:
            stay.append(_left(finding, ids, slot.reason or "no reference can stand here", _BY_HAND))
        elif not _is_text(slot.path):
            # References, scripts and other manifests would have to name it, and they are text.
            stay.append(
                _left(finding, ids, "the file's name is not UTF-8", "give the file another name, then plan again")
            )
        elif finding.strength == "placeholder" and not placeholders:
            why = "it is a placeholder, not a credential worth keeping"
            stay.append(_left(finding, ids, why, "put the real value here and plan again, or use --placeholders"))
        else:
            by_slot.setdefault((slot.platform, slot.path, slot.pointer), []).append(finding)
    found: list[Candidate] = []
    for group in by_slot.values():
        for candidate in _of_slot(group, ids, split=not whole_texts):
            reason = unstorable(candidate.value)
            if mark := said.of(candidate.id, candidate.slot.path):
                stay.append(said.left(left_for(candidate, "", ""), mark))
            elif reason:
                stay.append(
                    left_for(
                        candidate,
                        f"the vault cannot hold it: {reason}",
                        "keep it in a file share or a certificate store",
                    )
                )
            else:
                found.append(candidate)
    return found, stay


class _Said:
    """What people said of secrets, as reasons for places to stay."""

    def __init__(self, marks: Marks | None, findings: Sequence[Finding], ids: Ids) -> None:
        self._marks = marks if marks is not None and marks.entries else None
        self._today = date.today()
        # A person may have quoted a value in a reason, and no plan holds one.
        known = {ids.secret(finding.value): finding.value for finding in findings} if self._marks else {}
        self._known = Traces.of(known)

    def of(self, secret: str, path: str) -> Mark | None:
        return self._marks.of(secret, path, self._today) if self._marks else None

    def left(self, place: Left, mark: Mark) -> Left:
        details = ", ".join(filter(None, (mark.owner, f"until {mark.until}" if mark.until else "")))
        reason = f"marked as {_AS[mark.kind]}: {mark.reason}" + (f" ({details})" if details else "")
        reason = self._known.blot(reason.encode("utf-8", "backslashreplace"), b"***").decode()
        return replace(place, reason=reason, alternative=_UNMARK, mark=mark.kind)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def carried(slot: Slot, line: int, ids: Ids) -> Candidate:
    """A place that has to move along with another, though nothing was found in it."""
    return Candidate(slot, None, ids.secret(slot.value), slot.value, "other", "strong", line)


def _of_slot(group: list[Finding], ids: Ids, *, split: bool) -> list[Candidate]:
    slot, first = group[0].slot, group[0]
    assert slot is not None  # noqa: S101 - grouped by it
    text = slot.value.reveal()
    parts: list[Candidate] = []
    for finding in group:
        part = finding.part
        if part is None or part == Span(0, len(text)):
            break
        literal = Plaintext(text[part.start : part.end]) == finding.value
        # Words of a command line are no connection string: these are never taken as a whole because of a choice.
        if (
            not (slot.interpolates and (split or slot.place == "arg"))
            or not literal
            or any(part.touches(other.part or part) for other in parts)
        ):
            break
        parts.append(
            Candidate(
                slot,
                part,
                ids.secret(finding.value),
                finding.value,
                finding.kind,
                finding.strength,
                finding.location.line,
            )
        )
    else:
        rest = _without(text, [item.part for item in parts if item.part is not None])
        if not any(form in rest for item in parts for form in traces(item.value)):
            return parts
        # The same value stands in the text once more: only all of the text takes it along.
    found = [ids.secret(finding.value) for finding in group]
    strength: Strength = "strong" if any(finding.strength == "strong" for finding in group) else first.strength
    return [_whole(slot, found, first.kind, strength, first.location.line, ids)]


def _without(text: bytes, parts: list[Span]) -> bytes:
    return splice(text, [Edit("", part, b"\n") for part in parts])


def _whole(slot: Slot, found: list[str], kind: Kind, strength: Strength, line: int, ids: Ids) -> Candidate:
    own = ids.secret(slot.value)
    covers = tuple(dict.fromkeys(id_ for id_ in found if id_ != own))
    return Candidate(slot, None, own, slot.value, "connection-string" if covers else kind, strength, line, covers)


def widened(parts: list[Candidate], ids: Ids) -> Candidate:
    """All of the slot's text in place of these parts of it, for a platform that cannot replace them alone."""
    first = parts[0]
    strength: Strength = "strong" if any(item.strength == "strong" for item in parts) else first.strength
    return _whole(first.slot, [item.id for item in parts], first.kind, strength, first.line, ids)


def _left(finding: Finding, ids: Ids, reason: str, alternative: str) -> Left:
    place = finding.location
    return Left(
        path=place.path,
        pointer=place.pointer,
        line=place.line,
        key=place.key,
        platform=place.platform,
        secret=ids.secret(finding.value),
        strength=finding.strength,
        reason=reason,
        alternative=alternative,
    )
