"""References that vals looks up: `ref+azurekeyvault://VAULT/NAME[/VERSION]`, whole or inside of a longer text.

Sources: vals, `pkg/expansion/expand_match.go` (what is a reference, a `+` ends it) and
`pkg/providers/azurekeyvault/azurekeyvault.go` (a vault by name, or by host name outside of the public cloud).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rewriters._api import Lookup, Reference

__all__ = ["MOST", "expanded", "has_references", "text"]

MOST = 8
"""References in one text: vals gives up at ten."""

_PUBLIC = ".vault.azure.net"
_ANY = re.compile(rb"(?:secret)?ref\+[^+:\s]*://")
_REFERENCE = re.compile(
    rb"(?:secret)?ref\+azurekeyvault://(?P<vault>[A-Za-z0-9.:-]+)/(?P<name>[A-Za-z0-9-]+)(?:/(?P<version>[A-Za-z0-9]+))?/?"
    rb"(?:\+|(?=[\n \",]|\Z))"
)


def text(reference: Reference, *, inside: bool, like: bytes) -> str:
    """The reference, `inside` of a longer text or alone, in the spelling that the file `like` this one has."""
    host = reference.vault_url.split("://", 1)[-1].split("/", 1)[0]
    vault = host.removesuffix(_PUBLIC) if host.count(".") == _PUBLIC.count(".") else host
    kind = "secretref" if b"secretref+" in like and not re.search(rb"(?<!secret)ref\+", like) else "ref"
    version = f"/{reference.version}" if reference.version else ""
    return f"{kind}+azurekeyvault://{vault}/{reference.name}{version}" + "+" * inside


def has_references(data: bytes) -> bool:
    return _ANY.search(data) is not None


def expanded(value: bytes, lookup: Lookup) -> bytes:
    """A text with its references to Key Vaults looked up; those to other places stand as they are."""
    if b"ref+azurekeyvault://" not in value:
        return value
    return _REFERENCE.sub(_put(lookup), value)


def _put(lookup: Lookup) -> Callable[[re.Match[bytes]], bytes]:
    def put(match: re.Match[bytes]) -> bytes:
        vault = match["vault"].decode()
        url = f"https://{vault}" + ("" if "." in vault else _PUBLIC)
        return lookup(Reference(url, match["name"].decode(), (match["version"] or b"").decode())).reveal()

    return put
