"""What the docker client sends to registries and hands on to containers, read with `json`.

Source: docker/cli, `cli/config/configfile/file.go`, `decodeAuth`: a name and a password divided by the first colon; NUL
bytes at the end of the password are cut off.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from rewriters._api import Address, Delivery, Files, Unreadable
from rewriters._json import read
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000


def effective(files: Files) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`."""
    found: list[Delivery] = []
    for path, data in files.items():
        read(data)  # bounds the depth before a reader that recurses
        try:
            root = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            continue  # with comments: the client does not read it
        for delivery in _deliveries(path, root):
            found.append(delivery)
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(found)


def _deliveries(path: str, root: Any) -> Iterator[Delivery]:
    todo: list[tuple[str, Any]] = [(f"{path}#", root)]
    while todo:
        subject, node = todo.pop()
        if isinstance(node, dict):
            for name, value in node.items():
                if isinstance(value, str) and name == "auth":
                    for part, text in _auth(value):
                        yield Delivery(Address(path, subject, "registry", part), Plaintext(text))
                elif isinstance(value, str):
                    secret = name in ("password", "identitytoken", "registrytoken")
                    text = value.encode("utf-8", "surrogatepass")
                    yield Delivery(Address(path, subject, "registry" if secret else "object", name), Plaintext(text))
                else:
                    todo.append((f"{subject}/{name}", value))
        elif isinstance(node, list):
            todo += [(f"{subject}/{index}", item) for index, item in enumerate(node)]


def _auth(text: str) -> Iterator[tuple[str, bytes]]:
    try:
        user, _, password = base64.b64decode(text, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        yield "auth", text.encode("utf-8", "surrogatepass")
        return
    yield "auth name", user
    yield "auth password", password.rstrip(b"\0")
