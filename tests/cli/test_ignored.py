"""What the command line says of the ignore file: nothing is left out in silence, and nothing that does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from secretscan import api
from secretscan.inventory.folder import IGNORE_FILE
from secretscan.inventory.marks import Mark

URL = "https://shop.vault.azure.net"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three findings, of which one is left when the first two are marked."""
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "shop"
    root.mkdir()
    (root / ".env").write_text("A_PASSWORD=Zt81mwQx55Lk\nB_PASSWORD=Yt72nwPx44Mj\nC_PASSWORD=Xs63owOx33Ni\n")
    first, second, _ = api.scan([str(root)], record=False).found
    api.mark(
        root,
        [
            Mark("accepted", first.secret, reason="tests only", owner="ops"),
            Mark("false-alarm", second.secret, reason="an example"),
            Mark("false-alarm", "a" * 32, reason="over", until="2020-01-31"),
            Mark("false-alarm", "b" * 32, reason="of somebody else", key="0123456789abcdef"),
        ],
    )
    with (root / IGNORE_FILE).open("a") as file:
        file.write("\x1b[2Jnot an entry\n")
    return root


def secretscan(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "secretscan", *words],
        cwd=root,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "internal error" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    return done


SAID = ("2 ignored: 1 accepted, 1 false alarm", "1 mark expired", "1 mark under another key", "1 line not understood")


def test_text(root: Path) -> None:
    done = secretscan(root, "scan")
    assert done.returncode == 1
    head, _, tail = done.stdout.partition(f"{IGNORE_FILE}\n")
    assert [line for line in head.splitlines() if "_PASSWORD" in line] == ["  3:12  strong password  C_PASSWORD"]
    assert tail.splitlines() == [f"  {phrase}" for phrase in SAID]
    assert f"1 credential (1 distinct) in 2 files; {'; '.join(SAID)}; " in done.stderr
    assert f"{IGNORE_FILE}:6: " in done.stderr


def test_jsonl(root: Path) -> None:
    done = secretscan(root, "scan", "--format", "jsonl")
    found, *counts = (json.loads(line) for line in done.stdout.splitlines())
    assert found["line"] == 3
    assert counts == [
        {"ignored": 1, "mark": "accepted"},
        {"ignored": 1, "mark": "false-alarm"},
        {"idle": 1, "why": "expired"},
        {"idle": 1, "why": "foreign"},
        {"idle": 1, "why": "flawed"},
    ]


def test_with_all_of_it_marked_nothing_is_found_and_all_is_said(root: Path) -> None:
    (root / ".env").write_text("A_PASSWORD=Zt81mwQx55Lk\nB_PASSWORD=Yt72nwPx44Mj\n")
    done = secretscan(root, "scan", "-q")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [IGNORE_FILE, *(f"  {phrase}" for phrase in SAID)]
    done = secretscan(root, "scan", "--format", "jsonl")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 5
    done = secretscan(root, "plan", "--vault", URL, "--offline")
    assert done.returncode == 0
    assert "marked as accepted: tests only (ops)" in done.stdout
    assert "2 stay, 2 of them as marked" in done.stderr


def test_what_nobody_marked_still_counts_for_a_plan(root: Path) -> None:
    (root / "notes.txt").write_text("PASSWORD=Wr54pvNx22Oh\n")
    done = secretscan(root, "plan", "--vault", URL, "--offline")
    assert done.returncode == 1
    assert "3 stay, 2 of them as marked" in done.stderr


def test_a_link_is_not_read_and_that_is_said(root: Path) -> None:
    outside = root.parent / "outside"
    (root / IGNORE_FILE).rename(outside)
    (root / IGNORE_FILE).symlink_to(outside)
    done = secretscan(root, "scan")
    assert done.returncode == 1
    assert "; the ignore file not read; " in done.stderr
    assert "it is a link, which is not followed; nothing is marked" in done.stderr
    assert "_PASSWORD" in done.stdout


def test_a_clean_folder_has_nothing_to_say(tmp_path: Path) -> None:
    done = secretscan(tmp_path, "scan")
    assert (done.returncode, done.stdout) == (0, "")
    assert "ignore" not in done.stderr
