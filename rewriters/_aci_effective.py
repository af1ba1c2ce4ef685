"""What Azure Container Instances hands the containers of a group, read with ruamel.yaml.

Source: Azure REST API specification, Microsoft.ContainerInstance, 2025-09-01.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Literal

from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._azure_tree import items, load, mapping, name_of, referred, text_of
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000
_Channel = Literal["env", "file", "arg", "registry", "object"]


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    found: dict[Address, Plaintext] = {}
    for path, data in files.items():
        root = mapping(load(data))
        for delivery in _Group(path, root, lookup).deliveries():
            found[delivery.address] = delivery.value
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


class _Group:
    def __init__(self, path: str, root: dict[str, Any], lookup: Lookup) -> None:
        self.path, self.lookup = path, lookup
        self.properties = mapping(root.get("properties"))
        self.subject = f"{path}#{name_of(root.get('name'))}"
        self.references: dict[str, Reference] = {}
        for item in items(self.properties.get("secretReferences")):
            entry = mapping(item)
            reference = referred(name_of(entry.get("secretReferenceUri")))
            if reference is not None:
                self.references[name_of(entry.get("name"))] = reference

    def referred(self, name: str) -> Plaintext:
        reference = self.references.get(name)
        # A name that leads nowhere stands for itself, unlike any value.
        return (
            self.lookup(reference)
            if reference is not None
            else Plaintext(b"\0no secretReferences entry " + name.encode())
        )

    def value(self, entry: dict[str, Any], literals: tuple[str, ...], reference: str) -> Plaintext | None:
        """A property, or what the reference property beside it leads to."""
        name = text_of(entry.get(reference))
        if name is not None:
            return self.referred(name)
        for literal in literals:
            text = text_of(entry.get(literal))
            if text is not None:
                return Plaintext(text.encode("utf-8", "surrogatepass"))
        return None

    def deliver(self, subject: str, channel: _Channel, name: str, value: Plaintext | None) -> Iterator[Delivery]:
        if value is not None:
            yield Delivery(Address(self.path, subject, channel, name), value)

    def deliveries(self) -> Iterator[Delivery]:
        for kind in ("containers", "initContainers"):
            for item in items(self.properties.get(kind)):
                entry = mapping(item)
                subject = f"{self.subject}/{kind}/{name_of(entry.get('name'))}"
                yield from self.container(subject, mapping(entry.get("properties")))
        for item in items(self.properties.get("imageRegistryCredentials")):
            entry = mapping(item)
            name = f"{name_of(entry.get('server'))}/{name_of(entry.get('username'))}"
            yield from self.deliver(
                self.subject, "registry", name, self.value(entry, ("password",), "passwordReference")
            )
        for item in items(self.properties.get("volumes")):
            yield from self.volume(mapping(item))
        logs = mapping(mapping(self.properties.get("diagnostics")).get("logAnalytics"))
        key = self.value(logs, ("workspaceKey",), "")
        yield from self.deliver(self.subject, "object", "diagnostics/logAnalytics/workspaceKey", key)

    def container(self, subject: str, properties: dict[str, Any]) -> Iterator[Delivery]:
        for item in items(properties.get("environmentVariables")):
            entry = mapping(item)
            value = self.value(entry, ("secureValue", "value"), "secureValueReference")
            yield from self.deliver(subject, "env", name_of(entry.get("name")), value)
        for index, item in enumerate(items(properties.get("command"))):
            yield from self.deliver(subject, "arg", f"command.{index}", Plaintext(name_of(item).encode()))

    def volume(self, entry: dict[str, Any]) -> Iterator[Delivery]:
        name = name_of(entry.get("name"))
        for file, node in mapping(entry.get("secret")).items():
            text = name_of(node).encode("utf-8", "surrogatepass")
            try:
                content = base64.b64decode(text.translate(None, b"\r\n "), validate=True)
            except binascii.Error:
                content = text
            yield from self.deliver(self.subject, "file", f"{name}/{file}", Plaintext(content))
        for file, node in mapping(entry.get("secretReference")).items():
            yield from self.deliver(self.subject, "file", f"{name}/{file}", self.referred(name_of(node)))
        storage = mapping(entry.get("azureFile"))
        key = self.value(storage, ("storageAccountKey",), "storageAccountKeyReference")
        yield from self.deliver(self.subject, "object", f"volumes/{name}/storageAccountKey", key)
