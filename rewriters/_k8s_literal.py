"""A literal of a container as a reference to a key of a Secret."""

from __future__ import annotations

from collections.abc import Mapping

from rewriters._api import Edit, Reference, Span
from rewriters._k8s_data import UNUSUAL
from rewriters._k8s_objects import Manifest, Site
from rewriters._k8s_text import Style, Tree, block, column, flow_pairs, stops, written_simply
from rewriters._k8s_vault import Entry, Unfit
from rewriters._yaml import Map, Scalar

__all__ = ["delivered_as_is", "entry", "env_value", "injection", "variable", "webhook"]


def entry(reference: Reference) -> Entry:
    return Entry(reference.name + (f".{reference.version}" if reference.version else ""), reference)


def variable(variable: str, secret: str, reference: Reference) -> Tree:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": entry(reference).key}}}


def env_value(manifest: Manifest, site: Site, owner: Map, name: str, reference: Reference, style: Style) -> Edit:
    """`value: text` becomes `valueFrom` in the style of the entry."""
    assert site.pair is not None  # noqa: S101 - asked by the caller
    tree: Tree = {"secretKeyRef": {"name": name, "key": entry(reference).key}}
    return _instead(manifest, site.pair, owner, {"valueFrom": tree}, style)


def webhook(manifest: Manifest, site: Site, name: str, style: Style) -> Edit:
    """`secret: text` of a build's trigger becomes `secretReference`."""
    assert site.pair is not None  # noqa: S101 - the reader gives it
    assert isinstance(site.owner, Map)  # noqa: S101 - the same
    return _instead(manifest, site.pair, site.owner, {"secretReference": {"name": name}}, style)


def _instead(
    manifest: Manifest, pair: tuple[Scalar, Scalar], owner: Map, tree: Mapping[str, Tree], style: Style
) -> Edit:
    key, value = pair
    if not written_simply(manifest.data, owner):
        raise Unfit(*UNUSUAL)
    if owner.flow:
        text = flow_pairs(tree, manifest.data, key)
        return Edit(manifest.path, Span(key.start, value.end), text.encode())
    pad = column(manifest.data, key.start)
    text = block(tree, pad, style).lstrip(" ")
    return Edit(manifest.path, Span(key.start, stops(manifest.data, value)), text.encode())


def injection(manifest: Manifest, site: Site, name: str) -> Edit:
    """The value becomes the name of the object that akv2k8s fills the variable from, quoted as it was."""
    item = site.scalar
    span = Span(item.literal.start, stops(manifest.data, item)) if item.style in ("literal", "folded") else item.span
    return Edit(manifest.path, span, f"{name}@azurekeyvault".encode())


def delivered_as_is(site: Site) -> bool:
    text = site.scalar.text
    return "$$" not in text or site.slot.encoding[-1] == "dollar"
