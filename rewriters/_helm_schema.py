"""Whether a chart's `values.schema.json` admits an existing Secret in place of a value.

Source: Helm documentation, "Schema Files"; JSON Schema, `properties`, `additionalProperties`, `minLength`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

__all__ = ["admits"]

_STRICT = ("minLength", "pattern", "enum", "const", "format", "$ref", "allOf", "anyOf", "oneOf", "not", "if")
"""What may refuse an empty text, or is not looked into."""


def admits(schema: bytes, named: str, emptied: Iterable[str]) -> bool:
    """Whether the schema surely takes a text at the path `named`, and empty ones at the others."""
    try:
        root: Any = json.loads(schema)
    except (ValueError, RecursionError):
        return False
    return _text(root, named, ("minLength",)) and all(_text(root, path, ()) for path in emptied)


def _text(node: Any, path: str, allowed: tuple[str, ...]) -> bool:
    for step in path.split("."):
        if node is True or node == {}:
            return True
        if not isinstance(node, dict) or any(word in node for word in _STRICT if word not in allowed):
            return False
        properties = node.get("properties", {})
        if not isinstance(properties, dict) or "patternProperties" in node:
            return False
        node = properties[step] if step in properties else node.get("additionalProperties", True)
    if node is True or node == {}:
        return True
    if not isinstance(node, dict) or any(word in node for word in _STRICT if word not in allowed):
        return False
    kinds = node.get("type", "string")
    return "string" in (kinds if isinstance(kinds, list) else [kinds])
