"""What Azure Container Instances hands the containers of a group, read with ruamel.yaml.

Source: Azure REST API specification, Microsoft.ContainerInstance, 2025-09-01.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any, Literal

from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._yaml import documents
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000
_URI = re.compile(r"(https?://[^/\s]+)/secrets/([^/\s]+)(?:/([^/\s]+))?/?\Z")
_Channel = Literal["env", "file", "arg", "registry", "object"]


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    found: dict[Address, Plaintext] = {}
    for path, data in files.items():
        documents(data)  # bounds the depth before a reader that recurses
        root = _map(_load(data))
        for delivery in _Group(path, root, lookup).deliveries():
            found[delivery.address] = delivery.value
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


def _load(data: bytes) -> Any:
    """The document's nodes: texts as they are written, no type guessed."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    reader = YAML(typ="safe", pure=True)
    try:
        return reader.compose(data.decode("utf-8-sig"))
    except (YAMLError, RecursionError, ValueError):
        raise Unreadable("ruamel.yaml cannot read it") from None


def _map(node: Any) -> dict[str, Any]:
    """A mapping's nodes by key, merges applied; empty for any other node."""
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    todo = [(node, own)]
    seen: set[int] = set()
    while todo:
        current, target = todo.pop(0)
        if getattr(current, "id", "") != "mapping" or id(current) in seen:
            continue
        seen.add(id(current))
        for key, value in current.value:
            if key.tag == "tag:yaml.org,2002:merge":
                todo += ((source, merged) for source in (value.value if value.id == "sequence" else [value]))
            elif key.id == "scalar":
                if target is own:
                    own[key.value] = value
                else:
                    merged.setdefault(key.value, value)
    return {**merged, **own}


def _items(node: Any) -> list[Any]:
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def _text(node: Any) -> str | None:
    return str(node.value) if getattr(node, "id", "") == "scalar" else None


def _name(node: Any) -> str:
    return _text(node) or ""


class _Group:
    def __init__(self, path: str, root: dict[str, Any], lookup: Lookup) -> None:
        self.path, self.lookup = path, lookup
        self.properties = _map(root.get("properties"))
        self.subject = f"{path}#{_name(root.get('name'))}"
        self.references: dict[str, Reference] = {}
        for item in _items(self.properties.get("secretReferences")):
            entry = _map(item)
            match = _URI.match(_name(entry.get("secretReferenceUri")))
            if match is not None:
                self.references[_name(entry.get("name"))] = Reference(match[1], match[2], match[3] or "")

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
        name = _text(entry.get(reference))
        if name is not None:
            return self.referred(name)
        for literal in literals:
            text = _text(entry.get(literal))
            if text is not None:
                return Plaintext(text.encode("utf-8", "surrogatepass"))
        return None

    def deliver(self, subject: str, channel: _Channel, name: str, value: Plaintext | None) -> Iterator[Delivery]:
        if value is not None:
            yield Delivery(Address(self.path, subject, channel, name), value)

    def deliveries(self) -> Iterator[Delivery]:
        for kind in ("containers", "initContainers"):
            for item in _items(self.properties.get(kind)):
                entry = _map(item)
                subject = f"{self.subject}/{kind}/{_name(entry.get('name'))}"
                yield from self.container(subject, _map(entry.get("properties")))
        for item in _items(self.properties.get("imageRegistryCredentials")):
            entry = _map(item)
            name = f"{_name(entry.get('server'))}/{_name(entry.get('username'))}"
            yield from self.deliver(
                self.subject, "registry", name, self.value(entry, ("password",), "passwordReference")
            )
        for item in _items(self.properties.get("volumes")):
            yield from self.volume(_map(item))
        logs = _map(_map(self.properties.get("diagnostics")).get("logAnalytics"))
        key = self.value(logs, ("workspaceKey",), "")
        yield from self.deliver(self.subject, "object", "diagnostics/logAnalytics/workspaceKey", key)

    def container(self, subject: str, properties: dict[str, Any]) -> Iterator[Delivery]:
        for item in _items(properties.get("environmentVariables")):
            entry = _map(item)
            value = self.value(entry, ("secureValue", "value"), "secureValueReference")
            yield from self.deliver(subject, "env", _name(entry.get("name")), value)
        for index, item in enumerate(_items(properties.get("command"))):
            yield from self.deliver(subject, "arg", f"command.{index}", Plaintext(_name(item).encode()))

    def volume(self, entry: dict[str, Any]) -> Iterator[Delivery]:
        name = _name(entry.get("name"))
        for file, node in _map(entry.get("secret")).items():
            text = _name(node).encode("utf-8", "surrogatepass")
            try:
                content = base64.b64decode(text.translate(None, b"\r\n "), validate=True)
            except binascii.Error:
                content = text
            yield from self.deliver(self.subject, "file", f"{name}/{file}", Plaintext(content))
        for file, node in _map(entry.get("secretReference")).items():
            yield from self.deliver(self.subject, "file", f"{name}/{file}", self.referred(_name(node)))
        storage = _map(entry.get("azureFile"))
        key = self.value(storage, ("storageAccountKey",), "storageAccountKeyReference")
        yield from self.deliver(self.subject, "object", f"volumes/{name}/storageAccountKey", key)
