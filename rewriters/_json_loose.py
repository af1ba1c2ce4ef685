"""JSON with comments and trailing commas, read with `json`: another reader than `_json`, and without spans.

Source: RFC 8259; "Configuration in ASP.NET Core" and Newtonsoft.Json, which take comments and commas at the end.
"""

from __future__ import annotations

import json
import re
from typing import Any

from rewriters._api import Unreadable
from rewriters._json import read

__all__ = ["Pairs", "load"]

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/', re.DOTALL)
_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+"|,(?=\s*+[\]}])', re.DOTALL)


class Pairs(tuple[tuple[str, Any], ...]):
    """The pairs of an object, duplicates kept."""

    __slots__ = ()


def load(data: bytes) -> Any:
    """Objects as `Pairs`, numbers as they are written. Raises `Unreadable`."""
    read(data)  # bounds the depth before a reader that recurses
    try:
        text = data.decode("utf-8-sig")
        text = _TEXT.sub(lambda match: match[0] if match[0].startswith('"') else " ", text)
        text = _COMMA.sub(lambda match: match[0] if match[0].startswith('"') else "", text)
        return json.loads(text, strict=False, object_pairs_hook=Pairs, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        raise Unreadable("the standard library cannot read it as JSON") from None
