"""A copy of the sample shop, and a vault to move it into."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secretscan.vault.client import Vault
from secretscan.vault.server import EmbeddedVault

SHOP = Path(__file__).resolve().parents[2] / "fixtures" / "shop"


@dataclass(frozen=True)
class Local:
    """A vault on this machine, and its client."""

    url: str
    vault: Vault
    server: EmbeddedVault


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    shutil.copytree(SHOP, tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture
def local() -> Iterator[Local]:
    with EmbeddedVault(("shop",)) as server:
        url = server.azure_url("shop")
        with server.client() as vault:
            yield Local(url, vault, server)
