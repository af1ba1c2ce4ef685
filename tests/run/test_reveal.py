"""One value is shown to who asks for it: only that value, and only once it is on record."""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
import resource
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from rewriters import Plaintext
from secretscan import api
from secretscan.errors import ChangedSince, JournalBroken, UsageError
from secretscan.inventory.ids import load_ids
from secretscan.model import Sighting
from secretscan.run.journal import Chain
from secretscan.run.reveal import _FORM

FIRST, SECOND = "Zt81mwQx55Lk", "n0W8rdLz37Ty"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "tree"
    root.mkdir()
    (root / ".env").write_text(f"DB_PASSWORD={FIRST}\nAPI_TOKEN={SECOND}\n")
    api.scan([str(root)])
    return root


def sightings(root: Path) -> dict[tuple[str, str], Sighting]:
    return {(each.path, each.pointer): each for batch in api.sightings(root) for each in batch}


def sighting(root: Path) -> Sighting:
    return sightings(root)[".env", "DB_PASSWORD"]


def record(root: Path) -> list[dict[str, Any]]:
    file = root / ".secretscan" / "reveals.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if os.path.lexists(file) else []


def test_shows_every_place_of_the_shop_once_it_is_journaled(shop: Path) -> None:
    found = {(each.secret, each.finding.location.path): each.finding.value for each in api.scan([str(shop)]).found}
    places = sightings(shop)
    assert len(places) > 8
    for done, place in enumerate(places.values(), 1):
        assert api.reveal(shop, place) == found[place.secret, place.path]
        line = record(shop)[-1]
        assert len(record(shop)) == done
        assert (line["path"], line["pointer"], line["line"]) == (place.path, place.pointer, place.line)
        assert line["secret"] == place.secret
        assert line["who"] == pwd.getpwuid(os.geteuid()).pw_name
        assert line["at"] > 1.7e9
    text = (shop / ".secretscan" / "reveals.jsonl").read_bytes()
    assert not any(value.reveal() in text for value in found.values())
    chain = "0" * 64
    for line in text.splitlines(keepends=True):
        assert json.loads(line)["chain"] == chain
        chain = sha256(line).hexdigest()
    assert (shop / ".secretscan" / "reveals.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_value_that_moved_within_the_file_is_shown_with_its_new_place(root: Path) -> None:
    place = sighting(root)
    (root / ".env").write_text(f"# more\n\nDATABASE_PASSWORD={FIRST}\n")
    assert api.reveal(root, place) == Plaintext(FIRST.encode())
    assert (record(root)[0]["pointer"], record(root)[0]["line"]) == ("DATABASE_PASSWORD", 3)


def test_the_place_that_was_asked_for_is_on_record(root: Path) -> None:
    (root / ".env").write_text("".join(f"PASSWORD_{each}={FIRST}\n" for each in range(5)))
    api.scan([str(root)])
    api.reveal(root, sightings(root)[".env", "PASSWORD_3"])
    assert (record(root)[0]["pointer"], record(root)[0]["line"]) == ("PASSWORD_3", 4)


def test_a_whole_text_that_was_moved_and_is_back(shop: Path, local: Any) -> None:
    text = f"amqp://shop:{FIRST}x9@broker:5672/"
    (shop / ".env").write_text(f"BROKER={text}\n")
    plan = api.plan([str(shop / ".env")], local.url, local.vault).plan
    done = api.apply(plan, local.vault)
    api.undo(shop, done.run, local.vault)
    place = next(each for batch in api.sightings(shop) for each in batch if each.secret == plan.secrets[0].id)
    assert api.reveal(shop, place) == Plaintext(text.encode())


def test_a_file_name_that_is_no_text(root: Path) -> None:
    name = os.fsdecode(b"\xff\xa0.env")
    (root / ".env").rename(root / name)
    api.scan([str(root)])
    place = next(each for each in sightings(root).values() if "\\udc" in each.path and each.pointer == "API_TOKEN")
    assert api.reveal(root, place) == Plaintext(SECOND.encode())


def other_value(file: Path) -> None:
    file.write_text(file.read_text().replace(FIRST, "hB7c9QxLw2Pf"))


def exchanged(file: Path) -> None:
    file.write_text(f"DB_PASSWORD={SECOND}\nAPI_TOKEN={SECOND}\n")


def linked(file: Path) -> None:
    file.rename(file.with_name("real"))
    file.symlink_to("real")


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("change", [other_value, exchanged, linked, pipe, folder, Path.unlink])
def test_another_value_is_never_shown(change: Callable[[Path], None], root: Path) -> None:
    place = sighting(root)
    change(root / ".env")
    with pytest.raises(ChangedSince) as caught:
        api.reveal(root, place)
    assert caught.value.why
    assert caught.value.next_step
    assert record(root) == []


def test_after_a_migration_the_vault_has_it(shop: Path, local: Any) -> None:
    api.apply(api.plan([str(shop)], local.url, local.vault).plan, local.vault)
    place = next(each for each in sightings(shop).values() if each.state == "migrated")
    with pytest.raises(ChangedSince) as caught:
        api.reveal(shop, place)
    assert place.name in caught.value.next_step


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "link/outside", "", "a\0b"])
def test_a_place_outside_of_the_root_is_refused(path: str, root: Path) -> None:
    (root.parent / "outside").write_text(f"DB_PASSWORD={FIRST}\n")
    (root / "link").symlink_to(root.parent)
    with pytest.raises(UsageError):
        api.reveal(root, dataclasses.replace(sighting(root), path=path))
    assert record(root) == []


def test_a_place_in_no_file_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="files"):
        api.reveal(root, dataclasses.replace(sighting(root), source="image"))


def link(place: Path) -> None:
    place.symlink_to(place.parents[2] / "outside")


def linked_to_a_file(place: Path) -> None:
    (place.parents[2] / "outside").write_text("")
    place.symlink_to(place.parents[2] / "outside")


def a_pipe(place: Path) -> None:
    os.mkfifo(place)


def a_folder(place: Path) -> None:
    place.mkdir()


def noise(place: Path) -> None:
    place.write_bytes(b"\xff\x00{\n")


def another_chain(place: Path) -> None:
    place.write_text('{"seq":0,"chain":"none"}\n')


def deep(place: Path) -> None:
    place.write_text("[" * 100_000 + "\n")


def odd_types(place: Path) -> None:
    line = {"seq": 0, "at": "now", "who": 1, "path": [], "pointer": {}, "line": "", "secret": "", "chain": "0" * 64}
    place.write_text(json.dumps(line) + "\n")


def endless(place: Path) -> None:
    place.touch()
    os.truncate(place, 1 << 40)


def no_folder(place: Path) -> None:
    place.parent.rename(place.parents[1] / "was")
    place.parent.write_text("")


def linked_folder(place: Path) -> None:
    place.parent.rename(place.parents[1] / "was")
    place.parent.symlink_to("was")


@pytest.mark.parametrize(
    "hostile",
    [
        link,
        linked_to_a_file,
        a_pipe,
        a_folder,
        noise,
        another_chain,
        deep,
        odd_types,
        endless,
        no_folder,
        linked_folder,
    ],
)
def test_what_cannot_be_journaled_is_not_shown(hostile: Callable[[Path], None], root: Path) -> None:
    place = sighting(root)
    hostile(root / ".secretscan" / "reveals.jsonl")
    before = sorted(path.name for path in root.parent.iterdir())
    with pytest.raises(JournalBroken) as caught:
        api.reveal(root, place)
    assert caught.value.next_step
    assert sorted(path.name for path in root.parent.iterdir()) == before
    if (root.parent / "outside").exists():
        assert (root.parent / "outside").read_text() == ""


def test_a_disk_that_takes_nothing_more(root: Path) -> None:
    place = sighting(root)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(JournalBroken):
            api.reveal(root, place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert api.reveal(root, place) == Plaintext(FIRST.encode())


def test_a_torn_end_is_cut_off(root: Path) -> None:
    api.reveal(root, sighting(root))
    with (root / ".secretscan" / "reveals.jsonl").open("a") as file:
        file.write('{"seq":1,"a')
    api.reveal(root, sighting(root))
    assert [line["seq"] for line in record(root)] == [0, 1]


def test_two_at_a_time_are_one_too_many(root: Path) -> None:
    place = sighting(root)
    with (
        Chain(root / ".secretscan" / "reveals.jsonl", _FORM),
        pytest.raises(JournalBroken, match="another process"),
    ):
        api.reveal(root, place)
    assert record(root) == []


def test_another_users_key_shows_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = sighting(root)
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(root.parent / "other"))
    assert load_ids().secret(Plaintext(FIRST.encode())) != place.secret
    with pytest.raises(ChangedSince):
        api.reveal(root, place)
    assert record(root) == []
