"""Storing values while answers get lost, the vault throttles, or somebody else writes."""

from __future__ import annotations

import threading
import traceback

import pytest
from azure.keyvault.secrets import SecretClient

from rewriters import Plaintext
from secretscan.errors import (
    Cancelled,
    SecretscanError,
    VaultConflict,
    VaultRefused,
    VaultThrottled,
    VaultUnreachable,
)
from secretscan.events import Cancellation
from secretscan.vault.pacing import Rate
from secretscan.vault.server import Delays, Deny, Drop, Fail, Faults, Operation, Throttle, WriteLimit

VALUE = Plaintext(b"orchid-lantern-7719")
OTHER = Plaintext(b"gravel-violin-2203")
SET = frozenset({Operation.SET})
GET = frozenset({Operation.GET})


def raw(pair) -> SecretClient:
    """Somebody else's client of the same vault."""
    return SecretClient(
        pair.server.url(),
        pair.server.credential(),
        verify_challenge_resource=False,
        connection_verify=str(pair.server.ca_file),
        use_env_settings=False,
        retry_total=0,
    )


def test_a_write_whose_answer_is_lost_is_found_and_not_repeated(join):
    pair = join(faults=Faults(rules=(Drop(on=SET, times=1),)))
    stored = pair.vault.put("shop-key", VALUE)
    assert stored.outcome == "created"
    assert pair.values("shop-key") == (VALUE.reveal(),)
    assert pair.asked(Operation.SET) == 1
    assert pair.vault.read(stored.reference) == VALUE


def test_a_replacement_whose_answer_is_lost_is_found_too(join):
    pair = join(faults=Faults(rules=(Drop(on=SET, skip=1, times=1),)))
    pair.vault.put("shop-key", OTHER)
    assert pair.vault.put("shop-key", VALUE, replace=True).outcome == "created"
    assert pair.values("shop-key") == (OTHER.reveal(), VALUE.reveal())


@pytest.mark.parametrize(
    "fault", [Drop(on=SET, times=2, carried_out=False), Fail(on=SET, times=2, status=503), Fail(on=SET, times=2)]
)
def test_a_write_that_did_not_take_place_is_sent_again(join, fault):
    pair = join(faults=Faults(rules=(fault,)))
    assert pair.vault.put("shop-key", VALUE).outcome == "created"
    assert pair.values("shop-key") == (VALUE.reveal(),)
    assert pair.asked(Operation.SET) == 3


def test_a_vault_that_loses_every_answer_is_given_up(join):
    pair = join(faults=Faults(rules=(Drop(on=SET, carried_out=False),)))
    with pytest.raises(VaultUnreachable, match="may have been carried out"):
        pair.vault.put("shop-key", VALUE)
    assert pair.asked(Operation.SET) == 5
    assert pair.clock.now < 60


def test_reads_and_pages_are_asked_for_again(join):
    faults = (Drop(on=GET, skip=1, times=2), Fail(on=frozenset({Operation.LIST}), skip=1, times=2, status=503))
    pair = join(faults=Faults(rules=faults))
    other = raw(pair)
    made = tuple(f"secret-{number:02}" for number in range(30))
    for name in made:
        other.set_secret(name, "listed")
    assert pair.vault.put("zz-last", VALUE).outcome == "created"
    assert pair.vault.names() == (*made, "zz-last")


def test_a_429_pauses_slows_down_and_is_mentioned(join):
    pair = join(faults=Faults(rules=(Throttle(on=SET, times=2),)))
    assert pair.vault.put("shop-key", VALUE).outcome == "created"
    assert pair.asked(Operation.SET) == 3
    assert pair.clock.now >= 20  # one window of the service for each
    assert [event.text for event in pair.events] == ["the vault asks to slow down: waiting 10 s"] * 2


@pytest.mark.parametrize(("asked", "least", "most"), [(0, 10, 12), (35, 35, 37), (86_400, 60, 62)])
def test_retry_after_is_honoured_within_bounds(join, asked, least, most):
    pair = join(faults=Faults(rules=(Throttle(on=SET, times=1, retry_after=asked),)))
    pair.vault.put("shop-key", VALUE)
    assert least <= pair.clock.now <= most


def test_a_429_without_end_is_given_up(join):
    pair = join(faults=Faults(rules=(Throttle(on=SET),)))
    with pytest.raises(VaultThrottled, match="429") as caught:
        pair.vault.put("shop-key", VALUE)
    assert 300 <= pair.clock.now < 400
    assert "goes on where it stopped" in caught.value.next_step
    assert pair.values("shop-key") == ()


def test_the_pace_stays_below_the_limit(join):
    """A tenth of the service's limit, so that few requests show it: 30 creations in 10 s."""
    pair = join(faults=Faults(write_limit=WriteLimit(count=30)), writes=Rate(2.5, 3))
    for number in range(60):
        pair.vault.put(f"secret-{number}", VALUE)
    assert pair.events == []
    assert pair.asked(Operation.SET) == 60
    assert 20 <= pair.clock.now <= 30


def test_too_fast_a_pace_settles_at_what_the_vault_allows(join):
    pair = join(faults=Faults(write_limit=WriteLimit(count=30)), writes=Rate(50, 50))
    for number in range(60):
        pair.vault.put(f"secret-{number}", VALUE)
    assert len(pair.server.stored()) == 60
    assert pair.events


def test_a_name_being_deleted_is_waited_for(join):
    pair = join(faults=Faults(delays=Delays(delete=9)))
    pair.vault.put("shop-key", OTHER)
    raw(pair).begin_delete_secret("shop-key").result()
    with pytest.raises(VaultConflict, match="deleted secret still holds this name"):
        pair.vault.put("shop-key", VALUE)
    assert pair.clock.now >= 8
    assert pair.asked(Operation.SET) > 2


def test_a_parallel_operation_is_waited_out_a_few_times(join):
    pair = join(faults=Faults(rules=(Fail(on=SET, status=409, times=2),)))
    assert pair.vault.put("shop-key", VALUE).outcome == "created"
    always = join(faults=Faults(rules=(Fail(on=SET, status=409),)))
    with pytest.raises(VaultConflict, match="another request changes the same secret"):
        always.vault.put("shop-key", VALUE)
    assert always.asked(Operation.SET) == 4


def test_somebody_who_writes_at_the_same_time_is_noticed(join):
    # the read-back is lost once, so that there is a moment in which the other one can write
    pair = join(faults=Faults(rules=(Drop(on=GET, skip=1, times=1),)))
    other = raw(pair)
    pair.clock.on_sleep = lambda: other.set_secret("shop-key", OTHER.reveal().decode()) and None
    with pytest.raises(VaultConflict, match="someone else wrote to the secret at the same time"):
        pair.vault.put("shop-key", VALUE)


def test_threads_that_store_one_value_make_one_version(join):
    pair = join()
    pair.vault.check()
    outcomes: list[str] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(pair.vault.put("shop-key", VALUE).outcome)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["adopted"] * 5 + ["created"]
    assert pair.values("shop-key") == (VALUE.reveal(),)


def test_waiting_can_be_cancelled(join):
    cancellation = Cancellation()
    pair = join(faults=Faults(rules=(Throttle(on=SET),)), cancellation=cancellation)
    pair.clock.on_sleep = cancellation.cancel
    with pytest.raises(Cancelled):
        pair.vault.put("shop-key", VALUE)
    assert pair.clock.now < 1


def test_a_token_that_runs_out_midway_is_renewed_or_reported(join):
    pair = join()
    pair.vault.put("one", VALUE)
    pair.server.renew_token()
    assert pair.vault.put("two", VALUE).outcome == "created"
    stale = join(credential=pair.server.credential())  # good for the other server only
    with pytest.raises(VaultRefused, match="does not accept the sign-in"):
        stale.vault.put("one", VALUE)


@pytest.mark.parametrize(
    "fault",
    [
        Deny(on=SET),
        Drop(on=SET, carried_out=False),
        Fail(on=SET, status=400),
        Fail(on=SET, status=409),
        Fail(on=SET, status=500),
        Throttle(on=SET),
        Drop(on=GET, skip=1),
    ],
    ids=["denied", "lost", "bad-request", "conflict", "server-error", "throttled", "read-back-lost"],
)
def test_no_failure_of_a_write_shows_the_value(join, fault):
    pair = join(faults=Faults(rules=(fault,)))
    with pytest.raises(SecretscanError) as caught:
        pair.vault.put("shop-key", VALUE)
    error = caught.value
    told = "\n".join((str(error), repr(error), *error.lines(), *traceback.format_exception(error)))
    for event in pair.events:
        told += repr(event)
    assert VALUE.reveal().decode() not in told
    assert error.__context__ is None  # the SDK's exception, which knows the request and its body, is left behind
