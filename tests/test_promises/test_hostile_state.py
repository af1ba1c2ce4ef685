"""Promise 9: a pull request can bring a `.secretscan` folder. It leads nowhere and runs nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from secretscan import api
from secretscan.inventory.folder import IGNORE_FILE
from secretscan.run.folder import begin

RUN = "20261124-201500-0a1b"


def secretscan(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """One command in the root; it ends by itself, and with a message."""
    done = subprocess.run(
        [sys.executable, "-m", "secretscan", *words],
        cwd=root,
        env={**os.environ, "SECRETSCAN_STATE_DIR": str(root.parent / "state")},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    return done


def linked_folder(root: Path, outside: Path) -> None:
    (root / ".secretscan").symlink_to(outside)


def dangling_folder(root: Path, outside: Path) -> None:
    (root / ".secretscan").symlink_to(outside / "made")


def a_file(root: Path, outside: Path) -> None:
    (root / ".secretscan").write_text("no folder")


def linked_ignore(root: Path, outside: Path) -> None:
    (root / ".secretscan").mkdir()
    (root / ".secretscan" / ".gitignore").symlink_to(outside / "made")


def linked_inventory(root: Path, outside: Path) -> None:
    (root / ".secretscan").mkdir()
    (root / ".secretscan" / "inventory.db").symlink_to(outside / "made")


def pipe_for_an_inventory(root: Path, outside: Path) -> None:
    (root / ".secretscan").mkdir()
    os.mkfifo(root / ".secretscan" / "inventory.db")


def folder_for_an_inventory(root: Path, outside: Path) -> None:
    (root / ".secretscan" / "inventory.db").mkdir(parents=True)


def noise_for_an_inventory(root: Path, outside: Path) -> None:
    (root / ".secretscan").mkdir()
    (root / ".secretscan" / "inventory.db").write_bytes(os.urandom(9000))


def endless_inventory(root: Path, outside: Path) -> None:
    (root / ".secretscan").mkdir()
    with sqlite3.connect(root / ".secretscan" / "inventory.db") as db:
        db.execute(
            "CREATE VIEW meta AS WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n)"
            " SELECT value, 'key' AS name FROM n WHERE value < 0"
        )
        db.execute("PRAGMA user_version = 1")
    db.close()


def linked_runs(root: Path, outside: Path) -> None:
    (root / ".secretscan").mkdir()
    (outside / RUN).mkdir()
    (outside / RUN / "plan.json").write_text("{}")
    (root / ".secretscan" / "runs").symlink_to(outside)


def pipe_for_a_plan(root: Path, outside: Path) -> None:
    folder = root / ".secretscan" / "runs" / RUN
    folder.mkdir(parents=True)
    os.mkfifo(folder / "plan.json")


def endless_plan(root: Path, outside: Path) -> None:
    folder = root / ".secretscan" / "runs" / RUN
    folder.mkdir(parents=True)
    (folder / "plan.json").symlink_to("/dev/zero")


def plan_of_other_bytes(root: Path, outside: Path) -> None:
    folder = root / ".secretscan" / "runs" / RUN
    folder.mkdir(parents=True)
    (folder / "plan.json").write_bytes(b"\xff\xfe{}")


def name_with_control_characters(root: Path, outside: Path) -> None:
    folder = root / ".secretscan" / "runs" / "\x1b[2Jrun"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text("{}")


def linked_marks(root: Path, outside: Path) -> None:
    (root / IGNORE_FILE).symlink_to(outside / "made")


def endless_marks(root: Path, outside: Path) -> None:
    (root / IGNORE_FILE).symlink_to("/dev/zero")


def pipe_for_marks(root: Path, outside: Path) -> None:
    os.mkfifo(root / IGNORE_FILE)


def odd_marks(root: Path, outside: Path) -> None:
    """Control characters, deep JSON, a number of many digits, bytes that are no text."""
    lines = (
        b"\x1b[2J",
        b"[" * 100_000,
        b'{"id": ' * 1000,
        b'{"until": ' + b"9" * 8000 + b"}",
        b"\xff\xfe{\0}",
        b'"\\ud800"',
    )
    (root / IGNORE_FILE).write_bytes(b"\n".join(lines))


HOSTILE: list[Callable[[Path, Path], None]] = [
    linked_folder,
    dangling_folder,
    a_file,
    linked_ignore,
    linked_inventory,
    pipe_for_an_inventory,
    folder_for_an_inventory,
    noise_for_an_inventory,
    endless_inventory,
    linked_runs,
    pipe_for_a_plan,
    endless_plan,
    plan_of_other_bytes,
    name_with_control_characters,
    linked_marks,
    endless_marks,
    pipe_for_marks,
    odd_marks,
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_brought_folder_leads_nowhere(hostile: Callable[[Path, Path], None], tmp_path: Path) -> None:
    root, outside = tmp_path / "tree", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / ".env").write_text("DB_PASSWORD=Zt81mwQx55Lk\n")
    hostile(root, outside)
    before = sorted(outside.rglob("*"))
    assert secretscan(root, "scan").returncode == 1
    for words in (("status",), ("inventory",), ("plan", "--offline", "--vault", "https://shop.vault.azure.net")):
        assert secretscan(root, *words).returncode in (0, 3), words
    undo = secretscan(root, "undo", RUN)
    assert undo.returncode in (2, 3)
    assert "next:" in undo.stderr
    assert sorted(outside.rglob("*")) == before


def test_a_journal_that_is_a_pipe_ends_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's plan can be copied from anywhere; only its journal is not what it should be."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / ".env").write_text("DB_PASSWORD=Zt81mwQx55Lk\n")
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    run = begin(root, api.plan([str(root)], "https://shop.vault.azure.net", None).plan)
    os.mkfifo(run.journal)
    status = secretscan(root, "status")
    assert status.returncode == 0
    assert run.id in status.stdout
    assert "journal" in status.stdout
