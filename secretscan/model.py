"""The facts that travel from room to room: where something was found, and what was found there.

Words are those of `docs/design.md`. Everything is frozen; a value stands only inside `Plaintext`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rewriters import Plaintext, Slot, Span

Strength = Literal["strong", "weak", "placeholder"]
"""`strong`; `weak`: a real but guessable credential (`postgres`); `placeholder`: `changeme` and its kind, which is
still a finding where the file is deployed as it stands."""

Confidence = Literal["high", "medium", "low"]

Kind = Literal["password", "token", "api-key", "private-key", "connection-string", "registry", "certificate", "other"]

State = Literal["live", "deleted", "overwritten", "config", "history", "attestation"]


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a source. Lines and columns count from 1, columns in bytes; `end_column` is the first one after.

    `pointer`, `key` and `platform` are empty outside of slots. `span` is in bytes of the file as it stands.
    """

    source: str
    path: str
    span: Span
    line: int
    column: int
    end_line: int
    end_column: int
    pointer: str = ""
    key: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What detection says of some bytes.

    `value` is the credential itself, decoded through `encoding` (from the file inwards, syntax layers left out).
    `slot` is the manifest place that holds it, if a platform claims the file, and `part` the credential's bytes within
    the slot's decoded value when it is not all of it. `references` are the kinds of reference that can stand here;
    when there are none, `reason` says why.
    """

    rule: str
    kind: Kind
    strength: Strength
    confidence: Confidence
    location: Location
    value: Plaintext
    encoding: tuple[str, ...] = ()
    state: State = "live"
    references: tuple[str, ...] = ()
    reason: str = ""
    slot: Slot | None = field(default=None, repr=False)
    part: Span | None = None


@dataclass(frozen=True, slots=True)
class Unscanned:
    """Something that was not scanned, or not as its format asks: what and why. Never silently left out.

    `partial` says that text rules did run over it, and only the manifest's structure could not be read.
    """

    path: str
    reason: str
    line: int = 0
    partial: bool = False


SightingState = Literal["present", "migrated", "gone"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place of one secret as a list shows it: a finding, or a place that the inventory remembers, without value.

    `secret`, `source`, `path`, `pointer` and `ordinal` say which place it is, in every scan anew; texts are as the
    inventory holds them. `kind` and `strength` are those of the finding, or of the secret. `reason` says why no
    reference can stand here, and is empty where one can. `name` is the secret's in the vault, empty until it is there.
    """

    secret: str
    rule: str
    kind: str
    strength: str
    source: str
    path: str
    pointer: str
    key: str
    platform: str
    encoding: tuple[str, ...]
    line: int
    column: int
    ordinal: int
    state: SightingState = "present"
    reason: str = ""
    name: str = ""
