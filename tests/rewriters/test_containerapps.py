"""Container apps, jobs, components and storages: what is claimed, and how files of any style take references."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rewriters import (
    Assignment,
    Reference,
    Refusal,
    Request,
    Settings,
    Slot,
    Unreadable,
    aci,
    containerapps,
    kubernetes,
)
from rewriters._encode import decode
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
IDENTITY = (
    "/subscriptions/9b1d4c70-0d0e-4f6b-8a55-3f1c2b7e6d42/resourceGroups/rg-1/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/reader"
)
APP = """type: Microsoft.App/containerApps
name: orders
properties:
  configuration:
    activeRevisionsMode: Single
  template:
    containers:
    - name: api
      env:
      - name: TOKEN
        value: {value}
"""
TOKEN = "containers.api.env.TOKEN.value"
SETTINGS = Settings(identity=IDENTITY, client_id="7c1e9b52-4d0a-4f7e-9a3b-5d2f8e6c1a40")


def slots(text: str | bytes) -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    found = containerapps.slots("app.yaml", data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
    return {slot.pointer: slot for slot in found}


def move(text: str | bytes, *pointers: str, settings: Settings = SETTINGS) -> Report:
    data = text.encode() if isinstance(text, str) else text
    found = slots(data)
    items = [Assignment(found[pointer], Reference(VAULT, f"secret-{at}")) for at, pointer in enumerate(pointers)]
    report = check(containerapps, {"app.yaml": data}, items, settings=settings)
    assert not report.broken, report.broken
    assert not report.unproven, report.unproven
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["containerapps"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------

CLAIMED = [
    APP,
    "\ufeff" + APP,
    "type: Microsoft.App/jobs\n",
    "type: 'microsoft.app/managedEnvironments/storages'\n",
    '{"type": "Microsoft.App/containerApps"}',
    "properties:\n  configuration:\n    secrets:\n    - name: a\n      keyVaultUrl: https://x/secrets/a\n",
    "properties:\n  environmentId: /subscriptions/a/managedEnvironments/b\n  template:\n    containers: []\n",
    "apiVersion: 2023-05-01\nproperties:\n  managedEnvironmentId: a\n  template:\n    containers: []\n",
    "configuration:\n  activeRevisionsMode: Single\ntemplate:\n  containers: []\n",
    "componentType: state.redis\nversion: v1\n",
    "properties:\n  # a comment\n  componentType: state.redis\n",
    "properties:\n  version: v1\n  componentType: state.redis\n",
]
OTHERS = [
    "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: a\nspec:\n  type: state.redis\n",
    "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers: []\n",
    "type: Microsoft.ContainerInstance/containerGroups\nproperties:\n  containers: []\n",
    "apiVersion: '2023-05-01'\nproperties:\n  containers:\n  - name: a\n    secretRef: b\n",
    "resources:\n- type: Microsoft.App/containerApps\n",
    '{"$schema": "x", "resources": [{"type": "Microsoft.App/containerApps"}]}',
    "services:\n  web:\n    template: a\n    secretRef: b\n",
    "on: push\njobs:\n  build:\n    steps: []\n",
    "configuration:\n  name: x\ntemplate: y\n",
    "name: my-shop\nservices:\n  api:\n    host: containerapp\n",
]


@pytest.mark.parametrize("text", CLAIMED)
def test_claims(text: str) -> None:
    assert containerapps.claims("a/app.yml", text.encode())
    assert not aci.claims("a/app.yml", text.encode())
    assert not kubernetes.claims("a/app.yml", text.encode())


@pytest.mark.parametrize("text", OTHERS)
def test_leaves_other_files_alone(text: str) -> None:
    assert not containerapps.claims("app.yaml", text.encode())


def test_leaves_other_names_alone() -> None:
    assert not containerapps.claims("app.json", APP.encode())


# --- slots ------------------------------------------------------------------------------------------------------------


def test_references_and_ids_are_no_slots() -> None:
    after = move(APP.format(value="Xw5Tq8Lz"), TOKEN).after["app.yaml"]
    assert not [name for name in slots(after) if "Ref" in name or "Url" in name or "dentit" in name]


def test_names_that_are_used_twice_stay_apart() -> None:
    text = APP.format(value="a") + "      - name: TOKEN\n        value: b\n"
    assert [name for name in slots(text) if "TOKEN" in name] == [TOKEN, f"{TOKEN}#2"]


@pytest.mark.parametrize(
    "text", ["a: [", "- a", "name: x", "1", APP.format(value="x") + "---\na: 1\n", "properties: 1"]
)
def test_what_is_no_app_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        containerapps.slots("app.yaml", text.encode())


def test_bounds() -> None:
    with pytest.raises(Unreadable):
        containerapps.slots("app.yaml", b"properties: " + b"[" * 10_000)
    laughs = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    text = APP.format(value="x") + laughs
    assert TOKEN in slots(text)
    assert containerapps.effective({"app.yaml": text.encode()}, lambda reference: slots(text)[TOKEN].value)


# --- rewriting --------------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[],&*!|>%@`-?~$é🔑\n", min_size=1, max_size=24).filter(
    lambda text: bool(text.strip()) and "{{" not in text
)
STYLES = (None, "'", '"', "|", ">")


def dumped(tree: Any, values: dict[str, str | None], *, flow: bool | None, indent: int) -> str:
    """The tree as PyYAML writes it, these values in their styles."""

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=values.get(text))

    Dumper.add_representer(str, represent)
    return str(
        yaml.dump(
            tree, Dumper=Dumper, allow_unicode=True, width=60, sort_keys=False, default_flow_style=flow, indent=indent
        )
    )


@st.composite
def apps(draw: st.DrawFn) -> tuple[bytes, list[str], dict[str, str]]:
    """An app's file, the pointers that are to move, and their values."""
    values = [f"S{at}cr{draw(TEXTS)}" for at in range(4)]
    configuration: dict[str, Any] = {"activeRevisionsMode": "Single"}
    secrets = [
        {"name": "own", "value": values[0]},
        {"name": "there", "keyVaultUrl": f"{VAULT}/secrets/there", "identity": IDENTITY},
    ]
    configuration["secrets"] = draw(st.sampled_from([secrets, secrets[:1], [*reversed(secrets)]]))
    metadata = {"queue": "orders", "connection": values[2], "last": values[3]}
    rule: dict[str, Any] = {
        "type": "rabbitmq",
        "metadata": {k: metadata[k] for k in draw(st.permutations(list(metadata)))},
    }
    if draw(st.booleans()):
        rule["auth"] = draw(st.sampled_from([[], [{"secretRef": "own", "triggerParameter": "user"}]]))
    variables = [
        {"name": "BEFORE", "value": "1"},
        {"name": "TOKEN", "value": values[1]},
        {"name": "OWN", "secretRef": "own"},
    ]
    template = {
        "containers": [{"name": "api", "env": draw(st.permutations(variables)), "command": ["run"]}],
        "scale": {"rules": [{"name": "mq", "custom": rule}]},
        "volumes": [{"name": "all", "storageType": "Secret"}],
    }
    tree: dict[str, Any] = {"type": "Microsoft.App/containerApps", "name": "orders"}
    if draw(st.booleans()):
        tree |= {"properties": {"configuration": configuration, "template": template}}
    else:
        tree |= {"configuration": configuration, "template": template}
    if draw(st.booleans()):
        tree["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    flow = draw(st.sampled_from([False, False, None, True]))
    styles = {value: draw(st.sampled_from(STYLES)) for value in values}
    text = dumped(tree, styles, flow=flow, indent=draw(st.sampled_from([2, 4])))
    if draw(st.booleans()):
        text = "# the shop's\n" + text.replace("queue: orders\n", "queue: orders   # of the shop\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    data = text.encode()
    if draw(st.booleans()):
        data = b"\xef\xbb\xbf" + data
    places = {
        "secrets.own.value": values[0],
        TOKEN: values[1],
        "scale.mq.custom.metadata.connection": values[2],
        "scale.mq.custom.metadata.last": values[3],
    }
    moved = draw(st.lists(st.sampled_from(sorted(places)), min_size=1, unique=True))
    return data, moved, places


@given(apps())
def test_apps_of_any_style_take_references(made: tuple[bytes, list[str], dict[str, str]]) -> None:
    data, moved, places = made
    found = slots(data)
    for pointer in moved:
        assert found[pointer].value.reveal().decode() == places[pointer]
    report = move(data, *moved)
    assert not refusals(report), refusals(report)
    before, after = yaml.safe_load(data.decode("utf-8-sig")), yaml.safe_load(report.after["app.yaml"])
    body, was = after.get("properties", after), before.get("properties", before)
    entries = {entry["name"]: entry for entry in body["configuration"]["secrets"]}
    assert len(entries) == len(body["configuration"]["secrets"])
    for entry in was["configuration"]["secrets"]:
        if entry["name"] != "own" or "secrets.own.value" not in moved:
            assert entries[entry["name"]] == entry
    for at, pointer in enumerate(moved):
        if pointer == "secrets.own.value":
            assert entries["own"].keys() == {"name", "keyVaultUrl", "identity"}
        else:
            assert entries[f"secret-{at}"]["keyVaultUrl"] == f"{VAULT}/secrets/secret-{at}"
            assert entries[f"secret-{at}"]["identity"] == IDENTITY
    assert after["identity"]["userAssignedIdentities"] == {IDENTITY: {}}
    variables = {entry["name"]: entry for entry in body["template"]["containers"][0]["env"]}
    if TOKEN in moved:
        assert variables["TOKEN"] == {"name": "TOKEN", "secretRef": f"secret-{moved.index(TOKEN)}"}
    rule = body["template"]["scale"]["rules"][0]["custom"]
    for name in ("connection", "last"):
        pointer = f"scale.mq.custom.metadata.{name}"
        auth = [entry for entry in rule.get("auth", ()) if entry["triggerParameter"] == name]
        assert auth == (
            [{"secretRef": f"secret-{moved.index(pointer)}", "triggerParameter": name}] if pointer in moved else []
        )
        assert (name in rule["metadata"]) != (pointer in moved)


@st.composite
def components(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A Dapr component's file, and the pointers that are to move."""
    values = [f"S{at}cr{draw(TEXTS)}" for at in range(3)]
    own = draw(st.integers(0, 2))
    body: dict[str, Any] = {"componentType": "state.redis", "version": "v1"}
    parts: dict[str, Any] = {
        "metadata": [
            {"name": "url", "value": "cache:6379"},
            {"name": "password", "value": values[0]},
            *({"name": f"own-{at}", "secretRef": f"own-{at}"} for at in range(own)),
        ],
        "secrets": [{"name": f"own-{at}", "value": values[1 + at]} for at in range(own)],
        "scopes": ["orders"],
    }
    if not own and draw(st.booleans()):
        del parts["secrets"]
    for key in draw(st.permutations(sorted(parts))):
        body[key] = parts[key]
    tree = draw(
        st.sampled_from([body, {"type": "Microsoft.App/managedEnvironments/daprComponents", "properties": body}])
    )
    styles = {value: draw(st.sampled_from(STYLES)) for value in values}
    text = dumped(tree, styles, flow=draw(st.sampled_from([False, None, True])), indent=2)
    data = text.replace("\n", "\r\n" if draw(st.booleans()) else "\n").encode()
    return data, ["metadata.password.value", *(f"secrets.own-{at}.value" for at in range(own))]


@given(components())
def test_components_of_any_style_take_a_store(made: tuple[bytes, list[str]]) -> None:
    data, moved = made
    report = move(data, *moved)
    assert not refusals(report), refusals(report)
    after = yaml.safe_load(report.after["app.yaml"])
    body = after.get("properties", after)
    store = yaml.safe_load(report.after["shop-secrets.yaml"])
    assert body["secretStoreComponent"] == "shop-secrets" and "secrets" not in body
    assert [entry["value"] for entry in store["metadata"]] == ["shop", SETTINGS.client_id]
    assert [entry.get("secretRef") for entry in body["metadata"]] == [
        None,
        *(f"secret-{at}" for at in range(len(moved))),
    ]


IDENTITIES = {
    "none": "",
    "empty": "identity:\n",
    "flow": "identity: {type: SystemAssigned}\n",
    "system": "identity:\n  type: SystemAssigned\n",
    "null map": "identity:\n  type: UserAssigned\n  userAssignedIdentities: null\n",
    "other": f"identity:\n  type: UserAssigned\n  userAssignedIdentities:\n    {IDENTITY}-2: {{}}\n",
    "there": f"identity:\n  type: UserAssigned\n  userAssignedIdentities:\n    {IDENTITY.upper()}: {{}}\n",
}
SECRETS = {
    "none": "",
    "null": "    secrets:\n",
    "tilde": "    secrets: ~\n",
    "empty": "    secrets: []\n",
    "flow": f"    secrets: [{{name: a, identity: {IDENTITY}, keyVaultUrl: https://x/secrets/a}}]\n",
    "block": "    secrets:\n      - name: secret-0\n        value: |+\n          Kd8s\n\n",
    "last": "    secrets:\n    - value: Kd8s\n      name: secret-0 # theirs\n",
}


@pytest.mark.parametrize(("identity", "secrets"), list(product(IDENTITIES, SECRETS)))
def test_identity_and_secrets_join_what_is_there(identity: str, secrets: str) -> None:
    text = APP.format(value="Xw5Tq8Lz").replace("properties:\n", IDENTITIES[identity] + "properties:\n")
    text = text.replace("    activeRevisionsMode: Single\n", SECRETS[secrets] + "    activeRevisionsMode: Single\n")
    report = move(text, TOKEN)
    assert not refusals(report)
    before, after = yaml.safe_load(text), yaml.safe_load(report.after["app.yaml"])
    known = {name.lower() for name in after["identity"]["userAssignedIdentities"]}
    assert IDENTITY.lower() in known and "UserAssigned" in after["identity"]["type"]
    entries = {entry["name"]: entry for entry in after["properties"]["configuration"]["secrets"]}
    for entry in before["properties"]["configuration"].get("secrets") or ():
        assert entries[entry["name"]] == entry
    used = after["properties"]["template"]["containers"][0]["env"][0]["secretRef"]
    assert entries[used]["keyVaultUrl"] == f"{VAULT}/secrets/secret-0"


@pytest.mark.parametrize(
    ("version", "becomes"),
    [
        ("2022-03-01", "'2025-07-01'"),
        ('"2022-10-01"', '"2025-07-01"'),
        ("2022-11-01-preview", "2022-11-01-preview"),
        ("'2023-05-01'", "'2023-05-01'"),
        ("2024-03-01", "2024-03-01"),
    ],
)
def test_the_version_knows_references(version: str, becomes: str) -> None:
    after = move(f"apiVersion: {version}\n" + APP.format(value="Xw5Tq8Lz"), TOKEN).after["app.yaml"].decode()
    assert after.startswith(f"apiVersion: {becomes}\n")


def test_a_wrong_identity_is_refused() -> None:
    for wrong in ("reader", IDENTITY.replace("ManagedIdentity", "Compute"), IDENTITY + "/x"):
        found = refusals(move(APP.format(value="Xw5Tq8Lz"), TOKEN, settings=Settings(identity=wrong)))
        assert len(found) == 1 and "--identity" in found[0].alternative


@pytest.mark.parametrize(
    ("more", "reason"),
    [("        secretRef: a\n", "beside the value"), ("        value: b\n", "twice")],
)
def test_a_value_that_stands_twice_is_refused(more: str, reason: str) -> None:
    assert reason in refusals(move(APP.format(value="Xw5Tq8Lz") + more, TOKEN))[0].reason


def test_a_component_reads_one_vault_and_no_version() -> None:
    data = b"componentType: state.redis\nmetadata:\n- name: a\n  value: Xw5Tq8Lz\n- name: b\n  value: Rk2Yv7Np\n"
    found = slots(data)
    one, two = found["metadata.a.value"], found["metadata.b.value"]
    for second in (Reference("https://other.vault.azure.net", "b"), Reference(VAULT, "b", "0" * 32)):
        items = [Assignment(one, Reference(VAULT, "a")), Assignment(two, second)]
        report = check(containerapps, {"app.yaml": data}, items, settings=SETTINGS)
        assert not report.broken
        assert [item.pointer for item in refusals(report)] == ["metadata.b.value"]
    report = check(
        containerapps,
        {"app.yaml": data},
        [Assignment(one, Reference("https://127.0.0.1:8443", "a"))],
        settings=SETTINGS,
    )
    assert not report.broken and "clouds" in refusals(report)[0].reason


def test_the_first_secret_that_leads_to_a_vault_is_used() -> None:
    listed = "".join(
        f"    - {{name: {name}, identity: {IDENTITY}, keyVaultUrl: {VAULT}/secrets/{secret}}}\n"
        for name, secret in (("other", "secret-9"), ("one", "secret-0"), ("two", "SECRET-0"))
    )
    text = APP.format(value="Xw5Tq8Lz").replace("  template:\n", f"    secrets:\n{listed}  template:\n")
    after = move(text, TOKEN).after["app.yaml"].decode()
    assert "secretRef: one\n" in after and after.count("keyVaultUrl") == 3


def test_many_values_take_little_time() -> None:
    many = 12_000
    rule = "".join(f"            key{at}: 'Xw5Tq8Lz{at}'\n" for at in range(many))
    text = APP.format(value="Rk2Yv7Np") + "    scale:\n      rules:\n      - name: one\n        custom:\n"
    text += f"          type: kafka\n          metadata:\n{rule}"
    found = slots(text)
    moving = [slot for name, slot in found.items() if ".metadata.key" in name]
    assert len(moving) == many
    items = tuple(Assignment(slot, Reference(VAULT, f"secret-{at}")) for at, slot in enumerate(moving))
    request = Request({"app.yaml": text.encode()}, items, SETTINGS)
    started = time.process_time()
    done = containerapps.rewrite(request)
    assert not done.refusals
    assert time.process_time() - started < 4
