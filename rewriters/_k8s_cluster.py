"""The objects of some manifests as an API server would hold them, and what the operators fill Secrets with.

Sources: External Secrets `external-secrets.io/v1`; Secrets Store CSI driver, `secretObjects`; akv2k8s, `spv.no`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from rewriters._api import Lookup, Reference
from rewriters._compose_project import folder_of
from rewriters._k8s_akv import INJECTED
from rewriters._k8s_objects import CONTAINERS
from rewriters._k8s_tree import Thing, Tree, at, composed, list_in, map_in, text_in
from rewriters._k8s_uses import nearest
from rewriters._k8s_vault import same_namespace

__all__ = ["Cluster", "Source", "Values", "pods_in"]

Values = dict[str, bytes]
_ONLY_KEYS = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/ssh-auth": "ssh-privatekey",
}
"""The keys that akv2k8s fills in Secrets of these types."""


class Cluster:
    """The objects of all files, as an API server would hold them."""

    def __init__(self, every: list[Thing], lookup: Lookup) -> None:
        self.things = every
        self.lookup = lookup
        self.mounted = {name for thing in every for pod, _ in pods_in(thing.tree) for name in _classes(pod)}
        self.sources: dict[tuple[str, str], list[Source]] = {}
        for thing in every:
            for kind, name, made in self._made(thing):
                merges = at(thing.tree, "spec", "target", "creationPolicy") == "Merge"
                self.sources.setdefault((kind, name), []).append(Source(thing, made, merges))
        for (_, name), sources in self.sources.items():
            _share(name, sources)

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

    def injected(self, thing: Thing, text: bytes) -> bytes:
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

    def find(self, kind: str, name: str, thing: Thing) -> Values | None:
        """The content of an object by its name, as seen by a pod; `None` when it is not known which one that is."""
        homes: dict[str, list[Source]] = {}
        for source in self.sources.get((kind, name), ()):
            if same_namespace(source.thing.namespace, thing.namespace):
                homes.setdefault(self.home(source, name), []).append(source)
        best = nearest(thing.path, map(_Home, homes))
        mine = homes[best.path] if best else []
        makers = [source for source in mine if not source.adds]
        if len(makers) != 1:
            return None
        # One Secret may be filled by several: what others merge into it comes last.
        return {key: value for source in (*makers, *mine) for key, value in source.values.items()}

    def home(self, source: Source, name: str) -> str:
        """The file that declares what a source fills: another one where it only adds to a Secret."""
        if not source.adds:
            return source.thing.path
        makers = [item.thing for item in self.sources["Secret", name] if not item.adds]
        home = nearest(source.thing.path, makers)
        return home.path if home else source.thing.path


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What fills an object of some name. `adds` says that it only adds to one that another makes."""

    thing: Thing
    values: Values = field(repr=False)
    adds: bool


def _share(name: str, sources: list[Source]) -> None:
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


def pods_in(tree: dict[str, Tree]) -> list[tuple[dict[str, Tree], str]]:
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
