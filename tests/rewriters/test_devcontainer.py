"""Development containers: what is claimed and found, and documents made at random."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Unreadable, devcontainer
from rewriters.check import check

VAULT = "https://shop.vault.azure.net"
PATH = ".devcontainer/devcontainer.json"


@pytest.mark.parametrize("path", [PATH, ".devcontainer.json", "a/.devcontainer/api/devcontainer.json"])
def test_claims(path: str) -> None:
    assert devcontainer.claims(path, b"")


@pytest.mark.parametrize("path", ["devcontainer-feature.json", "mydevcontainer.json", "devcontainer.json.bak"])
def test_leaves_other_files_alone(path: str) -> None:
    assert not devcontainer.claims(path, b"{}")


@pytest.mark.parametrize("text", ["{", "[]", '"a"', '{"a": }', "[" * 10_000])
def test_what_is_no_map_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        devcontainer.slots(PATH, text.encode())


TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[]$%,&=!|<>@`-?~é\U0001f511\n\t", min_size=1, max_size=24)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(TEXTS, min_size=1, max_size=4),
    kind=st.sampled_from(["containerEnv", "remoteEnv", "runArgs"]),
    indent=st.sampled_from([None, 2, 4, "\t"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    ascii_only=st.booleans(),
    comment=st.sampled_from(["", '// a, "b"\n', "/* c */ "]),
    bom=st.booleans(),
)
def test_any_document(
    values: list[str], kind: str, indent: int | str | None, newline: str, ascii_only: bool, comment: str, bom: bool
) -> None:
    named = {f"KEY_{index}": f"{value}Xw5Tq8{index}LzRk2Yv7" for index, value in enumerate(values)}
    owner = named if kind != "runArgs" else [f"--env={name}={value}" for name, value in named.items()]
    text = comment + json.dumps({"name": "shop", kind: owner}, indent=indent, ensure_ascii=ascii_only)
    data = (b"\xef\xbb\xbf" if bom else b"") + text.replace("\n", newline).encode()
    found = [slot for slot in devcontainer.slots(PATH, data) if slot.targets]
    assert [slot.value.reveal().decode() for slot in found] == list(named.values())
    items = [Assignment(slot, Reference(VAULT, f"secret-{index}")) for index, slot in enumerate(found)]
    assert not check(devcontainer, {PATH: data}, items).broken
