"""Which Secrets the kustomizations of the given files patch, and as what.

Source: Kustomize reference, `patches`, `patchesStrategicMerge`, `patchesJson6902`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Files, Unreadable
from rewriters._compose_project import folder_of, inside
from rewriters._k8s_objects import Object, follow, text_at
from rewriters._yaml import Map, Node, Scalar, Seq, documents

__all__ = ["Kustomizations"]

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(slots=True)
class Kustomizations:
    """What the kustomizations say: `files` are those that they apply as patches, `names` the Secrets that they patch
    by a target or an inline text, each with the kustomization."""

    paths: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Files) -> Kustomizations:
        made = cls()
        for path, data in sorted(files.items()):
            if path.rsplit("/", 1)[-1] in _NAMES:
                made.paths.append(path)
                if b"atch" in data:
                    for root in _roots(data):
                        made.read(path, root)
        return made

    def read(self, path: str, root: Node) -> None:
        top = follow(root)
        for key, value in top.pairs if isinstance(top, Map) else ():
            listed = follow(value)
            known = isinstance(key, Scalar) and key.text in ("patches", "patchesStrategicMerge", "patchesJson6902")
            for item in map(follow, listed.items) if known and isinstance(listed, Seq) else ():
                if isinstance(item, Scalar):
                    self.patch(path, item.text)
                elif isinstance(item, Map):
                    self.patch(path, text_at(item, "path"))
                    self.patch(path, text_at(item, "patch"))
                    if text_at(item, "target", "kind") in ("Secret", ""):
                        self.names.setdefault(text_at(item, "target", "name"), path)

    def patch(self, path: str, text: str) -> None:
        """A patch's file, or a patch itself."""
        if "\n" not in text and ":" not in text:
            place = inside(folder_of(path), text) if text else None
            if place is not None:
                self.files.setdefault(place, path)
        elif "Secret" in text:
            for root in _roots(text.encode("utf-8", "surrogatepass")):
                if text_at(root, "kind") == "Secret":
                    self.names.setdefault(text_at(root, "metadata", "name"), path)

    def patching(self, secret: Object, objects: list[Object]) -> str:
        """The kustomization that patches this Secret or applies it as a patch; empty without one."""
        if secret.path in self.files:
            return self.files[secret.path]
        for thing in objects:
            if thing.path in self.files and (thing.kind, thing.name) == ("Secret", secret.name):
                return self.files[thing.path]
        return self.names.get(secret.name, "")


def _roots(data: bytes) -> Iterator[Node]:
    try:
        yield from [document.root for document in documents(data)]
    except Unreadable:
        return
