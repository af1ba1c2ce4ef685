"""Runs that meet something: a second process, a rotated value, a broken inventory, an edited plan, a second run."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rewriters import Plaintext
from secretscan import api
from secretscan.errors import ChangedSince, InventoryBroken, JournalBroken, SecretscanError, UsageError
from secretscan.events import Cancellation, Event, Noted, StepDone
from secretscan.plan.document import Plan
from secretscan.run import files, folder


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".secretscan" not in path.parts
    }


def planned(root: Path, local: Any) -> Plan:
    return api.plan([str(root)], local.url, local.vault).plan


def test_only_one_process_changes_a_root(shop: Path, local: Any) -> None:
    plan = planned(shop, local)
    before = contents(shop)
    with folder.alone(shop), pytest.raises(JournalBroken, match="another process"):
        api.apply(plan, local.vault)
    assert contents(shop) == before
    assert local.vault.names() == ()
    done = api.apply(plan, local.vault)
    with folder.alone(shop), pytest.raises(JournalBroken, match="another process"):
        api.undo(shop, done.run, local.vault)


def test_a_value_that_was_rotated_meanwhile_stops_before_any_file(shop: Path, local: Any) -> None:
    """References have no version: what the workload would get is the current value, and that is another one now."""
    plan = planned(shop, local)
    before = contents(shop)
    cancellation = Cancellation()

    def stop(event: Event) -> None:
        if isinstance(event, StepDone):
            cancellation.cancel()

    with pytest.raises(SecretscanError):
        api.apply(plan, local.vault, listener=stop, cancellation=cancellation)
    (name,) = local.vault.names()
    local.vault.put(name, Plaintext(b"rotated since"), replace=True)
    with pytest.raises(SecretscanError) as caught:
        api.apply(plan, local.vault)
    assert name in str(caught.value)
    assert caught.value.next_step
    assert contents(shop) == before


def test_the_proof_holds_after_a_rotation_and_says_so(shop: Path, local: Any) -> None:
    before = contents(shop)
    done = api.apply(planned(shop, local), local.vault)
    name = local.vault.names()[0]
    local.vault.put(name, Plaintext(b"rotated since"), replace=True)
    heard: list[Event] = []
    assert api.prove(shop, done.run, local.vault, listener=heard.append).holds
    assert any(isinstance(event, Noted) and name in event.text for event in heard)
    assert not api.undo(shop, done.run, local.vault).kept
    assert contents(shop) == before


def test_an_inventory_that_cannot_be_used_stops_before_anything(shop: Path, local: Any) -> None:
    plan = planned(shop, local)
    before = contents(shop)
    (shop / ".secretscan").mkdir(exist_ok=True)
    (shop / ".secretscan" / "inventory.db").write_bytes(b"no database at all " * 100)
    with pytest.raises(InventoryBroken) as caught:
        api.apply(plan, local.vault)
    assert caught.value.next_step
    assert contents(shop) == before
    assert local.vault.names() == ()


def breaking(root: Path) -> Callable[[Event], None]:
    """Breaks the inventory while the first file is being rewritten, or restored."""

    def hear(event: Event) -> None:
        if isinstance(event, StepDone) and event.what in ("rewritten", "restored"):
            (root / ".secretscan" / "inventory.db").write_bytes(b"no database at all " * 100)

    return hear


def test_an_inventory_that_breaks_meanwhile_does_not_stop_the_run(shop: Path, local: Any) -> None:
    before = contents(shop)
    heard: list[Event] = []
    spoil = breaking(shop)

    def hear(event: Event) -> None:
        heard.append(event)
        spoil(event)

    done = api.apply(planned(shop, local), local.vault, listener=hear)
    assert done.proof.holds
    assert [run.state for run in api.status(shop).runs] == ["done"]
    assert any(isinstance(event, Noted) and "inventory" in event.text for event in heard)
    (shop / ".secretscan" / "inventory.db").unlink()
    undone = api.undo(shop, done.run, local.vault, listener=hear)
    assert not undone.kept
    assert contents(shop) == before
    assert [run.state for run in api.status(shop).runs] == ["undone"]


def test_a_damaged_run_is_in_nobodys_way(shop: Path, local: Any) -> None:
    before = contents(shop)
    damaged = shop / ".secretscan" / "runs" / "20200101-000000-abcd"
    damaged.mkdir(parents=True)
    (damaged / "plan.json").write_text("{}")
    done = api.apply(planned(shop, local), local.vault)
    assert len(api.status(shop).runs) == 2
    assert not api.undo(shop, done.run, local.vault).kept
    assert contents(shop) == before
    with pytest.raises(UsageError, match=r"plan\.json"):
        api.undo(shop, damaged.name, local.vault)


EDITS: dict[str, Callable[[Plan], Plan]] = {
    "another vault": lambda plan: dataclasses.replace(plan, vault_url="https://theirs.vault.azure.net"),
    "another companion": lambda plan: dataclasses.replace(
        plan, companions=(dataclasses.replace(plan.companions[0], content="#!/bin/sh\nmine\n"), *plan.companions[1:])
    ),
    "another name": lambda plan: dataclasses.replace(
        plan, secrets=(dataclasses.replace(plan.secrets[0], name="theirs"), *plan.secrets[1:])
    ),
    "a file less": lambda plan: dataclasses.replace(plan, files=plan.files[1:]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_plan_that_somebody_changed_is_refused(edit: str, shop: Path, local: Any) -> None:
    before = contents(shop)
    plan = EDITS[edit](planned(shop, local))
    with pytest.raises(UsageError, match="changed"):
        api.apply(plan, local.vault)
    assert contents(shop) == before
    assert local.vault.names() == ()


def test_a_run_whose_plan_somebody_changed_is_refused(shop: Path, local: Any) -> None:
    done = api.apply(planned(shop, local), local.vault)
    after = contents(shop)
    file = shop / ".secretscan" / "runs" / done.run / "plan.json"
    file.write_text(file.read_text().replace("shop-", "theirs-"))
    for use in (api.undo, api.prove, api.resume):
        with pytest.raises(UsageError, match="changed"):
            use(shop, done.run, local.vault)
    assert contents(shop) == after


def test_deleting_leaves_what_another_run_needs(shop: Path, local: Any) -> None:
    """Two runs, the second of which found the values of the first in the vault and adopted them."""
    late = shop / "late"
    shutil.move(shop / "k8s", shop.parent / "k8s")
    first = api.apply(planned(shop, local), local.vault)
    shutil.move(shop.parent / "k8s", late)
    second = api.apply(planned(shop, local), local.vault)
    assert second.adopted
    shared = {secret.name for secret in api.find_run(shop, first.run).plan.secrets}
    shared &= {secret.name for secret in api.find_run(shop, second.run).plan.secrets}
    assert shared
    heard: list[Event] = []
    undone = api.undo(shop, first.run, local.vault, delete_from_vault=True, listener=heard.append)
    assert not undone.kept
    assert shared <= set(local.vault.names())
    assert shared.isdisjoint(undone.deleted)
    assert all(any(isinstance(event, Noted) and name in event.text for event in heard) for name in shared)
    assert api.prove(shop, second.run, local.vault).holds
    api.undo(shop, second.run, local.vault, delete_from_vault=True)
    again = api.undo(shop, first.run, local.vault, delete_from_vault=True)
    assert shared <= set(again.deleted)
    assert local.vault.names() == ()


def test_an_interrupt_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second Ctrl-C comes at once. In an undo the draft holds plaintext."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.env").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.replace(tmp_path, "a.env", b"new", lambda data: data == b"old")
    assert os.listdir(tmp_path) == ["a.env"]
    assert (tmp_path / "a.env").read_bytes() == b"old"


def test_a_hard_link_is_named(shop: Path, local: Any, tmp_path: Path) -> None:
    """The other name keeps the plaintext, wherever it is."""
    os.link(shop / "compose.yaml", tmp_path / "elsewhere.yaml")
    heard: list[Event] = []
    api.apply(planned(shop, local), local.vault, listener=heard.append)
    assert any(isinstance(event, Noted) and "compose.yaml" in event.text for event in heard)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_stops_before_anything(shop: Path, local: Any) -> None:
    plan = planned(shop, local)
    (shop / "k8s").chmod(0o500)
    try:
        with pytest.raises(UsageError, match="k8s"):
            api.apply(plan, local.vault)
        assert local.vault.names() == ()
    finally:
        (shop / "k8s").chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_root_that_cannot_be_written_is_a_message(shop: Path, local: Any) -> None:
    plan = planned(shop, local)
    shutil.rmtree(shop / ".secretscan", ignore_errors=True)
    shop.chmod(0o500)
    try:
        with pytest.raises(SecretscanError) as caught:
            api.apply(plan, local.vault)
        assert caught.value.next_step
        assert local.vault.names() == ()
    finally:
        shop.chmod(0o700)


def test_a_closed_folder_for_a_companion_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("a file, where a folder is needed")
    with pytest.raises(SecretscanError):
        files.create(tmp_path, "new/made", b"ours", executable=False, was=None)
    with pytest.raises(ChangedSince):
        files.remove(tmp_path, "new/made", b"ours")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.rename(path.with_name("moved.yaml"))
    path.symlink_to("moved.yaml")


def linked_folder(path: Path) -> None:
    outside = path.parents[2] / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("swap", [pipe, link, linked_folder, folder_instead, Path.unlink])
@pytest.mark.parametrize("moment", ["before", "stored", "rewritten"])
def test_a_file_that_became_something_else_is_left_alone(
    moment: str, swap: Callable[[Path], None], shop: Path, local: Any
) -> None:
    """Also between two steps: what stands there now is neither read for long nor written through."""
    before = contents(shop)
    plan = planned(shop, local)
    swapped = False

    def hear(event: Event) -> None:
        nonlocal swapped
        if not swapped and isinstance(event, StepDone) and event.what == moment:
            swapped = True
            swap(shop / "k8s" / "database.yaml")

    if moment == "before":
        swap(shop / "k8s" / "database.yaml")
    with pytest.raises(SecretscanError) as caught:
        api.apply(plan, local.vault, listener=hear)
    assert "k8s" in str(caught.value)
    assert caught.value.next_step
    for path in ("k8s/moved.yaml", "../outside/database.yaml"):
        if (shop / path).exists():
            assert (shop / path).read_bytes() == before["k8s/database.yaml"]
    if moment == "before":
        assert local.vault.names() == ()


def test_an_undo_that_is_killed_leaves_a_draft_that_the_next_one_sweeps(shop: Path, local: Any) -> None:
    before = contents(shop)
    done = api.apply(planned(shop, local), local.vault)
    draft = shop / ".compose.yaml.0123abcd.secretscan"
    draft.write_bytes(before["compose.yaml"])
    assert not api.undo(shop, done.run, local.vault).kept
    assert contents(shop) == before


def test_undo_twice_and_apply_again(shop: Path, local: Any) -> None:
    before = contents(shop)
    plan = planned(shop, local)
    first = api.apply(plan, local.vault)
    after = contents(shop)
    for _ in range(2):
        assert not api.undo(shop, first.run, local.vault).kept
        assert contents(shop) == before
    second = api.apply(plan, local.vault)
    assert second.run != first.run
    assert second.proof.holds
    assert contents(shop) == after
    assert second.stored == 0
    # The first run has nothing left to take back: what is there now is the second's.
    assert {run.state for run in api.status(shop).runs} == {"undone", "done"}
    assert not api.undo(shop, second.run, local.vault).kept
    assert contents(shop) == before


def test_undo_of_a_run_that_is_not_finished(shop: Path, local: Any) -> None:
    before = contents(shop)
    cancellation = Cancellation()

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.what == "rewritten":
            cancellation.cancel()

    with pytest.raises(SecretscanError):
        api.apply(planned(shop, local), local.vault, listener=stop, cancellation=cancellation)
    (run,) = api.status(shop).runs
    undone = api.undo(shop, run.id, local.vault, delete_from_vault=True)
    assert not undone.kept
    assert contents(shop) == before
    assert local.vault.names() == ()
    assert api.status(shop).runs[0].state == "undone"


def test_a_value_that_somebody_deleted_after_the_run_is_to_be_recovered(shop: Path, local: Any) -> None:
    before = contents(shop)
    done = api.apply(planned(shop, local), local.vault)
    after = contents(shop)
    name = api.find_run(shop, done.run).plan.secrets[0].name
    local.vault.delete(local.vault.versions(name)[0].reference)
    for use in (api.resume, api.prove):
        with pytest.raises(ChangedSince, match="no longer in the vault") as caught:
            use(shop, done.run, local.vault)
        assert f"secret recover --vault-name shop --name {name}" in caught.value.next_step
    assert contents(shop) == after
    kept = api.undo(shop, done.run, local.vault).kept
    assert {item.path for item in kept}
    local.vault.recover(name)
    assert not api.undo(shop, done.run, local.vault).kept
    assert contents(shop) == before
