"""Bicep: which files it claims, what it does not read, and templates made at random."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Settings, Unreadable, _bicep_leaves, bicep
from rewriters._bicep_tokens import literal_text, statements, tokens
from rewriters.check import check


@pytest.mark.parametrize("path", ["main.bicep", "infra/Main.BICEP", "main.dev.bicepparam"])
def test_claims(path: str) -> None:
    assert bicep.claims(path, b"param a string\n")


@pytest.mark.parametrize(("path", "head"), [("main.json", b"{}"), ("bicepconfig.json", b"{}"), ("a.bicep", b"\0")])
def test_claims_nothing_else(path: str, head: bytes) -> None:
    assert not bicep.claims(path, head)


@pytest.mark.parametrize("data", [b"param a string = '\xff'\n"])
def test_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        bicep.slots("a.bicep", data)


FIXTURES = Path(__file__).parents[2] / "fixtures"
VAULT = "https://shop.vault.azure.net"
GROUP = "/subscriptions/3f0c1a52-77b0-4a5e-9d35-2f6be7a0c911/resourceGroups/shop/providers"
SETTINGS = Settings(
    identity=f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/orders",
    vault_id=f"{GROUP}/Microsoft.KeyVault/vaults/shop",
)
TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[]$%,&=!|<>@`-?~é\U0001f511\n\t", max_size=24)


def quoted(value: str) -> str:
    """A text of Bicep on one line."""
    for plain, written in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\t", "\\t"), ("${", "\\${")):
        value = value.replace(plain, written)
    return f"'{value}'"


def block(value: str) -> str:
    """The same over several lines, in which nothing is escaped; on one line where that cannot be."""
    return quoted(value) if "''" in value or value.startswith(("'", "\n")) or value.endswith("'") else f"'''{value}'''"


KINDS = {
    "parameter": "param secret{index} string = {text}",
    "variable": "var secret{index} = {text}",
    "output": "output secret{index} string = {text}",
    "app": "resource app{index} 'Microsoft.Web/sites@2023-12-01' = {{\n  name: 'shop{index}'\n  properties: {{\n"
    "    siteConfig: {{\n      appSettings: [\n        {{\n          name: 'API_KEY'\n          value: {text}\n"
    "        }}\n      ]\n    }}\n  }}\n}}",
    "group": "resource group{index} 'Microsoft.ContainerInstance/containerGroups@2025-09-01' = {{\n"
    "  name: 'shop{index}'\n  properties: {{\n    containers: [\n      {{\n        name: 'api'\n"
    "        properties: {{\n          environmentVariables: [\n            {{ name: 'API_KEY', value: {text} }}\n"
    "          ]\n        }}\n      }}\n    ]\n  }}\n}}",
    "containerapp": "resource ca{index} 'Microsoft.App/containerApps@2024-03-01' = {{\n  name: 'shop{index}'\n"
    "  properties: {{\n    configuration: {{\n      secrets: [\n        {{\n          name: 'key'\n"
    "          value: {text}\n        }}\n      ]\n    }}\n  }}\n}}",
    "module": "module db{index} 'db.bicep' = {{\n  name: 'db{index}'\n  params: {{\n    password: {text}\n  }}\n}}",
}


@settings(max_examples=60, deadline=None)
@given(
    drawn=st.lists(st.tuples(st.sampled_from(sorted(KINDS)), TEXTS, st.booleans()), min_size=1, max_size=4),
    newline=st.sampled_from(["\n", "\r\n"]),
    comment=st.sampled_from(["", "// it's 'quoted'\n", "/* a\n'''b */\n"]),
    bom=st.booleans(),
)
def test_any_template(drawn: list[tuple[str, str, bool]], newline: str, comment: str, bom: bool) -> None:
    lines = []
    for index, (kind, value, several) in enumerate(drawn):
        value = f"Xw5Tq8{index}{value}LzRk2Yv7"
        text = block(value) if several else quoted(value)
        lines.append(comment + KINDS[kind].format(index=index, text=text))
    text = ("\n\n".join(lines) + "\n").replace("\n", newline)
    files = {
        "main.bicep": (b"\xef\xbb\xbf" if bom else b"") + text.encode(),
        "db.bicep": b"@secure()\nparam password string\n",
    }
    slots = [slot for slot in bicep.slots("main.bicep", files["main.bicep"]) if b"Xw5Tq8" in slot.value.reveal()]
    assert len(slots) == len(drawn)
    items = [Assignment(slot, Reference(VAULT, f"secret-{index}")) for index, slot in enumerate(slots) if slot.targets]
    assert not check(bicep, files, items, settings=SETTINGS).broken


@settings(max_examples=40, deadline=None)
@given(values=st.lists(TEXTS, min_size=1, max_size=4), newline=st.sampled_from(["\n", "\r\n"]), bom=st.booleans())
def test_any_parameter_file(values: list[str], newline: str, bom: bool) -> None:
    values = [f"Xw5Tq8{index}{value}LzRk2Yv7" for index, value in enumerate(values)]
    lines = [f"param p{at} = {quoted(value)} // p{at}\n" for at, value in enumerate(values)]
    text = "using './main.bicep'\n\n" + "".join(lines)
    template = "".join(f"@secure()\nparam p{at} string\n" for at in range(len(values)))
    data = (b"\xef\xbb\xbf" if bom else b"") + text.replace("\n", newline).encode()
    files = {"main.bicepparam": data, "main.bicep": template.encode()}
    slots = [slot for slot in bicep.slots("main.bicepparam", data) if slot.targets]
    assert [slot.value.reveal().decode() for slot in slots] == values
    items = [Assignment(slot, Reference(VAULT, f"secret-{index}")) for index, slot in enumerate(slots)]
    assert not check(bicep, files, items, settings=SETTINGS).broken


FILES = sorted(file for suffix in ("bicep", "bicepparam") for file in FIXTURES.rglob(f"*.{suffix}"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(FIXTURES).as_posix())
def test_two_readers_see_the_same_tokens(file: Path) -> None:
    data = file.read_bytes()
    read = _bicep_leaves.read(data)
    for own, other in zip(map(_bicep_leaves.even, statements(tokens(data))), read.statements, strict=True):
        seen = [[token[:3] if token.kind != "line" else "line" for token in one.tokens] for one in (own, other)]
        assert seen[0] == seen[1]
        assert (own.kind, own.name, own.keyword) == (other.kind, other.name, other.keyword)
        for token in other.tokens:
            if token.kind in ("text", "lines", "left", "middle", "right"):
                assert read.text(token) == literal_text(data, token)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r"'it\'s \${not} \u{1f511}\\'", "it's ${not} \U0001f511\\"),
        ("' blanks '", " blanks "),
        ("'''\n two''lines\\n\n'''", " two''lines\\n\n"),
        ("''", ""),
    ],
)
def test_the_second_reader_takes_texts_from_the_grammar(written: str, text: str) -> None:
    read = _bicep_leaves.read(f"var a = {written}\n".encode())
    token = next(token for token in read.statements[0].tokens if token.kind in ("text", "lines"))
    assert token.start in read.texts
    assert read.text(token) == text


def test_blanks_around_holes_are_of_the_text() -> None:
    read = _bicep_leaves.read(b"var a = ' x ${ b } y ${c}'\n")
    pieces = [token for token in read.statements[0].tokens if token.kind in ("left", "middle", "right")]
    assert [read.texts[token.start] for token in pieces] == [" x ", " y ", ""]


def test_nothing_is_said_of_a_file_that_the_readers_see_differently() -> None:
    with pytest.raises(Unreadable, match="do not agree"):
        _bicep_leaves.read(b"resource a 'A/b@2024-01-01' =\n  if (c) {\n  name: 'a'\n}\n")


@pytest.mark.parametrize(
    "data", [b"@" * 5000, b"a " * 5000, b"a\n" * 5000, b"var a = [\n" + b"1 2 = : 3 ?\n" * 1000 + b"]\n"]
)
def test_what_is_nothing_but_errors_is_not_given_to_the_grammar(data: bytes) -> None:
    read = _bicep_leaves.read(data)
    assert read.statements
    assert not read.texts
    assert all(slot.reason for slot in bicep.slots("a.bicep", data))
