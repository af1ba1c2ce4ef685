"""How far a person came with a migration, kept in the root so that closing the terminal loses nothing.

`.secretscan/review.json` holds no value. A checkout may bring one, and it would name a vault: so it is sealed with the
user's key and bound to its root, and nothing in it is so much as parsed before the seal was found to fit.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hmac import compare_digest
from pathlib import Path

from rewriters import Settings
from secretscan.errors import InventoryBroken, UsageError
from secretscan.inventory.folder import NAME, folder_of, read_plain
from secretscan.inventory.ids import Ids
from secretscan.plan.choices import EMPTY, Choices
from secretscan.plan.document import Mismatch, Plan, from_json
from secretscan.vault.auth import Auth

__all__ = ["Saved", "forget", "load", "save"]

FILE = "review.json"
FORMAT = 2
MAX_BYTES = 256 * 1024 * 1024

_SEAL = b'{"seal": "'
_BODY = b'",\n"review": '
_DIGITS = 64
_FRESH = "begin the migration afresh: the file is replaced when it is saved again"


@dataclass(frozen=True, slots=True)
class Saved:
    """What was chosen so far, step by step; an empty `vault_url` says that no vault was. `descriptor` is the path of an
    embedded vault's descriptor. `plan` is the one that was last looked at."""

    vault_url: str = ""
    auth: Auth = "default"
    descriptor: str = ""
    prefix: str = ""
    placeholders: bool = False
    settings: Settings = field(default_factory=Settings)
    choices: Choices = EMPTY
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class _Document:
    """What the seal is over. The root is part of it: it is no other folder's state."""

    format: int
    root: str
    saved: Saved


def save(root: Path, saved: Saved, ids: Ids) -> None:
    """Keeps the state, in one step, readable by its owner only. Raises `InventoryBroken` when that cannot be done."""
    body = json.dumps(asdict(_Document(FORMAT, str(root.resolve()), saved))).encode("ascii") + b"}\n"
    data = _SEAL + _seal(body, ids) + _BODY + body
    draft: Path | None = None
    try:
        folder = folder_of(root)
        draft = folder / f".{FILE}.{secrets.token_hex(4)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        draft.replace(folder / FILE)
    except OSError as error:
        if draft is not None:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        raise _broken("the state of the migration cannot be kept", root, error) from None


def load(root: Path, ids: Ids) -> Saved | None:
    """The state as it was saved, or `None` without one. Raises `UsageError` for a file that this user did not save in
    this root, or that was changed since."""
    place = root / NAME / FILE

    def wrong(what: str, why: str) -> UsageError:
        return UsageError(what, where=str(place), why=why, next_step=_FRESH)

    try:
        if not _own_folder(root):
            return None
        data = read_plain(place, MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise wrong("the state of the migration cannot be read", _why(error)) from None
    start = len(_SEAL)
    seal, body = data[start : start + _DIGITS], data[start + _DIGITS + len(_BODY) :]
    if data != _SEAL + seal + _BODY + body or not compare_digest(seal, _seal(body, ids)):
        raise wrong(
            "the state of a migration is not used", "its seal does not fit: it was not saved by you, or changed"
        )
    try:
        found = from_json(_Document, json.loads(body[: -len(b"}\n")]), "review")
    except Mismatch as error:
        raise wrong("the state of a migration is not of this version", str(error)) from None
    if found.format != FORMAT:
        raise wrong("the state of a migration is not of this version", "another version of secretscan saved it")
    if found.root != str(root.resolve()):
        raise wrong("the state of a migration is not used", "it was saved for another folder")
    return found.saved


def forget(root: Path) -> None:
    """Removes the state, if there is one. Raises `InventoryBroken` when that cannot be done."""
    try:
        if _own_folder(root):
            (root / NAME / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise _broken("the state of the migration cannot be removed", root, error) from None


def _seal(body: bytes, ids: Ids) -> bytes:
    return ids.seal(b"review\n" + body).encode("ascii")


def _own_folder(root: Path) -> bool:
    """Whether the folder is there, and one that nothing leads out of. Raises `OSError` for anything else."""
    try:
        mode = (root / NAME).lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        raise OSError(0, f"{NAME} is {'a link' if stat.S_ISLNK(mode) else 'no folder'}")
    return True


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _broken(what: str, root: Path, error: OSError) -> InventoryBroken:
    next_step = "make the folder writable; all else works without it"
    return InventoryBroken(what, where=str(root / NAME / FILE), why=_why(error), next_step=next_step)
