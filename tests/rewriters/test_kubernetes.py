"""Kubernetes manifests: what is claimed, which places there are, what a cluster hands over, and real manifests."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Request, Settings, Slot, Span, Unreadable, kubernetes, splice
from rewriters._encode import decode
from rewriters.check import check

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "devset" / "real"
CASES = ROOT / "fixtures" / "kubernetes"
VAULT = "https://shop.vault.azure.net"
IDENTITY = Settings(client_id="1b6f5f0e-0000-4000-8000-00000000c1d0", tenant_id="9a0e7c55-0000-4000-8000-000000007e4a")


def lines(*text: str) -> bytes:
    return "\n".join((*text, "")).encode()


# --- claims ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "head", "mine"),
    [
        ("a.yaml", b"apiVersion: v1\nkind: Secret\n", True),
        ("a.YML", b"# comment\n---\nkind: Secret\napiVersion: v1\n", True),
        ("a.yaml", b"\xef\xbb\xbfapiVersion: v1\r\nkind: Secret\r\n", True),
        ("a.yaml", b'{"apiVersion": "v1", "kind": "Secret"}', True),
        ("a.yaml", b'{\n  "kind": "Secret",\n  "apiVersion": "v1"\n}', True),
        ("a.yaml", b"apiVersion: apps/v1\n" + b"#" * 4077, True),
        ("a.yaml", b"apiVersion: apps/v1\nmetadata: {}\n", False),
        ("a.json", b'{"apiVersion": "v1", "kind": "Secret"}', True),
        ("kustomization.yaml", b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", True),
        ("other.yaml", b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n", False),
        ("Chart.yaml", b"apiVersion: v2\nkind: x\n", False),
        ("aci.yaml", b"apiVersion: '2021-10-01'\nkind: x\n", False),
        ("compose.yaml", b"services:\n  a:\n    image: x\n", False),
        ("values.yaml", b"extra:\n  - apiVersion: v1\n    kind: Secret\n", False),
        ("t.yaml", b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\n", False),
        ("t.yaml", b"{{- if eq 1 2 }}\napiVersion: v1\nkind: Secret\n{{ end }}\n", False),
        ("c/templates/t.yaml", b'apiVersion: v1\nkind: Secret\nmetadata: {name: {{ include "a" . }}}\n', False),
        ("c/templates/t.yaml", b"apiVersion: v1\nkind: Secret\n", True),
        ("rules.yaml", b"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    up: {{ $value }}\n", True),
    ],
)
def test_claims(path: str, head: bytes, mine: bool) -> None:
    assert kubernetes.claims(path, head) is mine


# --- slots -----------------------------------------------------------------------------------------------------------


def slots(data: bytes) -> dict[str, Slot]:
    found = kubernetes.slots("a.yaml", data)
    assert [slot.span for slot in found] == sorted(slot.span for slot in found)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
        assert slot.literal.covers(slot.span)
        assert bool(slot.targets) is not bool(slot.reason)
    assert len({slot.pointer for slot in found}) == len(found)
    return {slot.pointer: slot for slot in found}


def test_a_secret_has_a_place_for_each_key() -> None:
    found = slots(
        lines(
            "apiVersion: v1",
            "kind: Secret",
            "metadata: {name: a.b}",
            "type: kubernetes.io/dockerconfigjson",
            "data:",
            "  .dockerconfigjson: e30=",
            "  none: ''",
            "  newline: bGluZQo=",
            "stringData: {plain: text}",
        )
    )
    told = {
        pointer: (slot.place, slot.encoding, slot.value.reveal())
        for pointer, slot in found.items()
        if slot.place != "other"
    }
    assert told == {
        '"Secret/a.b".data.".dockerconfigjson"': ("registry", ("yaml-plain", "base64"), b"{}"),
        '"Secret/a.b".data.newline': ("secret", ("yaml-plain", "base64"), b"line\n"),
        '"Secret/a.b".stringData.plain': ("secret", ("yaml-plain",), b"text"),
    }


def test_a_secret_of_another_group_is_no_secret() -> None:
    found = slots(lines("apiVersion: vault.example/v1", "kind: Secret", "metadata: {name: a}", "data: {b: c}"))
    assert [(slot.pointer, slot.place) for slot in found.values()] == [("Secret/a.data.b", "other")]


def test_the_key_of_an_argument_is_its_flag() -> None:
    found = slots(
        lines(
            "apiVersion: v1",
            "kind: Pod",
            "metadata: {name: a}",
            "spec:",
            "  containers:",
            "  - name: b",
            "    command: [run, --user, root, --verbose, --password, x1, -t, x2, --key=x3, TOKEN=x4, '--', x5]",
        )
    )
    keys = {slot.value.reveal().decode(): slot.key for slot in found.values() if slot.place == "arg"}
    assert keys["x1"] == "password"
    assert keys["x2"] == "t"
    assert keys["--key=x3"] == "key"
    assert keys["TOKEN=x4"] == "TOKEN"
    assert keys["x5"] == keys["run"] == ""
    assert keys["root"] == "user"
    assert all(slot.interpolates for slot in found.values() if slot.place == "arg")


def test_names_of_references_are_no_places() -> None:
    for folder in ("csi-secret", "secret-data", "store-there"):
        for file in sorted((CASES / folder / "out").rglob("*.yaml")):
            for slot in kubernetes.slots(file.name, file.read_bytes()):
                if slot.targets:
                    assert slot.value != Plaintext(b"shop-db-password")
                    assert not slot.pointer.startswith(("ExternalSecret", "SecretProviderClass", "SecretStore"))


def test_encrypted_manifests_hold_nothing_to_move() -> None:
    sealed = lines(
        "apiVersion: bitnami.com/v1alpha1", "kind: SealedSecret", "spec:", "  encryptedData: {password: AgBx}"
    )
    assert not slots(sealed)
    sops = lines(
        "apiVersion: v1",
        "kind: Secret",
        "metadata: {name: a}",
        "data: {password: 'ENC[AES256_GCM,data:xx,type:str]'}",
        "sops: {mac: 'ENC[AES256_GCM,data:yy,type:str]'}",
    )
    assert not any(slot.targets for slot in slots(sops).values())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"apiVersion: v1\nkind: Secret\n\xff\n", "not UTF-8"),
        (b"\xff\xfea\x00", "UTF-16"),
        (b"apiVersion: v1\nkind: [\n", "broken YAML"),
        (b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include 'a' . }}\n", "template"),
        (b'apiVersion: v1\nkind: ConfigMap\ndata:\n  a: "{{ .Values.b }}"\n', "template"),
        (b"apiVersion: v1\nkind: ConfigMap\ndata:\n{{ range list }}\n  a: b\n{{ end }}\n", "template"),
        (b"apiVersion: v1\nkind: X\na: " + b"[" * 150 + b"]" * 150, "nested deeper"),
        (b"apiVersion: v1\nkind: X\na: " + b"[" * 5000, "nesting depth"),
    ],
)
def test_what_cannot_be_read_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        kubernetes.slots("a.yaml", data)


def test_braces_in_a_text_are_content() -> None:
    data = lines("apiVersion: v1", "kind: ConfigMap", "metadata: {name: a}", "data:", "  b: |", "    {{ .Values.c }}")
    assert [slot.key for slot in slots(data).values()] == ["b"]


def test_hostile_aliases_cost_no_more_than_their_text() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    data = lines("apiVersion: v1", "kind: Bomb", "metadata: {name: x}", "a0: &a0 [x]", *levels)
    slots(data)
    kubernetes.effective({"a.yaml": data}, lookup({}))
    loop = lines("apiVersion: v1", "kind: Loop", "spec: &s", "  containers: [{name: a, env: *s}]", "  self: *s")
    with pytest.raises(Unreadable):
        slots(loop)
    assert not kubernetes.effective({"a.yaml": loop}, lookup({}))


# --- effective -------------------------------------------------------------------------------------------------------


def lookup(values: Mapping[str, bytes]):  # type: ignore[no-untyped-def]
    def read(reference: Reference) -> Plaintext:
        assert reference.vault_url == VAULT
        return Plaintext(values[reference.name])

    return read


def handed(files: Mapping[str, bytes], values: Mapping[str, bytes] | None = None) -> dict[tuple[str, str, str], bytes]:
    return {
        (item.address.subject, item.address.channel, item.address.name): item.value.reveal()
        for item in kubernetes.effective(files, lookup(values or {}))
    }


POD = (
    "apiVersion: v1",
    "kind: Pod",
    "metadata: {name: p}",
    "spec:",
    "  containers:",
    "  - name: c",
)
AT = "a.yaml#Pod/p/containers/c"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NONE)", "$(NONE)"),
        ("$(LATER)", "$(LATER)"),
        ("$(A", "$(A"),
        ("a$b$", "a$b$"),
        ("$$", "$"),
        ("$(A)$(A)", "11"),
    ],
)
def test_variables_expand_as_the_kubelet_does(text: str, expanded: str) -> None:
    data = lines(
        *POD,
        "    env:",
        "    - {name: A, value: '1'}",
        f"    - {{name: B, value: '{text}'}}",
        "    - {name: LATER, value: '2'}",
        f"    args: ['{text}', '$(LATER)']",
    )
    found = handed({"a.yaml": data})
    assert found[AT, "env", "B"] == expanded.encode()
    if text != "$(LATER)":
        assert found[AT, "arg", "args.0"] == expanded.encode()
    assert found[AT, "arg", "args.1"] == b"2"


def test_sources_of_an_environment_win_in_order() -> None:
    coded = base64.b64encode(b"secret-b").decode()
    data = lines(
        *POD,
        "    envFrom:",
        "    - {configMapRef: {name: m}, prefix: P_}",
        "    - configMapRef: {name: m}",
        "    - secretRef: {name: s}",
        "    env:",
        "    - {name: A, value: from-$(B)}",
        "    - {name: K, valueFrom: {secretKeyRef: {name: s, key: B}}}",
        "    - {name: N, valueFrom: {secretKeyRef: {name: nowhere, key: B}}}",
        "---",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {A: map-a, B: map-b}}",
        "---",
        "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {B: " + coded + "}}",
    )
    found = {name: value for (where, channel, name), value in handed({"a.yaml": data}).items() if channel == "env"}
    assert found.pop("N") != b""
    assert found == {"P_A": b"map-a", "P_B": b"map-b", "A": b"from-secret-b", "B": b"secret-b", "K": b"secret-b"}


def test_mounted_files() -> None:
    data = lines(
        *POD,
        "    volumeMounts:",
        "    - {name: all, mountPath: /all/}",
        "    - {name: one, mountPath: /etc/one.ini, subPath: one.ini}",
        "    - {name: both, mountPath: /both}",
        "  volumes:",
        "  - {name: all, configMap: {name: m}}",
        "  - {name: one, configMap: {name: m, items: [{key: a, path: one.ini}]}}",
        "  - name: both",
        "    projected: {sources: [{configMap: {name: m}}, {secret: {name: s, items: [{key: x, path: a}]}}]}",
        "---",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {a: '1', b: '2'}}",
        "---",
        "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {x: '3'}}",
    )
    found = {name: value for (_, channel, name), value in handed({"a.yaml": data}).items() if channel == "file"}
    assert found == {"/all/a": b"1", "/all/b": b"2", "/etc/one.ini": b"1", "/both/a": b"3", "/both/b": b"2"}


def test_the_nearest_object_of_a_name_is_meant() -> None:
    def config(value: str) -> bytes:
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {{A: {value}}}\n".encode()

    pod = lines(*POD, "    envFrom: [{configMapRef: {name: m}}]")
    files = {"x/m.yaml": config("far"), "y/m.yaml": config("near"), "y/p.yaml": pod, "z/p.yaml": pod}
    found = handed(files)
    assert found["y/p.yaml#Pod/p/containers/c", "env", "A"] == b"near"
    assert not any(subject.startswith("z/") for subject, _, _ in found)


def test_a_secret_from_the_vault_is_handed_over() -> None:
    for folder, name in (("secret-some-keys", "username"), ("secret-data", "username")):
        data = (CASES / folder / "out" / "db.yaml").read_bytes()
        store = (CASES / folder / "out" / "secret-store.yaml").read_bytes()
        values = {"shop-db-password": b"from-vault", "shop-db-user": b"shop_rw"}
        found = handed({"db.yaml": data, "secret-store.yaml": store}, values)
        assert found == {
            ("db.yaml#Secret/shop-db", "object", name): b"shop_rw",
            ("db.yaml#Secret/shop-db", "object", "password"): b"from-vault",
        }


def test_a_file_that_is_no_yaml_hands_over_nothing() -> None:
    broken = {"a.yaml": b"apiVersion: v1\nkind: [\n", "b.yaml": b"apiVersion: v1\nkind: A\nkind: B\n", "c.txt": b""}
    assert not kubernetes.effective(broken, lookup({}))


# --- rewrite ---------------------------------------------------------------------------------------------------------

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff\x85"),
    min_size=1,
    max_size=40,
)


def quoted(text: str, style: str) -> str:
    if style == "single":
        return "'" + text.replace("'", "''") + "'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@settings(max_examples=60)
@given(
    values=st.lists(TEXT, min_size=1, max_size=4),
    style=st.sampled_from(("single", "double")),
    step=st.sampled_from((2, 3, 4)),
    dash=st.booleans(),
    crlf=st.booleans(),
    bom=st.booleans(),
    ending=st.booleans(),
    moved=st.sets(st.integers(0, 3), min_size=1),
    kind=st.sampled_from(("Secret", "Pod")),
    target=st.sampled_from(("external-secrets", "secrets-store-csi", "akv2k8s")),
)
def test_generated_manifests_keep_all_promises(
    values: list[str],
    style: str,
    step: int,
    dash: bool,
    crlf: bool,
    bom: bool,
    ending: bool,
    moved: set[int],
    kind: str,
    target: str,
) -> None:
    pad, inner = " " * step, " " * (step if dash else 0)
    head = ["apiVersion: v1", f"kind: {kind}", "metadata:", f"{pad}name: m"]
    if kind == "Secret":
        body = ["stringData:", *(f"{pad}key{n}: {quoted(text, style)}" for n, text in enumerate(values))]
    else:
        body = ["spec:", f"{pad}containers:", f"{pad}{inner}- name: c", f"{pad}{inner}  env:"]
        for number, text in enumerate(values):
            body += [
                f"{pad}{inner}  {inner}- name: V{number}  # {number}",
                f"{pad}{inner}  {inner}  value: {quoted(text, style)} # é",
            ]
    text = ("\r\n" if crlf else "\n").join([*head, *body]) + (("\r\n" if crlf else "\n") if ending else "")
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    found = [slot for slot in kubernetes.slots("a.yaml", data) if slot.targets]
    by_value: dict[str, Reference] = {}
    assignments = []
    for number, slot in enumerate(found):
        if number in moved:
            digest = hashlib.sha256(slot.value.reveal()).hexdigest()[:12]
            reference = by_value.setdefault(digest, Reference(VAULT, f"s-{digest}"))
            assignments.append(Assignment(slot, reference))
    chosen = Settings(client_id=IDENTITY.client_id, tenant_id=IDENTITY.tenant_id, kubernetes_target=target)  # type: ignore[arg-type]
    report = check(kubernetes, {"a.yaml": data}, assignments, settings=chosen)
    # A one-letter value may well stand in the text that is put in its place.
    short = any(len(values[n]) < 8 for n in moved if n < len(values))
    assert not [item for item in report.broken if not (short and item.promise == "gone")]


def test_a_secret_keeps_its_neighbours_and_says_which_it_needs() -> None:
    files = {"a.yaml": (CASES / "secret-tls-half" / "in" / "tls.yaml").read_bytes()}
    key, certificate = 'Secret/edge.data."tls.key"', 'Secret/edge.data."tls.crt"'
    slot = {slot.pointer: slot for slot in kubernetes.slots("a.yaml", files["a.yaml"])}
    answer = kubernetes.rewrite(Request(files, (Assignment(slot[key], Reference(VAULT, "k")),)))
    assert [refusal.needs for refusal in answer.refusals] == [(certificate,)]
    both = tuple(Assignment(slot[name], Reference(VAULT, name[-4:-1])) for name in (certificate, key))
    assert not kubernetes.rewrite(Request(files, both)).refusals


def test_a_changed_file_is_refused() -> None:
    data = lines("apiVersion: v1", "kind: Secret", "metadata: {name: a}", "stringData: {b: fjord-Skua-118}")
    slot = next(slot for slot in kubernetes.slots("a.yaml", data) if slot.targets)
    answer = kubernetes.rewrite(Request({"a.yaml": b"# more\n" + data}, (Assignment(slot, Reference(VAULT, "x")),)))
    assert not answer.edits
    assert "not hold this place any more" in answer.refusals[0].reason


def test_what_moves_later_gets_a_secret_of_its_own() -> None:
    files = {"api.yaml": (CASES / "env-flow" / "in" / "pod.yaml").read_bytes()}
    for pointer in ("probe.env.TOKEN", "side.env.KEY"):
        found = kubernetes.slots("api.yaml", files["api.yaml"])
        slot = next(slot for slot in found if slot.pointer == f"Pod/probe.spec.containers.{pointer}.value")
        report = check(kubernetes, files, [Assignment(slot, Reference(VAULT, slot.key.lower()))])
        assert not report.broken
        assert not report.refused
        files = dict(report.after)
    names = re.findall(rb"(?m)^    name: (probe-\S+)", files["api.yaml"])
    assert names == [b"probe-keyvault", b"probe-keyvault-2"]
    assert len(files) == 2, "the store of the first time is used again"


def test_a_reference_with_a_version_reads_that_version() -> None:
    files = {"s.yaml": (CASES / "secret-flow-data" / "in" / "s.yaml").read_bytes()}
    slot = next(slot for slot in kubernetes.slots("s.yaml", files["s.yaml"]) if slot.targets)
    reference = Reference(VAULT, "cache", "0123456789abcdef0123456789abcdef")
    for target in ("external-secrets", "secrets-store-csi"):
        chosen = Settings(client_id="c", tenant_id="t", kubernetes_target=target)  # type: ignore[arg-type]
        user = {"p.yaml": lines(*POD, "    envFrom: [{secretRef: {name: cache}}]")}
        answer = kubernetes.rewrite(Request(files | user, (Assignment(slot, reference),), chosen))
        after = splice(files["s.yaml"], [edit for edit in answer.edits if edit.path == "s.yaml"])
        assert reference.version.encode() in after


@pytest.mark.parametrize(
    ("url", "cloud"),
    [("https://shop.vault.azure.cn", b"ChinaCloud"), ("https://shop.vault.usgovcloudapi.net", b"USGovernmentCloud")],
)
def test_vaults_of_other_clouds(url: str, cloud: bytes) -> None:
    files = {"s.yaml": (CASES / "env-dollar" / "in" / "pod.yaml").read_bytes()}
    slot = next(slot for slot in kubernetes.slots("s.yaml", files["s.yaml"]) if slot.targets)
    for target in ("external-secrets", "secrets-store-csi"):
        chosen = Settings(client_id="c", tenant_id="t", kubernetes_target=target)  # type: ignore[arg-type]
        report = check(kubernetes, files, [Assignment(slot, Reference(url, "x"))], settings=chosen)
        assert not report.broken
        assert any(cloud in data for data in report.after.values())


def test_a_vault_without_a_cloud_is_out_of_the_drivers_reach() -> None:
    files = {"s.yaml": (CASES / "env-dollar" / "in" / "pod.yaml").read_bytes()}
    slot = next(slot for slot in kubernetes.slots("s.yaml", files["s.yaml"]) if slot.targets)
    chosen = Settings(client_id="c", tenant_id="t", kubernetes_target="secrets-store-csi")
    answer = kubernetes.rewrite(Request(files, (Assignment(slot, Reference("https://127.0.0.1:8443", "x")),), chosen))
    assert "by its name in an Azure cloud" in answer.refusals[0].reason


# --- odd manifests ---------------------------------------------------------------------------------------------------

PODS = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: p\n"
ODD = {
    "dash-own-line": (
        PODS
        + (
            "  -\n"
            "    name: c\n"
            "    image: i\n"
            "    env:\n"
            "    -\n"
            "      name: A\n"
            "      value: heron-Reed-771\n"
            "    args:\n"
            "    -\n"
            "      --x=plover-Marsh-9\n"
        )
    ),
    "env-null": (PODS + ("  - name: c\n    image: i\n    env:\n    args: [--x, plover-Marsh-9]\n")),
    "env-null-comment": (PODS + ("  - name: c\n    image: i\n    env: # none yet\n    args: [--x, plover-Marsh-9]\n")),
    "env-empty": (PODS + ("  - name: c\n    image: i\n    env: []\n    args: [--x, plover-Marsh-9]\n")),
    "env-comment": (
        PODS
        + (
            "  - name: c\n"
            "    image: i\n"
            "    env: # the env\n"
            "    # one\n"
            "    - name: A # a\n"
            "      # two\n"
            "      value: heron-Reed-771 # b\n"
            "    # three\n"
            "    args: # x\n"
            "    # y\n"
            "    - plover-Marsh-9 # z\n"
        )
    ),
    "only-args": (PODS + ("  - args:\n    - plover-Marsh-9\n")),
    "only-args-flow": (PODS + "  - args: [plover-Marsh-9]\n"),
    "name-last-block": (PODS + ("  - image: i\n    command:\n    - |\n      plover Marsh\n      two\n    name: c\n")),
    "only-name-image-noeol": (PODS + ("  - args: [plover-Marsh-9]\n    name: c\n    image: i # end")),
    "tags": (
        PODS
        + (
            "  - name: c\n"
            "    image: i\n"
            "    env:\n"
            "    - name: A\n"
            "      value: !!str heron-Reed-771\n"
            "    - {name: B, value: !!str 'heron-Reed-772'}\n"
        )
    ),
    "multi-line-plain": (
        PODS
        + (
            "  - name: c\n"
            "    image: i\n"
            "    env:\n"
            "    - name: A\n"
            "      value: heron\n"
            "        reed\n"
            "        771\n"
            "    - name: B\n"
            "      value: 'heron\n"
            "\n"
            "        reed'\n"
            "    - name: C\n"
            '      value: "heron \\\n'
            '        reed"\n'
        )
    ),
    "folded": (
        PODS
        + (
            "  - name: c\n"
            "    image: i\n"
            "    env:\n"
            "    - name: A\n"
            "      value: >-\n"
            "        heron\n"
            "        reed\n"
            "    - name: B\n"
            "      value: |+\n"
            "        heron\n"
            "\n"
            "    - name: C\n"
            "      value: |2-\n"
            "          x heron\n"
        )
    ),
    "keep-end": (
        PODS + ("  - name: c\n    image: i\n    env:\n    - name: B\n      value: |+\n        heron-reed\n\n")
    ),
    "quoted-keys": (
        '"apiVersion": "v1"\n'
        '"kind": "Pod"\n'
        '"metadata":\n'
        '  "name": "p"\n'
        '"spec":\n'
        '  "containers":\n'
        '  - "name": "c"\n'
        '    "image": "i"\n'
        '    "env":\n'
        '    - "name": "A"\n'
        '      "value": "heron-Reed-771"\n'
    ),
    "value-first": (PODS + ("  - env:\n    - value: heron-Reed-771\n      name: A\n    name: c\n    image: i\n")),
    "secret-anchor-data": (SECRET + ("data: &d\n  a: aGVyb24tUmVlZC03NzE=\n")),
    "secret-anchor-used": (
        SECRET
        + (
            "data: &d\n"
            "  a: aGVyb24tUmVlZC03NzE=\n"
            "---\n"
            "apiVersion: v1\n"
            "kind: Secret\n"
            "metadata: {name: q}\n"
            "data:\n"
            "  b: aGVyb24tUmVlZC03NzI=\n"
        )
    ),
    "secret-alias-in-data": (SECRET + ("stringData:\n  a: &x heron-Reed-771\n  b: *x\n")),
    "secret-alias-in-meta": (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: &n p-name-long\nstringData:\n  b: *n\n  c: heron-Reed-771\n"
    ),
    "secret-merge": (
        "apiVersion: v1\n"
        "kind: List\n"
        "items:\n"
        "- apiVersion: v1\n"
        "  kind: Secret\n"
        "  metadata: {name: a}\n"
        "  stringData: &s\n"
        "    x: heron-Reed-771\n"
        "- apiVersion: v1\n"
        "  kind: Secret\n"
        "  metadata: {name: b}\n"
        "  stringData:\n"
        "    <<: *s\n"
        "    y: heron-Reed-772\n"
    ),
    "secret-both-comment": (
        SECRET
        + (
            "data: # first\n"
            "  # c1\n"
            "  a: aGVyb24tUmVlZC03NzE= # t1\n"
            "\n"
            "  # c2\n"
            "  b: 'aGVyb24tUmVlZC03NzI=' # t2\n"
            "# mid\n"
            "stringData: # second\n"
            "  # c3\n"
            "  c: heron-Reed-773 # t3\n"
            "  # c4\n"
            "  d: |\n"
            "    heron-Reed-774\n"
            "# end\n"
        )
    ),
    "secret-empty-data": (SECRET + ("data:\nstringData:\n  c: heron-Reed-773\n")),
    "secret-empty-flow": (SECRET + ("data: {}\nstringData:\n  c: heron-Reed-773\n")),
    "secret-null-key": (SECRET + ("data:\n  a:\n  b: aGVyb24tUmVlZC03NzI=\n")),
    "secret-type-first": (
        "type: Opaque\nkind: Secret\napiVersion: v1\nstringData:\n  c: heron-Reed-773\nmetadata:\n  name: p\n"
    ),
    "secret-type-last-noeol": (
        "kind: Secret\napiVersion: v1\nstringData:\n  c: heron-Reed-773\nmetadata:\n  name: p\ntype: Opaque"
    ),
    "secret-list-type-first": (
        "apiVersion: v1\n"
        "kind: List\n"
        "items:\n"
        "- type: Opaque\n"
        "  immutable: true\n"
        "  kind: Secret\n"
        "  apiVersion: v1\n"
        "  stringData:\n"
        "    c: heron-Reed-773\n"
        "  metadata:\n"
        "    name: p\n"
    ),
    "secret-list-data-first": (
        "apiVersion: v1\n"
        "kind: List\n"
        "items:\n"
        "- stringData:\n"
        "    c: heron-Reed-773\n"
        "  data:\n"
        "    d: aGVyb24tUmVlZC03NzI=\n"
        "  kind: Secret\n"
        "  apiVersion: v1\n"
        "  metadata:\n"
        "    name: p\n"
    ),
    "secret-list-data-second-first": (
        "apiVersion: v1\n"
        "kind: List\n"
        "items:\n"
        "- metadata:\n"
        "    name: p\n"
        "  stringData:\n"
        "    c: heron-Reed-773\n"
        "  data: {d: aGVyb24tUmVlZC03NzI=, e: aGVyb24tUmVlZC03NzM=}\n"
        "  kind: Secret\n"
        "  apiVersion: v1\n"
    ),
    "secret-question": (SECRET + ("data:\n  ? a\n  : aGVyb24tUmVlZC03NzE=\n")),
    "secret-question-data": (SECRET + ("? data\n: a: aGVyb24tUmVlZC03NzE=\n")),
    "secret-colon-gap": (SECRET + ("data :\n  a : aGVyb24tUmVlZC03NzE=\n  b\t: aGVyb24tUmVlZC03NzI=\n")),
    "secret-deep-indent": (
        "apiVersion: v1\n"
        "kind: Secret\n"
        "metadata:\n"
        " name: p\n"
        "data:\n"
        "        a: aGVyb24tUmVlZC03NzE=\n"
        "        b: aGVyb24tUmVlZC03NzI=\n"
    ),
    "secret-one-indent": (
        "apiVersion: v1\nkind: Secret\nmetadata:\n name: p\ndata:\n a: aGVyb24tUmVlZC03NzE=\n b: aGVyb24tUmVlZC03NzI=\n"
    ),
    "secret-doc-inline": (
        "--- {apiVersion: v1, kind: Secret, metadata: {name: p}, stringData: {c: heron-Reed-773, d: heron-Reed-774}}\n"
        "--- # next\n"
        "apiVersion: v1\n"
        "kind: Secret\n"
        "metadata: {name: q}\n"
        "stringData: {c: heron-Reed-773}\n"
        "...\n"
    ),
    "directive": (
        "%YAML 1.1\n"
        "---\n"
        "apiVersion: v1\n"
        "kind: Secret\n"
        "metadata:\n"
        "  name: p\n"
        "stringData:\n"
        "  c: heron-Reed-773\n"
        "  d: heron-Reed-774\n"
        "...\n"
    ),
    "trailing-dots": (SECRET + ("stringData:\n  c: heron-Reed-773\n  d: heron-Reed-774\n...\n# end")),
    "no-name": (
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: i\n    env: [{name: A, value: heron-Reed-771}]\n"
    ),
    "odd-name": (
        "apiVersion: v1\n"
        "kind: Pod\n"
        "metadata: {name: 'P_x.y'}\n"
        "spec:\n"
        "  containers:\n"
        "  - image: i\n"
        "    env: [{name: A, value: heron-Reed-771}]\n"
    ),
    "env-dup": (
        PODS
        + (
            "  - name: c\n"
            "    image: i\n"
            "    env:\n"
            "    - name: A\n"
            "      value: heron-Reed-771\n"
            "    - name: A\n"
            "      value: heron-Reed-772\n"
            "    args: ['$(A)']\n"
        )
    ),
    "container-anchor-two-pods": (
        "apiVersion: v1\n"
        "kind: List\n"
        "items:\n"
        "- apiVersion: v1\n"
        "  kind: Pod\n"
        "  metadata: {name: a}\n"
        "  spec: &s\n"
        "    containers:\n"
        "    - name: c\n"
        "      image: i\n"
        "      env: [{name: A, value: heron-Reed-771}]\n"
        "- apiVersion: v1\n"
        "  kind: Pod\n"
        "  metadata: {name: b}\n"
        "  spec: *s\n"
    ),
    "flow-newlines": (
        "{apiVersion: v1, kind: Secret,\n"
        "  metadata: {name: p},\n"
        "  stringData: {\n"
        "    # c\n"
        "    a: heron-Reed-771, # d\n"
        "    b: heron-Reed-772\n"
        "  },\n"
        "  type: Opaque\n"
        "}\n"
    ),
    "flow-trailing-comma": (
        "{\n"
        '  "apiVersion": "v1",\n'
        '  "kind": "Secret",\n'
        '  "metadata": {"name": "p"},\n'
        '  "stringData": {\n'
        '    "a": "heron-Reed-771",\n'
        '    "b": "heron-Reed-772",\n'
        "  },\n"
        "}\n"
    ),
    "json-pod": (
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","env":[{"name":"A","value":"heron-Reed-771"}],"args":["--x","heron-Reed-772"]}]}}\n'
    ),
    "unicode": (SECRET + ('stringData:\n  ключ: heron-Réed-771 # é\n  b: "h\\u00e9ron-772"\n')),
    "config": (
        "apiVersion: v1\n"
        "kind: ConfigMap\n"
        "metadata: {name: m}\n"
        "data: {A: heron-Reed-771, B: heron-Reed-772}\n"
        "---\n"
        + PODS
        + (
            "  - name: c\n"
            "    image: i\n"
            "    envFrom: [{configMapRef: {name: m}}, {configMapRef: {name: z}}] # x\n"
            "    env: [{name: Q, valueFrom: {configMapKeyRef: {name: m, key: A, optional: true}}}]\n"
            "  volumes:\n"
            "  - {name: v, configMap: {name: m, items: [{key: A, path: a}]}}\n"
            "  - name: w\n"
            "    projected:\n"
            "      sources:\n"
            "      - configMap: {name: m, items: [{key: B, path: b}]}\n"
        )
    ),
    "config-last-envfrom": (
        PODS
        + (
            "  - name: c\n"
            "    image: i\n"
            "    envFrom:\n"
            "      - configMapRef:\n"
            "          name: m # note\n"
            "\n"
            "---\n"
            "apiVersion: v1\n"
            "kind: ConfigMap\n"
            "metadata: {name: m}\n"
            "data:\n"
            "  # only\n"
            "  A: heron-Reed-771"
        )
    ),
    "config-json": (
        '{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"A":"heron-Reed-771"}},{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","envFrom":[{"configMapRef":{"name":"m"}}]}]}}]}'
    ),
}
"""Unusual ways of writing a manifest, each of which some parser or rewriter has stumbled over."""


@pytest.mark.parametrize("target", ["external-secrets", "secrets-store-csi", "akv2k8s"])
@pytest.mark.parametrize("name", ODD)
def test_unusual_ways_of_writing(name: str, target: str) -> None:
    """All places at once, and each alone: done or refused, and never a broken promise."""
    data = ODD[name].encode()
    sources = ", ".join(f"{{secretRef: {{name: {user}}}}}" for user in "pabq")
    reader = f"{PODS}  - {{name: c, image: i, envFrom: [{sources}]}}\n".encode()
    files = {"a.yaml": data, "use.yaml": reader}
    chosen = Settings(client_id="c", tenant_id="t", kubernetes_target=target)  # type: ignore[arg-type]
    every = []
    for slot in kubernetes.slots("a.yaml", data):
        if slot.targets and len(slot.value.reveal()) > 4:
            every.append(
                Assignment(slot, Reference(VAULT, f"s-{hashlib.sha256(slot.value.reveal()).hexdigest()[:12]}"))
            )
    assert every
    for assignments in (every, *([item] for item in every)):
        assert not check(kubernetes, files, assignments, settings=chosen).broken


# --- real manifests and real tools -----------------------------------------------------------------------------------

CREDENTIAL = re.compile(r"pass|secret|token|key|auth|uri|pwd|dsn", re.IGNORECASE)
USERINFO = re.compile(rb"://[^/\s:@]+:([^/\s:@$]+)@")


def repositories() -> list[Path]:
    return sorted(REAL.iterdir()) if REAL.is_dir() else []


def moves(path: str, data: bytes) -> list[Assignment]:
    """Everything that looks like a credential by its key, and passwords within texts that can be moved in part."""
    found: list[Assignment] = []
    for slot in slots_of(path, data):
        value = slot.value.reveal()
        match = USERINFO.search(value)
        part = Span(*match.span(1)) if match and slot.interpolates else None
        if slot.targets and (CREDENTIAL.search(slot.key) or part):
            digest = hashlib.sha256(value[part.start : part.end] if part else value).hexdigest()[:12]
            found.append(Assignment(slot, Reference(VAULT, f"s-{digest}"), part))
    return found


def slots_of(path: str, data: bytes) -> tuple[Slot, ...]:
    found = kubernetes.slots(path, data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal(), slot.pointer
    return found


@pytest.mark.skipif(not REAL.is_dir(), reason="the real deployment files, ../shared/devset, are not here")
@pytest.mark.parametrize("target", ["external-secrets", "secrets-store-csi", "akv2k8s"])
@pytest.mark.parametrize("folder", repositories(), ids=lambda folder: folder.name)
def test_real_manifests_keep_all_promises(folder: Path, target: str) -> None:
    every = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    files = {path: data for path, data in every.items() if kubernetes.claims(path, data[:4096])}
    assignments = [item for path, data in files.items() for item in moves(path, data)]
    chosen = Settings(client_id="c", tenant_id="t", kubernetes_target=target)  # type: ignore[arg-type]
    report = check(kubernetes, files, assignments, settings=chosen)
    assert not report.broken
    assert not report.unreadable
    assert not report.not_undoable


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_reads_what_is_written(tmp_path: Path) -> None:
    """Kustomize reads with a YAML parser of its own, and refuses objects without a name and of one name."""
    built = []
    for number, case in enumerate(sorted(CASES.iterdir())):
        if not (case / "out").is_dir():
            continue
        resources = set()
        for side in ("in", "out"):
            for file in sorted((case / side).rglob("*.y*ml")):
                path = file.relative_to(case / side)
                if path.stem == "kustomization" or (path.stem == "patch" and (case / "in" / "base").is_dir()):
                    continue  # one of our own is written below, without the patches
                if path.name == "secret-store.yaml" and any(item.endswith(f"/{path.name}") for item in resources):
                    continue  # for kustomizations that nobody applies together
                (tmp_path / case.name / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / case.name / path).write_bytes(file.read_bytes())
                resources.add(path.as_posix())
        text = f"nameSuffix: -c{number}\nresources: [{', '.join(sorted(resources))}]\n"
        (tmp_path / case.name / "kustomization.yaml").write_text(text)
        built.append(case.name)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{', '.join(built)}]\n")
    result = subprocess.run(["kubectl", "kustomize", str(tmp_path)], capture_output=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr.decode()[:2000]
    assert result.stdout.count(b"kind: ExternalSecret") > 20


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize(
    ("case", "folder"),
    [
        ("kustomization-above", "k8s"),
        ("kustomization-apart", "api"),
        ("kustomization-apart", "db"),
        ("kustomization-below", "dev"),
        ("kustomization-flow-crlf", ""),
        ("kustomization-lists", ""),
        ("kustomization-merges-references", "base"),
        ("kustomization-merges-references", "prod"),
        ("kustomization-prefix-of-others", "shop"),
    ],
)
def test_kustomize_builds_the_store_with_what_needs_it(case: str, folder: str, tmp_path: Path) -> None:
    for side in ("in", "out"):
        shutil.copytree(CASES / case / side, tmp_path, dirs_exist_ok=True)
    command = ["kubectl", "kustomize", str(tmp_path / folder)]
    result = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr.decode()[:2000]
    assert result.stdout.count(b"kind: SecretStore\nmetadata:") == 1
    assert b"kind: ExternalSecret" in result.stdout
