"""The whole loop on the shop: what moves, what a vault in a bad mood leaves behind, what undo gives back."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from secretscan import api
from secretscan.errors import Cancelled, ChangedSince, SecretscanError, UsageError, VaultConflict, VaultRefused
from secretscan.events import Cancellation, Event, FileScanned, StepDone
from secretscan.inventory.ids import load_ids
from secretscan.plan.document import Plan
from secretscan.vault.client import Vault
from secretscan.vault.server import WRITES, Denial, Deny, EmbeddedVault, Faults

SHOP = Path(__file__).resolve().parents[2] / "fixtures" / "shop"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    shutil.copytree(SHOP, tmp_path / "shop")
    return tmp_path / "shop"


@contextmanager
def vault_of(faults: Faults | None = None) -> Iterator[tuple[EmbeddedVault, Vault, str]]:
    with EmbeddedVault(("shop",), faults=faults) as server:
        url = server.azure_url("shop")
        with server.client() as vault:
            yield server, vault, url


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".secretscan" not in path.parts
    }


def test_moves_everything_proves_it_and_gives_it_back(shop: Path) -> None:
    before = contents(shop)
    found = api.scan([str(shop)])
    assert found.outcome is api.Outcome.LEAKS
    with vault_of() as (_, vault, url):
        draft = api.plan([str(shop)], url, vault)
        assert contents(shop) == before
        assert not draft.plan.left
        done = api.apply(draft.plan, vault)
        assert done.proof.holds
        assert done.proof.deliveries > 10
        assert done.stored == len(draft.plan.secrets) == len(vault.names())
        again = api.scan([str(shop)])
        assert again.outcome is api.Outcome.CLEAN
        assert {row.state for row in api.status(shop).secrets} == {"migrated"}
        assert api.prove(shop, done.run, vault).holds
        undone = api.undo(shop, done.run, vault)
        assert not undone.kept
        assert contents(shop) == before
        assert len(vault.names()) == done.stored
        assert {row.state for row in api.status(shop).secrets} == {"stored"}


def test_the_same_value_is_one_secret_in_four_files(shop: Path) -> None:
    found = api.scan([str(shop)])
    by_secret: dict[str, set[str]] = {}
    for item in found.found:
        by_secret.setdefault(item.secret, set()).add(item.finding.location.path)
    assert {".env", "compose.yaml", "k8s/database.yaml", "aci/group.yaml"} in by_secret.values()


def test_a_second_plan_adopts_what_the_vault_holds(shop: Path) -> None:
    with vault_of() as (_, vault, url):
        first = api.apply(api.plan([str(shop)], url, vault).plan, vault)
        api.undo(shop, first.run, vault)
        shutil.rmtree(shop / ".secretscan")
        plan = api.plan([str(shop)], url, vault).plan
        assert {secret.action for secret in plan.secrets} == {"adopt"}
        second = api.apply(plan, vault)
        assert (second.stored, second.adopted) == (0, len(plan.secrets))
        assert all(len(vault.versions(name)) == 1 for name in vault.names())


def test_applying_twice_is_done_once(shop: Path) -> None:
    with vault_of() as (_, vault, url):
        plan = api.plan([str(shop)], url, vault).plan
        first = api.apply(plan, vault)
        after = contents(shop)
        second = api.apply(plan, vault)
        assert (second.run, second.resumed, second.proof.holds) == (first.run, True, True)
        assert contents(shop) == after
        assert all(len(vault.versions(name)) == 1 for name in vault.names())


def test_files_brought_back_by_hand_are_rewritten_only_with_their_values_in_the_vault(shop: Path) -> None:
    before = contents(shop)
    with vault_of() as (_, vault, url):
        plan = api.plan([str(shop)], url, vault).plan
        api.apply(plan, vault)
        for path, data in before.items():
            (shop / path).write_bytes(data)
        for secret in plan.secrets:
            (version,) = vault.versions(secret.name)
            vault.delete(version.reference)
        with pytest.raises(VaultConflict):
            api.apply(plan, vault)
        assert contents(shop).items() >= before.items()


def test_another_value_under_the_name_is_never_overwritten(shop: Path) -> None:
    with vault_of() as (_, vault, url):
        plan = api.plan([str(shop)], url, vault).plan
        from rewriters import Plaintext

        vault.put(plan.secrets[-1].name, Plaintext(b"somebody else's"))
        before = contents(shop)
        with pytest.raises(VaultConflict):
            api.apply(plan, vault)
        assert contents(shop) == before
        renamed = api.plan([str(shop)], url, vault).plan
        assert plan.secrets[-1].name not in {secret.name for secret in renamed.secrets}


@pytest.mark.parametrize("why", list(Denial))
def test_a_vault_that_refuses_leaves_every_file(shop: Path, why: Denial) -> None:
    before = contents(shop)
    with vault_of(Faults(rules=(Deny(why=why, on=WRITES, skip=2),))) as (_, vault, url):
        plan = api.plan([str(shop)], url, vault).plan
        with pytest.raises(VaultRefused) as caught:
            api.apply(plan, vault)
        assert caught.value.next_step
        assert contents(shop) == before


def test_cancelling_stops_between_steps_and_the_run_goes_on_later(shop: Path) -> None:
    with vault_of() as (_, vault, url):
        plan = api.plan([str(shop)], url, vault).plan
        cancellation = Cancellation()

        def hear(event: Event) -> None:
            if isinstance(event, StepDone) and event.what == "rewritten":
                cancellation.cancel()

        with pytest.raises(Cancelled):
            api.apply(plan, vault, listener=hear, cancellation=cancellation)
        (run,) = api.status(shop).runs
        assert run.state == "unfinished"
        done = api.apply(plan, vault)
        assert done.resumed
        assert done.run == run.id
        assert done.proof.holds


def test_a_file_that_changed_stops_the_run_before_anything_is_stored(shop: Path) -> None:
    with vault_of() as (_, vault, url):
        plan = api.plan([str(shop)], url, vault).plan
        (shop / "compose.yaml").write_bytes((shop / "compose.yaml").read_bytes() + b"# more\n")
        with pytest.raises(ChangedSince, match=r"compose\.yaml"):
            api.apply(plan, vault)
        assert vault.names() == ()


def test_undo_leaves_what_has_changed_and_says_so(shop: Path) -> None:
    before = contents(shop)
    with vault_of() as (_, vault, url):
        done = api.apply(api.plan([str(shop)], url, vault).plan, vault)
        edited = (shop / "aci" / "group.yaml").read_bytes() + b"# edited later\n"
        (shop / "aci" / "group.yaml").write_bytes(edited)
        undone = api.undo(shop, done.run, vault, delete_from_vault=True)
        assert "aci/group.yaml" in {kept.path for kept in undone.kept}
        assert undone.deleted == ()
        after = contents(shop)
        assert after["aci/group.yaml"] == edited
        assert after["k8s/database.yaml"] == before["k8s/database.yaml"]


def test_undo_deletes_from_the_vault_only_when_asked_and_only_its_own(shop: Path) -> None:
    with vault_of() as (_, vault, url):
        done = api.apply(api.plan([str(shop)], url, vault).plan, vault)
        undone = api.undo(shop, done.run, vault, delete_from_vault=True)
        assert len(undone.deleted) == done.stored
        assert vault.names() == ()


def test_a_plan_is_free_of_values_and_survives_its_text(shop: Path) -> None:
    with vault_of() as (_, vault, url):
        draft = api.plan([str(shop)], url, vault)
        text = draft.plan.to_text()
        assert Plan.from_text(text, "plan.json") == draft.plan
        for item in api.scan([str(shop)], record=False).found:
            value = item.finding.value.reveal().decode()
            assert value not in text
            assert not any(value in diff.text for diff in draft.diffs)


DAMAGE: dict[str, Callable[[str], str]] = {
    "cut off": lambda text: text[:-20],
    "another document": lambda text: "[]",
    "another version": lambda text: text.replace('"format": 3', '"format": 4'),
    "an unknown field": lambda text: text.replace('"moves"', '"removes"', 1),
    "a wrong type": lambda text: re.sub(r'"start": (\d+)', r'"start": "\1"', text, count=1),
    "a wrong word": lambda text: text.replace('"create"', '"burn"', 1),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_plan_is_a_message(shop: Path, damage: str) -> None:
    with vault_of() as (_, vault, url):
        text = api.plan([str(shop)], url, vault).plan.to_text()
    with pytest.raises(UsageError, match="plan"):
        Plan.from_text(DAMAGE[damage](text), "plan.json")


def test_a_plan_that_leads_out_of_its_root_is_refused(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_bytes(b"mine\n")
    with vault_of() as (_, vault, url):
        text = api.plan([str(shop)], url, vault).plan.to_text()
        plan = Plan.from_text(text.replace('"compose.yaml"', '"../outside.yaml"'), "plan.json").sealed(load_ids())
        with pytest.raises(SecretscanError, match="outside"):
            api.apply(plan, vault)
    assert (tmp_path / "outside.yaml").read_bytes() == b"mine\n"


def test_a_plan_of_another_key_is_refused(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with vault_of() as (_, vault, url):
        plan = api.plan([str(shop)], url, vault).plan
        monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "other"))
        with pytest.raises(UsageError, match="another key"):
            api.apply(plan, vault)
        assert vault.names() == ()


TWICE = """\
services:
  a:
    image: alpine
    labels:
      note: "{value}"
    environment:
      # was {value} until June
      DB_PASSWORD: {value}
      DATABASE_URL: postgres://app:{value}@db/app?again={value}
"""


def test_what_stands_elsewhere_is_said_by_plan_and_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value twice in one text moves with all of the text. What no platform reads stays, and is listed."""
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    value = "Kq" + secrets.token_hex(10)
    root = tmp_path / "tree"
    root.mkdir()
    (root / "compose.yaml").write_text(TWICE.format(value=value))
    with vault_of() as (_, vault, url):
        draft = api.plan([str(root)], url, vault)
        assert [left.line for left in draft.plan.left] == [5, 7]
        assert value not in draft.plan.to_text()
        assert not any(value in diff.text for diff in draft.diffs)
        done = api.apply(draft.plan, vault)
        assert done.proof.holds
        assert {(rest.path, rest.line) for rest in done.proof.elsewhere} == {("compose.yaml", 5), ("compose.yaml", 7)}
        assert (root / "compose.yaml").read_text().count(value) == 2
        assert not api.undo(root, done.run, vault).kept
    assert (root / "compose.yaml").read_text() == TWICE.format(value=value)


def test_an_ordinary_word_is_masked_only_where_it_is_a_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "compose.yaml").write_text(
        "services:\n  api:\n    image: alpine\n    environment:\n"
        "      DATABASE_URL: postgresql://shop:postgres@db/postgres\n"
    )
    (diff, *_) = api.plan([str(folder)], "https://shop.vault.azure.net", None).diffs
    assert "-      DATABASE_URL: postgresql://shop:***@db/postgres\n" in diff.text


def test_a_plan_never_goes_into_another_vault(shop: Path, local: Any) -> None:
    draft = api.plan([str(shop)], "https://other.vault.azure.net", None)
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="another vault"):
        api.apply(draft.plan, local.vault)
    assert not local.server.stored("shop")
    assert all(path.read_bytes() == data for path, data in before.items())


def test_places_of_a_file_that_has_vanished_are_gone(shop: Path) -> None:
    api.scan([str(shop)])
    (shop / ".env").unlink()
    events: list[Event] = []
    api.scan([str(shop / "k8s")], listener=events.append)  # not among the targets: nothing is known of it
    assert {item.state for item in api.inventory(shop / "k8s")[1]} == {"present"}
    api.scan([str(shop)], listener=events.append)
    states = {(item.path, item.state) for item in api.inventory(shop)[1]}
    assert (".env", "gone") in states and (".env", "present") not in states
    assert ("compose.yaml", "present") in states
    assert FileScanned(".env", (), ()) in events
