"""The vaults used last: offered again, and believed only as far as this user wrote them."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from rewriters import Plaintext
from secretscan import api
from secretscan.errors import UsageError
from secretscan.vault.choice import VaultChoice
from secretscan.vault.recent import RecentVault
from secretscan.vault.server import EmbeddedVault, serve


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state" / "vaults.json"


def url(number: int) -> str:
    return f"https://shop-{number}.vault.azure.net"


def urls() -> list[str]:
    return [each.url for each in api.recent_vaults()]


def test_the_last_used_comes_first_and_ten_are_kept(state: Path) -> None:
    assert api.recent_vaults() == ()
    for number in range(12):
        api.remember_vault(url(number), "cli")
    assert urls() == [url(number) for number in range(11, 1, -1)]
    api.remember_vault("https://SHOP-5.vault.azure.net/", "environment")
    assert urls()[:2] == [url(5), url(11)]
    assert len(urls()) == 10
    assert api.recent_vaults()[0].auth == "environment"
    assert api.recent_vaults()[0].choice == VaultChoice(url(5), "environment")
    assert state.stat().st_mode & 0o7777 == 0o600
    assert os.listdir(state.parent) == ["vaults.json"]


def test_no_vault_is_remembered_under_a_url_that_none_has(state: Path) -> None:
    with pytest.raises(UsageError):
        api.remember_vault("http://shop.vault.azure.net", "cli")
    assert not state.exists()


GOOD = {"url": url(1), "auth": "cli", "descriptor": "", "used": 5.0}


@pytest.mark.parametrize(
    "bad",
    [
        GOOD | {"url": "http://theirs.example"},
        GOOD | {"url": "https://shop.vault.azure.net\x1b[2J"},
        GOOD | {"url": 7},
        GOOD | {"auth": "password"},
        GOOD | {"auth": "local"},
        GOOD | {"descriptor": "/etc/passwd"},
        GOOD | {"auth": "local", "descriptor": "/no/such\x1b"},
        GOOD | {"auth": "local", "descriptor": "/no/such\0"},
        GOOD | {"used": "now"},
        GOOD | {"used": float("nan")},
        GOOD | {"used": 1e300},
        {},
        [],
        None,
    ],
)
def test_a_damaged_entry_is_left_out(state: Path, bad: object) -> None:
    state.parent.mkdir()
    state.write_text(json.dumps([bad, GOOD]))
    assert api.recent_vaults() == (RecentVault(url(1), "cli", "", 5.0),)


@pytest.mark.parametrize("text", ["", "{", "{}", "7", "[" * 100_000, "\xff", "[" + " " * 70_000 + "]"])
def test_a_damaged_file_is_an_empty_list_and_is_replaced(state: Path, text: str) -> None:
    state.parent.mkdir()
    state.write_bytes(text.encode("latin-1"))
    assert api.recent_vaults() == ()
    api.remember_vault(url(1), "cli")
    assert urls() == [url(1)]


def test_a_file_that_somebody_else_could_have_written_is_not_believed(state: Path, tmp_path: Path) -> None:
    api.remember_vault(url(1), "cli")
    state.chmod(0o622)
    assert api.recent_vaults() == ()
    state.chmod(0o600)
    state.rename(tmp_path / "elsewhere")
    state.symlink_to(tmp_path / "elsewhere")
    assert api.recent_vaults() == ()
    api.remember_vault(url(2), "cli")
    assert not state.is_symlink()
    assert json.loads((tmp_path / "elsewhere").read_text())[0]["url"] == url(1)
    state.unlink()
    os.mkfifo(state)
    assert api.recent_vaults() == ()


def test_without_a_place_to_write_nothing_is_remembered(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state.parent.write_text("a file where the folder should be")
    api.remember_vault(url(1), "cli")
    assert api.recent_vaults() == ()
    monkeypatch.delenv("SECRETSCAN_STATE_DIR")
    monkeypatch.setenv("HOME", "relative")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    api.remember_vault(url(1), "cli")
    assert api.recent_vaults() == ()


def test_an_embedded_vault_is_offered_while_it_runs(state: Path, tmp_path: Path) -> None:
    descriptor = tmp_path / "vault.json"
    stop, started = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=serve, args=(str(descriptor),), kwargs={"say": lambda _: started.set(), "stop": stop}
    )
    thread.start()
    try:
        assert started.wait(30)
        api.remember_vault("https://local.vault.azure.net", "local", os.path.relpath(descriptor))
        (recent,) = api.recent_vaults()
        assert recent.descriptor == str(descriptor)
        with recent.choice.open() as vault:
            vault.put("shop-db-password", Plaintext(b"lantern-orbit-7719"))
            assert vault.names() == ("shop-db-password",)
    finally:
        stop.set()
        thread.join()
    assert api.recent_vaults() == ()


def test_a_choice_that_cannot_work_says_so_when_opened() -> None:
    with pytest.raises(UsageError, match="needs the embedded vault's descriptor"):
        VaultChoice(url(1), "local").open()
    with pytest.raises(UsageError, match="not a vault's URL"):
        VaultChoice("shop", "cli").open()


def test_the_embedded_vaults_own_client() -> None:
    with EmbeddedVault(("shop", "spare")) as server:
        with server.client() as vault, server.client("spare") as spare:
            assert vault.url == server.azure_url("shop")
            vault.put("shop-db-password", Plaintext(b"lantern-orbit-7719"))
            assert (vault.names(), spare.names()) == (("shop-db-password",), ())
        with pytest.raises(ValueError, match="no vault"):
            server.client("none")
