"""The vaults that this user used last, for offering them again: `vaults.json` in the user's state folder.

It is a comfort and decides nothing: an entry that is damaged, or whose embedded vault has ended, is left out, and a
file that somebody else could have written is not believed at all, since it would offer a vault of theirs.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from secretscan.errors import ConfigurationError, UsageError
from secretscan.inventory.folder import read_plain
from secretscan.inventory.ids import state_folder
from secretscan.vault.auth import AUTHS, Auth, vault_url
from secretscan.vault.choice import VaultChoice

__all__ = ["RecentVault", "recent_vaults", "remember_vault"]

MOST = 10
"""Vaults that are remembered; of one vault, the last way to sign in."""

_MAX_BYTES = 65_536
_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class RecentVault:
    """A vault, how one signed in to it, and when (seconds since 1970)."""

    url: str
    auth: Auth
    descriptor: str
    used: float

    @property
    def choice(self) -> VaultChoice:
        return VaultChoice(self.url, self.auth, self.descriptor)


def recent_vaults() -> tuple[RecentVault, ...]:
    """The last used first; none when nothing is remembered, or cannot be read."""
    try:
        place = _place()
        about = place.lstat()
        if about.st_uid != os.geteuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return ()
        listed = json.loads(read_plain(place, _MAX_BYTES))
    except (OSError, ValueError, RecursionError, ConfigurationError):
        return ()
    if not isinstance(listed, list):
        return ()
    found: dict[str, RecentVault] = {}
    entries = (each for each in map(_entry, listed) if each is not None)
    for each in sorted(entries, key=lambda each: each.used, reverse=True):
        found.setdefault(each.url, each)
    return tuple(found.values())[:MOST]


def remember_vault(url: str, auth: Auth, descriptor: str = "") -> None:
    """Puts a vault first in the list. Without a folder to write to nothing is remembered, and that is no failure.

    Raises `UsageError` for a URL that no vault has."""
    path = os.path.abspath(descriptor) if descriptor else ""  # noqa: PTH100 - the text of the path, links as they are
    new = RecentVault(vault_url(url).url, auth, path, round(time.time(), 3))
    kept = [each for each in recent_vaults() if each.url != new.url]
    text = json.dumps([asdict(each) for each in (new, *kept)][:MOST], indent=1) + "\n"
    with suppress(OSError, ConfigurationError):
        place = _place()
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text)
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)


def _place() -> Path:
    return Path(state_folder()) / "vaults.json"


def _entry(raw: object) -> RecentVault | None:
    """What the file says of one vault, if it is whole and still of use."""
    match raw:
        case {"url": str(text), "auth": str(auth), "descriptor": str(descriptor), "used": int() | float() as used}:
            pass
        case _:
            return None
    way = next((known for known in AUTHS if known == auth), None)
    if way is None or (way == "local") != bool(descriptor) or not 0 <= used < 1e12:  # also false for NaN
        return None
    if descriptor and (not descriptor.isprintable() or len(descriptor) > _LONGEST_PATH or not _is_file(descriptor)):
        return None
    try:
        return RecentVault(vault_url(text).url, way, descriptor, float(used))
    except UsageError:
        return None


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        return False
