"""Bad input at the command line: one clear message with what, where and what to do next; never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from secretscan.cli.options import cancellable
from secretscan.cli.stderr import Speaker
from secretscan.errors import Cancelled, ConfigurationError
from secretscan.inventory.ids import load_ids

Done = subprocess.CompletedProcess[str]


def secretscan(tmp_path: Path, *words: str, where: Path | None = None) -> Done:
    environment = {**os.environ, "SECRETSCAN_STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "secretscan", *words],
        cwd=where or tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    return done


def test_no_such_folder(tmp_path: Path) -> None:
    done = secretscan(tmp_path, "scan", "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "next:" in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "a" / "compose.yaml").chmod(0)
    done = secretscan(tmp_path, "scan", "a")
    assert done.returncode == 3
    assert "compose.yaml" in done.stdout


@pytest.mark.parametrize(
    "data",
    [
        b"services:\n  db:\n   environment: {A: 1\n",
        "services:\n  db:\n    image: caf\xe9\n".encode("latin-1"),
        "services:\n  db:\n    image: postgres\n".encode("utf-16"),
        b"services:\n" + b"".join(b" " * i + b"a:\n" for i in range(1, 400)),
        b"services: &a [*a, *a]\nx: *nobody\n",
    ],
    ids=["broken", "latin-1", "utf-16", "deep", "alias"],
)
def test_a_manifest_that_cannot_be_read_is_named_and_never_clean(tmp_path: Path, data: bytes) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "compose.yaml").write_bytes(data)
    done = secretscan(tmp_path, "scan", "a")
    assert done.returncode == 3
    assert "compose.yaml" in done.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_text_of_another_charset_is_still_searched(tmp_path: Path, encoding: str) -> None:
    text = "services:\n  db:\n    image: caf\xe9\n    environment:\n      POSTGRES_PASSWORD: Zt81mwQx55Lk\n"
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "compose.yaml").write_bytes(text.encode(encoding))
    done = secretscan(tmp_path, "scan", "a", "--format", "jsonl")
    assert done.returncode == 1
    assert "Zt81" not in done.stdout


def test_crlf_and_byte_order_mark_are_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "compose.yaml").write_bytes(
        b"\xef\xbb\xbfservices:\r\n  db:\r\n    image: postgres\r\n"
        b"    environment:\r\n      POSTGRES_PASSWORD: Zt81mwQx55Lk\r\n"
    )
    assert secretscan(tmp_path, "scan", "a").returncode == 1


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "self").symlink_to(folder)
    (folder / "x").symlink_to("y")
    (folder / "y").symlink_to("x")
    done = secretscan(tmp_path, "scan", "a")
    assert done.returncode in (0, 3)


# A new process starts with its parent's peak as its own (Linux counts the memory that is given up at exec), and the
# process of the tests is large: a small one stands between.
_PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.slow
def test_a_line_of_one_gibibyte_in_under_200_mib(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    block = b"abcdefghij klmnop=" * (1 << 16)
    with (folder / "huge.txt").open("wb") as file:
        while file.tell() < 1 << 30:
            file.write(block)
        file.write(b" token ghp_" + b"".join(b"%02x" % (7 * i % 256) for i in range(3, 21)) + b" end")
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, sys.executable, "-m", "secretscan", "scan", "a", "--format", "jsonl"],
        cwd=tmp_path,
        env={**os.environ, "SECRETSCAN_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    (folder / "huge.txt").unlink()
    code, peak = map(int, done.stdout.split())
    assert code == 1
    assert peak < 200 * 1024, f"{peak // 1024} MiB"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("plan",), "--vault"),
        (("plan", "--vault", "shop"), "did you mean https://shop.vault.azure.net"),
        (("plan", "--vault", "http://shop.vault.azure.net"), "https only"),
        (("plan", "--vault", "https://shop.vault.azure.net", "--local", "nothing.json"), "descriptor"),
        (("apply",), "plan"),
        (("apply", "nothing.json"), "nothing.json"),
        (("apply", "--resume", "2026"), "no such run"),
        (("undo", "2026"), "no such run"),
        (("prove", "2026", "--root", "nowhere"), "nowhere"),
        (("scan", "--output", "no/such/folder/x"), "no/such/folder/x"),
        (("vault", "serve", "--name", "-"), "name"),
        (("nonsense",), "invalid choice"),
    ],
)
def test_wrong_usage_is_said(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    (tmp_path / ".env").write_text("DB_PASSWORD=Zt81mwQx55Lk\n")
    done = secretscan(tmp_path, *words)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_vault_that_cannot_be_reached(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DB_PASSWORD=Zt81mwQx55Lk\n")
    before = (tmp_path / ".env").read_bytes()
    (tmp_path / "ca.pem").write_text("")
    descriptor = tmp_path / "vault.json"
    descriptor.write_text(
        '{"azure_url": "https://shop.vault.azure.net", "proxy": "http://127.0.0.1:9", "token": "t", "ca_file": "'
        + str(tmp_path / "ca.pem")
        + '"}'
    )
    descriptor.chmod(0o600)
    done = secretscan(
        tmp_path, "migrate", "--vault", "https://shop.vault.azure.net", "--local", str(descriptor), "--yes"
    )
    assert done.returncode in (2, 3)
    assert "secretscan:" in done.stderr
    assert (tmp_path / ".env").read_bytes() == before


def test_control_characters_of_a_file_name_do_not_reach_the_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "\x1b[2Jx.env").write_text("DB_PASSWORD=Zt81mwQx55Lk\n")
    for form in ("text", "jsonl"):
        done = secretscan(tmp_path, "scan", "a", "--format", form)
        assert done.returncode == 1
        assert "\x1b" not in done.stdout + done.stderr


def test_a_file_name_that_is_not_utf_8_is_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.env")).write_text("DB_PASSWORD=Zt81mwQx55Lk\n")
    for counts in ("1 new, 0 known, 0 gone", "0 new, 1 known, 0 gone"):
        done = secretscan(tmp_path, "scan", "a")
        assert done.returncode == 1
        assert counts in done.stderr
    for words in (("inventory",), ("inventory", "--format", "jsonl"), ("status",)):
        assert secretscan(tmp_path, *words, "--root", "a").returncode == 0
    done = secretscan(tmp_path, "plan", "a", "--vault", "https://shop.vault.azure.net", "--offline")
    assert done.returncode == 1
    assert "name is not UTF-8" in done.stdout


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_change_no_outcome(closed: str, tmp_path: Path) -> None:
    for folder, status in (("a", 1), ("empty", 0)):
        (tmp_path / folder).mkdir()
        if status:
            (tmp_path / folder / ".env").write_text("DB_PASSWORD=Zt81mwQx55Lk\n")
        done = subprocess.run(
            ["/bin/sh", "-c", f'"$0" -m secretscan scan {folder} {closed}', sys.executable],
            cwd=tmp_path,
            env={**os.environ, "SECRETSCAN_STATE_DIR": str(tmp_path / "state")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status
        assert "internal error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_standard_output_is_a_message(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DB_PASSWORD=Zt81mwQx55Lk\n")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "secretscan", "scan"],
            cwd=tmp_path,
            env={**os.environ, "SECRETSCAN_STATE_DIR": str(tmp_path / "state")},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3
    assert "internal error" not in done.stderr
    assert "standard output" in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"P{n}_PASSWORD=Zt81mwQx55Lk{n:03}\n" for n in range(900)))
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m secretscan scan | head -n 1', sys.executable],
        cwd=tmp_path,
        env={**os.environ, "SECRETSCAN_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ".env\n"
    assert "rror" not in done.stderr


def test_without_a_home_the_key_goes_nowhere_near_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without an entry has `~` for a home folder, which is a folder of that name in the current one."""
    monkeypatch.delenv("SECRETSCAN_STATE_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "~")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load_ids()
    assert "SECRETSCAN_STATE_DIR" in caught.value.next_step
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_between_two_steps(asked: signal.Signals) -> None:
    before = signal.getsignal(asked)
    with cancellable(Speaker(quiet=True)) as cancellation:
        os.kill(os.getpid(), asked)
        with pytest.raises(Cancelled):
            cancellation.check()
    assert signal.getsignal(asked) == before
