"""Manifests and kustomizations as they are read: several documents in a file, lists, templates of OpenShift, JSON.

Source: `kubectl`'s reading of streams: several documents in a file, and kinds that end in `List` with `items`.
"""

from __future__ import annotations

from collections import Counter

from rewriters._api import Unreadable
from rewriters._json import read as read_json
from rewriters._k8s_claims import is_template
from rewriters._k8s_generators import is_kustomization, kustomization
from rewriters._k8s_objects import Manifest, Object, Site, text_at
from rewriters._k8s_places import TEMPLATE, Walk
from rewriters._yaml import Alias, Document, Map, Scalar, Seq, documents, segment

__all__ = ["read"]

MAX_SLOTS = 20_000
"""Places kept of one file; a manifest is sent to an API server that takes at most 3 MiB an object."""


def read(path: str, data: bytes, platform: str = "kubernetes") -> Manifest:
    """The objects and places of a file. Raises `Unreadable`."""
    reader = _Reader(path, data, platform)
    try:
        found = _documents(path, data)
        if is_kustomization(path, found):
            return kustomization(path, data, found, platform)
        for document in found:
            reader.document(document)
    except Unreadable as error:
        if b"{{" in data and error.reason.startswith("broken YAML"):
            raise Unreadable(TEMPLATE, error.line) from None
        raise
    reader.sites.sort(key=lambda site: (site.slot.span, site.slot.literal))
    return Manifest(path, data, tuple(reader.objects), tuple(reader.sites), tuple(reader.aliases), reader.repeated)


def _documents(path: str, data: bytes) -> tuple[Document, ...]:
    if not path.lower().endswith(".json"):
        return documents(data)
    root = read_json(data)
    return (Document(root, root.start, root.end),)


class _Reader:
    """One pass over the nodes. Aliases are not followed: a value has one place, the one with the anchor."""

    def __init__(self, path: str, data: bytes, platform: str) -> None:
        self.path = path
        self.data = data
        self.platform = platform
        self.json = path.lower().endswith(".json")
        self.objects: list[Object] = []
        self.sites: list[Site] = []
        self.aliases: list[tuple[Alias, Object]] = []
        self.repeated = False
        self.seen: Counter[str] = Counter()
        self.pointers: set[str] = set()

    def document(self, document: Document) -> None:
        root = document.root
        if not isinstance(root, Map):
            return
        items = root.get("items")
        if text_at(root, "kind").endswith("List") and isinstance(items, Seq):
            home = (root, "items") if self.json else None
            for item in items.items:
                if isinstance(item, Map):
                    self._item(item, document, home, alone=False)
        elif "kind" in root.entries():
            self._item(root, document, None, alone=True)

    def _item(self, root: Map, document: Document, home: tuple[Map, str] | None, alone: bool) -> None:
        if not is_template(text_at(root, "apiVersion"), text_at(root, "kind")):
            self._object(root, document, alone, home, templated=False)
            return
        template = self._named(root, document, alone, home, templated=False)
        walk = Walk(self, template)
        for key, value in root.pairs:
            name = key.text if isinstance(key, Scalar) else ""
            if name == "objects" and isinstance(value, Seq):
                for item in value.items:
                    if isinstance(item, Map):
                        self._object(item, document, False, (root, "objects"), templated=True)
                    elif isinstance(item, Alias):
                        self.aliases.append((item, template))
            elif name == "parameters" and isinstance(value, Seq):
                walk.parameters(value)
            elif name:
                walk.any(value, (name,), "field", root, None)
        names = [key.text for key, _ in root.pairs if isinstance(key, Scalar)]
        self.repeated |= len(set(names)) < len(names)

    def _object(
        self, root: Map, document: Document, alone: bool, home: tuple[Map, str] | None, templated: bool
    ) -> None:
        thing = self._named(root, document, alone, home, templated)
        self.objects.append(thing)
        Walk(self, thing).map(root, (), "field", None)

    def _named(
        self, root: Map, document: Document, alone: bool, home: tuple[Map, str] | None, templated: bool
    ) -> Object:
        kind, metadata = text_at(root, "kind"), root.get("metadata")
        name = text_at(metadata, "name") or text_at(metadata, "generateName").rstrip("-")
        pointer = segment(f"{kind}/{name}")
        self.seen[pointer] += 1
        if self.seen[pointer] > 1:
            pointer += f"#{self.seen[pointer]}"
        api, namespace = text_at(root, "apiVersion"), "" if templated else text_at(metadata, "namespace")
        return Object(self.path, api, kind, name, namespace, pointer, root, document, alone, home, templated)

    def add(self, site: Site) -> None:
        if site.slot.pointer in self.pointers or len(self.sites) >= MAX_SLOTS:
            self.repeated |= site.slot.pointer in self.pointers
            return
        self.pointers.add(site.slot.pointer)
        self.sites.append(site)
