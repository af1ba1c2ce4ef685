"""Whether a kustomization packs a file of variables into a ConfigMap or a Secret.

Source: Kustomize reference, `configMapGenerator` and `secretGenerator` (`envs`, `env`, `files`).
"""

from __future__ import annotations

from rewriters._api import Files, Unreadable
from rewriters._compose_project import folder_of, inside
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["generated"]

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def generated(path: str, files: Files) -> str:
    """The kustomization that names `path` in a generator; empty without one."""
    name = path.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape")
    for other, data in sorted(files.items()):
        if other.rsplit("/", 1)[-1] not in _NAMES or name not in data:
            continue
        try:
            roots = [document.root for document in documents(data)]
        except Unreadable:
            continue
        if any(inside(folder_of(other), source) == path for root in roots for source in _sources(root)):
            return other
    return ""


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
