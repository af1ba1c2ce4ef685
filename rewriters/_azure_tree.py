"""A YAML document of an Azure resource read a second time, with ruamel.yaml: texts as they are written.

Source: YAML 1.1, merge keys; https://yaml.dev/doc/ruamel.yaml
"""

from __future__ import annotations

import re
from typing import Any

from rewriters._api import Reference, Unreadable
from rewriters._yaml import documents

__all__ = ["as_bytes", "items", "load", "mapping", "name_of", "referred", "text_of"]

_URI = re.compile(r"(https?://[^/\s]+)/secrets/([^/\s]+)(?:/([^/\s]+))?/?\Z")


def load(data: bytes) -> Any:
    """The document's nodes, no type guessed. Raises `Unreadable`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    documents(data)  # bounds the depth before a reader that recurses
    reader = YAML(typ="safe", pure=True)
    try:
        return reader.compose(data.decode("utf-8-sig"))
    except (YAMLError, RecursionError, ValueError):
        raise Unreadable("ruamel.yaml cannot read it") from None


def mapping(node: Any) -> dict[str, Any]:
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


def items(node: Any) -> list[Any]:
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def text_of(node: Any) -> str | None:
    return str(node.value) if getattr(node, "id", "") == "scalar" else None


def name_of(node: Any) -> str:
    return text_of(node) or ""


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def referred(uri: str) -> Reference | None:
    """The secret that a URI of Key Vault names."""
    match = _URI.match(uri)
    return Reference(match[1], match[2], match[3] or "") if match is not None else None
