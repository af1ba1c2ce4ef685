"""The files of variables that kustomizations pack into a ConfigMap or a Secret, and what they take from each line.

Sources: Kustomize reference, `configMapGenerator` and `secretGenerator` (`envs`, `env`, `files`); its `api/kv`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rewriters._api import Files, Unreadable
from rewriters._compose_project import folder_of, inside
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["Pack", "lines", "packed"]

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LONGEST = 64 * 1024
"""Kustomize reads no further than a line of this length."""


class Pack(NamedTuple):
    """A kustomization that packs a file: by which generator, and whether as variables or whole."""

    kustomization: str
    generator: str
    whole: bool


def packed(files: Files) -> dict[str, tuple[Pack, ...]]:
    """The files that generators name, each with those that do, in the order of their paths."""
    found: dict[str, dict[Pack, None]] = {}
    for other, data in sorted(files.items()):
        if other.rsplit("/", 1)[-1] not in _NAMES or b"Generator" not in data:
            continue
        try:
            roots = [document.root for document in documents(data)]
        except Unreadable:
            continue
        for root in roots:
            for generator, field, source in _sources(root):
                path = inside(folder_of(other), source)
                if path is not None:
                    found.setdefault(path, {})[Pack(other, generator, field == "files")] = None
    return {path: tuple(packs) for path, packs in found.items()}


def lines(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values that a generator takes from a file of variables: of each line all that is behind its `=`."""
    for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if len(line) >= _LONGEST:
            return
        text = line.removesuffix(b"\r").lstrip()
        if text and text[:1] != b"#":
            key, _, value = text.partition(b"=")
            yield key, value


def _sources(root: Node) -> Iterator[tuple[str, str, str]]:
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
                        yield kind, key.text, item.text.rpartition("=")[2] if key.text == "files" else item.text
