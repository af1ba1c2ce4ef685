"""App Service: what is claimed, and that an app is handed the same variables whatever its settings look like."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Unreadable, appservice, claimants
from rewriters._app_settings import is_reference, reference_text, referred
from rewriters.check import check

VAULT = "https://shop.vault.azure.net"
VERSION = "0123456789abcdef0123456789abcdef"
ODD = "aZ09 '\"\\:#!{}[]$%,&=|<>@`-?~;/*\n\r\té🔑"
LIST = b'[{"name": "A", "value": "b", "slotSetting": false}]'


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("local.settings.json", b"{}"),
        ("src/Api/local.settings.json", b'{"IsEncrypted": false}'),
        ("Local.Settings.Dev.json", b"{}"),
        ("settings.json", LIST),
        ("appsettings.json", LIST),
        ("deploy/appsettings.prod.json", b"\xef\xbb\xbf// of the portal\r\n\r\n" + LIST),
        ("a.json", b'[\n {\n"slotSetting": true, "Name": "a", "value": {"type": "Custom", "value": "b"}}]'),
    ],
)
def test_claims(path: str, head: bytes) -> None:
    assert [rewriter.NAME for rewriter in claimants(path, head)] == ["appservice"]


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("appsettings.json", b'{"A": "b"}'),
        ("settings.json", b'[{"name": "A", "value": "b"}]'),
        ("settings.json", b'{"slotSetting": true, "name": "a"}'),
        ("local.settings.yaml", b"A: b"),
        ("mylocal.settings.json", b"{}"),
        ("local.settings.json", b"{\0"),
        ("settings.txt", LIST),
        ("azuredeploy.json", b'{"$schema": "https://a/deploymentTemplate.json#", "a": ' + LIST + b"}"),
    ],
)
def test_leaves_other_files_alone(path: str, head: bytes) -> None:
    assert not appservice.claims(path, head)
    assert len(claimants(path, head)) <= 1


@pytest.mark.parametrize("data", [b"{", b'"a"', b"[1", b"\xff\xfe{\0}\0", b"[" * 5000])
def test_broken_files_are_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        appservice.slots("local.settings.json", data)


@pytest.mark.parametrize("version", ["", VERSION])
def test_what_is_written_refers_to_the_secret(version: str) -> None:
    reference = Reference(VAULT, "orders-db", version)
    assert referred(reference_text(reference)) == reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("@Microsoft.KeyVault(VaultName=Shop;SecretName=a)", Reference(VAULT, "a")),
        (f"@Microsoft.KeyVault(SecretVersion={VERSION};VaultName=shop;SecretName=a)", Reference(VAULT, "a", VERSION)),
        ("@microsoft.keyvault(SecretUri=https://shop.vault.azure.net/secrets/a)", Reference(VAULT, "a")),
        ("@Microsoft.KeyVault(VaultName=shop)", None),
        ("@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/keys/a)", None),
    ],
)
def test_every_form_of_a_reference_is_read(text: str, reference: Reference | None) -> None:
    assert is_reference(text)
    assert referred(text) == reference


# --- any settings -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["DB_PASSWORD", "A:B", "Mail__Key", "é🔑", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", ""])
VALUES = st.one_of(
    st.text(alphabet=ODD, max_size=12),
    st.sampled_from([5471, True, None, "@Microsoft.KeyVault(VaultName=shop;SecretName=old)"]),
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, bytes]:
    given_values = draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))
    path = draw(st.sampled_from(["local.settings.json", "settings.json"]))
    tree: object
    if path == "settings.json":
        tree = [{"name": "FIRST", "value": "1", "slotSetting": False}]
        for name, value in given_values:
            inner = {"type": "Custom", "value": value} if draw(st.booleans()) else value
            tree.append({"slotSetting": draw(st.booleans()), "name": name, "value": inner})  # type: ignore[dict-item]
    else:
        strings = {name: draw(st.sampled_from(["a;Password=b", {"ConnectionString": "c"}])) for name, _ in given_values}
        told = draw(st.sampled_from([{"IsEncrypted": False}, {"IsEncrypted": True}, {}]))
        tree = {**told, "Values": dict(given_values), "ConnectionStrings": strings, "Host": {"CORS": "*"}}
    indent = draw(st.sampled_from([None, 2, 4, "\t"]))
    text = json.dumps(tree, indent=indent, ensure_ascii=draw(st.booleans()))
    if indent is not None and draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    if draw(st.booleans()):
        text += draw(st.sampled_from(["\n", " // the end", "\r\n/* , ] */\r\n"]))
    return path, (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.encode()


@given(documents())
@settings(max_examples=60)
def test_any_settings_are_handed_on_unchanged(made: tuple[str, bytes]) -> None:
    moved(*made)


@pytest.mark.slow
@given(documents())
@settings(max_examples=2000)
def test_many_settings_are_handed_on_unchanged(made: tuple[str, bytes]) -> None:
    moved(*made)


def moved(path: str, data: bytes) -> None:
    slots = appservice.slots(path, data)
    items = [Assignment(slot, Reference(VAULT, f"s-{at}")) for at, slot in enumerate(slots)]
    report = check(appservice, {path: data}, items)
    assert not report.broken, report.broken
    assert not report.unproven
    assert report.refused == sum(bool(slot.reason) for slot in slots)


@given(st.binary(max_size=40))
@settings(max_examples=50)
def test_any_bytes_are_read_or_said_to_be_unreadable(data: bytes) -> None:
    try:
        appservice.slots("local.settings.json", data)
    except Unreadable:
        return
    moved("local.settings.json", data)


def test_values_are_found_under_their_names() -> None:
    assert {slot.pointer: (slot.key, slot.value) for slot in appservice.slots("a.json", LIST)} == {
        "A": ("A", Plaintext(b"b"))
    }
