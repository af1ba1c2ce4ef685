"""The variables that an app gets of its settings, every reference resolved. Read with `json`.

Sources: Azure/azure-functions-core-tools, StartHostAction.cs (`ConnectionStrings:NAME`); Azure App Service, "Use Key
Vault references as app settings".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rewriters._api import Address, Delivery, Files, Lookup, Unreadable
from rewriters._app_settings import referred
from rewriters._json_loose import Pairs, load
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """For each file. Raises `Unreadable`."""
    found: list[Delivery] = []
    for path, data in sorted(files.items()):
        root = load(data)
        given: dict[str, Plaintext] = {}
        for name, value in _local(root) if isinstance(root, Pairs) else _list(root):
            reference = referred(value)
            given[name] = Plaintext(value.encode("utf-8", "surrogatepass")) if reference is None else lookup(reference)
        found += [Delivery(Address(path, path, "env", name), value) for name, value in given.items()]
        if len(found) > MAX_DELIVERIES:
            raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(found)


def _local(root: Pairs) -> Iterator[tuple[str, str]]:
    for section, node in root:
        for name, value in node if isinstance(node, Pairs) else ():
            if section == "Values":
                yield from _given(name, value)
            elif section == "ConnectionStrings":
                inner = dict(value).get("ConnectionString") if isinstance(value, Pairs) else value
                yield from _given(f"ConnectionStrings:{name}", inner)


def _list(root: Any) -> Iterator[tuple[str, str]]:
    for entry in root if isinstance(root, list) else ():
        pairs = {key.lower(): value for key, value in entry} if isinstance(entry, Pairs) else {}
        value = pairs.get("value")
        inner = dict(value).get("value") if isinstance(value, Pairs) else value
        yield from _given(str(pairs.get("name", "")), inner)


def _given(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, bool):
        yield name, str(value)
    elif isinstance(value, str):
        yield name, value
