"""References that name the version which the run stores: planned before that version exists, and taken back after."""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from rewriters import Settings
from secretscan import api
from secretscan.errors import ChangedSince
from secretscan.events import Event, StepDone
from secretscan.plan.choices import Choices
from secretscan.vault.client import Vault
from tests.run.conftest import Local

CASES = Path(__file__).parents[2] / "fixtures"
PINNED = Choices(pinned=True)
VERSION = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".secretscan" not in path.parts
    }


def versions(vault: Vault) -> dict[str, list[str]]:
    return {name: [each.reference.version for each in vault.versions(name)] for name in vault.names()}


def test_files_name_the_stored_versions_and_come_back(shop: Path, local: Local) -> None:
    before = contents(shop)
    draft = api.plan([str(shop)], local.url, local.vault, choices=PINNED)
    assert any("<version>" in diff.text for diff in draft.diffs)
    assert not any(VERSION.search(diff.text) for diff in draft.diffs)
    done = api.apply(draft.plan, local.vault)
    assert done.proof.holds
    stored = {each for all_ in versions(local.vault).values() for each in all_}
    changed = {path: data.decode() for path, data in contents(shop).items() if data != before.get(path)}
    named = [set(VERSION.findall(text)) for text in changed.values()]
    assert set().union(*named) == stored, "each one that was stored is named, and nothing else"
    assert api.prove(shop, done.run, local.vault).holds
    again = api.apply(draft.plan, local.vault)
    assert again.run == done.run and not again.changed
    assert {
        check.state for check in api.preflight(draft.plan, local.vault) if check.kind in ("files", "companions")
    } == {"ok"}
    assert [file.state for file in api.preview_undo(shop, done.run).files] == ["restores"] * len(draft.plan.files)
    api.undo(shop, done.run, local.vault)
    assert contents(shop) == before


def test_a_rotation_changes_nothing_that_is_delivered(shop: Path, local: Local) -> None:
    plan = api.plan([str(shop)], local.url, local.vault, choices=PINNED).plan
    done = api.apply(plan, local.vault)
    name = plan.secrets[0].name
    local.vault.put(name, local.vault.read(plan.reference(plan.secrets[1])), replace=True)
    heard: list[Event] = []
    assert api.prove(shop, done.run, local.vault, listener=heard.append).holds
    assert not any(name in str(event) for event in heard if not isinstance(event, StepDone))


def test_what_the_vault_holds_already_is_named_at_once(shop: Path, local: Local) -> None:
    first = api.plan([str(shop)], local.url, local.vault).plan
    done = api.apply(first, local.vault)
    api.undo(shop, done.run, local.vault)
    plan = api.plan([str(shop)], local.url, local.vault, choices=PINNED).plan
    assert {secret.version for secret in plan.secrets} == {all_[0] for all_ in versions(local.vault).values()}
    assert api.apply(plan, local.vault).proof.holds


def test_a_version_that_was_named_and_is_gone_stops_the_run_before_a_file_changes(shop: Path, local: Local) -> None:
    before = contents(shop)
    first = api.plan([str(shop)], local.url, local.vault).plan
    api.undo(shop, api.apply(first, local.vault).run, local.vault)
    plan = api.plan([str(shop)], local.url, local.vault, choices=PINNED).plan
    secret = plan.secrets[0]
    value = local.vault.read(plan.reference(secret))
    local.vault.put(secret.name, local.vault.read(plan.reference(plan.secrets[1])), replace=True)
    local.vault.put(secret.name, value, replace=True)
    with pytest.raises(ChangedSince, match="another version"):
        api.apply(plan, local.vault)
    assert contents(shop) == before


def test_a_file_that_names_the_version_elsewhere_is_left(shop: Path, local: Local) -> None:
    """The vault was not asked as this was planned, and it holds the value already."""
    first = api.plan([str(shop)], local.url, local.vault).plan
    api.undo(shop, api.apply(first, local.vault).run, local.vault)
    names = {each.name: each for each in first.secrets}
    held = versions(local.vault)
    path = shop / first.moves[0].path
    moved = next(each for each in names.values() if each.id == first.moves[0].secret)
    path.write_bytes(path.read_bytes() + f"\n# {held[moved.name][0]}\n".encode())
    before = contents(shop)
    plan = api.plan(
        [str(shop)], local.url, None, choices=replace(PINNED, names=tuple((s.id, s.name) for s in first.secrets))
    )
    with pytest.raises(ChangedSince, match="names the version already"):
        api.apply(plan.plan, local.vault)
    assert contents(shop)[first.moves[0].path] == before[first.moves[0].path]
    online = api.plan([str(shop)], local.url, local.vault, choices=PINNED).plan
    assert online.secrets


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", sorted(each.parent for each in CASES.glob("*/*/case.toml")), ids=lambda case: str(case.relative_to(CASES))
)
def test_every_case_moves_and_comes_back(
    case: Path, local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    settings = tomllib.loads((case / "case.toml").read_text("utf-8")).get("settings", {})
    root = tmp_path / "in"
    shutil.copytree(case / "in", root)
    before = contents(root)
    plan = api.plan([str(root)], local.url, local.vault, settings=Settings(**settings), choices=PINNED).plan
    if not plan.moves:
        return
    done = api.apply(plan, local.vault)
    assert done.proof.holds, done.proof.differences
    held = versions(local.vault)
    stored = {each for all_ in held.values() for each in all_}
    after = contents(root)
    text = b"\n".join(data for path, data in after.items() if data != before.get(path)).decode("utf-8", "replace")
    named = set(VERSION.findall(text))
    assert named - set(VERSION.findall(b"".join(before.values()).decode("utf-8", "replace"))) <= stored
    for secret in plan.secrets:  # a value that another one hides needs no reference
        if re.search(rf"(?<![\w-]){secret.name}(?![\w-])", text):
            assert named.intersection(held[secret.name]), secret.name
    api.undo(root, done.run, local.vault)
    assert contents(root) == before
