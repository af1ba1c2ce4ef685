"""Everything that would stop a run is found beforehand, all of it at once, and without a trace in the vault."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.keyvault.secrets import SecretClient

from rewriters import Plaintext
from secretscan import api
from secretscan.errors import Cancelled, SecretscanError, UsageError
from secretscan.events import Cancellation, Event, Noted, Progress, StepDone
from secretscan.plan.document import Plan
from secretscan.run import folder
from secretscan.run.preflight import Check
from secretscan.vault.client import Vault
from secretscan.vault.server import Denial, Deny, Drop, EmbeddedVault, Faults, Operation, Throttle

OTHER = Plaintext(b"gravel-violin-2203")
URL = "https://shop.vault.azure.net"
ASKING = frozenset({Operation.GET, Operation.LIST, Operation.GET_DELETED, Operation.LIST_DELETED})


class LeapingClock:
    """Sleeping takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


@contextmanager
def moody(*rules: Any, **options: Any) -> Iterator[tuple[EmbeddedVault, Vault]]:
    """A vault with faults, and its client on a clock of its own."""
    with (
        EmbeddedVault(("shop",), faults=Faults(rules=rules)) as server,
        server.client(clock=LeapingClock(), **options) as vault,
    ):
        yield server, vault


@contextmanager
def somebody(server: EmbeddedVault) -> Iterator[SecretClient]:
    """Somebody else's client of the same vault."""
    with SecretClient(
        server.url(),
        server.credential(),
        verify_challenge_resource=False,
        connection_verify=str(server.ca_file),
        use_env_settings=False,
    ) as client:
        yield client


def offline(root: Path) -> Plan:
    return api.plan([str(root)], URL, None).plan


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".secretscan" not in path.parts
    }


def stops(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.what: check for check in checks if check.state == "stop"}


def said(checks: tuple[Check, ...], kind: str, state: str) -> list[str]:
    return [check.detail for check in checks if (check.kind, check.state) == (kind, state)]


def test_a_plan_that_can_be_carried_out(shop: Path, local: Any) -> None:
    plan = api.plan([str(shop)], local.url, local.vault).plan
    before, asked = contents(shop), len(local.server.requests)
    heard: list[Event] = []
    checks = api.preflight(plan, local.vault, listener=heard.append)
    assert not stops(checks)
    assert {check.kind for check in checks} == {"sign-in", "names", "write", "files", "companions", "folder"}
    assert said(checks, "names", "ok") == [f"{len(plan.secrets)} names free, and the files hold what goes there"]
    (write,) = [check for check in checks if check.kind == "write"]
    assert write.state == "note"
    assert "cannot be tested without writing" in write.detail
    assert {each.operation for each in local.server.requests[asked:]} <= ASKING
    assert len(local.server.requests) - asked <= 4  # free names are seen in the lists, not asked for one by one
    assert contents(shop) == before
    assert local.server.stored() == ()
    steps = [event for event in heard if isinstance(event, Progress)]
    assert steps[-1].done == steps[-1].total == len(plan.files) + len(plan.companions) + len(plan.secrets)
    assert api.apply(plan, local.vault).proof.holds


def test_every_state_of_a_name_is_told_apart(shop: Path, local: Any) -> None:
    """What preflight says of a name is what the write would meet."""
    plan = offline(shop)
    deleted, disabled, taken, managed, equal = plan.secrets
    with somebody(local.server) as other:
        version = local.vault.put(deleted.name, OTHER).reference
        local.vault.delete(version)
        other.set_secret(disabled.name, "whatever-it-is", enabled=False)
        other.set_secret(taken.name, "gravel-violin-2203")
        local.server.plant_managed(managed.name, OTHER)
        store(shop, local.vault, plan, equal.name)
    checks = api.preflight(plan, local.vault)
    stopped = stops(checks)
    assert set(stopped) == {deleted.name, disabled.name, taken.name, managed.name}
    for name, what, hint in (
        (deleted.name, "deleted secret still holds", "recover"),
        (disabled.name, "disabled secret", "enable"),
        (taken.name, "different value", "another name"),
        (managed.name, "certificate", "another name"),
    ):
        assert what in stopped[name].detail
        assert hint in stopped[name].next_step
        assert stopped[name].kind == "names"
    assert said(checks, "names", "ok") == ["1 name with the equal value already: adopted"]
    with pytest.raises(SecretscanError) as caught:
        api.apply(plan, local.vault)
    assert stopped[deleted.name].detail.startswith(caught.value.what)
    assert "gravel" not in repr(checks)


def store(root: Path, vault: Vault, plan: Plan, name: str) -> None:
    """Puts the planned value of one name into the vault, as an earlier run would have."""
    from secretscan.inventory.ids import load_ids
    from secretscan.run import files
    from secretscan.run.apply import value_of

    (secret,) = [each for each in plan.secrets if each.name == name]
    value = value_of(secret, lambda path: files.read(root, path), load_ids())
    assert value is not None
    vault.put(name, value)


def test_an_expired_equal_value_is_no_adoption(shop: Path, local: Any) -> None:
    from datetime import UTC, datetime

    plan = offline(shop)
    name = plan.secrets[0].name
    store(shop, local.vault, plan, name)
    with somebody(local.server) as other:
        other.update_secret_properties(name, expires_on=datetime(2020, 1, 1, tzinfo=UTC))
    assert "has expired" in stops(api.preflight(plan, local.vault))[name].detail


def test_a_value_that_was_to_be_adopted_and_is_gone(shop: Path) -> None:
    with moody() as (server, vault):
        first = offline(shop)
        for secret in first.secrets:
            store(shop, vault, first, secret.name)
        plan = api.plan([str(shop)], URL, vault).plan
        assert {secret.action for secret in plan.secrets} == {"adopt"}
        checks = api.preflight(plan, vault)
        assert said(checks, "write", "ok") == ["nothing is to be written: the vault holds every value"]
        with somebody(server) as other:
            other.begin_delete_secret(plan.secrets[0].name).wait()
            other.purge_deleted_secret(plan.secrets[0].name)
        checks = api.preflight(plan, vault)
        assert not stops(checks)
        assert any(c.what == plan.secrets[0].name and "stored again" in c.detail for c in checks)
        assert "1 secret" in said(checks, "write", "note")[0]


@pytest.mark.parametrize("why", Denial)
def test_a_vault_that_refuses_to_be_read(shop: Path, why: Denial) -> None:
    with moody(Deny(why=why)) as (_, vault):
        checks = api.preflight(offline(shop), vault)
    (stop,) = stops(checks).values()
    assert stop.kind == "sign-in"
    assert stop.next_step
    assert said(checks, "names", "note") == ["not looked at: the vault cannot be read"]
    assert said(checks, "files", "ok")  # the rest is looked at all the same


def test_without_the_right_to_list_every_name_is_asked_for(shop: Path) -> None:
    plan = offline(shop)
    denied = Deny(on=frozenset({Operation.LIST, Operation.LIST_DELETED, Operation.GET_DELETED}))
    with moody(denied) as (_, vault):
        vault.put(plan.secrets[1].name, OTHER)
        checks = api.preflight(plan, vault)
    assert set(stops(checks)) == {plan.secrets[1].name}
    assert any("deleted secret holds a name may show only with the first write" in c.detail for c in checks)


def test_a_name_that_may_not_be_read_is_one_trouble_of_its_own(shop: Path) -> None:
    plan = offline(shop)
    name = plan.secrets[2].name
    with moody(Deny(on=frozenset({Operation.GET}), name=name)) as (_, vault):
        vault_names = [secret.name for secret in plan.secrets if secret.name != name]
        for each in vault_names:
            store(shop, vault, plan, each)
        with pytest.raises(SecretscanError):
            store(shop, vault, plan, name)
        checks = api.preflight(plan, vault)
        # Nothing is stored under it, so the lists say that it is free; a stored one is asked for, and refused.
        assert said(checks, "names", "ok")[1].startswith(f"{len(vault_names)} names with the equal value")
        assert not stops(checks)
    with moody(Deny(on=frozenset({Operation.GET}), name=name, skip=2)) as (_, vault):
        for secret in plan.secrets:
            store(shop, vault, plan, secret.name)
        checks = api.preflight(plan, vault)
        assert set(stops(checks)) == {name}
        assert said(checks, "names", "ok") == [f"{len(vault_names)} names with the equal value already: adopted"]


def test_a_throttled_vault_is_waited_for_and_then_given_up(shop: Path) -> None:
    plan = offline(shop)
    heard: list[Event] = []
    with moody(Throttle(times=2), listener=heard.append) as (_, vault):
        assert not stops(api.preflight(plan, vault))
    assert any(isinstance(event, Noted) and "slow down" in event.text for event in heard)
    with moody(Throttle(skip=1)) as (server, vault):
        checks = api.preflight(plan, vault)
        assert [check.kind for check in stops(checks).values()] == ["sign-in"]
        assert not any(each.operation is Operation.GET_DELETED for each in server.requests)  # no name is asked for


def test_a_connection_that_ends_among_the_names_ends_the_asking(shop: Path) -> None:
    plan = offline(shop)
    first, second = plan.secrets[:2]
    lost = Drop(on=frozenset({Operation.GET}), name=first.name, carried_out=False, skip=2)
    with moody(lost) as (server, vault):
        store(shop, vault, plan, first.name)
        store(shop, vault, plan, second.name)
        asked = len(server.requests)
        checks = api.preflight(plan, vault)
        assert set(stops(checks)) == {first.name}
        assert "the names after this one were not looked at" in said(checks, "names", "note")
        assert not any(each.name == second.name for each in server.requests[asked:])


def test_it_can_be_stopped(shop: Path, local: Any) -> None:
    plan = offline(shop)
    for after in range(len(plan.files) + len(plan.companions) + len(plan.secrets)):
        cancellation = Cancellation()

        def stop(event: Event, after: int = after, cancellation: Cancellation = cancellation) -> None:
            if isinstance(event, Progress) and event.done == after:
                cancellation.cancel()

        with pytest.raises(Cancelled):
            api.preflight(plan, local.vault, listener=stop, cancellation=cancellation)
    assert local.server.stored() == ()


def test_another_vault_than_the_plans(shop: Path) -> None:
    with EmbeddedVault(("other",)) as server, server.client() as vault:
        checks = api.preflight(offline(shop), vault)
        (stop,) = stops(checks).values()
        assert "another vault" in stop.detail
        assert server.requests == ()


# --- files ------------------------------------------------------------------------------------------------------------


def changed(root: Path) -> None:
    (root / "compose.yaml").write_bytes((root / "compose.yaml").read_bytes() + b"# one line more\n")


def gone(root: Path) -> None:
    (root / "compose.yaml").unlink()


def link(root: Path) -> None:
    (root / "compose.yaml").rename(root / "moved.yaml")
    (root / "compose.yaml").symlink_to("moved.yaml")


def pipe(root: Path) -> None:
    (root / "compose.yaml").unlink()
    os.mkfifo(root / "compose.yaml")


def emptied(root: Path) -> None:
    (root / "compose.yaml").write_bytes(b"")


@pytest.mark.parametrize("spoil", [changed, gone, link, pipe, emptied])
def test_a_file_that_is_not_as_planned_on(shop: Path, local: Any, spoil: Callable[[Path], None]) -> None:
    plan = offline(shop)
    spoil(shop)
    checks = api.preflight(plan, local.vault)
    # One trouble, not one for each value in it.
    assert set(stops(checks)) == {"compose.yaml"}
    assert stops(checks)["compose.yaml"].next_step
    assert said(checks, "files", "ok") == [f"{len(plan.files) - 1} files as planned on, and can be written"]
    with pytest.raises(SecretscanError, match=r"compose\.yaml"):
        api.apply(plan, local.vault)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(shop: Path, local: Any) -> None:
    plan = offline(shop)
    (shop / "aci").chmod(0o500)
    try:
        checks = api.preflight(plan, local.vault)
    finally:
        (shop / "aci").chmod(0o700)
    assert "aci/group.yaml" in stops(checks)


def test_other_names_of_a_file_are_said_and_stop_nothing(shop: Path, local: Any) -> None:
    plan = offline(shop)
    os.link(shop / ".env", shop / "backup.txt")
    checks = api.preflight(plan, local.vault)
    assert not stops(checks)
    assert [check.what for check in checks if "hard links" in check.detail] == [".env"]


def test_something_in_the_way_of_a_new_file(shop: Path, local: Any) -> None:
    plan = offline(shop)
    path = plan.companions[0].path
    (shop / path).write_text("mine\n")
    checks = api.preflight(plan, local.vault)
    assert set(stops(checks)) == {path}
    assert (shop / path).read_text() == "mine\n"


# --- the root ---------------------------------------------------------------------------------------------------------


def test_another_process_at_work(shop: Path, local: Any) -> None:
    plan = offline(shop)
    with folder.alone(shop):
        checks = api.preflight(plan, local.vault)
    (stop,) = stops(checks).values()
    assert "another process" in stop.detail
    assert not stops(api.preflight(plan, local.vault))


@pytest.mark.parametrize("name", ["runs", ".", "lock", "inventory.db"])
def test_a_folder_of_runs_that_somebody_linked_elsewhere(shop: Path, local: Any, tmp_path: Path, name: str) -> None:
    plan = offline(shop)
    place = shop / ".secretscan"
    if name != ".":
        place.mkdir(exist_ok=True)
        place = place / name
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place.symlink_to(elsewhere)
    checks = api.preflight(plan, local.vault)
    (stop,) = stops(checks).values()
    assert stop.kind == "folder"
    assert list(elsewhere.iterdir()) == []


def test_a_plan_of_somebody_else_or_of_nowhere(shop: Path, local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = offline(shop)
    with pytest.raises(UsageError, match="not there"):
        api.preflight(plan, local.vault, root=shop / "gone")
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(shop.parent / "another"))
    with pytest.raises(UsageError, match="another key"):
        api.preflight(plan, local.vault)


def test_names_that_a_terminal_would_act_upon_are_escaped(shop: Path, local: Any) -> None:
    odd = shop / "\x1b[2J" / "group.yaml"
    odd.parent.mkdir()
    odd.write_bytes((shop / "aci" / "group.yaml").read_bytes())
    plan = offline(shop)
    odd.unlink()
    heard: list[Event] = []
    checks = api.preflight(plan, local.vault, listener=heard.append)
    assert "\\x1b[2J/group.yaml" in stops(checks)
    assert "\x1b" not in "".join(check.what + check.detail + check.next_step for check in checks)
    assert not any(isinstance(event, Progress) and "\x1b" in event.subject for event in heard)


# --- a run that there is already --------------------------------------------------------------------------------------


def interrupted(plan: Plan, vault: Vault, at: str) -> None:
    cancellation = Cancellation()

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.what == at:
            cancellation.cancel()

    with pytest.raises(Cancelled):
        api.apply(plan, vault, listener=stop, cancellation=cancellation)


@pytest.mark.parametrize("at", ["stored", "created", "rewritten"])
def test_a_run_that_goes_on(shop: Path, local: Any, at: str) -> None:
    plan = offline(shop)
    interrupted(plan, local.vault, at)
    checks = api.preflight(plan, local.vault)
    assert not stops(checks)
    assert "goes on" in said(checks, "folder", "note")[0]
    assert any("equal value already" in text for text in said(checks, "names", "ok"))
    assert api.apply(plan, local.vault).proof.holds


def test_a_run_whose_values_are_gone_meanwhile(shop: Path, local: Any) -> None:
    plan = offline(shop)
    interrupted(plan, local.vault, "rewritten")
    rewritten = [c for c in api.preflight(plan, local.vault) if c.kind == "files"]
    assert any("rewritten already" in check.detail for check in rewritten)
    with somebody(local.server) as other:
        for secret in plan.secrets:
            other.begin_delete_secret(secret.name).wait()
    checks = api.preflight(plan, local.vault)
    assert set(stops(checks)) == {secret.name for secret in plan.secrets}
    assert all("recover" in stop.next_step for stop in stops(checks).values())


def test_a_run_that_is_done_has_nothing_against_a_rotation(shop: Path, local: Any) -> None:
    plan = offline(shop)
    api.apply(plan, local.vault)
    local.vault.put(plan.secrets[0].name, OTHER, replace=True)
    checks = api.preflight(plan, local.vault)
    assert not stops(checks)
    assert "carried the plan out already" in said(checks, "folder", "note")[0]


def test_a_damaged_journal_is_said(shop: Path, local: Any) -> None:
    plan = offline(shop)
    interrupted(plan, local.vault, "stored")
    (run,) = folder.run_ids(shop)
    journal = shop / ".secretscan" / "runs" / run / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"begin"', b'"began"'))
    checks = api.preflight(plan, local.vault)
    (stop,) = [check for check in checks if check.state == "stop"]
    assert stop.kind == "folder"
    assert "damaged" in stop.detail
