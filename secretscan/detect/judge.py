"""Which slots hold a credential: by the name, the place and the value together.

Neither is enough by itself. `POSTGRES_USER` and `POSTGRES_PASSWORD` often hold the same word; `ALLOW_EMPTY_PASSWORD`
holds `yes`; `TLS_KEY` a path; and the value of `DATABASE_URL` is a credential only between a colon and an at sign.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass

from rewriters import Place, Span
from secretscan.detect import shapes
from secretscan.detect.names import Meaning, meaning, names_identity
from secretscan.detect.strength import strength
from secretscan.model import Confidence, Kind, Strength

__all__ = ["Verdict", "is_structured", "judge"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A slot holds a credential: all of its value, or the `part`."""

    rule: str
    kind: Kind
    strength: Strength
    confidence: Confidence
    part: Span | None = None


_DOCKER_CONFIG = frozenset((".dockerconfigjson", ".dockercfg", "config.json"))
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY")
_CERTIFICATE = re.compile(r"-----BEGIN (?:CERTIFICATE|PUBLIC KEY|X509 CRL)")
_STRUCTURED = re.compile(r"://|[\n{]|;\s*\w[\w ]*=")
_SCHEME = re.compile(rb"\s*(?P<scheme>(?i:bearer|basic))[ \t]+(?P<credential>[A-Za-z0-9._~+/\-]{8,4000}={0,2})\s*")
_MOST_LINES = 100
_NUMBER = re.compile(r"[\d.,:]+")


def judge(key: str, place: Place, value: bytes) -> Verdict | None:
    """What the name and the looks of a slot's whole value say; the text rules look inside of it besides."""
    if place == "file":
        return None  # the name of a file, in which credentials are found
    text = value.decode("utf-8", "surrogateescape")
    default = shapes.default_of(text)
    if default is not None:
        inner = judge(key, place, text[default[0] : default[1]].encode("utf-8", "surrogateescape"))
        start = len(text[: default[0]].encode("utf-8", "surrogateescape"))
        size = len(text[default[0] : default[1]].encode("utf-8", "surrogateescape"))
        if inner is None or inner.part is not None:
            return None
        return Verdict("default-of-variable", inner.kind, inner.strength, inner.confidence, Span(start, start + size))
    if _PEM.search(text[:200]):
        return Verdict("private-key", "private-key", "strong", "high")
    if key.lower() in _DOCKER_CONFIG and place in ("secret", "registry"):
        return Verdict("registry-credential", "registry", "strong", "high") if '"auth' in text else None
    if place == "arg" and text.startswith("-"):
        return None  # an option, of which a value may be a part
    said = meaning(key)
    if "\n" in text.strip():
        return _lines(place, said, text)
    if shapes.harmless(text):
        return None
    if place in ("secret", "registry", "volume"):
        return _reserved(key, place, said, text)
    header = _header(value)
    if header is not None:
        return header
    if said is None:
        return None
    if not _believed(said, place, text):
        return None
    certain: Confidence = "high" if said.sure and place in ("env", "arg", "build", "config") else "medium"
    return Verdict("credential-by-name", said.kind, strength(text), certain)


def _header(value: bytes) -> Verdict | None:
    """The credential of a value that is one of an authorization header: `Bearer …`, `Basic …`."""
    match = _SCHEME.fullmatch(value)
    if match is None:
        return None
    part = Span(*match.span("credential"))
    if match["scheme"].lower() == b"bearer":
        random = shapes.looks_random(match["credential"].decode("ascii"))
        return Verdict("bearer-token", "token", "strong", "medium", part) if random else None
    try:
        user, colon, password = b64decode(match["credential"], validate=True).partition(b":")
    except ValueError:
        return None
    return Verdict("basic-auth", "password", "strong", "high", part) if user and colon and password else None


def _lines(place: Place, said: Meaning | None, text: str) -> Verdict | None:
    """A value of several lines: a credential when its name leaves no doubt, else the text rules look for what is in it.

    A configuration file under a name such as `token.yaml` has a place of its own.
    """
    if said is None or place not in ("env", "secret", "build") or _CERTIFICATE.search(text[:200]):
        return None
    if not said.sure and place != "secret":
        return None
    if shapes.is_reference(text) or text.count("\n") > _MOST_LINES:
        return None
    rule = "secret-data" if place == "secret" else "credential-by-name"
    return Verdict(rule, said.kind, strength(text), "medium")


def _believed(said: Meaning, place: Place, text: str) -> bool:
    """Whether the value bears out what its name says."""
    text = text.strip()
    if not said.sure:
        return shapes.looks_random(text)
    if said.kind != "password":
        if _NUMBER.fullmatch(text):
            return False
        # Other places of a manifest name secrets and tokens more often than they hold them.
        if place == "other" and not shapes.looks_random(text):
            return False
        if " " in text:
            once = text.count(" ") == 1 and any(char.isdigit() for char in text)
            return once or (place == "env" and shapes.is_passphrase(text))
    return True


def _reserved(key: str, place: Place, said: Meaning | None, text: str) -> Verdict | None:
    """A place that the platform keeps for secret values: all that is not plainly something else is one."""
    kind: Kind = "registry" if place == "registry" else said.kind if said is not None else "other"
    if said is None:
        if names_identity(key) or (_NUMBER.fullmatch(text.strip()) and len(text.strip()) < 6):
            return None
        if place == "volume" and not shapes.looks_random(text):
            return None  # options of a driver: shares, groups, file systems
        if _CERTIFICATE.search(text[:200]) or _STRUCTURED.search(text):
            return None
    rule = {"registry": "registry-credential", "volume": "storage-key"}.get(place, "secret-data")
    return Verdict(rule, kind, strength(text), "high" if said is not None else "medium")


def is_structured(value: bytes) -> bool:
    """Whether a value is a text with parts (a URL, a connection string, lines): a credential in it is one of them."""
    return _STRUCTURED.search(value[: shapes.LONGEST].decode("utf-8", "replace")) is not None
