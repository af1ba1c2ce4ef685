"""What a cluster would hand the containers of some manifests, references looked up.

Read with ruamel.yaml, so that a mistake of the reader that rewriting uses is not repeated here. Sources: kubelet,
`makeEnvironmentVariables` (envFrom first, then env in order, `$(NAME)` of what is known so far, `$$` for `$`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from rewriters import fetch
from rewriters._api import Address, Delivery, Files, Lookup, Reference
from rewriters._compose_project import folder_of
from rewriters._k8s_claims import is_template, platform_of
from rewriters._k8s_cluster import Cluster, Values, pods_in
from rewriters._k8s_generators import NAMES
from rewriters._k8s_objects import CONTAINERS, STRATEGIES
from rewriters._k8s_sources import generated, resources
from rewriters._k8s_tree import Thing, Tree, at, list_in, map_in, text_in, things
from rewriters._openshift_process import parameters as given
from rewriters._openshift_process import processed
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 200_000


def effective(files: Files, lookup: Lookup, platform: str) -> tuple[Delivery, ...]:
    """What the files of a platform hand over, as all of them together are applied; files that are not YAML hand over
    nothing. Raises what `lookup` raises."""
    every: list[Thing] = []
    parameters: list[Delivery] = []
    for path in sorted(files):
        every += generated(path, files)
        for thing in things(path, files[path]):
            if is_template(text_in(thing.tree.get("apiVersion")), thing.kind):
                outside = _Outside(fetch.variables(folder_of(path), files), lookup)
                values = given(thing, outside)
                address = partial(Address, path, thing.subject, "arg")
                parameters += [Delivery(address(name), Plaintext(value.encode())) for name, value in values.items()]
                every += processed(thing, values)
            else:
                every.append(thing)
    mine = {path for path in files if platform_of(path, files[path][:4096]) == platform}
    handed = _Handed(Cluster(every, lookup))
    found = (*parameters, *handed.deliveries(), *handed.kustomized(files))
    return tuple(item for item in found if item.address.path in mine)


class _Outside(Mapping[str, str]):
    """The environment of the command that processes templates, as a fetch script sets it; read when asked for."""

    def __init__(self, variables: Mapping[str, Reference], lookup: Lookup) -> None:
        self._variables = variables
        self._lookup = lookup

    def __getitem__(self, name: str) -> str:
        return self._lookup(self._variables[name]).reveal().decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


class _Handed:
    """What the objects of a cluster hand over."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def deliveries(self) -> Iterator[Delivery]:
        yield from self._objects()
        for thing in self.cluster.things:
            if thing.kind == "BuildConfig":
                yield from self._build(thing)
        count = 0
        for thing in self.cluster.things:
            for pod, steps in pods_in(thing.tree):
                for delivery in self._pod(thing, pod, steps):
                    count += 1
                    if count <= MAX_DELIVERIES:
                        yield delivery

    def kustomized(self, files: Files) -> Iterator[Delivery]:
        """The Secrets that a kustomization makes: by a generator, or by what it lists."""
        for path in sorted(files):
            mine = {path, *resources(path, files)} if path.rpartition("/")[2] in NAMES else set()
            for (kind, name), sources in self.cluster.sources.items() if mine else ():
                for source in sorted(sources, key=lambda item: item.adds) if kind == "Secret" else ():
                    if source.thing.path in mine:
                        label = f"{source.thing.namespace}/{name}" if source.thing.namespace else name
                        for key, value in source.values.items():
                            yield Delivery(Address(path, f"{path}#Secrets/{label}", "object", key), Plaintext(value))

    def _objects(self) -> Iterator[Delivery]:
        """Secrets as objects, under the file that declares each; of two with one name the later one is applied last."""
        found: dict[Address, bytes] = {}
        for (kind, name), sources in self.cluster.sources.items():
            for source in sorted(sources, key=lambda item: item.adds) if kind == "Secret" else ():
                path, namespace = self.cluster.home(source, name), source.thing.namespace
                if path.rpartition("/")[2] in NAMES:
                    continue  # said for the kustomization, which lists what makes it later
                subject = f"{path}#Secret/{namespace}/{name}" if namespace else f"{path}#Secret/{name}"
                found |= {Address(path, subject, "object", key): value for key, value in source.values.items()}
        yield from (Delivery(address, Plaintext(value)) for address, value in found.items())

    # --- pods --------------------------------------------------------------------------------------------------------

    def _pod(self, thing: Thing, pod: dict[str, Tree], steps: str) -> Iterator[Delivery]:
        volumes = {text_in(at(item, "name")): self._volume(thing, item) for item in list_in(pod.get("volumes"))}
        for item in list_in(pod.get("imagePullSecrets")):
            name = text_in(at(item, "name"))
            for key, value in (self.cluster.find("Secret", name, thing) or {}).items():
                subject = f"{thing.subject}{steps}"
                yield Delivery(Address(thing.path, subject, "registry", f"{name}/{key}"), Plaintext(value))
        for listed in CONTAINERS:
            for index, item in enumerate(list_in(pod.get(listed))):
                if isinstance(item, dict):
                    name = text_in(item.get("name")) or str(index)
                    yield from self._container(thing, item, f"{thing.subject}{steps}/{listed}/{name}", volumes)

    def _build(self, thing: Thing) -> Iterator[Delivery]:
        """The variables of a build, and what its triggers are checked with."""
        for name in STRATEGIES:
            strategy = map_in(at(thing.tree, "spec", "strategy", name))
            for key, value in self._environment(thing, {"env": strategy.get("env")}).items():
                yield Delivery(Address(thing.path, f"{thing.subject}/{name}", "build", key), Plaintext(value))
        for index, item in enumerate(list_in(at(thing.tree, "spec", "triggers"))):
            for kind, trigger in map_in(item).items():
                secret, named = text_in(at(trigger, "secret")), text_in(at(trigger, "secretReference", "name"))
                found = self.cluster.find("Secret", named, thing) if named else None
                value = (found or {}).get("WebHookSecretKey", named.encode()) if named else secret.encode()
                if value:
                    place = Address(thing.path, f"{thing.subject}/triggers/{index}", "build", kind)
                    yield Delivery(place, Plaintext(value))

    def _container(
        self, thing: Thing, container: dict[str, Tree], subject: str, volumes: Mapping[str, Values]
    ) -> Iterator[Delivery]:
        environment = self._environment(thing, container)
        for name, value in environment.items():
            yield Delivery(Address(thing.path, subject, "env", name), Plaintext(self.cluster.injected(thing, value)))
        for listed in ("command", "args"):
            for index, item in enumerate(list_in(container.get(listed))):
                text = _expanded(text_in(item).encode(), environment)
                yield Delivery(Address(thing.path, subject, "arg", f"{listed}.{index}"), Plaintext(text))
        for mount in list_in(container.get("volumeMounts")):
            where, sub = text_in(at(mount, "mountPath")), text_in(at(mount, "subPath"))
            for key, value in volumes.get(text_in(at(mount, "name")), {}).items():
                if not sub or key == sub:
                    place = where if sub else f"{where.rstrip('/')}/{key}"
                    yield Delivery(Address(thing.path, subject, "file", place), Plaintext(value))

    def _environment(self, thing: Thing, container: dict[str, Tree]) -> Values:
        result: Values = {}
        for item in list_in(container.get("envFrom")):
            prefix = text_in(at(item, "prefix"))
            for ref, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                name = text_in(at(item, ref, "name"))
                if name:
                    found = self.cluster.find(kind, name, thing) or {}
                    result |= {prefix + key: value for key, value in found.items()}
        for item in list_in(container.get("env")):
            name, source = text_in(at(item, "name")), at(item, "valueFrom")
            if source is None:
                result[name] = _expanded(text_in(at(item, "value")).encode(), result)
            else:
                result[name] = self._from(thing, source)
        return result

    def _from(self, thing: Thing, source: Tree) -> bytes:
        for ref, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            name, key = text_in(at(source, ref, "name")), text_in(at(source, ref, "key"))
            if name:
                found = self.cluster.find(kind, name, thing)
                # What the files do not settle stays as it is written.
                return found[key] if found and key in found else f"({ref} {name} {key})".encode()
        field_path = text_in(at(source, "fieldRef", "fieldPath")) or text_in(at(source, "resourceFieldRef", "resource"))
        return f"(field {field_path})".encode()

    def _volume(self, thing: Thing, volume: Tree) -> Values:
        result: Values = {}
        for source in [volume, *list_in(at(volume, "projected", "sources"))]:
            for ref, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                name = text_in(at(source, ref, "name")) or text_in(at(source, ref, "secretName"))
                found = (self.cluster.find(kind, name, thing) if name else None) or {}
                items = list_in(at(source, ref, "items"))
                paths = {text_in(at(item, "key")): text_in(at(item, "path")) for item in items}
                result |= {paths.get(key, key): value for key, value in found.items() if not items or key in paths}
        return result


_TOKEN = re.compile(rb"\$(?:\$|\(([^)]*)\))")


def _expanded(text: bytes, known: Mapping[str, bytes]) -> bytes:
    """`$(NAME)` as the kubelet expands it: names that are not known stay as they are written."""

    def put(match: re.Match[bytes]) -> bytes:
        if match[1] is None:
            return b"$"
        return known.get(match[1].decode("utf-8", "replace"), match[0])

    return _TOKEN.sub(put, text)
