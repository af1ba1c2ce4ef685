"""What a vault can hold, and what a name has to be like before it is written to: asked before anything is sent.

The SDK checks none of this, and the service answers some breaches without naming them. Sources: REST reference of set
secret, and the article "About Azure Key Vault secrets".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from rewriters import Plaintext
from secretscan.errors import UsageError, VaultConflict
from secretscan.vault.answers import Place
from secretscan.vault.facts import Absent, Deleted, Disabled, Held, State

__all__ = ["LARGEST_VALUE", "check_labels", "legal_name", "refuse_if_expired", "refuse_unless_free", "unstorable"]

LARGEST_VALUE = 25_600
"""Bytes of UTF-8: 25 KB, and the number is that of the service's own error text."""

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")


def legal_name(name: str) -> bool:
    """Whether the service takes this as a secret's name."""
    return _NAME.fullmatch(name) is not None


def unstorable(value: Plaintext) -> str:
    """Why this value cannot be kept as a secret, or `""`.

    A value that is not text is refused and not stored in another encoding: a reference hands the stored text to the
    workload as it is, which would then get the encoding and not the value. The service takes an empty value, but an
    empty value is no credential.
    """
    data = value.reveal()
    if not data:
        return "it is empty"
    if len(data) > LARGEST_VALUE:
        return f"it is longer than the {LARGEST_VALUE} bytes that a secret can have"
    if b"\0" in data:
        return "it is binary: it has a zero byte in it"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "it is binary: it is not UTF-8 text"
    return ""


def check_labels(place: Place, tags: Mapping[str, str], content_type: str) -> None:
    """Raises `UsageError` for tags or a content type beyond the service's limits."""
    if len(tags) > 15 or any(len(text) > 512 for pair in tags.items() for text in pair) or len(content_type) > 255:
        raise UsageError(
            "too many or too long tags for a secret",
            where=str(place),
            why="a vault takes 15 tags of 512 characters, and 255 characters of content type",
        )


def refuse_unless_free(found: State, place: Place, replace: bool) -> None:
    """Raises `VaultConflict` unless the name may be written to. `replace` allows a new version of what is there."""
    command = f"--vault-name {place.vault_name} --name {place.name}"
    if isinstance(found, Deleted):
        until = f" until {found.purged:%Y-%m-%d}" if found.purged else ""
        raise VaultConflict(
            "a deleted secret still holds this name",
            where=str(place),
            why=f"it can be recovered{until}",
            next_step=f"choose another name, or recover it: az keyvault secret recover {command}",
        )
    if isinstance(found, Held) and found.managed:
        raise VaultConflict(
            "the name belongs to a certificate",
            where=str(place),
            why="Key Vault manages its secret",
            next_step="choose another name",
        )
    if replace or isinstance(found, Absent):
        return
    if isinstance(found, Disabled):
        raise VaultConflict(
            "a disabled secret has this name",
            where=str(place),
            why="its value cannot be compared",
            next_step=f"choose another name, or enable it: az keyvault secret set-attributes {command} --enabled true",
        )
    raise VaultConflict(
        "the vault holds a different value under this name",
        where=str(place),
        why="writing would change what its present users get",
        next_step=f"choose another name, or see whose it is: az keyvault secret list-versions {command}",
    )


def refuse_if_expired(held: Held, place: Place) -> None:
    """Raises `VaultConflict` if the value that could be adopted has expired in the vault."""
    if held.expires is not None and held.expires <= datetime.now(UTC):
        raise VaultConflict(
            "the vault holds the value already, but it has expired there",
            where=str(place),
            why=f"it expired at {held.expires:%Y-%m-%d %H:%M} UTC, which some consumers heed",
            next_step="give it a new date: az keyvault secret set-attributes "
            f"--vault-name {place.vault_name} --name {place.name} --expires DATE",
        )
