"""Which variable of a Dockerfile is seen where: stages, definitions by ENV and ARG, and their uses.

Rules (Dockerfile reference, ENV, ARG, "Scope", "Impact on build caching"; BuildKit, dockerfile2llb/convert.go): a stage
inherits the environment of the stage that it is FROM, but none of its build arguments; an ENV hides an ARG of the same
name; a global ARG (before the first FROM) is seen in FROM lines, and in a stage only where `ARG name` asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from posixpath import basename
from typing import Literal

from rewriters._api import Unreadable
from rewriters._dockerfile_read import Dockerfile, Instruction, Pair, json_items, pairs

__all__ = ["Definition", "Flow", "Stage", "Step", "Use", "flow", "names_in", "scope"]

MAX_STAGES = 500
_SHELLS = frozenset(("sh", "bash", "ash", "dash", "ksh", "zsh", "busybox"))
_NAME = re.compile(rb"[A-Za-z_]\w*")
_EXPANSION = re.compile(rb"\$(?:\{([A-Za-z_]\w*)|([A-Za-z_]\w*))")
_EXPANDING = frozenset(("ADD", "COPY", "EXPOSE", "FROM", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"))


@dataclass(slots=True, eq=False)
class Stage:
    """A build stage; the global one (before the first FROM) has the number -1.

    `runs` says that containers are started from it, as far as the file tells: it is the last, or none builds on it.
    """

    number: int
    label: str
    base: Stage | None
    posix: bool
    env: dict[str, Definition] = field(default_factory=dict)
    args: dict[str, Definition] = field(default_factory=dict)
    starts: dict[str, Step] = field(default_factory=dict)
    used: bool = False
    runs: bool = False

    def variable(self, name: str) -> Definition | None:
        """The definition that a name leads to at this point of the reading."""
        stage: Stage | None = self
        while stage is not None:
            found = stage.env.get(name)
            if found is not None:
                return found
            stage = stage.base
        return self.args.get(name)

    def environment(self) -> dict[str, Definition]:
        """All environment variables that the stage ends with."""
        return {name: item for stage in self.chain() for name, item in stage.env.items()}

    def commands(self) -> dict[str, Step]:
        """The CMD, ENTRYPOINT and HEALTHCHECK that the stage ends with."""
        return {keyword: step for stage in self.chain() for keyword, step in stage.starts.items()}

    def chain(self) -> list[Stage]:
        """The stage and those that it builds on, the first one first."""
        chain: list[Stage] = []
        stage: Stage | None = self
        while stage is not None:
            chain.append(stage)
            stage = stage.base
        return chain[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An instruction in its stage. `number` counts those of one keyword in the stage; `posix` says that its shell form
    is run by a POSIX shell."""

    instruction: Instruction
    stage: Stage
    number: int
    posix: bool
    pairs: tuple[Pair, ...]


@dataclass(slots=True, eq=False)
class Definition:
    """`name=value` of an ENV or ARG. `requests` are the `ARG name` of stages that ask for a global one. `shadows` is
    the definition of the same name that would be seen without this one."""

    kind: Literal["ENV", "ARG"]
    name: str
    step: Step
    pair: Pair
    uses: list[Use] = field(default_factory=list)
    requests: list[tuple[Step, Pair]] = field(default_factory=list)
    shadows: Definition | None = None
    runs: bool = False
    """Whether containers are started with it."""
    started: bool = False
    """Whether a CMD, ENTRYPOINT or HEALTHCHECK of such a container names it."""


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """Where a definition is read: by a RUN, in the value of another pair, or by an instruction that the builder
    expands."""

    step: Step
    kind: Literal["run", "pair", "build"]
    pair: Pair | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """A file's stages, steps and definitions, in the order of the file."""

    file: Dockerfile
    stages: tuple[Stage, ...]
    steps: tuple[Step, ...]
    definitions: tuple[Definition, ...]


def names_in(file: Dockerfile, instruction: Instruction) -> set[str]:
    """Every name that occurs in the instruction's arguments (not in its flags) or here-documents."""
    texts = [instruction.args, *(file.data[doc.body.start : doc.body.end] for doc in instruction.heredocs)]
    return {name.decode("utf-8", "replace") for text in texts for name in _NAME.findall(text)}


def _expanded(text: bytes) -> list[str]:
    return [(match[1] or match[2]).decode("utf-8", "replace") for match in _EXPANSION.finditer(text)]


class _Reader:
    def __init__(self, file: Dockerfile) -> None:
        self.file = file
        self.everywhere = Stage(-1, "global", None, file.escape == b"\\")
        self.stage = self.everywhere
        self.stages: list[Stage] = []
        self.by_name: dict[str, Stage] = {}
        self.steps: list[Step] = []
        self.definitions: list[Definition] = []
        self.counts: dict[tuple[int, str], int] = {}

    def read(self) -> Flow:
        for instruction in self.file.instructions:
            if instruction.keyword == "FROM" and not instruction.onbuild:
                self.enter(instruction)
            elif self.stage is self.everywhere and instruction.keyword != "ARG":
                self.stage = self.add(None, "0")  # a piece of a Dockerfile, to be put behind a FROM
            step = self.step(instruction)
            if instruction.onbuild:
                self.use(step, _expanded(instruction.args), "build")
            else:
                self.follow(step)
        self.finish()
        return Flow(self.file, tuple(self.stages), tuple(self.steps), tuple(self.definitions))

    def step(self, instruction: Instruction) -> Step:
        keyword = ("ONBUILD." if instruction.onbuild else "") + instruction.keyword
        number = self.counts.get((self.stage.number, keyword), 0)
        self.counts[self.stage.number, keyword] = number + 1
        found: tuple[Pair, ...] = ()
        if instruction.keyword in ("ENV", "ARG", "LABEL"):
            found = pairs(instruction, self.file.escape)
        step = Step(instruction, self.stage, number, self.stage.posix, found)
        self.steps.append(step)
        return step

    def add(self, base: Stage | None, label: str) -> Stage:
        if len(self.stages) >= MAX_STAGES:
            raise Unreadable(f"more than {MAX_STAGES} stages")
        posix = base.posix if base is not None else self.everywhere.posix
        stage = Stage(len(self.stages), label, base, posix)
        self.stages.append(stage)
        return stage

    def refer(self, name: bytes) -> Stage | None:
        text = name.decode("utf-8", "replace").strip("\"'").lower()
        found = self.by_name.get(text)
        if found is None and text.isdecimal() and len(text) < 4 and int(text) < len(self.stages):
            found = self.stages[int(text)]
        if found is not None:
            found.used = True
        return found

    def enter(self, instruction: Instruction) -> None:
        words = instruction.args.split()
        base = self.refer(words[0]) if words and not words[0].isdigit() else None
        name = ""
        if len(words) > 2 and words[1].upper() == b"AS":
            name = words[2].decode("utf-8", "replace").lower()
        self.stage = self.add(base, name or str(len(self.stages)))
        if name:
            self.by_name[name] = self.stage

    def use(self, step: Step, names: list[str], kind: Literal["run", "build"]) -> None:
        for name in dict.fromkeys(names):
            found = self.stage.variable(name)
            if found is not None:
                found.uses.append(Use(step, kind))

    def follow(self, step: Step) -> None:
        instruction = step.instruction
        keyword = instruction.keyword
        if keyword == "FROM":
            for name in dict.fromkeys(_expanded(instruction.text.value)):
                found = self.everywhere.args.get(name)
                if found is not None:
                    found.uses.append(Use(step, "build"))
        elif keyword in ("ENV", "ARG"):
            self.define(step)
        elif keyword in _EXPANDING:
            bodies = [self.file.data[doc.body.start : doc.body.end] for doc in instruction.heredocs if doc.expand]
            self.use(step, _expanded(b"\n".join((instruction.text.value, *bodies))), "build")
            for option in instruction.options:
                if option.lower().startswith(b"--from="):
                    self.refer(option[7:])
        elif keyword == "RUN":
            for option in instruction.options:
                match = re.search(rb"(?:^--mount=|,)from=([^,]+)", option)
                if match:
                    self.refer(match[1])
            self.use(step, _expanded(b" ".join(instruction.options)), "build")
            self.use(step, sorted(names_in(self.file, instruction)), "run")
        elif keyword in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            self.stage.starts[keyword] = step
        elif keyword == "SHELL":
            items = json_items(instruction.text.value, *instruction.rest)
            program = instruction.text.value[slice(*items[0])] if items else b""
            self.stage.posix = basename(program.decode("utf-8", "replace")) in _SHELLS

    def define(self, step: Step) -> None:
        text = step.instruction.text.value
        made: list[Definition] = []
        beside: dict[str, Definition] = {}
        for pair in step.pairs:
            name = pair.name.decode("utf-8", "replace")
            if pair.value is None:
                wanted = self.everywhere.args.get(name)
                if wanted is not None and self.stage is not self.everywhere:
                    self.stage.args[name] = wanted
                    wanted.requests.append((step, pair))
                continue
            for used in dict.fromkeys(_expanded(text[slice(*pair.value)])):
                found = self.stage.variable(used)
                if found is not None:
                    found.uses.append(Use(step, "pair", pair))
            kind: Literal["ENV", "ARG"] = "ENV" if step.instruction.keyword == "ENV" else "ARG"
            definition = Definition(kind, name, step, pair)
            definition.shadows = beside.get(name) or self.stage.variable(name)
            beside[name] = definition
            made.append(definition)
            if kind == "ARG":
                self.stage.args[name] = definition
        # The pairs of one ENV see the state before it, those of an ARG what stands to their left.
        self.stage.env.update({item.name: item for item in made if item.kind == "ENV"})
        self.definitions += made

    def finish(self) -> None:
        for stage in self.stages:
            stage.runs = not stage.used or stage is self.stages[-1]
            if stage.runs:
                texts = [step.instruction.text.value for step in stage.commands().values()]
                named = {name for text in texts for name in _expanded(text)}
                for name, definition in stage.environment().items():
                    definition.runs = True
                    definition.started |= name in named


def flow(file: Dockerfile) -> Flow:
    """Reads a file's stages and variables. Raises `Unreadable`."""
    return _Reader(file).read()


def scope(found: Flow, definition: Definition) -> Iterator[Step]:
    """The RUN instructions that see this definition in their environment."""
    ends: dict[int, tuple[bool, bool]] = {}
    visible = hidden = False  # hidden: an ENV of the name stands before any ARG of it
    stage: Stage | None = None
    for step in found.steps:
        if step.stage is not stage:
            if stage is not None:
                ends[stage.number] = (visible and definition.kind == "ENV", hidden)
            stage = step.stage
            visible, hidden = ends[stage.base.number] if stage.base is not None else (False, False)
        keyword = step.instruction.keyword
        if step.instruction.onbuild or keyword not in ("RUN", "ENV", "ARG"):
            continue
        if keyword == "RUN" and visible:
            yield step
        for pair in step.pairs:
            if pair.name.decode("utf-8", "replace") != definition.name:
                continue
            mine = pair is definition.pair or any(pair is request for _, request in definition.requests)
            if keyword == "ENV":
                visible, hidden = mine, True
            elif not hidden and (mine or pair.value is not None):
                visible = mine and stage.number >= 0
