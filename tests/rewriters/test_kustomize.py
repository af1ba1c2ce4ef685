"""Kustomizations: literals of generators as places, what generators make, and generated kustomizations."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Settings, Slot, Span, Unreadable, claimants, kubernetes
from rewriters._encode import decode
from rewriters._k8s_generators import literal
from rewriters.check import Report, check, check_together

CASES = Path(__file__).parents[2] / "fixtures" / "kubernetes"
VAULT = "https://shop.vault.azure.net"
WORDS = "".join(file.read_text("utf-8") for file in sorted(CASES.glob("*/out/**/*.*")))
NAME = "kustomization.yaml"
POD = ("apiVersion: v1", "kind: Pod", "metadata: {name: p}", "spec:", "  containers:", "  - name: c", "    image: i")


def slots(data: bytes) -> dict[str, Slot]:
    found = kubernetes.slots(NAME, data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
        assert bool(slot.targets) is not bool(slot.reason)
    return {slot.pointer: slot for slot in found}


@pytest.mark.parametrize(
    ("path", "data", "mine"),
    [
        ("kustomization.yaml", b"resources: []\n", True),
        ("a/kustomization.yml", b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Component\n", True),
        ("a/Kustomization", b"secretGenerator: []\n", True),
        ("kustomization.json", b"{}", False),
        ("kustomization.yaml", b"resources:\n{{ range .Values.all }}\n", False),
    ],
)
def test_claims(path: str, data: bytes, mine: bool) -> None:
    assert kubernetes.claims(path, data) is mine


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("a=b", "a", "b"),
        ("a=b=c", "a", "b=c"),
        ('a="b"', "a", "b"),
        ("a='b'", "a", "b"),
        ("a='b", "a", "'b"),
        ('a="', "a", '"'),
        ("é=é ", "é", "é "),
        ("a=", "a", ""),
    ],
)
def test_a_literal_is_taken_apart_as_kustomize_does_it(text: str, key: str, value: str) -> None:
    found = literal(text)
    assert found is not None
    assert (found[0], text.encode()[found[1].start : found[1].end].decode()) == (key, value)


def test_what_is_no_literal() -> None:
    assert literal("a") is None
    assert literal("=a") is None
    assert literal("a=") == ("a", Span(2, 2))


def test_places() -> None:
    data = (
        b"resources: ['https://user:heron-Reed-771@git.example/a', b.yaml]\n"
        b"secretGenerator:\n- name: s\n  type: Opaque\n  files: [a.txt]\n"
        b"  literals: ['k=\"v''w\"', 'k2=plover', empty=]\n"
        b"configMapGenerator: [{name: c, literals: [a=b]}]\n"
        b"patches:\n- {path: p.yaml}\n- target: {kind: X}\n  patch: |-\n    a: 1\n    b: 2\n"
        b"commonAnnotations: {note: text}\n"
    )
    found = slots(data)
    assert {pointer: slot.value for pointer, slot in found.items() if slot.targets} == {
        "secretGenerator.s.literals.k": Plaintext(b"v'w"),
        "secretGenerator.s.literals.k2": Plaintext(b"plover"),
    }
    assert set(found) - {pointer for pointer, slot in found.items() if slot.targets} == {
        "resources.0",
        "secretGenerator.s.files.0",
        "configMapGenerator.c.literals.a",
        "patches.1.patch",
        "commonAnnotations.note",
    }


def test_an_object_of_another_api_under_this_name_is_read_as_one() -> None:
    data = b"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec: {path: ./b}\n"
    assert "Kustomization/a.spec.path" in slots(data)


def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(Unreadable, match="broken YAML"):
        kubernetes.slots(NAME, b"secretGenerator: [\n")
    assert not kubernetes.slots(NAME, b"secretGenerator: x\n---\nb: c\n")
    assert not kubernetes.effective({NAME: b"secretGenerator: [\n"}, lambda _: Plaintext(b""))


def test_a_generator_makes_what_its_sources_say() -> None:
    files = {
        "k/" + NAME: b"secretGenerator:\n- {name: s, envs: [e/x.env], literals: [b='2'], files: [c=c.txt, d.txt]}\n",
        "k/e/x.env": b"\xef\xbb\xbf# no\n  A=1 = 1\r\nEMPTY\n",
        "k/c.txt": b"three",
    }
    found = {item.address.name: item.value.reveal() for item in kubernetes.effective(files, lambda _: Plaintext(b""))}
    assert found == {"A": b"1 = 1", "EMPTY": b"", "b": b"2", "c": b"three", "d.txt": b"(file d.txt)"}


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff\x85"),
    min_size=1,
    max_size=40,
)


def quoted(text: str, style: str) -> str:
    return "'" + text.replace("'", "''") + "'" if style == "single" else json.dumps(text, ensure_ascii=False)


def stands_anyway(text: str) -> bool:
    """Whether a value may well stand in the text that is put in its place: one letter, or a word of a manifest."""
    return len(text) < 8 or text in WORDS


@settings(max_examples=60)
@given(
    values=st.lists(TEXT, min_size=4, max_size=4),
    style=st.sampled_from(("single", "double")),
    dash=st.booleans(),
    crlf=st.booleans(),
    bom=st.booleans(),
    ending=st.booleans(),
    flow=st.booleans(),
    listed=st.sampled_from(("first", "last", "none", "empty")),
    options=st.sampled_from(("", "disableNameSuffixHash: false", "labels: {a: b}")),
    moved=st.sets(st.integers(0, 3), min_size=1),
    target=st.sampled_from(("external-secrets", "akv2k8s")),
)
def test_generated_kustomizations_keep_all_promises(
    values: list[str],
    style: str,
    dash: bool,
    crlf: bool,
    bom: bool,
    ending: bool,
    flow: bool,
    listed: str,
    options: str,
    moved: set[int],
    target: str,
) -> None:
    pad = "  " if dash else ""
    literals = [quoted(f"KEY{number}={text}", style) for number, text in enumerate(values)]
    if flow:
        one = f"{pad}- {{name: one, literals: [{', '.join(literals[:2])}]}}"
        first = [one]
    else:
        first = [f"{pad}- name: one # é", f"{pad}  literals:"]
        first += [f"{pad}  {pad}- {text} # é" for text in literals[:2]]
    second = [f"{pad}- literals:", *(f"{pad}  - {text}" for text in literals[2:]), f"{pad}  name: two"]
    if options:
        second += [f"{pad}  options:", f"{pad}    {options}"]
    generator = ["secretGenerator:", *first, *second]
    resources = {"first": ["resources:", f"{pad}- a.yaml"], "empty": ["resources: []"]}.get(listed, [])
    body = [*resources, *generator]
    if listed == "last":
        body = [*generator, "resources:", f"{pad}- 'a.yaml'"]
    text = ("\r\n" if crlf else "\n").join(body) + (("\r\n" if crlf else "\n") if ending else "")
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    found = sorted((slot for slot in kubernetes.slots(NAME, data) if slot.targets), key=lambda slot: slot.key)
    assignments = []
    for slot in found:
        if int(slot.key[3:]) in moved:
            digest = hashlib.sha256(slot.value.reveal()).hexdigest()[:12]
            assignments.append(Assignment(slot, Reference(VAULT, f"s-{digest}")))
    chosen = Settings(kubernetes_target=target)  # type: ignore[arg-type]
    report = check(kubernetes, {NAME: data}, assignments, settings=chosen)
    short = any(map(stands_anyway, values))
    assert not [item for item in report.broken if not (short and item.promise == "gone")]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize(
    ("case", "folder"),
    [
        ("generator-literals", ""),
        ("generator-some-literals", "base"),
        ("generator-crlf-bom", ""),
        ("generator-akv", "k8s"),
    ],
)
def test_kustomize_builds_what_replaces_a_generator(case: str, folder: str, tmp_path: Path) -> None:
    for side in ("in", "out"):
        shutil.copytree(CASES / case / side, tmp_path, dirs_exist_ok=True)
    command = ["kubectl", "kustomize", str(tmp_path / folder)]
    result = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr.decode()[:2000]
    assert b"kind: AzureKeyVaultSecret" in result.stdout or b"kind: ExternalSecret" in result.stdout


def together(files: dict[str, bytes], names: dict[str, str], target: str = "external-secrets") -> Report:
    """Everything that moves, of all platforms, with the promises of all of them."""
    found = [
        slot
        for path, data in files.items()
        for rewriter in claimants(path, data)
        for slot in rewriter.slots(path, data)
    ]
    moves = [Assignment(slot, Reference(VAULT, names[slot.key])) for slot in found if slot.key in names]
    chosen = Settings(kubernetes_target=target)  # type: ignore[arg-type]
    return check_together(files, moves, settings=chosen)


@pytest.mark.parametrize("target", ["external-secrets", "akv2k8s"])
def test_variables_of_files_leave_them_when_an_operator_fills_the_secret(target: str) -> None:
    files = {
        "k/"
        + NAME: b"resources: [pod.yaml]\nsecretGenerator:\n- name: s\n  envs: [a.env, b.env]\n  literals: [C=three]\n",
        "k/a.env": b"A=plover-Marsh-9\n",
        "k/b.env": b"B=heron-Reed-771\r\nLEVEL=info",
        "k/pod.yaml": "\n".join((*POD, "    envFrom: [{secretRef: {name: s}}]", "")).encode(),
    }
    report = together(files, {"A": "a", "B": "b"}, target)
    assert not report.broken
    assert not report.refused
    assert report.after["k/a.env"] == b"# A comes from the vault (secret a)\n"
    assert report.after["k/b.env"] == b"# B comes from the vault (secret b)\r\nLEVEL=info"
    assert b"disableNameSuffixHash: true" in report.after["k/" + NAME]
    report = together(files, {"A": "a", "B": "b", "C": "c", "LEVEL": "level"}, target)
    assert not report.broken
    assert not report.refused
    assert b"secretGenerator" not in report.after["k/" + NAME]


def test_a_file_of_several_generators_loses_a_variable_for_all_or_for_none() -> None:
    files = {
        "k/" + NAME: b"secretGenerator:\n- name: s\n  envs: [a.env]\n- name: t\n  immutable: true\n  envs: [a.env]\n",
        "k/a.env": b"A=plover-Marsh-9\n",
    }
    report = together(files, {"A": "a"})
    assert not report.broken
    assert not report.refused
    files["k/" + NAME] += b"- name: u\n  behavior: merge\n  envs: [a.env]\n"
    report = together(files, {"A": "a"})
    assert not report.broken
    assert report.refused
    assert report.after == files


def test_what_the_driver_cannot_make_stays_in_the_file() -> None:
    files = {"k/" + NAME: b"secretGenerator: [{name: s, envs: [a.env]}]\n", "k/a.env": b"A=plover-Marsh-9\n"}
    report = together(files, {"A": "a"}, "secrets-store-csi")
    assert not report.broken
    assert report.after == files
    assert "no pod" in report.rewrites["dotenv"].refusals[0].reason


LINE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff\x85"),
    max_size=30,
)


@settings(max_examples=25)
@given(
    values=st.lists(LINE, min_size=3, max_size=3),
    moved=st.sets(st.integers(0, 3), min_size=1),
    crlf=st.booleans(),
    bom=st.booleans(),
    literal_too=st.booleans(),
    target=st.sampled_from(("external-secrets", "akv2k8s")),
)
def test_generated_files_of_variables_keep_all_promises(
    values: list[str], moved: set[int], crlf: bool, bom: bool, literal_too: bool, target: str
) -> None:
    ending = "\r\n" if crlf else "\n"
    lines = [f"KEY{number}={text}" for number, text in enumerate(values)]
    literals = "  literals: [KEY3=plover-Marsh-9]\n" if literal_too else ""
    files = {
        "k/" + NAME: f"resources: [pod.yaml]\nsecretGenerator:\n- name: s\n  envs: [a.env]\n{literals}".encode(),
        "k/a.env": (b"\xef\xbb\xbf" if bom else b"") + ending.join(["# made up", *lines]).encode(),
        "k/pod.yaml": "\n".join((*POD, "    envFrom: [{secretRef: {name: s}}]", "")).encode(),
    }
    texts = [*values, "plover-Marsh-9"]
    names = {f"KEY{number}": f"s-{hashlib.sha256(texts[number].encode()).hexdigest()[:12]}" for number in moved}
    report = together(files, names, target)
    short = any(map(stands_anyway, values))
    assert not [item for item in report.broken if not (short and item.promise == "gone")]
