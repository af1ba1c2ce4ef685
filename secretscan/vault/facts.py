"""What a vault says of a secret, as types: every state that a name can be in is one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from rewriters import Plaintext, Reference

__all__ = ["Absent", "Deleted", "Disabled", "Held", "State", "Stored", "Version"]


@dataclass(frozen=True, slots=True)
class Held:
    """The name has a current version, and this is it. `created` and `expires` are the service's times (UTC)."""

    reference: Reference
    value: Plaintext
    created: datetime | None = None
    expires: datetime | None = None
    content_type: str = ""
    tags: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    managed: bool = False
    """It backs a certificate: Key Vault writes it, and nobody else may."""

    @property
    def version(self) -> str:
        return self.reference.version


@dataclass(frozen=True, slots=True)
class Absent:
    """The name is free."""

    name: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """The name is taken by a deleted secret that can be recovered until `purged`."""

    name: str
    purged: datetime | None = None


@dataclass(frozen=True, slots=True)
class Disabled:
    """The current version is disabled: its value cannot be read, not even for a comparison."""

    name: str


State = Held | Absent | Deleted | Disabled


@dataclass(frozen=True, slots=True)
class Stored:
    """The vault holds the value as `reference`, version included, and it was read back and is equal.

    `created`: this call made the version. `adopted`: the current version held the equal value already.
    """

    reference: Reference
    outcome: Literal["created", "adopted"]
    tags: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def version(self) -> str:
        return self.reference.version


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a secret, without its value."""

    reference: Reference
    created: datetime | None
    enabled: bool
