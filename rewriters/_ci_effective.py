"""What the proofs of the CI platforms share: YAML as ruamel.yaml reads it, and scripts as the shell divides them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any, Literal

from rewriters._api import Address, Delivery, Unreadable
from rewriters._yaml import documents
from rewriters.plaintext import Plaintext

__all__ = ["Deliveries", "as_map", "expanded", "items", "load", "text", "words_of"]

MAX_DELIVERIES = 100_000
Channel = Literal["env", "file", "arg", "build", "registry", "object"]


def load(data: bytes) -> list[Any]:
    """The documents' nodes: texts as they are written, no type guessed. Raises `Unreadable`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    documents(data)  # bounds the depth before a reader that recurses
    reader = YAML(typ="safe", pure=True)
    try:
        return [node for node in reader.compose_all(data.decode("utf-8-sig")) if node is not None]
    except (YAMLError, RecursionError, ValueError):
        raise Unreadable("ruamel.yaml cannot read it") from None


def as_map(node: Any) -> dict[str, Any]:
    """A mapping's nodes by key, merges applied; empty for any other node."""
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    todo = [(node, own)]
    seen: set[int] = set()
    while todo:
        current, target = todo.pop(0)
        if getattr(current, "id", "") != "mapping" or id(current) in seen:
            continue
        seen.add(id(current))
        for key, value in current.value:
            if key.tag == "tag:yaml.org,2002:merge":
                todo += ((source, merged) for source in (value.value if value.id == "sequence" else [value]))
            elif key.id == "scalar":
                if target is own:
                    own[key.value] = value
                else:
                    merged.setdefault(key.value, value)
    return {**merged, **own}


def items(node: Any) -> list[Any]:
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def text(node: Any) -> str | None:
    return str(node.value) if getattr(node, "id", "") == "scalar" else None


def leaves(node: Any) -> Iterator[tuple[str, str]]:
    """Every text below a node with its path, each collection once."""
    todo: list[tuple[str, Any]] = [("", node)]
    seen: set[int] = set()
    while todo:
        path, item = todo.pop()
        found = text(item)
        if found is not None:
            yield path.lstrip("."), found
        elif item is not None and id(item) not in seen:
            seen.add(id(item))
            todo += ((f"{path}.{key}", value) for key, value in as_map(item).items())
            todo += ((f"{path}.{number}", value) for number, value in enumerate(items(item)))


class Deliveries:
    """What is handed over, bounded."""

    def __init__(self) -> None:
        self._found: dict[Address, Plaintext] = {}

    def add(self, path: str, subject: str, channel: Channel, name: str, value: str) -> None:
        self._found[Address(path, subject, channel, name)] = Plaintext(value.encode("utf-8", "surrogatepass"))
        if len(self._found) > MAX_DELIVERIES:
            raise Unreadable(f"more than {MAX_DELIVERIES} values")

    def all(self) -> tuple[Delivery, ...]:
        return tuple(Delivery(address, value) for address, value in self._found.items())


def expanded(text: str, pattern: re.Pattern[str], value: Callable[[str], str | None]) -> str:
    """A text with the names that `pattern` finds (its last group that took part) put in, where they are known."""

    def known(match: re.Match[str]) -> str:
        found = value(str(match[match.lastindex or 0]))
        return match[0] if found is None else found

    return pattern.sub(known, text)


_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_MARK = "\ue000"
_QUOTED = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.""", re.DOTALL)


def _unescaped(match: re.Match[str]) -> str:
    """What a shell takes a backslash from between double quotes, and shlex does not."""
    if match[0][0] != '"':
        return match[0]
    return re.sub(r"\\(.)", lambda inner: inner[1] if inner[1] in "$`" else inner[0], match[0], flags=re.DOTALL)


def words_of(script: str, value: Callable[[str], str | None]) -> str:
    """A script as the words that its shell would make of it, known variables put in: how a value is quoted makes no
    difference, what it is does. One that does not divide into words is compared without quotes."""
    values: list[str] = []

    def marked(match: re.Match[str]) -> str:
        found = value(match[match.lastindex or 0])
        if found is None:
            return match[0]
        values.append(found)
        return f"{_MARK}{len(values) - 1}{_MARK}"

    held = _VARIABLE.sub(marked, script)
    try:
        words = shlex.split(_QUOTED.sub(_unescaped, held), comments=False)
    except ValueError:
        words = [re.sub(r"['\"\\]", "", held)]
        values = [re.sub(r"['\"\\]", "", item) for item in values]
    pattern = re.compile(f"{_MARK}([0-9]+){_MARK}")
    return "\0".join(pattern.sub(lambda match: _value(match, values), word) for word in words)


def _value(match: re.Match[str], values: list[str]) -> str:
    number = int(match[1])
    return values[number] if number < len(values) else match[0]
