"""What people marked stays as it is, with their reason; and what is said of it is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from secretscan import api
from secretscan.errors import UsageError
from secretscan.events import Event, Noted
from secretscan.inventory.folder import IGNORE_FILE
from secretscan.inventory.ids import load_ids
from secretscan.inventory.marks import Mark, add
from secretscan.plan.document import Plan

URL = "https://shop.vault.azure.net"
VALUE = "m7Q4kz0aVq9LdP2x"
TWO = f"postgres://u:{VALUE}@db/x?token=k39xLmQ0pz77abGt"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "shop"
    root.mkdir()
    return root


def secret_at(root: Path, path: str, line: int) -> str:
    found = api.scan([str(root)], record=False).found
    return next(
        item.secret for item in found if (item.finding.location.path, item.finding.location.line) == (path, line)
    )


def plan(root: Path, **more: bool) -> Plan:
    return api.plan([str(root)], URL, None, **more).plan


def test_a_marked_place_stays_with_its_reason_and_the_rest_moves(root: Path) -> None:
    (root / ".env").write_text(f"DB_PASSWORD={VALUE}\nAPI_TOKEN=k39xLmQ0pz77abGt\n")
    api.mark(root, [Mark("accepted", secret_at(root, ".env", 1), reason="tests only", owner="ops", until="2099-01-31")])
    made = plan(root)
    assert [move.key for move in made.moves] == ["API_TOKEN"]
    (left,) = made.left
    assert (left.line, left.mark) == (1, "accepted")
    assert left.reason == "marked as accepted: tests only (ops, until 2099-01-31)"
    assert IGNORE_FILE in left.alternative
    assert Plan.from_text(made.to_text(), "plan") == made


@pytest.mark.parametrize(
    ("more", "moves"),
    [
        ({}, 0),
        ({"path": ".env"}, 0),
        ({"path": "other.env"}, 1),
        ({"until": "2020-01-31"}, 1),
        ({"key": "0123456789abcdef"}, 1),
    ],
    ids=["everywhere", "here", "elsewhere", "expired", "foreign"],
)
def test_only_a_mark_that_holds_here_keeps_a_place(root: Path, more: dict[str, str], moves: int) -> None:
    (root / ".env").write_text(f"DB_PASSWORD={VALUE}\n")
    api.mark(root, [Mark("false-alarm", secret_at(root, ".env", 1), reason="an example", **more)])
    assert len(plan(root).moves) == moves
    scan = api.scan([str(root)])
    assert (len(scan.found), len(scan.ignored)) == (moves, 1 - moves)
    assert scan.outcome == (api.Outcome.LEAKS if moves else api.Outcome.CLEAN)
    assert len(api.inventory(root)[1]) == 1


def test_a_value_marked_in_one_file_moves_from_the_other(root: Path) -> None:
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / ".env").write_text(f"DB_PASSWORD={VALUE}\n")
    api.mark(root, [Mark("false-alarm", secret_at(root, "a/.env", 1), "a/.env", "an example")])
    made = plan(root)
    assert [move.path for move in made.moves] == ["b/.env"]
    assert [(left.path, left.mark) for left in made.left] == [("a/.env", "false-alarm")]


def test_a_part_stays_where_the_other_part_moves_alone(root: Path) -> None:
    """Compose substitutes within a text, so one of two credentials can stay."""
    (root / "compose.yaml").write_text(
        f"services:\n  a:\n    image: alpine\n    environment:\n      DATABASE_URL: {TWO}\n"
    )
    one, other = (item.secret for item in api.scan([str(root)], record=False).found)
    api.mark(root, [Mark("false-alarm", one, reason="an example")])
    made = plan(root)
    assert [move.secret for move in made.moves] == [other]
    assert [(left.secret, left.mark) for left in made.left] == [(one, "false-alarm")]


def test_what_is_marked_within_a_text_that_moves_whole_is_not_said_to_stay(root: Path) -> None:
    """An `.env` file has no substitution that every reader knows, so the text moves with all that is in it."""
    (root / ".env").write_text(f"DATABASE_URL={TWO}\n")
    one, other = (item.secret for item in api.scan([str(root)], record=False).found)
    api.mark(root, [Mark("false-alarm", one, reason="an example")])
    made = plan(root)
    assert len(made.moves) == 1
    assert made.moves[0].covers == (other,)
    assert made.left == ()
    api.mark(root, [Mark("false-alarm", other, reason="an example")])
    assert (len(plan(root).moves), len(plan(root).left)) == (0, 2)


def test_a_mark_stands_before_every_other_reason(root: Path) -> None:
    (root / "notes.txt").write_text(f"PASSWORD={VALUE}\n")
    (root / ".env").write_text("DB_PASSWORD=changeme\n")
    marks = [Mark("placeholder", item.secret, reason="x") for item in api.scan([str(root)], record=False).found]
    assert len(marks) == 2
    api.mark(root, marks)
    for placeholders in (False, True):
        made = plan(root, placeholders=placeholders)
        assert not made.moves
        assert {left.mark for left in made.left} == {"placeholder"}


def test_a_value_in_a_reason_is_in_no_plan(root: Path) -> None:
    (root / ".env").write_text(f"DB_PASSWORD={VALUE}\n")
    ids = load_ids()
    add(
        root,
        [
            Mark(
                "accepted",
                secret_at(root, ".env", 1),
                reason=f"{VALUE} is weak",
                owner=f"x{VALUE}x\ud800",
                key=ids.fingerprint(),
            )
        ],
    )
    made = plan(root)
    assert next(left for left in made.left if left.mark).reason == "marked as accepted: *** is weak (x***x\\ud800)"
    assert VALUE not in made.to_text()


@pytest.mark.parametrize("text", [VALUE, f"it is {VALUE}", f'"{VALUE}", for tests', f" {VALUE}\n"])
def test_a_reason_that_quotes_the_value_is_not_written(text: str, root: Path) -> None:
    (root / ".env").write_text(f"DB_PASSWORD={VALUE}\n")
    secret = secret_at(root, ".env", 1)
    for mark in (Mark("accepted", secret, reason=text, owner="ops"), Mark("accepted", secret, reason="x", owner=text)):
        assert "quotes the value" in api.mark_fault([mark])
        with pytest.raises(UsageError, match="quotes the value") as caught:
            api.mark(root, [mark])
        assert VALUE not in str(caught.value)
    assert not (root / IGNORE_FILE).exists()
    assert api.mark_fault([Mark("accepted", secret, reason="it is another", owner="ops")]) == ""


def test_undoing_a_mark_gives_back_both_the_finding_and_the_file(root: Path) -> None:
    (root / ".env").write_text(f"DB_PASSWORD={VALUE}\n")
    mark = Mark("false-alarm", secret_at(root, ".env", 1), reason="an example")
    assert api.mark(root, [mark]).entries[0].reason == "an example"
    assert api.marks(root).entries == api.mark(root, [mark]).entries
    assert api.unmark(root, [mark]).entries == ()
    assert not (root / IGNORE_FILE).exists()
    assert api.scan([str(root)]).outcome == api.Outcome.LEAKS


def test_flaws_are_said_by_scan_and_plan(root: Path) -> None:
    (root / ".env").write_text(f"DB_PASSWORD={VALUE}\n")
    (root / IGNORE_FILE).write_text("x\n" * 25)
    heard: list[Event] = []
    api.scan([str(root)], listener=heard.append)
    api.plan([str(root)], URL, None, listener=heard.append)
    said = [event.text for event in heard if isinstance(event, Noted)]
    assert len(said) == 22
    assert said[0].startswith(f"{IGNORE_FILE}:1: ")
    assert "15 more" in said[10]


def test_without_findings_the_ignore_file_is_looked_at_all_the_same(root: Path) -> None:
    (root / IGNORE_FILE).write_text("x\n")
    scan = api.scan([str(root)])
    assert scan.marks is not None
    assert (scan.outcome, scan.marks.flawed) == (api.Outcome.CLEAN, 1)
