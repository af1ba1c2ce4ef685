"""A key vault's secrets, through the unmodified SDK: safe to repeat, paced, and in typed facts.

The service has no conditional write, and each write makes a version: so a write whose answer was lost is looked for
before it is sent again, and the SDK's own repeating is off (`secretscan.vault.sending` does it).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from rewriters import Plaintext, Reference
from secretscan.errors import SecretNotFound, UsageError, VaultConflict, VaultRefused
from secretscan.events import Cancellation, Listener, Noted, silent
from secretscan.vault.answers import Answer, Place, answer, not_a_vault
from secretscan.vault.facts import Absent, Deleted, Disabled, Held, State, Stored, Version
from secretscan.vault.failures import unsure
from secretscan.vault.identity import Identity, Witness
from secretscan.vault.limits import check_labels, legal_name, refuse_if_expired, refuse_unless_free, unstorable
from secretscan.vault.pacing import CLOCK, READS, WRITES, Clock, Rate
from secretscan.vault.sdk import secret_client
from secretscan.vault.sending import Failed, Sender

if TYPE_CHECKING:
    from azure.keyvault.secrets import KeyVaultSecret, SecretProperties

__all__ = ["Vault"]

_PAGES = 40_000
"""Pages of a list that are read: a million names at the service's 25 a page."""

_SKEW = 60.0
"""Seconds that the clocks may differ before it is mentioned."""


class Vault:
    """The secrets of one vault. One instance serves several threads.

    Its methods raise `VaultRefused`, `VaultUnreachable`, `VaultThrottled`, `VaultConflict`, for the sign-in
    `ConfigurationError`, for impossible names and tags `UsageError`, and `Cancelled` while they wait. Made by
    `secretscan.vault.auth.connect`, which checks the URL. `proxy` and `ca_file` are for the embedded vault; without
    them the environment's settings hold, as for every client of the SDK.
    """

    def __init__(
        self,
        url: str,
        credential: Any,
        *,
        auth: str = "default",
        verify_challenge: bool = True,
        proxy: str = "",
        ca_file: str = "",
        use_environment: bool = True,
        writes: Rate = WRITES,
        reads: Rate = READS,
        clock: Clock = CLOCK,
        cancellation: Cancellation | None = None,
        listener: Listener = silent,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.url = url
        self.notes = notes
        self._auth = auth
        self._listener = listener
        self._sender = Sender(writes, reads, clock, cancellation, listener)
        self._witness = Witness(credential)
        self._writing = tuple(threading.Lock() for _ in range(64))
        self._client = secret_client(url, self._witness, verify_challenge, proxy, ca_file, use_environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()
        self._witness.close()

    def __repr__(self) -> str:
        return f"Vault({self.url!r})"

    @property
    def identity(self) -> Identity:
        """Who is signed in; unknown before the first request."""
        return self._witness.identity

    def check(self) -> Identity:
        """Signs in and finds out whether secrets may be read, by asking for one that cannot be there.

        Run before the threads start, so that they need not each sign in. Says so if this machine's clock is off.
        """
        dates: list[str] = []

        def seen(response: Any) -> None:
            dates.append(str(response.http_response.headers.get("Date", "")))

        self._look(f"secretscan-check-{uuid4().hex}", about=self._place(""), raw_response_hook=seen)
        skew = _skew(dates[-1]) if dates else 0.0
        if abs(skew) > _SKEW:
            relation = "behind" if skew > 0 else "ahead of"
            self._listener(
                Noted("store", f"this machine's clock is {abs(skew):.0f} s {relation} the vault's: sign-ins may fail")
            )
        return self.identity

    # reading

    def current(self, name: str) -> State:
        """What the name is in: one request if it holds a secret, two if it does not."""
        held = self._look(name)
        if not isinstance(held, Absent):
            return held
        return self._deleted(name) or held

    def read(self, reference: Reference) -> Plaintext:
        """The value of exactly this reference. Raises `SecretNotFound`, which is a `LookupError`."""
        if reference.vault_url.rstrip("/").lower() != self.url.lower():
            raise UsageError("the reference is of another vault", where=reference.vault_url, why=f"this is {self.url}")
        held = self._look(reference.name, reference.version)
        if isinstance(held, Held):
            return held.value
        where = str(self._place(reference.name))
        if isinstance(held, Disabled):
            raise VaultRefused("the secret is disabled", where=where, next_step="enable it, then run this again")
        what = f"version {reference.version} of the secret" if reference.version else "the secret"
        raise SecretNotFound(f"{what} is not in the vault", where=where)

    def versions(self, name: str) -> tuple[Version, ...]:
        """All versions, oldest first. The service lists them by id, which says nothing of their age."""
        place = self._place(name)
        listed = self._listed(lambda: self._client.list_properties_of_secret_versions(name).by_page(), place)
        found = [Version(self._reference(each, place), each.created_on, each.enabled is not False) for each in listed]
        return tuple(sorted(found, key=lambda each: (each.created or datetime.min.replace(tzinfo=UTC), each.reference)))

    def names(self) -> tuple[str, ...]:
        """The names of all secrets, disabled and certificate-backed ones included, deleted ones not."""
        listed = self._listed(lambda: self._client.list_properties_of_secrets().by_page(), self._place(""))
        return tuple(each.name for each in listed if each.name)

    def deleted_names(self) -> tuple[str, ...]:
        """The names that deleted secrets keep from being used."""
        listed = self._listed(lambda: self._client.list_deleted_secrets().by_page(), self._place(""))
        return tuple(each.name for each in listed if each.name)

    # writing

    def put(
        self,
        name: str,
        value: Plaintext,
        *,
        tags: Mapping[str, str] | None = None,
        content_type: str = "",
        replace: bool = False,
    ) -> Stored:
        """Makes the value the current one of the name, and reads it back. Repeating it changes nothing.

        An equal current value is adopted without a write. A different one is a `VaultConflict`, unless `replace`
        asks for a new version. If the answer to the write is lost, the vault is asked before anything is sent again.
        """
        place = self._place(name)
        check_labels(place, tags or {}, content_type)
        if reason := unstorable(value):
            raise VaultRefused("the vault cannot hold this value", where=str(place), why=reason)
        with self._alone(name):
            before = self._look(name)  # a deleted secret of the name shows in the answer to the write
            if isinstance(before, Held) and before.value == value:
                refuse_if_expired(before, place)
                return Stored(before.reference, "adopted", before.tags)
            refuse_unless_free(before, place, replace)
            return self._written(before, value, place, tags, content_type, replace)

    def recover(self, name: str) -> State:
        """Brings a deleted secret back, with all its versions, and waits until it can be read."""
        from azure.core.exceptions import HttpResponseError

        place = self._place(name)
        sent = 0

        def start() -> object:
            nonlocal sent
            sent += 1
            try:
                return self._client.begin_recover_deleted_secret(name).result()
            except HttpResponseError as error:
                said = answer(error)
                if said.inner == "RequestNotAllowedOnNonDeletedObject" or (sent > 1 and _is_missing(said)):
                    return None  # it is there, or an earlier request, whose answer was lost, has started it
                raise

        self._sender.request(start, place, "recover")
        self._sender.until(lambda: not isinstance(self._look(name), Absent), place, "recovering")
        return self.current(name)

    def delete(self, reference: Reference) -> None:
        """Deletes the secret if `reference` (with its version) is the only version of it, and waits until it is gone.

        The service deletes a name with all its versions; so another version, which we did not make, forbids it.
        Nothing is purged: it can be recovered. To be called only when a person asked for it.
        """
        from azure.core.exceptions import HttpResponseError

        place = self._place(reference.name)
        there = [each.reference.version for each in self.versions(reference.name)]
        if not there:
            return
        if there != [reference.version]:
            raise VaultConflict(
                "the secret is not deleted",
                where=str(place),
                why="it has other versions than the one to be deleted, and deleting takes all of them",
                next_step="look at them: az keyvault secret list-versions "
                f"--vault-name {place.vault_name} --name {reference.name}",
            )

        def start() -> bool:
            """Whether something goes on after the answer: a vault without soft delete has nothing left to do."""
            try:
                return self._client.begin_delete_secret(reference.name).result().recovery_id is not None
            except HttpResponseError as error:
                if _is_missing(answer(error)):
                    return True  # an earlier request, whose answer was lost, has done it
                raise

        if self._sender.request(start, place, "delete"):
            self._sender.until(lambda: not isinstance(self._deleted(reference.name), Absent), place, "deleting")

    # how

    def _place(self, name: str) -> Place:
        if name and not legal_name(name):
            raise UsageError(
                "a secret cannot have this name in a vault",
                where=name,
                why="a name has 1 to 127 letters, digits and hyphens",
            )
        return Place(self.url, self._auth, name)

    def _look(
        self, name: str, version: str = "", about: Place | None = None, **options: Any
    ) -> Held | Disabled | Absent:
        """The current or the named version. `about` is what failures are about, if not the secret."""
        from azure.core.exceptions import HttpResponseError

        place = about or self._place(name)

        def get() -> Held | Disabled | Absent:
            try:
                found = self._client.get_secret(name, version or None, **options)
            except HttpResponseError as error:
                said = answer(error)
                if _is_missing(said):
                    return Absent(name)
                if said.status == 403 and said.inner == "SecretDisabled":
                    return Disabled(name)
                raise
            return self._held(found, place)

        return self._sender.request(get, place, "get")

    def _deleted(self, name: str) -> Deleted | Absent | None:
        """Whether a deleted secret has the name; `None` without the permission to look (a write will answer it)."""
        from azure.core.exceptions import HttpResponseError

        def get() -> Deleted | Absent | None:
            try:
                found = self._client.get_deleted_secret(name)
            except HttpResponseError as error:
                said = answer(error)
                if _is_missing(said):
                    return Absent(name)
                if said.status == 403:
                    return Deleted(name) if said.inner == "SecretDisabled" else None
                raise
            return Deleted(name, found.scheduled_purge_date)

        return self._sender.request(get, self._place(name), "get")

    def _held(self, found: KeyVaultSecret, place: Place) -> Held:
        facts = found.properties
        if not isinstance(found.value, str):
            raise not_a_vault(place)
        return Held(
            reference=self._reference(facts, place),
            value=Plaintext(found.value.encode("utf-8", "surrogatepass")),
            created=facts.created_on,
            expires=facts.expires_on,
            content_type=facts.content_type or "",
            tags=tuple(sorted((facts.tags or {}).items())),
            managed=bool(facts.managed),
        )

    def _reference(self, facts: SecretProperties, place: Place) -> Reference:
        """The reference of an answer, which has to be about what was asked."""
        if not facts.version or (facts.name or "").lower() != place.name.lower():
            raise not_a_vault(place)
        return Reference(self.url, place.name, facts.version)

    def _written(
        self,
        before: State,
        value: Plaintext,
        place: Place,
        tags: Mapping[str, str] | None,
        content_type: str,
        replace: bool,
    ) -> Stored:
        text = value.reveal().decode()
        was = before.version if isinstance(before, Held) else ""

        def write() -> Held:
            done = self._client.set_secret(
                place.name, text, tags=dict(tags) if tags else None, content_type=content_type or None
            )
            return self._held(done, place)

        effort = self._sender.effort(place, "set")
        while isinstance(result := self._sender.once(write, self._sender.writes), Failed):
            self._sender.wait_out(result.error, effort, self._sender.writes)
            if unsure(result.error):
                now = self._look(place.name)
                if isinstance(now, Held) and now.version != was:
                    if now.value == value:
                        return Stored(now.reference, "created", now.tags)
                    was = now.version
                refuse_unless_free(now, place, replace)
        return self._verified(result, value, place)

    def _verified(self, written: Held, value: Plaintext, place: Place) -> Stored:
        """Reads back what was written; it also has to be the current version, which is what workloads will get."""
        for wait in (0.0, 1.0, 2.0, 4.0):
            self._sender.reads.wait(wait)
            now = self._look(place.name)
            if not isinstance(now, Held):
                continue
            if now.version == written.version:
                if now.value == value:
                    return Stored(now.reference, "created", now.tags)
                raise VaultConflict("the vault gave back something else than was written", where=str(place))
            if now.created is None or written.created is None or now.created >= written.created:
                break
        raise VaultConflict(
            "someone else wrote to the secret at the same time",
            where=str(place),
            why=f"version {written.version} was written, but it is not the current one",
            next_step="find out who writes to it, then plan again",
        )

    def _listed(self, start: Callable[[], Iterator[Iterable[Any]]], place: Place) -> list[Any]:
        """All items of all pages. Pages can be empty in the middle; a page that failed is asked for again."""
        pages = start()
        items: list[Any] = []
        for _ in range(_PAGES):
            page = self._sender.request(lambda: next(pages, None), place, "list")
            if page is None:
                return items
            items += page
        raise not_a_vault(place)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Keeps two threads of ours from writing one name at once."""
        with self._writing[hash(name.lower()) % len(self._writing)]:
            yield


def _is_missing(said: Answer) -> bool:
    """Whether the service itself says that there is no such secret, and not something in front of it."""
    return said.status == 404 and said.code == "SecretNotFound"


def _skew(date: str) -> float:
    """Seconds that the other side's clock is ahead of ours, by its `Date` header; 0 if that cannot be read."""
    from email.utils import parsedate_to_datetime

    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
