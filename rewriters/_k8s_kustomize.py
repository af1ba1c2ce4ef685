"""What the kustomizations of the given files do with manifests: which they apply, what they patch and rename.

Source: Kustomize reference, `resources`, `bases`, `components`, `namePrefix`, `nameSuffix`, `patches`,
`patchesStrategicMerge`, `patchesJson6902`, `replacements`, `vars`, `secretGenerator`, `configMapGenerator`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from rewriters._api import Files, Unreadable
from rewriters._compose_project import folder_of, inside
from rewriters._k8s_objects import Object, follow, text_at
from rewriters._yaml import Map, Node, Scalar, Seq, documents

__all__ = ["Kustomization", "Kustomizations", "Touch"]

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902")


@dataclass(frozen=True, slots=True, eq=False)
class Kustomization:
    """One kustomization: what it lists, as paths of given files (of a folder's kustomization for a folder).
    `root` is `None` unless the file is one document."""

    path: str
    data: bytes = field(repr=False)
    root: Map | None = field(repr=False)
    resources: frozenset[str]
    components: frozenset[str]
    patches: frozenset[str]
    renames: str
    """The field that changes names, or nothing."""

    @property
    def folder(self) -> str:
        return folder_of(self.path)


class Touch(NamedTuple):
    """A kustomization, and the field in which it patches or names an object."""

    path: str
    field: str


class Kustomizations:
    """All kustomizations of the given files. References that lead out of them are not followed."""

    def __init__(self, files: Files) -> None:
        self._homes = {folder_of(path): path for path in sorted(files, reverse=True) if _name(path) in _NAMES}
        self._all = {path: self._read(path, files[path]) for path in sorted(self._homes.values())}
        self._users: dict[str, list[str]] = {}
        self._acting: dict[str, list[Kustomization]] = {}
        for item in self._all.values():
            for path in item.resources | item.components | item.patches:
                self._users.setdefault(path, []).append(item.path)

    def _read(self, path: str, data: bytes) -> Kustomization:
        roots = _roots(data)
        root = roots[0] if len(roots) == 1 else None
        listed = self._listed(path, [*_texts(root, "resources"), *_texts(root, "bases")])
        patches = [
            text
            for key in _PATCHES
            for item in _items(root, key)
            for text in [item.text if isinstance(item, Scalar) else text_at(item, "path")]
            if "\n" not in text and ":" not in text
        ]
        renames = next((key for key in ("namePrefix", "nameSuffix") if text_at(root, key)), "")
        return Kustomization(
            path,
            data,
            root,
            listed,
            self._listed(path, _texts(root, "components")),
            self._listed(path, patches),
            renames,
        )

    def _listed(self, path: str, texts: Iterable[str]) -> frozenset[str]:
        found = {inside(folder_of(path), text) for text in texts if text}
        return frozenset(self._homes.get(place, place) for place in found if place is not None)

    # --- who applies what --------------------------------------------------------------------------------------------

    def _above(self, path: str) -> set[str]:
        """The kustomizations that list a file, and those that list these, and so on; the file itself, if it is one."""
        seen: set[str] = {path} if path in self._all else set()
        todo = list(self._users.get(path, ()))
        while todo:
            here = todo.pop()
            if here not in seen:
                seen.add(here)
                todo += self._users.get(here, ())
        return seen

    def _over(self, path: str) -> list[Kustomization]:
        """The kustomizations whose fields act on a file: those above it, and the components that these take in."""
        if path in self._acting:
            return self._acting[path]
        seen = self._above(path)
        todo = list(seen)
        while todo:
            here = self._all[todo.pop()]
            more = {item for item in here.components if item in self._all} - seen
            seen |= more
            todo += more
        return self._acting.setdefault(path, [self._all[item] for item in sorted(seen)])

    def grouped(self, paths: Sequence[str]) -> list[list[str]]:
        """Files that some kustomization applies together, in groups; those that none applies go with the first."""
        root: dict[str, str] = {}

        def find(item: str) -> str:
            while root.setdefault(item, item) != item:
                root[item] = item = root[root[item]]
            return item

        above = {path: sorted(self._above(path)) for path in paths}
        for items in above.values():
            for item in items:
                root[find(item)] = find(items[0])
        groups: dict[str, list[str]] = {}
        for path in sorted(paths):
            if above[path]:
                groups.setdefault(find(above[path][0]), []).append(path)
        found = list(groups.values()) or [[]]
        return [[*found[0], *(path for path in paths if not above[path])], *found[1:]]

    def applying(self, paths: Sequence[str]) -> list[Kustomization]:
        """The lowest kustomizations from which a file reaches whoever applies one of those files; where there are no
        such ones, those that apply all of them which any applies; none where that is nobody."""
        above = [found for found in map(self._above, paths) if found]
        common = self._lowest(set.intersection(*above)) if above else []
        lowest = {item.path: item for found in above for item in self._lowest(found)}
        below = [item for path, item in lowest.items() if lowest.keys() <= {path, *self._above(path)}]
        choices = [below, common, *([item] for item in lowest.values())]
        return next((choice for choice in choices if choice and not self._missed(above, choice)), common)

    def missing(self, path: str, homes: Sequence[Kustomization]) -> list[str]:
        """The kustomizations that nobody lists and that apply a file without one of these."""
        return self._missed([self._above(path)], homes)

    def _missed(self, above: Iterable[set[str]], homes: Sequence[Kustomization]) -> list[str]:
        served = {path for home in homes for path in (home.path, *self._above(home.path))}
        return sorted({path for found in above for path in found - served if path not in self._users})

    def _lowest(self, paths: set[str]) -> list[Kustomization]:
        # Whatever lists one of these is one of these too, so a look at what each lists itself is enough.
        items = [self._all[path] for path in sorted(paths)]
        return [item for item in items if not (item.resources | item.components) & paths]

    def knows(self, path: str) -> bool:
        """Whether some kustomization applies a file, or is it."""
        return path in self._users or path in self._all

    # --- what happens to it ------------------------------------------------------------------------------------------

    def renaming(self, path: str) -> Touch | None:
        """The kustomization that changes the names of this file's objects."""
        return next((Touch(item.path, item.renames) for item in self._over(path) if item.renames), None)

    def touching(self, thing: Object, objects: Iterable[Object]) -> Touch | None:
        """The kustomization that patches a Secret or ConfigMap or names it otherwise, or applies it as a patch."""
        return next((touch for item in self._over(thing.path) for touch in _touches(item, thing, objects)), None)

    def merged(self, thing: Object, objects: Iterable[Object]) -> Iterator[tuple[str, Object]]:
        """The objects that a kustomization merges with this one, as a patch of it or the other way round, with it."""
        if thing.path not in self._users:
            return
        same = [other for other in objects if (other.kind, other.name) == (thing.kind, thing.name)]
        for other in same if len(same) > 1 else ():
            if other.path != thing.path:
                shared = set(self._over(thing.path)) & set(self._over(other.path))
                for item in sorted(shared, key=lambda item: item.path):
                    if (thing.path in item.patches) != (other.path in item.patches):
                        yield item.path, other


def _touches(item: Kustomization, thing: Object, objects: Iterable[Object]) -> Iterator[Touch]:
    for key in _PATCHES:
        for patch in _items(item.root, key):
            text = patch.text if isinstance(patch, Scalar) else text_at(patch, "path") or text_at(patch, "patch")
            target = patch.get("target") if isinstance(patch, Map) else None
            place = inside(item.folder, text) if "\n" not in text and ":" not in text else None
            if place == thing.path or _is_patched(thing, place, text, target, objects):
                yield Touch(item.path, key)
    for entry in _items(item.root, "replacements"):
        targets = [text for each in _items(entry, "targets") for text in [_get(each, "select")]]
        if any(_selects(node, thing) for node in (_get(entry, "source"), *targets)):
            yield Touch(item.path, "replacements")
    for entry in _items(item.root, "vars"):
        if _selects(_get(entry, "objref"), thing):
            yield Touch(item.path, "vars")
    generator = "secretGenerator" if thing.kind == "Secret" else "configMapGenerator"
    for entry in _items(item.root, generator):
        if text_at(entry, "behavior") in ("merge", "replace") and text_at(entry, "name") == thing.name:
            yield Touch(item.path, generator)


def _is_patched(thing: Object, place: str | None, text: str, target: Node | None, objects: Iterable[Object]) -> bool:
    if isinstance(target, Map):
        kind, name = text_at(target, "kind"), text_at(target, "name")
        # What is meant for objects of any kind (a label) also finds the one that the Secret becomes.
        return _selects(target, thing) and bool(kind or _is_fixed(name) or "data" in text.lower())
    if place is not None:
        return any(other.path == place and (other.kind, other.name) == (thing.kind, thing.name) for other in objects)
    roots = _roots(text.encode("utf-8", "surrogatepass")) if thing.kind in text else []
    return any(
        text_at(root, "kind") == thing.kind and text_at(root, "metadata", "name") == thing.name for root in roots
    )


def _selects(target: Node | None, thing: Object) -> bool:
    """Whether a selector may mean an object, by its kind and name; labels are not looked at."""
    return (
        isinstance(target, Map)
        and _matches(text_at(target, "kind"), thing.kind)
        and _matches(text_at(target, "name"), thing.name)
    )


_FIXED = re.compile(r"[\w.-]+\Z")
_SIMPLE = re.compile(r"[\w.|*-]*\Z")


def _is_fixed(pattern: str) -> bool:
    return _FIXED.match(pattern) is not None


def _matches(pattern: str, text: str) -> bool:
    """Whether an anchored regular expression may match: alternatives of names with `.*`; of others that is assumed."""
    if not pattern or pattern == text:
        return True
    bare = pattern.removeprefix("^").removesuffix("$").removeprefix("(").removesuffix(")")
    plain = bare.replace(".*", "")
    if not _SIMPLE.match(bare) or "*" in plain or len(bare) > 1000:
        return True
    return any(fnmatchcase(text, part.replace(".*", "*")) for part in bare.split("|"))


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _get(node: Node | None, key: str) -> Node | None:
    return node.get(key) if isinstance(node, Map) else None


def _items(node: Node | None, key: str) -> list[Scalar | Map | Seq]:
    """The items of the list under a key."""
    listed = _get(node, key)
    return [follow(item) for item in listed.items] if isinstance(listed, Seq) else []


def _texts(node: Node | None, key: str) -> list[str]:
    return [item.text for item in _items(node, key) if isinstance(item, Scalar)]


def _roots(data: bytes) -> list[Map]:
    """The maps that a text holds as documents; none when it cannot be read."""
    try:
        roots = [follow(document.root) for document in documents(data)]
    except Unreadable:
        return []
    return [root for root in roots if isinstance(root, Map)]
