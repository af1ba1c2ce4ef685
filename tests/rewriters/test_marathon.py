"""Marathon: what is claimed, which places there are, and the secrets of an application when they are asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Refusal, Settings, Slot, Unreadable, fetch, marathon
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
ASKED = Settings(marathon_secrets=True)


def app(**more: Any) -> dict[str, Any]:
    return {"id": "/shop/api", "cmd": "./api", "cpus": 1, "mem": 128, **more}


def slots(text: str) -> dict[str, Slot]:
    return {slot.pointer: slot for slot in marathon.slots("app.json", text.encode())}


def move(text: str, *pointers: str, settings: Settings = ASKED, name: str = "secret") -> Report:
    found = slots(text)
    items = [Assignment(found[pointer], Reference(VAULT, f"{name}-{at}")) for at, pointer in enumerate(pointers)]
    report = check(marathon, {"app.json": text.encode()}, items, settings=settings)
    assert not report.broken, report.broken
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["marathon"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        app(),
        [app()],
        {"id": "a", "instances": 2, "container": {"type": "DOCKER", "docker": {"image": "a"}}},
        {"id": "/g", "groups": [{"id": "/g/h", "apps": [app()]}]},
        {"id": "/p", "containers": [{"name": "a", "resources": {"cpus": 0.1, "mem": 1}}]},
        {"id": "a", "cmd": "x", "upgradeStrategy": {"minimumHealthCapacity": 1}},
    ],
)
def test_claims_definitions(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2)):
        assert marathon.claims("a/app.json", text.encode())
        assert marathon.claims("a/app.JSON", b"\xef\xbb\xbf" + text.encode())


@pytest.mark.parametrize(
    "value",
    [
        {"name": "shop", "version": "1.0.0", "scripts": {"start": "node ."}},
        {"$schema": "x", "id": "a", "cpus": 1, "cmd": "x"},
        {"family": "a", "containerDefinitions": [{"id": "a", "cpus": 1, "cmd": ["x"]}]},
        {"name": "nightly", "schedule": "R/2020", "cpus": 1, "mem": 1, "command": "x"},
        {"id": "job", "run": {"cpus": 1, "mem": 1, "cmd": "x"}},
        {"Job": {"ID": "x", "TaskGroups": []}},
        {"id": "user-1", "groups": ["a"], "name": "b"},
        {"id": "host", "cpus": 8, "mem": 16},
        {"apiVersion": "v1", "kind": "Pod", "id": "x", "cpus": 1, "containers": [], "resources": {}},
    ],
)
def test_leaves_other_json_alone(value: Any) -> None:
    assert not marathon.claims("x.json", json.dumps(value).encode())


def test_leaves_other_files_alone() -> None:
    assert not marathon.claims("x.yaml", json.dumps(app()).encode())
    assert not marathon.claims("x.json", b'# "id": "a", "cpus": 1, "cmd": "x"')


# --- slots ------------------------------------------------------------------------------------------------------------


def test_names_and_secrets_are_no_slots() -> None:
    text = json.dumps(
        app(env={"A": {"secret": "x"}, "B": "b", "C": 1}, secrets={"x": {"source": "y"}}, dependencies=["/a"])
    )
    assert list(slots(text)) == ["cmd", "env.B"]


def test_options_are_named() -> None:
    docker = {"parameters": [{"key": "env", "value": "PASSWORD=a=b"}, {"key": "volume-driver", "value": "x"}]}
    text = json.dumps(app(args=["a", "--token", "x", "--key=y"], container={"type": "DOCKER", "docker": docker}))
    found = slots(text)
    assert (found["args.2"].key, found["args.3"].key) == ("token", "key")
    password = found["container.docker.parameters.0.value"]
    assert (password.key, password.value.reveal(), password.place) == ("PASSWORD", b"a=b", "env")
    assert found["container.docker.parameters.1.value"].key == "volume-driver"


def test_only_variables_take_secrets() -> None:
    text = json.dumps(app(labels={"a": "b"}, uris=["c"], env={"d": "e"}, healthChecks=[{"command": {"value": "f"}}]))
    assert [pointer for pointer, slot in slots(text).items() if slot.targets] == ["env.d"]
    assert all(slot.reason for slot in slots(text).values() if not slot.targets)


def test_what_is_no_json_is_unreadable() -> None:
    for text in ('{"id": "a", {{x}}', "{", '{"a": "\\ud800"}', "[" * 500):
        with pytest.raises(Unreadable):
            marathon.slots("app.json", text.encode())


def test_other_shapes_have_no_slots() -> None:
    for value in ({}, [], "x", 1, [1, "x"], {"env": ["a"], "containers": {"a": "b"}, "apps": "x"}):
        found = marathon.slots("app.json", json.dumps(value).encode())
        assert not [slot for slot in found if slot.targets]


# --- rewriting --------------------------------------------------------------------------------------------------------

VALUES = st.text(st.sampled_from("aZ09 '\"\\/:#{}[],&*$%=é\n\t😀\x01"), min_size=1, max_size=20).map("S3cr{}".format)
SECRETS = st.sampled_from([None, {}, {"other": {"source": "a/b"}}, {"secret-0": {"source": "theirs"}}])


@given(
    VALUES,
    SECRETS,
    st.sampled_from([None, 2, "\t"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["app", "list", "group", "pod"]),
)
def test_variables_become_secrets(
    value: str, secrets: Any, indent: Any, ascii_only: bool, crlf: bool, shape: str
) -> None:
    key = "environment" if shape == "pod" else "env"
    work = app(
        **{key: {"BEFORE": "1", "TOKEN": value}}, **({} if secrets is None else {"secrets": secrets}), labels={"z": "z"}
    )
    document: Any = {"list": [work], "group": {"id": "/g", "apps": [work]}}.get(shape, work)
    where = {"list": "/shop/api.", "group": "apps./shop/api."}.get(shape, "")
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    if crlf:
        text = text.replace("\n", "\r\n")
    pointer = f"{where}{key}.TOKEN"
    assert slots(text)[pointer].value.reveal().decode() == value
    report = move(text, pointer)
    assert not refusals(report)
    after: Any = json.loads(report.after["app.json"])
    after = after[0] if shape == "list" else after["apps"][0] if shape == "group" else after
    name = after[key]["TOKEN"]["secret"]
    assert after["secrets"] == {**(secrets or {}), name: {"source": "secret-0"}}
    after[key]["TOKEN"] = value
    if secrets is None:
        after.pop("secrets")
    else:
        after["secrets"].pop(name)
    assert after == work
    script = report.after["fetch-secrets.sh"]
    assert [item.reference for item in fetch.parse(script)] == [Reference(VAULT, "secret-0")]


def test_it_is_done_only_when_asked_for() -> None:
    text = json.dumps(app(env={"TOKEN": "Fw7Xq4Zk"}))
    (found,) = refusals(move(text, "env.TOKEN", settings=Settings()))
    assert "plugin" in found.reason and "--marathon-secrets" in found.alternative


def test_names_that_make_no_variable_are_refused() -> None:
    for name in ("1-secret", "ld-preload", "9"):
        text = json.dumps(app(env={"TOKEN": "Fw7Xq4Zk"}))
        items = [Assignment(slots(text)["env.TOKEN"], Reference(VAULT, name))]
        report = check(marathon, {"app.json": text.encode()}, items, settings=ASKED)
        assert not report.broken
        assert "variable" in refusals(report)[0].reason


def test_a_secret_of_the_store_is_not_overwritten() -> None:
    text = json.dumps(app(env={"TOKEN": "Fw7Xq4Zk"}))
    other = json.dumps(app(id="b", env={"X": {"secret": "x"}}, secrets={"x": {"source": "secret-0"}}))
    files = {"app.json": text.encode(), "deploy/b.json": other.encode()}
    report = check(
        marathon, files, [Assignment(slots(text)["env.TOKEN"], Reference(VAULT, "secret-0"))], settings=ASKED
    )
    assert not report.broken
    assert "may be another one" in refusals(report)[0].reason


def test_one_secret_of_two_variables_is_named_once() -> None:
    text = json.dumps(app(env={"A": "Fw7Xq4Zk", "B": "Fw7Xq4Zk"}))
    found, reference = slots(text), Reference(VAULT, "shared")
    items = [Assignment(found["env.A"], reference), Assignment(found["env.B"], reference)]
    report = check(marathon, {"app.json": text.encode()}, items, settings=ASKED)
    assert not report.broken
    after = json.loads(report.after["app.json"])
    assert after["env"] == {"A": {"secret": "shared"}, "B": {"secret": "shared"}}
    assert after["secrets"] == {"shared": {"source": "shared"}}


def test_taken_names_of_the_script_are_refused() -> None:
    text = json.dumps(app(env={"TOKEN": "Fw7Xq4Zk"}))
    files = {"app.json": text.encode()} | dict.fromkeys(fetch.NAMES, b"theirs")
    report = check(marathon, files, [Assignment(slots(text)["env.TOKEN"], Reference(VAULT, "a"))], settings=ASKED)
    assert not report.broken
    assert "fetch script" in refusals(report)[0].reason
