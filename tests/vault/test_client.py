"""Storing and reading values, on good days."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from azure.keyvault.secrets import SecretClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewriters import Plaintext, Reference
from secretscan.errors import SecretNotFound, UsageError, VaultConflict, VaultRefused
from secretscan.events import Noted
from secretscan.vault.facts import Absent, Deleted, Disabled, Held
from secretscan.vault.server import Delays, Drop, Faults, Operation, VaultSettings

VALUE = Plaintext(b"orchid-lantern-7719")
OTHER = Plaintext(b"gravel-violin-2203")


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


def test_a_value_is_stored_read_back_and_found_again(join):
    pair = join()
    stored = pair.vault.put("shop-db-password", VALUE, tags={"secretscan-run": "r1"}, content_type="text/plain")
    assert stored.outcome == "created"
    assert stored.reference == Reference("https://shop.vault.azure.net", "shop-db-password", stored.version)
    assert stored.tags == (("secretscan-run", "r1"),)
    now = pair.vault.current("SHOP-db-password")
    assert isinstance(now, Held)
    assert now.value == VALUE
    assert now.version == stored.version
    assert now.content_type == "text/plain"
    assert pair.vault.read(stored.reference) == VALUE
    assert pair.vault.read(Reference(pair.vault.url, "shop-db-password")) == VALUE


def test_storing_again_adopts_and_writes_nothing(join):
    pair = join()
    first = pair.vault.put("shop-db-password", VALUE, tags={"run": "r1"})
    second = pair.vault.put("Shop-DB-Password", VALUE, tags={"run": "r2"})
    assert second.outcome == "adopted"
    assert second.version == first.version
    assert second.tags == (("run", "r1"),)
    assert pair.asked(Operation.SET) == 1


def test_a_different_value_is_not_overwritten_unless_asked_for(join):
    pair = join()
    pair.vault.put("shop-db-password", OTHER)
    with pytest.raises(VaultConflict, match="different value"):
        pair.vault.put("shop-db-password", VALUE)
    assert pair.values("shop-db-password") == (OTHER.reveal(),)
    new = pair.vault.put("shop-db-password", VALUE, replace=True)
    assert new.outcome == "created"
    assert pair.values("shop-db-password") == (OTHER.reveal(), VALUE.reveal())


def test_versions_come_in_the_order_of_their_making(join):
    pair = join()
    made = []
    for number in range(5):
        made.append(pair.vault.put("rotated", Plaintext(b"generation-%d" % number), replace=True).version)
        pair.clock.sleep(5)
    listed = pair.vault.versions("rotated")
    assert [each.reference.version for each in listed] == made
    assert all(each.enabled for each in listed)
    assert pair.vault.versions("not-there") == ()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200))
def test_every_text_comes_back_byte_for_byte(shared_pair, text):
    pair = shared_pair
    value = Plaintext(text.encode())
    stored = pair.vault.put("anything", value, replace=True)
    assert pair.vault.read(stored.reference) == value


@pytest.fixture
def shared_pair(join):
    return join()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"x" * 25_601, "longer than the 25600 bytes"),
        ("é".encode() * 12_801, "longer than the 25600 bytes"),
        (b"\xff\xfe\x00k", "binary"),
        (b"left\0right", "zero byte"),
    ],
)
def test_what_a_vault_cannot_hold_is_refused_before_anything_is_sent(join, data, reason):
    pair = join()
    with pytest.raises(VaultRefused, match=reason):
        pair.vault.put("shop-key", Plaintext(data))
    assert pair.server.requests == ()


def test_the_largest_value_fits(join):
    pair = join()
    value = Plaintext(b"k" * 25_600)
    assert pair.vault.read(pair.vault.put("large", value).reference) == value


@pytest.mark.parametrize("name", ["under_score", "a/b", "a.b", "x" * 128, "näme", "tail\n"])
def test_a_name_that_no_vault_takes_is_never_sent(join, name):
    pair = join()
    for act in (
        lambda: pair.vault.put(name, VALUE),
        lambda: pair.vault.current(name),
        lambda: pair.vault.recover(name),
    ):
        with pytest.raises(UsageError, match="cannot have this name"):
            act()
    assert pair.server.requests == ()


def test_tags_beyond_the_limits_are_never_sent(join):
    pair = join()
    for tags in ({str(n): "" for n in range(16)}, {"k": "v" * 513}):
        with pytest.raises(UsageError, match="tags"):
            pair.vault.put("shop-key", VALUE, tags=tags)
    assert pair.server.requests == ()


def test_states_of_a_name(join):
    pair = join()
    other = raw(pair)
    other.set_secret("off", "value-nobody-reads", enabled=False)
    pair.vault.put("gone", VALUE)
    other.begin_delete_secret("gone").result()
    assert pair.vault.current("free") == Absent("free")
    assert pair.vault.current("off") == Disabled("off")
    gone = pair.vault.current("gone")
    assert isinstance(gone, Deleted)
    assert gone.purged is not None
    assert gone.purged > datetime.fromtimestamp(pair.clock.unix(), UTC)


def test_a_disabled_secret_is_neither_read_nor_replaced_without_being_asked(join):
    pair = join()
    made = raw(pair).set_secret("off", "value-nobody-reads", enabled=False)
    with pytest.raises(VaultConflict, match="disabled"):
        pair.vault.put("off", VALUE)
    with pytest.raises(VaultRefused, match="disabled"):
        pair.vault.read(Reference(pair.vault.url, "off", made.properties.version))
    assert pair.vault.put("off", VALUE, replace=True).outcome == "created"


def test_a_certificates_secret_is_never_written(join):
    pair = join()
    pair.server.plant_managed("tls", OTHER)
    assert pair.vault.names() == ("tls",)
    for replace in (False, True):
        with pytest.raises(VaultConflict, match="certificate"):
            pair.vault.put("tls", VALUE, replace=replace)
    assert pair.values("tls") == (OTHER.reveal(),)


def test_an_equal_but_expired_value_is_reported_and_not_adopted(join):
    pair = join()
    raw(pair).set_secret("old", VALUE.reveal().decode(), expires_on=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(VaultConflict, match=r"expired at 2020-01-01 00:00 UTC"):
        pair.vault.put("old", VALUE)


def test_a_missing_reference_is_a_lookup_error(join):
    pair = join()
    stored = pair.vault.put("there", VALUE)
    for reference in (
        Reference(pair.vault.url, "not-there"),
        Reference(pair.vault.url, "there", stored.version[::-1]),
    ):
        with pytest.raises(SecretNotFound) as caught:
            pair.vault.read(reference)
        assert isinstance(caught.value, LookupError)


def test_a_reference_of_another_vault_is_never_looked_up(join):
    pair = join()
    with pytest.raises(UsageError, match="another vault"):
        pair.vault.read(Reference("https://other.vault.azure.net", "there"))
    assert pair.server.requests == ()


def test_lists_go_on_after_empty_pages(join):
    pair = join(faults=Faults(ragged_pages=True))
    other = raw(pair)
    made = sorted(f"secret-{number:02}" for number in range(31))
    for name in made:
        other.set_secret(name, "listed")
    for name in made[20:]:
        other.begin_delete_secret(name).result()
    assert pair.vault.names() == tuple(made[:20])
    assert pair.vault.deleted_names() == tuple(made[20:])


def test_a_deleted_name_is_reported_and_can_be_recovered(join):
    pair = join(faults=Faults(delays=Delays(delete=6, recover=4)))
    stored = pair.vault.put("shop-key", VALUE)
    pair.vault.delete(stored.reference)
    assert pair.clock.now >= 6
    with pytest.raises(VaultConflict, match="deleted secret still holds this name") as caught:
        pair.vault.put("shop-key", VALUE)
    assert "az keyvault secret recover --vault-name shop --name shop-key" in caught.value.next_step
    back = pair.vault.recover("shop-key")
    assert isinstance(back, Held)
    assert back.version == stored.version
    assert pair.vault.put("shop-key", VALUE).outcome == "adopted"
    assert isinstance(pair.vault.recover("shop-key"), Held)  # it is there: nothing to do
    with pytest.raises(SecretNotFound):
        pair.vault.recover("never-was")


def test_deleting_spares_a_secret_that_others_have_written_to(join):
    pair = join()
    stored = pair.vault.put("shop-key", VALUE)
    raw(pair).set_secret("shop-key", OTHER.reveal().decode())
    with pytest.raises(VaultConflict, match="other versions"):
        pair.vault.delete(stored.reference)
    assert pair.asked(Operation.DELETE) == 0
    pair.vault.delete(Reference(pair.vault.url, "never-was", stored.version))


def test_a_secret_that_was_disabled_before_it_was_deleted_still_takes_its_name(join):
    pair = join()
    other = raw(pair)
    other.set_secret("off", "value-nobody-reads", enabled=False)
    other.begin_delete_secret("off").result()
    assert isinstance(pair.vault.current("off"), Deleted)


def test_deleting_in_a_vault_without_soft_delete_is_final(join):
    pair = join(settings=VaultSettings(soft_delete=False))
    stored = pair.vault.put("shop-key", VALUE)
    pair.vault.delete(stored.reference)
    assert pair.vault.current("shop-key") == Absent("shop-key")
    assert pair.clock.now == 0


def test_a_lost_answer_to_a_deletion_or_recovery_is_no_failure(join):
    lost = (Drop(on=frozenset({Operation.DELETE}), times=1), Drop(on=frozenset({Operation.RECOVER}), times=1))
    pair = join(faults=Faults(rules=lost, delays=Delays(delete=4, recover=4)))
    stored = pair.vault.put("shop-key", VALUE)
    pair.vault.delete(stored.reference)
    assert isinstance(pair.vault.current("shop-key"), Deleted)
    assert isinstance(pair.vault.recover("shop-key"), Held)


def test_check_signs_in_and_mentions_a_wrong_clock(join):
    pair = join(faults=Faults(clock_skew=-150))
    pair.vault.check()
    notes = [event.text for event in pair.events if isinstance(event, Noted)]
    assert len(notes) == 1
    assert "ahead of the vault's" in notes[0]


def test_neither_value_nor_token_reaches_a_log(join, caplog):
    caplog.set_level(logging.DEBUG)
    pair = join()
    stored = pair.vault.put("shop-key", VALUE)
    pair.vault.read(stored.reference)
    assert "shop.vault.azure.net" in caplog.text  # the logs were on
    for canary in (VALUE.reveal().decode(), pair.server.token):
        assert canary not in caplog.text
        assert canary not in repr(pair.vault)
        assert canary not in repr((stored, pair.vault.current("shop-key"), pair.vault._witness))
