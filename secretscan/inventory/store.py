"""The inventory: an SQLite file in `.secretscan/` that says which secrets there are, where, since when, and how far.

It never holds a value. An occurrence is a secret at a pointer of a file (or, outside of manifests, the n-th time that
it stands in a file), so a line that moves is the same occurrence.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from secretscan.errors import InventoryBroken
from secretscan.model import Finding

__all__ = ["Inventory", "OccurrenceRow", "Recorded", "SecretRow", "folder_of"]

SecretState = Literal["found", "stored", "migrated", "gone"]
"""`found`: stands somewhere in plain; `stored`: in the vault, and not (or no longer) moved from everywhere; `migrated`:
in the vault and nowhere in plain; `gone`: in no scanned file any more, and not by our doing."""

OccurrenceState = Literal["present", "migrated", "gone"]

_SCHEMA = 1
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


def folder_of(root: Path) -> Path:
    """`.secretscan` in the root, made on first use: for its owner only, and kept out of git by a file of its own."""
    folder = root / ".secretscan"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink():
        raise InventoryBroken(
            "the inventory's folder is a link", where=str(folder), next_step="remove the link and run again"
        )
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")
    return folder


class Inventory:
    """The inventory of one root. Use it as a context manager."""

    def __init__(self, root: Path, fingerprint: str) -> None:
        """Raises `InventoryBroken` when the file is not an inventory, or was made under another key or by a newer
        version."""
        self.path = folder_of(root) / "inventory.db"
        self._fingerprint = fingerprint
        if not self.path.exists():
            self.path.touch(mode=0o600)
        self._db = sqlite3.connect(self.path, isolation_level=None, timeout=10)
        try:
            self._db.execute("PRAGMA foreign_keys = ON")
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            raise self._broken(str(error)) from None
        except InventoryBroken:
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
        self._db.execute("BEGIN IMMEDIATE")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            self._db.execute("INSERT INTO meta VALUES ('key', ?)", (self._fingerprint,))
            self._db.execute(f"PRAGMA user_version = {_SCHEMA}")
        self._db.execute("COMMIT")
        if version > _SCHEMA:
            raise self._broken("it was made by a newer secretscan")
        made_with = self._db.execute("SELECT value FROM meta WHERE name = 'key'").fetchone()
        if made_with is None or made_with[0] != self._fingerprint:
            raise self._broken("its ids were made under another key than this user's")

    def record(self, found: Sequence[tuple[str, Finding]], scanned: Iterable[str], source: str = "tree") -> Recorded:
        """Take in a scan: the findings with their secret ids, and every path that was read whole.

        Places of those paths that hold their secret no longer become `gone`, except those that were migrated.
        """
        now = time.time()
        seen: set[tuple[str, str, str, int]] = set()
        new = known = gone = 0
        with closing(self._db.cursor()) as db:
            db.execute("BEGIN IMMEDIATE")
            for secret, finding in found:
                place = finding.location
                ordinal = 0
                while (secret, place.path, place.pointer, ordinal) in seen:
                    ordinal += 1
                seen.add((secret, place.path, place.pointer, ordinal))
                db.execute(
                    "INSERT INTO secret (id, kind, strength, first_seen, last_seen) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen",
                    (secret, finding.kind, finding.strength, now, now),
                )
                key = (secret, source, place.path, place.pointer, ordinal)
                details = (
                    *(finding.rule, place.platform, place.key, json.dumps(finding.encoding)),
                    *(place.line, place.column, finding.reason, now),
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
            for path in scanned:
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
            db.execute("COMMIT")
        return Recorded(new, known, gone)

    def stored(self, secret: str, kind: str, strength: str, vault_url: str, name: str, version: str) -> None:
        """This secret is in the vault under that name and version. One that detection did not list by itself (the
        whole text around a password) is taken in."""
        now = time.time()
        self._db.execute(
            "INSERT INTO secret (id, kind, strength, vault_url, name, version, first_seen, last_seen)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET vault_url = excluded.vault_url,"
            " name = excluded.name, version = excluded.version",
            (secret, kind, strength, vault_url, name, version, now, now),
        )

    def covered(self, secret: str, vault_url: str, name: str, version: str) -> None:
        """This secret went into the vault as part of a whole text stored under that name."""
        self._db.execute(
            "UPDATE secret SET vault_url = ?, name = ?, version = ? WHERE id = ? AND name = ''",
            (vault_url, name, version, secret),
        )

    def whole(self, secret: str, path: str, pointer: str, line: int, platform: str, key: str) -> None:
        """A place where a whole text moves, as a secret of its own that no scan lists."""
        now = time.time()
        self._db.execute(
            "INSERT INTO occurrence (secret, source, path, pointer, ordinal, rule, platform, key, encoding, line,"
            " column, state, reason, first_seen, last_seen)"
            " VALUES (?, 'tree', ?, ?, 0, 'whole-text', ?, ?, '[]', ?, 1, 'present', '', ?, ?)"
            " ON CONFLICT DO UPDATE SET last_seen = excluded.last_seen, state = 'present'",
            (secret, path, pointer, platform, key, line, now, now),
        )

    def mark(self, path: str, pointers: Iterable[str], state: OccurrenceState, source: str = "tree") -> None:
        """The places at these pointers of a file were migrated, or hold their values again (`present`)."""
        for pointer in pointers:
            self._db.execute(
                "UPDATE occurrence SET state = ? WHERE source = ? AND path = ? AND pointer = ?"
                " AND state IN ('present', 'migrated')",
                (state, source, path, pointer),
            )

    def secrets(self) -> tuple[SecretRow, ...]:
        """All secrets, those with the most places in plain first."""
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
        cursor = self._db.cursor()
        cursor.row_factory = lambda at, row: {column[0]: cell for column, cell in zip(at.description, row, strict=True)}
        rows = cursor.execute(
            "SELECT secret, source, path, pointer, ordinal, rule, platform, key, encoding, line, column, state, reason,"
            " first_seen, last_seen FROM occurrence WHERE ? IN ('', secret) ORDER BY source, path, line, column",
            (secret,),
        ).fetchall()
        return tuple(OccurrenceRow(**{**row, "encoding": tuple(json.loads(row["encoding"]))}) for row in rows)


def _state(name: str, present: int, migrated: int) -> SecretState:
    if name:
        return "migrated" if migrated and not present else "stored"
    return "found" if present else "gone"
