"""What Marathon hands its tasks, read with `json`.

A secret's source is a name in a store of which the files say nothing; the fetch script of the folder says which
secret of the vault is copied there under that name.

Source: Marathon documentation, "Secret Configuration".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from rewriters import fetch
from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._json import read
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000
_Channel = Literal["env", "arg", "object"]


def effective(mine: Files, files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    found: list[Delivery] = []
    for path, data in mine.items():
        read(data)  # bounds the depth before a reader that recurses
        try:
            root = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            continue  # with comments: Marathon does not read it, and hands over nothing
        try:
            fetched = fetch.variables(path.rpartition("/")[0], files)
        except ValueError:
            fetched = {}
        known = {reference.name: reference for reference in fetched.values()}
        for delivery in _File(path, known, lookup).deliveries(root):
            found.append(delivery)
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(found)


class _File:
    def __init__(self, path: str, known: dict[str, Reference], lookup: Lookup) -> None:
        self.path, self.known, self.lookup = path, known, lookup

    def deliveries(self, root: Any) -> Iterator[Delivery]:
        todo: list[tuple[str, Any]] = [(self.path + "#", root)]
        while todo:
            subject, node = todo.pop()
            if isinstance(node, list):
                todo += [(f"{subject}/{index}", item) for index, item in enumerate(node)]
            elif isinstance(node, dict):
                for name in ("apps", "pods", "groups"):
                    if isinstance(node.get(name), list):
                        todo.append((f"{subject}/{name}", node[name]))
                yield from self.work(subject, node)

    def work(self, subject: str, work: dict[str, Any]) -> Iterator[Delivery]:
        secrets = work.get("secrets")
        sources = {
            name: entry["source"]
            for name, entry in (secrets.items() if isinstance(secrets, dict) else ())
            if isinstance(entry, dict) and isinstance(entry.get("source"), str)
        }
        for key in ("env", "environment"):
            yield from self.environment(subject, work.get(key), sources)
        containers = work.get("containers")
        for index, item in enumerate(containers if isinstance(containers, list) else ()):
            if isinstance(item, dict):
                yield from self.environment(f"{subject}/containers/{index}", item.get("environment"), sources)
        for key, value in work.items():
            if key not in ("env", "environment", "secrets", "apps", "pods", "groups"):
                yield from self.rest(f"{subject}/{key}", "arg" if key in ("cmd", "args") else "object", value)

    def environment(self, subject: str, node: Any, sources: dict[str, str]) -> Iterator[Delivery]:
        for name, value in node.items() if isinstance(node, dict) else ():
            yield self.delivery(subject, "env", name, self.value(value, sources))

    def value(self, value: Any, sources: dict[str, str]) -> Plaintext:
        if isinstance(value, dict) and isinstance(value.get("secret"), str):
            source = sources.get(value["secret"])
            reference = self.known.get(source) if source is not None else None
            if reference is not None:
                return self.lookup(reference)
            return Plaintext(b"\0secret " + _bytes(value["secret"]))  # copied from nowhere: unlike any value
        return Plaintext(_bytes(value))

    def rest(self, subject: str, channel: _Channel, node: Any) -> Iterator[Delivery]:
        todo: list[tuple[str, Any]] = [(subject, node)]
        while todo:
            at, value = todo.pop()
            if isinstance(value, dict):
                todo += [
                    (f"{at}/{name}", inner)
                    for name, inner in value.items()
                    if not (at.rpartition("/")[2].isdigit() and name == "environment")
                ]
            elif isinstance(value, list):
                todo += [(f"{at}/{index}", item) for index, item in enumerate(value)]
            else:
                yield self.delivery(at, channel, "value", Plaintext(_bytes(value)))

    def delivery(self, subject: str, channel: _Channel, name: str, value: Plaintext) -> Delivery:
        return Delivery(Address(self.path, subject, channel, name), value)


def _bytes(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")
