"""What .NET takes from its files: JSON read with `json`, XML with ElementTree.

Sources: "Configuration in ASP.NET Core" (comments and trailing commas are taken, names are flat); XML 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rewriters._api import Address, Delivery, Files, Unreadable
from rewriters._json_loose import Pairs, load
from rewriters._xml import read as read_xml
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000


def effective(files: Files) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`."""
    found: dict[Address, Plaintext] = {}
    for path, data in sorted(files.items()):
        for name, value in _xml(data) if path.lower().endswith(".config") else _json(data):
            address = Address(path, path, "object", name)
            number = 1
            while address in found:
                number += 1
                address = Address(path, path, "object", f"{name}~{number}")
            found[address] = Plaintext(value.encode("utf-8", "surrogatepass"))
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


def _json(data: bytes) -> Iterator[tuple[str, str]]:
    todo: list[tuple[str, Any]] = [("", load(data))]
    while todo:
        name, node = todo.pop()
        if isinstance(node, Pairs):
            todo += ((f"{name}:{key}" if name else key, value) for key, value in reversed(node))
        elif isinstance(node, list):
            todo += reversed([(f"{name}:{index}", item) for index, item in enumerate(node)])
        elif isinstance(node, str):
            yield name or "(root)", node


def _xml(data: bytes) -> Iterator[tuple[str, str]]:
    from xml.etree import ElementTree as ET

    read_xml(data)  # takes no document type, so there are no entities to be expanded
    try:
        root = ET.fromstring(data)  # noqa: S314
    except (ET.ParseError, ValueError):
        raise Unreadable("the standard library cannot read it as XML") from None
    todo: list[tuple[str, Any]] = [(_local(root.tag), root)]
    while todo:
        where, element = todo.pop()
        for name, value in element.attrib.items():
            yield f"{where}@{_local(name)}", value
        for text in (element.text, *(child.tail for child in element)):
            if text and text.strip():
                yield where, text.strip(" \t\r\n")
        label = ((f"{where}/{_local(child.tag)}", child) for child in reversed(element) if isinstance(child.tag, str))
        todo += label


def _local(name: str) -> str:
    return name.rpartition("}")[2]
