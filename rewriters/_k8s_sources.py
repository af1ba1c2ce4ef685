"""What the generators of a kustomization make, as Kustomize makes it: from literals, files of variables, and files.

Read with ruamel.yaml. Source: `api/kv` and `api/internal/generators` of Kustomize.
"""

from __future__ import annotations

from collections.abc import Iterator

from rewriters._api import Files
from rewriters._compose_project import folder_of, inside
from rewriters._k8s_claims import claims
from rewriters._k8s_generators import GENERATORS, NAMES, literal
from rewriters._k8s_tree import Thing, Tree, at, composed, list_in, text_in

__all__ = ["generated", "resources"]


def generated(path: str, files: Files) -> Iterator[Thing]:
    """The objects that a kustomization generates, without the hash in their names. What changes those of another one
    is left out."""
    root = _root(path, files)
    for field, kind in GENERATORS.items():
        for entry in list_in(at(root, field)):
            name = text_in(at(entry, "name"))
            if name and text_in(at(entry, "behavior")) in ("", "create"):
                data: dict[str, Tree] = {}
                data.update(_pairs(path, entry, files))
                tree: dict[str, Tree] = {"kind": kind, "stringData" if kind == "Secret" else "data": data}
                yield Thing(path, kind, name, text_in(at(entry, "namespace")), f"{path}#{kind}/{name}", tree)


def resources(path: str, files: Files) -> set[str]:
    """The paths that a kustomization lists itself."""
    texts = [text_in(item) for item in list_in(at(_root(path, files), "resources"))]
    found = {inside(folder_of(path), text) for text in texts if text}
    return {place for place in found if place is not None}


def _root(path: str, files: Files) -> Tree:
    if path.rpartition("/")[2] not in NAMES or not claims(path, files[path][:4096]):
        return None
    try:
        roots = composed(files[path].decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None
    api = text_in(at(roots[0], "apiVersion")) if len(roots) == 1 else "?"
    return roots[0] if api.partition("/")[0] in ("", "kustomize.config.k8s.io") else None


def _pairs(path: str, entry: Tree, files: Files) -> Iterator[tuple[str, str]]:
    envs = [*map(text_in, list_in(at(entry, "envs"))), text_in(at(entry, "env"))]
    for text in filter(None, envs):
        for number, line in enumerate(_file(path, text, files).split("\n")):
            line = (line.removeprefix("\ufeff") if not number else line).removesuffix("\r").lstrip()
            key, _, value = line.partition("=")
            if line and line[0] != "#":
                yield key, value
    for item in list_in(at(entry, "literals")):
        found = literal(text_in(item))
        if found is not None:
            key, part = found
            yield key, text_in(item).encode()[part.start : part.end].decode()
    for item in list_in(at(entry, "files")):
        key, sign, source = text_in(item).partition("=")
        source = source if sign else key
        yield (key if sign else source.rpartition("/")[2]), _file(path, source, files)


def _file(path: str, text: str, files: Files) -> str:
    """A file's text; what is not given stays as it is named."""
    place = inside(folder_of(path), text)
    data = files.get(place) if place is not None else None
    return data.decode("utf-8", "surrogateescape") if data is not None else f"(file {text})"
