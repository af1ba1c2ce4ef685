"""Names of secrets: legal, readable, and never shared."""

from __future__ import annotations

import re
import string
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Reference
from secretscan.plan.names import Proposed, Wanted, fault, propose

TEXT = st.one_of(
    st.sampled_from(
        [
            "DB_PASSWORD",
            "db.password",
            "Db-Password",
            "password",
            "PATH",
            "LD_PRELOAD",
            "storageAccountKey",
            "7z",
            "",
            "é",
        ]
    ),
    st.text(string.ascii_letters + string.digits + "_-./ é", max_size=12),
    st.text(max_size=200),
)
SOME = st.lists(TEXT, max_size=3).map(tuple)
FACTS = st.builds(
    Wanted,
    st.just(""),
    keys=SOME,
    subjects=SOME,
    paths=st.lists(TEXT, max_size=2).map(tuple),
    kind=st.sampled_from(["", "password", "token", "connection-string"]),
    places=st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    part=st.booleans(),
)
WANTED = st.lists(FACTS, max_size=12).map(
    lambda many: tuple(replace(wanted, id=f"{n:04x}") for n, wanted in enumerate(many))
)
QUICK = settings(max_examples=80, deadline=None)


def names(proposed: tuple[Proposed, ...]) -> list[str]:
    return [each.name for each in proposed]


@QUICK
@given(wanted=WANTED, prefix=TEXT, existing=st.lists(st.sampled_from(["db-password", "Secret", "PASSWORD"])))
def test_names_and_variables_are_legal_and_never_shared(wanted, prefix, existing):
    given_ = names(propose(wanted, prefix=prefix, existing=existing))
    assert all(re.fullmatch(r"[a-z][0-9a-z-]{0,126}", name) for name in given_)
    assert len({name.lower() for name in given_} | {name.lower() for name in existing}) == len(given_) + len(
        {name.lower() for name in existing}
    )
    variables = {Reference("https://shop.vault.azure.net", name).variable for name in given_}
    assert len(variables) == len(given_)
    assert all(re.fullmatch(r"[A-Z][0-9A-Z_]*", variable) for variable in variables)
    assert not any(fault(name) for name in given_)


@QUICK
@given(wanted=WANTED, prefix=TEXT, seed=st.randoms())
def test_the_order_in_which_secrets_are_found_does_not_matter(wanted, prefix, seed):
    shuffled = list(wanted)
    seed.shuffle(shuffled)
    assert set(propose(wanted, prefix=prefix)) == set(propose(shuffled, prefix=prefix))


@QUICK
@given(wanted=WANTED, more=WANTED, prefix=TEXT)
def test_names_given_before_stay_whatever_is_found_later(wanted, more, prefix):
    before = propose(wanted, prefix=prefix)
    later = tuple(replace(each, id="f" + each.id) for each in more)
    after = propose((*later, *wanted), prefix=prefix, keep=before)
    assert set(before) <= set(after)
    assert len({each.name for each in after}) == len(after)


@QUICK
@given(wanted=WANTED, prefix=TEXT)
def test_a_second_run_finds_the_names_that_the_first_one_stored(wanted, prefix):
    first = {each.id: each.name for each in propose(wanted, prefix=prefix)}
    again = propose(wanted, prefix=prefix, existing=first.values(), holds=lambda id_, name: first[id_] == name)
    assert {each.id: each.name for each in again} == first


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (Wanted("1", ("POSTGRES_PASSWORD",), ("db",)), "shop-db-postgres-password"),
        (Wanted("1", ("DB_PASSWORD",), ("db",)), "shop-db-password"),
        (Wanted("1", ("DB_PASSWORD", "POSTGRES_PASSWORD", "DATABASE_URL"), ("db", "api")), "shop-db-password"),
        (Wanted("1", ("password",), ("Secret/shop-db",)), "shop-secret-shop-db-password"),
        (Wanted("1", ("password",), ("shop-db",)), "shop-db-password"),
        (Wanted("1", ("password",), ("api", "worker")), "shop-api-password"),
        (Wanted("1", ("storageAccountKey",), ("shop",)), "shop-storage-account-key"),
        (Wanted("1", ("SMTPPassword",)), "shop-smtp-password"),
        (Wanted("1", ("S3_SECRET_KEY",)), "shop-s3-secret-key"),
        (Wanted("1", ("clé-d'accès",)), "shop-cle-d-acces"),
        (Wanted("1", kind="private-key"), "shop-private-key"),
        (Wanted("1"), "shop-secret"),
    ],
)
def test_names_say_what_a_secret_is_for(wanted, name):
    assert names(propose([wanted], prefix="shop")) == [name]


URL = "connection-string"


@pytest.mark.parametrize(
    ("keys", "kind", "places", "name"),
    [
        (("a", "redis-password", "requirepass", "REDIS_URL"), "password", (), "shop-redis-password"),
        (("-a",), "password", (("-a", "cache"),), "shop-cache-password"),
        (("DATABASE_URL",), URL, (("DATABASE_URL", "orders"),), "shop-orders-database-password"),
        (("DATABASE_URL", "password"), URL, (("DATABASE_URL", "api"), ("password", "orders")), "shop-orders-password"),
        (("DATABASE_URL",), URL, (("DATABASE_URL", "api"), ("DATABASE_URL", "worker")), "shop-database-password"),
        (("index-url",), URL, (), "shop-index-password"),
        ((), URL, (), "shop-password"),
        (("GIT_URL",), "token", (), "shop-git-token"),
        (("STORAGE_CONNECTION_STRING",), "api-key", (), "shop-storage-key"),
    ],
)  # fmt: skip
def test_a_part_of_a_text_is_not_called_after_the_text(keys, kind, places, name):
    subjects = tuple(dict.fromkeys(subject for _, subject in places))
    assert names(propose([Wanted("1", keys, subjects, (), kind, places, part=True)], prefix="shop")) == [name]


def test_a_whole_text_is_called_what_it_is():
    wanted = Wanted("1", ("DATABASE_URL", "value"), ("api",), (), URL, (("DATABASE_URL", "api"), ("value", "api")))
    assert names(propose([wanted], prefix="shop")) == ["shop-api-database-url"]


def test_the_place_tells_two_secrets_of_one_key_apart():
    wanted = [Wanted("1", ("TOKEN",), ("api",), ("a/x.yaml",)), Wanted("2", ("TOKEN",), ("api",), ("b/x.yaml",))]
    assert names(propose(wanted, prefix="shop")) == ["shop-api-token", "shop-b-api-token"]


def test_a_mark_tells_apart_what_nothing_else_does():
    wanted = [Wanted(str(n), ("TOKEN",), ("api",)) for n in range(4)]
    plain, *marked = names(propose(wanted, prefix="shop"))
    assert plain == "shop-api-token"
    assert all(re.fullmatch(r"shop-api-token-[0-9a-f]{6}", name) for name in marked)


def test_an_existing_name_is_only_given_for_an_equal_value():
    wanted = [Wanted("1", ("DB_PASSWORD",))]
    assert names(propose(wanted, existing=["DB-Password"], holds=lambda id_, name: name == "DB-Password")) == [
        "db-password"
    ]
    assert names(propose(wanted, existing=["DB-Password"]))[0].startswith("db-password-")


@pytest.mark.parametrize(
    "key", ["PATH", "LD_PRELOAD", "AZURE_CLIENT_SECRET", "BASH_ENV", "Docker.Host", "uid", "1PASSWORD"]
)
def test_no_name_makes_a_variable_with_a_meaning_of_its_own(key):
    (name,) = names(propose([Wanted("1", (key,))]))
    assert name.startswith("secret-")
    assert fault(name.removeprefix("secret-"))


def test_long_names_are_cut_and_still_differ():
    long = "VERY_" * 40
    wanted = [Wanted("1", (long + "A",)), Wanted("2", (long + "B",))]
    given_ = names(propose(wanted, prefix="shop"))
    assert all(len(name) <= 127 for name in given_)
    assert len(set(given_)) == 2


def test_a_kept_name_that_became_impossible_is_replaced():
    wanted = [Wanted("1", ("DB_PASSWORD",))]
    for keep in (Proposed("1", "under_score"), Proposed("1", "path"), Proposed("1", "9lives")):
        assert names(propose(wanted, keep=[keep])) == ["db-password"]
    # somebody else has stored another value under it since
    assert names(propose(wanted, keep=[Proposed("1", "db-pw")], existing=["DB-PW"])) == ["db-password"]
    # the name of a secret that is not asked for now stays its own
    assert names(propose(wanted, keep=[Proposed("2", "db-password")]))[0].startswith("db-password-")


def test_a_secret_wanted_twice_is_a_mistake():
    with pytest.raises(ValueError, match="twice"):
        propose([Wanted("1"), Wanted("1")])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a_b", "letters, digits and hyphens"),
        ("", "1 to 127"),
        ("x" * 128, "1 to 127"),
        ("tail\n", "letters"),
        ("9lives", "begin with a letter"),
        ("-x", "begin with a letter"),
        ("x-", "ends with a hyphen"),
        ("Path", "PATH"),
        ("azure-client-secret", "AZURE_CLIENT_SECRET"),
        ("Shop-DB-Password", ""),
    ],
)
def test_a_persons_choice_is_judged(name, why):
    assert why in fault(name)
    assert bool(fault(name)) == bool(why)


def test_ten_thousand_names_of_one_kind_take_no_time():
    started = time.process_time()
    given_ = propose([Wanted(str(n), ("TOKEN",), ("api",)) for n in range(10_000)], prefix="shop")
    assert len({each.name for each in given_}) == 10_000
    assert time.process_time() - started < 5
