"""The inventory: one entry a value, one occurrence a place, whatever moves around it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from rewriters import Plaintext, Span
from secretscan.errors import ConfigurationError, InventoryBroken
from secretscan.inventory.ids import load_ids
from secretscan.inventory.store import Inventory
from secretscan.model import Finding, Location

KEY = "0123456789abcdef"


def finding(path: str, pointer: str, line: int) -> Finding:
    place = Location("tree", path, Span(0, 1), line, 1, line, 2, pointer, "PASSWORD", "compose")
    return Finding("slot", "password", "strong", "high", place, Plaintext(b"never read here"))


def test_a_second_scan_updates(tmp_path: Path) -> None:
    with Inventory(tmp_path, KEY) as store:
        first = store.record(
            [("s1", finding("a.yaml", "p", 3)), ("s1", finding("b.yaml", "p", 1))], ["a.yaml", "b.yaml"]
        )
        assert (first.new, first.known, first.gone) == (2, 0, 0)
        again = store.record(
            [("s1", finding("a.yaml", "p", 30)), ("s1", finding("b.yaml", "p", 1))], ["a.yaml", "b.yaml"]
        )
        assert (again.new, again.known, again.gone) == (0, 2, 0)
        assert [(row.path, row.line) for row in store.occurrences()] == [("a.yaml", 30), ("b.yaml", 1)]
        (secret,) = store.secrets()
        assert (secret.state, secret.present, secret.burnt) == ("found", 2, False)
        assert secret.first_seen < secret.last_seen


def test_the_same_value_twice_without_pointer_is_two_places(tmp_path: Path) -> None:
    with Inventory(tmp_path, KEY) as store:
        store.record([("s1", finding("a.txt", "", 3)), ("s1", finding("a.txt", "", 9))], ["a.txt"])
        assert len(store.occurrences("s1")) == 2


def test_what_is_no_longer_there_is_gone_and_a_file_not_read_is_not(tmp_path: Path) -> None:
    with Inventory(tmp_path, KEY) as store:
        store.record([("s1", finding("a.yaml", "p", 3)), ("s2", finding("b.yaml", "p", 1))], ["a.yaml", "b.yaml"])
        assert store.record([], ["a.yaml"]).gone == 1
        assert {row.id: row.state for row in store.secrets()} == {"s1": "gone", "s2": "found"}


def test_a_migrated_place_stays_so_and_comes_back_when_the_value_does(tmp_path: Path) -> None:
    with Inventory(tmp_path, KEY) as store:
        store.record([("s1", finding("a.yaml", "p", 3)), ("s1", finding("b.yaml", "p", 3))], ["a.yaml", "b.yaml"])
        store.stored("s1", "password", "strong", "https://shop.vault.azure.net", "shop-db", "v1")
        store.mark("a.yaml", ["p"], "migrated")
        assert store.secrets()[0].state == "stored"
        store.mark("b.yaml", ["p"], "migrated")
        store.record([], ["a.yaml", "b.yaml"])
        (secret,) = store.secrets()
        assert (secret.state, secret.burnt, secret.name) == ("migrated", True, "shop-db")
        store.record([("s1", finding("a.yaml", "p", 3))], ["a.yaml"])
        assert store.secrets()[0].state == "stored"


def test_for_the_owner_only_and_out_of_git(tmp_path: Path) -> None:
    with Inventory(tmp_path, KEY):
        pass
    folder = tmp_path / ".secretscan"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "inventory.db").stat().st_mode & 0o777 == 0o600
    assert (folder / ".gitignore").read_text() == "*\n"


def test_a_damaged_file_is_a_message(tmp_path: Path) -> None:
    with Inventory(tmp_path, KEY):
        pass
    (tmp_path / ".secretscan" / "inventory.db").write_bytes(b"not a database" * 100)
    with pytest.raises(InventoryBroken):
        Inventory(tmp_path, KEY)


def test_another_key_and_a_newer_schema_are_messages(tmp_path: Path) -> None:
    with Inventory(tmp_path, KEY):
        pass
    with pytest.raises(InventoryBroken, match="another key"):
        Inventory(tmp_path, "f" * 16)
    db = sqlite3.connect(tmp_path / ".secretscan" / "inventory.db")
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    with pytest.raises(InventoryBroken, match="newer"):
        Inventory(tmp_path, KEY)


def test_ids_are_keyed_stable_and_silent(tmp_path: Path) -> None:
    ids, same, other = load_ids(str(tmp_path / "a")), load_ids(str(tmp_path / "a")), load_ids(str(tmp_path / "b"))
    value = Plaintext(b"a value of this test")
    assert ids.secret(value) == same.secret(value) != other.secret(value)
    assert ids.file(b"x") != ids.secret(Plaintext(b"x"))
    assert (tmp_path / "a" / "id.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a" / "id.key").read_text().strip() not in repr(ids)


def test_a_key_that_others_can_read_or_is_damaged_is_refused(tmp_path: Path) -> None:
    load_ids(str(tmp_path))
    key = tmp_path / "id.key"
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others may read"):
        load_ids(str(tmp_path))
    key.chmod(0o600)
    key.write_text("zz")
    with pytest.raises(ConfigurationError, match="damaged"):
        load_ids(str(tmp_path))


def test_one_that_another_process_holds_is_not_called_broken(tmp_path: Path) -> None:
    with Inventory(tmp_path, "f") as first, Inventory(tmp_path, "f") as second:
        second._db.execute("PRAGMA busy_timeout = 1")
        with first.changes(), pytest.raises(InventoryBroken, match="now") as caught:
            second.mark("a", ["b"], "gone")
    assert "other process" in caught.value.next_step


def test_several_changes_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    with Inventory(tmp_path, "f") as store:
        with pytest.raises(KeyboardInterrupt), store.changes():
            store.stored("a", "password", "strong", "u", "n", "v")
            raise KeyboardInterrupt
        assert store.secrets() == ()
        store.stored("a", "password", "strong", "u", "n", "v")
        assert [row.name for row in store.secrets()] == ["n"]
