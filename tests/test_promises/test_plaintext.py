"""Promise 1: a value shows itself nowhere, and the modules that may take it out are listed here with their reasons."""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Plaintext, Slot, Span
from secretscan.model import Finding, Location

ROOT = Path(__file__).parent.parent.parent
CANARY = b"kT9-" + b"plum" + b"%vQ4wZ"
SHOWN = "Plaintext(***)"

PLATFORM = "whether the platform's syntax can carry the value; and resolving references for the proof"
ALLOWED = {
    "rewriters/_bicep_*.py": PLATFORM,
    "rewriters/compose.py": PLATFORM,
    "rewriters/_compose_*.py": PLATFORM,
    "rewriters/dockerfile.py": PLATFORM,
    "rewriters/_dockerfile_*.py": PLATFORM,
    "rewriters/dotenv.py": PLATFORM,
    "rewriters/_dotenv_*.py": PLATFORM,
    "rewriters/kubernetes.py": PLATFORM,
    "rewriters/_k8s_*.py": PLATFORM,
    "rewriters/aci.py": PLATFORM,
    "rewriters/_aci_*.py": PLATFORM,
    "rewriters/_helm_*.py": PLATFORM,
    "rewriters/bake.py": PLATFORM,
    "rewriters/_bake_*.py": PLATFORM,
    "rewriters/terraform.py": PLATFORM,
    "rewriters/_terraform_*.py": PLATFORM,
    "rewriters/_azure_*.py": PLATFORM,
    "rewriters/containerapps.py": PLATFORM,
    "rewriters/_containerapps_*.py": PLATFORM,
    "rewriters/_azurepipelines_*.py": PLATFORM,
    "rewriters/_ci_*.py": PLATFORM,
    "rewriters/_gitlabci_*.py": PLATFORM,
    "rewriters/_githubactions_*.py": PLATFORM,
    "rewriters/_devcontainer_*.py": PLATFORM,
    "rewriters/_appservice_*.py": PLATFORM,
    "rewriters/_azd_*.py": PLATFORM,
    "rewriters/_check_facts.py": "cuts out the assigned part of a value, for comparing and searching",
    "rewriters/_undo.py": "finds where values stand in replaced text, and writes them back",
    "secretscan/api.py": "names the use case that hands out one value, after it is journaled; takes nothing out",
    "secretscan/detect/slots.py": "judges what stands in a manifest's places",
    "secretscan/inventory/ids.py": "the keyed digest that is a secret's id",
    "secretscan/plan/candidates.py": "cuts out the credential's part of a longer value",
    "secretscan/plan/kept.py": "finds the values in what an edit replaces, so that none is kept",
    "secretscan/plan/render.py": "writes the original text for undo",
    "secretscan/plan/taken_in.py": "reads the names of files where a slot holds one, to find which files are meant",
    "secretscan/prove/proof.py": "searches rewritten places for what was moved from them",
    "secretscan/run/prove.py": "the text of a place, to be searched",
    "secretscan/tui/screens/reveal.py": "draws one value for ten seconds for who asked, once it is on record",
    "secretscan/vault/client.py": "sends the value to the vault that the user named",
    "secretscan/vault/limits.py": "whether the vault can hold the value",
    "secretscan/vault/server/shapes.py": "the embedded vault's answer to a reader with a token",
}
"""Modules that may take the bytes out, and what for. The platforms' are patterns: a platform is a file or several."""


def revealers() -> dict[str, list[int]]:
    """Every place of both packages that names `reveal`, called or not, by module."""
    found: dict[str, list[int]] = {}
    for file in sorted([*(ROOT / "rewriters").rglob("*.py"), *(ROOT / "secretscan").rglob("*.py")]):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            named = (isinstance(node, ast.Attribute) and node.attr in ("reveal", "_Plaintext__value")) or (
                isinstance(node, ast.Constant) and node.value in ("reveal", "_Plaintext__value")
            )
            if named:
                found.setdefault(file.relative_to(ROOT).as_posix(), []).append(node.lineno)
    return found


def test_only_listed_modules_reveal() -> None:
    found = set(revealers()) - {"rewriters/plaintext.py"}
    new = {module for module in found if not any(fnmatch(module, pattern) for pattern in ALLOWED)}
    assert new == set(), "enter the module above with its reason, or do without the bytes"
    assert {name for name, why in ALLOWED.items() if why is not PLATFORM} <= found, "these reveal nothing any more"


def value() -> Plaintext:
    return Plaintext(CANARY)


def slot() -> Slot:
    return Slot("compose", "a.yaml", "a.b", "b", value(), Span(0, 14), Span(0, 14), ("raw",), "env")


def finding() -> Finding:
    place = Location("tree", "a.yaml", Span(0, 14), 1, 1, 1, 15)
    return Finding("rule", "password", "strong", "high", place, value(), slot=slot())


@dataclasses.dataclass
class Holder:
    held: object


RENDERINGS: dict[str, Callable[[object], str]] = {
    "repr": repr,
    "str": str,
    "f-string": lambda thing: f"{thing} {thing!r} {thing!s} {thing!a}",
    "percent": lambda thing: "%s %r" % (thing, thing),  # noqa: UP031
    "format": lambda thing: format(thing, ""),
    "json": lambda thing: json.dumps({"v": thing}, default=str),
    "list": lambda thing: repr([thing, (thing,), {"k": thing}]),
    "dataclass": lambda thing: repr(Holder(thing)),
    "log": lambda thing: logging.LogRecord("n", 10, "p", 1, "%s %r", (thing, thing), None).getMessage(),
}


@pytest.mark.parametrize("how", RENDERINGS)
@pytest.mark.parametrize("make", [value, slot, finding])
def test_nothing_renders_it(how: str, make: Callable[[], object]) -> None:
    shown = RENDERINGS[how](make())
    assert CANARY.decode() not in shown
    assert shown


@pytest.mark.parametrize("spec", ["", ">40", "s", "r", "x", "{}"])
def test_no_format_specification_shows_it(spec: str) -> None:
    assert format(value(), spec) == SHOWN


ATTEMPTS: dict[str, Callable[[Any], object]] = {
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "asdict": lambda it: dataclasses.asdict(Holder(it)),
    "hash": hash,
    "bool": bool,
    "len": len,
    "iter": iter,
    "bytes": bytes,
    "order": lambda it: sorted([it, it]),
    "add": lambda it: it + b"",
    "index": lambda it: it[0],
    "dict": lambda it: it.__dict__,
    "vars": vars,
    "json": json.dumps,
    "join": lambda it: b"".join([it]),
    "replace": lambda it: setattr(it, "_Plaintext__value", b""),
    "attribute": lambda it: setattr(it, "other", b""),
    "nested": Plaintext,
    "text": lambda it: Plaintext(CANARY.decode()),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_would_take_it_out_fails_without_showing_it(name: str) -> None:
    with pytest.raises((TypeError, AttributeError)) as failure:
        ATTEMPTS[name](value())
    assert CANARY.decode() not in "".join(traceback.format_exception(failure.value))


def test_an_assertion_about_it_does_not_show_it() -> None:
    with pytest.raises(AssertionError) as failure:
        assert value() == Plaintext(b"something else")
    assert CANARY.decode() not in str(failure.value)
    with pytest.raises(AssertionError) as failure:
        assert finding() == slot()
    assert CANARY.decode() not in str(failure.value)


def test_a_traceback_with_locals_does_not_show_it() -> None:
    held = value()
    try:
        raise ValueError(f"cannot use {held}")
    except ValueError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert SHOWN in shown
    assert CANARY.decode() not in shown


@given(st.binary(), st.binary())
def test_equality_is_by_value(left: bytes, right: bytes) -> None:
    assert (Plaintext(left) == Plaintext(right)) == (left == right)
    assert (Plaintext(left) != Plaintext(right)) == (left != right)
    assert Plaintext(left) != left
    assert Plaintext(left).empty() == (left == b"")
    assert Plaintext(left).reveal() == left
