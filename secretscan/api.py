"""The use cases: scan, plan, apply, undo, prove, status. All logic is behind these functions; drivers hold none.

    from secretscan import api
    from secretscan.vault.auth import connect

    found = api.scan(["deploy"])
    vault = connect("https://shop.vault.azure.net", auth="cli")
    draft = api.plan(["deploy"], "https://shop.vault.azure.net", vault)
    done = api.apply(draft.plan, vault, root=found.root)
    assert done.proof.holds

Each takes a listener of typed events (`secretscan.events`) and a cancellation that takes effect between steps. Errors
are those of `secretscan.errors`. Nothing that these functions return holds a value in a printable form.

The module is long since it is the whole list: a use case is a few lines that name the room in which its work is done.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from secretscan.detect.survey import Root, common_root, survey
from secretscan.errors import ConfigurationError, InventoryBroken, SecretscanError, UsageError
from secretscan.events import Cancellation, FileScanned, Listener, Noted, silent
from secretscan.inventory.folder import IGNORE_FILE
from secretscan.inventory.sightings import Sighter, held
from secretscan.model import Finding, Sighting, Unscanned

if TYPE_CHECKING:
    from rewriters import Plaintext, Settings
    from secretscan.inventory.ids import Ids
    from secretscan.inventory.marks import Mark, Marks
    from secretscan.inventory.store import OccurrenceRow, Recorded, SecretRow
    from secretscan.plan.build import Draft
    from secretscan.plan.choices import Choices
    from secretscan.plan.document import Plan
    from secretscan.plan.saved import Saved
    from secretscan.prove.proof import Proof
    from secretscan.review.inspect import Inspection
    from secretscan.run.aftermath import FollowUp
    from secretscan.run.apply import Applied
    from secretscan.run.folder import RunFolder
    from secretscan.run.journal import Entry
    from secretscan.run.preflight import Check
    from secretscan.run.preview import UndoPreview
    from secretscan.run.undo import Undone
    from secretscan.vault.auth import Auth
    from secretscan.vault.choice import VaultChoice
    from secretscan.vault.client import Vault
    from secretscan.vault.recent import RecentVault
    from secretscan.vault.server.trial import TrialVault

__all__ = [
    "Found",
    "Ignored",
    "Outcome",
    "RunDetails",
    "RunStatus",
    "Scan",
    "Status",
    "aftermath",
    "apply",
    "check_plan",
    "find_run",
    "forget_review",
    "inspect",
    "inventory",
    "load_review",
    "mark",
    "mark_fault",
    "marks",
    "name_fault",
    "plan",
    "preflight",
    "preview_undo",
    "prove",
    "recent_vaults",
    "remember_vault",
    "resume",
    "reveal",
    "roles",
    "root_of",
    "run_details",
    "run_history",
    "save_review",
    "scan",
    "sightings",
    "status",
    "trial_vault",
    "undo",
    "unmark",
]

_SAID = 10
"""Flaws of an ignore file that are said one by one."""
_QUOTES = "its reason or owner quotes the value, and the ignore file goes into git"


class Outcome(IntEnum):
    """What a scan comes to, with the exit status that says so (design, "The command line")."""

    CLEAN = 0
    LEAKS = 1
    INCOMPLETE = 3


@dataclass(frozen=True, slots=True)
class Found:
    """A finding with the id of its secret."""

    secret: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that somebody marked in the ignore file, and what they said of it."""

    found: Found
    mark: Mark


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of a scan. `unscanned` lists what was not read, or not as its format asks; then it is never clean.

    What is marked in the ignore file is in `ignored` and not in `found`; `marks` is that file, `None` without one.
    """

    root: Path
    found: tuple[Found, ...]
    unscanned: tuple[Unscanned, ...]
    files: int
    bytes: int
    recorded: Recorded | None = None
    ignored: tuple[Ignored, ...] = ()
    marks: Marks | None = None

    @property
    def outcome(self) -> Outcome:
        if self.found:
            return Outcome.LEAKS
        return Outcome.INCOMPLETE if self.unscanned else Outcome.CLEAN

    @property
    def secrets(self) -> int:
        """How many distinct values."""
        return len({item.secret for item in self.found})


def root_of(targets: Iterable[str] = (".",)) -> Path:
    """The folder whose inventory and runs the targets belong to. Raises `UsageError` for one that is not there."""
    return common_root(tuple(targets)).folder


def scan(
    targets: Iterable[str] = (".",),
    *,
    record: bool = True,
    listener: Listener = silent,
    cancellation: Cancellation | None = None,
) -> Scan:
    """Finds credentials in files and folders, and takes them into the inventory of their root unless told not to.

    What the ignore file of the root marks is told apart from the rest, and counts for nothing in the outcome. The
    listener hears a `FileScanned` for each file, of marked findings too.
    Raises `UsageError` for a target that is not there. An inventory that cannot be written is a note, no failure.
    """
    root = common_root(tuple(targets))
    found: list[Found] = []
    sighter = Sighter()
    ids: Ids | None = None

    def heard(path: str, findings: tuple[Finding, ...], unscanned: tuple[Unscanned, ...]) -> None:
        nonlocal ids
        if findings and ids is None:
            from secretscan.inventory.ids import load_ids

            ids = load_ids()
        here = [Found(ids.secret(finding.value), finding) for finding in findings] if ids is not None else []
        found.extend(here)
        sightings = sighter.of_file((item.secret, item.finding) for item in here)
        listener(FileScanned(held(path), sightings, unscanned))

    read = survey(root, listener, cancellation, heard)
    marked = os.path.lexists(root.folder / IGNORE_FILE)
    if not found and not marked and not (record and (root.folder / ".secretscan").is_dir()):
        return Scan(root.folder, (), read.unscanned, read.files, read.bytes)
    if ids is None:
        from secretscan.inventory.ids import load_ids

        ids = load_ids()
    recorded: Recorded | None = None
    if record:
        from secretscan.inventory.store import Inventory

        try:
            with Inventory(root.folder, ids.fingerprint()) as store:
                vanished = _vanished(root, store.paths(), read.paths)
                recorded = store.record([(item.secret, item.finding) for item in found], (*read.paths, *vanished))
            for path in vanished:
                listener(FileScanned(path, (), ()))
        except (OSError, InventoryBroken) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            listener(Noted("scan", f"the inventory was not updated: {why}"))
    said = _marks(root.folder, ids, listener) if marked else None
    open_, ignored = _told_apart(found, said)
    return Scan(root.folder, open_, read.unscanned, read.files, read.bytes, recorded, ignored, said)


def _vanished(root: Root, known: Iterable[str], read: Iterable[str]) -> list[str]:
    """Files of the targets that the inventory knows and that are not there any more."""
    there = {held(path) for path in read}
    return [
        path
        for path in known
        # One whose name is not UTF-8 is known by an escape, which is no name to look for.
        if path not in there and root.covers(path) and "\\" not in path and not os.path.lexists(root.folder / path)
    ]


def _told_apart(found: Sequence[Found], marks: Marks | None) -> tuple[tuple[Found, ...], tuple[Ignored, ...]]:
    """What is not marked, and what is."""
    if marks is None or not marks.entries:
        return tuple(found), ()
    from datetime import date

    today = date.today()
    open_: list[Found] = []
    ignored: list[Ignored] = []
    for item in found:
        mark = marks.of(item.secret, item.finding.location.path, today)
        if mark is None:
            open_.append(item)
        else:
            ignored.append(Ignored(item, mark))
    return tuple(open_), tuple(ignored)


def _marks(root: Path, ids: Ids, listener: Listener) -> Marks:
    """The ignore file of a root; what is wrong with it is said."""
    from secretscan.inventory.marks import load_marks

    marks = load_marks(root, ids.fingerprint())
    for flaw in marks.flaws[:_SAID]:
        listener(Noted("scan", f"{flaw}; the line marks nothing" if flaw.line else f"{flaw}; nothing is marked"))
    if marks.flawed > _SAID:
        listener(Noted("scan", f"{IGNORE_FILE}: {marks.flawed - _SAID} more lines that mark nothing"))
    return marks


def marks(root: Path) -> Marks:
    """What the ignore file of a root says, to this user: marks of secrets under this user's key."""
    from secretscan.inventory.ids import load_ids
    from secretscan.inventory.marks import load_marks

    return load_marks(root, load_ids().fingerprint())


def mark(root: Path, entries: Sequence[Mark]) -> Marks:
    """Takes marks into the ignore file of a root, each in the place of what was said of the same secret and path
    before. One without a `key` is made under this user's. The file as it is then. Raises `UsageError`, also for a
    reason that quotes the value."""
    from secretscan.inventory.ids import load_ids
    from secretscan.inventory.marks import add, quoting

    ids = load_ids()
    if quoted := quoting(entries, ids):
        raise UsageError("this cannot be marked", where=quoted.secret[:8], why=_QUOTES)
    key = ids.fingerprint()
    add(root, [item if item.key else replace(item, key=key) for item in entries])
    return marks(root)


def mark_fault(entries: Iterable[Mark]) -> str:
    """What keeps marks of this user from being taken, or `""`: for saying so while a person types."""
    from secretscan.inventory.ids import load_ids
    from secretscan.inventory.marks import quoting

    ids = load_ids()
    all_ = [replace(item, key=ids.fingerprint()) for item in entries]
    return next((fault for item in all_ if (fault := item.fault())), _QUOTES if quoting(all_, ids) else "")


def unmark(root: Path, entries: Sequence[Mark]) -> Marks:
    """Takes these marks out of the ignore file of a root. The file as it is then. Raises `UsageError`."""
    from secretscan.inventory.ids import load_ids
    from secretscan.inventory.marks import remove

    key = load_ids().fingerprint()
    remove(root, [item if item.key else replace(item, key=key) for item in entries])
    return marks(root)


def plan(
    targets: Iterable[str],
    vault_url: str,
    vault: Vault | None,
    *,
    settings: Settings | None = None,
    placeholders: bool = False,
    prefix: str = "",
    choices: Choices | None = None,
    listener: Listener = silent,
    cancellation: Cancellation | None = None,
) -> Draft:
    """The value-free plan for everything found in the targets, and its masked preview. Changes nothing.

    `vault` is asked which names are taken; without one every value is planned as new and `apply` checks. `prefix`
    begins the names made for the vault (default: the root folder's name). What the ignore file of the root marks stays.
    `choices` are a person's: names that are used exactly, and what stays out. Raises `UsageError` for a chosen name
    that cannot be used.
    """
    from rewriters import Settings
    from secretscan.inventory.ids import load_ids
    from secretscan.plan.build import build
    from secretscan.plan.choices import EMPTY

    root = common_root(tuple(targets))
    read = survey(root, listener, cancellation)
    ids = load_ids()
    said = _marks(root.folder, ids, listener) if os.path.lexists(root.folder / IGNORE_FILE) else None
    known, _ = inventory(root.folder)
    return build(
        read,
        vault,
        vault_url,
        settings or Settings(),
        ids,
        listener,
        cancellation or Cancellation(),
        placeholders=placeholders,
        prefix=prefix,
        known={secret.id: secret.name for secret in known if secret.name and secret.vault_url == vault_url},
        choices=choices or EMPTY,
        marks=said,
        root=str(root.folder),
    )


def name_fault(plan: Plan, secret: str, name: str, taken: Iterable[str] = ()) -> str:
    """What is to say, while a person types it, of a name chosen for a secret of the plan, or `""`.

    Without `taken` only what makes the name impossible; with it (`Draft.taken`) also that the vault has the name.
    """
    from secretscan.plan.names import name_fault

    return name_fault(plan, secret, name, taken)


def save_review(root: Path, saved: Saved) -> None:
    """Keeps how far a migration of the root came. Raises `InventoryBroken` when that cannot be done."""
    from secretscan.inventory.ids import load_ids
    from secretscan.plan.saved import save

    save(root, saved, load_ids())


def load_review(root: Path) -> Saved | None:
    """How far a migration of the root came, or `None`. Raises `UsageError` for a state that is not this user's own."""
    from secretscan.inventory.ids import load_ids
    from secretscan.plan.saved import load

    return load(root, load_ids())


def forget_review(root: Path) -> None:
    """Removes what `save_review` kept, if anything. Raises `InventoryBroken` when that cannot be done."""
    from secretscan.plan.saved import forget

    forget(root)


def apply(
    plan: Plan,
    vault: Vault,
    *,
    root: Path | None = None,
    listener: Listener = silent,
    cancellation: Cancellation | None = None,
) -> Applied:
    """Carries out a plan, or goes on with the run of it that there is: one that is done is only proved again.

    Raises what `secretscan.run.apply` raises; the run can always be resumed.
    """
    from secretscan.run.folder import begin, latest

    ids = check_plan(plan)
    folder = _planned_root(plan, root)
    return _carry_out(latest(folder, plan) or begin(folder, plan), ids, vault, listener, cancellation)


def preflight(
    plan: Plan,
    vault: Vault,
    *,
    root: Path | None = None,
    listener: Listener = silent,
    cancellation: Cancellation | None = None,
) -> tuple[Check, ...]:
    """Looks at everything that `apply` needs, without writing to the vault or changing a file: each trouble is a check
    of its own, where `apply` stops at the first.

    Raises `UsageError` for a plan that this user did not make or whose folder is gone, and `Cancelled`.
    """
    from secretscan.run import preflight as look

    ids = check_plan(plan)
    return look.preflight(plan, vault, _planned_root(plan, root), ids, listener, cancellation or Cancellation())


def aftermath(
    plan: Plan, done: Applied | None = None, *, root: Path | None = None, choice: VaultChoice | None = None
) -> tuple[FollowUp, ...]:
    """What is left to do after a plan, with commands to copy; without `done`, what will be left."""
    from secretscan.run import aftermath as after

    return after.aftermath(plan, Path(done.root) if done else root or Path(plan.root), done, choice)


def roles(plan: Plan) -> str:
    """The least roles of those who read the plan's secrets, as a Bicep template."""
    from secretscan.run.roles import roles as made

    return made(plan)


def recent_vaults() -> tuple[RecentVault, ...]:
    """The vaults that this user used last, the latest first."""
    from secretscan.vault import recent

    return recent.recent_vaults()


def trial_vault(name: str) -> TrialVault:
    """An embedded vault for trying, in this process; the caller closes it. Raises `ConfigurationError`."""
    from secretscan.vault.server.trial import TrialVault

    try:
        return TrialVault(name)
    except OSError as error:
        raise ConfigurationError("the embedded vault cannot be started", why=error.strerror or "") from None


def remember_vault(url: str, auth: Auth, descriptor: str = "") -> None:
    """Puts a vault first in that list. Raises `UsageError` for a URL that no vault has."""
    from secretscan.vault import recent

    recent.remember_vault(url, auth, descriptor)


def _planned_root(plan: Plan, root: Path | None) -> Path:
    folder = root or Path(plan.root)
    if not folder.is_dir():
        raise UsageError("the folder of the plan is not there", where=str(folder), next_step="give it with --root")
    return folder


def resume(
    root: Path,
    run: str,
    vault: Vault,
    *,
    listener: Listener = silent,
    cancellation: Cancellation | None = None,
) -> Applied:
    """Goes on with a run that was interrupted."""
    found = find_run(root, run)
    if found.state() not in ("unfinished", "done"):
        raise UsageError("this run was undone", where=found.id, next_step="make a new plan")
    return _carry_out(found, check_plan(found.plan), vault, listener, cancellation)


def _carry_out(
    run: RunFolder, ids: Ids, vault: Vault, listener: Listener, cancellation: Cancellation | None
) -> Applied:
    from secretscan.run.apply import apply_run

    return apply_run(run, vault, ids, listener, cancellation or Cancellation())


def undo(
    root: Path,
    run: str,
    vault: Vault,
    *,
    delete_from_vault: bool = False,
    listener: Listener = silent,
    cancellation: Cancellation | None = None,
) -> Undone:
    """Gives every file of a run that has not changed since its original bytes. Deletes from the vault only if asked,
    and only what the run itself stored."""
    from secretscan.run.undo import undo_run

    found = find_run(root, run)
    ids = check_plan(found.plan)
    return undo_run(found, vault, ids, listener, cancellation or Cancellation(), delete_from_vault=delete_from_vault)


def preview_undo(root: Path, run: str, *, cancellation: Cancellation | None = None) -> UndoPreview:
    """What `undo` would do with a run as everything stands now, with masked diffs. Needs no vault, changes nothing."""
    from secretscan.run import preview

    found = find_run(root, run)
    return preview.preview_undo(found, check_plan(found.plan), cancellation or Cancellation())


def prove(
    root: Path,
    run: str,
    vault: Vault,
    *,
    listener: Listener = silent,
    cancellation: Cancellation | None = None,
) -> Proof:
    """Proves a finished run again: the files as they are now against the files as they were. Changes nothing."""
    from secretscan.run.prove import prove_run

    found = find_run(root, run)
    versions = {entry.subject: entry.version for entry in found.entries() if entry.step == "stored"}
    if found.state() != "done":
        undo = found.state().startswith("und")
        step = f"secretscan undo {found.id}" if undo else f"secretscan apply --resume {found.id}"
        raise UsageError(f"this run is {found.state()}", where=found.id, next_step=f"{step} --root {root}")
    return prove_run(found, versions, vault, check_plan(found.plan), listener, cancellation)


def find_run(root: Path, name: str) -> RunFolder:
    """A run of a root by its id or an unambiguous beginning of it, with the plan that this user made. Raises
    `UsageError`."""
    from secretscan.run.folder import open_run

    found = open_run(root, name)
    check_plan(found.plan)
    return found


def check_plan(plan: Plan) -> Ids:
    """The ids of this user, under whose key the plan was made. Raises `UsageError` for the plan of another user, and
    for one that somebody changed: it could name another vault, or make any file."""
    from secretscan.inventory.ids import load_ids

    ids = load_ids()
    if ids.fingerprint() != plan.key:
        raise UsageError(
            "the plan was made under another key",
            where=plan.root,
            why="ids of secrets and digests of files are made under a key of the user who plans",
            next_step="plan again as this user, or set SECRETSCAN_STATE_DIR to the folder that holds that key",
        )
    if not plan.genuine(ids):
        raise UsageError(
            "the plan was changed after it was made",
            where=plan.root,
            why="its seal does not fit: somebody may have put in another vault, or files of their own",
            next_step="make the plan again yourself",
        )
    return ids


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run and how far it is.

    `state` is `unfinished`, `done`, `undo unfinished`, `undone`, or `damaged`: then `trouble` says what is wrong, and
    nothing else is known. `made` is when it began, or else its plan was made, in seconds since 1970. `moves` are the
    places that become references. Steps are those of the run, or of its undo once that has begun.
    """

    id: str
    state: str
    vault_url: str = ""
    secrets: int = 0
    files: int = 0
    made: float = 0.0
    moves: int = 0
    steps_done: int = 0
    steps_total: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class RunDetails:
    """One run with its plan and every step of its journal, oldest first, each with the time it was done (`Entry.at`).

    Paths and names in the entries are as they are on disk, so they may hold anything."""

    status: RunStatus
    plan: Plan
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a root: its secrets, their places, its runs."""

    root: Path
    secrets: tuple[SecretRow, ...]
    occurrences: tuple[OccurrenceRow, ...] = field(repr=False)
    runs: tuple[RunStatus, ...]
    trouble: str = ""
    """Why the inventory cannot be read, if so."""


def inventory(root: Path) -> tuple[tuple[SecretRow, ...], tuple[OccurrenceRow, ...]]:
    """The inventory of a root: empty when it was never scanned."""
    if not os.path.lexists(root / ".secretscan" / "inventory.db"):
        return (), ()
    from secretscan.inventory.ids import load_ids
    from secretscan.inventory.store import Inventory

    with Inventory(root, load_ids().fingerprint()) as store:
        return store.secrets(), store.occurrences()


def inspect(
    root: Path,
    sightings: Sequence[Sighting],
    *,
    around: int = 4,
    known: Collection[str] = (),
    cancellation: Cancellation | None = None,
) -> Inspection:
    """Places as their files are now: the lines around each, every value masked, and what could stand there instead. It
    takes the time of scanning those files. `known` are ids of secrets that must not be seen there either, since they
    were found in other files."""
    from secretscan.inventory.ids import load_ids
    from secretscan.review.inspect import inspect_places

    return inspect_places(root, sightings, load_ids(), cancellation or Cancellation(), around=around, known=known)


def sightings(root: Path) -> Iterator[tuple[Sighting, ...]]:
    """Every place that the inventory of a root knows, in batches that come as they are asked for, from one thread:
    none when it was never scanned. Raises `InventoryBroken`."""
    if not os.path.lexists(root / ".secretscan" / "inventory.db"):
        return
    from secretscan.inventory.ids import load_ids
    from secretscan.inventory.store import Inventory

    with Inventory(root, load_ids().fingerprint()) as store:
        yield from store.sightings()


def status(root: Path) -> Status:
    """The inventory and the runs of a root. What cannot be read is listed with what is wrong with it."""
    trouble = ""
    secrets: tuple[SecretRow, ...] = ()
    occurrences: tuple[OccurrenceRow, ...] = ()
    try:
        secrets, occurrences = inventory(root)
    except InventoryBroken as error:
        trouble = str(error)
    return Status(root, secrets, occurrences, run_history(root), trouble)


def run_history(root: Path) -> tuple[RunStatus, ...]:
    """The runs of a root, oldest first. One that cannot be read is listed as `damaged`."""
    from secretscan.run.folder import load, run_ids

    listed: list[RunStatus] = []
    for run in run_ids(root):
        try:
            found = load(root, run)
            listed.append(_run_status(found, found.entries()))
        except SecretscanError as error:
            listed.append(RunStatus(run, "damaged", trouble=str(error)))
    return tuple(listed)


def run_details(root: Path, run: str) -> RunDetails:
    """One run of this user. Raises `UsageError`, and `JournalBroken` when its journal cannot be read."""
    found = find_run(root, run)
    entries = found.entries()
    return RunDetails(_run_status(found, entries), found.plan, tuple(entries))


def _run_status(run: RunFolder, entries: list[Entry]) -> RunStatus:
    from secretscan.run.folder import state_of
    from secretscan.run.history import made, progress

    plan = run.plan
    done, total = progress(plan, entries)
    counts = len(plan.secrets), len(plan.files)
    return RunStatus(
        run.id, state_of(entries), plan.vault_url, *counts, made(plan, entries), len(plan.moves), done, total
    )


def reveal(root: Path, sighting: Sighting) -> Plaintext:
    """The value of one place, read from its file again, once `.secretscan/reveals.jsonl` says that it is shown.

    Raises `ChangedSince` when the file does not hold it any more, and `JournalBroken` when it cannot be journaled:
    then nothing is shown.
    """
    from secretscan.inventory.ids import load_ids
    from secretscan.run.reveal import reveal_value

    return reveal_value(root, sighting, load_ids())
