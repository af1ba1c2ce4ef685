"""Promise 8: kill -9 between any two steps of the journal, then the same again, ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from secretscan.vault.server import EmbeddedVault

SHOP = Path(__file__).resolve().parents[2] / "fixtures" / "shop"
DRIVER = Path(__file__).with_name("kill_driver.py")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["apply", "apply-pinned", "undo"])
def test_killed_at_every_step(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "original").mkdir()
    for path in sorted(SHOP.rglob("*")):
        if path.is_file():
            copy = tmp_path / "original" / path.relative_to(SHOP)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    with EmbeddedVault(("planning",), open_names=True) as server:
        url = server.azure_url("planning")
        descriptor = tmp_path / "vault.json"
        descriptor.touch(mode=0o600)
        descriptor.write_text(
            json.dumps(
                {
                    "azure_url": url,
                    "proxy": server.proxy_url,
                    "ca_file": str(server.ca_file),
                    "token": server.token,
                }
            )
        )
        done = subprocess.run(
            [sys.executable, str(DRIVER), str(tmp_path), str(descriptor), url.removeprefix("https://planning"), mode],
            capture_output=True,
            text=True,
            timeout=900,
            env={**os.environ, "SECRETSCAN_STATE_DIR": str(tmp_path / "state")},
            check=False,
        )
    assert done.returncode == 0, done.stderr
    undisturbed, *attempts = map(json.loads, done.stdout.splitlines())
    assert undisturbed["exit"] == 0, done.stderr
    assert not undisturbed["killed"]
    secrets, files = undisturbed["secrets"], undisturbed["edited"]
    assert len(undisturbed["vault"]) == secrets > 0
    # Every record of the journal was a place to die at: two for each secret and each file of an apply.
    steps = 2 * files if mode == "undo" else 2 * (secrets + files)
    assert sum(attempt["killed"] for attempt in attempts) >= 2 * steps
    for number, attempt in enumerate(attempts):
        where = f"attempt {number}: {done.stderr}"
        assert attempt["exit"] == 0, where
        assert attempt["extra"] == [], where
        assert attempt["vault"] == undisturbed["vault"], where
        assert attempt["files"] == undisturbed["files"], where
