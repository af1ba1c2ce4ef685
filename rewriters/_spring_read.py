"""A configuration file of Spring as the properties in it, whichever of the two formats it has.

Sources: Spring Boot, "Externalized Configuration" (documents, profiles, placeholders); Maven, "Filtering" (`@name@`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rewriters._api import Slot, Span, Unreadable
from rewriters._encode import Undecodable, decode, locate, partial
from rewriters._spring_names import is_quarkus, variable
from rewriters._spring_properties import CHAIN, entries, text_of
from rewriters._yaml import Map, Node, Scalar, Seq, documents
from rewriters.plaintext import Plaintext

__all__ = ["Site", "masked", "read"]

MAX_SITES = 50_000
_PROFILES = ("spring.config.activate.on-profile", "spring.profiles")
_FILE_PROFILE = re.compile(r"(?:application|bootstrap)-(?P<profile>[^/]+)\.[a-z]+\Z")
_FILTERED = re.compile(rb"(?m)^(?P<before>[^\r\n#'\"]*?(?::|-)[ \t]+)@(?=[\w.-]{1,200}@[^\r\n'\"#]{0,500}\r?$)")
_BUILD = re.compile(rb"@[\w.-]+@\Z")
_PLACEHOLDER = re.compile(rb"\$\{[^${}:]+:(?P<default>[^${}]+)\}")
_ENCRYPTED = re.compile(rb"\{cipher\}|ENC\(")

REFERENCE = "it stands for a property that is set elsewhere"
BUILD = "the build writes it here (@name@)"
ENCRYPTED = "it is encrypted already"


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot; the property's `name`, and the `profile` in which it holds (empty: in all)."""

    slot: Slot
    name: str
    profile: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A value as it was found, whichever the format."""

    name: str
    value: bytes
    span: Span
    literal: Span
    encoding: tuple[str, ...]
    document: int


def read(path: str, data: bytes) -> tuple[Site, ...]:
    """In the order of their spans. Raises `Unreadable`."""
    found = list(_properties(data) if path.lower().endswith(".properties") else _yaml(data))
    of_file = _FILE_PROFILE.search(path)
    profiles: dict[int, str] = {}
    for item in found:
        if item.name in _PROFILES:
            profiles[item.document] = item.value.decode("utf-8", "replace").strip()
    count: dict[str, int] = {}
    sites: list[Site] = []
    for item in found:
        pointer = item.name if item.document == 1 else f"document-{item.document}.{item.name}"
        many = count[pointer] = count.get(pointer, 0) + 1
        if many > 1:
            pointer = f"{pointer}~{many}"
        profile = profiles.get(item.document, "") or (of_file["profile"] if of_file else "")
        slot = Slot(
            "spring", path, pointer, item.name, Plaintext(item.value), item.span, item.literal, item.encoding,
            "config", (), _reason(item),
        )  # fmt: skip
        sites.append(Site(slot, item.name, profile))
        sites += (Site(inner, item.name, profile) for inner in _defaults(slot, item, data))
        if len(sites) > MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
    return tuple(sorted(sites, key=lambda site: (site.slot.span, site.slot.pointer)))


def _reason(item: _Found) -> str:
    text = item.value.strip()
    if _BUILD.match(text):
        return BUILD
    if _ENCRYPTED.match(text):
        return ENCRYPTED
    if text.startswith(b"${") and text.endswith(b"}") and text.count(b"${") == 1 and b":" not in text:
        return REFERENCE
    reader = "Quarkus" if is_quarkus(item.name) else "the application"
    sets = variable(item.name)
    instead = f"set {sets} in its environment instead" if sets else "write ${VARIABLE} here and set that variable"
    return f"{reader} reads this file itself and knows no reference to a vault: {instead}"


def _defaults(slot: Slot, item: _Found, data: bytes) -> Iterator[Slot]:
    """The default of `${NAME:default}`, which holds where nobody sets the variable: a place of its own."""
    matches = list(_PLACEHOLDER.finditer(item.value))
    raw = data[item.span.start : item.span.end]
    for number, match in enumerate(matches, 1):
        found = locate(item.encoding, raw, Span(*match.span("default")))
        if found is None:
            continue
        span = Span(item.span.start + found.start, item.span.start + found.end)
        chain = partial(item.encoding)
        try:
            exact = decode(chain, data[span.start : span.end]) == match["default"]
        except Undecodable:
            exact = False
        if exact:
            pointer = f"{slot.pointer}:default" + (f"~{number}" if number > 1 else "")
            yield replace(
                slot, pointer=pointer, value=Plaintext(match["default"]), span=span, literal=span, encoding=chain
            )


def _properties(data: bytes) -> Iterator[_Found]:
    for entry in entries(data):
        value = text_of(data[entry.span.start : entry.span.end], data, entry.span.start)
        yield _Found(entry.key or "(no name)", value, entry.span, entry.span, CHAIN, entry.document)


def masked(data: bytes) -> bytes:
    """As many bytes, with another mark where a text begins with Maven's `@`, with which none begins in YAML."""
    return _FILTERED.sub(lambda match: match["before"] + b"_", data) if b"@" in data else data


def _yaml(data: bytes) -> Iterator[_Found]:
    readable = masked(data)
    for number, document in enumerate(documents(readable), 1):
        todo: list[tuple[str, Node]] = [("", document.root)]
        while todo:
            name, node = todo.pop()
            if isinstance(node, Map):
                for key, value in reversed(node.pairs):
                    if isinstance(key, Scalar):
                        inner = key.text if key.text.startswith("[") or not name else f".{key.text}"
                        todo.append((name + inner, value))
            elif isinstance(node, Seq):
                todo += reversed([(f"{name}[{index}]", item) for index, item in enumerate(node.items)])
            elif isinstance(node, Scalar):
                value_of = data[node.span.start : node.span.end]
                changed = value_of != readable[node.span.start : node.span.end]
                text = decode(node.encoding, value_of) if changed else node.text.encode("utf-8", "surrogatepass")
                yield _Found(name or "(no name)", text, node.span, node.literal, node.encoding, number)
