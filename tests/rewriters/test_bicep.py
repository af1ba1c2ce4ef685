"""Bicep: which files it claims, and what it does not read."""

import pytest

from rewriters import Unreadable, bicep


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
