"""OpenShift templates: what is claimed, which places there are, and generated templates with all promises."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Settings, Slot, Unreadable, claimants, kubernetes, openshift
from rewriters._encode import decode
from rewriters.check import check

ROOT = Path(__file__).parents[2]
VAULT = "https://shop.vault.azure.net"
WORDS = "".join(file.read_text("utf-8") for file in sorted((ROOT / "fixtures/openshift").glob("*/out/**/*.*")))


@pytest.mark.parametrize(
    ("path", "head", "mine"),
    [
        ("a.yaml", b"apiVersion: template.openshift.io/v1\nkind: Template\n", "openshift"),
        ("a.yml", b"\xef\xbb\xbf---\r\nkind: 'Template'  # x\r\napiVersion: v1\r\n", "openshift"),
        ("a.yaml", b"{apiVersion: v1, kind: Template}", "openshift"),
        ("a.json", b'{\n\t"kind": "Template",\n\t"apiVersion": "v1"\n}', "openshift"),
        ("templates/a.yaml", b"apiVersion: v1\nkind: Template\nx: ${{REPLICAS}}\n", "openshift"),
        ("a.yaml", b"apiVersion: v1\nkind: TemplateList\n", "kubernetes"),
        ("a.yaml", b"apiVersion: build.openshift.io/v1\nkind: BuildConfig\n", "kubernetes"),
        ("a.json", b'{"apiVersion": "v1", "kind": "List", "items": []}', "kubernetes"),
        ("a.yaml", b"apiVersion: other.example/v1\nkind: Template\n", "kubernetes"),
        ("a.json", b'{"$schema": "x", "apiVersion": "v1", "kind": "Template"}', ""),
        ("a.json", b'{"resources": [{"apiVersion": "v1", "kind": "Template"}]}', ""),
        ("a.json", b'[{"apiVersion": "v1", "kind": "Template"}]', ""),
        ("a.json", b'{"apiVersion": "2021-10-01", "kind": "x"}', ""),
        ("a.json", b'{"apiVersion": {"type": "string"}, "kind": {"enum": ["v1"]}}', ""),
        ("a.txt", b"apiVersion: template.openshift.io/v1\nkind: Template\n", ""),
        ("t.yaml", b"apiVersion: v1\nkind: Template\nmetadata:\n  name: {{ .Release.Name }}\n", ""),
    ],
)
def test_claims(path: str, head: bytes, mine: str) -> None:
    found = {rewriter.NAME for rewriter in claimants(path, head)} & {"kubernetes", "openshift"}
    assert found == ({mine} if mine else set())


def test_no_file_of_a_case_is_of_two_platforms() -> None:
    for file in sorted((ROOT / "fixtures").rglob("*")):
        if file.is_file():
            head = file.read_bytes()[:4096]
            found = [rewriter.NAME for rewriter in claimants(file.name, head)]
            assert not ({"kubernetes", "openshift"} & set(found)) or len(found) == 1, file


def slots(data: bytes, path: str = "a.yaml") -> dict[str, Slot]:
    found = openshift.slots(path, data)
    for slot in found:
        assert slot.platform == "openshift"
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
        assert bool(slot.targets) is not bool(slot.reason)
    assert len({slot.pointer for slot in found}) == len(found)
    return {slot.pointer: slot for slot in found}


def test_places_of_a_template() -> None:
    data = (ROOT / "fixtures/openshift/refused/in/shop.yaml").read_bytes()
    found = slots(data)
    assert found["Template/shop.parameters.DB_PASSWORD.value"].place == "env"
    assert found["Template/shop.parameters.DB_PASSWORD.value"].key == "DB_PASSWORD"
    assert not found["Secret/api.data.key"].targets
    assert "Template/shop.parameters.DB_PASSWORD.generate" not in found
    assert not [name for name in found if name.startswith("Template/shop.objects")]


def test_what_stands_beside_a_template_goes_with_it() -> None:
    data = (
        b"apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: t}\nobjects: []\n---\n"
        b"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: heron-Reed-771}\n"
    )
    assert slots(data)["Secret/s.stringData.key"].targets
    assert not kubernetes.claims("a.yaml", data)


def test_a_template_within_a_list_is_read() -> None:
    item = (
        b"- apiVersion: v1\n  kind: Template\n  metadata: {name: t}\n  parameters: [{name: A, value: heron-Reed-771}]\n"
    )
    found = kubernetes.slots("a.yaml", b"apiVersion: v1\nkind: List\nitems:\n" + item)
    assert [slot.targets for slot in found if slot.key == "A"] == [("fetch-script",)]


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("a.yaml", b"apiVersion: v1\nkind: Template\nobjects: [\n", "broken YAML"),
        ("a.json", b'{"apiVersion": "v1", "kind": "Template",', "broken JSON"),
        ("a.yaml", b"apiVersion: v1\nkind: Template\n\xff", "not UTF-8"),
        ("a.json", b'{"apiVersion": "v1", "kind": "Template", "a": ' + b"[" * 5000, "nested too deep"),
    ],
)
def test_what_cannot_be_read_is_said(path: str, data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        openshift.slots(path, data)
    assert not openshift.effective({path: data}, lookup({}))


def lookup(values: Mapping[str, bytes]):  # type: ignore[no-untyped-def]
    def read(reference: Reference) -> Plaintext:
        return Plaintext(values[reference.name])

    return read


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("${A}", "1"),
        ("x${A}-${B}", "x1-${A}"),
        ("${{A}}", "1"),
        ("x${{A}}", "x${{A}}"),
        ("${NONE} ${A} ${A}", "${NONE} 1 1"),
        ("$A $(A) $${A}", "$A $(A) $1"),
    ],
)
def test_texts_are_put_in_as_oc_does_it(text: str, made: str) -> None:
    template = {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {"name": "t"},
        "objects": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s${A}"}, "stringData": {"key": text}},
        ],
        "parameters": [{"name": "A", "value": "1"}, {"name": "B", "value": "${A}"}],
    }
    files = {"t.json": json.dumps(template).encode()}
    found = {item.address.subject: item.value.reveal() for item in openshift.effective(files, lookup({}))}
    assert found["t.json#Secret/s1"] == made.encode()


def test_hostile_parameters_cost_no_more_than_their_text() -> None:
    uses = ", ".join(["'${A}${A}${A}${A}${A}${A}${A}${A}'"] * 1000)
    data = (
        f"apiVersion: v1\nkind: Template\nmetadata: {{name: t}}\nparameters: [{{name: A, value: {'x' * 200_000}}}]\n"
        f"objects: [{{kind: X, apiVersion: v1, a: &a [{uses}], b: [*a, *a], c: *a}}]\n"
    ).encode()
    slots(data)
    openshift.effective({"a.yaml": data}, lookup({}))


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


def stands_anyway(text: str) -> bool:
    """Whether a value may well stand in the text that is put in its place: one letter, or a word of a manifest."""
    return len(text) < 8 or text in WORDS


@settings(max_examples=50)
@given(
    values=st.lists(TEXT, min_size=3, max_size=3),
    style=st.sampled_from(("single", "double")),
    step=st.sampled_from((2, 4)),
    dash=st.booleans(),
    crlf=st.booleans(),
    bom=st.booleans(),
    ending=st.booleans(),
    first=st.booleans(),
    moved=st.sets(st.integers(0, 2), min_size=1),
    target=st.sampled_from(("external-secrets", "akv2k8s")),
)
def test_generated_templates_keep_all_promises(
    values: list[str],
    style: str,
    step: int,
    dash: bool,
    crlf: bool,
    bom: bool,
    ending: bool,
    first: bool,
    moved: set[int],
    target: str,
) -> None:
    pad, item = " " * step, " " * (step if dash else 0)
    parameter = [f"{item}- name: P # é", f"{item}  value: {quoted(values[0], style)} # one", f"{item}  displayName: x"]
    if first:
        parameter = [f"{item}- value: {quoted(values[0], style)}", f"{item}  name: P", f"{item}  required: false"]
    secret = [
        f"{item}# a comment",
        f"{item}- apiVersion: v1",
        f"{item}  kind: Secret",
        f"{item}  metadata:",
        f"{item}  {pad}name: ${{N}}-s",
        f"{item}  stringData:",
        f"{item}  {pad}key: {quoted(values[1], style)}",
        f"{item}  {pad}other: ${{P}}",
    ]
    pod = [
        f"{item}- apiVersion: v1",
        f"{item}  kind: Pod",
        f"{item}  metadata: {{name: m}}",
        f"{item}  spec:",
        f"{item}  {pad}containers:",
        f"{item}  {pad}- name: c",
        f"{item}  {pad}  image: i",
        f"{item}  {pad}  env:",
        f"{item}  {pad}  - name: V",
        f"{item}  {pad}    value: {quoted(values[2], style)}",
    ]
    head = ["kind: Template", "apiVersion: template.openshift.io/v1", "metadata: {name: t}"]
    parts = [["parameters:", *parameter], ["objects: # all of them", *secret, *pod]]
    body = [line for part in (parts if first else reversed(parts)) for line in part]
    text = ("\r\n" if crlf else "\n").join([*head, *body]) + (("\r\n" if crlf else "\n") if ending else "")
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    pointers = (
        "Template/t.parameters.P.value",
        '"Secret/${N}-s".stringData.key',
        "Pod/m.spec.containers.c.env.V.value",
    )
    found = slots(data)
    assignments = []
    for number in sorted(moved):
        slot = found[pointers[number]]
        digest = hashlib.sha256(slot.value.reveal()).hexdigest()[:12]
        assignments.append(Assignment(slot, Reference(VAULT, f"s-{digest}")))
    chosen = Settings(kubernetes_target=target)  # type: ignore[arg-type]
    report = check(openshift, {"a.yaml": data}, assignments, settings=chosen)
    short = any(stands_anyway(values[number]) for number in moved)
    assert not [item for item in report.broken if not (short and item.promise == "gone")]


@settings(max_examples=30)
@given(
    values=st.lists(TEXT, min_size=3, max_size=3),
    indent=st.sampled_from((None, 2, 4, "\t")),
    ascii_only=st.booleans(),
    kind=st.sampled_from(("Template", "List", "Secret")),
)
def test_generated_json_keeps_all_promises(
    values: list[str], indent: int | str | None, ascii_only: bool, kind: str
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": values[0]}}
    container = {"name": "c", "image": "i", "env": [{"name": "V", "value": values[1]}, {"name": "W", "value": "x"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    document: dict[str, object] = secret
    if kind == "List":
        document = {"apiVersion": "v1", "kind": "List", "items": [secret, pod]}
    if kind == "Template":
        parameters = [{"name": "P", "description": "é", "value": values[2]}]
        document = {"kind": "Template", "apiVersion": "v1", "objects": [pod, secret], "parameters": parameters}
    rewriter = openshift if kind == "Template" else kubernetes
    data = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    found = [slot for slot in rewriter.slots("a.json", data) if slot.targets and slot.key in ("key", "V", "P")]
    assert rewriter.claims("a.json", data[:4096])
    assignments = []
    for slot in found:
        digest = hashlib.sha256(slot.value.reveal()).hexdigest()[:12]
        assignments.append(Assignment(slot, Reference(VAULT, f"s-{digest}")))
    report = check(rewriter, {"a.json": data}, assignments)
    short = any(map(stands_anyway, values))
    assert not [item for item in report.broken if not (short and item.promise == "gone")]
    assert not report.refused or any("$" in value for value in values)
    for path, after in report.after.items():
        if path.endswith(".json"):
            json.loads(after.decode())
