"""Terraform: what is claimed and found, documents made at random, and Terraform itself where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Settings, Slot, Unreadable, terraform
from rewriters._hcl_values import Evaluator, parse
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "terraform"
TERRAFORM = shutil.which("terraform")


def slots(text: str | bytes, path: str = "main.tf") -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    return {slot.pointer: slot for slot in terraform.slots(path, data)}


def moved(files: dict[str, bytes], *wanted: str, identity: str = "") -> Report:
    found = [
        Assignment(slot, Reference(VAULT, f"secret-{wanted.index(slot.pointer)}"))
        for path, data in files.items()
        for slot in terraform.slots(path, data)
        if slot.pointer in wanted
    ]
    assert len(found) == len(wanted)
    report = check(terraform, files, found, settings=Settings(identity=identity))
    assert not report.broken, report.broken
    assert not report.not_undoable
    assert not report.unproven
    return report


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["a.tf", "x/terraform.tfvars", "p.auto.tfvars", "a.tf.json", "a.tfvars.json", "t.tfstate"]
)
def test_claims(path: str) -> None:
    assert terraform.claims(path, b"")


@pytest.mark.parametrize("path", ["a.hcl", "docker-bake.hcl", "a.json", "tf", "x.tfplan", "job.nomad"])
def test_leaves_other_files_alone(path: str) -> None:
    assert not terraform.claims(path, b'a = "b"')


@pytest.mark.parametrize(
    "text",
    ["a = [", 'a = "x', "a {", "{", "}", 'x = "a" "b"', "a b c d", "a = " + "[" * 5000, "a {\n" * 3000, "\0"],
)
def test_what_is_no_hcl_is_unreadable(text: str) -> None:
    for path in ("main.tf", "a.tfvars"):
        with pytest.raises(Unreadable):
            terraform.slots(path, text.encode())


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1', "1", "\xff"])
def test_what_is_no_json_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        terraform.slots("a.tf.json", text.encode("latin-1"))


def test_a_block_that_is_broken_concerns_itself_alone() -> None:
    found = slots('resource "a" "b" {\n  x = "1" "2"\n}\n\nresource "c" "d" {\n  y = "3"\n}\n')
    assert found["resource.c.d.y"].targets
    assert not any(slot.targets for name, slot in found.items() if name.startswith("resource.a.b"))


def test_names_and_texts_within_templates_are_no_slots() -> None:
    text = 'locals {\n  a = "x-${var.map["key"]}"\n  b = var.map["key"]\n  c = { "k" = f("v") }\n}\n'
    assert list(slots(text)) == ["locals.a", "locals.c.k.f"]


def test_a_template_is_one_place_of_which_parts_move() -> None:
    slot = slots('locals {\n  a = "u:\\"pw\\"@${var.h}/$${x}"\n}\n')["locals.a"]
    assert slot.value == Plaintext(b'u:"pw"@${var.h}/$${x}')
    assert slot.interpolates


def test_pointers_stay_apart() -> None:
    text = 'resource "a" "b" {\n  c {\n    name = "x"\n    v = "1"\n  }\n  c {\n    name = "x"\n    v = "2"\n  }\n}\n'
    assert [name for name in slots(text) if name.startswith("resource.a.b.c.x.v")] == [
        "resource.a.b.c.x.v",
        "resource.a.b.c.x.v~2",
    ]


def test_a_state_is_reported() -> None:
    state = json.dumps({"outputs": {"p": {"value": "Xw5Tq8Lz"}}, "serial": 3, "lineage": "x"}).encode()
    found = slots(state, "terraform.tfstate")
    assert list(found) == ["outputs.p.value"]
    assert "state" in found["outputs.p.value"].reason


def test_values_that_grow_are_bounded() -> None:
    lines = ['  a0 = "' + "x" * 1000 + '"'] + [f'  a{n} = "{f"${{local.a{n - 1}}}" * 10}"' for n in range(1, 12)]
    data = ("locals {\n" + "\n".join(lines) + "\n}\n").encode()
    with pytest.raises(Unreadable):
        terraform.effective({"main.tf": data}, lambda reference: Plaintext(b""))


def test_names_that_lead_to_each_other_end() -> None:
    data = b"locals {\n  a = local.b\n  b = local.a\n}\n"
    assert terraform.effective({"main.tf": data}, lambda reference: Plaintext(b""))


# --- what is written --------------------------------------------------------------------------------------------------


def test_another_cloud_is_told_from_the_public_one() -> None:
    data = b'provider "azurerm" {\n  features {}\n}\n\nlocals {\n  k = "Xw5Tq8LzRk2Y"\n}\n'
    slot = slots(data)["locals.k"]
    report = check(terraform, {"main.tf": data}, [Assignment(slot, Reference("https://shop.vault.azure.cn", "k"))])
    assert not report.broken
    assert b"# https://shop.vault.azure.cn" in report.after["main.tf"]


def test_a_version_is_kept() -> None:
    data = b'provider "azurerm" {\n  features {}\n}\n\nlocals {\n  k = "Xw5Tq8LzRk2Y"\n}\n'
    report = check(
        terraform, {"main.tf": data}, [Assignment(slots(data)["locals.k"], Reference(VAULT, "k", "a1" * 16))]
    )
    assert b'version      = "' + b"a1" * 16 in report.after["main.tf"]


def test_two_values_for_one_variable_of_a_folder() -> None:
    files = {"dev.tfvars": b'pw = "Xw5Tq8LzRk2Y"\n', "prod.tfvars": b'pw = "Nk4Wm9Pz2Hc7"\n'}
    items = [
        Assignment(terraform.slots(path, data)[0], Reference(VAULT, path.partition(".")[0]))
        for path, data in files.items()
    ]
    report = check(terraform, files, items)
    assert not report.broken
    assert [refusal.path for refusal in report.rewrites["terraform"].refusals] == ["prod.tfvars"]


TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[]$%,&=!|<>@`-?~é\U0001f511\n\t", min_size=1, max_size=24).filter(
    lambda text: "$${" not in text and "%%{" not in text  # the grammar does not know three marks before a brace
)


def written(value: str, style: str) -> str:
    """The value as HCL has it."""
    text = value.replace("${", "$${").replace("%{", "%%{")
    if style == "quoted":
        text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{text}"'
    if style == "heredoc":
        return f"<<EOT\n{text}\nEOT"
    lines = [f"    {line}" if line.strip() else line for line in text.split("\n")]
    return "<<-EOT\n" + "\n".join(lines) + "\n  EOT"


@settings(max_examples=80, deadline=None)
@given(
    value=TEXTS,
    style=st.sampled_from(("quoted", "heredoc", "flush")),
    kind=st.sampled_from(("local", "default", "values", "setting", "list")),
    crlf=st.booleans(),
    bom=st.booleans(),
    comment=st.sampled_from(("", " # rotate", " // why", " /* x */")),
)
def test_any_document(value: str, style: str, kind: str, crlf: bool, bom: bool, comment: str) -> None:
    literal = written(value, style) + ("" if style != "quoted" else comment)
    azure = 'provider "azurerm" {\n  features {}\n}\n\n'
    texts = {
        "local": f"{azure}locals {{\n  before = 1\n  pw     = {literal}\n}}\n",
        "default": f'variable "pw" {{\n  type    = string\n  default = {literal}\n}}\n',
        "values": f"first = 1\npw    = {literal}\nlast  = 2\n",
        "setting": 'resource "azurerm_linux_web_app" "a" {\n  identity {\n    type = "SystemAssigned"\n  }\n'
        f"  app_settings = {{\n    pw = {literal}\n    q  = 1\n  }}\n}}\n",
        "list": f'data "azurerm_x" "y" {{\n  z = f([1, {written(value, "quoted")}, var.q])\n}}\n',
    }
    path = "terraform.tfvars" if kind == "values" else "main.tf"
    text = texts[kind].replace("\n", "\r\n") if crlf else texts[kind]
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    pointers = {
        "local": "locals.pw", "default": "variable.pw.default", "values": "pw",
        "setting": "resource.azurerm_linux_web_app.a.app_settings.pw", "list": "data.azurerm_x.y.z.f.1",
    }  # fmt: skip
    slot = slots(data, path)[pointers[kind]]
    if style == "quoted" or kind == "list":
        assert slot.value == Plaintext(value.encode()) or slot.reason
    report = check(terraform, {path: data}, [Assignment(slot, Reference(VAULT, "the-secret"))])
    assert not report.broken, (data, report.broken)
    assert not report.unproven or slot.reason, (data, report.unproven)


# --- Terraform itself -------------------------------------------------------------------------------------------------


def run(folder: Path, *command: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["terraform", *command], cwd=folder, input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(TERRAFORM is None, reason="terraform is not installed")
def test_terraform_reads_texts_as_this_does(tmp_path: Path) -> None:
    texts = ['a"b\\c', "${x} %{y}", "é\U0001f511", "line\nbreak\ttab", "$$ $ % %%", "$${x}", "#//"]
    lines = [f"  q{n} = {written(text, 'quoted')}\n  h{n} = {written(text, 'flush')}\n" for n, text in enumerate(texts)]
    data = ("locals {\n" + "".join(lines) + "}\n").encode()
    (tmp_path / "main.tf").write_bytes(data)
    names = [f"{kind}{n}" for n in range(len(texts)) for kind in "qh"]
    read = json.loads(
        json.loads(run(tmp_path, "console", stdin=f"jsonencode([{','.join('local.' + n for n in names)}])"))
    )
    found = slots(data)
    assert [found[f"locals.{name}"].value.reveal().decode() for name in names] == read
    evaluator = Evaluator(lambda steps: None)
    local = parse(data).blocks[0].attributes
    assert [evaluator.value(local[name]) for name in names] == read


@pytest.mark.skipif(TERRAFORM is None, reason="terraform is not installed")
@pytest.mark.parametrize("case", sorted(path.name for path in FIXTURES.iterdir()))
def test_terraform_finds_the_results_well_formed(case: str) -> None:
    if b"\xef\xbb\xbf" in b"".join(path.read_bytes()[:3] for path in (FIXTURES / case).rglob("*.tf")):
        pytest.skip("terraform fmt takes byte order marks out")
    for side in ("in", "out"):
        if (FIXTURES / case / side).is_dir():
            run(FIXTURES / case / side, "fmt", "-check", "-diff", "-recursive", ".")
