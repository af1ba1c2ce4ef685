"""The proof notices what it is there to notice."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Plaintext, Reference, Variable, fetch
from secretscan.prove.proof import compare, stands_in

VALUE = "n7Zq2LxKe91TgVbW"
BEFORE = {
    "compose.yaml": f"services:\n  db:\n    image: alpine\n    environment:\n      DB_PASSWORD: {VALUE}\n".encode()
}


def lookup(reference: Reference) -> Plaintext:
    if reference.name == "db":
        return Plaintext(VALUE.encode())
    raise LookupError


def after(text: str) -> dict[str, bytes]:
    return {"compose.yaml": BEFORE["compose.yaml"].replace(VALUE.encode(), text.encode())}


def test_nothing_changed() -> None:
    count, differences = compare(BEFORE, BEFORE, lookup)
    assert count > 0
    assert not differences


@pytest.mark.parametrize("text", ["another", '""', "${DB:?}"])
def test_a_changed_value_is_a_difference(text: str) -> None:
    _, differences = compare(BEFORE, after(text), lookup)
    assert [(item.address.name, item.problem) for item in differences] == [("DB_PASSWORD", "changed")]


def test_a_dropped_variable_is_a_difference() -> None:
    gone = {"compose.yaml": b"services:\n  db:\n    image: alpine\n"}
    _, differences = compare(BEFORE, gone, lookup)
    assert [(item.address.name, item.problem) for item in differences] == [("DB_PASSWORD", "missing")]


def test_a_variable_more_is_a_difference_unless_the_vault_gives_it() -> None:
    more = {"compose.yaml": BEFORE["compose.yaml"] + b"      DEBUG: everything\n"}
    _, differences = compare(BEFORE, more, lookup)
    assert [(item.address.name, item.problem) for item in differences] == [("DEBUG", "added")]
    script = fetch.script("", [Variable("", "DB", Reference("https://shop.vault.azure.net", "db"))], None)
    given = {"compose.yaml": BEFORE["compose.yaml"] + b"      DB_COPY: ${DB:?}\n", script.path: script.content}
    assert not compare(BEFORE, given, lookup)[1]


def test_an_image_variable_counts_as_provided_only_with_the_same_value() -> None:
    image = {"Dockerfile": f"FROM alpine\nENV DB_PASSWORD={VALUE}\n".encode()}
    bare = {"Dockerfile": b"FROM alpine\n"}
    provided = ["Dockerfile#DB_PASSWORD"]
    assert not compare(image | BEFORE, bare | BEFORE, lookup, provided)[1]
    assert compare(image | BEFORE, bare | BEFORE, lookup)[1]
    assert compare(image | BEFORE, bare | after("another"), lookup, provided)[1]
    assert compare(image, bare, lookup, provided)[1]


@given(
    st.binary(min_size=12, max_size=60).filter(lambda data: not (data.isalpha() and data.islower())),
    st.binary(max_size=30),
    st.binary(max_size=30),
)
def test_a_value_is_found_in_every_spelling(value: bytes, left: bytes, right: bytes) -> None:
    for form in (value, base64.b64encode(value), quote(value, safe="").encode()):
        assert stands_in(left + form + right, Plaintext(value))


def test_a_value_that_is_an_ordinary_word_counts_as_the_whole_text() -> None:
    assert stands_in(b"postgres", Plaintext(b"postgres"))
    assert not stands_in(b"name: postgres-password", Plaintext(b"postgres"))


BROKEN = {
    "compose.yaml": b"services:\n  a: *nobody\n",
    "Dockerfile": b"FROM alpine\nRUN <<END\nno end\n",
    "group.yaml": b"type: Microsoft.ContainerInstance/containerGroups\napiVersion: *nobody\n",
}
GOOD = {
    "compose.yaml": BEFORE["compose.yaml"],
    "Dockerfile": f"FROM alpine\nENV DB_PASSWORD={VALUE}\n".encode(),
    "group.yaml": (
        "apiVersion: '2023-05-01'\nname: app\ntype: Microsoft.ContainerInstance/containerGroups\nproperties:\n"
        "  osType: Linux\n  containers:\n  - name: app\n    properties:\n      image: alpine\n"
        f"      environmentVariables:\n      - name: DB_PASSWORD\n        secureValue: {VALUE}\n"
    ).encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_does_not_hide_the_others(name: str) -> None:
    """One broken file among many, brought by anyone, must not make every rewrite of the platform count as proved."""
    before = {name: GOOD[name], f"other/{name}": BROKEN[name]}
    changed = {**before, name: GOOD[name].replace(VALUE.encode(), b"another")}
    assert compare(before, before, lookup)[0] > 0
    assert not compare(before, before, lookup)[1]
    assert [item.problem for item in compare(before, changed, lookup)[1]] == ["changed"]
    mended = {**before, f"other/{name}": GOOD[name]}
    assert [item.problem for item in compare(before, mended, lookup)[1]] == ["unreadable"]
    assert "unreadable" in [item.problem for item in compare(mended, before, lookup)[1]]
