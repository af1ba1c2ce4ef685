"""What Spring takes from its files: properties read a letter at a time, YAML read with ruamel.yaml.

Sources: java.util.Properties, `load`, and Spring Boot, OriginTrackedPropertiesLoader (ISO-8859-1); Spring Framework,
YamlProcessor (flat names).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rewriters._api import Address, Delivery, Files, Unreadable
from rewriters._spring_read import masked
from rewriters._yaml import documents
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000
_FILTERED = re.compile(
    r"(?m)^(?P<before>[^\r\n#'\"]*?(?::|-)[ \t]+)(?P<text>@[\w.-]{1,200}@[^\r\n'\"#]{0,500}?)[ \t]*(?=\r?$)"
)
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_BLANKS = " \t\f"


def effective(files: Files) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`."""
    found: dict[Address, Plaintext] = {}
    for path, data in sorted(files.items()):
        pairs = _properties(data) if path.lower().endswith(".properties") else _yaml(data)
        for subject, name, value in pairs:
            found[Address(path, f"{path}{subject}", "object", name)] = Plaintext(value)
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


# --- properties -------------------------------------------------------------------------------------------------------


def _properties(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    documents_before, filled = 0, False
    for line in _lines(text):
        if line is None:
            documents_before, filled = documents_before + filled, False
            continue
        name, value = _pair(line)
        filled = True
        subject = f"#{documents_before + 1}" if documents_before else ""
        yield subject, name, value.encode("utf-8", "surrogatepass")


def _lines(text: str) -> Iterator[str | None]:
    """Logical lines as they are written; `None` between two documents."""
    waiting, going_on = "", False
    comment = ""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        bare = line.lstrip(_BLANKS)
        if not going_on:
            if bare[:1] in ("#", "!"):
                after = next((item.lstrip(_BLANKS) for item in lines[index + 1 :] if item.strip(_BLANKS)), "")
                divides = line.rstrip(_BLANKS) in ("#---", "!---") and comment != bare[0]
                if divides and after[:1] not in ("#", "!"):
                    yield None
                comment = comment if divides else bare[0]
                continue
            if not bare:
                comment = ""
                continue
        comment = ""
        waiting += bare
        if (len(waiting) - len(waiting.rstrip("\\"))) % 2 and index + 1 < len(lines):
            waiting, going_on = waiting[:-1], True
            continue
        yield waiting
        waiting, going_on = "", False
    if waiting:
        yield waiting


def _pair(line: str) -> tuple[str, str]:
    at = 0
    while at < len(line) and line[at] not in "=:" + _BLANKS:
        at += 2 if line[at] == "\\" else 1
    name, rest = line[:at], line[at:].lstrip(_BLANKS)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_BLANKS)
    return _plain(name), _plain(rest)


def _plain(text: str) -> str:
    units: list[str] = []
    letters = iter(text)
    for letter in letters:
        if letter != "\\":
            units.append(letter)
            continue
        after = next(letters, "")
        if after == "u":
            digits = "".join(next(letters, "") for _ in range(4))
            if not re.fullmatch("[0-9A-Fa-f]{4}", digits):
                raise Unreadable("an escape \\u without four digits, which Spring does not start with")
            units.append(chr(int(digits, 16)))
        else:
            units.append(_ESCAPES.get(after, after))
    return "".join(units).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


# --- YAML -------------------------------------------------------------------------------------------------------------


def _yaml(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    documents(masked(data))  # bounds the depth before a reader that recurses
    try:
        text = data.decode("utf-8-sig")
        text = _FILTERED.sub(lambda match: f"{match['before']}'{match['text']}'", text)
        roots = [node for node in YAML(typ="safe", pure=True).compose_all(text) if node is not None]
    except (YAMLError, RecursionError, ValueError):
        raise Unreadable("ruamel.yaml cannot read it") from None
    for number, root in enumerate(roots, 1):
        subject = f"#{number}" if number > 1 else ""
        for name, value in _leaves(root):
            yield subject, name, value.encode("utf-8", "surrogatepass")


def _leaves(root: Any) -> Iterator[tuple[str, str]]:
    todo: list[tuple[str, Any]] = [("", root)]
    budget = MAX_DELIVERIES
    while todo:
        budget -= 1
        if budget < 0:
            raise Unreadable("aliases repeat too much")
        name, node = todo.pop()
        if node.id == "mapping":
            for key, value in node.value:
                if key.tag == "tag:yaml.org,2002:merge":
                    todo += ((name, one) for one in (value.value if value.id == "sequence" else [value]))
                elif key.id == "scalar":
                    inner = key.value if key.value.startswith("[") or not name else f".{key.value}"
                    todo.append((name + inner, value))
        elif node.id == "sequence":
            todo += ((f"{name}[{index}]", item) for index, item in enumerate(node.value))
        else:
            yield name, str(node.value)
