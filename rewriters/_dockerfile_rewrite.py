"""The edits of a Dockerfile: secret mounts in, variables and literals out.

Source: Dockerfile reference, ENV, ARG, RUN, CMD; Docker documentation, "Build secrets".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import dirname

from rewriters._api import (
    Assignment,
    Edit,
    Reference,
    Refusal,
    Request,
    Requirement,
    Rewrite,
    Span,
    Unreadable,
    Variable,
)
from rewriters._compose_project import Passed, build_arguments
from rewriters._dockerfile_cut import cut
from rewriters._dockerfile_flow import Definition, Stage, Step, names_in, scope
from rewriters._dockerfile_instead import ALTERNATIVES, ELSEWHERE, INSTEAD, WINDOWS
from rewriters._dockerfile_keys import mounted_instead
from rewriters._dockerfile_mount import No, frontend, host_variable, insertion, mounts
from rewriters._dockerfile_places import BUILD, RUN_TIME, Place, places
from rewriters._dockerfile_read import Pair
from rewriters._dockerfile_replace import replaced, substitutes
from rewriters._encode import encode
from rewriters._splice import ordered
from rewriters._unsplit import unsplit
from rewriters.dockerfile import claims
from rewriters.plaintext import Plaintext

__all__ = ["rewrite"]


def rewrite(request: Request) -> Rewrite:
    """Carries out the assignments, file by file."""
    return unsplit(request, _rewrite)


def _rewrite(request: Request) -> Rewrite:
    by_path: dict[str, list[Assignment]] = {}
    for item in request.assignments:
        by_path.setdefault(item.slot.path, []).append(item)
    parts: list[_File] = []
    passed = build_arguments(request.files)
    for path, items in by_path.items():
        data = request.files.get(path)
        if data is None or not claims(path, data[:4096]):
            raise ValueError(f"{path} is assigned, and not among the Dockerfiles")
        part = _File(path, data, passed.get(path, {}))
        part.work(items)
        parts.append(part)
    return Rewrite(
        edits=tuple(edit for part in parts for edit in part.edits),
        refusals=tuple(refusal for part in parts for refusal in part.refusals),
        requires=tuple(dict.fromkeys(need for part in parts for need in part.requires)),
        variables=tuple(dict.fromkeys(variable for part in parts for variable in part.variables)),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


@dataclass(slots=True)
class _Removal:
    """A definition that goes, with the pairs that only hand it on, and where its secret is mounted instead."""

    item: Assignment
    definition: Definition
    handed_on: list[Definition] = field(default_factory=list)
    pairs: list[tuple[Step, Pair]] = field(default_factory=list)
    mounted: list[tuple[Step, str]] = field(default_factory=list)
    provided: list[str] = field(default_factory=list)
    started: bool = False


class _File:
    """One Dockerfile and what becomes of it."""

    def __init__(self, path: str, data: bytes, passed: Mapping[str, list[Passed]]) -> None:
        self.path, self.data, self.passed = path, data, passed
        try:
            self.flow, found = places(path, data)
        except Unreadable as error:
            raise ValueError(f"{path} is assigned, and cannot be read: {error.reason}") from None
        self.places = {place.slot.pointer: place for place in found}
        self.folder = dirname(path)
        self.edits: list[Edit] = []
        self.refusals: list[Refusal] = []
        self.requires: list[Requirement] = []
        self.variables: list[Variable] = []
        self.notes: list[str] = []
        self.taken: dict[Span, Reference] = {}
        self.mounted: dict[int, dict[str, Reference]] = {}
        self.steps = {id(step): step for step in self.flow.steps}
        self.gone: dict[int, Reference] = {}
        keywords = [step.instruction.keyword for step in self.flow.steps if step.stage.number >= 0]
        self.headless = keywords[:1] != ["FROM"] and "FROM" in keywords

    def work(self, items: Iterable[Assignment]) -> None:
        """Fills the lists. Definitions first: names that they free can carry the secrets of commands."""
        known = [(item, self.places[item.slot.pointer]) for item in items if item.slot.pointer in self.places]
        self.definitions([(item, place) for item, place in known if place.definition is not None])
        spans: list[tuple[Assignment, Place, Span]] = []
        for item, place in known:
            if place.definition is None:
                try:
                    self.possible(item, place)
                    spans.append((item, place, replaced(item, place)[0]))
                except No as no:
                    self.refuse(item, no)
        for item, place, span in spans:
            # A part of what moves as a whole to the same secret is done with it.
            wider = (other for one, _, other in spans if one.reference == item.reference and other != span)
            if not any(other.covers(span) for other in wider):
                try:
                    self.command(item, place)
                except No as no:
                    self.refuse(item, no)
        self.insert_mounts()
        ordered(self.edits, len(self.data))

    def refuse(self, item: Assignment, no: No) -> None:
        refusal = Refusal(self.path, item.slot.pointer, no.reason, no.alternative, no.needs)
        if refusal not in self.refusals:
            self.refusals.append(refusal)

    # --- ENV and ARG -------------------------------------------------------------------------------------------------

    def definitions(self, wanted: list[tuple[Assignment, Place]]) -> None:
        """One refusal may be the cause of others: repeated until the rest agrees."""
        left = {id(place.definition): item for item, place in wanted}
        along: set[int] = set()
        while True:
            planned: list[_Removal] = []
            refused: list[tuple[Assignment, No]] = []
            for item, place in wanted:
                if place.definition is None or left.get(id(place.definition)) is not item:
                    continue
                try:
                    planned.append(self.removal(item, place.definition, set(left), along))
                except No as why:
                    refused.append((item, why))
            taken = {id(one) for removal in planned for one in removal.handed_on}
            if not taken.issubset(along.union(left)):
                along |= taken
                continue
            if not refused:
                break
            for item, no in refused:
                self.refuse(item, no)
                left = {key: other for key, other in left.items() if other is not item}
            along = set()
        for removal in planned:
            self.remove(removal)
        self.cut([pair for removal in planned for pair in removal.pairs])

    def removal(self, item: Assignment, definition: Definition, moving: set[int], along: set[int]) -> _Removal:
        """What removing a definition takes; raises `No` where something would then be built differently.

        `moving` are the definitions that are assigned themselves, `along` those that go since they hand one on.
        """
        self.plain(item, definition)
        for other in self.flow.definitions:
            again = other.step.stage is definition.step.stage and (other.kind, other.name) == (
                definition.kind,
                definition.name,
            )
            if again and id(other) not in moving | along and self.value(other) == item.slot.value:
                line = other.step.instruction.line
                raise No(
                    f"line {line} sets it to the same value, and stays", "delete one of the two", self.pointers(other)
                )
        for given in self.passed.get(definition.name, ()) if definition.kind == "ARG" else ():
            if given.value != item.slot.value:
                raise No(
                    f"{given.path} passes the build argument {definition.name}, which wins over this",
                    "take the argument out there, then run this again; or delete the text here",
                )
        removal = _Removal(item, definition)
        for step, pair in definition.requests:
            removal.pairs.append((step, pair))
        todo = [definition]
        while todo:
            one = todo.pop()
            removal.handed_on.append(one)
            removal.pairs.append((one.step, one.pair))
            if one.shadows is not None and id(one.shadows) not in moving | along:
                line = one.shadows.step.instruction.line
                raise No(
                    f"the {one.shadows.kind} {one.name} in line {line} would take its place",
                    "delete the earlier one, which has no effect after this one",
                    self.pointers(one.shadows),
                )
            if not re.fullmatch(r"[A-Za-z_][\w.-]*", one.name):
                raise No("its name is none that a secret mount can set", "rename the variable, then run this again")
            for use in one.uses:
                if use.kind == "run":
                    self.mountable(use.step)
                    removal.mounted.append((use.step, one.name))
                elif use.kind == "build":
                    keyword = use.step.instruction.keyword
                    if use.step.instruction.onbuild:
                        keyword = "ONBUILD"
                    raise No(
                        f"{keyword} in line {use.step.instruction.line} uses it, and the builder takes no secret there",
                        INSTEAD.get(keyword, f"do what {keyword} does in a RUN, or leave the value out of it"),
                    )
                elif use.pair is not None:
                    user = self.user(use.step, use.pair)
                    if user is not None and id(user) in moving:
                        continue
                    if user is None or not self.hands_on(user, one.name):
                        raise No(
                            f"{use.step.instruction.keyword} {use.pair.name.decode('utf-8', 'replace')} in line "
                            f"{use.step.instruction.line} is put together from it while building",
                            "have the deployment set that variable as well, with the whole text as a secret",
                            self.pointers(user),
                        )
                    if not any(user is other for other in removal.handed_on):
                        todo.append(user)
            if one.runs:
                removal.provided.append(one.name)
                removal.started |= one.started
        for one in removal.handed_on:
            if not one.runs and not one.uses:
                # Nothing names it: a program that a RUN starts may read it, so every RUN keeps seeing it.
                for step in scope(self.flow, one):
                    self.mountable(step)
                    removal.mounted.append((step, one.name))
        return removal

    def value(self, definition: Definition) -> Plaintext | None:
        return next((place.slot.value for place in self.places.values() if place.definition is definition), None)

    def pointers(self, definition: Definition | None) -> tuple[str, ...]:
        found = (place for place in self.places.values() if place.definition is not None)
        return tuple(place.slot.pointer for place in found if place.definition is definition)

    def plain(self, item: Assignment, definition: Definition) -> None:
        raw = self.data[item.slot.literal.start : item.slot.literal.end]
        if item.part is not None:
            raise No("a part of a variable cannot be a reference", "move the whole text of the variable")
        self.placed(definition.step)
        if definition.step.stage.number < 0 and self.late_directive():
            raise No(
                "a comment behind it would become a parser directive",
                "write an ordinary comment into the file's first line, then run this again",
            )
        if raw[:1] != b"'" and substitutes(raw, self.flow.file.escape):
            raise No(
                "the value is put together from other variables while building",
                "move those, or write the text out so that it can move as a whole",
            )
        if not definition.runs and self.flow.file.escape != b"\\":
            raise No(*WINDOWS)

    def placed(self, step: Step) -> None:
        """Raises `No` for what stands before the first FROM, where BuildKit takes nothing but ARG."""
        if step.stage.number == 0 and self.headless:
            raise No("no FROM stands before it, so the builder does not take the file", "put it behind a FROM")

    def late_directive(self) -> bool:
        """Whether a comment between the first instruction and the first FROM looks like a parser directive."""
        instructions = self.flow.file.instructions
        start = instructions[0].span.start
        end = next((item.span.start for item in instructions if item.keyword == "FROM"), start)
        return re.search(rb"(?mi)^[ \t]*#\s*(?:syntax|escape|check)\s*=", self.data[start:end]) is not None

    def user(self, step: Step, pair: Pair) -> Definition | None:
        return next((item for item in self.flow.definitions if item.pair is pair and item.step is step), None)

    def hands_on(self, user: Definition, name: str) -> bool:
        """Whether the pair's value is nothing but the variable."""
        assert user.pair.value is not None  # noqa: S101 - definitions have a value
        raw = user.step.instruction.text.value[slice(*user.pair.value)].decode("utf-8", "replace")
        return raw.strip('"') in (f"${name}", f"${{{name}}}")

    def mountable(self, step: Step) -> None:
        if not step.posix and self.flow.file.escape != b"\\":
            raise No(*WINDOWS)
        frontend(self.flow.file)

    def remove(self, removal: _Removal) -> None:
        reference = removal.item.reference
        for one in removal.handed_on:
            self.gone[id(one)] = reference
            for other in self.passed.get(one.name, ()) if one.kind == "ARG" else ():
                self.notes.append(
                    f"{other.path}: the build argument {one.name} has no use any more, since {self.path} takes a build "
                    "secret instead; delete it."
                )
        for step, name in removal.mounted:
            self.mount(step, name, reference)
        for name in dict.fromkeys(removal.provided):
            self.requires.append(Requirement(RUN_TIME, self.path, name, reference))
            self.notes.append(f"Whoever runs the image of {self.path} has to set {name}; the image no longer does.")
            if any(all(step is not other for other, _ in removal.mounted) for step in self.seen(removal, name)):
                self.notes.append(
                    f"{self.path}: RUN instructions that do not name {name} no longer have it in their environment."
                )
            if removal.started:
                self.wanted(name, reference)

    def seen(self, removal: _Removal, name: str) -> Iterator[Step]:
        for one in removal.handed_on:
            if one.name == name:
                yield from scope(self.flow, one)

    def cut(self, pairs: list[tuple[Step, Pair]]) -> None:
        by_step: dict[int, list[Pair]] = {}
        for step, pair in pairs:
            by_step.setdefault(id(step), []).append(pair)
        for key, gone in by_step.items():
            step = self.steps[key]
            flags = [any(pair is other for other in gone) for pair in step.pairs]
            self.edits += (Edit(self.path, span, b"") for span in cut(self.flow.file, step, flags))

    # --- commands ----------------------------------------------------------------------------------------------------

    def possible(self, item: Assignment, place: Place) -> None:
        """Raises `No` for a place that takes no variable."""
        if place.slot.place == "file":
            raise No(place.slot.reason, mounted_instead(place.step.instruction, place.slot.value.reveal()))
        if not place.slot.targets:
            raise No(place.slot.reason, ALTERNATIVES.get(place.slot.reason, ELSEWHERE))
        self.placed(place.step)
        if place.shell is not None and place.shell.left_open:
            raise No("a quote in the command is left open", "close it, then run this again")
        if place.text is None:
            raise No("nothing puts a variable's value there", ELSEWHERE)
        if place.word is None and item.part is None:
            raise No("the whole command cannot be one secret", "name the part of the command that is the credential")
        if place.step.instruction.keyword == "RUN":
            self.mountable(place.step)

    def command(self, item: Assignment, place: Place) -> None:
        """A word, or a part of a text, becomes a variable's expansion."""
        assert place.text is not None  # noqa: S101 - asked by `possible`
        building = place.step.instruction.keyword == "RUN"
        span, before, after = replaced(item, place)
        if self.taken.get(span) == item.reference:
            return
        if any(other.touches(span) for other in self.taken):
            raise No("another reference takes bytes of it already", "move either the whole text or its part")
        name = self.variable(place.step, item.reference, place.slot.key)
        chain = tuple(codec for codec in place.text.chain if codec == "json-string")
        follows = self.data[span.end : span.end + 1]
        braces = place.word is None or item.part is not None or (not after and re.match(rb"\w", follows))
        text = before + (f"${{{name}}}" if braces else f"${name}").encode() + after
        self.edits.append(Edit(self.path, span, encode(chain, text)))
        self.taken[span] = item.reference
        if building:
            self.mount(place.step, name, item.reference)
            if place.redirects:
                self.notes.append(
                    f"{self.path} line {place.step.instruction.line}: this RUN writes to a file; "
                    "a secret in a file stays in the image's layer."
                )
        else:
            self.requires.append(Requirement(RUN_TIME, self.path, name, item.reference))
            self.notes.append(
                f"Whoever runs the image of {self.path} has to set {name}: a command of the image reads it."
            )
            self.wanted(name, item.reference)

    def variable(self, step: Step, reference: Reference, key: str) -> str:
        """A name for the secret in this step that nothing else has there."""
        name = host_variable(reference.name)
        there = self.mounted.get(id(step), {})
        own = {variable: name for name, variable in mounts(step)}
        words = names_in(self.flow.file, step.instruction)
        visible = {item.name: item for item in self.flow.definitions if self.sees(step, item)}
        candidate, number = name, 1
        while True:
            other = visible.get(candidate)
            if other is not None:
                clash = self.gone.get(id(other)) != reference
            elif candidate in there:
                clash = there[candidate] != reference
            elif candidate in own:
                clash = own[candidate] != reference.name
            else:
                clash = candidate in words and candidate != key
            if not clash:
                return candidate
            number += 1
            candidate = f"{name}_{number}"

    def sees(self, step: Step, item: Definition) -> bool:
        stage: Stage | None = step.stage
        while stage is not None:
            if stage is item.step.stage:
                return item.kind == "ENV" or stage is step.stage
            stage = stage.base
        return any(request.stage is step.stage for request, _ in item.requests)

    # --- mounts ------------------------------------------------------------------------------------------------------

    def wanted(self, name: str, reference: Reference) -> None:
        from rewriters.fetch import RESERVED, is_variable

        if is_variable(name) and name not in RESERVED:
            self.variables.append(Variable(self.folder, name, reference))

    def mount(self, step: Step, name: str, reference: Reference) -> None:
        self.mounted.setdefault(id(step), {})[name] = reference

    def insert_mounts(self) -> None:
        """The mounts in front of the RUNs' other flags, the requirement to pass them, and the syntax line."""
        if not self.mounted:
            return
        front = frontend(self.flow.file)
        if front is not None:
            self.edits.append(Edit(self.path, *front))
        passed: dict[str, str] = {}
        for key, wanted in self.mounted.items():
            step = self.steps[key]
            there = set(mounts(step))
            for reference in wanted.values():
                if (BUILD, reference) not in {(need.kind, need.reference) for need in self.requires}:
                    self.requires.append(Requirement(BUILD, self.path, reference.name, reference))
                self.wanted(host_variable(reference.name), reference)
                passed[reference.name] = host_variable(reference.name)
            new = [(ref.name, name) for name, ref in wanted.items() if (ref.name, name) not in there]
            if new:
                at, text = insertion(self.flow.file, step, new)
                self.edits.append(Edit(self.path, Span(at, at), text))
        options = " ".join(f"--secret id={name},env={variable}" for name, variable in sorted(passed.items()))
        self.notes.append(
            f"Build {self.path} with BuildKit and its secrets: "
            f"docker build {options} -f {self.path} {self.folder or '.'}"
        )
