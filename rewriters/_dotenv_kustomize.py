"""The files of variables that kustomizations pack into a ConfigMap or a Secret.

Source: Kustomize reference, `configMapGenerator` and `secretGenerator` (`envs`, `env`, `files`).
"""

from __future__ import annotations

from rewriters._api import Files, Unreadable
from rewriters._compose_project import folder_of, inside
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["packed"]

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def packed(files: Files) -> dict[str, str]:
    """The files that a generator names, each with the kustomization that does, the first one by its path."""
    found: dict[str, str] = {}
    for other, data in sorted(files.items()):
        if other.rsplit("/", 1)[-1] not in _NAMES or b"Generator" not in data:
            continue
        try:
            roots = [document.root for document in documents(data)]
        except Unreadable:
            continue
        for root in roots:
            for source in _sources(root):
                path = inside(folder_of(other), source)
                if path is not None:
                    found.setdefault(path, other)
    return found


def _sources(root: Node) -> list[str]:
    found: list[str] = []
    top = follow(root)
    for kind in ("configMapGenerator", "secretGenerator"):
        generators = follow(top.entries()[kind][1]) if isinstance(top, Map) and kind in top.entries() else None
        if not isinstance(generators, Seq):
            continue
        for generator in map(follow, generators.items):
            if not isinstance(generator, Map):
                continue
            for key, value in generator.entries().values():
                if key.text not in ("envs", "env", "files"):
                    continue
                target = follow(value)
                for item in map(follow, target.items) if isinstance(target, Seq) else (target,):
                    if isinstance(item, Scalar):
                        found.append(item.text.rpartition("=")[2])
    return found
