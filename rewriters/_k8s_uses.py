"""Who uses a Secret or a ConfigMap: the places of pods that name one.

Source: Kubernetes API reference, PodSpec v1 (EnvVarSource, EnvFromSource, volumes, imagePullSecrets).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from rewriters._k8s_objects import CONTAINERS, STRATEGIES, Object, follow, text_at
from rewriters._k8s_vault import same_namespace
from rewriters._yaml import Map, Node, Scalar, Seq

__all__ = ["Pod", "Use", "mentions", "nearest", "pods", "uses"]

How = Literal["env", "envFrom", "volume", "projected", "pull"]


@dataclass(frozen=True, slots=True, eq=False)
class Pod:
    """A map with a list of containers, whatever kind of object it is in; or the strategy of a `build`, which is its own
    container."""

    object: Object
    spec: Map = field(repr=False)
    containers: tuple[Map, ...] = field(repr=False)
    build: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """`ref` is the map that names the object, `holder` the one with `ref` under `field`; `container` is `None` for what
    belongs to the pod. `items` is the list that holds the holder."""

    pod: Pod
    container: Map | None
    how: How
    field: str
    ref: Map
    holder: Map
    items: Seq


def pods(thing: Object) -> list[Pod]:
    """Every pod specification of an object, also of kinds that are not known."""
    found: list[Pod] = []
    todo: list[Node] = [thing.root]
    seen: set[int] = set()
    while todo:
        node = follow(todo.pop())
        if isinstance(node, Scalar) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Seq):
            todo += reversed(node.items)
            continue
        entries = node.entries()
        lists = [follow(entries[name][1]) for name in CONTAINERS if name in entries]
        inner = [follow(item) for items in lists if isinstance(items, Seq) for item in items.items]
        containers = tuple(item for item in inner if isinstance(item, Map))
        if containers:
            found.append(Pod(thing, node, containers))
        todo += reversed([value for _, value in node.pairs])
    return found + _builds(thing)


def _builds(thing: Object) -> list[Pod]:
    if thing.kind != "BuildConfig":
        return []
    spec = thing.root.get("spec")
    strategy = spec.get("strategy") if isinstance(spec, Map) else None
    nodes = [strategy.get(name) for name in STRATEGIES] if isinstance(strategy, Map) else []
    return [Pod(thing, node, (node,), build=True) for node in nodes if isinstance(node, Map)]


def uses(objects: Iterable[Object], kind: Literal["Secret", "ConfigMap"], name: str, namespace: str) -> list[Use]:
    """The places of all pods that name this object and may be of its namespace."""
    near = [thing for thing in objects if same_namespace(thing.namespace, namespace)]
    return [use for thing in near for pod in pods(thing) for use in _of_pod(pod, kind) if _named(use, name)]


def _named(use: Use, name: str) -> bool:
    return text_at(use.ref, "secretName" if use.field == "secret" and use.how == "volume" else "name") == name


def _of_pod(pod: Pod, kind: str) -> Iterator[Use]:
    prefix = "secret" if kind == "Secret" else "configMap"
    for container in pod.containers:
        for items, item in _maps(container, "env"):
            source = item.get("valueFrom")
            ref = source.get(f"{prefix}KeyRef") if isinstance(source, Map) else None
            if isinstance(source, Map) and isinstance(ref, Map):
                yield Use(pod, container, "env", f"{prefix}KeyRef", ref, source, items)
        for items, item in _maps(container, "envFrom"):
            ref = item.get(f"{prefix}Ref")
            if isinstance(ref, Map):
                yield Use(pod, container, "envFrom", f"{prefix}Ref", ref, item, items)
    for items, item in _maps(pod.spec, "volumes"):
        ref = item.get(prefix)
        if isinstance(ref, Map):
            yield Use(pod, None, "volume", prefix, ref, item, items)
        for sources, source in _maps(item.get("projected"), "sources"):
            ref = source.get(prefix)
            if isinstance(ref, Map):
                yield Use(pod, None, "projected", prefix, ref, source, sources)
    if kind == "Secret":
        for items, item in _maps(pod.spec, "imagePullSecrets"):
            yield Use(pod, None, "pull", "", item, item, items)


def _maps(node: Node | None, key: str) -> Iterator[tuple[Seq, Map]]:
    """The maps of the list under a key."""
    items = node.get(key) if isinstance(node, Map) else None
    if isinstance(items, Seq):
        for item in items.items:
            target = follow(item)
            if isinstance(target, Map):
                yield items, target


def mentions(thing: Object, name: str) -> bool:
    """Whether a field of an object whose own name speaks of ConfigMaps names this one, outside of pods' own fields."""
    known = ("configMapKeyRef", "configMapRef", "configMap")
    todo: list[tuple[Node, str]] = [(thing.root, "")]
    seen: set[int] = set()
    while todo:
        node, field_name = todo.pop()
        node = follow(node)
        if isinstance(node, Scalar):
            if node.text == name and "configmap" in field_name.lower():
                return True
        elif id(node) not in seen:
            seen.add(id(node))
            if isinstance(node, Seq):
                todo += [(item, field_name) for item in node.items]
            elif field_name not in known:
                todo += [(value, key.text) for key, value in node.pairs if isinstance(key, Scalar)]
    return False


class _Placed(Protocol):
    @property
    def path(self) -> str: ...


_T = TypeVar("_T", bound=_Placed)


def nearest(path: str, candidates: Iterable[_T]) -> _T | None:
    """The candidate that a manifest at this path means: of the same file, else of the nearest folder; `None` if that
    are several."""
    ranked: dict[tuple[int, int], list[_T]] = {}
    here = path.split("/")
    for thing in candidates:
        there = thing.path.split("/")
        shared = 0
        while shared < min(len(here), len(there)) and here[shared] == there[shared]:
            shared += 1
        ranked.setdefault((-shared, len(there)), []).append(thing)
    best = ranked[min(ranked)] if ranked else []
    return best[0] if len(best) == 1 else None
