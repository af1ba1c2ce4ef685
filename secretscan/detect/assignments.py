"""Assignments in free text: `DB_PASSWORD=…`, `password: …`, `"apiKey": "…"`.

A name that says credential is not enough in free text, since code and documents speak of credentials all the time. How
much has to be there besides depends on what kind of text it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from rewriters import Span
from secretscan.detect import shapes
from secretscan.detect.names import listed, meaning
from secretscan.detect.strength import strength
from secretscan.model import Kind, Strength

__all__ = ["Assigned", "Syntax", "at", "syntax_of"]


class Syntax(Enum):
    """How a text writes values down.

    `SETTINGS`: a line is a name and a value, which is in force as it stands. `PLAIN`: nobody knows; a line that gives
    a value to a name in capitals is taken for a setting. `SHELL`: commands. `CODE`: literals are quoted, names alone
    are variables. `PROSE`: documents and generated files, where only a vendor's form counts.
    """

    SETTINGS = "settings"
    PLAIN = "plain"
    SHELL = "shell"
    CODE = "code"
    PROSE = "prose"


_SETTINGS = listed(
    """
    env properties ini cfg conf cnf config yaml yml toml tfvars credentials secret secrets netrc npmrc pgpass
    list
    """
)
_SHELL = frozenset(
    ("sh", "bash", "zsh", "fish", "ksh", "ps1", "psm1", "bat", "cmd", "mk", "dockerfile", "containerfile")
)
_PROSE = listed(
    """
    md markdown mdx rst adoc asciidoc html htm css scss less svg map po pot lock sum tex ipynb csv tsv log diff
    patch snap min.js
    """
)
_LOCK = re.compile(
    r"(?i)(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock|poetry\.lock|pipfile\.lock|uv\.lock"
    r"|cargo\.lock|composer\.lock|go\.sum|gemfile\.lock|packages\.lock\.json|chart\.lock|[^/]*\.min\.(?:js|css)|changelog[^/]*"
    r"|licen[sc]e[^/]*|notice[^/]*|readme[^/]*|metadata|pkg-info|record|versions?|codeowners|authors)$"
)
_EXAMPLE = re.compile(
    r"(?i)(?:^|[._\-/])(?:example|examples|sample|samples|template|tmpl|tpl|dist|skeleton)(?:[._\-]|$)"
)


def syntax_of(path: str) -> Syntax:
    """The syntax that a file of this name is written in."""
    name = path.rsplit("/", 1)[-1].lower()
    if _LOCK.search(path):
        return Syntax.PROSE
    extension = name.rsplit(".", 1)[-1] if "." in name else ""
    if extension in _PROSE:
        return Syntax.PROSE
    if name.startswith((".env", "env.")) or name.endswith(".env"):
        return Syntax.SETTINGS
    if extension in _SHELL or name.startswith(("dockerfile", "containerfile", "makefile")):
        return Syntax.SHELL
    if extension in _SETTINGS or name.startswith("."):
        return Syntax.SETTINGS
    return Syntax.PLAIN if extension in ("", "txt") else Syntax.CODE


def is_example(path: str) -> bool:
    """Whether the file's own name says that it is not deployed as it stands (`.env.example`)."""
    return _EXAMPLE.search(path.rsplit("/", 1)[-1]) is not None


@dataclass(frozen=True, slots=True)
class Assigned:
    """A credential that a name is given in a text."""

    key: str
    span: Span
    kind: Kind
    strength: Strength


_NAME = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_LONGEST_NAME = 100
_LEAD = re.compile(
    rb"\s*(?:[-*]\s+)?(?:(?:export|set|setx|env|declare(?:\s+-\w+)?|local|readonly|ENV|ARG|-e|--env|\$env:)\s*)?[\"']?\s*[{,]?\s*[\"']?\Z"
)
_COMMENT = re.compile(rb"(?:^|\s)(?:#|//|--\s|;|\*\s|<!--|rem\s)", re.IGNORECASE)
_VALUE = re.compile(
    rb"""(?x)[>=]?[ \t]{0,8}
    (?: (?:[@bBrRuU]{0,2}) (?P<quote>\\?["'`]) (?P<quoted>(?:(?!(?P=quote))[^\r\n\x00]){1,1024}) (?P=quote)
      | (?P<bare>[^\s"'`\x00][^\r\n\x00]{0,1024}) )"""
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_.\-]*")
_DEFAULT = re.compile(rb"-([^\s${}\"'`\x00]{1,200})\}")
_TRAILING = re.compile(rb"\s+(?:#|//).*\Z|\s+\Z")
_SHELL_END = re.compile(rb"[\s;&|<>()\"'`]|\\\Z|\\n")


def at(data: bytes | bytearray, end: int, syntax: Syntax, reach: int) -> Assigned | None:
    """The credential that is assigned by the sign which ends at `end`, when there is one."""
    if syntax is Syntax.PROSE:
        return None
    start = max(0, end - 240)
    first = max(start, data.rfind(b"\n", start, end) + 1)
    before = bytes(data[first : end - 1]).rstrip(b" \t")
    if data[end : end + 1] in (b"=", b"~") or before.endswith((b"=", b"!", b"<", b">")):
        return None
    before = before.rstrip(b"\"'`]\\").rstrip(b" \t")
    lead = before.rstrip(_NAME)
    key = before[len(lead) :].lstrip(b"-.0123456789").decode("ascii")
    if not key or len(key) > _LONGEST_NAME:
        return None
    said = meaning(key)
    if said is None:
        return None
    span = _span(data, end, min(len(data), end + reach), syntax, lead)
    if span is None:
        return None
    raw = bytes(data[span.start : span.end])
    text = raw.decode("utf-8", "surrogateescape")
    if shapes.harmless(text) or (syntax is Syntax.CODE and text.strip().lower() == key.lower()):
        return None
    found = strength(text)
    commented = _COMMENT.search(lead) is not None or lead.strip().startswith(b"#")
    if not said.sure and not shapes.looks_random(text):
        return None
    if said.kind != "password" and text.strip().isdigit():
        return None
    if found != "strong" and (syntax is Syntax.CODE or commented):
        return None
    if syntax is Syntax.PLAIN and not (key.isupper() and _LEAD.match(lead)):
        return None
    if syntax is Syntax.CODE and not _literal_in_code(text, said.kind):
        return None
    if lead.endswith((b"(", b", ")) and text == key:
        return None  # a keyword argument
    return Assigned(key, span, said.kind, found)


def _literal_in_code(text: str, kind: Kind) -> bool:
    """Whether a quoted text in code may be a credential: most are titles, names of fields and messages."""
    if shapes.looks_random(text):
        return True
    return kind == "password" and text.isascii() and " " not in text and not _IDENTIFIER.fullmatch(text)


def _span(data: bytes | bytearray, end: int, stop: int, syntax: Syntax, lead: bytes) -> Span | None:
    """Where the value stands that follows the sign, if it is a literal."""
    if lead.endswith(b"${"):
        default = _DEFAULT.match(data, end, stop)
        return Span(*default.span(1)) if default is not None and syntax is not Syntax.CODE else None
    match = _VALUE.match(data, end, stop)
    if match is None:
        return None
    own_line = _LEAD.match(lead) is not None
    if match["quoted"] is not None:
        return Span(*match.span("quoted"))
    bare = match["bare"]
    if bare.startswith((b"$(", b"${", b"$[")):
        return None
    if syntax is Syntax.CODE or bare[:1] in (b"{", b"[", b"|", b">", b"&", b"*", b"#", b"(", b"!"):
        return None
    if syntax is Syntax.SHELL or not own_line:
        cut = _SHELL_END.search(bare)
        bare = bare[: cut.start()] if cut else bare
    else:
        bare = _TRAILING.sub(b"", bare)
    bare = bare.rstrip(b",;\"'`") if not own_line or bare.endswith((b'"', b"'", b",", b";")) else bare
    if not bare or b" " in bare.strip() or b"\t" in bare:
        return None
    return Span(match.start("bare"), match.start("bare") + len(bare))
