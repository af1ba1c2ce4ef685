"""A copy of the sample shop and a vault for it, with times, ids and paths that are the same in every run."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tui.harness import stable_key

from secretscan.vault.server import EmbeddedVault, Faults

SHOP = Path(__file__).resolve().parents[2] / "fixtures" / "shop"
NOW = 1_790_000_000.0
"""The time of all tests that compare screens: 2026-09-21, 14:13:20 UTC."""


@dataclass(frozen=True)
class Local:
    """A vault on this machine: what a person would give to reach it, and the server itself."""

    url: str
    descriptor: Path
    server: EmbeddedVault

    @property
    def options(self) -> dict[str, str]:
        return {"vault_url": self.url, "auth": "local", "descriptor": str(self.descriptor)}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, with a state folder whose key is always the same; no setting of the machine is left."""
    folder = tmp_path / "home"
    folder.mkdir()
    settle(folder, monkeypatch)
    return folder


def settle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a folder the home, with a state folder whose key is always the same; no setting of the machine is left."""
    stable_key(folder / ".local" / "state" / "secretscan")
    monkeypatch.setenv("HOME", str(folder))
    for name in ("SECRETSCAN_STATE_DIR", "SECRETSCAN_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def shop(home: Path) -> Path:
    """The sample shop, as `~/shop`."""
    return Path(shutil.copytree(SHOP, home / "shop"))


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock stands still, in UTC, and what is drawn by lot comes out the same."""
    local = time.gmtime(NOW)
    drawn = itertools.count(1)
    form, utc = time.strftime, time.gmtime
    monkeypatch.setattr(time, "time", lambda: NOW)
    for name in ("localtime", "gmtime"):
        monkeypatch.setattr(time, name, lambda seconds=None: utc(NOW if seconds is None else seconds))
    monkeypatch.setattr(time, "strftime", lambda text, at=None: form(text, local if at is None else at))
    monkeypatch.setattr("secrets.token_hex", lambda size=8: f"{next(drawn):0{2 * size}x}")


@pytest.fixture
def faults() -> Faults:
    """What goes wrong in the vault: nothing, until a test says so."""
    return Faults()


@pytest.fixture
def local(home: Path, faults: Faults) -> Iterator[Local]:
    """An embedded vault named `shop`, with its descriptor in the home folder."""
    count = itertools.count(1)
    with EmbeddedVault(("shop",), faults=faults, version_id=lambda: f"{next(count):032x}") as server:
        path = home / "vault.json"
        path.touch(mode=0o600)
        url = server.azure_url("shop")
        path.write_text(
            json.dumps(
                {"azure_url": url, "proxy": server.proxy_url, "ca_file": str(server.ca_file), "token": server.token}
            )
        )
        yield Local(url, path, server)
        assert not server.failures
