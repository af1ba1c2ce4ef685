"""The unmodified SDK against the embedded vault, by both ways."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.keyvault.secrets import ApiVersion, SecretClient

from rewriters import Plaintext
from secretscan.vault.server import Delays, EmbeddedVault, Faults, Operation, VaultSettings

HARD_VALUE = 'made-up "quoted" \\ line one\r\nline two\n\t\u00e4\u20ac\U0001f511\x00'


def inner(error: HttpResponseError) -> str | None:
    """The code to branch on."""
    assert error.error is not None
    details: Any = error.error.innererror
    return details["code"] if details else None


def test_a_value_comes_back_as_it_went(start: Any, client: Any) -> None:
    vault: EmbeddedVault = start(("shop",))
    sdk: SecretClient = client(vault)
    expires = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
    made = sdk.set_secret("db-password", HARD_VALUE, content_type="text/plain", tags={"plan": "p1"}, expires_on=expires)
    read = sdk.get_secret("db-password")
    assert (made.value, read.value) == (HARD_VALUE, HARD_VALUE)
    assert read.properties.version == made.properties.version
    assert read.properties.tags == {"plan": "p1"}
    assert read.properties.expires_on == expires
    assert read.properties.content_type == "text/plain"
    assert read.properties.recoverable_days == 90
    assert vault.stored()[0].values == (Plaintext(HARD_VALUE.encode()),)


def test_the_check_of_the_challenge_stays_on_through_the_proxy(start: Any) -> None:
    vault: EmbeddedVault = start(("shop",))
    options: dict[str, Any] = {"credential": vault.credential(), "connection_verify": str(vault.ca_file)}
    with SecretClient(vault.azure_url(), proxies={"https": vault.proxy_url}, **options) as checked:
        checked.set_secret("a", "made up")
    with SecretClient(vault.url(), **options) as direct, pytest.raises(ValueError, match="does not match"):
        direct.get_secret("a")


def test_only_the_own_authority_is_trusted(start: Any) -> None:
    vault, other = start(("shop",)), start(("shop",))
    with (
        SecretClient(
            vault.azure_url(),
            vault.credential(),
            proxies={"https": vault.proxy_url},
            connection_verify=str(other.ca_file),
            retry_total=0,
        ) as sdk,
        pytest.raises(ServiceRequestError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        sdk.get_secret("a")


def test_another_suffix_has_its_own_challenge(start: Any) -> None:
    vault: EmbeddedVault = start(("shop",), suffix="vault.azure.cn")
    with SecretClient(
        vault.azure_url(),
        vault.credential(),
        proxies={"https": vault.proxy_url},
        connection_verify=str(vault.ca_file),
    ) as sdk:
        assert (sdk.set_secret("a", "made up").id or "").startswith("https://shop.vault.azure.cn/secrets/a/")


def test_vaults_are_apart(start: Any, client: Any) -> None:
    vault: EmbeddedVault = start(("shop", "other"))
    client(vault, "shop").set_secret("a", "made up")
    with pytest.raises(ResourceNotFoundError):
        client(vault, "other").get_secret("a")
    with pytest.raises(ValueError, match="no vault 'third'"):
        vault.url("third")


def test_a_vault_is_made_on_first_use(start: Any, client: Any) -> None:
    vault: EmbeddedVault = start(("shop",), open_names=True)
    client(vault, "brand-new").set_secret("a", "made up")
    assert [one.name for one in vault.stored("brand-new")] == ["a"]
    assert vault.stored("shop") == ()


def test_names_have_no_case_and_keep_their_first_spelling(start: Any, plain_client: Any) -> None:
    sdk = plain_client(start())
    sdk.set_secret("Db-Password", "first")
    sdk.set_secret("DB-PASSWORD", "second")
    assert sdk.get_secret("db-password").value == "second"
    assert [one.name for one in sdk.list_properties_of_secrets()] == ["Db-Password"]
    assert len(list(sdk.list_properties_of_secret_versions("dB-pASSWORD"))) == 2


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("size", [None, 7])
def test_lists_are_whole_over_many_pages(start: Any, client: Any, ragged: bool, size: int | None) -> None:
    sdk = client(start(faults=Faults(ragged_pages=ragged)))
    names = [f"name-{number:02}" for number in range(51)]
    for name in reversed(names):
        sdk.set_secret(name, "made up")
    assert [one.name for one in sdk.list_properties_of_secrets(max_page_size=size)] == names
    pages = [list(page) for page in sdk.list_properties_of_secrets(max_page_size=size).by_page()]
    assert max(map(len, pages)) <= (size or 25)
    assert ([] in pages) is ragged
    versions = {sdk.set_secret("name-07", str(number)).properties.version for number in range(30)}
    listed = [one.version for one in sdk.list_properties_of_secret_versions("name-07", max_page_size=size)]
    assert listed == sorted(listed)
    assert versions < set(listed)
    for name in names[:30]:
        sdk.begin_delete_secret(name)
    assert [one.name for one in sdk.list_deleted_secrets(max_page_size=size)] == names[:30]
    assert [one.name for one in sdk.list_properties_of_secrets(max_page_size=size)] == names[30:]


def test_more_than_25_a_page_is_refused(start: Any, plain_client: Any) -> None:
    with pytest.raises(HttpResponseError, match="maxresults"):
        list(plain_client(start()).list_properties_of_secrets(max_page_size=26))


def test_update_keeps_what_it_does_not_name(start: Any, plain_client: Any) -> None:
    sdk = plain_client(start())
    first = sdk.set_secret("a", "one", tags={"x": "1"}, content_type="t")
    sdk.set_secret("a", "two", tags={"y": "2"})
    sdk.update_secret_properties("a", first.properties.version, enabled=False)
    old = next(one for one in sdk.list_properties_of_secret_versions("a") if one.version == first.properties.version)
    assert (old.enabled, old.tags, old.content_type) == (False, {"x": "1"}, "t")
    assert sdk.get_secret("a").value == "two"
    with pytest.raises(HttpResponseError) as refusal:
        sdk.get_secret("a", first.properties.version)
    assert (refusal.value.status_code, inner(refusal.value)) == (403, "SecretDisabled")
    assert sdk.update_secret_properties("a", tags={"z": "3"}).tags == {"z": "3"}


def test_deletion_from_end_to_end(start: Any, client: Any) -> None:
    sdk = client(start())
    version = sdk.set_secret("a", "made up").properties.version
    deleted = sdk.begin_delete_secret("a").result()
    assert (deleted.scheduled_purge_date - deleted.deleted_date).days == 90
    with pytest.raises(ResourceNotFoundError):
        sdk.get_secret("a")
    with pytest.raises(ResourceExistsError) as conflict:
        sdk.set_secret("a", "again")
    assert inner(conflict.value) == "ObjectIsDeletedButRecoverable"
    sdk.begin_recover_deleted_secret("a").wait()
    assert sdk.get_secret("a").properties.version == version
    with pytest.raises(HttpResponseError) as live:
        sdk.begin_recover_deleted_secret("a")
    assert (live.value.status_code, inner(live.value)) == (400, "RequestNotAllowedOnNonDeletedObject")
    sdk.begin_delete_secret("a").wait()
    sdk.purge_deleted_secret("a")
    assert sdk.set_secret("a", "anew").value == "anew"


def test_slow_deletion_and_recovery(start: Any, plain_client: Any) -> None:
    elapsed = [0.0]
    vault = start(faults=Faults(delays=Delays(delete=5, recover=5, purge=5)), stopwatch=lambda: elapsed[0])
    sdk = plain_client(vault)
    sdk.set_secret("a", "made up")
    sdk.begin_delete_secret("a")
    for busy in (sdk.purge_deleted_secret, sdk.begin_recover_deleted_secret, lambda name: sdk.set_secret(name, "x")):
        with pytest.raises(ResourceExistsError) as conflict:
            busy("a")
        assert inner(conflict.value) == "ObjectIsBeingDeleted"
    with pytest.raises(ResourceNotFoundError):
        sdk.get_deleted_secret("a")
    assert list(sdk.list_deleted_secrets()) == []
    elapsed[0] += 5
    sdk.get_deleted_secret("a")
    # The poller looks at once, and the second time in two seconds: result() does not wait.
    sdk.begin_recover_deleted_secret("a").result()
    with pytest.raises(ResourceNotFoundError):
        sdk.get_secret("a")
    with pytest.raises(ResourceExistsError):
        sdk.set_secret("a", "x")
    elapsed[0] += 5
    assert sdk.get_secret("a").value == "made up"
    sdk.begin_delete_secret("a")
    elapsed[0] += 5
    sdk.purge_deleted_secret("a")
    with pytest.raises(ResourceExistsError):
        sdk.set_secret("a", "x")
    elapsed[0] += 5
    sdk.set_secret("a", "x")


def test_deleted_secrets_go_when_their_time_has_come(start: Any, plain_client: Any) -> None:
    now = [1_800_000_000.0]
    sdk = plain_client(start(settings=VaultSettings(retention_days=7), clock=lambda: now[0]))
    sdk.set_secret("a", "made up")
    assert sdk.begin_delete_secret("a").result().properties.recovery_level == "CustomizedRecoverable+Purgeable"
    now[0] += 7 * 86_400 - 1
    sdk.get_deleted_secret("a")
    now[0] += 1
    with pytest.raises(ResourceNotFoundError):
        sdk.get_deleted_secret("a")
    sdk.set_secret("a", "anew")


def test_purge_protection(start: Any, plain_client: Any) -> None:
    sdk = plain_client(start(settings=VaultSettings(purge_protection=True)))
    sdk.set_secret("a", "made up")
    assert sdk.begin_delete_secret("a").result().properties.recovery_level == "Recoverable"
    with pytest.raises(HttpResponseError, match="purge protection is enabled") as refusal:
        sdk.purge_deleted_secret("a")
    assert refusal.value.status_code == 403


def test_a_certificates_secret_is_not_to_be_changed(start: Any, plain_client: Any) -> None:
    vault = start()
    vault.plant_managed("site", Plaintext(b"made up"))
    sdk: SecretClient = plain_client(vault)
    assert [(one.name, one.managed) for one in sdk.list_properties_of_secrets()] == [("site", True)]
    with pytest.raises(HttpResponseError) as no_delete:
        sdk.begin_delete_secret("site")
    with pytest.raises(HttpResponseError) as no_set:
        sdk.set_secret("site", "x")
    for refusal in (no_delete.value, no_set.value):
        assert (refusal.status_code, inner(refusal)) == (403, "SecretManagedByKeyVault")


LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("under_score", {}),
    ("a.b", {}),
    ("n" * 128, {}),
    ("ok", {"value": "v" * 25_601}),
    ("ok", {"value": "\u20ac" * 8534}),
    ("ok", {"tags": {f"tag{number}": "x" for number in range(16)}}),
    ("ok", {"tags": {"t" * 513: "x"}}),
    ("ok", {"tags": {"t": "x" * 513}}),
    ("ok", {"content_type": "c" * 256}),
]


@pytest.mark.parametrize(("name", "options"), LIMITS, ids=range(len(LIMITS)))
def test_what_is_over_a_limit_is_refused(start: Any, plain_client: Any, name: str, options: dict[str, Any]) -> None:
    vault = start()
    with pytest.raises(HttpResponseError) as refusal:
        plain_client(vault).set_secret(name, **{"value": "v", **options})
    assert refusal.value.status_code == 400
    assert refusal.value.error is not None
    assert refusal.value.error.code == "BadParameter"
    assert vault.stored() == ()


def test_what_is_at_a_limit_is_kept(start: Any, plain_client: Any) -> None:
    sdk = plain_client(start())
    tags = {f"{number:0>512}": "x" * 512 for number in range(15)}
    made = sdk.set_secret("n" * 127, "\\\x01" * 12_800, content_type="c" * 255, tags=tags)
    assert made.properties.tags == tags
    assert sdk.set_secret("empty", "").value == ""


@pytest.mark.parametrize("version", list(ApiVersion))
def test_every_api_version_of_the_sdk(start: Any, plain_client: Any, version: ApiVersion) -> None:
    sdk = plain_client(start(), api_version=version)
    sdk.set_secret("a", "made up")
    expected = None if version in (ApiVersion.V7_0, ApiVersion.V2016_10_01) else 90
    assert sdk.get_secret("a").properties.recoverable_days == expected


def test_parallel_sets_each_make_one_version(start: Any, client: Any) -> None:
    vault = start()
    sdk = client(vault)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: sdk.set_secret("same", str(number)).properties.version, range(80)))
        list(pool.map(lambda number: sdk.set_secret(f"own-{number}", "x"), range(40)))
    assert len(set(made)) == 80
    same = next(one for one in vault.stored() if one.name == "same")
    assert sorted(int(value.reveal()) for value in same.values) == list(range(80))
    assert Plaintext(sdk.get_secret("same").value.encode()) == same.values[-1]
    assert len(vault.stored()) == 41


def test_a_token_that_ran_out_is_replaced(start: Any, plain_client: Any) -> None:
    vault = start()
    sdk = plain_client(vault)
    sdk.set_secret("a", "made up")
    before = vault.token
    vault.renew_token()
    assert sdk.get_secret("a").value == "made up"
    assert vault.token != before
    assert [one.status for one in vault.requests] == [401, 200, 401, 200]


def test_the_credential_is_for_the_vault_alone(start: Any) -> None:
    credential = start().credential()
    assert credential.get_token_info("https://vault.azure.net/.default").token
    with pytest.raises(ClientAuthenticationError):
        credential.get_token("https://management.azure.com/.default")
    assert credential.get_token("https://vault.azure.net/.default").token not in repr(credential)


def test_the_request_log_tells_operations_and_no_values(start: Any, plain_client: Any) -> None:
    vault = start()
    sdk = plain_client(vault)
    sdk.set_secret("a", HARD_VALUE)
    sdk.get_secret("a")
    assert [(one.operation, one.name, one.status) for one in vault.requests] == [
        (None, "", 401),
        (Operation.SET, "a", 200),
        (Operation.GET, "a", 200),
    ]
    assert "made-up" not in repr(vault.requests) + repr(vault) + repr(vault.stored())


def test_backups_are_refused_honestly(start: Any, plain_client: Any) -> None:
    sdk = plain_client(start())
    sdk.set_secret("a", "made up")
    with pytest.raises(HttpResponseError, match="has no backups") as refusal:
        sdk.backup_secret("a")
    assert refusal.value.status_code == 501
