"""The objects through which a cluster reads a vault: External Secrets and the Secrets Store CSI driver.

Sources: External Secrets Operator, CRDs of `external-secrets.io/v1` and the provider page for Azure Key Vault; Secrets
Store CSI driver `secrets-store.csi.x-k8s.io/v1` and the documentation of its Azure provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rewriters._api import Companion, Reference, Settings
from rewriters._k8s_objects import Manifest, Object, follow, text_at
from rewriters._k8s_text import Style, Tree, block
from rewriters._yaml import Map, Node, Scalar, Seq

__all__ = ["AKV", "CSI", "ESO", "Entry", "Unfit", "Vaults", "common", "same_namespace", "strings"]

ESO, CSI, AKV = "external-secrets", "secrets-store-csi", "akv2k8s"

_CLOUDS = {
    "vault.azure.net": ("", ""),
    "vault.azure.cn": ("ChinaCloud", "AzureChinaCloud"),
    "vault.usgovcloudapi.net": ("USGovernmentCloud", "AzureUSGovernmentCloud"),
}
_CLIENT = "azure.workload.identity/client-id"
_TENANT = "azure.workload.identity/tenant-id"
_READER = "keyvault-reader"


class Unfit(Exception):
    """What is asked cannot be done: the reason, and the alternative."""

    def __init__(self, reason: str, alternative: str, needs: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.alternative = alternative
        self.needs = needs


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a Secret, and the vault's secret that fills it."""

    key: str
    reference: Reference


@dataclass(frozen=True, slots=True)
class _Store:
    kind: str
    name: str
    namespace: str
    url: str


def same_namespace(one: str, other: str) -> bool:
    """Whether two objects may be of one namespace; one that names none gets it when it is applied."""
    return one == other or not one or not other


class Vaults:
    """What the given files already have to reach a vault with, and what has to be made."""

    def __init__(self, manifests: Iterable[Manifest], settings: Settings) -> None:
        self.settings = settings
        self.objects = [thing for manifest in manifests for thing in manifest.objects]
        self._logins: dict[str, list[Object]] = {}
        for thing in self.objects:
            for name in _login_names(thing.root):
                self._logins.setdefault(name, []).append(thing)
        self.paths = {manifest.path for manifest in manifests}
        self.unclear = {manifest.path for manifest in manifests if manifest.repeated}
        apis = {thing.api for thing in self.objects if thing.api.startswith("external-secrets.io/")}
        # A cluster whose manifests are of the older version alone does not serve the newer one.
        self.api = (
            "external-secrets.io/v1beta1" if apis == {"external-secrets.io/v1beta1"} else "external-secrets.io/v1"
        )
        self.used: dict[tuple[str, str], list[str]] = {}
        self.class_api = "secrets-store.csi.x-k8s.io/v1"
        self.target = self._target()

    def _target(self) -> str:
        if self.settings.kubernetes_target != "auto":
            return self.settings.kubernetes_target
        if any(thing.api.startswith("external-secrets.io/") for thing in self.objects):
            return ESO
        if self._classes():
            return CSI
        return AKV if any(thing.api.startswith("spv.no/") for thing in self.objects) else ESO

    def _classes(self) -> list[Object]:
        return [
            thing
            for thing in self.objects
            if thing.kind == "SecretProviderClass" and text_at(thing.root, "spec", "provider") == "azure"
        ]

    def opened_with(self, secret: Object) -> bool:
        """Whether a store or a volume of the driver logs in to a vault with this Secret."""
        return any(
            same_namespace(thing.namespace, secret.namespace) or thing.kind == "ClusterSecretStore"
            for thing in self._logins.get(secret.name, ())
        )

    def operators(self) -> list[str]:
        """What the cluster needs for the target, for people."""
        if self.target == ESO:
            return ["the cluster needs the External Secrets Operator"]
        if self.target == AKV:
            return [
                "the cluster needs akv2k8s",
                "the identity of akv2k8s needs the role Key Vault Secrets User on each secret that its objects name",
            ]
        return [
            "the cluster needs the Secrets Store CSI driver with its Azure provider and with sync to Secrets enabled",
            "each pod's ServiceAccount needs a federated credential of the identity that the SecretProviderClass names",
        ]

    # --- External Secrets --------------------------------------------------------------------------------------------

    def _stores(self) -> list[_Store]:
        return [
            _Store(thing.kind, thing.name, "" if thing.kind == "ClusterSecretStore" else thing.namespace, url)
            for thing in self.objects
            if thing.kind in ("SecretStore", "ClusterSecretStore") and thing.path not in self.unclear
            for url in [text_at(thing.root, "spec", "provider", "azurekv", "vaultUrl").rstrip("/").lower()]
            if url
        ]

    def store(self, url: str, namespace: str, path: str) -> Mapping[str, str]:
        """The reference to the store that reads this vault for a namespace. Raises `Unfit`."""
        there = [
            store
            for store in self._stores()
            if store.url == url.lower() and (store.kind[0] == "C" or same_namespace(store.namespace, namespace))
        ]
        chosen = self.settings.secret_store
        if chosen:
            kind, _, name = chosen.rpartition("/")
            there = [store for store in there if store.name == name and kind in ("", store.kind)]
            if not there:
                raise Unfit(
                    f"no store {chosen} that reads {url} is in the given files",
                    "add the store's manifest to the tree, or leave the setting out to have a store made",
                )
        # The nearest kind first: of the same namespace, of any, of the cluster.
        there.sort(key=lambda store: (store.kind[0] == "C", store.namespace != namespace, store.name))
        if there:
            return {"kind": there[0].kind, "name": there[0].name}
        self.used.setdefault((url, namespace), []).append(path)
        return {"kind": "SecretStore", "name": _store_name(url)}

    def companions(
        self, grouped: Callable[[Sequence[str]], list[list[str]]], folder_for: Callable[[Sequence[str]], str]
    ) -> tuple[list[tuple[Companion, list[str]]], list[str]]:
        """The stores that have to be made, each with the files that need it, and what people have to know of them.

        `grouped` parts files that are not applied together, `folder_for` says where a file for some others stands.
        """
        made: list[tuple[Companion, list[str]]] = []
        notes: list[str] = []
        several = len({url for url, _ in self.used}) > 1
        taken = set(self.paths)
        needs = [(*key, group) for key, paths in sorted(self.used.items()) for group in grouped(paths)]
        for url, namespace, paths in needs:
            name = _store_name(url)
            parts = ["secret-store", *([name] if several else []), *([namespace] if namespace else [])]
            folder = folder_for(paths)
            path = f"{folder}{'-'.join(parts)}.yaml"
            number = 2
            while path in taken:
                path, number = f"{folder}{'-'.join(parts)}-{number}.yaml", number + 1
            taken.add(path)
            account, trees = self._account(namespace)
            trees.append(self._store(url, namespace, name, account))
            content = "---\n".join(block(tree, 0, Style()) + "\n" for tree in trees)
            note = f"apply {path} before the manifests that read {url} through it"
            made.append((Companion(path, content.encode(), note), paths))
            if account == _READER and not (self.settings.client_id and self.settings.tenant_id):
                notes.append(
                    f"the store of {path} reads the vault as ServiceAccount {account}, which needs a federated "
                    f"credential and the annotations {_CLIENT} and {_TENANT}: give --client-id and --tenant-id "
                    "to have it written"
                )
        if self.used:
            urls = ", ".join(sorted({url for url, _ in self.used}))
            notes.append(f"the store's identity needs the role Key Vault Secrets User on {urls}")
        return made, notes

    def _account(self, namespace: str) -> tuple[str, list[Mapping[str, Tree]]]:
        """The ServiceAccount that the store reads as, and its manifest when it has to be made."""
        client, tenant = self.settings.client_id, self.settings.tenant_id
        for thing in self.objects:
            mine = text_at(thing.root, "metadata", "annotations", _CLIENT)
            near = thing.kind == "ServiceAccount" and same_namespace(thing.namespace, namespace)
            if near and mine and client in ("", mine):
                return thing.name, []
        if not client:
            return _READER, []
        annotations = {_CLIENT: client} | ({_TENANT: tenant} if tenant else {})
        where = {"namespace": namespace} if namespace else {}
        metadata: Mapping[str, Tree] = {"name": _READER, **where, "annotations": annotations}
        return _READER, [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}]

    def _store(self, url: str, namespace: str, name: str, account: str) -> Mapping[str, Tree]:
        cloud = _cloud(url)[0]
        provider: dict[str, Tree] = {"vaultUrl": url, "authType": "WorkloadIdentity"}
        if cloud:
            provider["environmentType"] = cloud
        provider["serviceAccountRef"] = {"name": account}
        return {
            "apiVersion": self.api,
            "kind": "SecretStore",
            "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
            "spec": {"provider": {"azurekv": provider}},
        }

    def external_spec(
        self, thing: Object, secret: str, entries: Sequence[Entry], policy: str, shape: Mapping[str, Tree]
    ) -> dict[str, Tree]:
        """The spec of an ExternalSecret up to its data. `shape` adds to the target. Raises `Unfit`."""
        urls = {entry.reference.vault_url for entry in entries}
        if len(urls) > 1:
            raise Unfit("one ExternalSecret reads one vault", "move the keys of this object into one vault")
        store = self.store(urls.pop(), thing.namespace, thing.path)
        target: dict[str, Tree] = {"name": secret, "creationPolicy": policy, **shape}
        return {"refreshInterval": "1h0m0s", "secretStoreRef": store, "target": target}

    @staticmethod
    def external_data(entries: Iterable[Entry]) -> list[Tree]:
        """The data of an ExternalSecret."""
        return [
            {
                "secretKey": entry.key,
                "remoteRef": {"key": entry.reference.name}
                | ({"version": entry.reference.version} if entry.reference.version else {}),
            }
            for entry in entries
        ]

    # --- Secrets Store CSI -------------------------------------------------------------------------------------------

    def class_spec(
        self, secret: str, entries: Sequence[Entry], kind: str, labels: Mapping[str, str]
    ) -> dict[str, Tree]:
        """The spec of a SecretProviderClass that also makes a Secret. Raises `Unfit`."""
        urls = {entry.reference.vault_url for entry in entries}
        first = entries[0].reference
        _, cloud = _cloud(first.vault_url)
        if len(urls) > 1 or not _known(first.vault_url):
            raise Unfit("the driver reaches one vault by its name in an Azure cloud", "use --target external-secrets")
        parameters: dict[str, Tree] = {"usePodIdentity": "false", **self._identity(), "keyvaultName": first.vault_name}
        if cloud:
            parameters["cloudName"] = cloud
        objects: list[str] = []
        data: list[Tree] = []
        for entry in entries:
            item = entry.reference
            alias = f"{item.name}-{item.version}" if item.version else item.name
            text = f"  - |\n    objectName: {item.name}\n    objectType: secret\n"
            if item.version:
                text += f"    objectVersion: {item.version}\n    objectAlias: {alias}\n"
            if text not in objects:
                objects.append(text)
            data.append({"objectName": alias, "key": entry.key})
        parameters["objects"] = "array:\n" + "".join(objects)
        made: dict[str, Tree] = {"secretName": secret, "type": kind or "Opaque"}
        if labels:
            made["labels"] = labels
        return {"provider": "azure", "parameters": parameters, "secretObjects": [{**made, "data": data}]}

    def _identity(self) -> dict[str, Tree]:
        """Who reads the vault: as the settings say, else as the first class of the files does. Raises `Unfit`."""
        found: dict[str, str] = {}
        for thing in self._classes():
            for name in ("clientID", "tenantID", "tenantId", "useVMManagedIdentity", "userAssignedIdentityID"):
                value = text_at(thing.root, "spec", "parameters", name)
                if value:
                    found.setdefault("tenantID" if name == "tenantId" else name, value)
        if self.settings.client_id:
            found = {"clientID": self.settings.client_id} | {k: v for k, v in found.items() if k == "tenantID"}
        if self.settings.tenant_id:
            found["tenantID"] = self.settings.tenant_id
        missing = [
            option
            for option, known in (
                ("--tenant-id", "tenantID" in found),
                ("--client-id", "clientID" in found or found.get("useVMManagedIdentity") == "true"),
            )
            if not known
        ]
        if missing:
            raise Unfit(
                "a SecretProviderClass names the tenant and the identity, and no file here says them",
                f"give {' and '.join(missing)}, or choose the target external-secrets",
            )
        return dict(found)


def _login_names(root: Map) -> set[str]:
    """The Secrets that a store or a volume of the driver logs in with."""
    names: set[str] = set()
    todo: list[tuple[Node, bool]] = [(root, False)]
    seen: set[tuple[int, bool]] = set()
    while todo:
        node, login = todo.pop()
        node = follow(node)
        if isinstance(node, Scalar) or (id(node), login) in seen:
            continue
        seen.add((id(node), login))
        if isinstance(node, Seq):
            todo += [(item, login) for item in node.items]
            continue
        if login:
            names.add(text_at(node, "name"))
        logins = ("authSecretRef", "nodePublishSecretRef")
        todo += [(value, login or _text(key) in logins) for key, value in node.pairs]
    return names


def _text(node: Node) -> str:
    """The text of a scalar, nothing for other nodes."""
    return node.text if isinstance(node, Scalar) else ""


_HOST = re.compile(r"https://[A-Za-z0-9-]+\.(vault\.[a-z.]+)\Z")


def _known(url: str) -> bool:
    match = _HOST.match(url)
    return match is not None and match[1] in _CLOUDS


def _cloud(url: str) -> tuple[str, str]:
    match = _HOST.match(url)
    return _CLOUDS.get(match[1], ("", "")) if match else ("", "")


def _store_name(url: str) -> str:
    """A name for the store: that of the vault, with letters that the API takes."""
    return "keyvault-" + Reference(url, "").vault_name.lower().replace("_", "-")


def common(paths: Sequence[str]) -> str:
    """The deepest folder above all of the paths, with a slash at its end unless it is the root."""
    folders = [path.split("/")[:-1] for path in paths]
    shared: list[str] = []
    for steps in zip(*folders, strict=False):
        if len(set(steps)) > 1:
            break
        shared.append(steps[0])
    return "/".join([*shared, ""])


def strings(node: Node | None) -> dict[str, str]:
    """The texts of a map."""
    if not isinstance(node, Map):
        return {}
    return {name: value.text for name, (_, value) in node.entries().items() if isinstance(value, Scalar)}
