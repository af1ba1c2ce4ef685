"""What a cluster would hand the containers of some manifests, references looked up.

Read with ruamel.yaml, so that a mistake of the reader that rewriting uses is not repeated here. Sources: kubelet,
`makeEnvironmentVariables` (envFrom first, then env in order, `$(NAME)` of what is known so far, `$$` for `$`); External
Secrets `external-secrets.io/v1`; Secrets Store CSI driver, `secretObjects`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from rewriters import fetch
from rewriters._api import Address, Delivery, Files, Lookup, Reference
from rewriters._compose_project import folder_of
from rewriters._k8s_akv import INJECTED
from rewriters._k8s_claims import is_template, platform_of
from rewriters._k8s_generators import NAMES
from rewriters._k8s_objects import CONTAINERS, STRATEGIES
from rewriters._k8s_sources import generated, resources
from rewriters._k8s_tree import Thing, Tree, at, composed, list_in, map_in, text_in, things
from rewriters._k8s_uses import nearest
from rewriters._k8s_vault import same_namespace
from rewriters._openshift_process import parameters as given
from rewriters._openshift_process import processed
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

Values = dict[str, bytes]
_ONLY_KEYS = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/ssh-auth": "ssh-privatekey",
}
"""The keys that akv2k8s fills in Secrets of these types."""
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
    cluster = _Cluster(every, lookup)
    found = (*parameters, *cluster.deliveries(), *cluster.kustomized(files))
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


class _Cluster:
    """The objects of all files, as an API server would hold them."""

    def __init__(self, every: list[Thing], lookup: Lookup) -> None:
        self.things = every
        self.lookup = lookup
        self.mounted = {name for thing in every for pod, _ in _pods(thing.tree) for name in _classes(pod)}
        self.sources: dict[tuple[str, str], list[_Source]] = {}
        for thing in every:
            for kind, name, made in self._made(thing):
                merges = at(thing.tree, "spec", "target", "creationPolicy") == "Merge"
                self.sources.setdefault((kind, name), []).append(_Source(thing, made, merges))
        for (_, name), sources in self.sources.items():
            _share(name, sources)

    def deliveries(self) -> Iterator[Delivery]:
        yield from self._objects()
        for thing in self.things:
            if thing.kind == "BuildConfig":
                yield from self._build(thing)
        count = 0
        for thing in self.things:
            for pod, steps in _pods(thing.tree):
                for delivery in self._pod(thing, pod, steps):
                    count += 1
                    if count <= MAX_DELIVERIES:
                        yield delivery

    def kustomized(self, files: Files) -> Iterator[Delivery]:
        """The Secrets that a kustomization makes: by a generator, or by what it lists."""
        for path in sorted(files):
            mine = {path, *resources(path, files)} if path.rpartition("/")[2] in NAMES else set()
            for (kind, name), sources in self.sources.items() if mine else ():
                for source in sorted(sources, key=lambda item: item.adds) if kind == "Secret" else ():
                    if source.thing.path in mine:
                        label = f"{source.thing.namespace}/{name}" if source.thing.namespace else name
                        for key, value in source.values.items():
                            yield Delivery(Address(path, f"{path}#Secrets/{label}", "object", key), Plaintext(value))

    # --- what makes Secrets and ConfigMaps ---------------------------------------------------------------------------

    def _made(self, thing: Thing) -> Iterator[tuple[str, str, Values]]:
        tree = thing.tree
        if thing.kind == "ConfigMap":
            data = {name: text_in(value).encode() for name, value in map_in(tree.get("data")).items()}
            yield "ConfigMap", thing.name, _decoded(map_in(tree.get("binaryData"))) | data
        elif thing.kind == "Secret":
            text = {name: text_in(value).encode() for name, value in map_in(tree.get("stringData")).items()}
            yield "Secret", thing.name, _decoded(map_in(tree.get("data"))) | text
        elif thing.kind == "ExternalSecret":
            url = self._url(thing)
            values: Values = {}
            for item in list_in(at(tree, "spec", "data")):
                remote = at(item, "remoteRef")
                if url and not at(remote, "property"):
                    values[text_in(at(item, "secretKey"))] = self._read(
                        url, text_in(at(remote, "key")), text_in(at(remote, "version"))
                    )
            name = text_in(at(tree, "spec", "target", "name")) or thing.name
            if not at(tree, "spec", "target", "template", "data"):
                yield "Secret", name, values
        elif thing.kind == "AzureKeyVaultSecret":
            name, key, value = self._of_akv(thing)
            if name:
                yield "Secret", name, {key: value}
        # The driver makes a Secret only while some pod mounts its class.
        elif (
            thing.kind == "SecretProviderClass"
            and thing.name in self.mounted
            and text_in(at(tree, "spec", "provider")) == "azure"
        ):
            yield from self._by_driver(thing)

    def _by_driver(self, thing: Thing) -> Iterator[tuple[str, str, Values]]:
        parameters = at(thing.tree, "spec", "parameters")
        cloud = text_in(at(parameters, "cloudName"))
        suffix = {"AzureChinaCloud": "vault.azure.cn", "AzureUSGovernmentCloud": "vault.usgovcloudapi.net"}
        url = f"https://{text_in(at(parameters, 'keyvaultName'))}.{suffix.get(cloud, 'vault.azure.net')}"
        known: dict[str, tuple[str, str]] = {}
        for item in _inner(text_in(at(parameters, "objects"))):
            name = text_in(at(item, "objectName"))
            known[text_in(at(item, "objectAlias")) or name] = (name, text_in(at(item, "objectVersion")))
        for made in list_in(at(thing.tree, "spec", "secretObjects")):
            values: Values = {}
            for item in list_in(at(made, "data")):
                name, version = known.get(text_in(at(item, "objectName")), ("", ""))
                if name:
                    values[text_in(at(item, "key"))] = self._read(url, name, version)
            yield "Secret", text_in(at(made, "secretName")), values

    def _of_akv(self, thing: Thing) -> tuple[str, str, bytes]:
        """The Secret and its key that an object of akv2k8s fills, if it does, and with what."""
        vault, output = at(thing.tree, "spec", "vault"), at(thing.tree, "spec", "output", "secret")
        if at(vault, "object", "type") != "secret":
            return "", "", b""
        name, version = text_in(at(vault, "object", "name")), text_in(at(vault, "object", "version"))
        value = self._read(f"https://{text_in(at(vault, 'name'))}.vault.azure.net", name, version)
        key = _ONLY_KEYS.get(text_in(at(output, "type"))) or text_in(at(output, "dataKey"))
        return text_in(at(output, "name")), key, value

    def _injected(self, thing: Thing, text: bytes) -> bytes:
        """The value that the injector of akv2k8s gives a variable, or the text as it is."""
        match = INJECTED.match(text.decode("utf-8", "replace")) if text.endswith(b"@azurekeyvault") else None
        same = [
            other
            for other in (self.things if match else ())
            if (other.kind, other.name) == ("AzureKeyVaultSecret", match["name"] if match else "")
            and same_namespace(other.namespace, thing.namespace)
        ]
        found = nearest(thing.path, same)
        return self._of_akv(found)[2] or text if found else text

    def _read(self, url: str, name: str, version: str) -> bytes:
        return self.lookup(Reference(url, name, version)).reveal()

    def _url(self, thing: Thing) -> str:
        """The vault behind the store that an ExternalSecret names."""
        ref = at(thing.tree, "spec", "secretStoreRef")
        kind, name = text_in(at(ref, "kind")) or "SecretStore", text_in(at(ref, "name"))
        stores = [
            store
            for store in self.things
            if (store.kind, store.name) == (kind, name)
            and (kind == "ClusterSecretStore" or same_namespace(store.namespace, thing.namespace))
        ]
        urls = {text_in(at(store.tree, "spec", "provider", "azurekv", "vaultUrl")).rstrip("/") for store in stores}
        if len(urls) > 1:
            store = nearest(thing.path, stores)
            return text_in(at(store.tree, "spec", "provider", "azurekv", "vaultUrl")).rstrip("/") if store else ""
        return urls.pop() if urls else ""

    def _find(self, kind: str, name: str, thing: Thing) -> Values | None:
        """The content of an object by its name, as seen by a pod; `None` when it is not known which one that is."""
        homes: dict[str, list[_Source]] = {}
        for source in self.sources.get((kind, name), ()):
            if same_namespace(source.thing.namespace, thing.namespace):
                homes.setdefault(self._home(source, name), []).append(source)
        best = nearest(thing.path, map(_Home, homes))
        mine = homes[best.path] if best else []
        makers = [source for source in mine if not source.adds]
        if len(makers) != 1:
            return None
        # One Secret may be filled by several: what others merge into it comes last.
        return {key: value for source in (*makers, *mine) for key, value in source.values.items()}

    def _home(self, source: _Source, name: str) -> str:
        """The file that declares what a source fills: another one where it only adds to a Secret."""
        if not source.adds:
            return source.thing.path
        makers = [item.thing for item in self.sources["Secret", name] if not item.adds]
        home = nearest(source.thing.path, makers)
        return home.path if home else source.thing.path

    def _objects(self) -> Iterator[Delivery]:
        """Secrets as objects, under the file that declares each; of two with one name the later one is applied last."""
        found: dict[Address, bytes] = {}
        for (kind, name), sources in self.sources.items():
            for source in sorted(sources, key=lambda item: item.adds) if kind == "Secret" else ():
                path, namespace = self._home(source, name), source.thing.namespace
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
            for key, value in (self._find("Secret", name, thing) or {}).items():
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
                found = self._find("Secret", named, thing) if named else None
                value = (found or {}).get("WebHookSecretKey", named.encode()) if named else secret.encode()
                if value:
                    place = Address(thing.path, f"{thing.subject}/triggers/{index}", "build", kind)
                    yield Delivery(place, Plaintext(value))

    def _container(
        self, thing: Thing, container: dict[str, Tree], subject: str, volumes: Mapping[str, Values]
    ) -> Iterator[Delivery]:
        environment = self._environment(thing, container)
        for name, value in environment.items():
            yield Delivery(Address(thing.path, subject, "env", name), Plaintext(self._injected(thing, value)))
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
                    found = self._find(kind, name, thing) or {}
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
                found = self._find(kind, name, thing)
                # What the files do not settle stays as it is written.
                return found[key] if found and key in found else f"({ref} {name} {key})".encode()
        field_path = text_in(at(source, "fieldRef", "fieldPath")) or text_in(at(source, "resourceFieldRef", "resource"))
        return f"(field {field_path})".encode()

    def _volume(self, thing: Thing, volume: Tree) -> Values:
        result: Values = {}
        for source in [volume, *list_in(at(volume, "projected", "sources"))]:
            for ref, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                name = text_in(at(source, ref, "name")) or text_in(at(source, ref, "secretName"))
                found = (self._find(kind, name, thing) if name else None) or {}
                items = list_in(at(source, ref, "items"))
                paths = {text_in(at(item, "key")): text_in(at(item, "path")) for item in items}
                result |= {paths.get(key, key): value for key, value in found.items() if not items or key in paths}
        return result


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """What fills an object of some name. `adds` says that it only adds to one that another makes."""

    thing: Thing
    values: Values = field(repr=False)
    adds: bool


def _share(name: str, sources: list[_Source]) -> None:
    """Objects of akv2k8s fill one Secret together: the first of a folder makes it, unless a manifest of it
    does.

    The first is the one with the Secret's own name, if there is one.
    """
    others = [source.thing for source in sources if source.thing.kind != "AzureKeyVaultSecret" and not source.adds]
    makers: dict[str, int] = {}
    for index, source in enumerate(sources):
        if source.thing.kind == "AzureKeyVaultSecret":
            sources[index] = replace(source, adds=True)
            folder = f"{source.thing.namespace}/{source.thing.path.rpartition('/')[0]}"
            if source.thing.name == name or folder not in makers:
                makers[folder] = index
    for index in makers.values():
        thing = sources[index].thing
        near = [other for other in others if folder_of(other.path) == folder_of(thing.path)]
        if not any(same_namespace(other.namespace, thing.namespace) for other in near):
            sources[index] = replace(sources[index], adds=False)


@dataclass(frozen=True, slots=True)
class _Home:
    path: str


def _decoded(data: Mapping[str, Tree]) -> Values:
    result: Values = {}
    for name, text in data.items():
        try:
            result[name] = base64.b64decode(text_in(text).translate({10: None, 13: None}), validate=True)
        except (binascii.Error, ValueError):
            result[name] = text_in(text).encode()
    return result


def _inner(text: str) -> Iterator[Tree]:
    """The items of a provider's `objects`: YAML in a text, each item again YAML in a text."""
    for node in composed(text):
        for item in list_in(at(node, "array")):
            yield from composed(text_in(item)) if isinstance(item, str) else [item]


def _pods(tree: dict[str, Tree]) -> list[tuple[dict[str, Tree], str]]:
    """Every map with a list of containers, numbered from the second one on."""
    found: list[tuple[dict[str, Tree], str]] = []
    todo: list[Tree] = [tree]
    seen: set[int] = set()
    while todo:
        node = todo.pop()
        if not isinstance(node, dict | list) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, list):
            todo += reversed(node)
            continue
        if any(isinstance(item, dict) for name in CONTAINERS for item in list_in(node.get(name))):
            found.append((node, f"/{len(found) + 1}" if found else ""))
        todo += reversed(list(node.values()))
    return found


def _classes(pod: dict[str, Tree]) -> Iterator[str]:
    """The names of the provider classes that a container of the pod mounts."""
    mounts = {
        text_in(at(mount, "name"))
        for listed in CONTAINERS
        for container in list_in(pod.get(listed))
        for mount in list_in(at(container, "volumeMounts"))
    }
    for volume in list_in(pod.get("volumes")):
        if text_in(at(volume, "name")) in mounts and at(volume, "csi", "driver") == "secrets-store.csi.k8s.io":
            yield text_in(at(volume, "csi", "volumeAttributes", "secretProviderClass"))


_TOKEN = re.compile(rb"\$(?:\$|\(([^)]*)\))")


def _expanded(text: bytes, known: Mapping[str, bytes]) -> bytes:
    """`$(NAME)` as the kubelet expands it: names that are not known stay as they are written."""

    def put(match: re.Match[bytes]) -> bytes:
        if match[1] is None:
            return b"$"
        return known.get(match[1].decode("utf-8", "replace"), match[0])

    return _TOKEN.sub(put, text)
