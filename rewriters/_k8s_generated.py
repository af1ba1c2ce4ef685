"""A generator of a kustomization without the literals that move, and the object that makes its Secret instead.

Source: Kustomize reference, `secretGenerator`, `generatorOptions`: a generated Secret is named with a hash of its
content, which Kustomize puts into whatever names it, unless `disableNameSuffixHash` is set.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rewriters._api import Edit, Reference, Span
from rewriters._k8s_data import UNUSUAL
from rewriters._k8s_generators import literal
from rewriters._k8s_objects import Manifest, Object, Site, text_at
from rewriters._k8s_text import (
    Tree,
    block,
    column,
    dash_of,
    flow,
    line_end,
    removals,
    style_of,
    whole_lines,
    written_simply,
)
from rewriters._k8s_vault import Entry, Unfit, strings
from rewriters._yaml import Map, Node, Scalar, Seq

__all__ = ["Generator", "generators", "without_generators"]

_HASH = "disableNameSuffixHash"


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """An entry of `secretGenerator`, and which of its literals move where. Raises `Unfit` if that cannot be."""

    manifest: Manifest
    root: Map
    entry: Map
    moved: dict[int, Reference]
    """By the node of the literal."""

    @property
    def name(self) -> str:
        return text_at(self.entry, "name")

    @property
    def secret(self) -> Object:
        """The Secret that it makes, as an object of the kustomization's file."""
        namespace = text_at(self.entry, "namespace")
        document = self.manifest.sites[0].object.document
        return Object(self.manifest.path, "v1", "Secret", self.name, namespace, "", self.entry, document)

    @property
    def literals(self) -> Seq | None:
        found = _own(self.entry, "literals")
        return found if isinstance(found, Seq) else None

    @property
    def whole(self) -> bool:
        """Whether nothing of it stays."""
        others = any(_own(self.entry, name) is not None for name in ("files", "envs", "env"))
        return not others and self.literals is not None and all(id(item) in self.moved for item in self.literals.items)

    @property
    def entries(self) -> list[Entry]:
        items = self.literals.items if self.literals is not None else ()
        texts = [(item, literal(item.text)) for item in items if isinstance(item, Scalar) and id(item) in self.moved]
        return [Entry(found[0], self.moved[id(item)]) for item, found in texts if found is not None]

    @property
    def shape(self) -> dict[str, Tree]:
        """What the Secret is beside its data."""
        labels, annotations, immutable = self._options()
        shape: dict[str, Tree] = {"immutable": True} if immutable else {}
        kind = text_at(self.entry, "type")
        kind = "" if kind == "Opaque" else kind
        metadata: dict[str, Tree] = {}
        if labels:
            metadata["labels"] = labels
        if annotations:
            metadata["annotations"] = annotations
        if kind or metadata:
            shape["template"] = ({"type": kind} if kind else {}) | ({"metadata": metadata} if metadata else {})
        return shape

    def _options(self) -> tuple[dict[str, str], dict[str, str], bool]:
        labels: dict[str, str] = {}
        annotations: dict[str, str] = {}
        immutable = False
        for node in (self.root.get("generatorOptions"), self.entry.get("options")):
            if isinstance(node, Map):
                labels |= strings(node.get("labels"))
                annotations |= strings(node.get("annotations"))
                immutable |= text_at(node, "immutable") == "true"
        return labels, annotations, immutable

    def check(self) -> None:
        """Raises `Unfit` for a generator that cannot go, in whole or in part."""
        if text_at(self.entry, "behavior") not in ("", "create"):
            raise Unfit(
                "this generator changes the Secret of another one",
                "move the value where the Secret is generated first, then take it out here",
            )
        if not self.name or _own(self.entry, "name") is None:
            raise Unfit("the generator has no fixed name", "write its name out")
        if not self.whole and (self._options()[2] or text_at(self.entry, "type") not in ("", "Opaque")):
            raise Unfit("this Secret is valid only with all of its keys", "move the other keys along")
        maps = [self.entry, *([self.root] if self.whole else [])]
        if not all(written_simply(self.manifest.data, item) for item in maps):
            raise Unfit(*UNUSUAL)

    @property
    def hashed(self) -> bool:
        """Whether its name bears a hash."""
        own = text_at(self.entry, "options", _HASH)
        return "true" not in (own, text_at(self.root, "generatorOptions", _HASH))

    def notes(self) -> list[str]:
        """What changes with the name, for people."""
        found = []
        if self.hashed:
            found.append(
                f"the name of the Secret {self.name} of {self.manifest.path} has no hash any more: pods do not roll "
                "when its content changes, and what names it with its hash elsewhere does not find it"
            )
        return found

    def reduced(self) -> list[Edit]:
        """The edits that take the literals out of a generator that keeps others, and fix its name."""
        path, data = self.manifest.path, self.manifest.data
        items = self.literals
        assert items is not None  # noqa: S101 - literals of it move
        gone = {index for index, item in enumerate(items.items) if id(item) in self.moved}
        if len(gone) == len(items.items):
            index = next(i for i, (_, value) in enumerate(self.entry.pairs) if value is items)
            edits = removals(path, data, self.entry, {index})
        else:
            edits = without(path, data, items, gone)
        return [*edits, *self._fixed()] if self.hashed else edits

    def _fixed(self) -> list[Edit]:
        """The edit that leaves the hash off the name: a Secret that an operator adds to needs a name that it knows."""
        path, data = self.manifest.path, self.manifest.data
        options = _own(self.entry, "options")
        style = style_of(data, self.root)
        if isinstance(options, Map) and options.pairs:
            flag = _own(options, _HASH)
            if isinstance(flag, Scalar):
                return [Edit(path, flag.span, b"true")]
            first = options.pairs[0][0]
            if options.flow:
                return [Edit(path, Span(first.start, first.start), f"{_HASH}: true, ".encode())]
            text = f"{_HASH}: true{style.newline}{' ' * column(data, first.start)}"
            return [Edit(path, Span(first.start, first.start), text.encode())]
        if options is not None or "options" in self.entry.entries():
            raise Unfit("the generator's options are written in an unusual way", "write them out as a map")
        key, name = next((k, v) for k, v in self.entry.pairs if isinstance(k, Scalar) and k.text == "name")
        tree: dict[str, Tree] = {"options": {_HASH: True}}
        if self.entry.flow:
            quoted = getattr(key, "style", "") == "double"
            return [Edit(path, Span(name.end, name.end), f", {flow(tree, quoted)[1:-1]}".encode())]
        if isinstance(name, Scalar) and name.style in ("literal", "folded"):
            raise Unfit("the generator's name is written in an unusual way", "write it on one line")
        at = line_end(data, name)
        text = style.newline + block(tree, column(data, key.start), style)
        return [Edit(path, Span(at, at), text.encode())]


def generators(manifest: Manifest, moving: Sequence[tuple[Site, Reference]]) -> list[Generator]:
    """The generators of a kustomization that these literals are of."""
    found: dict[int, Generator] = {}
    for site, reference in moving:
        root, entry = site.object.root, site.container
        assert entry is not None  # noqa: S101 - the reader gives it
        mine = found.setdefault(id(entry), Generator(manifest, root, entry, {}))
        mine.moved[id(site.scalar)] = reference
    return list(found.values())


def without_generators(manifest: Manifest, gone: Collection[int]) -> list[Edit]:
    """The kustomization without the generators whose entries these are."""
    root = manifest.sites[0].object.root
    path, data = manifest.path, manifest.data
    index, items = next(
        (index, value)
        for index, (key, value) in enumerate(root.pairs)
        if isinstance(key, Scalar) and key.text == "secretGenerator" and isinstance(value, Seq)
    )
    numbers = {number for number, item in enumerate(items.items) if id(item) in gone}
    if len(numbers) == len(items.items):
        if len(root.pairs) == 1 and not root.flow:  # its list of resources comes in its place
            return [Edit(path, whole_lines(data, *root.pairs[0]), b"")]
        return removals(path, data, root, {index})
    return without(path, data, items, numbers)


def without(path: str, data: bytes, items: Seq, gone: Collection[int]) -> list[Edit]:
    """A list without some of its items, at least one of which stays. Raises `Unfit`."""
    edits: list[Edit] = []
    if items.flow:
        first = min(set(range(len(items.items))) - set(gone))
        for index in sorted(gone):
            if index < first:
                span = Span(items.items[index].start, items.items[index + 1].start)
            else:
                span = Span(items.items[index - 1].end, items.items[index].end)
            edits.append(Edit(path, span, b""))
        return edits
    for index in sorted(gone):
        dash, item = dash_of(data, items, index), items.items[index]
        begin = data.rfind(b"\n", 0, dash) + 1
        begin = 3 if not begin and data.startswith(b"\xef\xbb\xbf") else begin
        if data[begin:dash].strip(b" "):
            raise Unfit("the list starts on the line of another one", "write the list on lines of its own")
        edits.append(Edit(path, Span(begin, whole_lines(data, item, _last(item)).end), b""))
    return edits


def _last(node: Node) -> Node:
    while isinstance(node, Map | Seq) and not node.flow and (node.pairs if isinstance(node, Map) else node.items):
        node = node.pairs[-1][1] if isinstance(node, Map) else node.items[-1]
    return node


def _own(owner: Map, name: str) -> Node | None:
    return next((value for key, value in owner.pairs if isinstance(key, Scalar) and key.text == name), None)
