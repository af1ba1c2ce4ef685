"""What Azure Container Apps hands containers, scalers and components, read with ruamel.yaml.

Sources: Azure REST API specification, Microsoft.App, 2025-07-01; azure-cli 2.91, `process_loaded_yaml`;
docs.dapr.io, secretstores.azure.keyvault.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._azure_tree import as_bytes, items, load, mapping, name_of, referred, text_of
from rewriters._containerapps_dapr import ENVIRONMENTS, KEY_VAULT, component_name, folder_of
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000
_Channel = Literal["env", "file", "arg", "registry", "object"]
Stores = dict[tuple[str, str], str]
"""Folder and name of a secret store to the URL of its vault."""


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    found: dict[Address, Plaintext] = {}
    roots = {path: mapping(load(data)) for path, data in files.items()}
    stores: Stores = {}
    for path, root in roots.items():
        vault = _vault(_component(root))
        if vault:
            stores[folder_of(path), component_name(path)] = vault
    for path, root in roots.items():
        for delivery in _File(path, root, lookup, stores).deliveries():
            found[delivery.address] = delivery.value
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


def _component(root: dict[str, Any]) -> dict[str, Any]:
    """The part of the document that is a Dapr component; empty when there is none."""
    return next((part for part in (root, mapping(root.get("properties"))) if "componentType" in part), {})


def _vault(component: dict[str, Any]) -> str:
    """The vault that a component reads, when it is a secret store."""
    if name_of(component.get("componentType")).lower() != KEY_VAULT:
        return ""
    given: dict[str, str] = {}
    for item in items(component.get("metadata")):
        entry = mapping(item)
        given[name_of(entry.get("name"))] = name_of(entry.get("value"))
    host = ENVIRONMENTS.get(given.get("azureEnvironment", "").lower())
    return f"https://{given['vaultName'].lower()}.{host}" if given.get("vaultName") and host else ""


class _File:
    def __init__(self, path: str, root: dict[str, Any], lookup: Lookup, stores: Stores) -> None:
        self.path, self.root, self.lookup, self.stores = path, root, lookup, stores
        self.properties = mapping(root.get("properties"))
        self.component = _component(root)
        self.subject = f"{path}#{name_of(root.get('name'))}"
        configuration = mapping(self.part("configuration"))
        self.configuration, self.template = configuration, mapping(self.part("template"))
        listed = self.component.get("secrets") if self.component else configuration.get("secrets")
        self.secrets: dict[str, Plaintext] = {}
        for item in items(listed):
            entry = mapping(item)
            value = self.vaulted(entry)
            if value is None and text_of(entry.get("value")) is not None:
                value = Plaintext(as_bytes(name_of(entry.get("value"))))
            if value is not None:
                self.secrets[name_of(entry.get("name"))] = value

    def part(self, name: str) -> Any:
        """What stands at the top goes over what is under properties."""
        return self.root.get(name) if name in self.root else self.properties.get(name)

    def vaulted(self, entry: dict[str, Any]) -> Plaintext | None:
        uri = text_of(entry.get("keyVaultUrl"))
        if uri is None:
            return None
        reference = referred(uri)
        return self.lookup(reference) if reference is not None else Plaintext(b"\0no secret " + as_bytes(uri))

    def secret(self, name: str) -> Plaintext:
        # A name that leads nowhere stands for itself, unlike any value.
        return self.secrets.get(name, Plaintext(b"\0no secret " + as_bytes(name)))

    def value(self, entry: dict[str, Any]) -> Plaintext | None:
        """A property `value`, or the secret that `secretRef` names."""
        name = text_of(entry.get("secretRef"))
        if name:
            return self.stored(name) if self.component else self.secret(name)
        text = text_of(entry.get("value"))
        return None if text is None else Plaintext(as_bytes(text))

    def stored(self, name: str) -> Plaintext:
        """What a component's `secretRef` leads to: a secret of its own, or one of its store's vault."""
        store = name_of(self.component.get("secretStoreComponent"))
        if not store:
            return self.secret(name)
        vault = self.stores.get((folder_of(self.path), store))
        return self.lookup(Reference(vault, name)) if vault else Plaintext(as_bytes(f"\0{name} of {store}"))

    def deliver(self, subject: str, channel: _Channel, name: str, value: Plaintext | None) -> Iterator[Delivery]:
        if value is not None:
            yield Delivery(Address(self.path, subject, channel, name), value)

    def deliveries(self) -> Iterator[Delivery]:
        yield from self.resources()
        if self.component:
            for item in items(self.component.get("metadata")):
                entry = mapping(item)
                yield from self.deliver(
                    self.subject, "object", f"metadata/{name_of(entry.get('name'))}", self.value(entry)
                )
            return
        for name, value in self.secrets.items():
            yield from self.deliver(self.subject, "object", f"secrets/{name}", value)
        for kind in ("containers", "initContainers"):
            for item in items(self.template.get(kind)):
                entry = mapping(item)
                yield from self.container(f"{self.subject}/{kind}/{name_of(entry.get('name'))}", entry)
        for item in items(self.configuration.get("registries")):
            entry = mapping(item)
            secret = text_of(entry.get("passwordSecretRef"))
            if secret:
                name = f"{name_of(entry.get('server'))}/{name_of(entry.get('username'))}"
                yield from self.deliver(self.subject, "registry", name, self.secret(secret))
        for item in items(self.template.get("volumes")):
            yield from self.volume(mapping(item))
        for scale in (self.template.get("scale"), mapping(self.configuration.get("eventTriggerConfig")).get("scale")):
            for item in items(mapping(scale).get("rules")):
                entry = mapping(item)
                for part in (entry, *(mapping(entry.get(kind)) for kind in ("custom", "http", "tcp", "azureQueue"))):
                    yield from self.rule(f"{self.subject}/scale/{name_of(entry.get('name'))}", part)

    def container(self, subject: str, container: dict[str, Any]) -> Iterator[Delivery]:
        for item in items(container.get("env")):
            entry = mapping(item)
            yield from self.deliver(subject, "env", name_of(entry.get("name")), self.value(entry))
        for kind in ("command", "args"):
            for index, item in enumerate(items(container.get(kind))):
                yield from self.deliver(subject, "arg", f"{kind}.{index}", Plaintext(as_bytes(name_of(item))))

    def volume(self, volume: dict[str, Any]) -> Iterator[Delivery]:
        if name_of(volume.get("storageType")).lower() != "secret":
            return
        name, listed = name_of(volume.get("name")), items(volume.get("secrets"))
        if not listed:
            for secret, value in self.secrets.items():
                yield from self.deliver(self.subject, "file", f"{name}/{secret}", value)
        for item in listed:
            entry = mapping(item)
            secret = name_of(entry.get("secretRef"))
            file = name_of(entry.get("path")) or secret
            yield from self.deliver(self.subject, "file", f"{name}/{file}", self.secret(secret))

    def rule(self, subject: str, rule: dict[str, Any]) -> Iterator[Delivery]:
        """A scale rule's parameters, however they come."""
        given: dict[str, Plaintext] = {}
        for name, node in mapping(rule.get("metadata")).items():
            text = text_of(node)
            if text is not None:
                given[name] = Plaintext(as_bytes(text))
        for item in items(rule.get("auth")):
            entry = mapping(item)
            given[name_of(entry.get("triggerParameter"))] = self.secret(name_of(entry.get("secretRef")))
        for name, value in given.items():
            yield from self.deliver(subject, "object", name, value)

    def resources(self) -> Iterator[Delivery]:
        """A storage's key."""
        storage = mapping(self.properties.get("azureFile"))
        text = text_of(storage.get("accountKey"))
        value = self.vaulted(mapping(storage.get("accountKeyVaultProperties")))
        if value is None and text is not None:
            value = Plaintext(as_bytes(text))
        yield from self.deliver(self.subject, "object", "azureFile/accountKey", value)
