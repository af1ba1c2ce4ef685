"""The file of variables of an azd environment: as azd reads it, with the bytes of each value.

Source: joho/godotenv 1.5.1, parser.go and Marshal, which azd takes. It differs from other readers of such files: in
double quotes a backslash before any sign but `$`, n and r only goes away; `$NAME` of capital letters is a variable; in
single quotes nothing is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Span
from rewriters._dotenv_read import Statement, statements
from rewriters._encode import decode

__all__ = ["Variable", "variables"]

_ESCAPE = re.compile(rb"\\(.?)", re.DOTALL)
_NAMES = re.compile(rb"(?<!\\)\$\(?\{?[A-Z0-9_]")
_LONE = re.compile(rb"\r(?!\n)")
_COMMENT = re.compile(rb"[ \t\v\f\r]#")
ODD = "azd reads these quotes, escapes or comments in a way of its own"
UNSURE = "a quote or a line break further up may be another one to azd, and this value with it"
COMPOSED = "the value is put together from variables"


@dataclass(frozen=True, slots=True)
class Variable:
    """`KEY="value"`. `odd` says, if not empty, why the value cannot be told."""

    key: str
    value: bytes
    span: Span
    literal: Span
    encoding: tuple[str, ...]
    odd: str


def variables(data: bytes) -> Iterator[Variable]:
    """In the order of the file. Raises `Unreadable`."""
    open_quote = _LONE.search(data) is not None
    for statement in statements(data):
        raw = statement.raw(data)
        if statement.quote == '"':
            encoding, odd = _double(raw)
        elif statement.quote == "'":
            encoding, odd = (), ODD if raw.endswith(b"\\") or b"'" in raw or b"\r\n" in raw else ""
        else:
            stop = data.find(b"\n", statement.span.end)
            rest = data[statement.span.start : stop if stop >= 0 else len(data)]
            encoding, odd = _bare(statement, raw, rest)
        odd = UNSURE if open_quote and odd != ODD else odd
        # A quote that ends elsewhere for azd, or a line, makes all that follows uncertain.
        open_quote |= (
            odd not in (COMPOSED, "") and data[statement.literal.start : statement.literal.start + 1] in b"\"'"
        )
        value = decode(encoding, raw)
        yield Variable(statement.key, value, statement.span, statement.literal, encoding, odd)


def _double(raw: bytes) -> tuple[tuple[str, ...], str]:
    taken = [match[1] for match in _ESCAPE.finditer(raw)]
    marks = '"\\' + "".join(sign for sign in "$!`" if sign.encode() in taken)
    odd = ""
    if any(sign not in b'nr"\\$!`' or not sign for sign in taken) or raw.endswith((b"\\", b'\\"')) or b"\r\n" in raw:
        odd = ODD
    bare = _ESCAPE.sub(lambda match: b"\0" if match[1] == b"\\" else b"", raw)
    if b"\0$" in bare:
        odd = ODD
    elif _NAMES.search(bare):
        odd = odd or COMPOSED
    kind = "escape-c:" if b"n" in taken or b"r" in taken else "escape:\\"
    return (kind + marks,), odd


def _bare(statement: Statement, raw: bytes, line: bytes) -> tuple[tuple[str, ...], str]:
    odd = statement.odd
    comment = _COMMENT.search(line, 1)
    if not odd and comment is not None and (comment.start() < len(raw) or _COMMENT.search(line, comment.end())):
        odd = ODD
    if not odd and _NAMES.search(raw):
        odd = COMPOSED
    return ("escape:\\$",) if b"\\$" in raw else (), odd
