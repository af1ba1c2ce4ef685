"""The docker client's configuration: what is claimed, which places there are, that all of them stay."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import HEAD, Assignment, Reference, Slot, Unreadable, claimants, dockerconfig
from rewriters._encode import decode, encode
from rewriters.check import check

ROOT = Path(__file__).parents[2]
PATH = ".docker/config.json"


def auth(name: str, password: str) -> str:
    return b64encode(f"{name}:{password}".encode()).decode()


def slots(value: Any, path: str = PATH) -> dict[str, Slot]:
    text = value if isinstance(value, str) else json.dumps(value)
    return {slot.pointer: slot for slot in dockerconfig.slots(path, text.encode())}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (PATH, {"auths": {}}),
        ("home/.docker/config.json", {"proxies": {"default": {}}}),
        ("ci/registry.json", {"auths": {"a": {"auth": "x"}}}),
        (".dockercfg", {"a": {"auth": "x"}}),
        ("k8s/.dockerconfigjson", {"auths": {"a": {}}}),
        ("k8s/pull.dockerconfigjson", {"auths": {"a": {}}}),
    ],
)
def test_claims_configurations(path: str, value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=4)):
        assert dockerconfig.claims(path, text.encode())
        assert dockerconfig.claims(path, b"\xef\xbb\xbf" + text.encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("config.json", {"proxies": {}}),
        ("a/config.json", {"auth": "x"}),
        ("api.json", {"openapi": "3", "auths": {"a": {}}}),
        ("api.json", {"auths": ["a"]}),
        ("secret.json", {"apiVersion": "v1", "kind": "Secret", "auths": {"a": {}}}),
        (PATH, {"registries": []}),
        ("config.yaml", {"auths": {"a": {}}}),
    ],
)
def test_leaves_other_files_alone(path: str, value: Any) -> None:
    assert not dockerconfig.claims(path, json.dumps(value).encode())
    assert not dockerconfig.claims(PATH, b"[]")


def test_no_file_of_the_cases_has_another_platform_too() -> None:
    mine = {"dockerconfig", "marathon", "servicefabric"}
    for file in (ROOT / "fixtures").rglob("*"):
        if file.is_file() and "in" in file.parts:
            path = file.relative_to(ROOT / "fixtures").as_posix().split("/in/", 1)[-1]
            names = {rewriter.NAME for rewriter in claimants(path, file.read_bytes()[:HEAD])}
            assert len(names) < 2 or names.isdisjoint(mine), (file, names)


def test_the_value_is_the_password_alone() -> None:
    found = slots({"auths": {"r": {"auth": auth("me", "a:b"), "username": "me", "identitytoken": "t"}}})
    slot = found["auths.r.auth"]
    assert (slot.value.reveal(), slot.key, slot.place) == (b"a:b", "password", "registry")
    assert slot.encoding == ("json", "base64", "after:me:")
    assert not any(each.targets for each in found.values()) and all(each.reason for each in found.values())


def test_an_auth_that_is_none_stays_a_text() -> None:
    for text in ("${AUTH}", "no base64", "YWJj"):
        found = slots({"auths": {"r": {"auth": text}}})["auths.r.auth"]
        assert found.value.reveal() in (text.encode(), b"abc")
    binary = b64encode(b"\xff\xfe:password").decode()
    assert slots({"auths": {"r": {"auth": binary}}})["auths.r.auth"].encoding == ("json",)


def test_odd_shapes_are_read() -> None:
    odd: list[Any] = [{"auths": []}, {"auths": {"a": "b"}}, {"auths": {"a": {"auth": {"b": "c"}}}}]
    odd += [{"HttpHeaders": {"a": [1]}}, {"proxies": "x", "auths": {"a": {"auth": 1}}}, {"a": {"b": ["c", {"d": "e"}]}}]
    for value in odd:
        assert isinstance(slots(value), dict)
    assert list(slots({"r": {"auth": "YTpi", "email": "e"}}, ".dockercfg")) == ["r.auth", "r.email"]
    for text in ("[]", "{", '"x"', "{" * 500, '{"auths": {"a": {"auth": "\\ud800"}}}'):
        with pytest.raises(Unreadable):
            slots(text)


NAMES = st.text(st.sampled_from("abZ09.@/_$é-"), min_size=1, max_size=12)
PASSWORDS = st.text(st.sampled_from("aZ09 '\"\\/:#{}[],&*$%=é\n😀"), min_size=1, max_size=20)


@given(
    st.dictionaries(NAMES, st.tuples(NAMES, PASSWORDS), min_size=1, max_size=4),
    st.sampled_from([None, 2, "\t"]),
    st.booleans(),
)
def test_everything_is_refused_and_stays(entries: dict[str, tuple[str, str]], indent: Any, crlf: bool) -> None:
    document = {
        "auths": {host: {"auth": auth(*pair), "password": pair[1]} for host, pair in entries.items()},
        "proxies": {"default": {"httpsProxy": f"http://u:{len(entries)}@p"}},
        "HttpHeaders": {"X": "y"},
    }
    text = json.dumps(document, indent=indent)
    data = (text.replace("\n", "\r\n") if crlf else text).encode()
    found = dockerconfig.slots(PATH, data)
    assert len(found) == 2 * len(entries) + 2
    passwords = {password.encode() for _, password in entries.values()}
    assert {slot.value.reveal() for slot in found if slot.place == "registry"} == passwords
    for slot in found:
        raw = data[slot.span.start : slot.span.end]
        assert decode(slot.encoding, raw) == slot.value.reveal()
    items = [Assignment(slot, Reference("https://shop.vault.azure.net", f"s-{at}")) for at, slot in enumerate(found)]
    report = check(dockerconfig, {PATH: data}, items)
    assert not report.broken
    assert len(report.rewrites["dockerconfig"].refusals) == len(found) and report.after == {PATH: data}


@given(NAMES, PASSWORDS)
def test_the_chain_writes_what_stood_there(name: str, password: str) -> None:
    slot = slots({"auths": {"r": {"auth": auth(name, password)}}})["auths.r.auth"]
    assert encode(slot.encoding, password.encode()).decode() == auth(name, password)
