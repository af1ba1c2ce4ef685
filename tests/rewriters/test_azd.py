"""azd: what is claimed, that both readers agree on any environment, and that what is handed on stays the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Settings, Unreadable, azd, claimants
from rewriters.check import check

VAULT = "https://shop.vault.azure.net"
SUBSCRIPTION = "6f1c7a52-0d7e-4b36-9a1e-2b8f5c4d3e10"
CHOSEN = Settings(vault_id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/a/providers/Microsoft.KeyVault/vaults/shop")
ENV = ".azure/dev/.env"
NAMES = ("DB_PASSWORD", "API_KEY", "a.b", "PORT", "Token1")
ODD = "aZ09 '\"\\:#!{}[]$%,&=|<>@`-?~;*\n\r\té🔑"
BICEP = b"@secure()\nparam dbPassword string\n\n@secure()\nparam apiKey string = ''\nparam label string = ''\n"


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "head"),
    [
        (".azure/dev/.env", b'A="b"\n'),
        ("shop/.azure/prod-1/.env", b""),
        (".azure/dev/config.json", b"{}"),
        ("azure.yaml", b"name: shop\nservices:\n  api:\n    host: function\n"),
        ("a/azure.yml", b"# comment\nhooks:\n  preup:\n    run: ./a.sh\n"),
        ("azure.yaml", b"\xef\xbb\xbfinfra:\n  provider: bicep\n"),
    ],
)
def test_claims(path: str, head: bytes) -> None:
    assert [rewriter.NAME for rewriter in claimants(path, head)] == ["azd"]


@pytest.mark.parametrize(
    ("path", "head"),
    [
        (".env", b"A=b"),
        (".azure/.env", b"A=b"),
        (".azure/dev/api/.env", b"A=b"),
        (".azure/config.json", b'{"defaultEnvironment": "dev"}'),
        ("azure.yaml", b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n"),
        ("azure.yaml", b"services:\n  db:\n    image: postgres\n"),
        ("my-azure.yaml", b"services:\n  a: 1\n"),
        ("azure.yaml", b"name: only\n"),
        ("azure.yaml", b"services:\0"),
        ("infra/main.parameters.json", b'{"$schema": "https://a/deploymentParameters.json#"}'),
    ],
)
def test_leaves_other_files_alone(path: str, head: bytes) -> None:
    assert not azd.claims(path, head)
    assert len(claimants(path, head)) <= 1


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (ENV, b"\xff\xfeA\0=\0b\0"),
        (".azure/dev/config.json", b"{"),
        (".azure/dev/config.json", b"[1]"),
        ("azure.yaml", b"services: [\n"),
        ("azure.yaml", b"- services\n"),
    ],
)
def test_broken_files_are_unreadable(path: str, data: bytes) -> None:
    with pytest.raises(Unreadable):
        azd.slots(path, data)


def test_values_of_the_settings_are_places_and_names_are_none() -> None:
    text = b"""name: shop
services:
  api:
    host: containerapp
    env:
      name: a
      PASSWORD: b
    config:
      path: c
hooks:
  preup:
    shell: sh
    run: "echo x"
    secrets:
      A: B
pipeline:
  variables: [D]
"""
    assert {slot.pointer: slot.place for slot in azd.slots("azure.yaml", text)} == {
        "services.api.env.name": "env",
        "services.api.env.PASSWORD": "env",
        "services.api.config.path": "other",
        "hooks.preup.run": "arg",
    }


# --- environments -----------------------------------------------------------------------------------------------------


def marshalled(value: str) -> str:
    """As azd itself writes a value."""
    short = {"\n": "\\n", "\r": "\\r"}
    return '"' + "".join(short.get(char, f"\\{char}" if char in '\\"!$`' else char) for char in value) + '"'


@pytest.mark.parametrize(
    "value", ["a b", "a!b", "$HOME x", "`a`", "c\\d", "two\nlines", "#1 # 2", "$$1", "\\$A", "a\tb", "é🔑"]
)
def test_what_azd_writes_is_read_back(value: str) -> None:
    data = f"PASSWORD={marshalled(value)}\n".encode()
    (slot,) = azd.slots(ENV, data)
    assert slot.value == Plaintext(value.encode())
    assert not slot.reason
    assert [item.value for item in azd.effective({ENV: data}, _none)] == [slot.value]


@pytest.mark.parametrize(
    "text", ['"ends in \\\\"', '"ends in \\""', '"a\\tb"', "'a\\'", "a #b #c", '"a\\\\$B"', "a\t#b"]
)
def test_what_azd_reads_in_a_way_of_its_own_is_said_to_be_odd(text: str) -> None:
    (slot,) = azd.slots(ENV, f"PASSWORD={text}\n".encode())
    assert slot.reason
    assert not slot.targets


@st.composite
def trees(draw: st.DrawFn) -> dict[str, bytes]:
    lines: list[str] = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)):
        value = draw(st.text(alphabet=ODD, max_size=14))
        written = draw(st.sampled_from([marshalled(value), f'"{value}"', f"'{value}'", value]))
        lead = draw(st.sampled_from(["", "export ", "  "]))
        tail = draw(st.sampled_from(["", " # old", "  "]))
        lines += [f"{lead}{name}={written}{tail}", *draw(st.sampled_from([[], ["# comment"], [""]]))]
    line_break = draw(st.sampled_from(["\n", "\r\n"]))
    files = {ENV: (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + (line_break.join(lines) + line_break).encode()}
    whole = draw(st.sampled_from(["${DB_PASSWORD}", "${DB_PASSWORD:-none}", "x${DB_PASSWORD}", "${PORT}"]))
    parameters = {"dbPassword": {"value": whole}, draw(st.sampled_from(["apiKey", "label"])): {"value": "${API_KEY}"}}
    if draw(st.booleans()):
        files["infra/main.parameters.json"] = json.dumps({"parameters": parameters}).encode()
        files["infra/main.bicep"] = BICEP
    if draw(st.booleans()):
        files["azure.yaml"] = draw(hooks()).replace("\n", line_break).encode()
    return files


@st.composite
def hooks(draw: st.DrawFn) -> str:
    script = draw(
        st.sampled_from(
            ["./a.sh", "echo", "'echo $API_KEY'", "|\n      echo $Token1\n      ./b.sh", ">-\n      ./c.sh"]
        )
    )
    rest = draw(
        st.sampled_from(
            ["", "    secrets:\n      X: PORT\n", "    secrets: {X: API_KEY}\n", "    secrets:\n", "    secrets: {}\n"]
        )
    )
    other = draw(
        st.sampled_from(["", "  predown: {run: ./d.sh, shell: sh}\n", "  postup:\n  - run: ./e.sh\n    shell: sh\n"])
    )
    comment = draw(st.sampled_from(["", "# the end\n"]))
    return f"name: shop\nhooks:\n  preup:\n    shell: sh\n    run: {script}\n{rest}{other}{comment}"


@pytest.mark.parametrize(
    "text",
    [
        "hooks:\n  preup: &seed\n    run: ./a.sh\n  postup: *seed\n",
        "x: &x\n  shell: sh\nhooks:\n  a:\n    <<: *x\n    run: ./a.sh\n  b:\n    run: ./b.sh\n    <<: *x\n",
        "hooks:\n  preup:\n  - run: ./a.sh\n    secrets: &held\n      A: PORT\n  - run: ./b.sh\n    secrets: *held\n",
        "hooks:\n  preup:\n    run: >-\n      ./a.sh\n\n\n# the end\n",
        "hooks: {preup: {run: ./a.sh}, postup: [{run: ./b.sh, secrets: {}}]}\n",
        "infra:\n  layers:\n  - name: a\n    path: infra/a\n    hooks:\n      preprovision:\n        run: ./a.sh\n",
        "hooks:\n  preup:\n    run: ./a.sh\n    config:\n      list:\n      - a\n      - b # last\n",
    ],
)
def test_hooks_in_every_shape_are_handed_the_values(text: str) -> None:
    files = {ENV: b'API_KEY="gorse-Pike-41"\nPORT="rook-Lantern-55"\n', "azure.yaml": text.encode()}
    environment(files)
    items = [Assignment(slot, Reference(VAULT, f"s-{at}")) for at, slot in enumerate(azd.slots(ENV, files[ENV]))]
    assert not check(azd, files, items, settings=CHOSEN).refused


@given(trees())
@settings(max_examples=60)
def test_any_environment_is_handed_on_unchanged(files: dict[str, bytes]) -> None:
    environment(files)


@pytest.mark.slow
@given(trees())
@settings(max_examples=2000)
def test_many_environments_are_handed_on_unchanged(files: dict[str, bytes]) -> None:
    environment(files)


def environment(files: dict[str, bytes]) -> None:
    slots = [slot for path, data in files.items() if azd.claims(path, data) for slot in azd.slots(path, data)]
    items = [Assignment(slot, Reference(VAULT, f"s-{at}")) for at, slot in enumerate(slots)]
    report = check(azd, files, items, settings=CHOSEN)
    assert not report.broken, report.broken
    assert not report.unreadable
    last = {slot.key: slot for slot in slots if slot.path == ENV}
    handed = {
        item.address.name: item.value
        for item in azd.effective(files, _none)
        if item.address.subject.endswith("azd exec")
    }
    for key, slot in last.items():
        assert slot.reason or handed[key] == slot.value, key


@given(st.binary(max_size=40), st.sampled_from([ENV, ".azure/dev/config.json", "azure.yaml"]))
@settings(max_examples=50)
def test_any_bytes_are_read_or_said_to_be_unreadable(data: bytes, path: str) -> None:
    try:
        slots = azd.slots(path, data)
    except Unreadable:
        return
    report = check(azd, {path: data}, [Assignment(slot, Reference(VAULT, f"s-{at}")) for at, slot in enumerate(slots)])
    assert not report.broken, report.broken


def _none(reference: Reference) -> Plaintext:
    raise LookupError(reference.name)
