"""What Bake gives to builds: variables from the environment, and the targets' arguments with them put in.

Source: Docker documents, Bake: variables (the environment wins over the default), file order (overrides come last).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from rewriters import fetch
from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._bake_read import folder_of
from rewriters._hcl_values import Evaluator, Section, Token, Value, parse, plain, template
from rewriters.bake import claims
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DEPTH = 100
MAX_DELIVERIES = 100_000


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    folders: dict[str, dict[str, Section]] = {}
    for path, data in sorted(files.items()):
        if claims(path, data[:4096]):
            section = _json(data) if path.lower().endswith(".json") else parse(data)
            folders.setdefault(folder_of(path), {})[path] = section
    found: dict[Address, Plaintext] = {}
    for folder, sections in folders.items():
        for delivery in _Definitions(sections, fetch.variables(folder, files), lookup).deliveries():
            found[delivery.address] = delivery.value
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


def _json(data: bytes) -> Section:
    try:
        root = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Unreadable("the standard library cannot read it as JSON") from None
    made = Section()
    for kind, blocks in root.items() if isinstance(root, dict) else ():
        for label, body in blocks.items() if isinstance(blocks, dict) else ():
            block = Section(kind, (label,))
            if isinstance(body, dict):
                block.attributes = {name: _tokens(value, 0) for name, value in body.items()}
            made.blocks.append(block)
    return made


def _tokens(value: Any, depth: int) -> tuple[Token, ...]:
    if depth > MAX_DEPTH:
        raise Unreadable("nested too deep")
    inner: list[Token] = []
    if isinstance(value, str):
        return (Token("text", parts=template(value)),)
    if isinstance(value, list):
        for item in value:
            inner += (*_tokens(item, depth + 1), Token("mark", ","))
        return (Token("group", "[", inner=tuple(inner)),)
    if isinstance(value, dict):
        for key, item in value.items():
            inner += (Token("text", parts=(key,)), Token("mark", "="), *_tokens(item, depth + 1), Token("mark", ","))
        return (Token("group", "{", inner=tuple(inner)),)
    return (Token("number", json.dumps(value)),)


def _order(path: str) -> tuple[bool, str]:
    return ".override." in path, path


class _Definitions:
    """The files of one folder, read together as Bake does."""

    def __init__(self, sections: dict[str, Section], script: Mapping[str, Reference], lookup: Lookup) -> None:
        self.sections, self.script, self.lookup = sections, script, lookup
        self.evaluator = Evaluator(self.resolve)
        self.defaults: dict[str, tuple[Token, ...]] = {}
        self.declared: set[str] = set()
        self.known: dict[str, Value | None] = {}
        self.open: set[str] = set()
        for path in sorted(sections, key=_order):
            self.defaults.update(sections[path].attributes)
            for block in sections[path].of("variable"):
                for name in block.labels[:1]:
                    self.declared.add(name)
                    if "default" in block.attributes:
                        self.defaults[name] = block.attributes["default"]

    def resolve(self, steps: tuple[str, ...]) -> Value | None:
        if len(steps) != 1:
            return None
        name = steps[0]
        if name not in self.known:
            if name in self.open or len(self.open) > MAX_DEPTH:
                return None
            self.open.add(name)
            self.known[name] = self.variable(name)
            self.open.discard(name)
        return self.known[name]

    def variable(self, name: str) -> Value | None:
        if name in self.declared and name in self.script:
            return self.lookup(self.script[name]).reveal().decode("utf-8", "surrogateescape")
        return self.evaluator.value(self.defaults[name]) if name in self.defaults else None

    def deliveries(self) -> Iterator[Delivery]:
        for path, section in self.sections.items():
            for block in section.of("variable"):
                value = self.resolve(block.labels[:1]) if block.labels else None
                if value is not None:
                    yield _delivery(path, f"{path}#variable", "env", block.labels[0], plain(value))
            for block in section.of("target"):
                subject = f"{path}#target.{'.'.join(block.labels)}"
                for name, tokens in block.attributes.items():
                    yield from self.attribute(path, subject, name, self.evaluator.value(tokens))

    def attribute(self, path: str, subject: str, name: str, value: Value) -> Iterator[Delivery]:
        if name == "args" and isinstance(value, dict):
            for key, item in value.items():
                yield _delivery(path, subject, "build", _named(key), plain(item))
        elif name == "secret" and isinstance(value, list):
            for item in value:
                fields = dict(part.partition("=")[::2] for part in item.split(",")) if isinstance(item, str) else item
                if isinstance(fields, dict):
                    yield from self.secret(path, subject, {key: plain(part) for key, part in fields.items()})
        else:
            for index, item in enumerate(value if isinstance(value, list) else [value]):
                yield _delivery(path, subject, "object", f"{name}/{index}", plain(item))

    def secret(self, path: str, subject: str, fields: dict[str, str]) -> Iterator[Delivery]:
        name = fields.get("id", "")
        variable = fields.get("env", "") or (name if "src" not in fields and "source" not in fields else "")
        if variable in self.script:
            value = self.lookup(self.script[variable])
            yield Delivery(Address(path, subject, "build", _named(name)), value)
        else:
            yield _delivery(path, subject, "object", f"secret/{name}", json.dumps(fields, sort_keys=True))


def _named(name: str) -> str:
    """One name for an argument and for the build secret that takes its place."""
    return name.lower().replace("_", "-")


def _delivery(path: str, subject: str, channel: Literal["env", "build", "object"], name: str, value: str) -> Delivery:
    return Delivery(Address(path, subject, channel, name), Plaintext(value.encode("utf-8", "surrogateescape")))
