"""What stands in the way of a plan, found out before anything is written: in the vault, in the files, in the root.

Asks what `apply` will ask, with the same functions, but does not stop at the first no. One thing cannot be asked: the
service has no way to try a write, so whether this sign-in may store secrets shows with the first one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from secretscan.errors import (
    Cancelled,
    ChangedSince,
    SecretscanError,
    VaultRefused,
    VaultThrottled,
    VaultUnreachable,
    printable,
)
from secretscan.events import Cancellation, Listener, Progress
from secretscan.inventory.ids import Ids
from secretscan.inventory.store import Inventory
from secretscan.plan.document import Plan, PlannedSecret
from secretscan.plan.pins import NO_PINS
from secretscan.run import files
from secretscan.run.apply import check_companion, check_file, value_gone, value_of
from secretscan.run.folder import check_keepable, latest, pins
from secretscan.run.prove import missing
from secretscan.vault.answers import Place
from secretscan.vault.facts import Held
from secretscan.vault.identity import Identity
from secretscan.vault.limits import refuse_if_expired, refuse_unless_free, unstorable

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["Check", "CheckKind", "CheckState", "preflight"]

CheckKind = Literal["sign-in", "names", "write", "files", "companions", "folder"]
CheckState = Literal["ok", "note", "stop"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `stop`: the plan cannot be carried out like this. `note`: it can, and a person
    should know. What is all right is one check of its kind, each trouble is a check of its own.

    `what` is the subject: the vault's URL, a name, a path. Texts are safe to show.
    """

    kind: CheckKind
    what: str
    state: CheckState
    detail: str
    next_step: str = ""


def preflight(
    plan: Plan, vault: Vault, root: Path, ids: Ids, listener: Listener, cancellation: Cancellation
) -> tuple[Check, ...]:
    """Looks at everything that `apply` needs. Changes no file and writes nothing to the vault; the root gets its
    `.secretscan` folder if it has none. Raises `Cancelled`."""
    look = _Look(plan, vault, root, ids, listener, cancellation)
    here = (*look.files(), *look.companions(), *look.folder())
    checks = (*look.vault(), *here)
    look.step("")
    return checks


class _Look:
    """One look at everything. `settled` and `stored` tell of the run of this plan that there is already."""

    def __init__(
        self, plan: Plan, vault: Vault, root: Path, ids: Ids, listener: Listener, cancellation: Cancellation
    ) -> None:
        self._plan, self._vault, self._root, self._ids = plan, vault, root, ids
        self._listener, self._cancellation = listener, cancellation
        self._total = len(plan.files) + len(plan.companions) + len(plan.secrets)
        self._done = 0
        self._stopped: set[str] = set()
        self._pending = False
        self._settled = False
        self._stored: frozenset[str] = frozenset()
        self._read = cache(lambda path: files.read(root, path))
        self._pinned = NO_PINS
        with suppress(SecretscanError):  # said when the folder is looked at
            if run := latest(root, plan):
                self._pinned = pins(run, run.entries(), ids)

    def step(self, subject: str) -> None:
        self._cancellation.check()
        self._listener(Progress("preflight", self._done, self._total, printable(subject)))
        self._done += 1

    # the files and the root

    def files(self) -> Iterator[Check]:
        planned = rewritten = 0
        for file in self._plan.files:
            self.step(file.path)
            try:
                ready = check_file(self._root, file, self._ids, self._pinned)
            except SecretscanError as error:
                self._pending = True
                self._stopped.add(file.path)
                yield _stop("files", file.path, error)
                continue
            rewritten += ready.rewritten
            planned += not ready.rewritten
            if ready.linked:
                detail = "it has other names (hard links), which keep the plaintext"
                yield _check("files", file.path, "note", detail, "delete the other names after the run")
        self._pending = self._pending or bool(planned)
        if planned:
            yield _check("files", "files", "ok", f"{_many(planned, 'file')} as planned on, and can be written")
        if rewritten:
            yield _check("files", "files", "ok", f"{_many(rewritten, 'file')} rewritten already")

    def companions(self) -> Iterator[Check]:
        fine = 0
        for companion in self._plan.companions:
            self.step(companion.path)
            try:
                check_companion(self._root, companion, self._pinned)
                fine += 1
            except SecretscanError as error:
                yield _stop("companions", companion.path, error)
        if fine:
            yield _check("companions", "companions", "ok", f"nothing is in the way of {_many(fine, 'new file')}")

    def folder(self) -> Iterator[Check]:
        try:
            check_keepable(self._root)
            with Inventory(self._root, self._ids.fingerprint()):
                pass
            run = latest(self._root, self._plan)
            entries = run.entries() if run else []
        except SecretscanError as error:
            yield _stop("folder", str(self._root), error)
            return
        if run is None:
            yield _check("folder", str(self._root), "ok", "a run can be kept here, and nobody else works on it")
            return
        self._settled = not self._pending
        self._stored = frozenset(entry.subject for entry in entries if entry.step == "stored")
        detail = "has carried the plan out already: it is only proved again" if self._settled else "goes on"
        yield _check("folder", str(self._root), "note", f"run {run.id} {detail}")

    # the vault

    def vault(self) -> Iterator[Check]:
        url = self._vault.url
        for note in self._vault.notes:
            yield _check("sign-in", url, "note", note)
        if url.lower() != self._plan.vault_url.rstrip("/").lower():
            detail = f"the plan is for another vault, {self._plan.vault_url}"
            yield _check("sign-in", url, "stop", detail, "choose that vault, or plan again")
            return
        try:
            who = self._vault.check()
        except Cancelled:
            raise
        except SecretscanError as error:
            yield _stop("sign-in", url, error)
            yield _check("names", "names", "note", "not looked at: the vault cannot be read")
            return
        signed = f"signed in as {who}" if who != Identity() else "signed in"
        yield _check("sign-in", url, "ok", f"{signed}; secrets can be read")
        if self._settled:
            # References stand in all files: what the names hold by now is a rotation, and no trouble of this plan.
            yield _check("names", "names", "ok", "all values are stored, and no file is left to rewrite")
            return
        yield from self._names()

    def _names(self) -> Iterator[Check]:
        taken, listing = self._listed()
        yield listing
        if listing.state == "stop":
            return
        free = held = 0
        for secret in self._plan.secrets:
            self.step(secret.name)
            try:
                holds = (taken is None or secret.name.lower() in taken) and self._holds(secret)
                if not holds:
                    self._check_value(secret)
            except Cancelled:
                raise
            except ChangedSince as error:
                if not self._stopped.intersection(origin.path for origin in secret.origins):
                    yield _stop("files", error.where, error)
                continue
            except SecretscanError as error:
                yield _stop("names", secret.name, error)
                if isinstance(error, VaultUnreachable | VaultThrottled):
                    yield _check("names", "names", "note", "the names after this one were not looked at")
                    return
                continue
            free += not holds
            held += holds
            if not holds and secret.action == "adopt":
                detail = "the vault held the value when this was planned, and does not any more: it is stored again"
                yield _check("names", secret.name, "note", detail)
        if free:
            yield _check("names", "names", "ok", f"{_many(free, 'name')} free, and the files hold what goes there")
        if held:
            yield _check("names", "names", "ok", f"{_many(held, 'name')} with the equal value already: adopted")
        yield self._writing(len(self._plan.secrets) - held)

    def _listed(self) -> tuple[frozenset[str] | None, Check]:
        """All names that are taken, deleted ones included, so that a free one need not be asked for by itself; `None`
        without the right to list."""
        url = self._vault.url
        try:
            there, deleted = self._vault.names(), self._vault.deleted_names()
        except VaultRefused as error:
            detail = f"{error.what}: that a deleted secret holds a name may show only with the first write to it"
            return None, _check("sign-in", url, "note", detail, error.next_step)
        except Cancelled:
            raise
        except SecretscanError as error:
            return None, _stop("sign-in", url, error)
        detail = f"{_many(len(there), 'name')} in the vault, {len(deleted)} more held by deleted secrets"
        return frozenset(name.lower() for name in (*there, *deleted)), _check("sign-in", url, "ok", detail)

    def _holds(self, secret: PlannedSecret) -> bool:
        """Whether the vault holds the equal value; raises what a write would meet. Decided as `Vault.put` decides."""
        found = self._vault.current(secret.name)
        place = Place(self._vault.url, name=secret.name)
        if isinstance(found, Held) and self._ids.secret(found.value) == secret.id:
            refuse_if_expired(found, place)
            return True
        refuse_unless_free(found, place, replace=False)
        return False

    def _check_value(self, secret: PlannedSecret) -> None:
        """That a value which has to be stored is still there to be read, and storable."""
        value = value_of(secret, self._read, self._ids)
        if value is None:
            raise missing(self._plan.reference(secret)) if secret.id in self._stored else value_gone(secret)
        if why := unstorable(value):
            raise VaultRefused("the vault cannot hold this value", where=secret.name, why=why, next_step="plan again")

    def _writing(self, new: int) -> Check:
        url = self._vault.url
        if not new:
            return _check("write", url, "ok", "nothing is to be written: the vault holds every value")
        return _check(
            "write",
            url,
            "note",
            f"whether this sign-in may store {_many(new, 'secret')} cannot be tested without writing: the first write"
            " shows it, and no file changes before all are stored",
            "it needs the role Key Vault Secrets Officer, or a custom one with setSecret",
        )


def _stop(kind: CheckKind, what: str, error: SecretscanError) -> Check:
    detail = f"{error.what}: {error.why}" if error.why else error.what
    return _check(kind, what, "stop", detail, error.next_step)


def _check(kind: CheckKind, what: str, state: CheckState, detail: str, next_step: str = "") -> Check:
    return Check(kind, printable(what), state, printable(detail), printable(next_step))


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
