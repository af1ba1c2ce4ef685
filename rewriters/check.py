"""Every promise of a rewriter, run on one input.

    report = check(by_name("compose"), files, assignments)
    assert not report.broken

For a platform's own tests and those of third parties. `check_together` does the same for all platforms over one
folder, where one place is tied to another platform's file. Reports name places, never values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rewriters import HEAD, by_name, fetch, names
from rewriters._api import (
    Address,
    Assignment,
    Companion,
    Edit,
    Files,
    Reference,
    Request,
    Requirement,
    Rewrite,
    Rewriter,
    Settings,
    Slot,
    Span,
    Unreadable,
    Variable,
)
from rewriters._check_facts import (
    by_path,
    edit_problems,
    hits,
    is_refused,
    misplaced,
    named,
    slot_problems,
    stored,
    word_in,
)
from rewriters._splice import after_spans, splice
from rewriters._undo import Hole, flaw, hole, holes, render, template, traces
from rewriters.plaintext import Plaintext

__all__ = ["Broken", "Promise", "Report", "check", "check_together"]

Promise = Literal[
    "slots",  # what a slot says of the file's bytes is so
    "no-op",  # without an assignment there is no edit
    "edits",  # edits lie inside claimed files, apart, and no wider than needed
    "answers",  # every assignment is done or refused: never both, never neither
    "parses",  # the result is readable
    "stable",  # a second run changes nothing
    "gone",  # no moved value is left where it was moved from, nor in anything made
    "same",  # the workloads are handed the same
    "undo",  # the kept pieces give the original bytes
]


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken promise, and where. `detail` never holds a value."""

    promise: Promise
    path: str
    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was found wrong, and what was done. `after` is the tree with edits and companions.

    `not_undoable` names edits whose original bytes the values and encodings alone do not give back: a caller has to
    leave those places alone. `unreadable` names claimed files that are not as their format says; they took no part.
    `unproven` says of which platforms it cannot be said what they hand over, and why.
    """

    broken: tuple[Broken, ...]
    rewrites: Mapping[str, Rewrite] = field(repr=False)
    after: Files = field(repr=False)
    not_undoable: tuple[Broken, ...] = ()
    unreadable: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()

    @property
    def refused(self) -> int:
        return sum(len(rewrite.refusals) for rewrite in self.rewrites.values())


def check(
    rewriter: Rewriter,
    files: Files,
    assignments: Iterable[Assignment] = (),
    *,
    settings: Settings | None = None,
    requirements: Iterable[Requirement] = (),
) -> Report:
    """The promises of one rewriter. Raises `ValueError` when one reference is asked to stand for two values."""
    return _Check((rewriter,), files, tuple(assignments), settings or Settings(), tuple(requirements)).report()


def check_together(files: Files, assignments: Iterable[Assignment] = (), *, settings: Settings | None = None) -> Report:
    """The promises of all platforms over one folder; what one platform's file requires is given to the others."""
    rewriters = tuple(map(by_name, names()))
    return _Check(rewriters, files, tuple(assignments), settings or Settings(), ()).report()


class _Check:
    """One input, taken through all promises."""

    def __init__(
        self,
        rewriters: Sequence[Rewriter],
        files: Files,
        assignments: tuple[Assignment, ...],
        settings: Settings,
        requirements: tuple[Requirement, ...],
    ) -> None:
        self.files = dict(files)
        self.rewriters = rewriters
        self.assignments = assignments
        self.settings = settings
        self.requirements = requirements
        self.broken: list[Broken] = []
        self.not_undoable: list[Broken] = []
        self.unproven: list[str] = []
        self.values = stored(assignments)
        self.slots: dict[tuple[str, str], tuple[Slot, ...]] = {}
        self.unreadable: set[tuple[str, str]] = set()
        names_used = [value for item in assignments for value in named(item)]
        self.marks = [
            (reference, mark)
            for reference, value in self.values.items()
            for mark in traces(value)
            # A value that is also the name of its place stands in names by right.
            if not any(mark in name for name in names_used)
        ]

    def tell(self, promise: Promise, path: str, pointer: str, detail: str) -> None:
        self.broken.append(Broken(promise, path, pointer, detail))

    def report(self) -> Report:
        for rewriter in self.rewriters:
            self._read(rewriter)
        self._no_op()
        rewrites = self._ask(self.files, self.assignments)
        after = dict(self.files)
        if self._edits(rewrites):
            after = self._after(self.files, rewrites)
            self._answers(rewrites, after)
            self._gone(rewrites, after)
            self._same(rewrites, after)
            self._stable(rewrites, after)
            self._undo(rewrites)
        unreadable = tuple(sorted({path for _, path in self.unreadable}))
        return Report(tuple(self.broken), rewrites, after, tuple(self.not_undoable), unreadable, tuple(self.unproven))

    # --- reading -----------------------------------------------------------------------------------------------------

    def _mine(self, rewriter: Rewriter, files: Files) -> Iterator[tuple[str, bytes]]:
        for path, data in files.items():
            if (rewriter.NAME, path) not in self.unreadable and rewriter.claims(path, data[:HEAD]):
                yield path, data

    def _readable(self, rewriter: Rewriter, files: Files) -> Files:
        return {path: data for path, data in files.items() if (rewriter.NAME, path) not in self.unreadable}

    def _read(self, rewriter: Rewriter) -> None:
        for path, data in list(self._mine(rewriter, self.files)):
            try:
                slots = rewriter.slots(path, data)
            except Unreadable:
                self.unreadable.add((rewriter.NAME, path))
                continue
            self.slots[rewriter.NAME, path] = slots
            for slot, problem in slot_problems(rewriter, path, data, slots):
                self.tell("slots", path, slot.pointer, problem)

    # --- asking ------------------------------------------------------------------------------------------------------

    def _ask(self, files: Files, assignments: Sequence[Assignment]) -> dict[str, Rewrite]:
        """All rewriters' answers; what the first round requires is given to everyone in the second."""
        first = self._round(files, assignments, self.requirements)
        requires = tuple(dict.fromkeys(need for rewrite in first.values() for need in rewrite.requires))
        if len(self.rewriters) == 1 or not requires:
            return first
        return self._round(files, assignments, (*self.requirements, *requires))

    def _round(
        self, files: Files, assignments: Sequence[Assignment], requirements: tuple[Requirement, ...]
    ) -> dict[str, Rewrite]:
        result: dict[str, Rewrite] = {}
        for rewriter in self.rewriters:
            mine = tuple(item for item in assignments if item.slot.platform == rewriter.NAME)
            request = Request(self._readable(rewriter, files), mine, self.settings, requirements)
            result[rewriter.NAME] = rewriter.rewrite(request)
        return result

    def _no_op(self) -> None:
        for rewriter in self.rewriters:
            rewrite = rewriter.rewrite(Request(self._readable(rewriter, self.files), (), self.settings))
            if rewrite != Rewrite():
                self.tell("no-op", "", "", f"{rewriter.NAME} answers something when nothing is asked")

    def _after(self, files: Files, rewrites: Mapping[str, Rewrite]) -> dict[str, bytes]:
        result = dict(files)
        for path, edits in by_path(rewrites).items():
            result[path] = splice(files[path], edits)
        for companion in self._companions(files, rewrites):
            result[companion.path] = companion.content
        return result

    def _companions(self, files: Files, rewrites: Mapping[str, Rewrite]) -> tuple[Companion, ...]:
        """Those of the rewriters, and a fetch script for each folder that reads variables."""
        made = [companion for rewrite in rewrites.values() for companion in rewrite.companions]
        folders: dict[str, set[Variable]] = {}
        for rewrite in rewrites.values():
            for variable in rewrite.variables:
                folders.setdefault(variable.folder, set()).add(variable)
        made += [fetch.script(folder, tuple(sorted(variables)), files) for folder, variables in sorted(folders.items())]
        return tuple(made)

    # --- promises ----------------------------------------------------------------------------------------------------

    def _edits(self, rewrites: Mapping[str, Rewrite]) -> bool:
        """Whether the edits can be made at all; says what is wrong with them."""
        usable = True
        moved = {item.slot.path for item in self.assignments}
        for name, rewrite in rewrites.items():
            for edit in rewrite.edits:
                if edit.path not in self.files or (name, edit.path) in self.unreadable:
                    self.tell("edits", edit.path, "", f"{name} edits a file that it was not given")
                    usable = False
            for path in misplaced(rewrite):
                self.tell("edits", path, "", f"{name} makes this companion twice, or outside of the root")
        for path, edits in by_path(rewrites).items():
            data = self.files.get(path, b"")
            try:
                splice(data, edits)
            except ValueError as error:
                self.tell("edits", path, "", str(error))
                usable = False
                continue
            if not moved and not self.requirements:
                self.tell("edits", path, "", "edited, though nothing was assigned")
            for edit in edits:
                for problem in edit_problems(data, edit):
                    self.tell("edits", path, f"bytes {edit.span.start}-{edit.span.end}", problem)
        return usable

    def _answers(self, rewrites: Mapping[str, Rewrite], after: Files) -> None:
        edited = {path: [edit.span for edit in edits] for path, edits in by_path(rewrites).items()}
        asked = {(item.slot.path, item.slot.pointer) for item in self.assignments}
        now = {(slot.path, slot.pointer): slot for slot in self._slots_of(after, tell=False)}
        for name, rewrite in rewrites.items():
            for refusal in rewrite.refusals:
                if (refusal.path, refusal.pointer) not in asked:
                    self.tell("answers", refusal.path, refusal.pointer, f"{name} refuses what was not assigned")
                if not refusal.reason or not refusal.alternative:
                    self.tell("answers", refusal.path, refusal.pointer, "a refusal without reason or alternative")
            for need in rewrite.provides:
                given = [*self.requirements, *(need for other in rewrites.values() for need in other.requires)]
                if need not in given:
                    self.tell("answers", need.path, need.name, f"{name} provides what was not required")
        for item in self.assignments:
            slot = item.slot
            refusals = rewrites[slot.platform].refusals if slot.platform in rewrites else ()
            refused = any((refusal.path, refusal.pointer) == (slot.path, slot.pointer) for refusal in refusals)
            touched = any(hits(span, self._place(item)) for span in edited.get(slot.path, ()))
            left = now.get((slot.path, slot.pointer))
            done = touched or left is None or left.value != slot.value
            if refused and touched:
                self.tell("answers", slot.path, slot.pointer, "refused, and edited nevertheless")
            if not refused and not done:
                self.tell("answers", slot.path, slot.pointer, "neither done nor refused")

    def _place(self, item: Assignment) -> Span:
        """The bytes of the assigned slot or part."""
        place = hole(self.files[item.slot.path], item.slot, "", item.part)
        return place.span if place is not None else item.slot.span

    def _slots_of(self, files: Files, *, tell: bool) -> Iterator[Slot]:
        for rewriter in self.rewriters:
            for path, data in list(self._mine(rewriter, files)):
                try:
                    yield from rewriter.slots(path, data)
                except Unreadable as error:
                    if tell:
                        self.tell("parses", path, "", f"{rewriter.NAME}: {error.reason} (line {error.line})")

    def _gone(self, rewrites: Mapping[str, Rewrite], after: Files) -> None:
        """No moved value in the edited regions, the companions, or anything said."""
        done = [item for item in self.assignments if not is_refused(rewrites, item)]
        moved = {item.reference for item in done}
        marks = [(reference, mark) for reference, mark in self.marks if reference in moved]
        regions: dict[str, list[Span]] = {}
        for path, edits in by_path(rewrites).items():
            for edit, span in after_spans(edits, len(self.files[path])):
                regions.setdefault(path, []).append(span)
                self._search(path, f"bytes {edit.span.start}-{edit.span.end}", edit.replacement, marks)
        for companion in self._companions(self.files, rewrites):
            regions[companion.path] = [Span(0, len(companion.content))]
            for made in (companion.path.encode(), companion.content, companion.note.encode()):
                self._search(companion.path, "", made, marks)
        for name, rewrite in rewrites.items():
            said = [*rewrite.notes]
            said += [text for refusal in rewrite.refusals for text in (refusal.reason, refusal.alternative)]
            for text in said:
                self._search("", name, text.encode(), self.marks)
        for item in done:
            # What stands in other text by chance (`postgres`) is searched for where it was moved from, as a word.
            value = self.values[item.reference]
            for edit in by_path(rewrites).get(item.slot.path, ()) if not traces(value) else ():
                if hits(edit.span, item.slot.span) and word_in(edit.replacement, value):
                    self.tell("gone", item.slot.path, item.slot.pointer, "the moved value is a word of the new text")
        origins = {(item.slot.path, item.slot.pointer): item for item in done if item.part is None}
        for slot in self._slots_of(after, tell=True):
            inside = [span for span in regions.get(slot.path, ()) if span.touches(slot.span)]
            if inside and any(slot.value == self.values[reference] for reference in moved):
                self.tell("gone", slot.path, slot.pointer, "the edited text still holds a moved value")
            origin = origins.get((slot.path, slot.pointer))
            if origin is not None and slot.value == origin.slot.value:
                self.tell("gone", slot.path, slot.pointer, "the value still stands in the place it was moved from")

    def _search(self, path: str, where: str, text: bytes, marks: Sequence[tuple[Reference, bytes]]) -> None:
        for reference, mark in marks:
            if mark in text:
                self.tell("gone", path, where, f"the value of {reference.name} is in it")

    def _deliveries(self, rewriter: Rewriter, files: Files) -> dict[Address, Plaintext] | str:
        """What the platform hands over, or why that cannot be said."""

        def lookup(reference: Reference) -> Plaintext:
            for known, value in self.values.items():
                if (known.vault_url, known.name) == (reference.vault_url.rstrip("/"), reference.name):
                    return value
            # Other references of the files stand for themselves, equal before and after, unlike any value.
            return Plaintext(f"\0{reference.vault_url}/{reference.name}".encode())

        result: dict[Address, Plaintext] = {}
        try:
            for delivery in rewriter.effective(self._readable(rewriter, files), lookup):
                if delivery.address in result and result[delivery.address] != delivery.value:
                    self.tell("same", delivery.address.path, delivery.address.subject, "two values at one address")
                result[delivery.address] = delivery.value
        except Unreadable as error:
            return f"{rewriter.NAME}: {error.reason} (line {error.line})"
        return result

    def _same(self, rewrites: Mapping[str, Rewrite], after: Files) -> None:
        elsewhere = {(need.path, need.name) for rewrite in rewrites.values() for need in rewrite.requires}
        handed: list[tuple[Address, Plaintext]] = []
        for rewriter in self.rewriters:
            before = self._deliveries(rewriter, self.files)
            now = self._deliveries(rewriter, after)
            if isinstance(before, str) or isinstance(now, str):
                if isinstance(before, str):
                    self.unproven.append(before)
                else:
                    self.tell("same", "", "", f"readable before only: {now}")
                continue
            handed += now.items()
            for address, value in before.items():
                where = f"{address.subject} {address.channel} {address.name}"
                if address not in now:
                    # What an image no longer sets is set by whoever runs it.
                    if (address.path, address.name) not in elsewhere:
                        self.tell("same", address.path, where, "no longer handed over")
                elif now[address] != value:
                    self.tell("same", address.path, where, "another value is handed over")
        for name, rewrite in rewrites.items():
            for need in rewrite.provides:
                stored = self.values.get(need.reference)
                found = any(address.name == need.name and given == stored for address, given in handed)
                if need.kind != "build-secret" and stored is not None and not found:
                    self.tell("same", need.path, need.name, f"{name} says it provides this, and nobody is handed it")

    def _stable(self, rewrites: Mapping[str, Rewrite], after: Files) -> None:
        for rewriter in self.rewriters:
            again = rewriter.rewrite(Request(self._readable(rewriter, after), (), self.settings))
            if again.edits or again.companions:
                self.tell("stable", "", "", f"{rewriter.NAME} edits its own result when nothing is asked")
        stay = [item for item in self.assignments if is_refused(rewrites, item)]
        left = [
            Assignment(slot, item.reference, item.part)
            for slot in self._slots_of(after, tell=False)
            for item in stay
            if (item.slot.path, item.slot.pointer) == (slot.path, slot.pointer) and slot.value == item.slot.value
        ]
        answers = self._ask(after, left)
        for path, edits in by_path(answers).items():
            if splice(after[path], edits) != after[path]:
                self.tell("stable", path, "", "a second run with what is left edits the file")
        for companion in self._companions(after, answers):
            if after.get(companion.path) != companion.content:
                self.tell("stable", companion.path, "", "a second run makes the companion anew, or differently")
        for companion in self._companions(after, rewrites):
            if after.get(companion.path) != companion.content and companion.path not in self.files:
                self.tell("stable", companion.path, "", "made over itself the companion differs")

    def _undo(self, rewrites: Mapping[str, Rewrite]) -> None:
        values = {f"{item.vault_url}/{item.name}/{item.version}": value for item, value in self.values.items()}
        for path, edits in by_path(rewrites).items():
            data = self.files[path]
            slots = [slot for (_, other), found in self.slots.items() if other == path for slot in found]
            back: list[Edit] = []
            for edit, span in after_spans(edits, len(data)):
                touched = [slot for slot in slots if hits(edit.span, slot.literal)]
                known: tuple[Hole, ...] = holes(data, touched, values)
                pieces = template(data, edit, known)
                why = flaw(data, edit, pieces, values)
                if why:
                    pointer = ", ".join(slot.pointer for slot in touched)
                    self.not_undoable.append(Broken("undo", path, pointer, why))
                original = data[edit.span.start : edit.span.end] if why else render(pieces, values.__getitem__)
                back.append(Edit(path, span, original))
            if splice(splice(data, edits), back) != data:
                self.tell("undo", path, "", "the edits turned round do not give the original bytes")
