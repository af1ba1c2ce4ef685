"""Settings of App Service and Functions in files of their own, as places.

Sources: Azure/azure-functions-core-tools, AppSettingsFile.cs (`IsEncrypted` is true when it is not there; a connection
string is a text or has one); Azure App Service, "Configure an App Service app" (both lists); Azure/azure-cli,
appservice/custom.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Place, Slot, Unreadable
from rewriters._app_settings import BEFORE_REFERENCES, is_reference
from rewriters._arm_text import child
from rewriters._json import read as read_json
from rewriters._yaml import Map, Node, Scalar, Seq, join
from rewriters.plaintext import Plaintext

__all__ = ["EARLY", "ENCRYPTED", "HOST", "REFERENCE", "TARGET", "Site", "read"]

TARGET = "app-setting-reference"
MAX_SITES = 50_000

REFERENCE = "it is a reference already"
ENCRYPTED = "the file says that its values are encrypted, which is so also where it says nothing of it"
EARLY = "it is read before references are resolved, which takes WEBSITE_SKIP_CONTENTSHARE_VALIDATION in the same list"
HOST = "Core Tools read this themselves, and resolve no reference in it"


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot. `local` says that Core Tools read it, and not App Service."""

    slot: Slot
    local: bool


def read(path: str, data: bytes) -> tuple[Site, ...]:
    """In the order of their spans. Raises `Unreadable`."""
    root = read_json(data)
    if isinstance(root, Map):
        found = _local(root)
    elif isinstance(root, Seq):
        found = _list(root)
    else:
        raise Unreadable("neither a list of settings nor local ones", 1)
    count: dict[str, int] = {}
    sites: list[Site] = []
    for pointer, key, node, place, reason in found:
        if len(sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        many = count[pointer] = count.get(pointer, 0) + 1
        reason = reason or (REFERENCE if is_reference(node.text) else "")
        slot = Slot(
            "appservice", path, pointer if many == 1 else f"{pointer}~{many}", key,
            Plaintext(node.text.encode("utf-8", "surrogatepass")), node.span, node.literal, node.encoding, place,
            () if reason else (TARGET,), reason,
        )  # fmt: skip
        sites.append(Site(slot, isinstance(root, Map)))
    return tuple(sorted(sites, key=lambda site: (site.slot.span, site.slot.pointer)))


_Found = tuple[str, str, Scalar, Place, str]


def _local(root: Map) -> Iterator[_Found]:
    told = child(root, "IsEncrypted")
    reason = "" if isinstance(told, Scalar) and told.text.lower() == "false" else ENCRYPTED
    for key, node in _entries(root):
        if key in ("Values", "ConnectionStrings"):
            for name, value in _entries(node):
                for step, text in _texts(value):
                    if step in ("", "ConnectionString"):
                        yield join(key, name, *([step] if step else [])), name, text, "env", reason
        elif key != "IsEncrypted":
            todo: list[tuple[tuple[str | int, ...], Node]] = [((key,), node)]
            while todo:
                steps, inner = todo.pop()
                if isinstance(inner, Scalar):
                    if inner.style == "double":
                        yield join(*steps), str(steps[-1]), inner, "config", HOST
                elif isinstance(inner, Map):
                    todo += [((*steps, name), value) for name, value in _entries(inner)]
                elif isinstance(inner, Seq):
                    todo += [((*steps, index), item) for index, item in enumerate(inner.items)]


def _list(root: Seq) -> Iterator[_Found]:
    names = {_word(entry, "name").lower(): _word(entry, "value").lower() for entry in root.items}
    unchecked = names.get("website_skip_contentshare_validation") in ("1", "true")
    for index, entry in enumerate(root.items):
        name = _word(entry, "name")
        reason = EARLY if name.lower() in BEFORE_REFERENCES and not unchecked else ""
        for key, node in _entries(entry):
            if key.lower() != "value":
                continue
            for step, text in _texts(node):
                if step in ("", "value"):
                    yield join(name or index, *([step] if step else [])), name, text, "env", reason


def _texts(node: Node) -> Iterator[tuple[str, Scalar]]:
    """A text or number; those of a map by their keys."""
    if isinstance(node, Scalar):
        if node.style == "double" or node.text not in ("true", "false", "null"):
            yield "", node
    else:
        for key, value in _entries(node):
            if isinstance(value, Scalar) and value.style == "double":
                yield key, value


def _entries(node: Node) -> Iterator[tuple[str, Node]]:
    for key, value in node.pairs if isinstance(node, Map) else ():
        if isinstance(key, Scalar):
            yield key.text, value


def _word(node: Node, name: str) -> str:
    found = child(node, name)
    return found.text if isinstance(found, Scalar) else ""
