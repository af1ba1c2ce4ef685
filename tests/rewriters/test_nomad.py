"""Nomad: what is claimed and found, and that nothing is ever changed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Unreadable, nomad
from rewriters.check import check

JOB = 'job "a" {{\n  group "g" {{\n    task "t" {{\n      env {{\n        PW = "{value}"\n      }}\n    }}\n  }}\n}}\n'


def test_claims() -> None:
    assert nomad.claims("a.nomad", b"")
    assert nomad.claims("x/a.nomad.hcl", b"")
    assert nomad.claims("a.hcl", JOB.format(value="x").encode())


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("a.hcl", b'target "a" {\n}\n'),
        ("a.tf", b'job "x" {\n  group "y" {'),
        ("nomad.yaml", b""),
        ("job.hcl", b'job "x"'),
    ],
)
def test_leaves_other_files_alone(path: str, head: bytes) -> None:
    assert not nomad.claims(path, head)


@pytest.mark.parametrize("text", ["job {", 'a = "', "job", "}"])
def test_what_is_no_hcl_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        nomad.slots("a.nomad", text.encode())


TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[]$%,&=!|<>@`-?~é\U0001f511\n", min_size=1, max_size=24).filter(
    lambda text: "$${" not in text and "%%{" not in text  # the grammar does not know three marks before a brace
)


@settings(max_examples=40, deadline=None)
@given(value=TEXTS, crlf=st.booleans(), bom=st.booleans())
def test_any_document_stays(value: str, crlf: bool, bom: bool) -> None:
    text = (
        value.replace("${", "$${").replace("%{", "%%{").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    )
    document = JOB.format(value=text)
    data = (b"\xef\xbb\xbf" if bom else b"") + (document.replace("\n", "\r\n") if crlf else document).encode()
    (slot,) = nomad.slots("a.nomad", data)
    assert slot.value == Plaintext(value.encode()) or slot.reason
    report = check(nomad, {"a.nomad": data}, [Assignment(slot, Reference("https://shop.vault.azure.net", "pw"))])
    assert not report.broken
    assert report.after == {"a.nomad": data}
    assert report.refused == 1
