"""Expressions of Bicep as texts, names of parameters and variables replaced by what they stand for.

Works on the tokens of `_bicep_leaves`. What only a deployment can know (functions, other resources) stays as it is
written, with the known texts put in, so that the same deployment gives the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from rewriters._api import Unreadable
from rewriters._bicep_leaves import Read
from rewriters._bicep_tokens import Token

__all__ = ["MAX_TEXT", "Scope", "Value", "entries", "fitting", "listed", "whole"]

MAX_TEXT = 65_536
MAX_DEPTH = 60
_OPEN, _CLOSE = ("(", "[", "[?", "{"), (")", "]", "}")
_GOES_ON = ("?", ":", "??", "&&", "||", "+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", ".", ".?", "::")
Tokens = tuple[Token, ...]


class Value(NamedTuple):
    """`known` says that the text is all of the value; otherwise it is an expression, with known texts put in."""

    known: bool
    text: str

    @property
    def inner(self) -> str:
        return f"\x02{self.text}\x03" if self.known else self.text


def fitting(tokens: Tokens, at: int) -> int:
    """The index of the bracket, or of the end of the string, that fits the one at `at`."""
    depth = 0
    for index in range(at, len(tokens)):
        kind, text = tokens[index].kind, tokens[index].text
        depth += kind == "left" or (kind == "op" and text in _OPEN)
        depth -= kind == "right" or (kind == "op" and text in _CLOSE)
        if not depth:
            return index
    return len(tokens) - 1


def whole(tokens: Tokens) -> Tokens:
    """Without line breaks at the ends, and without parentheses around all of it."""
    start, end = 0, len(tokens)
    while True:
        while start < end and tokens[start].kind == "line":
            start += 1
        while start < end and tokens[end - 1].kind == "line":
            end -= 1
        if end - start > 1 and tokens[start].text == "(" and fitting(tokens[:end], start) == end - 1:
            start, end = start + 1, end - 1
        else:
            return tokens[start:end]


def listed(tokens: Tokens) -> Iterator[Tokens]:
    """What stands between commas and line breaks; a line that goes on with an operator belongs to the one before."""
    item: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "line" or (token.kind == "op" and token.text == ","):
            after = tokens[at + 1] if at + 1 < len(tokens) else None
            goes_on = token.kind == "line" and after is not None and after.kind == "op" and after.text in _GOES_ON
            before = token.kind == "line" and item and item[-1].kind == "op" and item[-1].text in (*_GOES_ON, "=")
            if item and not goes_on and not before:
                yield tuple(item)
                item = []
            at += 1
            continue
        end = fitting(tokens, at) if token.kind == "left" or token.text in _OPEN else at
        item += tokens[at : end + 1]
        at = end + 1
    if item:
        yield tuple(item)


def entries(tokens: Tokens, text: Callable[[Token], str]) -> Iterator[tuple[str, Tokens]]:
    """The properties of an object, given what stands in its braces; resources in it by `resource SYMBOL`."""
    for item in listed(tokens):
        while item and item[0].text == "@":  # a decorator of a resource
            end = next((at for at, token in enumerate(item) if token.text == "("), 1)
            item = whole(item[fitting(item, end) + 1 :])
        if len(item) > 4 and item[0].text == "resource" and item[1].kind == "id":
            equals = next((at for at, token in enumerate(item) if token.text == "="), len(item))
            yield f"resource {item[1].text}", item[equals + 1 :]
        elif len(item) > 2 and item[0].kind in ("id", "text") and item[1].text == ":":
            yield item[0].text or text(item[0]), item[2:]
        elif item and item[0].text == "...":
            yield "...", item[1:]


class Scope:
    """What the names of one file stand for, in one deployment of it."""

    def __init__(
        self, read: Read, names: Mapping[str, Tokens | Value], secret: Callable[[str, list[Value]], Value | None]
    ) -> None:
        self.data, self.text, self.names, self.secret = read.data, read.text, names, secret
        self.known: dict[str, Value] = {}
        self.open: set[str] = set()

    def value(self, tokens: Tokens) -> Value:
        """What an expression stands for."""
        atoms: list[Value] = []
        tokens = whole(tokens)
        at = 0
        while at < len(tokens):
            atom, at = self.atom(tokens, at)
            atoms.append(atom)
        if len(atoms) == 1:
            return atoms[0]
        return Value(False, _bounded(" ".join(atom.inner for atom in atoms), "…"))

    def atom(self, tokens: Tokens, at: int) -> tuple[Value, int]:
        token = tokens[at]
        if token.kind in ("text", "lines"):
            return Value(True, self.text(token)), at + 1
        if token.kind == "left":
            end = fitting(tokens, at)
            return Value(True, self.string(tokens[at : end + 1])), end + 1
        if token.kind == "id":
            return self.identifier(tokens, at)
        if token.kind == "line":
            return Value(False, ","), at + 1
        return Value(False, self.data[token.start : token.end].decode()), at + 1

    def identifier(self, tokens: Tokens, at: int) -> tuple[Value, int]:
        name = tokens[at].text
        after = [token.text for token in tokens[at + 1 : at + 4]]
        if after == [".", "getSecret", "("] or (name == "getSecret" and after[:1] == ["("]):
            opens = at + 3 if after[0] == "." else at + 1
            end = fitting(tokens, opens)
            found = self.secret(
                name if after[0] == "." else "az", [self.value(part) for part in listed(tokens[opens + 1 : end])]
            )
            if found is not None:
                return found, end + 1
        before = tokens[at - 1].text if at else ""
        key = after[:1] == [":"] and (at == 0 or before in ("{", ",") or tokens[at - 1].kind == "line")
        if before in (".", ".?", "::") or after[:1] == ["("] or key:
            return Value(False, name), at + 1
        return self.name(name), at + 1

    def name(self, name: str) -> Value:
        """What a parameter or a variable stands for; any other name stays."""
        if name in self.known:
            return self.known[name]
        found = self.names.get(name)
        if found is None or name in self.open or len(self.open) > MAX_DEPTH:
            return Value(False, name)
        if isinstance(found, Value):
            result = found
        else:
            self.open.add(name)
            result = self.value(found)
            self.open.discard(name)
        if len(result.text) > MAX_TEXT:
            result = Value(False, name)
        self.known[name] = result
        return result

    def string(self, tokens: Tokens) -> str:
        """A string with holes."""
        texts: list[str] = []
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.kind in ("left", "middle", "right"):
                texts.append(self.text(token))
                at += 1
                continue
            end = at
            while tokens[end].kind not in ("middle", "right"):
                end = fitting(tokens, end) + 1 if tokens[end].kind == "left" or tokens[end].text in _OPEN else end + 1
            hole = self.value(tokens[at:end])
            texts.append(hole.text if hole.known else f"${{{hole.text}}}")
            at = end
        return _bounded("".join(texts), "…")


def _bounded(text: str, instead: str) -> str:
    if len(text) > 16 * MAX_TEXT:
        raise Unreadable(f"an expression is longer than {16 * MAX_TEXT} characters{instead}")
    return text
