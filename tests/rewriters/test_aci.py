"""Container groups: what is claimed, which places there are, how files of any style take references."""

from __future__ import annotations

import base64
import re
from itertools import product

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Refusal, Settings, Slot, Unreadable, aci
from rewriters._encode import decode
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
IDENTITY = (
    "/subscriptions/9b1d4c70-0d0e-4f6b-8a55-3f1c2b7e6d42/resourceGroups/rg-1/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/reader"
)
GROUP = """apiVersion: '2023-05-01'
name: orders
type: Microsoft.ContainerInstance/containerGroups
properties:
  containers:
  - name: api
    properties:
      environmentVariables:
      - name: TOKEN
        secureValue: {value}
"""
TOKEN = "containers.api.environmentVariables.TOKEN.secureValue"


def slots(text: str | bytes) -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    found = aci.slots("group.yaml", data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
    return {slot.pointer: slot for slot in found}


def move(text: str, *pointers: str, identity: str = IDENTITY) -> Report:
    found = slots(text)
    items = [Assignment(found[pointer], Reference(VAULT, f"secret-{at}")) for at, pointer in enumerate(pointers)]
    report = check(aci, {"group.yaml": text.encode()}, items, settings=Settings(identity=identity))
    assert not report.broken, report.broken
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["aci"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------


def test_claims_container_groups() -> None:
    assert aci.claims("a/group.yml", GROUP.encode())
    assert aci.claims("group.yaml", b"\xef\xbb\xbf" + GROUP.encode())
    assert aci.claims("g.yaml", b"apiVersion: 2019-12-01\nproperties:\n  containers: []\n")
    assert aci.claims("g.yaml", b'{"type": "Microsoft.ContainerInstance/containerGroups"}')
    assert aci.claims("g.yaml", b"type: Microsoft.ContainerInstance/containerGroupProfiles\n")


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Pod\nspec:\n  containers: []\n",
        "type: Microsoft.App/containerApps\nproperties:\n  template:\n    containers: []\n",
        "apiVersion: 2023-05-01\nproperties:\n  template:\n    containers: []\n",
        "services:\n  web:\n    image: a\n",
        "resources:\n- type: Microsoft.ContainerInstance/containerGroups\n  properties: {}\n",
        '{"$schema": "x", "resources": [{"type": "Microsoft.ContainerInstance/containerGroups"}]}',
    ],
)
def test_leaves_other_yaml_alone(text: str) -> None:
    assert not aci.claims("x.yaml", text.encode())


def test_leaves_other_files_alone() -> None:
    assert not aci.claims("group.json", GROUP.encode())


# --- slots ------------------------------------------------------------------------------------------------------------


def test_a_file_of_a_secret_volume_is_decoded() -> None:
    content = "pw=Xw5Tq8Lz\n"
    coded = base64.b64encode(content.encode()).decode()
    text = (
        GROUP.format(value="x") + f"  volumes:\n  - name: v\n    secret:\n      a.conf: {coded}\n      b: not base64!\n"
    )
    found = slots(text)
    assert found['volumes.v.secret."a.conf"'].value.reveal() == content.encode()
    assert found['volumes.v.secret."a.conf"'].encoding == ("yaml-plain", "base64")
    assert found["volumes.v.secret.b"].value.reveal() == b"not base64!"


def test_references_and_identities_are_no_slots() -> None:
    after = move(GROUP.format(value="Xw5Tq8Lz"), TOKEN).after["group.yaml"]
    assert not [name for name in slots(after) if "eference" in name or "dentit" in name]


def test_options_of_a_command_are_named() -> None:
    found = slots(GROUP.format(value="x") + "      command: [app, --token, Xw5Tq8Lz, --key=Rk2Yv7Np]\n")
    assert (found["containers.api.command.2"].key, found["containers.api.command.3"].key) == ("token", "key")


def test_names_that_are_used_twice_stay_apart() -> None:
    text = GROUP.format(value="a") + "      - name: TOKEN\n        value: b\n        value: c\n"
    assert [name for name in slots(text) if "TOKEN" in name] == [
        TOKEN, TOKEN.replace("secureValue", "value"), TOKEN.replace("secureValue", "value#2"),
    ]  # fmt: skip


def test_what_is_no_group_is_unreadable() -> None:
    for text in ("a: [", "- a", "name: x", GROUP.format(value="x") + "---\na: 1\n", "properties: 1"):
        with pytest.raises(Unreadable):
            aci.slots("group.yaml", text.encode())


def test_bounds() -> None:
    with pytest.raises(Unreadable):
        aci.slots("group.yaml", b"properties: " + b"[" * 10_000)
    laughs = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    text = GROUP.format(value="x") + laughs
    assert TOKEN in slots(text)
    assert aci.effective({"group.yaml": text.encode()}, lambda reference: slots(text)[TOKEN].value)


# --- rewriting --------------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[],&*!|>%@`-?~é\n", min_size=1, max_size=24).filter(lambda text: text.strip())
STYLES = (None, "'", '"', "|", ">")


def dumped(value: str, style: str | None) -> str:
    """The value as PyYAML writes it, at the place where it stands."""
    tree = yaml.safe_load(GROUP.format(value="x"))
    tree["properties"]["containers"][0]["properties"]["environmentVariables"] = [
        {"name": "BEFORE", "value": "1"}, {"name": "TOKEN", "secureValue": value}, {"name": "AFTER", "value": "2"},
    ]  # fmt: skip

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style if text == value else None)

    Dumper.add_representer(str, represent)
    return str(yaml.dump(tree, Dumper=Dumper, allow_unicode=True, width=60, sort_keys=False))


@given(TEXTS, st.sampled_from(STYLES), st.booleans())
def test_values_of_any_style_become_references(value: str, style: str | None, crlf: bool) -> None:
    value = f"S3cr{value}"
    text = dumped(value, style)
    if crlf:
        text = text.replace("\n", "\r\n")
    slot = slots(text)[TOKEN]
    assert slot.value.reveal().decode() == value
    report = move(text, TOKEN)
    assert not refusals(report)
    after = yaml.safe_load(report.after["group.yaml"].decode())
    before = yaml.safe_load(text)
    (entry,) = after["properties"].pop("secretReferences")
    assert entry["identity"] == IDENTITY and entry["secretReferenceUri"] == f"{VAULT}/secrets/secret-0"
    assert after.pop("identity")["userAssignedIdentities"] == {IDENTITY: {}}
    assert after["apiVersion"] == "2025-09-01"
    variables = after["properties"]["containers"][0]["properties"]["environmentVariables"]
    assert variables[1] == {"name": "TOKEN", "secureValueReference": entry["name"]}
    variables[1] = {"name": "TOKEN", "secureValue": value}
    after["apiVersion"] = before["apiVersion"]
    assert after == before


@pytest.mark.parametrize("name", ["123", "on", "null", "2024-01-01", "1e3", "0x1f", "Yes"])
def test_names_that_yaml_takes_for_something_else_are_quoted(name: str) -> None:
    text = GROUP.format(value="Xw5Tq8Lz")
    report = check(
        aci,
        {"group.yaml": text.encode()},
        [Assignment(slots(text)[TOKEN], Reference(VAULT, name))],
        settings=Settings(identity=IDENTITY),
    )
    assert not report.broken
    after = yaml.safe_load(report.after["group.yaml"])
    assert after["properties"]["secretReferences"][0]["name"] == name
    assert after["properties"]["containers"][0]["properties"]["environmentVariables"][0]["secureValueReference"] == name


@pytest.mark.parametrize(
    ("version", "becomes"),
    [
        ("'2023-05-01'", "'2025-09-01'"),
        ('"2021-10-01"', '"2025-09-01"'),
        ("2019-12-01", "'2025-09-01'"),
        ("2025-09-01", "'2025-09-01'"),
        ("'2025-09-01'", "'2025-09-01'"),
        ("'2026-07-01'", "'2026-07-01'"),
        ("2024-09-01-preview", "'2025-09-01'"),
        ("2024-10-01-preview", "2024-10-01-preview"),
        ("'2024-11-01-preview'", "'2024-11-01-preview'"),
    ],
)
def test_the_version_knows_references_and_is_a_text(version: str, becomes: str) -> None:
    text = GROUP.format(value="Xw5Tq8Lz").replace("'2023-05-01'", version)
    after = move(text, TOKEN).after["group.yaml"].decode()
    assert after.startswith(f"apiVersion: {becomes}\n")
    assert isinstance(yaml.safe_load(after)["apiVersion"], str)


IDENTITIES = {
    "none": "",
    "empty": "identity:\n",
    "flow": "identity: {type: SystemAssigned}\n",
    "system": "identity:\n  type: SystemAssigned\n",
    "nobody": "identity:\n  type: None\n",
    "no map": "identity:\n  type: UserAssigned\n  userAssignedIdentities:\n",
    "null map": "identity:\n  type: UserAssigned\n  userAssignedIdentities: null\n",
    "empty map": "identity:\n  type: UserAssigned\n  userAssignedIdentities: {}\n",
    "other": f"identity:\n  type: UserAssigned\n  userAssignedIdentities:\n    {IDENTITY}-2: {{}}\n",
    "other flow": f"identity: {{type: UserAssigned, userAssignedIdentities: {{'{IDENTITY}-2': {{}}}}}}\n",
    "there": f"identity:\n  type: UserAssigned\n  userAssignedIdentities:\n    {IDENTITY.upper()}: {{}}\n",
}
REFERENCES = {
    "none": "",
    "null": "  secretReferences:\n",
    "tilde": "  secretReferences: ~\n",
    "empty": "  secretReferences: []\n",
    "flow": f"  secretReferences: [{{name: a, identity: {IDENTITY}, secretReferenceUri: https://x/secrets/a}}]\n",
    "block": f"  secretReferences:\n    - name: secret-0\n      identity: {IDENTITY}\n"
    "      secretReferenceUri: https://x.example/secrets/a # theirs\n",
}


@pytest.mark.parametrize(("identity", "references"), list(product(IDENTITIES, REFERENCES)))
def test_identity_and_references_join_what_is_there(identity: str, references: str) -> None:
    text = GROUP.format(value="Xw5Tq8Lz").replace(
        "properties:\n  containers", IDENTITIES[identity] + "properties:\n" + REFERENCES[references] + "  containers"
    )
    report = move(text, TOKEN)
    assert not refusals(report)
    before, after = yaml.safe_load(text), yaml.safe_load(report.after["group.yaml"])
    assert len(re.findall(rb"(?m)^(?:identity|  secretReferences):", report.after["group.yaml"])) == 2
    known = {name.lower() for name in after["identity"]["userAssignedIdentities"]}
    assert IDENTITY.lower() in known
    assert "UserAssigned" in after["identity"]["type"]
    kept = ((before.get("identity") or {}).get("userAssignedIdentities") or {}).keys()
    assert {name.lower() for name in kept} <= known
    entries = {entry["name"]: entry for entry in after["properties"]["secretReferences"]}
    assert len(entries) == len(after["properties"]["secretReferences"])
    for entry in before["properties"].get("secretReferences") or ():
        assert entries[entry["name"]] == entry
    used = after["properties"]["containers"][0]["properties"]["environmentVariables"][0]["secureValueReference"]
    assert entries[used]["secretReferenceUri"] == f"{VAULT}/secrets/secret-0"
    assert entries[used]["identity"].lower() in known


def test_a_wrong_identity_is_refused() -> None:
    for wrong in ("reader", IDENTITY.replace("ManagedIdentity", "Compute"), IDENTITY + "/x", IDENTITY + "\n"):
        found = refusals(move(GROUP.format(value="Xw5Tq8Lz"), TOKEN, identity=wrong))
        assert len(found) == 1 and "--identity" in found[0].alternative


def test_a_value_that_stands_twice_is_refused() -> None:
    text = GROUP.format(value="Xw5Tq8Lz") + "        value: Rk2Yv7Np\n"
    assert "twice" in refusals(move(text, TOKEN))[0].reason


def test_an_alias_where_no_reference_can_stand_is_refused() -> None:
    text = GROUP.format(value="&t Xw5Tq8Lz") + "      command: [app, *t]\n"
    assert "alias" in refusals(move(text, TOKEN))[0].reason


def test_a_version_of_a_secret_is_named() -> None:
    text = GROUP.format(value="Xw5Tq8Lz")
    item = Assignment(slots(text)[TOKEN], Reference(VAULT, "a", "0123456789abcdef0123456789abcdef"))
    answer = check(aci, {"group.yaml": text.encode()}, [item], settings=Settings(identity=IDENTITY))
    assert not answer.broken
    assert re.search(
        rb"secretReferenceUri: .*/secrets/a/0123456789abcdef0123456789abcdef\n", answer.after["group.yaml"]
    )
