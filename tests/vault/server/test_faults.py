"""Each fault as the SDK sees it."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ServiceRequestError,
    ServiceResponseError,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from secretscan.vault.server import (
    EVERY,
    READS,
    WRITES,
    Denial,
    Deny,
    Drop,
    Fail,
    Faults,
    Operation,
    Throttle,
    WriteLimit,
)
from secretscan.vault.server.faults import FaultCounter

SHAPES = {
    Denial.RBAC: ("ForbiddenByRbac", "Microsoft.KeyVault/vaults/secrets/setSecret/action"),
    Denial.POLICY: ("ForbiddenByPolicy", "does not have secrets set permission"),
    Denial.ACCESS_DENIED: ("AccessDenied", "Access denied"),
    Denial.FIREWALL: ("ForbiddenByFirewall", "Client address: 127.0.0.1"),
    Denial.PUBLIC_ACCESS: ("ForbiddenByConnection", "Public network access is disabled"),
    Denial.PRIVATE_LINK: ("ForbiddenByConnection", "does not allow access to the host"),
}


@pytest.mark.parametrize("why", list(Denial))
def test_every_shape_of_403(start: Any, plain_client: Any, why: Denial) -> None:
    vault = start(faults=Faults(rules=(Deny(why=why, on=WRITES),)))
    sdk = plain_client(vault)
    with pytest.raises(HttpResponseError) as refusal:
        sdk.set_secret("a", "made up")
    code, text = SHAPES[why]
    error: Any = refusal.value.error
    assert (refusal.value.status_code, error.code, error.innererror["code"]) == (403, "Forbidden", code)
    assert text in error.message
    assert list(sdk.list_properties_of_secrets()) == []
    assert vault.stored() == ()


@pytest.mark.parametrize("seconds", [None, 3])
def test_throttling_with_and_without_retry_after(start: Any, plain_client: Any, seconds: int | None) -> None:
    sdk = plain_client(start(faults=Faults(rules=(Throttle(times=2, retry_after=seconds),))))
    for _ in range(2):
        with pytest.raises(HttpResponseError, match="VaultRequestTypeLimitReached") as refusal:
            sdk.get_secret("a")
        assert refusal.value.status_code == 429
        response: Any = refusal.value.response
        assert response.headers.get("Retry-After") == (None if seconds is None else str(seconds))
    sdk.set_secret("a", "made up")


def test_the_sdk_gets_over_one_429(start: Any, plain_client: Any) -> None:
    vault = start(faults=Faults(rules=(Throttle(on=frozenset({Operation.SET}), times=1),)))
    plain_client(vault, retry_total=3).set_secret("a", "made up")
    assert [one.status for one in vault.requests] == [401, 429, 200]


def test_sets_are_limited_within_a_window(start: Any, plain_client: Any) -> None:
    elapsed = [0.0]
    limit = WriteLimit(count=3, seconds=10, retry_after=1)
    sdk = plain_client(start(faults=Faults(write_limit=limit), stopwatch=lambda: elapsed[0]))
    for number in range(3):
        elapsed[0] = float(number)
        sdk.set_secret(f"a{number}", "x")
    with pytest.raises(HttpResponseError, match="too many"):
        sdk.set_secret("a3", "x")
    sdk.get_secret("a0")
    elapsed[0] = 10.0  # the first has left the window, the second is still in it
    sdk.set_secret("a3", "x")
    with pytest.raises(HttpResponseError, match="too many"):
        sdk.set_secret("a4", "x")


@pytest.mark.parametrize("status", [500, 503, 504])
def test_server_errors(start: Any, plain_client: Any, status: int) -> None:
    vault = start(faults=Faults(rules=(Fail(status=status, times=1),)))
    sdk = plain_client(vault)
    with pytest.raises(HttpResponseError) as refusal:
        sdk.set_secret("a", "made up")
    assert refusal.value.status_code == status
    assert vault.stored() == ()
    sdk.set_secret("a", "made up")


def test_a_parallel_operation_and_a_bad_token(start: Any, plain_client: Any) -> None:
    sdk = plain_client(start(faults=Faults(rules=(Fail(status=409, times=1), Fail(status=401, skip=1, times=2)))))
    with pytest.raises(ResourceExistsError):
        sdk.set_secret("a", "made up")
    with pytest.raises(ClientAuthenticationError):
        sdk.set_secret("a", "made up")
    sdk.set_secret("a", "made up")


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_lost_answer(start: Any, client: Any, carried_out: bool) -> None:
    rule = Drop(on=frozenset({Operation.SET}), times=1, carried_out=carried_out)
    vault = start(faults=Faults(rules=(rule,)))
    sdk = client(vault)
    # Behind a proxy the SDK takes a lost answer for a request that never went out.
    with pytest.raises((ServiceResponseError, ServiceRequestError)):
        sdk.set_secret("a", "made up", retry_read=0)
    assert len(vault.stored()) == carried_out
    assert vault.requests[-1].status == 0
    assert sdk.set_secret("a", "made up").value == "made up"


def test_a_rule_for_one_name_after_some_calls(start: Any, plain_client: Any) -> None:
    sdk = plain_client(start(faults=Faults(rules=(Fail(name="ONE", on=READS, skip=1, times=1),))))
    sdk.set_secret("one", "x")
    sdk.set_secret("two", "x")
    for _ in range(3):
        sdk.get_secret("two")
    sdk.get_secret("one")
    with pytest.raises(HttpResponseError):
        sdk.get_secret("one")
    sdk.get_secret("one")


@settings(max_examples=60, deadline=None)
@given(
    calls=st.lists(st.sampled_from(sorted(EVERY, key=lambda one: one.value)), max_size=30),
    skip=st.integers(0, 5),
    times=st.none() | st.integers(0, 5),
)
def test_a_rule_strikes_just_as_often_as_it_says(calls: list[Operation], skip: int, times: int | None) -> None:
    counter = FaultCounter(Faults(rules=(Fail(on=READS, skip=skip, times=times),)))
    struck = [counter.strike(operation, "a", 0.0) is not None for operation in calls]
    reads = [hit for operation, hit in zip(calls, struck, strict=True) if operation in READS]
    end = len(reads) if times is None else skip + times
    assert reads == [skip <= index < end for index in range(len(reads))]
    assert sum(struck) == sum(reads)
