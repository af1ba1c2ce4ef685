"""Helm: what is claimed, which places there are, how values files of any style take references."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Refusal, Slot, Span, Unreadable, claimants, helm
from rewriters._encode import decode
from rewriters._helm_mask import masked
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
HELMFILE = b"releases:\n- name: one\n  chart: shop/one\n  values:\n  - values.yaml\n"


def slots(text: str | bytes, path: str = "values.yaml") -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    found = helm.slots(path, data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
    return {slot.pointer: slot for slot in found}


def move(
    files: dict[str, bytes], *places: tuple[str, str], names: tuple[str, ...] = (), part: Span | None = None
) -> Report:
    items = []
    for at, (path, pointer) in enumerate(places):
        slot = slots(files[path], path)[pointer]
        items.append(Assignment(slot, Reference(VAULT, names[at] if names else f"secret-{at}"), part))
    report = check(helm, files, items)
    assert not report.broken, report.broken
    assert not report.unproven, report.unproven
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["helm"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------

ACTIONS = b"metadata:\n  name: {{ .Release.Name }}\n"


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("values.yaml", b"a: 1\n"),
        ("chart/values-prod.yml", b"a: 1\n"),
        ("values.prod.yaml", b""),
        ("prod-values.yaml", b"a: 1\n"),
        ("values.yaml.gotmpl", b"a: {{ .Values.a }}\n"),
        ("values/prod.yaml", b"a: 1\n"),
        ("values.yaml", b"services:\n  web:\n    image: nginx\n"),
        ("helmfile.yaml", b"releases: []\n"),
        ("helmfile.yaml.gotmpl", b"releases: []\n"),
        ("helmfile.d/10-base.yaml", b"releases: []\n"),
        ("chart/templates/secret.yaml", b"apiVersion: v1\nkind: Secret\n" + ACTIONS),
    ],
)
def test_claims(path: str, head: bytes) -> None:
    assert [rewriter.NAME for rewriter in claimants(path, head)] == ["helm"]


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("values.json", b"{}"),
        ("values/deployment.yaml", b"apiVersion: v1\nkind: Pod\n"),
        ("values.yaml", b"apiVersion: v1\nkind: Secret\n"),
        ("chart/templates/static.yaml", b"apiVersion: v1\nkind: Secret\n"),
        ("templates/build.yml", b"steps:\n- script: ${{ parameters.run }}\n"),
        ("roles/db/templates/my.yml", b"password: {{ db_password }}\n"),
        ("chart/templates/_helpers.tpl", b'{{ define "a" }}{{ end }}'),
        ("chart/Chart.yaml", b"apiVersion: v2\nname: a\n"),
        ("compose-values.yaml", b"services:\n  web:\n    image: nginx\n"),
        ("myvalues.yaml", b"a: 1\n"),
    ],
)
def test_leaves_other_files_alone(path: str, head: bytes) -> None:
    assert not helm.claims(path, head)


# --- masking ----------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *("{{ .Values.a }}", "{{- if .b -}}", '{{ "}}" }}', "{{ `a\nb}}` }}", "{{/* it's {{ a }} comment */}}"),
        *("{{- end }}", "a: b", "\n", "\r\n", "  ", "- ", "# é", "\ufeff", "}}", "x"),
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_a_mask_is_as_long_as_the_text(text: str) -> None:
    data = text.encode()
    mask = masked(data)
    assert len(mask.data) == len(data)
    assert b"{{" not in mask.data
    assert [at for at, byte in enumerate(data) if byte == 10] == [at for at, byte in enumerate(mask.data) if byte == 10]
    at = 0
    for span in mask.actions:
        assert mask.data[at : span.start] == data[at : span.start]
        assert data[span.start : span.start + 2] == b"{{" and data[span.end - 2 : span.end] == b"}}"
        assert mask.touches(span)
        at = span.end
    assert mask.data[at:] == data[at:]


def test_an_action_without_an_end_is_unreadable() -> None:
    for text in ("a: {{ .b", 'a: {{ "b }}', "a: {{ {{ b }}", "{{/* a }}"):
        with pytest.raises(Unreadable):
            masked(text.encode())


def test_many_open_actions_take_no_time() -> None:
    with pytest.raises(Unreadable):
        masked(b'{{ "' * 500_000)
    masked(b"{{ . }}\n" * 50_000)


# --- slots ------------------------------------------------------------------------------------------------------------


def test_places_of_values() -> None:
    found = slots(
        "a: {b: [x, y]}\nenv:\n- name: TOKEN\n  value: t\nargs: [--password, p]\nempty: ''\nflag: true\n"
        'dotted.key: v\nurl: "{{ .Release.Name }}"\n'
    )
    assert list(found) == [
        "a.b.0", "a.b.1", "env.TOKEN.name", "env.TOKEN.value", "args.0", "args.1", "empty", '"dotted.key"', "url",
    ]  # fmt: skip
    assert (found["env.TOKEN.value"].key, found["env.TOKEN.value"].place) == ("TOKEN", "env")
    assert (found["args.1"].key, found["args.1"].place) == ("password", "arg")
    assert found["url"].reason and not found["url"].targets


def test_keys_that_stand_twice_stay_apart_and_are_refused() -> None:
    files = {"values.yaml": b"a: Xw5Tq8Lz\na: Rk2Yv7Np\n", "helmfile.yaml": HELMFILE}
    report = move(files, ("values.yaml", "a"), ("values.yaml", "a#2"))
    assert [refusal.pointer for refusal in refusals(report)] == ["a", "a#2"]


@pytest.mark.parametrize("text", ["a: [", "a: \t- b\n c", "{{ a }}: b", "a: *b"])
def test_broken_values_are_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        helm.slots("values.yaml", text.encode())


def test_bounds() -> None:
    with pytest.raises(Unreadable):
        helm.slots("values.yaml", b"a: " + b"[" * 10_000)
    laughs = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    text = "password: Xw5Tq8Lz\n" + laughs
    assert "password" in slots(text)
    helm.effective({"values.yaml": text.encode()}, lambda reference: slots(text)["password"].value)
    wide = "m: &m {" + ", ".join(f"k{n}: v" for n in range(2000)) + "}\nl: [" + ", ".join(["*m"] * 2000) + "]\n"
    assert len(slots(wide)) == 2000


# --- rewriting --------------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[],&*!|>%@`-?~$é🔑\n", min_size=1, max_size=24).filter(
    lambda text: text.strip()
)
STYLES = (None, "'", '"', "|", ">")


def dumped(value: str, style: str | None, flow: bool) -> str:
    """The value as PyYAML writes it, among others."""
    tree = {"before": 1, "auth": {"user": "app", "password": value, "list": ["a", value + "b"]}, "after": "yes"}

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style if text == value else None)

    Dumper.add_representer(str, represent)
    return str(yaml.dump(tree, Dumper=Dumper, allow_unicode=True, width=60, sort_keys=False, default_flow_style=flow))


@given(TEXTS, st.sampled_from(STYLES), st.booleans(), st.booleans(), st.booleans())
def test_values_of_any_style_become_references(
    value: str, style: str | None, flow: bool, crlf: bool, bom: bool
) -> None:
    value = f"S3cr{value}"
    text = dumped(value, style, flow)
    data = b"\xef\xbb\xbf" * bom + (text.replace("\n", "\r\n") if crlf else text).encode()
    assert slots(data)["auth.password"].value.reveal().decode() == value
    report = move({"values.yaml": data, "helmfile.yaml": HELMFILE}, ("values.yaml", "auth.password"))
    if "{{" in value:
        assert refusals(report)
        return
    assert not refusals(report)
    after = yaml.safe_load(report.after["values.yaml"])
    assert after["auth"].pop("password") == "ref+azurekeyvault://shop/secret-0"
    before = yaml.safe_load(text)
    before["auth"].pop("password")
    assert after == before


@given(st.text(alphabet="aZ9:/@ -_.é", max_size=8), st.sampled_from(STYLES[:3]), st.text("b9-", max_size=4))
def test_parts_of_a_text_become_references(before: str, style: str | None, after: str) -> None:
    text = f"S{before}qX7vTr29{after}"
    data = dumped(text, style, False).encode()
    at = text.encode().index(b"qX7vTr29")
    files = {"values.yaml": data, "helmfile.yaml": HELMFILE}
    report = move(files, ("values.yaml", "auth.password"), part=Span(at, at + 8))
    assert not refusals(report)
    now = yaml.safe_load(report.after["values.yaml"])["auth"]["password"]
    assert now == f"S{before}ref+azurekeyvault://shop/secret-0+{after}"


@pytest.mark.parametrize("text", ["123", "0x1f", "yes", "1.5", "2024-01-01", "1:30", "!!int 12", "null", ".5", "1e3"])
def test_what_is_no_text_stays(text: str) -> None:
    files = {"values.yaml": f"a: {text}\nb: c\n".encode(), "helmfile.yaml": HELMFILE}
    if "a" in slots(files["values.yaml"]):
        assert refusals(move(files, ("values.yaml", "a")))


@pytest.mark.parametrize(
    ("url", "vault"),
    [
        ("https://shop.vault.azure.net", "shop"),
        ("https://shop.vault.azure.cn", "shop.vault.azure.cn"),
        ("https://shop.vault.usgovcloudapi.net", "shop.vault.usgovcloudapi.net"),
    ],
)
def test_vaults_of_other_clouds_are_named_in_full(url: str, vault: str) -> None:
    files = {"values.yaml": b"a: Xw5Tq8Lz\n", "helmfile.yaml": HELMFILE}
    item = Assignment(slots(files["values.yaml"])["a"], Reference(url, "n", "0123456789abcdef0123456789abcdef"))
    report = check(helm, files, [item])
    assert not report.broken
    assert report.after["values.yaml"].decode() == (
        f"a: ref+azurekeyvault://{vault}/n/0123456789abcdef0123456789abcdef\n"
    )


def test_more_parts_than_vals_looks_up_are_refused() -> None:
    text = " ".join(f"qX7vTr{n:02}" for n in range(12))
    files = {"values.yaml": json.dumps({"a": text}).encode(), "helmfile.yaml": HELMFILE}
    slot = slots(files["values.yaml"])["a"]
    items = [Assignment(slot, Reference(VAULT, f"s-{n}"), Span(n * 9, n * 9 + 8)) for n in range(12)]
    report = check(helm, files, items)
    assert not report.broken and len(refusals(report)) == 12


@pytest.mark.parametrize(
    ("named", "path", "taken"),
    [
        ("values/{{ .Environment.Name }}.yaml", "values/prod.yaml", True),
        ("values/*.yaml", "values/prod.yaml", True),
        ("./values/prod.yaml", "values/prod.yaml", True),
        ("../values/prod.yaml", "values/prod.yaml", False),
        ("values/dev.yaml", "values/prod.yaml", False),
        ("git::https://example.com/a.git@values/prod.yaml?ref=main", "values/prod.yaml", False),
    ],
)
def test_who_names_a_file(named: str, path: str, taken: bool) -> None:
    helmfile = f"releases:\n- name: one\n  chart: shop/one\n  values:\n  - {named}\n".encode()
    report = move({path: b"a: Xw5Tq8Lz\n", "helmfile.yaml": helmfile}, (path, "a"))
    assert (not refusals(report)) is taken


# --- existing Secrets -------------------------------------------------------------------------------------------------

GUARDS = st.sampled_from(
    [
        "if not .Values.auth.existingSecret",
        "if (not .Values.auth.existingSecret)",
        "- if and (not .Values.auth.existingSecret) .Values.enabled -",
        "- if empty $.Values.auth.existingSecret",
        'if eq .Values.auth.existingSecret ""',
        'if include "makes" .',
        "if .Values.auth.existingSecret }}{{ else",
        "if not (or .Values.auth.existingSecret .Values.other)",
    ]
)
NAMES = st.sampled_from(
    [
        '{{ .Values.auth.existingSecret | default "own" }}',
        '"{{ default "own" .Values.auth.existingSecret }}"',
        '{{ coalesce .Values.auth.existingSecret .Values.other "own" | quote }}',
        "{{ if .Values.auth.existingSecret }}{{ .Values.auth.existingSecret }}{{ else }}own{{ end }}",
        '{{ include "name" . }}',
        '{{ tpl (include "name" .) $ }}',
    ]
)
ENTRIES = st.sampled_from(
    [
        ("data", "{{ .Values.auth.password | b64enc }}"),
        ("data", '{{ required "x" .Values.auth.password | b64enc | quote }}'),
        ("data", '"{{ b64enc .Values.auth.password }}"'),
        ("data", '{{ include "password" . | b64enc }}'),
        ("stringData", "{{ .Values.auth.password | quote }}"),
        ("stringData", '{{ default "none" .Values.auth.password }}'),
    ]
)
HELPERS = b"""{{- define "makes" -}}{{- if not .Values.auth.existingSecret -}}true{{- end -}}{{- end -}}
{{- define "name" -}}
{{- if .Values.auth.existingSecret -}}
  {{- .Values.auth.existingSecret -}}
{{- else -}}
  own
{{- end -}}
{{- end -}}
{{/* of the values */}}
{{ define "password" }}{{ .Values.auth.password }}{{ end }}
"""
SECRET = """{{%s}}
apiVersion: v1
kind: Secret
metadata:
  name: own
%s:
  pw: %s
{{end}}
"""
POD = """apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}
spec:
  containers:
  - env:
    - name: PASSWORD
      valueFrom:
        secretKeyRef:
          name: %s
          key: %s
    %s
"""


def chart(
    guard: str, name: str, entry: tuple[str, str], values: bytes, key: str = "pw", more: str = ""
) -> dict[str, bytes]:
    return {
        "one/Chart.yaml": b"name: one\n",
        "one/values.yaml": values,
        "one/templates/_helpers.tpl": HELPERS,
        "one/templates/secret.yaml": (SECRET % (guard, *entry)).encode(),
        "one/templates/pod.yaml": (POD % (name, key, more)).encode(),
    }


@given(GUARDS, NAMES, ENTRIES, TEXTS, st.sampled_from(STYLES), st.booleans())
def test_charts_that_prove_an_existing_secret(
    guard: str, name: str, entry: tuple[str, str], value: str, style: str | None, there: bool
) -> None:
    value = f"S3cr{value}".replace("{{", "")
    text = dumped(value, style, False).replace("before: 1", "enabled: true")
    data = (text.replace("  user: app", "  user: app\n  existingSecret: ''") if there else text).encode()
    report = move(chart(guard, name, entry, data), ("one/values.yaml", "auth.password"))
    assert not refusals(report)
    after = yaml.safe_load(report.after["one/values.yaml"])
    assert (after["auth"].pop("password"), after["auth"].pop("existingSecret")) == ("", "one-keyvault")
    made = list(yaml.safe_load_all(report.after["one/one-keyvault.yaml"]))
    assert [each["kind"] for each in made] == ["SecretStore", "ExternalSecret"]
    assert made[1]["spec"]["data"] == [{"secretKey": "pw", "remoteRef": {"key": "secret-0"}}]
    before = yaml.safe_load(text)
    del before["auth"]["password"]
    assert after == before


GOOD = (
    "if not .Values.auth.existingSecret",
    '{{ include "name" . }}',
    ("data", "{{ .Values.auth.password | b64enc }}"),
)
DATA = b"auth:\n  password: Xw5Tq8Lz\n  existingSecret: ''\nalways: true\n"


@pytest.mark.parametrize(
    ("guard", "name", "entry", "key", "more"),
    [
        (*GOOD, "pw", "- {name: COPY, value: '{{ .Values.auth.password }}'}"),
        (*GOOD, "pw", "- {name: HASH, value: '{{ .Values.auth | toJson | sha256sum }}'}"),
        (*GOOD, "pw", "- {name: ALL, value: '{{ toJson .Values }}'}"),
        (*GOOD, "{{ .Values.key }}", ""),
        ("if .Values.enabled", *GOOD[1:], "pw", ""),
        ("if or (not .Values.auth.existingSecret) .Values.always", *GOOD[1:], "pw", ""),
        (GOOD[0], "own", GOOD[2], "pw", ""),
        (GOOD[0], "{{ .Values.other }}", GOOD[2], "pw", ""),
        (*GOOD[:2], ("data", "{{ .Values.auth.password }}"), "pw", ""),
        (*GOOD[:2], ("data", '{{ .Values.auth.password | trimSuffix "z" | b64enc }}'), "pw", ""),
        (*GOOD[:2], ("stringData", "{{ .Values.auth.password | b64enc }}"), "pw", ""),
    ],
)
def test_charts_that_prove_nothing(guard: str, name: str, entry: tuple[str, str], key: str, more: str) -> None:
    assert refusals(move(chart(guard, name, entry, DATA, key, more), ("one/values.yaml", "auth.password")))


@pytest.mark.slow
def test_a_chart_of_hostile_templates_takes_no_time() -> None:
    deep = "".join(f'{{{{ define "d{n}" }}}}' + f'{{{{ include "d{n + 1}" . }}}}' * 30 + "{{ end }}" for n in range(30))
    guard = 'if include "d0" .'
    files = chart(guard, '{{ include "d0" . }}', GOOD[2], DATA)
    files["one/templates/_helpers.tpl"] += deep.encode()
    files["one/templates/many.yaml"] = b"a: {{ .Values.auth.password }}\n" * 30_000
    files["one/templates/ifs.yaml"] = b"{{ if (((( .Values.auth.existingSecret )))) }}" * 90 + b"{{ end }}" * 90
    assert refusals(move(files, ("one/values.yaml", "auth.password")))
