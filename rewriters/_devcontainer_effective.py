"""What a development container is given: variables and arguments, with the variables of the fetch script put in.

Source: containers.dev, metadata reference, "Variables in devcontainer.json".
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from rewriters import fetch
from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/', re.DOTALL)
_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+"|,(?=\s*+[\]}])', re.DOTALL)
_LOCAL = re.compile(r"\$\{(?:localEnv|env):([^}:]+)(?::[^}]*)?\}")


def effective(mine: Files, files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of `mine`. Raises `Unreadable`, and what `lookup` raises."""
    found: list[Delivery] = []
    for path, data in sorted(mine.items()):
        script = fetch.variables(posixpath.dirname(path), files)
        found += _Container(path, script, lookup).deliveries(_load(data))
    return tuple(found)


def _load(data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
        text = _TEXT.sub(lambda match: match[0] if match[0].startswith('"') else " ", text)
        text = _COMMA.sub(lambda match: match[0] if match[0].startswith('"') else "", text)
        root = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        raise Unreadable("the standard library cannot read it as JSON") from None
    if not isinstance(root, dict):
        raise Unreadable("not a map of properties", 1)
    return root


class _Container:
    def __init__(self, path: str, script: Mapping[str, Reference], lookup: Lookup) -> None:
        self.path, self.script, self.lookup = path, script, lookup

    def deliveries(self, root: dict[str, Any]) -> Iterator[Delivery]:
        for kind in ("containerEnv", "remoteEnv"):
            given = root.get(kind)
            for name, value in given.items() if isinstance(given, dict) else ():
                yield self.delivery(kind, "env", name, value)
        for kind, value in root.items():
            if kind == "runArgs" and isinstance(value, list):
                for index, item in enumerate(value):
                    yield self.delivery(kind, "arg", str(index), item)
            elif kind not in ("containerEnv", "remoteEnv"):
                yield self.delivery(kind, "object", kind, value)

    def delivery(self, kind: str, channel: Literal["env", "arg", "object"], name: str, value: Any) -> Delivery:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
        done = _LOCAL.sub(self.local, text).encode("utf-8", "surrogateescape")
        return Delivery(Address(self.path, f"{self.path}#{kind}", channel, name), Plaintext(done))

    def local(self, match: re.Match[str]) -> str:
        """The value that the script sets; any other variable stays as it is written."""
        reference = self.script.get(match[1])
        return self.lookup(reference).reveal().decode("utf-8", "surrogateescape") if reference else match[0]
