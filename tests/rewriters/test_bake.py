"""Bake: what is claimed and found, and documents made at random."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Requirement, Slot, Unreadable, bake
from rewriters.check import check

VAULT = "https://shop.vault.azure.net"


def slots(text: str, path: str = "docker-bake.hcl") -> dict[str, Slot]:
    return {slot.pointer: slot for slot in bake.slots(path, text.encode())}


@pytest.mark.parametrize("path", ["docker-bake.hcl", "a/docker-bake.override.hcl", "prod.bake.hcl", "bake.hcl"])
def test_claims(path: str) -> None:
    assert bake.claims(path, b"")


def test_claims_json_that_is_one() -> None:
    assert bake.claims("docker-bake.json", b'{"target": {}}')
    assert not bake.claims("docker-bake.json", b'{"name": "x"}')


@pytest.mark.parametrize("path", ["main.tf", "cakebake.hcl", "a.nomad.hcl", "compose.yaml", "bakery.hcl"])
def test_leaves_other_files_alone(path: str) -> None:
    assert not bake.claims(path, b'target "a" {}')


@pytest.mark.parametrize("text", ["variable {", 'a = "', "target", "{"])
def test_what_is_no_hcl_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        bake.slots("docker-bake.hcl", text.encode())
    with pytest.raises(Unreadable):
        bake.slots("docker-bake.json", b"[1]")


def test_names_that_have_a_meaning_are_refused() -> None:
    text = 'variable "PATH" {\n  default = "Xw5Tq8LzRk2Yv7"\n}\n'
    item = Assignment(slots(text)["variable.PATH.default"], Reference(VAULT, "path"))
    report = check(bake, {"docker-bake.hcl": text.encode()}, [item])
    assert not report.broken
    assert report.refused == 1


def test_a_target_gets_a_build_secret_once() -> None:
    text = 'target "a" {\n  secret = ["id=tok,env=TOK"]\n}\n'
    need = Requirement("build-secret", "Dockerfile", "tok", Reference(VAULT, "tok"))
    report = check(bake, {"docker-bake.hcl": text.encode()}, requirements=[need])
    assert not report.broken
    assert report.after["docker-bake.hcl"] == text.encode()


TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[]$%,&=!|<>@`-?~é\U0001f511\n\t", min_size=1, max_size=24).filter(
    lambda text: "$${" not in text and "%%{" not in text  # the grammar does not know three marks before a brace
)


@settings(max_examples=60, deadline=None)
@given(value=TEXTS, kind=st.sampled_from(("default", "output", "json")), crlf=st.booleans(), bom=st.booleans())
def test_any_document(value: str, kind: str, crlf: bool, bom: bool) -> None:
    text = value.replace("${", "$${").replace("%{", "%%{").replace("\\", "\\\\").replace('"', '\\"')
    text = text.replace("\n", "\\n").replace("\t", "\\t")
    path = "docker-bake.json" if kind == "json" else "docker-bake.hcl"
    document = {
        "default": f'variable "A_TOKEN" {{\n  default = "{text}" # why\n}}\n\n'
        'target "a" {\n  args = { A = A_TOKEN }\n}\n',
        "output": f'target "a" {{\n  output = ["{text}", "type=docker"]\n  tags   = ["x"]\n}}\n',
        "json": f'{{\n  "target": {{\n    "a": {{ "output": ["{text}"] }}\n  }}\n}}\n',
    }[kind]
    document = document.replace("\n", "\r\n") if crlf else document
    data = (b"\xef\xbb\xbf" if bom else b"") + document.encode()
    pointer = "variable.A_TOKEN.default" if kind == "default" else "target.a.output.0"
    slot = {slot.pointer: slot for slot in bake.slots(path, data)}[pointer]
    assert slot.value == Plaintext(value.encode()) or slot.reason
    report = check(bake, {path: data}, [Assignment(slot, Reference(VAULT, "a-token"))])
    assert not report.broken, (data, report.broken)
    assert not report.unproven or slot.reason
