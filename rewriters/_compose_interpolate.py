"""Variable substitution as Compose does it, in its YAML files and in `.env` files.

Sources: Compose specification, interpolation; compose-go v2.10, `template/template.go`: `$$`, `$NAME`, `${NAME}`, and
`${NAME}` with one of `:-`, `-`, `:+`, `+`, `:?`, `?` and an argument that is substituted in turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rewriters._api import Span

__all__ = ["MAX_DEPTH", "Substitution", "defaults", "names", "required", "substitute", "substitutions", "varies"]

MAX_DEPTH = 20
MAX_MISSES = 50
"""Opening braces without an end, after which a text is not looked through further: each costs its whole length."""
_HEAD = re.compile(rb"\$(?:(?P<escaped>\$)|(?P<named>[_A-Za-z][_A-Za-z0-9]*)|\{(?P<braced>[_A-Za-z][_A-Za-z0-9]*))")
_BRACE = re.compile(rb"\$\{|\}")
_OPERATOR = re.compile(rb":?[-+?]")


@dataclass(frozen=True, slots=True)
class Substitution:
    """One `$NAME` or `${NAME...}` of a text. `operator` is empty or one of `:-` and its kind; `argument` is the span
    of what follows it, `span` that of the whole."""

    span: Span
    name: str
    operator: bytes = b""
    argument: Span = field(default_factory=lambda: Span(0, 0))

    @property
    def has_default(self) -> bool:
        return self.operator in (b":-", b"-")


def _closing(text: bytes, at: int, end: int) -> int:
    """The brace that closes the one just before `at`; -1 without one."""
    depth = 1
    for match in _BRACE.finditer(text, at, end):
        depth += 1 if match[0] == b"${" else -1
        if depth == 0:
            return match.start()
    return -1


def substitutions(text: bytes, start: int = 0, end: int | None = None) -> Iterator[Substitution]:
    """Those of the text (or of that range) in order, outermost only. What Compose calls invalid is passed over."""
    end = len(text) if end is None else end
    at = start
    misses = 0
    while misses < MAX_MISSES and (match := _HEAD.search(text, at, end)) is not None:
        at = match.end()
        if match["escaped"]:
            continue
        if match["named"]:
            yield Substitution(Span(*match.span()), match["named"].decode())
            continue
        close = _closing(text, match.end(), end)
        if close < 0:
            misses += 1
            continue
        operator = _OPERATOR.match(text, match.end(), close)
        if operator is None and close != match.end():
            continue
        begin = operator.end() if operator else close
        yield Substitution(
            Span(match.start(), close + 1),
            match["braced"].decode(),
            operator[0] if operator else b"",
            Span(begin, close),
        )
        at = close + 1


def varies(text: bytes) -> bool:
    """Whether any variable is substituted in it."""
    return next(substitutions(text), None) is not None


def names(text: bytes) -> Iterator[str]:
    """The names of all variables in it, those inside of arguments included."""
    todo = [(Span(0, len(text)), 0)]
    while todo:
        span, depth = todo.pop()
        for found in substitutions(text, span.start, span.end):
            yield found.name
            if len(found.argument) and depth < MAX_DEPTH:
                todo.append((found.argument, depth + 1))


Variables = Callable[[str], bytes | None]


def defaults(text: bytes) -> bytes | None:
    """The text as it is when none of its variables is set; `None` when one has no default."""
    result = substitute(text, lambda name: b"")
    return None if any(found.operator != b":-" for found in substitutions(text)) else result


def substitute(text: bytes, variables: Variables, depth: int = 0) -> bytes:
    """The text with its variables put in. One that is not known stays as it is written, its argument substituted."""
    out: list[bytes] = []
    at = 0
    for found in substitutions(text):
        out += (text[at : found.span.start].replace(b"$$", b"$"), _value(text, found, variables, depth))
        at = found.span.end
    out.append(text[at:].replace(b"$$", b"$"))
    return b"".join(out)


def _value(text: bytes, found: Substitution, variables: Variables, depth: int) -> bytes:
    value = variables(found.name)
    raw = text[found.argument.start : found.argument.end]
    argument = substitute(raw, variables, depth + 1) if depth < MAX_DEPTH else raw
    if value is None:
        return (
            text[found.span.start : found.argument.start] + argument + b"}"
            if found.operator
            else (text[found.span.start : found.span.end])
        )
    empty_counts = found.operator.startswith(b":")
    if found.operator.endswith(b"+"):
        return argument if value or not empty_counts else b""
    if found.operator.endswith(b"-") and not value and empty_counts:
        return argument
    return value


def required(name: str, script: str) -> bytes:
    """The reference to a variable that must be set: Compose stops with this message when it is not."""
    return f"${{{name}:?run ./{script}}}".encode()
