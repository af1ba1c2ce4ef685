"""Values that a step of a CI file takes: in one of its texts, or in its script through the step's environment.

Shared by the platforms whose steps have an `env` of their own, which say how a value is written there.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from rewriters import fetch
from rewriters._api import Assignment, Edit, Reference, Span
from rewriters._ci_edit import CiEditor
from rewriters._ci_script import Unplaceable
from rewriters._ci_sites import No, Site, pairs, shaped
from rewriters._yaml import Map

__all__ = ["Put", "StepEditor", "is_text"]


@dataclass(frozen=True, slots=True)
class Put:
    """An accepted assignment: an expression for the scalar or a part of it, or a variable in a script (`name`)."""

    item: Assignment
    site: Site
    span: Span | None = None
    text: bytes = b""
    name: str = ""


class StepEditor(CiEditor, ABC):
    """The edits of one file. The `context` of its sites has the `step`, and the step has its `node`."""

    MARK: str
    """How what the platform puts in begins."""
    BLOCKED: re.Pattern[str]
    """Names that no variable of ours may have."""

    def __init__(self, path: str, data: bytes, root: Map) -> None:
        super().__init__(path, data, root)
        self.puts: list[Put] = []
        self.variables: dict[tuple[int, Reference], str] = {}

    @abstractmethod
    def expression(self, put: Put) -> str:
        """How the value is written where the platform puts it in."""

    @abstractmethod
    def reach(self, site: Site) -> Iterator[str]:
        """The names of the variables that the site's step sees."""

    def in_text(self, item: Assignment, site: Site) -> Put:
        """A value that is a text, or a part of one. Raises `No`."""
        if item.part is None:
            return Put(item, site)
        span = self.located(site.node, item.part)
        if span is None:
            raise No("this part of the text has no bytes of its own", "write the text on one line, or move all of it")
        if site.flow and site.node.style == "plain":
            raise No("an expression needs quotes in braces", "quote the text, then run this again")
        return Put(item, site, span)

    def in_script(self, item: Assignment, site: Site) -> Put:
        """A value in a script. Raises `No`."""
        assert site.script is not None  # noqa: S101 - asked by the caller
        owner = site.context.step.node
        environment = shaped(owner, "env")
        if (
            owner is None
            or owner.flow
            or not (environment is None or (isinstance(environment, Map) and environment.pairs))
        ):
            raise No("the step's environment cannot be added to", "write the step in lines, without an empty `env`")
        if self.MARK in item.slot.value.reveal().decode():
            raise No("the value is put together by an expression", "move what the expression reads")
        name = self.variables.get((id(site.context.step), item.reference)) or self._free(site, item.reference, owner)
        try:
            span, text = site.script.replacement(name, site.word, item.part)
        except Unplaceable as error:
            raise No(str(error), error.alternative) from None
        if any(put.span is not None and put.span.touches(span) for put in self.puts if put.site.node is site.node):
            raise No("another value that moves stands in the same text", "run this again for the rest")
        self.variables[id(site.context.step), item.reference] = name
        return Put(item, site, span, text, name)

    def _free(self, site: Site, reference: Reference, owner: Map) -> str:
        """A variable's name that nothing in the step's reach uses."""
        taken = {*self.reach(site), *(key.text for key, _ in pairs(shaped(owner, "env")))}
        taken |= {name for (step, _), name in self.variables.items() if step == id(site.context.step)}
        said = set(re.findall(r"\w+", site.node.text))
        plain = reference.variable if reference.variable[:1].isalpha() else f"SECRET_{reference.variable}"
        options = (plain, f"VAULT_{plain}", *(f"VAULT_{plain}_{number}" for number in range(2, 99)))
        for name in options:
            if name not in taken and name not in said and name not in fetch.RESERVED and not self.BLOCKED.match(name):
                return name
        raise No("no name is free for the variable", "rename the step's variables")

    def put_in(self, put: Put) -> None:
        """The edit of a value in a text or a script."""
        if put.name and put.span is not None:
            self.edits.append(Edit(self.path, put.span, put.text))
        elif put.span is not None:
            self.edit(put.span, self.expression(put))
        else:
            self.express(put.site.node, self.expression(put), flow=put.site.flow)

    def give_environments(self) -> None:
        """The variables that scripts take, in the environments of their steps."""
        found: dict[int, dict[str, Put]] = {}
        for put in self.puts:
            if put.name:
                found.setdefault(id(put.site.context.step), {}).setdefault(put.name, put)
        for puts in found.values():
            first = next(iter(puts.values()))
            self.environment(first.site.context.step.node, {n: self.expression(put) for n, put in puts.items()})

    def environment(self, owner: Map, given: dict[str, str]) -> None:
        """Variables for the environment of a step, which is not in braces itself."""
        environment = shaped(owner, "env")
        lines = [f"{name}: {text}" for name, text in given.items()]
        if isinstance(environment, Map) and environment.flow:
            self.flow_pair(environment, ", ".join(f"{name}: '{text}'" for name, text in given.items()))
        elif isinstance(environment, Map):
            self.pair_before(environment, 0, lines)
        else:
            self.new_environment(owner, ["env:", *(" " * self.style.step + line for line in lines)])

    def new_environment(self, owner: Map, lines: list[str]) -> None:
        """An environment for a step that has none: in front of what it runs."""
        names = [key.text for key, _ in pairs(owner)]
        at = names.index("run") if "run" in names else 0
        self.pair_before(owner, at, lines)


def is_text(value: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
