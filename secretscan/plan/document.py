"""The plan as a document: everything that will happen, reviewable, and without a value in it.

A plan holds where each value stands (bytes and encoding), never the value: carrying it out reads the value from the
file, and undoing reads it from the vault. Pieces of a file's text that an edit removes are kept as text with holes
where values were.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from hashlib import sha256
from hmac import compare_digest
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from rewriters import Reference, Span
from secretscan.errors import UsageError

if TYPE_CHECKING:
    from secretscan.inventory.ids import Ids

__all__ = [
    "Left",
    "Mismatch",
    "Move",
    "Piece",
    "Plan",
    "PlannedCompanion",
    "PlannedEdit",
    "PlannedFile",
    "PlannedSecret",
    "from_json",
]

FORMAT = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value can be read before anything is changed."""

    path: str
    start: int
    end: int
    encoding: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedSecret:
    """A value and its place in the vault. `adopt` means that the vault holds the equal value already, as `version`.

    `whole_text` says that this is the whole text around one or more credentials (a URL with its password), stored as
    one since the platform cannot put a reference inside of a text there.
    """

    id: str
    name: str
    kind: str
    strength: str
    action: Literal["create", "adopt"]
    version: str
    whole_text: bool
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file's text before the edit: either `text`, or the secret `secret` written in `encoding`.

    Of a secret `text` holds only the line breaks: who shows the file without the value keeps its lines.
    """

    text: str
    secret: str = ""
    encoding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedEdit:
    """Bytes `start` to `end` of the file, which are `before`, become `replacement`."""

    start: int
    end: int
    before: tuple[Piece, ...]
    replacement: str

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that is rewritten; `before` and `after` are keyed digests of all its bytes."""

    path: str
    before: str
    after: str
    edits: tuple[PlannedEdit, ...]


@dataclass(frozen=True, slots=True)
class PlannedCompanion:
    """A file made by us, without a value in it. `was` is its text when it exists already and is extended."""

    path: str
    content: str
    note: str
    was: str | None
    executable: bool


@dataclass(frozen=True, slots=True)
class Move:
    """One place that becomes a reference. `covers` names the found secrets in it when a whole text moves."""

    path: str
    pointer: str
    line: int
    key: str
    platform: str
    secret: str
    covers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """One place that stays as it is: why, and the nearest honest alternative. `mark` says that somebody wants it to: as
    what it is marked in the ignore file, or that its values go to another vault than the plan's."""

    path: str
    pointer: str
    line: int
    key: str
    platform: str
    secret: str
    strength: str
    reason: str
    alternative: str
    mark: Literal["", "false-alarm", "accepted", "placeholder", "other-vault"] = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do. `root` is absolute or relative to the plan's own folder; `key` tells under which key the ids
    were made."""

    format: int
    made: str
    root: str
    vault_url: str
    key: str
    secrets: tuple[PlannedSecret, ...]
    files: tuple[PlannedFile, ...]
    companions: tuple[PlannedCompanion, ...]
    moves: tuple[Move, ...]
    left: tuple[Left, ...]
    notes: tuple[str, ...]
    provided: tuple[str, ...]
    """`path#NAME` of image variables that deployments now set: the image no longer does."""
    pinned: bool
    """Whether references name versions. Where a secret has none yet, a stand-in is in its place (`Ids.stand_in`)."""
    seal: str = ""
    """Under the key of who planned, over all the rest: a plan that somebody changed is not carried out."""

    def sealed(self, ids: Ids) -> Plan:
        """The plan with its seal."""
        return replace(self, seal=self._seal(ids))

    def genuine(self, ids: Ids) -> bool:
        """Whether the plan is as it was made under this key."""
        return compare_digest(self.seal, self._seal(ids))

    def _seal(self, ids: Ids) -> str:
        return ids.seal(replace(self, seal="").to_text().encode("ascii"))

    def reference(self, secret: PlannedSecret, version: str = "") -> Reference:
        return Reference(self.vault_url, secret.name, version)

    def to_text(self) -> str:
        """The document, ending in a line break. Bytes of files that are not UTF-8 stand as lone surrogates, escaped."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def digest(self) -> str:
        """Identifies the plan among the runs of a root."""
        return sha256(self.to_text().encode("utf-8")).hexdigest()

    @staticmethod
    def from_text(text: str, where: str) -> Plan:
        """Reads a document. Raises `UsageError` naming the field that is wrong."""
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError):
            raise UsageError("this is not a plan", where=where, why="it is not JSON", next_step=_AGAIN) from None
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise UsageError("this is not a plan of this version", where=where, next_step=_AGAIN)
        try:
            return from_json(Plan, raw, "plan")
        except Mismatch as error:
            raise UsageError("this plan is damaged", where=where, why=str(error), next_step=_AGAIN) from None


_AGAIN = "make it with: secretscan plan --vault URL --output FILE"


class Mismatch(Exception):
    """A field of a document has not the type it must have."""


_T = TypeVar("_T")


def from_json(kind: type[_T], raw: object, where: str) -> _T:
    """A dataclass from decoded JSON, every field present and of its type; nothing unknown is let through.
    Raises `Mismatch`."""
    if not isinstance(raw, dict):
        raise Mismatch(f"{where} is not an object")
    assert is_dataclass(kind)  # noqa: S101 - tells the type checker; callers pass dataclasses only
    hints = get_type_hints(kind)
    known = [item.name for item in fields(kind)]
    if set(raw) != set(known):
        raise Mismatch(f"{where} has not the fields it must have")
    return kind(**{name: _value(hints[name], raw[name], f"{where}.{name}") for name in known})


def _value(hint: Any, raw: object, where: str) -> Any:
    origin = get_origin(hint)
    if origin is tuple:
        if not isinstance(raw, list):
            raise Mismatch(f"{where} is not a list")
        kinds = get_args(hint)
        if kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(raw)
        if len(kinds) != len(raw):
            raise Mismatch(f"{where} has not the length it must have")
        return tuple(
            _value(kind, item, f"{where}[{at}]") for at, (kind, item) in enumerate(zip(kinds, raw, strict=True))
        )
    if origin is Literal:
        if raw not in get_args(hint):
            raise Mismatch(f"{where} is none of the allowed words")
        return raw
    if origin is UnionType:
        return None if raw is None else _value(get_args(hint)[0], raw, where)
    if is_dataclass(hint):
        return from_json(hint, raw, where)  # type: ignore[arg-type]
    if type(raw) is not hint:
        raise Mismatch(f"{where} is not of the right type")
    return raw
