"""Files that are legal but oddly written, found by mutating the cases: all promises hold, or the move is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rewriters import Assignment, Reference, Settings, Slot, Span, by_name
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
IDENTITY = (
    "/subscriptions/9b1d4c70-0d0e-4f6b-8a55-3f1c2b7e6d42/resourceGroups/rg-1/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/reader"
)
SETTINGS = Settings(identity=IDENTITY, client_id="1b6f5f0e-0000-4000-8000-00000000c1d0", tenant_id="9a0e7c55-7e4a")
CSI = Settings(client_id=SETTINGS.client_id, tenant_id=SETTINGS.tenant_id, kubernetes_target="secrets-store-csi")


def moved(
    platform: str, files: Mapping[str, bytes], *texts: bytes, settings: Settings = SETTINGS, part: bool = False
) -> Report:
    """Moves every place whose value is one of these texts, or with `part` the texts wherever they stand in one."""
    rewriter = by_name(platform)
    found: list[Slot] = []
    for path, data in files.items():
        if rewriter.claims(path, data):
            found += rewriter.slots(path, data)
    items = [
        Assignment(slot, Reference(VAULT, f"secret-{texts.index(text)}"), Span(at, at + len(text)) if part else None)
        for slot in found
        for text in texts
        for at in [slot.value.reveal().find(text)]
        if slot.targets and (at >= 0 if part else slot.value.reveal() == text)
    ]
    assert items
    report = check(rewriter, files, items, settings=settings)
    assert not report.broken, report.broken
    return report


# --- Container Instances ---------------------------------------------------------------------------------------------

GROUP = """apiVersion: {version}
identity:
  type: {kind}
name: orders
type: Microsoft.ContainerInstance/containerGroups
properties:
  imageRegistryCredentials:
  - server: registry.example.com
    password: {value}
  containers:
  - name: api
    properties: {{image: a}}
"""


@pytest.mark.parametrize("block", ["|+\n        {}\n\n", "|\n        {}\n", ">-\n        {}", ">+\n        {}\n\n\n"])
@pytest.mark.parametrize("which", ["version", "kind", "value"])
def test_a_group_with_texts_in_blocks(which: str, block: str) -> None:
    texts = {"version": "'2021-10-01'", "kind": "SystemAssigned", "value": "c6Rk1Vw9TzLm"}
    texts[which] = block.format(texts[which].strip("'"))
    data = GROUP.format(**texts).encode()
    value = next(slot.value.reveal() for slot in by_name("aci").slots("g.yaml", data) if slot.key == "password")
    report = moved("aci", {"g.yaml": data}, value)
    assert not report.refused
    assert b"passwordReference: secret-0\n" in report.after["g.yaml"]


# --- Kubernetes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["|2-\n  Secret", ">-\n    Secret", "'Secret'"])
def test_a_kind_in_a_block(kind: str) -> None:
    data = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: api}}\nstringData:\n  token: heron-9914-Kx\n".encode()
    report = moved("kubernetes", {"s.yaml": data}, b"heron-9914-Kx")
    assert not report.refused


def test_a_type_beyond_the_basic_plane() -> None:
    data = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: api}\ntype: shop/😀\nstringData:\n  t: heron-9914-Kx\n".encode()
    )
    report = moved("kubernetes", {"s.yaml": data}, b"heron-9914-Kx")
    assert "shop/😀".encode() in report.after["s.yaml"]


@pytest.mark.parametrize("metadata", ["{labels: {a: b}}", "{generateName: api-}", '{name: "api\\n"}'])
def test_a_secret_without_a_fixed_name_stays(metadata: str) -> None:
    data = f"apiVersion: v1\nkind: Secret\nmetadata: {metadata}\nstringData:\n  a: b\n  t: heron-9914-Kx\n".encode()
    report = moved("kubernetes", {"s.yaml": data}, b"heron-9914-Kx")
    assert "name" in report.rewrites["kubernetes"].refusals[0].reason


SECRET = b"apiVersion: v1\nkind: Secret\nmetadata: {name: shop-db}\nstringData:\n  password: heron-9914-Kx\n"
POD = b"""apiVersion: v1
kind: Pod
metadata: {name: api, labels: {app: a, app: b}}
spec:
  containers:
  - name: api
    image: a
    envFrom:
    - secretRef: {name: shop-db}
"""


def test_a_pod_that_no_server_takes_gets_no_volume() -> None:
    report = moved("kubernetes", {"s.yaml": SECRET, "pod.yaml": POD}, b"heron-9914-Kx", settings=CSI)
    assert "twice" in report.rewrites["kubernetes"].refusals[0].reason


def test_a_store_that_no_server_takes_is_not_used() -> None:
    store = b"apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {name: company}\nspec:\n"
    store += b"  provider:\n    azurekv:\n      vaultUrl: https://shop.vault.azure.net\n" * 2
    report = moved("kubernetes", {"s.yaml": SECRET, "store.yaml": store}, b"heron-9914-Kx")
    assert b"name: keyvault-shop" in report.after["s.yaml"]


# --- parts of one place ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "path", "data"),
    [
        (
            "compose",
            "compose.yaml",
            b"services:\n  a:\n    image: a\n    command: >\n      run Kx71mus and\n      it\n",
        ),
        ("dotenv", ".env", b'URLS="amqp://a:Kx71mus@${HOST}/ b:${X:-and}@c"\n'),
        ("dockerfile", "Dockerfile", b'FROM a\nRUN ["sh", "-c", "get Kx71mus", "and"]\n'),
    ],
)
def test_parts_of_one_place_move_together_or_not_at_all(platform: str, path: str, data: bytes) -> None:
    files = {path: data, "compose.yaml": b"services:\n  a:\n    image: a\n    env_file: .env\n"} | {path: data}
    moved(platform, files, b"Kx71mus", b"and", part=True)


def test_a_backslash_in_brackets_is_not_put_in_quotes() -> None:
    data = b"services:\n  a: {image: x, environment: [URL=redis://a\\nb:mussel-44-Kx@c]}\n"
    report = moved("compose", {"compose.yaml": data}, b"mussel-44-Kx", part=True)
    assert report.refused


# --- Dockerfile ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ARG T=Pz6kWt1XqV8r\n# syntax=other/frontend:2\nFROM a\nARG T\nRUN x $T\n", "parser directive"),
        ("ARG T=Pz6kWt1XqV8r\n# escape=`\nFROM a\nARG T\nRUN x $T\n", "parser directive"),
        ("ENV T=Pz6kWt1XqV8r\nFROM a\nCMD x\n", "no FROM"),
        ("FROM a\nENV T=Pz6kWt1XqV8r\nENV T=Pz6kWt1XqV8r\nENV U=http://$T\n", "to the same value"),
        ("FROM a\nRUN x --token Pz6kWt1XqV8r 'and\n", "left open"),
    ],
)
def test_what_removing_would_change_is_refused(text: str, reason: str) -> None:
    report = moved("dockerfile", {"Dockerfile": text.encode()}, b"Pz6kWt1XqV8r")
    assert report.after["Dockerfile"] == text.encode()
    assert any(reason in refusal.reason for refusal in report.rewrites["dockerfile"].refusals)


def test_a_variable_that_is_cleared_later_moves() -> None:
    data = b'FROM a\nARG T=Pz6kWt1XqV8r\nRUN x $T\nARG T=""\nRUN y\nENV U=v\n'
    report = moved("dockerfile", {"Dockerfile": data}, b"Pz6kWt1XqV8r")
    assert not report.refused


# --- .env ------------------------------------------------------------------------------------------------------------


def test_blanks_before_a_variable() -> None:
    moved("dotenv", {".env": b"\r\tTOKEN=mussel-44-Kx\n"}, b"mussel-44-Kx")


# --- words of commands -----------------------------------------------------------------------------------------------

GLUED = (b"Qx7Rk2Lm9TzP", b"orchid", b"UXg3UmsyTG05VHpQ==")


@pytest.mark.parametrize("value", GLUED)
@pytest.mark.parametrize(
    ("platform", "path", "text"),
    [
        ("compose", "compose.yaml", "services:\n  a:\n    image: x\n    command: [my, -p{0}, ping, x, '{1}', y]\n"),
        ("compose", "compose.yaml", "services:\n  a:\n    image: x\n    entrypoint: my -p{0} ping x {1} y\n"),
        (
            "aci",
            "g.yaml",
            "type: Microsoft.ContainerInstance/containerGroups\nproperties:\n  containers:\n  - name: a\n"
            "    properties: {{command: [my, -p{0}, ping, x, '{1}', y]}}\n",
        ),
        (
            "kubernetes",
            "p.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n  - name: a\n"
            "    command: [my, -p{0}, ping, x, '{1}', y]\n"
            "    livenessProbe: {{exec: {{command: [my, -p{0}, ping]}}}}\n",
        ),
        ("dockerfile", "Dockerfile", 'FROM a\nRUN my -p{0} ping x {1} y\nCMD ["my", "-p{0}", "ping", "x", "{1}"]\n'),
    ],
)
def test_no_value_becomes_a_name(platform: str, path: str, text: str, value: bytes) -> None:
    """A value right behind a short option, and one that ends in the padding of base64."""
    padded = value if value.endswith(b"=") else b"x"
    found = by_name(platform).slots(path, text.format(value.decode(), padded.decode()).encode())
    assert any(value in slot.value.reveal() for slot in found)
    names = [name for slot in found for name in (slot.key, slot.pointer)]
    assert not [name for name in names if value.decode().rstrip("=") in name]
