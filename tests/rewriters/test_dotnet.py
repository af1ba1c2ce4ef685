""".NET: what is claimed, that both readers agree on any document, and that nothing is ever changed."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Unreadable, claimants, dotnet
from rewriters._dotnet_names import secret_name, setting, variable
from rewriters.check import check

VAULT = "https://shop.vault.azure.net"
ODD = "aZ09 '\"\\:#!{}[]$%,&=|<>@`-?~/*\té🔑"


def unmoved(path: str, data: bytes) -> dict[str, Plaintext]:
    """What stands in the file; everything is assigned, and everything stays."""
    slots = dotnet.slots(path, data)
    items = [Assignment(slot, Reference(VAULT, f"s-{at}")) for at, slot in enumerate(slots)]
    report = check(dotnet, {path: data}, items)
    assert not report.broken, report.broken
    assert not report.unproven, report.unproven
    assert report.after == {path: data}
    assert report.refused == len(slots)
    return {slot.pointer: slot.value for slot in slots}


def alternative(path: str, text: str, pointer: str, name: str = "jwt-key") -> str:
    (slot,) = (slot for slot in dotnet.slots(path, text.encode()) if slot.pointer == pointer)
    rewrite = check(dotnet, {path: text.encode()}, [Assignment(slot, Reference(VAULT, name))]).rewrites["dotnet"]
    return rewrite.refusals[0].alternative


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("appsettings.json", b"{}"),
        ("src/Api/appsettings.Production.json", b"\xef\xbb\xbf{}"),
        ("AppSettings.Local.JSON", b"{}"),
        ("Properties/launchSettings.json", b"{}"),
        ("UserSecrets/abc/secrets.json", b"{}"),
        ("secrets.json", b'{"Jwt:Key": "x"}'),
        ("secrets.json", b'{"ConnectionStrings": {}}'),
        ("Web.config", b"<configuration>"),
        ("bin/Shop.exe.config", b'\xef\xbb\xbf<?xml version="1.0"?>\r\n<!-- x - y -->\r\n<configuration xmlns="x">'),
        ("connectionStrings.config", b"<connectionStrings>"),
        ("nuget.config", b"<configuration/>"),
    ],
)
def test_claims(path: str, head: bytes) -> None:
    assert [rewriter.NAME for rewriter in claimants(path, head)] == ["dotnet"]


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("myappsettings.json", b"{}"),
        ("appsettings.xml", b"<configuration/>"),
        ("secrets.json", b'{"password": "x"}'),
        ("secrets.json", b'{"apiVersion": "v1", "kind": "Secret", "data": {"a:b": ""}}'),
        ("appsettings.json", b'{"auths": {"registry.shop.example": {"auth": ""}}}'),
        (
            "appsettings.json",
            b'{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"}',
        ),
        ("appsettings.json", b'{"id": "/shop", "cmd": "x", "cpus": 0.5, "mem": 64}'),
        ("packages.config", b"<packages/>"),
        ("NLog.config", b'<nlog xmlns="x">'),
        ("web.config", b"<configurations>"),
        ("web.config", b"key = value"),
        (".config", b"<!-- <configuration> -->"),
        ("configuration.xml", b"<configuration>"),
        ("appsettings.json", b'{"a": "\0"}'),
    ],
)
def test_leaves_other_files_alone(path: str, head: bytes) -> None:
    assert not dotnet.claims(path, head)
    assert len(claimants(path, head)) <= 1


@pytest.mark.parametrize(("path", "text"), [("appsettings.json", "{}"), ("web.config", "<configuration/>")])
def test_utf16_is_claimed_and_said_to_be_unreadable(path: str, text: str) -> None:
    data = text.encode("utf-16")
    assert dotnet.claims(path, data)
    with pytest.raises(Unreadable):
        dotnet.slots(path, data)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("appsettings.json", "{"),
        ("appsettings.json", "[]"),
        ("appsettings.json", '{"a": ' + "[" * 500),
        ("web.config", "<configuration>"),
        ("web.config", '<!DOCTYPE c [<!ENTITY a "b">]><configuration>&a;</configuration>'),
        ("web.config", "<configuration>" * 500),
    ],
)
def test_broken_files_are_unreadable(path: str, text: str) -> None:
    with pytest.raises(Unreadable):
        dotnet.slots(path, text.encode())


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sets", "secret"),
    [
        ("Jwt:Key", "Jwt__Key", "Jwt--Key"),
        ("Clients:0:Value", "Clients__0__Value", "Clients--0--Value"),
        ("Pin", "Pin", "Pin"),
        ("Smtp_Password", "Smtp_Password", ""),
        ("Api-Key", "", "Api-Key"),
        ("A:-B", "", ""),
        ("A--B", "", ""),
        ("Hosts:db.shop", "", ""),
        ("0:a", "", "0--a"),
    ],
)
def test_names_elsewhere(name: str, sets: str, secret: str) -> None:
    assert variable(name) == sets
    assert secret_name(name) == secret
    assert not sets or setting(sets) == name
    # What the provider of the vault makes of the secret's name is the setting again.
    assert not secret or secret.replace("--", ":") == name


def test_the_proposed_change_names_what_to_set() -> None:
    said = alternative("appsettings.json", '{"Jwt": {"Key": "Zk4-walnut"}}', "Jwt:Key")
    assert "set the variable Jwt__Key" in said
    assert f"@Microsoft.KeyVault(SecretUri={VAULT}/secrets/jwt-key)" in said
    assert "store the secret as Jwt--Key" in said
    assert "store the secret" not in alternative("appsettings.json", '{"Pin": "Zk4-walnut"}', "Pin", "pin")


def test_a_variable_of_launch_settings_is_a_user_secret() -> None:
    text = '{"profiles": {"a": {"environmentVariables": {"Jwt__Key": "Zk4-walnut"}}}}'
    said = alternative("launchSettings.json", text, "profiles:a:environmentVariables:Jwt__Key")
    assert 'dotnet user-secrets set "Jwt:Key"' in said


def test_app_service_is_not_proposed_for_names_that_it_refuses() -> None:
    text = '<configuration><appSettings><add key="{}" value="Zk4-walnut"/></appSettings></configuration>'
    assert "App Service" in alternative("web.config", text.format("Api.Key"), 'appSettings."Api.Key"')
    assert "App Service" not in alternative("web.config", text.format("Api:Key"), 'appSettings."Api:Key"')


def test_a_pair_is_known_by_its_name() -> None:
    data = b'{"Clients": [{"name": "ApiKey", "value": "Zk4-walnut"}, {"Value": "x"}]}'
    keys = {slot.pointer: slot.key for slot in dotnet.slots("appsettings.json", data)}
    assert keys["Clients:0:value"] == "Clients:0:ApiKey"
    assert keys["Clients:1:Value"] == "Clients:1:Value"


def test_places_of_one_name_are_told_apart() -> None:
    data = b'{"A": {"B": "1"}, "A:B": "2"}'
    assert list(unmoved("appsettings.json", data)) == ["A:B", "A:B~2"]
    xml = b'<configuration><appSettings><add key="a" value="1"/><add key="a" value="2"/></appSettings></configuration>'
    assert list(unmoved("web.config", xml)) == ["appSettings.a", "appSettings.a~2"]


def test_versions_and_types_are_no_places() -> None:
    data = b"""<configuration><runtime><assemblyBinding><dependentAssembly>
      <assemblyIdentity name="x" publicKeyToken="b77a5c561934e089"/></dependentAssembly></assemblyBinding></runtime>
      <configSections><section name="a" type="b, PublicKeyToken=b77a5c561934e089"/></configSections>
      <appSettings><add key="a" value="1" xdt:Transform="Replace" xmlns:xdt="x"/></appSettings></configuration>"""
    assert [slot.pointer for slot in dotnet.slots("web.config", data)] == ["appSettings.a"]


# --- any document -----------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet=ODD + "\n", max_size=20)
NAMES = st.text(alphabet="abcXYZ_-.09", min_size=1, max_size=6)
TREES = st.recursive(
    TEXTS | st.integers(-9, 9) | st.booleans() | st.none(),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    tree = draw(st.dictionaries(NAMES, TREES, min_size=1, max_size=4))
    text = json.dumps(tree, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 0, 2, "\t"])))
    if draw(st.booleans()):
        text = '// a comment: "x"\n' + text[:-1] + ("," if draw(st.booleans()) else "") + "/* the end */}"
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.encode()


@given(documents())
def test_any_settings_stay(data: bytes) -> None:
    found = unmoved("appsettings.json", data)
    assert {item.address.name: item.value for item in dotnet.effective({"appsettings.json": data}, _none)} == found


@st.composite
def configurations(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    held: dict[str, str] = {}
    lines: list[str] = []
    for section, name, value in (("appSettings", "key", "value"), ("connectionStrings", "name", "connectionString")):
        lines.append(f"<{section}>")
        for label in draw(st.lists(st.text(alphabet="abcXYZ", min_size=1, max_size=5), max_size=3, unique=True)):
            text = draw(st.text(alphabet=ODD.replace("\t", ""), max_size=16))
            quote = draw(st.sampled_from("\"'"))
            written = escape(text, {'"': "&quot;"} if quote == '"' else {"'": "&apos;"})
            if draw(st.booleans()):
                written = "".join(f"&#x{ord(char):x};" for char in text)
            blank = draw(st.sampled_from([" ", "\n    ", "\t"]))
            lines.append(f"  <add{blank}{name}='{label}'{blank}{value} = {quote}{written}{quote}/>")
            held[f"{section}.{label}"] = text
            lines += draw(st.sampled_from([[], ["<!-- a comment <add/> -->"]]))
        lines.append(f"</{section}>")
    line_break = draw(st.sampled_from(["\n", "\r\n"]))
    document = line_break.join(["<configuration>", *lines, "</configuration>", ""]).replace("\n    ", f"{line_break}  ")
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + document.encode(), held


@given(configurations())
def test_any_configuration_stays(made: tuple[bytes, dict[str, str]]) -> None:
    data, held = made
    found = unmoved("web.config", data)
    assert found == {pointer: Plaintext(text.encode()) for pointer, text in held.items()}
    seen = [item.value for item in dotnet.effective({"web.config": data}, _none)]
    assert all(value in seen for value in found.values())


@given(st.binary(max_size=40), st.sampled_from(["appsettings.json", "web.config"]))
def test_any_bytes_are_read_or_said_to_be_unreadable(data: bytes, path: str) -> None:
    try:
        dotnet.slots(path, data)
    except Unreadable:
        return
    unmoved(path, data)


def _none(reference: Reference) -> Plaintext:
    raise LookupError(reference.name)
