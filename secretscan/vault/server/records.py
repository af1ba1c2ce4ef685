"""What the embedded vault keeps and hands out, as facts. Values stand only inside `Plaintext`."""

from __future__ import annotations

from dataclasses import dataclass

from rewriters import Plaintext

Tags = tuple[tuple[str, str], ...]
"""Tags in the order they were given. `None` in their place means that none were ever given, which answers show."""


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """What is fixed for a vault when it is made.

    `retention_days` is 7 to 90. `soft_delete=False` is a vault as it could be made before 2020: a delete is final.
    """

    retention_days: int = 90
    soft_delete: bool = True
    purge_protection: bool = False

    def __post_init__(self) -> None:
        if not 7 <= self.retention_days <= 90:
            raise ValueError("retention_days: the service keeps deleted secrets for 7 to 90 days")

    @property
    def recovery_level(self) -> str:
        """`attributes.recoveryLevel`. "Customized" says that the retention is not the default of 90 days."""
        if not self.soft_delete:
            return "Purgeable"
        kept = "Recoverable" if self.retention_days == 90 else "CustomizedRecoverable"
        return kept if self.purge_protection else kept + "+Purgeable"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Times are whole seconds of Unix time. In a write, `None` means "not sent"."""

    enabled: bool | None = None
    nbf: int | None = None
    exp: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """The body of a set."""

    value: Plaintext
    content_type: str | None = None
    tags: Tags | None = None
    attributes: Attributes = Attributes()


@dataclass(frozen=True, slots=True)
class Update:
    """The body of an update: what is `None` stays as it is; tags replace all tags."""

    content_type: str | None = None
    tags: Tags | None = None
    attributes: Attributes = Attributes()


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a secret. `id` is 32 lower-case hexadecimal digits."""

    id: str
    value: Plaintext
    content_type: str | None
    tags: Tags | None
    enabled: bool
    nbf: int | None
    exp: int | None
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class Held:
    """A version together with the secret it belongs to. `name` has the spelling of the first set."""

    name: str
    version: Version
    managed: bool = False


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted secret: its current version, and when it was deleted and will be purged (Unix seconds)."""

    held: Held
    deleted: int
    scheduled_purge: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `following` is the marker of the next page; `None` on the last."""

    items: tuple[Held, ...] | tuple[Deleted, ...]
    following: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """The whole of one secret, for assertions: every version's value in the order of the sets."""

    name: str
    values: tuple[Plaintext, ...]
    deleted: bool = False
