"""Places with their lines: what is still there, what is not, and never a value, whatever the file is."""

from __future__ import annotations

import base64
import json
import os
import re
import string
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from secretscan import api
from secretscan.detect.scan import MOST_WHOLE
from secretscan.inventory.ids import load_ids
from secretscan.model import Sighting
from secretscan.review.inspect import LONGEST, Inspection, Seen
from secretscan.vault.server import EmbeddedVault

VALUE = "Zt81mw" + "QxLk55Yp"
OTHER = "Hv40ns" + "RdJa17Wc"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def sightings(root: Path) -> list[Sighting]:
    api.scan([str(root)])
    return [sighting for batch in api.sightings(root) for sighting in batch if sighting.state == "present"]


def only(inspection: Inspection) -> Seen:
    (seen,) = inspection.places
    return seen


def text(seen: Seen) -> list[str]:
    return [f"{line.number} {line.text}" for line in seen.lines]


def spellings(value: str) -> Iterator[str]:
    """As the canary test searches for them, and a little more."""
    raw = value.encode()
    yield value
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw).decode()
        inner = coded[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
    escaped = quote(value, safe="")
    yield from (escaped, re.sub("%..", lambda match: match[0].lower(), escaped))
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], raw.hex(), raw.hex().upper())


COMPOSE = """\
# above
services:
  db:
    image: postgres:16
    environment:
      DB_PASSWORD: {}
      LOG_LEVEL: info
    restart: always
  web:
    image: web
"""


def test_shows_the_lines_around_with_the_value_masked(root: Path) -> None:
    (root / "compose.yaml").write_text(COMPOSE.format(VALUE))
    found = sightings(root)
    inspection = api.inspect(root, found, around=2)
    seen = only(inspection)
    assert (seen.path, seen.state, seen.line, seen.reason, seen.trouble) == ("compose.yaml", "there", 6, "", "")
    assert "value" in inspection.why_found
    assert seen.references
    assert text(seen) == [
        "4     image: postgres:16",
        "5     environment:",
        "6       DB_PASSWORD: ***",
        "7       LOG_LEVEL: info",
        "8     restart: always",
    ]
    assert [line.number for line in only(api.inspect(root, found, around=99)).lines] == list(range(1, 12))


def test_a_place_that_moved_is_there_and_one_that_changed_is_not(root: Path) -> None:
    (root / "compose.yaml").write_text(COMPOSE.format(VALUE))
    found = sightings(root)
    (root / "compose.yaml").write_text("# one more\n" + COMPOSE.format(VALUE))
    assert (only(api.inspect(root, found)).state, only(api.inspect(root, found)).line) == ("there", 7)
    (root / "compose.yaml").write_text("# one more\n" + COMPOSE.format(OTHER))
    seen = only(api.inspect(root, found))
    assert (seen.state, seen.line) == ("changed", 7)
    assert OTHER not in repr(seen)
    (root / "compose.yaml").write_text("services: {}\n")
    seen = only(api.inspect(root, found, around=0))
    assert (seen.state, text(seen)) == ("changed", ["2 "])
    (root / "compose.yaml").write_text("")
    assert text(only(api.inspect(root, found))) == ["1 "]
    (root / "compose.yaml").unlink()
    seen = only(api.inspect(root, found))
    assert (seen.state, seen.lines, seen.line) == ("gone", (), 0)


def test_a_place_without_reference_says_why(root: Path) -> None:
    (root / "app.conf").write_text(f"password = {VALUE}\n")
    seen = only(api.inspect(root, sightings(root)))
    assert (seen.state, seen.references) == ("there", ())
    assert "no supported platform" in seen.reason


def test_a_whole_text_that_was_moved_is_found_and_masked(root: Path) -> None:
    """A plan moves the text around a password as a secret of its own, which no scan finds."""
    (root / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n"
        f"  config: |\n    user: shop\n    password: {VALUE}\n"
    )
    with EmbeddedVault() as server, server.client() as vault:
        draft = api.plan([str(root)], vault.url, vault)
        done = api.apply(draft.plan, vault, root=root)
        api.undo(root, done.run, vault)
    whole = [sighting for batch in api.sightings(root) for sighting in batch if sighting.rule == "plan"]
    assert whole
    for seen in api.inspect(root, whole).places:
        assert seen.state == "there"
        assert "shop" not in " ".join(text(seen))


@settings(max_examples=40)
@given(
    st.text(string.ascii_letters + string.digits + "/+&%=äß", min_size=16, max_size=30).filter(
        lambda value: any(char.isdigit() for char in value) and any(char.isupper() for char in value)
    ),
    st.text(" \t\x1b\u202e\u2028\x85\x0c\r:#", max_size=10),
)
def test_no_spelling_of_a_value_is_shown(tmp_path_factory: pytest.TempPathFactory, value: str, odd: str) -> None:
    root = tmp_path_factory.mktemp("inspect")
    forms = "".join(f"# {odd}see {form}{odd}\n" for form in spellings(value))
    quoted = json.dumps(value, ensure_ascii=False)
    (root / "compose.yaml").write_text(
        f"{forms}services:\n  a:\n    environment:\n      DB_PASSWORD: {quoted}\n{forms}"
    )
    coded = base64.b64encode(value.encode()).decode()
    (root / "secret.yaml").write_text(
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\ndata:\n  password: {coded}\n{forms}"
    )
    (root / "other.env").write_text(f"{forms}DB_PASSWORD={OTHER}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path_factory.getbasetemp() / "state"))
        found = sightings(root)
        inspection = api.inspect(root, found, around=99)
    assume({sighting.path for sighting in found} == {"compose.yaml", "secret.yaml", "other.env"})  # not "/like/a/path"
    for place in inspection.places:
        assert place.state == "there"
        for line in place.lines:
            assert line.text.isprintable()
            assert not [form for form in spellings(value) if form in line.text]
    assert value not in repr(inspection)


def test_a_value_over_several_lines_keeps_the_lines_in_their_places(root: Path) -> None:
    body = "\n".join(base64.b64encode(os.urandom(48)).decode() for _ in range(12))
    kind = "RSA PRIVATE " + "KEY"
    key = f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"
    (root / "keys.txt").write_text(f"first\n{key}\nlast\nagain\n{key}\nend\n")
    found = sightings(root)
    assert found
    for around in (0, 1, 40):
        for seen in api.inspect(root, found, around=around).places:
            shown = {line.number: line.text for line in seen.lines}
            assert not any(line in each for each in shown.values() for line in body.split("\n"))
            assert all(shown.get(number, word) == word for number, word in ((1, "first"), (16, "last"), (32, "end")))


def test_utf_16_is_read_and_masked(root: Path) -> None:
    for codec, bom in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        (root / f"{codec}.conf").write_bytes(bom + f"ä€𝄞\npassword = {VALUE}\nöx\n".encode(codec))
    found = sightings(root)
    assert len(found) == 2
    for seen in api.inspect(root, found).places:
        assert text(seen) == ["1 ä€𝄞", "2 password = ***", "3 öx", "4 "]


def test_of_a_long_line_the_part_with_the_place_is_shown(root: Path) -> None:
    filler = json.dumps({f"n{at}": at for at in range(3000)})[1:-1]
    (root / "app.json").write_text(f'{{{filler}, "db_password": "{VALUE}", {filler}}}\n')
    seen = only(api.inspect(root, sightings(root)))
    assert len(seen.lines[0].text) <= LONGEST + 6
    assert '"db_password": "***"' in seen.lines[0].text


def test_names_that_are_not_utf_8(root: Path) -> None:
    (root / os.fsdecode(b"caf\xe9.env")).write_text(f"DB_PASSWORD={VALUE}\n")
    seen = only(api.inspect(root, sightings(root)))
    assert (seen.state, seen.path, text(seen)[0]) == ("there", "caf\\udce9.env", "1 DB_PASSWORD=***")


def at(path: str) -> Sighting:
    return Sighting("0" * 32, "jwt", "token", "strong", "tree", path, "", "", "", (), 1, 1, 0)


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../state/id.key", "a/../../state/id.key", ".git/config", ".secretscan/x", "a\0b", "a//b", "."],
)
def test_no_path_of_a_forged_inventory_leads_anywhere(root: Path, path: str) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text(f"password = {VALUE}\n")
    load_ids()
    seen = only(api.inspect(root, [at(path)]))
    assert (seen.state, seen.lines) == ("unreadable", ())


def test_links_and_what_is_no_file_are_not_read(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("secret\n")
    (root / "link").symlink_to(outside / "f")
    (root / "folder").symlink_to(outside)
    (root / "dir").mkdir()
    os.mkfifo(root / "pipe")
    with (root / "large").open("wb") as file:
        file.truncate(MOST_WHOLE + 1)
    paths = ["link", "folder/f", "dir", "pipe", "large", "missing", "link/f", "x" * 5000]
    states = {seen.path: seen for seen in api.inspect(root, [at(path) for path in paths]).places}
    assert {path: seen.state for path, seen in states.items()} == dict.fromkeys(paths, "unreadable") | {
        "missing": "gone"
    }
    assert all(not seen.lines and seen.trouble for seen in states.values())
    assert "symbolic link" in states["folder/f"].trouble
    assert "MiB" in states["large"].trouble


def test_a_file_that_a_platform_cannot_read_says_so(root: Path) -> None:
    (root / "compose.yaml").write_text(COMPOSE.format(VALUE) + "  x: [\n")
    for seen in api.inspect(root, sightings(root)).places:
        assert (seen.state, VALUE in repr(seen)) == ("there", False)
        assert "only searched as text" in seen.trouble


@settings(max_examples=30)
@given(st.binary(max_size=400), st.integers(0, 40), st.integers(1, 2**31 - 1))
def test_any_bytes_are_shown_as_text(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, around: int, line: int
) -> None:
    folder = tmp_path_factory.mktemp("inspect")
    (folder / "f").write_bytes(data)
    sighting = Sighting("0" * 32, "jwt", "token", "strong", "tree", "f", "", "", "", (), line, 1, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path_factory.getbasetemp() / "state"))
        seen = only(api.inspect(folder, [sighting], around=around))
    assert seen.state == "changed"
    assert all(line.text.isprintable() for line in seen.lines)
    assert seen.line in [line.number for line in seen.lines]


def test_nothing_is_written(root: Path) -> None:
    (root / "f").write_text("x\n")
    load_ids()
    api.inspect(root, [at("f")])
    assert os.listdir(root) == ["f"]


def test_every_rule_has_words(root: Path) -> None:
    from secretscan.detect.catalog import describe
    from secretscan.detect.ruleset import load

    assert all(describe(rule.id) for rule in load())
    assert describe("credential-by-name")
    assert describe("plan")
    assert describe("x\x1b") == ""
