"""`.envrc` of direnv: a script of bash that sets variables. Its assignments are places; it is reported, not rewritten.

Sources: direnv, `.envrc` and direnv-stdlib; POSIX.1-2024, shell command language (quoting, simple commands).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from rewriters._api import Reference, Slot, Span, Unreadable
from rewriters._dockerfile_shell import ESCAPABLE, lex, value_codec
from rewriters._encode import Undecodable, decode
from rewriters.plaintext import Plaintext

__all__ = ["REASON", "alternative", "claims", "slots", "values"]

MAX_SLOTS = 50_000
REASON = "direnv runs this file as a script: have it read the vault where it sets the variable"
_MADE = "the value is made by a command or from variables"
_BOM = b"\xef\xbb\xbf"
_PAIR = re.compile(rb"(?P<key>[A-Za-z_][A-Za-z0-9_]*)=")
_BEFORE = frozenset((b"then", b"do", b"else", b"if", b"while", b"until", b"!", b"{"))
"""Words after which a command begins."""
_SETTERS = frozenset((b"export", b"declare", b"local", b"readonly", b"typeset"))


def claims(path: str, head: bytes) -> bool:
    """By the name, which is fixed; beside it lie `.envrc.local` and others that it reads."""
    name = path.rsplit("/", 1)[-1]
    return (name == ".envrc" or name.startswith(".envrc.")) and b"\0" not in head


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Each assignment of a simple command. Raises `Unreadable` for UTF-16 or binary content."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise Unreadable("the file is no text in UTF-8")
    count: dict[str, int] = {}
    found: list[Slot] = []
    for key, start, end in _assignments(data):
        raw = data[start:end]
        first, last, codec = value_codec(raw, b"\\", ESCAPABLE)
        span = Span(start + first, start + last)
        try:
            value = decode((codec,), data[span.start : span.end])
        except Undecodable:
            continue
        many = count[key] = count.get(key, 0) + 1
        made = raw[:1] != b"'" and re.search(rb"(?<!\\)(?:\\\\)*[$`]", raw) is not None
        if len(found) >= MAX_SLOTS:
            raise Unreadable(f"more than {MAX_SLOTS} values")
        found.append(
            Slot(
                "dotenv",
                path,
                key if many == 1 else f"{key}~{many}",
                key,
                Plaintext(value),
                span,
                Span(start, end),
                (codec,),
                "env",
                (),
                _MADE if made else REASON,
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda slot: (slot.span, slot.pointer)))


def _assignments(data: bytes) -> Iterator[tuple[str, int, int]]:
    """`KEY=…` at the beginning of a command, and behind `export`."""
    for command in lex(data, len(_BOM) if data.startswith(_BOM) else 0, len(data)).commands:
        setter = False
        for start, end in command.words:
            word = data[start:end]
            if not word.strip(b"\\\r\n"):
                continue  # the line goes on
            match = _PAIR.match(word)
            if match is not None:
                yield match["key"].decode(), start + match.end(), end
            elif word in _SETTERS:
                setter = True
            elif word not in _BEFORE and not (setter and word.startswith(b"-")):
                break


def alternative(slot: Slot, reference: Reference) -> str:
    """The change that a person may make."""
    if slot.reason == _MADE:
        return "move what it is made from"
    address = f"{reference.vault_url}/secrets/{reference.name}" + (f"/{reference.version}" * bool(reference.version))
    return (
        f'write {slot.key}="$(az keyvault secret show --id {address} --query value --output tsv)" (direnv runs it each '
        "time that the folder is entered, as whoever is signed in); or keep the value in a file that is not in the "
        "repository, and read it with dotenv_if_exists"
    )


def values(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Variables as the standard library's reader of shell words sees them; nothing when it cannot read the file."""
    text = data.removeprefix(_BOM).decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\\\n", "")
    reader = shlex.shlex(text, posix=True, punctuation_chars=";&|()<>\n")
    reader.whitespace, reader.whitespace_split, reader.commenters = " \t", True, "#"
    first = True
    try:
        for word in reader:
            key, sign, value = word.partition("=")
            if set(word) <= set(";&|()<>\n"):
                first = True
            elif first and sign and re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key):
                yield key, value.encode("utf-8", "surrogateescape")
            elif word.encode("utf-8", "surrogateescape") not in _SETTERS | _BEFORE and not word.startswith("-"):
                first = False
    except ValueError:
        return
