"""What Service Fabric hands its services, read with ElementTree.

Each file's places are told as the file gives them, an application's for its defaults and for each environment. An
override takes the place of what it overrides in any case, so that what is the same in each file is the same together.

Source: ServiceFabricServiceModel.xsd; "Manage applications for multiple environments".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._servicefabric_owners import Owners
from rewriters._xml import read
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000
_URI = re.compile(r"(https?://[^/\s]+)/secrets/([^/\s]+)(?:/([^/\s]+))?/?\Z")
_PARAMETER = re.compile(r"\[([^\[\]]+)\]\Z")
_REFERENCES = frozenset(("keyvaultreference", "managedkeyvaultreference"))
_Channel = Literal["env", "file", "arg", "registry", "object"]
_CHANNELS: dict[tuple[str, str], _Channel] = {
    ("EnvironmentVariable", "Value"): "env",
    ("Parameter", "Value"): "file",
    ("RepositoryCredentials", "Password"): "registry",
}


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    roots = {path: _load(data) for path, data in files.items()}
    owners = Owners(path for path, root in roots.items() if _name(root) == "ApplicationManifest")
    environments: dict[str, list[str]] = {}
    for path, root in roots.items():
        if _name(root) == "Application":
            environments.setdefault(owners.of(path), []).append(path)
    found: dict[Address, Plaintext] = {}
    for path, root in roots.items():
        settings: list[tuple[str, dict[str, str]]] = [("", {})]
        if _name(root) == "ApplicationManifest":
            default = _parameters(root, "DefaultValue")
            settings = [("", default)]
            settings += [(other, default | _parameters(roots[other], "Value")) for other in environments.get(path, ())]
        for environment, parameters in settings:
            for delivery in _places(path, root, environment, parameters, lookup):
                found.setdefault(delivery.address, delivery.value)
                if len(found) > MAX_DELIVERIES:
                    raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


def _load(data: bytes) -> Any:
    import xml.etree.ElementTree as ET

    read(data)  # bounds the depth, and refuses what could define entities
    try:
        return ET.fromstring(data, ET.XMLParser(encoding="utf-8"))  # noqa: S314 - no document type comes here
    except ET.ParseError:
        raise Unreadable("ElementTree cannot read it") from None


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _parameters(root: Any, attribute: str) -> dict[str, str]:
    """The application's parameters of a file, by their name in lower case."""
    found: dict[str, str] = {}
    for group in root:
        for item in group if _name(group) == "Parameters" else ():
            if attribute in item.attrib:
                found.setdefault(item.attrib.get("Name", "").lower(), item.attrib[attribute])
    return found


def _places(path: str, root: Any, environment: str, parameters: dict[str, str], lookup: Lookup) -> Iterator[Delivery]:
    own = _name(root) in ("Application", "ApplicationManifest")
    todo: list[tuple[Any, str]] = [(root, f"{path}#{environment}")]
    while todo:
        element, subject = todo.pop()
        counts: dict[str, int] = {}
        for child in element:
            if own and element is root and _name(child) == "Parameters":
                continue  # reach a service only where they are put in
            step = f"{_name(child)}/{child.attrib.get('Name') or child.attrib.get('CodePackageRef') or ''}"
            number = counts[step] = counts.get(step, 0) + 1
            todo.append((child, f"{subject}/{step}" if number == 1 else f"{subject}/{step}#{number}"))
        kind = element.attrib.get("Type", "").lower()
        for attribute, text in element.attrib.items():
            if attribute in ("Type", "IsEncrypted", "PasswordEncrypted") or attribute.startswith("{"):
                continue
            channel = _CHANNELS.get((_name(element), attribute), "object")
            match = _PARAMETER.match(text) if _name(root) == "ApplicationManifest" else None
            value = parameters.get(match[1].lower(), text) if match else text
            name = element.attrib.get("Name", attribute) if channel in ("env", "file") else attribute
            yield Delivery(Address(path, subject, channel, name), _resolved(value, kind, channel, lookup))
        text = (element.text or "").strip()
        if text:
            channel = "arg" if _name(element) in ("Arguments", "Commands") else "object"
            yield Delivery(Address(path, subject, channel, "text"), Plaintext(text.encode()))


def _resolved(value: str, kind: str, channel: _Channel, lookup: Lookup) -> Plaintext:
    """A value, or the secret that it leads to. What is no address of the form that the type asks for stays a text."""
    match = _URI.match(value) if channel != "object" and kind in _REFERENCES else None
    if match is None or (kind == "keyvaultreference") != bool(match[3]):
        return Plaintext(value.encode())
    return lookup(Reference(match[1], match[2], match[3] or ""))
