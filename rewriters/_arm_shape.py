"""The properties of a resource as what its workload is handed, whichever way the values come.

Source: Azure REST API specifications, Microsoft.ContainerInstance 2025-09-01, Microsoft.App 2025-07-01; Azure App
Service, "Use Key Vault references".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rewriters._api import Lookup
from rewriters._app_settings import referred
from rewriters._azure_tree import referred as secret_of
from rewriters.plaintext import Plaintext

__all__ = ["Resolver", "deliveries"]

Channel = Literal["env", "file", "arg", "build", "registry", "object"]


@dataclass(frozen=True, slots=True)
class Resolver:
    """What a text stands for in its deployment, and what the vault holds."""

    evaluate: Callable[[Any], Any]
    lookup: Lookup


def deliveries(kind: str, properties: Any, resolver: Resolver) -> Iterator[tuple[Channel, str, Plaintext]]:
    """Every value below a resource's properties: how it is handed over, under which name, and what it is."""
    counts: dict[str, int] = {}
    root = resolver.evaluate(properties)
    secrets = _secrets(root, resolver) if kind.startswith("microsoft.app/") else None
    todo: list[tuple[tuple[str, ...], Any]] = [((), root)]
    while todo:
        at, node = todo.pop()
        if isinstance(node, dict):
            if secrets is not None:
                node = _resolved(node, secrets, resolver)
            todo += (((*at, _one(key)), resolver.evaluate(value)) for key, value in reversed(node.items()))
        elif isinstance(node, list):
            todo += (((*at, _label(item, index)), resolver.evaluate(item)) for index, item in enumerate(node))
        elif node is not None:
            name = ".".join(at)
            counts[name] = counts.get(name, 0) + 1
            if counts[name] > 1:
                name = f"{name}#{counts[name]}"
            found = referred(node) if kind.startswith("microsoft.web/") and isinstance(node, str) else None
            yield "object", name, _plain(node) if found is None else resolver.lookup(found)


def _secrets(root: Any, resolver: Resolver) -> dict[str, Any]:
    """The secrets of a container app by their names."""
    configuration = resolver.evaluate(_get(root, "configuration"))
    found: dict[str, Any] = {}
    listed = resolver.evaluate(_get(configuration, "secrets"))
    for item in listed if isinstance(listed, list) else ():
        entry = resolver.evaluate(item)
        if isinstance(entry, dict):
            entry = _resolved(entry, {}, resolver)
            found[str(_get(entry, "name")).lower()] = resolver.evaluate(_get(entry, "value"))
    return found


def _resolved(node: dict[str, Any], secrets: dict[str, Any], resolver: Resolver) -> dict[str, Any]:
    """An entry that refers to a vault or to a secret, as if it had the value itself."""
    url, name = _get(node, "keyVaultUrl"), _get(node, "secretRef")
    reference = secret_of(url) if isinstance(url, str) else None
    if reference is not None:
        return {**_without(node, "keyvaulturl", "identity"), "value": resolver.lookup(reference)}
    if isinstance(name, str) and _get(node, "name") is not None and secrets.get(name.lower()) is not None:
        return {**_without(node, "secretref"), "value": secrets[name.lower()]}
    return node


def _without(node: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key.lower() not in names}


def _get(node: Any, name: str) -> Any:
    if not isinstance(node, dict):
        return None
    return next((value for key, value in node.items() if key.lower() == name.lower()), None)


def _one(key: str) -> str:
    """One name for a value and for its secure form."""
    return "value" if key.lower() == "securevalue" else key


def _label(item: Any, index: int) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name and not name.startswith("[") else str(index)


def _plain(node: Any) -> Plaintext:
    if isinstance(node, Plaintext):
        return node
    text = node if isinstance(node, str) else json.dumps(node)
    return Plaintext(text.encode("utf-8", "surrogatepass"))
