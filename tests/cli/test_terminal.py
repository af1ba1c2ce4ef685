"""At a terminal: the question of `migrate`, asked and answered on a real pseudo-terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from secretscan.vault.server import EmbeddedVault


def converse(words: list[str], where: Path, state: Path, answer: bytes) -> tuple[int, bytes]:
    """Runs a command with a terminal of its own and answers its question; the exit status and all that was shown."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(where)
        os.environ["SECRETSCAN_STATE_DIR"] = str(state)
        os.execv(sys.executable, [sys.executable, "-m", "secretscan", *words])  # noqa: S606
    shown, answered, until = b"", False, time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other side has closed
            break
        if not data:
            break
        shown += data
        if not answered and b"[y/N]" in shown:
            os.write(terminal, answer)
            answered = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the child becomes another program at once
@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 3), (b"\n", 3)])
def test_migrate_asks_and_does_what_is_answered(tmp_path: Path, answer: bytes, status: int) -> None:
    value = "Hq2v" + "8sLwT0" + "bNfX"
    folder = tmp_path / "app"
    folder.mkdir()
    compose = folder / "compose.yaml"
    compose.write_text(f"services:\n  api:\n    image: alpine\n    environment:\n      API_PASSWORD: {value}\n")
    with EmbeddedVault(("asked",)) as server:
        descriptor = tmp_path / "vault.json"
        descriptor.touch(mode=0o600)
        descriptor.write_text(
            json.dumps(
                {
                    "azure_url": server.azure_url(),
                    "proxy": server.proxy_url,
                    "ca_file": str(server.ca_file),
                    "token": server.token,
                }
            )
        )
        words = ["migrate", "app", "--vault", server.azure_url(), "--local", str(descriptor)]
        ended, shown = converse(words, tmp_path, tmp_path / "state", answer)
    assert ended == status, shown
    assert (value not in compose.read_text()) == (status == 0)
    assert value.encode() not in shown
