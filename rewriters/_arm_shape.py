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
    todo: list[tuple[tuple[str, ...], Any]] = [((), resolver.evaluate(properties))]
    while todo:
        at, node = todo.pop()
        if isinstance(node, dict):
            todo += (((*at, _one(key)), resolver.evaluate(value)) for key, value in reversed(node.items()))
        elif isinstance(node, list):
            todo += (((*at, _label(item, index)), resolver.evaluate(item)) for index, item in enumerate(node))
        elif node is not None:
            name = ".".join(at)
            counts[name] = counts.get(name, 0) + 1
            if counts[name] > 1:
                name = f"{name}#{counts[name]}"
            yield "object", name, _plain(node)


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
