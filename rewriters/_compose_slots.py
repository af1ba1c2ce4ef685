"""The places of a Compose file: what each node is for, aliases and merges followed, and a slot where its text stands.

Source: Compose specification, services, secrets, configs, extensions; `schema/compose-spec.json` of compose-go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from rewriters._api import Place, Slot, Span
from rewriters._compose_interpolate import MAX_DEPTH, Substitution, substitutions
from rewriters._compose_words import words
from rewriters._encode import decode, partial
from rewriters._options import option, setting
from rewriters._parts import Parts
from rewriters._yaml import Alias, Document, Map, Node, Scalar, Seq, documents, follow, join
from rewriters.plaintext import Plaintext

__all__ = ["ALTERNATIVES", "TARGET", "find", "respelled"]

TARGET = "interpolation"

Role = Literal[
    "environment", "args", "labels", "command", "shell", "content", "path", "variable", "name", "value", "old", "inline"
]
"""What a node is for. `value` is one text of the place that its key and place say, reached by an alias."""

_PLACES: dict[Role, Place] = {
    "environment": "env", "args": "build", "inline": "build", "labels": "other", "content": "config"
}  # fmt: skip

_BUILD_REASON = (
    "a build argument stays in the image's history: pass it as a build secret, and read it in the Dockerfile with "
    "RUN --mount=type=secret"
)
_INLINE_REASON = (
    "what stands in this Dockerfile is in the image and its history, also where Compose puts a variable's value there"
)
_PATH_REASON = "this names a file; a credential would stand in the file itself"
_NAME_REASON = "this names a variable or a secret, it is none"
_NUMBER_REASON = (
    "YAML reads this as a number, a date or a truth value and hands it over spelled another way: quote it first"
)
_TYPED_REASON = "this is a number or a truth value, no text"
_BLOCK_REASON = "a part of a folded block has no bytes of its own: write it on one line first"
_ESCAPE_REASON = "shell escapes stand inside of the word: write the command as a list first"
_OLD_REASON = "this is Compose file format 1, which today's Compose does not read: move the services below `services:`"

ALTERNATIVES = {
    _PATH_REASON: "move what stands in that file, or leave the name as it is",
    _NAME_REASON: "leave it as it is; give it another name if the name itself tells too much",
    _TYPED_REASON: "leave it as it is, or quote it where a text is allowed, then move it",
}
"""What to do instead, for the reasons that do not say it."""

_TYPED = re.compile(
    r"(?:~|null|true|false|[-+]?[0-9][0-9_]*|[-+]?0[xob][0-9A-Fa-f_]+|"
    r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:e[-+]?[0-9]+)?|[-+]?\.inf|\.nan|"
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?)\Z",
    re.IGNORECASE,
)
_CANONICAL = re.compile(r"(?:true|false|0|-?[1-9][0-9]{0,17})\Z")


def typed(scalar: Scalar) -> bool:
    """Whether YAML reads this as something other than a text."""
    if scalar.tag:
        return scalar.tag not in ("!", "tag:yaml.org,2002:str")
    return scalar.style == "plain" and (not scalar.text or _TYPED.match(scalar.text) is not None)


def respelled(scalar: Scalar) -> bool:
    """Whether an environment gets another text than the one that stands in the file."""
    return typed(scalar) and _CANONICAL.match(scalar.text) is None


class Roles:
    """What each node of a document is for, by identity. Every node is looked at once, however often it is used."""

    def __init__(self, root: Node) -> None:
        self.of: dict[int, tuple[Role, str]] = {}
        self._seen: set[tuple[int, str]] = set()
        top = follow(root)
        if not isinstance(top, Map):
            return
        entries = dict(self._pairs(top, "top"))
        services = entries.get("services")
        if isinstance(services, Map):
            for _, service in self._pairs(services, "services"):
                self._service(service)
        elif "services" not in entries:
            for _, service in entries.items():
                if isinstance(service, Map) and ({"image", "build"} & {key for key, _ in self._pairs(service, "look")}):
                    self._set(service, "old")
                    self._service(service)
        if "include" in entries:
            self._set(entries["include"], "path")
        for kind in ("secrets", "configs"):
            objects = entries.get(kind)
            if isinstance(objects, Map):
                for _, item in self._pairs(objects, kind):
                    if isinstance(item, Map):
                        self._object(item)

    def _pairs(self, node: Map, visit: str) -> Iterator[tuple[str, Scalar | Map | Seq]]:
        """Own pairs and those of merged maps, each map once a kind of visit."""
        todo = [node]
        while todo:
            current = todo.pop()
            if (id(current), visit) in self._seen:
                continue
            self._seen.add((id(current), visit))
            for key, value in current.pairs:
                if not isinstance(key, Scalar):
                    continue
                target = follow(value)
                if key.text == "<<" and key.style == "plain":
                    sources = [follow(item) for item in target.items] if isinstance(target, Seq) else [target]
                    todo += [source for source in sources if isinstance(source, Map)]
                else:
                    yield key.text, target

    def _set(self, node: Scalar | Map | Seq, role: Role, key: str = "") -> None:
        self.of.setdefault(id(node), (role, key))

    def _keyed(self, node: Scalar | Map | Seq, role: Role) -> None:
        """A map or list of `KEY=value`; what its aliases stand for is a value of that key."""
        self._set(node, role)
        if isinstance(node, Map):
            for key, value in self._pairs(node, role):
                if isinstance(value, Scalar):
                    self.of.setdefault(id(value), (role, key))
            for key_node, value_node in node.pairs:
                source = follow(value_node)
                if isinstance(key_node, Scalar) and key_node.text == "<<":
                    for item in source.items if isinstance(source, Seq) else (source,):
                        self._set(follow(item), role)
        elif isinstance(node, Seq):
            for item in node.items:
                target = follow(item)
                if isinstance(target, Scalar):
                    self.of.setdefault(id(target), (role, ""))

    def _service(self, service: Node) -> None:
        if not isinstance(service, Map):
            return
        for key, value in self._pairs(service, "service"):
            if key == "environment":
                self._keyed(value, "environment")
            elif key in ("labels", "annotations"):
                self._keyed(value, "labels")
            elif key in ("command", "entrypoint"):
                self._set(value, "command")
            elif key in ("env_file", "label_file", "extends", "volumes_from"):
                self._set(value, "path")
            elif key in ("secrets", "configs", "depends_on", "networks", "profiles"):
                self._set(value, "name")
            elif key in ("build", "logging", "healthcheck", "deploy") and isinstance(value, Map):
                for inner, node in self._pairs(value, key):
                    if (key, inner) == ("build", "args"):
                        self._keyed(node, "args")
                    elif (key, inner) == ("build", "secrets"):
                        self._set(node, "name")
                    elif (key, inner) == ("build", "ssh"):
                        self._set(node, "path")
                    elif (key, inner) == ("build", "dockerfile_inline"):
                        self._set(node, "inline")
                    elif inner in ("labels", "options"):
                        self._keyed(node, "labels")
                    elif (key, inner) == ("healthcheck", "test"):
                        self._set(node, "command")
            elif key in ("post_start", "pre_stop") and isinstance(value, Seq):
                for hook in value.items:
                    self._service(follow(hook))

    def _object(self, item: Map) -> None:
        for key, value in self._pairs(item, "object"):
            if key == "content":
                self._set(value, "content")
            elif key == "environment":
                self._set(value, "variable")
            elif key == "file":
                self._set(value, "path")
            elif key == "name":
                self._set(value, "name")


@dataclass(frozen=True, slots=True)
class _Spot:
    """A scalar, and what its surroundings say of it."""

    scalar: Scalar
    pointer: tuple[str | int, ...]
    role: Role
    key: str
    listed: bool = False
    """An item of a list that is all `KEY=value`, or all arguments."""
    before: str = ""
    """The argument before this one."""


def find(name: str, path: str, data: bytes) -> tuple[Slot, ...]:
    """The slots of a file, pointers unique, in order. Raises `Unreadable`."""
    found: list[Slot] = []
    for number, document in enumerate(documents(data)):
        prefix = f"#{number + 1}." if number else ""
        for spot in _spots(document):
            slots = _slots(name, path, data, spot)
            found += (replace(slot, pointer=prefix + slot.pointer) for slot in slots) if prefix else slots
    found.sort(key=lambda slot: (slot.span.start, -slot.span.end))
    count: dict[str, int] = {}
    unique: list[Slot] = []
    for slot in found:
        count[slot.pointer] = count.get(slot.pointer, 0) + 1
        many = count[slot.pointer]
        unique.append(slot if many == 1 else replace(slot, pointer=f"{slot.pointer}~{many}"))
    return tuple(unique)


def _spots(document: Document) -> Iterator[_Spot]:
    """Every scalar that is a value, with the role of the nearest node around it that has one."""
    known = Roles(document.root).of
    todo: list[tuple[Node, tuple[str | int, ...], Role, str, bool, str]] = [(document.root, (), "value", "", False, "")]
    while todo:
        node, pointer, role, key, listed, before = todo.pop()
        if isinstance(node, Alias):
            continue
        own = known.get(id(node))
        if own is not None and role != "old":
            role, key = own[0], own[1] or key
        elif own is not None and own[1]:
            key = own[1]
        if isinstance(node, Scalar):
            yield _Spot(node, pointer, role, key, listed, before)
        elif isinstance(node, Map):
            for key_node, value in node.pairs:
                text = key_node.text if isinstance(key_node, Scalar) else "?"
                todo.append((value, (*pointer, text), role, text, False, ""))
        else:
            last = ""
            for index, item in enumerate(node.items):
                todo.append((item, (*pointer, index), role, key if role != "command" else "", True, last))
                last = item.text if isinstance(item, Scalar) else ""


def _slots(name: str, path: str, data: bytes, spot: _Spot) -> Iterator[Slot]:
    pointer = join(*spot.pointer) or "."
    text = spot.scalar.text.encode("utf-8", "surrogatepass")
    make = _Maker(name, path, data, spot, text)
    if spot.role in ("environment", "args", "labels"):
        yield from make.keyed(pointer)
    elif spot.role == "command":
        yield from make.command(pointer)
    else:
        place = _PLACES.get(spot.role, "other")
        yield from make.slot(pointer, spot.key, Span(0, len(text)), place)


def _flag(text: str) -> str:
    name = option(text)
    return name if name != "c" else ""


class _Maker:
    """Slots of one scalar."""

    def __init__(self, name: str, path: str, data: bytes, spot: _Spot, text: bytes) -> None:
        self.name, self.path, self.data, self.spot, self.text = name, path, data, spot, text
        scalar = spot.scalar
        self.parts = Parts(scalar.encoding, data[scalar.span.start : scalar.span.end])

    def keyed(self, pointer: str) -> Iterator[Slot]:
        spot, text = self.spot, self.text
        place = _PLACES[spot.role]
        if not spot.listed:
            yield from self.slot(pointer, spot.key, Span(0, len(text)), place)
            return
        key, sign, _ = text.partition(b"=")
        if not sign:
            return  # handed through from the environment of the command
        label = key.decode("utf-8", "replace")
        parent = spot.pointer[:-1]
        yield from self.slot(join(*parent, label), label, Span(len(key) + 1, len(text)), place)

    def command(self, pointer: str) -> Iterator[Slot]:
        spot, text = self.spot, self.text
        if not spot.listed:
            last = ""
            for index, word in enumerate(words(text)):
                begin, key = word.span.start, _flag(last)
                given = setting(text[begin : word.span.end].decode("latin-1"))
                if given is not None and word.simple:
                    begin, key = begin + given[1], given[0]
                reason = "" if word.simple else _ESCAPE_REASON
                yield from self.slot(f"{pointer}.{index}", key, Span(begin, word.span.end), "arg", reason)
                last = text[word.span.start : word.span.end].decode("utf-8", "replace")
            return
        given = setting(text.decode("latin-1"))
        if given is not None:
            yield from self.slot(pointer, given[0], Span(given[1], len(text)), "arg")
        else:
            yield from self.slot(pointer, _flag(spot.before), Span(0, len(text)), "arg")

    def slot(self, pointer: str, key: str, part: Span, place: Place, reason: str = "") -> Iterator[Slot]:
        """The slot for this part of the decoded scalar, and those of the defaults inside of it."""
        scalar = self.spot.scalar
        whole = part.start == 0 and part.end == len(self.text)
        if whole and not self.text and scalar.style == "plain":
            return
        placed = self._locate(part, whole)
        if placed is None:
            part, whole, placed = Span(0, len(self.text)), True, (scalar.span, scalar.encoding)
            reason = reason or _BLOCK_REASON
        span, encoding = placed
        chain = (*encoding, "dollar")
        value = self.text[part.start : part.end]
        if b"$" in value:
            value = decode(("dollar",), value)
        reason = reason or self._reason(place)
        targets = () if reason else (TARGET,)
        literal = scalar.literal if whole else span
        yield Slot(
            self.name, self.path, pointer, key, Plaintext(value), span, literal, chain, place, targets, reason,
            interpolates=not reason,
        )  # fmt: skip
        if b"$" in self.text:
            yield from self._defaults(pointer, key, part, place, reason)

    def _locate(self, part: Span, whole: bool) -> tuple[Span, tuple[str, ...]] | None:
        scalar = self.spot.scalar
        if whole:
            return scalar.span, scalar.encoding
        if part.start == part.end:
            at = scalar.span.end if part.end == len(self.text) else -1
            return (Span(at, at), partial(scalar.encoding)) if at >= 0 else None
        found = self.parts.locate(part)
        if found is None:
            return None
        span = Span(scalar.span.start + found.start, scalar.span.start + found.end)
        chain = partial(scalar.encoding)
        part_text = self.text[part.start : part.end]
        if decode(chain, self.data[span.start : span.end]) != part_text:
            return None
        return span, chain

    def _reason(self, place: Place) -> str:
        spot = self.spot
        if spot.role == "old":
            return _OLD_REASON
        if spot.role == "path":
            return _PATH_REASON
        if spot.role in ("variable", "name"):
            return _NAME_REASON
        if spot.role == "inline":
            return _INLINE_REASON
        if place == "build":
            return _BUILD_REASON
        if not spot.listed and respelled(spot.scalar) and place == "env":
            return _NUMBER_REASON
        if place == "other" and spot.role != "labels" and typed(spot.scalar):
            return _TYPED_REASON
        if place == "other" and spot.role == "labels" and respelled(spot.scalar):
            return _NUMBER_REASON
        return ""

    def _defaults(self, pointer: str, key: str, part: Span, place: Place, reason: str) -> Iterator[Slot]:
        """`${NAME:-text}`: the text is used whenever the variable is not set, so it is a value like any other."""
        todo: list[tuple[Span, str, str, int]] = [(part, pointer, key, 0)]
        while todo:
            span, base, inherited, depth = todo.pop()
            found = [item for item in substitutions(self.text, span.start, span.end) if item.has_default]
            for number, item in enumerate(found):
                suffix = "(default)" if number == 0 else f"(default {number + 1})"
                own = inherited if inherited and item.span == span else item.name
                if depth < MAX_DEPTH:
                    todo.append((item.argument, base + suffix, own, depth + 1))
                made = self._default(base + suffix, own, item, place, reason)
                if made is not None:
                    yield made

    def _default(self, pointer: str, key: str, item: Substitution, place: Place, reason: str) -> Slot | None:
        if not len(item.argument):
            return None
        placed = self._locate(item.argument, whole=False)
        if placed is None:
            return None
        span, encoding = placed
        chain = (*encoding, "dollar")
        value = decode(chain, self.data[span.start : span.end])
        if reason == _NUMBER_REASON:
            reason = ""
        return Slot(
            self.name, self.path, pointer, key, Plaintext(value), span, span, chain, place,
            () if reason else (TARGET,), reason, interpolates=not reason,
        )  # fmt: skip
