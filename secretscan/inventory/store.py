"""The inventory: an SQLite file in `.secretscan/` that says which secrets there are, where, since when, and how far.

It never holds a value. An occurrence is a secret at a pointer of a file (or, outside of manifests, the n-th time that
it stands in a file), so a line that moves is the same occurrence.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from secretscan.errors import InventoryBroken
from secretscan.inventory.folder import folder_of
from secretscan.inventory.sightings import QUERY, held, of_row
from secretscan.model import Finding, Sighting

__all__ = ["Inventory", "OccurrenceRow", "Recorded", "SecretRow"]

SecretState = Literal["found", "stored", "migrated", "gone"]
"""`found`: stands somewhere in plain; `stored`: in the vault, and not (or no longer) moved from everywhere; `migrated`:
in the vault and nowhere in plain; `gone`: in no scanned file any more, and not by our doing."""

OccurrenceState = Literal["present", "migrated", "gone"]

_SCHEMA = 1
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE secret (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, strength TEXT NOT NULL, vault_url TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT '', first_seen REAL NOT NULL, last_seen REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE occurrence (
    secret TEXT NOT NULL REFERENCES secret(id), source TEXT NOT NULL, path TEXT NOT NULL, pointer TEXT NOT NULL,
    ordinal INTEGER NOT NULL, rule TEXT NOT NULL, platform TEXT NOT NULL, key TEXT NOT NULL, encoding TEXT NOT NULL,
    line INTEGER NOT NULL, column INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    first_seen REAL NOT NULL, last_seen REAL NOT NULL,
    PRIMARY KEY (secret, source, path, pointer, ordinal)
) WITHOUT ROWID;
CREATE INDEX occurrence_path ON occurrence (source, path);
"""


BATCH = 1000
"""Places that are read at a time: few enough that a screen can show the first of them at once."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """One secret. Times are seconds since 1970. `name` is empty until it is in a vault."""

    id: str
    kind: str
    strength: str
    state: SecretState
    vault_url: str
    name: str
    version: str
    present: int
    migrated: int
    first_seen: float
    last_seen: float

    @property
    def burnt(self) -> bool:
        """Exposed where others could read it: stays so until the vault holds a different value."""
        return self.state in ("stored", "migrated")


@dataclass(frozen=True, slots=True)
class OccurrenceRow:
    """One place of one secret."""

    secret: str
    source: str
    path: str
    pointer: str
    ordinal: int
    rule: str
    platform: str
    key: str
    encoding: tuple[str, ...]
    line: int
    column: int
    state: OccurrenceState
    reason: str
    first_seen: float
    last_seen: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a scan changed: places that are new, that were known, and that no longer hold what they held."""

    new: int
    known: int
    gone: int


class Inventory:
    """The inventory of one root. Use it as a context manager."""

    def __init__(self, root: Path, fingerprint: str) -> None:
        """Raises `InventoryBroken` when the file is not an inventory, or was made under another key or by a newer
        version."""
        self.path = folder_of(root) / "inventory.db"
        self._fingerprint = fingerprint
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        except FileExistsError:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                raise self._broken("it is not a plain file") from None
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=10)
        except sqlite3.Error as error:
            raise self._broken(str(error)) from None
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _broken(self, why: str) -> InventoryBroken:
        return InventoryBroken(
            "the inventory cannot be used",
            where=str(self.path),
            why=why,
            next_step="move the file away and scan again; runs and their journals are kept beside it",
        )

    def _prepare(self) -> None:
        with self._guarded():
            self._db.execute("PRAGMA foreign_keys = ON")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            with self.changes():
                if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:  # nobody else was faster
                    _make_tables(self._db)
                    self._db.execute("INSERT INTO meta VALUES ('key', ?)", (self._fingerprint,))
                    self._db.execute(f"PRAGMA user_version = {_SCHEMA}")
        elif version > _SCHEMA:
            raise self._broken("it was made by a newer secretscan")
        with self._guarded():
            # A file that somebody else made could hold views and triggers, which run when they are asked for a row.
            if _layout(self._db) != _own_layout():
                raise self._broken("it has other tables than secretscan makes")
            made_with = self._db.execute("SELECT value FROM meta WHERE name = 'key'").fetchone()
        if made_with is None or made_with[0] != self._fingerprint:
            raise self._broken("its ids were made under another key than this user's")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """What SQLite, or a row that cannot be ours, has to say becomes `InventoryBroken`."""
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:
            if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) in _PASSING:
                raise InventoryBroken(
                    "the inventory cannot be used now",
                    where=str(self.path),
                    why=str(error),
                    next_step="let the other process end, or make room, then give the same command again",
                ) from None
            raise self._broken(str(error) if isinstance(error, sqlite3.Error) else "it is damaged") from None

    @contextmanager
    def changes(self) -> Iterator[None]:
        """Several changes as one: all of them are kept, or none. Raises `InventoryBroken`."""
        if self._db.in_transaction:
            yield
            return
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise

    def record(self, found: Sequence[tuple[str, Finding]], scanned: Iterable[str], source: str = "tree") -> Recorded:
        """Take in a scan: the findings with their secret ids, and every path that was read whole.

        Places of those paths that hold their secret no longer become `gone`, except those that were migrated.
        """
        now = time.time()
        seen: set[tuple[str, str, str, int]] = set()
        new = known = gone = 0
        times: Counter[tuple[str, str, str]] = Counter()
        with self.changes(), closing(self._db.cursor()) as db:
            for secret, finding in found:
                place = finding.location
                path, pointer = held(place.path), held(place.pointer)
                ordinal = times[secret, path, pointer]
                times[secret, path, pointer] += 1
                seen.add((secret, path, pointer, ordinal))
                db.execute(
                    "INSERT INTO secret (id, kind, strength, first_seen, last_seen) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen",
                    (secret, finding.kind, finding.strength, now, now),
                )
                key = (secret, source, path, pointer, ordinal)
                details = (
                    *(finding.rule, place.platform, held(place.key), json.dumps(finding.encoding)),
                    *(place.line, place.column, held(finding.reason), now),
                )
                db.execute(
                    "UPDATE occurrence SET rule = ?, platform = ?, key = ?, encoding = ?, line = ?, column = ?,"
                    " reason = ?, last_seen = ?, state = 'present'"
                    " WHERE secret = ? AND source = ? AND path = ? AND pointer = ? AND ordinal = ?",
                    (*details, *key),
                )
                if db.rowcount:
                    known += 1
                    continue
                new += 1
                db.execute(
                    "INSERT INTO occurrence (rule, platform, key, encoding, line, column, reason, last_seen, state,"
                    " first_seen, secret, source, path, pointer, ordinal)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'present', ?, ?, ?, ?, ?, ?)",
                    (*details, now, *key),
                )
            for path in map(held, scanned):
                rows = db.execute(
                    "SELECT secret, pointer, ordinal FROM occurrence"
                    " WHERE source = ? AND path = ? AND state = 'present'",
                    (source, path),
                ).fetchall()
                for secret, pointer, ordinal in rows:
                    if (secret, path, pointer, ordinal) not in seen:
                        gone += 1
                        db.execute(
                            "UPDATE occurrence SET state = 'gone' WHERE secret = ? AND source = ? AND path = ?"
                            " AND pointer = ? AND ordinal = ?",
                            (secret, source, path, pointer, ordinal),
                        )
        return Recorded(new, known, gone)

    def stored(self, secret: str, kind: str, strength: str, vault_url: str, name: str, version: str) -> None:
        """This secret is in the vault under that name and version. One that detection did not list by itself (the
        whole text around a password) is taken in."""
        now = time.time()
        with self.changes():
            self._db.execute(
                "INSERT INTO secret (id, kind, strength, vault_url, name, version, first_seen, last_seen)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET vault_url = excluded.vault_url,"
                " name = excluded.name, version = excluded.version",
                (secret, kind, strength, vault_url, name, version, now, now),
            )

    def covered(self, secret: str, vault_url: str, name: str, version: str) -> None:
        """This secret went into the vault as part of a whole text stored under that name."""
        with self.changes():
            self._db.execute(
                "UPDATE secret SET vault_url = ?, name = ?, version = ? WHERE id = ? AND name = ''",
                (vault_url, name, version, secret),
            )

    def place(self, secret: str, path: str, pointer: str, line: int, platform: str, key: str) -> None:
        """A place that a run moves: no scan need have come before, and none lists a whole text around a password."""
        now = time.time()
        with self.changes():
            self._db.execute(
                "INSERT INTO occurrence (secret, source, path, pointer, ordinal, rule, platform, key, encoding, line,"
                " column, state, reason, first_seen, last_seen)"
                " VALUES (?, 'tree', ?, ?, 0, 'plan', ?, ?, '[]', ?, 1, 'present', '', ?, ?)"
                " ON CONFLICT DO UPDATE SET last_seen = excluded.last_seen, state = 'present'",
                (secret, held(path), held(pointer), platform, held(key), line, now, now),
            )

    def mark(self, path: str, pointers: Iterable[str], state: OccurrenceState, source: str = "tree") -> None:
        """The places at these pointers of a file were migrated, or hold their values again (`present`)."""
        with self.changes():
            for pointer in pointers:
                self._db.execute(
                    "UPDATE occurrence SET state = ? WHERE source = ? AND path = ? AND pointer = ?"
                    " AND state IN ('present', 'migrated')",
                    (state, source, held(path), held(pointer)),
                )

    def paths(self, source: str = "tree") -> tuple[str, ...]:
        """The paths in which something is known to stand in plain."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT DISTINCT path FROM occurrence WHERE source = ? AND state = 'present'", (source,)
            ).fetchall()
        return tuple(path for (path,) in rows)

    def secrets(self) -> tuple[SecretRow, ...]:
        """All secrets, those with the most places in plain first."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT s.id, s.kind, s.strength, s.vault_url, s.name, s.version, s.first_seen, s.last_seen,"
                " COUNT(CASE o.state WHEN 'present' THEN 1 END), COUNT(CASE o.state WHEN 'migrated' THEN 1 END)"
                " FROM secret s LEFT JOIN occurrence o ON o.secret = s.id GROUP BY s.id"
            ).fetchall()
        result = [
            SecretRow(id_, kind, strength, _state(name, present, migrated), url, name, version, present, migrated, a, b)
            for id_, kind, strength, url, name, version, a, b, present, migrated in rows
        ]
        return tuple(sorted(result, key=lambda row: (-row.present, row.name, row.id)))

    def occurrences(self, secret: str = "") -> tuple[OccurrenceRow, ...]:
        """The places of one secret, or of all, by path and line."""
        with self._guarded():
            cursor = self._db.cursor()
            cursor.row_factory = lambda at, row: {
                column[0]: cell for column, cell in zip(at.description, row, strict=True)
            }
            rows = cursor.execute(
                "SELECT secret, source, path, pointer, ordinal, rule, platform, key, encoding, line, column, state,"
                " reason, first_seen, last_seen FROM occurrence WHERE ? IN ('', secret)"
                " ORDER BY source, path, line, column",
                (secret,),
            ).fetchall()
            return tuple(OccurrenceRow(**{**row, "encoding": tuple(json.loads(row["encoding"]))}) for row in rows)

    def sightings(self) -> Iterator[tuple[Sighting, ...]]:
        """All places by path, at most `BATCH` at a time, so that the first ones are there at once.

        Each batch is read by itself: a scan may write between two of them.
        """
        after = ("", "", "", "", -1)
        texts: dict[str, str] = {}
        chains: dict[str, tuple[str, ...]] = {}
        while True:
            with self._guarded():
                rows = self._db.execute(QUERY, (*after, BATCH)).fetchall()
                batch = tuple(of_row(row, texts, chains) for row in rows)
            if batch:
                yield batch
            if len(batch) < BATCH:
                return
            last = batch[-1]
            after = (last.source, last.path, last.secret, last.pointer, last.ordinal)


def _state(name: str, present: int, migrated: int) -> SecretState:
    if name:
        return "migrated" if migrated and not present else "stored"
    return "found" if present else "gone"


def _make_tables(db: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        db.execute(statement)


def _layout(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Everything that the file defines, as it was written; of a file that defines too much the beginning."""
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchmany(100)
    return [tuple(str(cell) for cell in row) for row in rows]


def _own_layout() -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        _make_tables(db)
        return _layout(db)
