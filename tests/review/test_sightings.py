"""A scan as it is heard, and the inventory as it is read: they name the same places, and neither shows a value."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from rewriters import Plaintext, Span
from secretscan import api
from secretscan.errors import InventoryBroken
from secretscan.events import Event, FileScanned
from secretscan.inventory.ids import load_ids
from secretscan.inventory.store import BATCH, Inventory
from secretscan.model import Finding, Location, Sighting
from secretscan.review.query import ALL
from secretscan.review.table import Table

VALUE = "Zt81mw" + "QxLk55Yp"
OTHER = "Hv40ns" + "RdJa17Wc"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def compose(*passwords: str) -> str:
    services = (f"  s{at}:\n    environment:\n      DB_PASSWORD: {value}\n" for at, value in enumerate(passwords))
    return "services:\n" + "".join(services)


def heard(root: Path) -> list[FileScanned]:
    events: list[Event] = []
    api.scan([str(root)], listener=events.append)
    return [event for event in events if isinstance(event, FileScanned)]


def table_of(*batches: tuple[Sighting, ...]) -> Table:
    table = Table()
    for batch in batches:
        table.extend(batch)
    return table


def places(table: Table) -> list[Sighting]:
    return [table[index] for index in table.select(ALL, "file").order]


def test_the_list_that_fills_while_scanning_is_the_one_that_is_read_afterwards(root: Path) -> None:
    (root / "compose.yaml").write_text(compose(VALUE, OTHER, VALUE))
    (root / "clean.txt").write_text("nothing\n")
    (root / ".env").write_text(f"DB_PASSWORD={VALUE}\nAGAIN_PASSWORD={VALUE}\n")
    (root / "app.conf").write_text(f"password = {VALUE}\npassword = {VALUE}\n")
    (root / os.fsdecode(b"caf\xe9.env")).write_text(f"DB_PASSWORD={OTHER}\n")
    table = Table()
    events = heard(root)
    for event in events:
        table.replace(event.path, event.sightings)
    assert {event.path for event in events if not event.sightings} == {"clean.txt"}
    assert len(table) == 8
    assert places(table) == places(table_of(*api.sightings(root)))
    # A second scan, over what is known already: one value is gone, one has moved down, one is new.
    (root / "compose.yaml").write_text("# above\n" + compose(VALUE, "Bq62yt" + "NmKe93Xs"))
    (root / ".env").write_text("# clean\n")
    table = table_of(*api.sightings(root))
    for event in heard(root):
        table.replace(event.path, event.sightings)
    assert places(table) == places(table_of(*api.sightings(root)))
    assert dict(table.select().counts["state"]) == {"open": 5, "gone": 4}


def test_what_was_not_read_is_heard(root: Path) -> None:
    (root / "out").symlink_to("/")
    (root / "compose.yaml").write_text(compose(VALUE) + "  broken: [\n")
    events = {event.path: event for event in heard(root)}
    assert "leads out" in events["out"].unscanned[0].reason
    assert events["compose.yaml"].unscanned[0].partial
    assert events["compose.yaml"].sightings


def test_nothing_heard_or_read_shows_a_value(root: Path) -> None:
    (root / "compose.yaml").write_text(compose(VALUE))
    assert VALUE not in repr(heard(root)) + repr(list(api.sightings(root)))


def test_a_root_that_was_never_scanned_has_none_and_gets_no_inventory(root: Path) -> None:
    assert list(api.sightings(root)) == []
    assert not (root / ".secretscan").exists()


def test_a_place_in_the_vault_has_its_name(root: Path) -> None:
    (root / "compose.yaml").write_text(compose(VALUE))
    (found,) = api.scan([str(root)]).found
    with Inventory(root, load_ids().fingerprint()) as store:
        store.stored(found.secret, "password", "strong", "https://shop.vault.azure.net", "shop-db", "v1")
        store.mark("compose.yaml", [found.finding.location.pointer], "migrated")
    ((sighting,),) = api.sightings(root)
    assert (sighting.name, sighting.state) == ("shop-db", "migrated")
    table = table_of((sighting,))
    table.replace("compose.yaml", ())
    assert table[0].state == "migrated"


def finding(at: int) -> Finding:
    place = Location("tree", f"d{at % 7}/f", Span(0, 1), 9, 1, 9, 2, f"p{at}", "K", "compose")
    return Finding("rule", "password", "strong", "high", place, Plaintext(b"never read here"))


@pytest.mark.parametrize("many", [1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_every_place_comes_once_in_batches(root: Path, many: int) -> None:
    with Inventory(root, load_ids().fingerprint()) as store:
        store.record([(f"{at % 50:032x}", finding(at)) for at in range(many)], [])
    batches = list(api.sightings(root))
    assert sorted(sighting.pointer for batch in batches for sighting in batch) == sorted(f"p{at}" for at in range(many))
    assert max(map(len, batches)) <= BATCH


def test_a_scan_may_write_between_two_batches(root: Path) -> None:
    with Inventory(root, load_ids().fingerprint()) as store:
        store.record([(f"{at:032x}", finding(at)) for at in range(BATCH + 5)], [])
        reading = api.sightings(root)
        first = next(reading)
        store.record([("f" * 32, finding(1))], [])
        assert len({sighting.pointer for batch in (first, *reading) for sighting in batch}) == BATCH + 5


@pytest.mark.parametrize(
    "change",
    [
        "line = 'x'",
        "line = -1",
        "line = 1 << 40",
        "path = x'00ff'",
        "path = CAST(x'ff' AS TEXT)",
        "state = 'odd'",
        "encoding = '['",
        "encoding = '5'",
        "encoding = (SELECT replace(hex(zeroblob(100000)), '0', '['))",
        "ordinal = 1.5",
    ],
)
def test_a_row_that_cannot_be_ours_is_a_message(root: Path, change: str) -> None:
    with Inventory(root, load_ids().fingerprint()) as store:
        store.record([("0" * 32, finding(1))], [])
    with sqlite3.connect(root / ".secretscan" / "inventory.db") as db:
        db.execute(f"UPDATE occurrence SET {change}")  # noqa: S608
    db.close()
    with pytest.raises(InventoryBroken):
        list(api.sightings(root))
