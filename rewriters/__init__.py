"""Credentials in deployment manifests: where they can stand, and how each platform refers to a vault instead.

    slots(path, data)      what a manifest's places hold
    rewrite(platform, ...) the byte edits that put references there
    splice(data, edits)    the edited bytes

Bytes in, edits out; no I/O. One platform is one module of this folder: it is registered by being there.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from os import listdir
from typing import cast

from rewriters import fetch
from rewriters._api import (
    Address,
    Assignment,
    Companion,
    Delivery,
    Edit,
    Files,
    Lookup,
    Place,
    Reference,
    Refusal,
    Request,
    Requirement,
    Rewrite,
    Rewriter,
    Settings,
    Slot,
    Span,
    Unreadable,
    Variable,
)
from rewriters._splice import after_spans, splice
from rewriters.plaintext import Plaintext

__all__ = [
    "CONTEXT",
    "Address",
    "Assignment",
    "Companion",
    "Delivery",
    "Edit",
    "Files",
    "Lookup",
    "Place",
    "Plaintext",
    "Reference",
    "Refusal",
    "Request",
    "Requirement",
    "Rewrite",
    "Rewriter",
    "Settings",
    "Slot",
    "Span",
    "Unreadable",
    "Variable",
    "after_spans",
    "by_name",
    "claimants",
    "names",
    "splice",
]

HEAD = 4096
"""How many bytes of a file `claims` gets to see."""

_NOT_PLATFORMS = frozenset(("plaintext", "fetch", "check"))


CONTEXT = frozenset(
    (
        *(*fetch.NAMES, "kustomization.yaml", "kustomization.yml", "Kustomization"),
        *("Chart.yaml", "_helpers.tpl", "values.schema.json"),
    )
)
"""Names of files that no platform claims and that rewriters look into all the same: who reads a file, and from where
its variables come. `Request.files` and `effective` get them besides the claimed files."""


@cache
def names() -> tuple[str, ...]:
    """The platforms, by name: every public module of this folder that is one."""
    found = (entry[:-3] for entry in listdir(__path__[0]) if entry.endswith(".py") and entry[0] != "_")
    return tuple(sorted(name for name in found if name not in _NOT_PLATFORMS))


@cache
def by_name(name: str) -> Rewriter:
    """The rewriter of this platform. Raises `KeyError` when there is none."""
    if name not in names():
        raise KeyError(name)
    return cast(Rewriter, import_module(f"{__name__}.{name}"))


def claimants(path: str, head: bytes) -> tuple[Rewriter, ...]:
    """The rewriters that claim this file, by its path and its first `HEAD` bytes."""
    return tuple(rewriter for rewriter in map(by_name, names()) if rewriter.claims(path, head))
