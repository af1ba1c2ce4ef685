"""A generator of a kustomization without what moves out of it, and the object that makes its Secret instead.

Sources: Kustomize reference, `secretGenerator`, `generatorOptions`: a generated Secret is named with a hash of its
content, which Kustomize puts into whatever names it, unless `disableNameSuffixHash` is set; its `api/hasher` (the
letters of a hash).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from rewriters._api import Edit, Files, Reference, Span
from rewriters._compose_project import folder_of, inside
from rewriters._dotenv_kustomize import lines
from rewriters._k8s_data import UNUSUAL
from rewriters._k8s_generators import literal
from rewriters._k8s_objects import Manifest, Object, follow, text_at
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

__all__ = ["Generator", "hashed_name", "sources", "without_generators"]

_HASH = "disableNameSuffixHash"


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """An entry of `secretGenerator`, and which of its literals and variables move where. Raises `Unfit` if that cannot
    be."""

    manifest: Manifest
    root: Map
    entry: Map
    files: Files = field(repr=False)
    moved: dict[int, Reference] = field(default_factory=dict)
    """By the node of the literal."""
    variables: dict[str, Reference] = field(default_factory=dict)
    """By the key in one of its files of variables."""

    @property
    def name(self) -> str:
        return text_at(self.entry, "name")

    @property
    def secret(self) -> Object:
        """The Secret that it makes, as an object of the kustomization's file."""
        namespace = text_at(self.entry, "namespace")
        own = self.manifest.kustomization
        assert own is not None  # noqa: S101 - generators are of kustomizations
        return Object(self.manifest.path, "v1", "Secret", self.name, namespace, "", self.entry, own.document)

    @property
    def literals(self) -> Seq | None:
        found = _own(self.entry, "literals")
        return found if isinstance(found, Seq) else None

    @property
    def whole(self) -> bool:
        """Whether nothing of it stays."""
        if "files" in self.entry.entries() or ("literals" in self.entry.entries() and self.literals is None):
            return False
        literals = self.literals.items if self.literals is not None else ()
        return all(id(item) in self.moved for item in literals) and self._keys() <= self.variables.keys()

    @property
    def sources(self) -> list[str]:
        """Its files of variables, as it names them."""
        return sources(self.entry)

    def packs(self, path: str) -> bool:
        """Whether it takes variables from this file."""
        return any(inside(folder_of(self.manifest.path), source) == path for source in self.sources)

    def _keys(self) -> set[str]:
        """What it takes from files of variables; of one that is not given, something that does not move."""
        found: set[str] = set()
        for source in self.sources:
            data = self.files.get(inside(folder_of(self.manifest.path), source) or "")
            found |= {key.decode("utf-8", "replace") for key, _ in lines(data)} if data is not None else {""}
        return found

    @property
    def entries(self) -> list[Entry]:
        items = self.literals.items if self.literals is not None else ()
        texts = [(item, literal(item.text)) for item in items if isinstance(item, Scalar) and id(item) in self.moved]
        variables = [Entry(key, reference) for key, reference in self.variables.items()]
        return [*variables, *(Entry(found[0], self.moved[id(item)]) for item, found in texts if found is not None)]

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
        maps = [self.entry, *([self.root] if self.whole or self.variables else [])]
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
        names = ", ".join(sorted({inside(folder_of(self.manifest.path), source) or source for source in self.sources}))
        if self.whole and names:
            found.append(f"{self.manifest.path} packs {names} no longer: delete it when nothing else reads it")
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
        if items is None or not self.moved:
            return self._fixed() if self.hashed else []
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


def sources(entry: Map) -> list[str]:
    """The files of variables that a generator names."""
    listed = follow(entry.entries()["envs"][1]) if "envs" in entry.entries() else None
    items = [follow(item) for item in listed.items] if isinstance(listed, Seq) else []
    texts = [item.text for item in items if isinstance(item, Scalar)]
    return [text for text in (*texts, text_at(entry, "env")) if text]


def hashed_name(name: str) -> re.Pattern[bytes]:
    """A generated Secret's name with some hash."""
    return re.compile(rb"(?<![\w.-])" + re.escape(name.encode()) + rb"-[2456789bcdfghkmt]{10}(?![\w.-])")


def without_generators(manifest: Manifest, gone: Collection[int]) -> list[Edit]:
    """The kustomization without the generators whose entries these are."""
    assert manifest.kustomization is not None  # noqa: S101 - generators are of kustomizations
    root = manifest.kustomization.root
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
