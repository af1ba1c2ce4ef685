"""One vault's secrets and what may happen to them.

A secret is live, being deleted, deleted, being recovered or being purged. The three that last only for a while end by
the stopwatch, so that nothing runs in the background. Names are compared without case, as the service's own markers
show in recordings, and keep the spelling of the first set.
"""

from __future__ import annotations

import re
import threading
import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from . import errors
from .faults import Delays
from .records import Deleted, Held, Page, Stored, Update, VaultSettings, Version, Write

Clock = Callable[[], float]
"""Seconds: of Unix time where times are written down, of any steady count where durations are measured."""

VersionId = Callable[[], str]
"""Makes the id of a new version: 32 lower-case hexadecimal digits, never the same twice."""

_NAME: Final = re.compile(r"[0-9A-Za-z-]{1,127}")
_DAY: Final = 86_400


def random_version_id() -> str:
    """A version id as the service makes it."""
    return uuid.uuid4().hex


class _Phase(Enum):
    LIVE = auto()
    DELETING = auto()
    DELETED = auto()
    RECOVERING = auto()
    PURGING = auto()
    GONE = auto()


@dataclass(slots=True)
class _Secret:
    name: str
    managed: bool = False
    versions: dict[str, Version] = field(default_factory=dict)
    """In the order of the sets: the last one is current."""
    # Times of Unix: deleted_at, scheduled_purge. Of the stopwatch: those with _from.
    live_from: float = float("-inf")
    deleted_at: int | None = None
    deleted_from: float = 0.0
    scheduled_purge: int = 0
    gone_from: float | None = None

    @property
    def current(self) -> Version:
        return next(reversed(self.versions.values()))

    def phase(self, now: float, ticks: float) -> _Phase:
        if self.gone_from is not None:
            return _Phase.GONE if ticks >= self.gone_from else _Phase.PURGING
        if self.deleted_at is None:
            return _Phase.LIVE if ticks >= self.live_from else _Phase.RECOVERING
        if now >= self.scheduled_purge:
            return _Phase.GONE
        return _Phase.DELETED if ticks >= self.deleted_from else _Phase.DELETING


class Vault:
    """A vault in memory. Every method is one step for all threads and raises `ServiceError` where the service would."""

    def __init__(
        self,
        name: str,
        settings: VaultSettings,
        delays: Delays,
        *,
        clock: Clock,
        stopwatch: Clock,
        version_id: VersionId,
    ) -> None:
        self.name = name
        self.settings = settings
        self._delays = delays
        self._clock = clock
        self._stopwatch = stopwatch
        self._version_id = version_id
        self._secrets: dict[str, _Secret] = {}
        self._lock = threading.Lock()

    # --- live secrets -------------------------------------------------------------------------------------------

    def set(self, name: str, write: Write) -> Held:
        """Make a new version, which is current from then on."""
        with self._lock:
            now = self._clock()
            secret, phase = self._find(name, now)
            if phase is _Phase.DELETING or phase is _Phase.PURGING:
                raise errors.being_deleted_no_set(name)
            if phase is _Phase.DELETED:
                raise errors.deleted_but_recoverable(name)
            if phase is _Phase.RECOVERING:
                raise errors.being_recovered(name)
            if secret is None:
                secret = self._secrets[name.upper()] = _Secret(name)
            elif secret.managed:
                raise errors.secret_managed("set")
            return self._add(secret, write, int(now))

    def plant(self, name: str, write: Write) -> Held:
        """Put a version of a certificate's secret there, which only the service itself can do."""
        with self._lock:
            now = self._clock()
            secret, _ = self._find(name, now)
            if secret is None:
                secret = self._secrets[name.upper()] = _Secret(name)
            secret.managed = True
            return self._add(secret, write, int(now))

    def get(self, name: str, version: str = "") -> Held:
        """The version, or the current one. A disabled one cannot be read."""
        with self._lock:
            secret = self._live(name, self._clock())
            found = self._version(secret, version)
            if not found.enabled:
                raise errors.secret_disabled()
            return Held(secret.name, found, secret.managed)

    def update(self, name: str, version: str, update: Update) -> Held:
        """Change what is not the value, of the version or of the current one."""
        with self._lock:
            now = self._clock()
            secret = self._live(name, now)
            found = self._version(secret, version)
            sent = update.attributes
            changed = replace(
                found,
                content_type=found.content_type if update.content_type is None else update.content_type,
                tags=found.tags if update.tags is None else update.tags,
                enabled=found.enabled if sent.enabled is None else sent.enabled,
                nbf=found.nbf if sent.nbf is None else sent.nbf,
                exp=found.exp if sent.exp is None else sent.exp,
                updated=int(now),
            )
            secret.versions[found.id] = changed
            return Held(secret.name, changed, secret.managed)

    def list(self, marker: str, limit: int) -> Page:
        """Current versions, by name without case. Disabled ones are among them."""
        with self._lock:
            keys, following = _cut(sorted(self._in(_Phase.LIVE)), marker, limit)
            found = (self._secrets[key] for key in keys)
            return Page(tuple(Held(one.name, one.current, one.managed) for one in found), following)

    def list_versions(self, name: str, marker: str, limit: int) -> Page:
        """Versions by their id, not by time. None for a secret that is not there."""
        self._check(name)
        with self._lock:
            secret, phase = self._find(name, self._clock())
            if secret is None or phase is not _Phase.LIVE:
                return Page((), None)
            ids, following = _cut(sorted(secret.versions), marker, limit)
            return Page(tuple(Held(secret.name, secret.versions[one], secret.managed) for one in ids), following)

    # --- deletion -----------------------------------------------------------------------------------------------

    def delete(self, name: str) -> Deleted | Held:
        """Delete with all versions. Without soft delete it is gone at once, and what was there comes back."""
        with self._lock:
            now = self._clock()
            secret, phase = self._find(name, now)
            if phase is _Phase.RECOVERING:
                raise errors.being_recovered(name)
            if secret is None or phase is not _Phase.LIVE:
                raise errors.secret_not_found(name)
            if secret.managed:
                raise errors.secret_managed("delete")
            if not self.settings.soft_delete:
                return Held(self._secrets.pop(name.upper()).name, secret.current)
            secret.deleted_at = int(now)
            secret.deleted_from = self._stopwatch() + self._delays.delete
            secret.scheduled_purge = int(now) + self.settings.retention_days * _DAY
            return _deleted(secret)

    def get_deleted(self, name: str) -> Deleted:
        """A deleted secret, without its value; that of a disabled one cannot be read either (recorded)."""
        with self._lock:
            secret, phase = self._find(name, self._clock())
            if phase is _Phase.PURGING:
                raise errors.secret_not_found(name)
            if secret is None or phase is not _Phase.DELETED:
                raise errors.deleted_secret_not_found(name)
            if not secret.current.enabled:
                raise errors.secret_disabled()
            return _deleted(secret)

    def list_deleted(self, marker: str, limit: int) -> Page:
        """Deleted secrets, by name without case."""
        with self._lock:
            keys, following = _cut(sorted(self._in(_Phase.DELETED)), marker, limit)
            return Page(tuple(_deleted(self._secrets[key]) for key in keys), following)

    def recover(self, name: str) -> Held:
        """Bring a deleted secret back with all versions, their ids and their times."""
        with self._lock:
            now = self._clock()
            secret, phase = self._find(name, now)
            if phase is _Phase.LIVE or phase is _Phase.RECOVERING:
                raise errors.not_deleted(name)
            if phase is _Phase.DELETING:
                raise errors.being_deleted_no_recover(name)
            if secret is None or phase is not _Phase.DELETED:
                raise errors.secret_not_found(name)
            secret.deleted_at = None
            secret.live_from = self._stopwatch() + self._delays.recover
            return Held(secret.name, secret.current, secret.managed)

    def purge(self, name: str) -> None:
        """Delete for good what was deleted before."""
        with self._lock:
            now = self._clock()
            secret, phase = self._find(name, now)
            if phase is _Phase.DELETING:
                raise errors.being_deleted_no_purge()
            if secret is None or phase is not _Phase.DELETED:
                raise errors.deleted_secret_not_found(name)
            if self.settings.purge_protection:
                raise errors.purge_protected(self.name)
            secret.gone_from = self._stopwatch() + self._delays.purge

    def stored(self) -> tuple[Stored, ...]:
        """Everything that is kept, by name: for assertions of tests, not part of the service."""
        with self._lock:
            now, ticks = self._clock(), self._stopwatch()
            phases = [(one, one.phase(now, ticks)) for _, one in sorted(self._secrets.items())]
            return tuple(
                Stored(one.name, tuple(each.value for each in one.versions.values()), phase not in _LIVING)
                for one, phase in phases
                if phase not in (_Phase.GONE, _Phase.PURGING)
            )

    # --- within the lock ----------------------------------------------------------------------------------------

    @staticmethod
    def _check(name: str) -> None:
        if not _NAME.fullmatch(name):
            raise errors.invalid_name(name)

    def _find(self, name: str, now: float) -> tuple[_Secret | None, _Phase]:
        self._check(name)
        secret = self._secrets.get(name.upper())
        if secret is None:
            return None, _Phase.GONE
        phase = secret.phase(now, self._stopwatch())
        if phase is _Phase.GONE:
            del self._secrets[name.upper()]
            return None, phase
        return secret, phase

    def _live(self, name: str, now: float) -> _Secret:
        secret, phase = self._find(name, now)
        if secret is None or phase is not _Phase.LIVE:
            raise errors.secret_not_found(name)
        return secret

    @staticmethod
    def _version(secret: _Secret, version: str) -> Version:
        if not version:
            return secret.current
        found = secret.versions.get(version.lower())
        if found is None:
            raise errors.secret_not_found(f"{secret.name}/{version}")
        return found

    def _add(self, secret: _Secret, write: Write, now: int) -> Held:
        sent = write.attributes
        version = Version(
            id=self._version_id(),
            value=write.value,
            content_type=write.content_type,
            tags=write.tags,
            enabled=sent.enabled is not False,
            nbf=sent.nbf,
            exp=sent.exp,
            created=now,
            updated=now,
        )
        secret.versions[version.id] = version
        return Held(secret.name, version, secret.managed)

    def _in(self, phase: _Phase) -> Iterable[str]:
        now, ticks = self._clock(), self._stopwatch()
        return (key for key, secret in self._secrets.items() if secret.phase(now, ticks) is phase)


_LIVING: Final = (_Phase.LIVE, _Phase.RECOVERING)


def _deleted(secret: _Secret) -> Deleted:
    return Deleted(Held(secret.name, secret.current, secret.managed), secret.deleted_at or 0, secret.scheduled_purge)


def _cut(keys: list[str], marker: str, limit: int) -> tuple[list[str], str | None]:
    """The keys of one page that begins at `marker` (or after it, if it is gone), and the marker of the next."""
    start = bisect_left(keys, marker)
    end = start + limit
    return keys[start:end], keys[end] if end < len(keys) else None
