"""How far a migration came is kept without a value, and taken from nobody but the user who saved it."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewriters import Settings
from secretscan import api
from secretscan.errors import InventoryBroken, UsageError
from secretscan.plan.choices import Choices
from secretscan.plan.saved import FORMAT, Saved

SHOP = Path(__file__).resolve().parents[2] / "fixtures" / "shop"
VALUES = (b"0lR8acRYSi4MDF8kWCBX", b"MGxSOGFjUllTaTRNREY4a1dDQlg=", b"pk_shop_1Kpe", b"5ea7888b4a09", b"npm_rbw0")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    shutil.copytree(SHOP, tmp_path / "shop")
    return tmp_path / "shop"


def place(root: Path) -> Path:
    return root / ".secretscan" / "review.json"


def full(root: Path) -> Saved:
    plan = api.plan([str(root)], "https://shop.vault.azure.net", None).plan
    chosen = Choices(((plan.secrets[0].id, "chosen"),), (plan.secrets[1].id,), ("compose.yaml", "odd\udcff.yaml"))
    settings = Settings(kubernetes_target="secrets-store-csi", tenant_id="t")
    return Saved("https://shop.vault.azure.net", "cli", "/run/vault.json", "team", True, settings, chosen, plan)


def test_comes_back_as_it_was_without_a_value(root: Path) -> None:
    assert api.load_review(root) is None
    for saved in (Saved(), full(root)):
        api.save_review(root, saved)
        assert api.load_review(root) == saved
    assert stat.S_IMODE(place(root).stat().st_mode) == 0o600
    text = place(root).read_bytes()
    json.loads(text)
    assert not any(value in text for value in VALUES)
    assert sorted(each.name for each in place(root).parent.iterdir()) == [".gitignore", "review.json"]
    api.forget_review(root)
    api.forget_review(root)
    assert api.load_review(root) is None


def test_a_plan_that_comes_back_is_still_genuine(root: Path) -> None:
    saved = full(root)
    api.save_review(root, saved)
    again = api.load_review(root)
    assert again is not None
    assert again.plan is not None
    api.check_plan(again.plan)


def test_is_no_other_folders(root: Path, tmp_path: Path) -> None:
    api.save_review(root, full(root))
    shutil.copytree(root, tmp_path / "other")
    with pytest.raises(UsageError, match="another folder"):
        api.load_review(tmp_path / "other")


def test_is_no_other_users(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.save_review(root, full(root))
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "elsewhere"))
    with pytest.raises(UsageError, match="seal"):
        api.load_review(root)
    api.save_review(root, Saved())
    assert api.load_review(root) == Saved()


def test_is_no_plan_and_no_plan_is_it(root: Path) -> None:
    """Both are sealed with one key: neither passes for the other."""
    saved = full(root)
    assert saved.plan is not None
    api.save_review(root, saved)
    head, body = place(root).read_bytes().split(b'",\n"review": ', 1)
    seal = saved.plan.seal.encode()
    place(root).write_bytes(b'{"seal": "' + seal + b'",\n"review": ' + body)
    with pytest.raises(UsageError, match="seal"):
        api.load_review(root)
    assert seal not in head


def altered_vault(data: bytes) -> bytes:
    return data.replace(b"https://shop.vault.azure.net", b"https://evil.vault.azure.net")


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "another vault": altered_vault,
    "no seal": lambda data: data[data.index(b"\n") :],
    "empty": lambda data: b"",
    "cut off": lambda data: data[:-40],
    "more": lambda data: data + b" ",
    "seal of nothing": lambda data: b'{"seal": "",\n"review": {}}\n',
    "seal not of digits": lambda data: b'{"seal": "' + b"\xff" * 64 + b'",\n"review": {}}\n',
    "deep": lambda data: b'{"seal": "' + b"0" * 64 + b'",\n"review": ' + b"[" * 200_000 + b"}\n",
    "control characters": lambda data: b"\x1b[2J" + data,
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_forged_one_is_not_used(root: Path, how: str) -> None:
    api.save_review(root, full(root))
    place(root).write_bytes(HOSTILE[how](place(root).read_bytes()))
    with pytest.raises(UsageError) as problem:
        api.load_review(root)
    assert problem.value.next_step
    assert "\x1b" not in "".join(problem.value.lines())
    api.save_review(root, Saved())
    assert api.load_review(root) == Saved()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_goes_unseen(root: Path, data: st.DataObject) -> None:
    api.save_review(root, Saved("https://shop.vault.azure.net"))
    text = place(root).read_bytes()
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[at]))
    place(root).write_bytes(text[:at] + bytes((byte,)) + text[at + 1 :])
    with pytest.raises(UsageError):
        api.load_review(root)


def link(root: Path, outside: Path) -> None:
    place(root).symlink_to(outside / "review.json")


def link_to_no_end(root: Path, outside: Path) -> None:
    place(root).symlink_to("/dev/zero")


def pipe(root: Path, outside: Path) -> None:
    os.mkfifo(place(root))


def folder(root: Path, outside: Path) -> None:
    place(root).mkdir()


def too_large(root: Path, outside: Path) -> None:
    with place(root).open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("make", [link, link_to_no_end, pipe, folder, too_large])
def test_one_that_is_no_plain_file_is_neither_read_nor_written_through(
    root: Path, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "review.json").write_text("mine")
    place(root).parent.mkdir()
    make(root, outside)
    with pytest.raises(UsageError):
        api.load_review(root)
    if make is folder:
        with pytest.raises(InventoryBroken):
            api.save_review(root, Saved())
        with pytest.raises(InventoryBroken):
            api.forget_review(root)
    else:
        api.save_review(root, Saved())
        assert api.load_review(root) == Saved()
    assert (outside / "review.json").read_text() == "mine"
    assert not list(place(root).parent.glob(".review.json*"))


def test_a_folder_that_is_a_link_leads_nowhere(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "review.json").write_text("mine")
    (root / ".secretscan").symlink_to(outside)
    with pytest.raises(UsageError, match="link"):
        api.load_review(root)
    with pytest.raises(InventoryBroken):
        api.save_review(root, Saved())
    with pytest.raises(InventoryBroken):
        api.forget_review(root)
    assert [each.name for each in outside.iterdir()] == ["review.json"]
    assert (outside / "review.json").read_text() == "mine"


def test_a_state_of_another_version_is_said_to_be_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("secretscan.plan.saved.FORMAT", FORMAT + 1)
        api.save_review(root, Saved())
    with pytest.raises(UsageError, match="version"):
        api.load_review(root)
