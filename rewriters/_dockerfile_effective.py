"""What the images and builds of Dockerfiles are handed: the evaluation that the proof compares.

Source: Dockerfile reference, "Environment replacement", ARG and ENV; BuildKit, frontend/dockerfile/shell/lex.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from posixpath import dirname

from rewriters._api import Address, Delivery, Files, Lookup, Reference
from rewriters._dockerfile_flow import Definition, Flow, Stage, Step, flow, names_in
from rewriters._dockerfile_mount import host_variable, mounts
from rewriters._dockerfile_places import script_of
from rewriters._dockerfile_read import json_items, read
from rewriters._encode import decode
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_VALUE = 1 << 20
"""Longer texts are not expanded further: variables that name each other twice double at every step."""

_EXPANSION = re.compile(rb"\$(?:\{([A-Za-z_]\w*)(?::?([-+])([^{}$]*))?\}|([A-Za-z_]\w*))")
_Resolve = Callable[[str], bytes | None]


def effective(mine: Files, files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of the Dockerfiles `mine`; `files` also holds the fetch scripts."""
    from rewriters import fetch

    result: list[Delivery] = []
    for path, data in mine.items():
        try:
            known = fetch.variables(dirname(path), files)
        except ValueError:
            known = {}  # no script of ours can be there
        result += _Image(path, flow(read(data)), known, lookup).deliveries()
    return tuple(result)


def _put_in(text: bytes, resolve: _Resolve) -> bytes:
    """The text with known variables replaced; unknown and escaped ones stay as they are written."""

    def value(match: re.Match[bytes]) -> bytes:
        name = (match[1] or match[4]).decode("ascii", "replace")
        found = resolve(name)
        if text[match.start() - 1 : match.start()] in (b"\\", b"`") and match.start():
            return match[0]
        if found is None:
            return match[0]
        if match[2] == b"+":
            return match[3]
        return match[3] if match[2] == b"-" and not found else found

    if len(text) > MAX_VALUE:
        return text
    return _EXPANSION.sub(value, text)


def _plain(text: bytes) -> bytes:
    """A command without its quoting, so that a literal and the reference to it are the same text."""
    return b" ".join(text.translate(None, b"'\"\\").split())


class _Image:
    def __init__(self, path: str, found: Flow, known: Mapping[str, Reference], lookup: Lookup) -> None:
        self.path, self.flow, self.known, self.lookup = path, found, known, lookup
        self.values: dict[int, bytes] = {}
        self.env: dict[int, dict[str, bytes]] = {}
        self.args: dict[int, dict[str, bytes]] = {}
        self.definitions = {id(item.pair): item for item in found.definitions}
        self.said: set[tuple[str, str]] = set()

    def subject(self, stage: Stage) -> str:
        first = next(other for other in self.flow.stages if other.label == stage.label)
        return f"{self.path}#{stage.label if first is stage else stage.number}"

    def deliveries(self) -> Iterator[Delivery]:
        pending: dict[str, Definition] = {}
        stage: Stage | None = None
        for step in self.flow.steps:
            if step.stage is not stage:
                stage, pending = step.stage, {}
            if step.instruction.onbuild:
                continue
            keyword = step.instruction.keyword
            if keyword in ("ENV", "ARG"):
                self.define(step, pending)
            elif keyword == "RUN":
                yield from self.build(step, pending)
                pending.clear()
        for stage in self.flow.stages:
            if stage.runs:
                yield from self.image(stage)

    def resolve(self, stage: Stage) -> _Resolve:
        def value(name: str) -> bytes | None:
            found = self.variable(stage, name)
            return found if found is not None else self.args.get(stage.number, {}).get(name)

        return value

    def variable(self, stage: Stage, name: str) -> bytes | None:
        at: Stage | None = stage
        while at is not None:
            found = self.env.get(at.number, {}).get(name)
            if found is not None:
                return found
            at = at.base
        return None

    def define(self, step: Step, pending: dict[str, Definition]) -> None:
        """Evaluates the pairs; `pending` gets those that no text names, which programs may read from their
        environment."""
        number = step.stage.number
        env: dict[str, bytes] = {}
        args = self.args.setdefault(number, {})
        text = step.instruction.text.value
        for pair in step.pairs:
            name = pair.name.decode("utf-8", "replace")
            if pair.value is None:
                given = self.args.get(-1, {}).get(name)
                if given is not None:
                    args[name] = given
                continue
            target = env if step.instruction.keyword == "ENV" else args
            target[name] = self.word(text[slice(*pair.value)], self.resolve(step.stage))
            definition = self.definitions[id(pair)]
            self.values[id(definition)] = target[name]
            if definition.kind == "ARG" and self.variable(step.stage, name) is not None:
                continue  # hidden by the ENV
            pending.pop(name, None)
            if not definition.uses and not definition.runs and number >= 0:
                pending[name] = definition
        self.env.setdefault(number, {}).update(env)

    def word(self, raw: bytes, resolve: _Resolve) -> bytes:
        """The value of a word: quotes removed, variables put in where the builder does."""
        mark = self.flow.file.escape
        out: list[bytes] = []
        quote = b""
        at = 0
        while at < len(raw):
            char, after = raw[at : at + 1], raw[at + 1 : at + 2]
            match = _EXPANSION.match(raw, at) if char == b"$" and quote != b"'" and len(raw) <= MAX_VALUE else None
            if match is not None:
                out.append(_put_in(match[0], resolve))
                at = match.end()
                continue
            if char == quote or (not quote and char in (b"'", b'"')):
                quote = b"" if quote else char
            elif char == mark and quote != b"'" and (not quote or after in (b'"', b"$", mark)):
                out.append(after)
                at += 1
            else:
                out.append(char)
            at += 1
        return b"".join(out)[: 2 * MAX_VALUE]

    def secret(self, name: str) -> bytes | None:
        reference = self.known.get(name)
        return None if reference is None else self.lookup(reference).reveal()

    def command(self, step: Step, resolve: _Resolve) -> bytes:
        """The command with the known variables put in where a shell would, without its quoting."""
        instruction = step.instruction
        text = instruction.text.value
        items = json_items(text, *instruction.rest)
        if items is None:
            bodies = [self.flow.file.data[doc.body.start : doc.body.end] for doc in instruction.heredocs]
            return _plain(_put_in(b"\n".join((instruction.args, *bodies)), resolve))
        script = script_of(text, items)
        parts: list[bytes] = []
        for item in items:
            part = decode(("json-string",), text[slice(*item)])
            parts.append(_plain(_put_in(part, resolve)) if item == script else part)
        return b"\0".join(parts)

    def build(self, step: Step, pending: dict[str, Definition]) -> Iterator[Delivery]:
        secrets: dict[str, bytes] = {}
        for name, variable in mounts(step):
            found = self.secret(host_variable(name)) if variable else None
            if found is not None:
                secrets[variable] = found
        seen = self.resolve(step.stage)
        subject = self.subject(step.stage)
        text = self.command(step, lambda name: secrets[name] if name in secrets else seen(name))
        yield Delivery(Address(self.path, f"{subject}/RUN.{step.number}", "build", "command"), Plaintext(text))
        silent = {item.name: self.values[id(item)] for item in pending.values()}
        named = names_in(self.flow.file, step.instruction)
        silent |= {name: value for name, value in secrets.items() if name not in named}
        for name, value in silent.items():
            if (subject, name) not in self.said:
                self.said.add((subject, name))
                yield Delivery(Address(self.path, subject, "build", name), Plaintext(value))

    def image(self, stage: Stage) -> Iterator[Delivery]:
        subject = self.subject(stage)
        for name, definition in stage.environment().items():
            yield Delivery(Address(self.path, subject, "env", name), Plaintext(self.values[id(definition)]))

        def resolve(name: str) -> bytes | None:
            found = self.variable(stage, name)
            return found if found is not None else self.secret(name)

        for keyword, step in stage.commands().items():
            text = self.command(step, resolve)
            yield Delivery(Address(self.path, subject, "arg", keyword), Plaintext(text))
