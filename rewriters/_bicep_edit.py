"""Small edits of Bicep files in their own style: lines before and after statements, properties of objects."""

from __future__ import annotations

import re
from typing import Any

from rewriters._api import Edit, Span
from rewriters._bicep_facts import Declared, File
from rewriters._bicep_read import names_in
from rewriters._bicep_tree import Array, Object
from rewriters._yaml import newline

__all__ = ["Editor", "Value", "camel", "quoted"]

Value = str | dict[str, Any] | list[Any]
"""What is written: a text is an expression as it stands, a dictionary an object, a list an array."""

_INDENT = re.compile(rb"[ \t]*")
_TAKEN = frozenset(
    (
        *(
            "true",
            "false",
            "null",
            "if",
            "for",
            "in",
            "existing",
            "param",
            "var",
            "resource",
            "module",
            "output",
            "type",
        ),
        *("func", "metadata", "import", "using", "extends", "targetScope", "az", "sys", "string", "int", "bool", "any"),
        *("object", "array", "resourceInput", "resourceOutput"),
    )
)
_HEADS = ("targetScope", "metadata", "import", "extension", "provider", "using", "extends")


def quoted(text: str) -> str:
    """A text as a string of Bicep; only for names and addresses, never for a value."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${") + "'"


def camel(name: str) -> str:
    """`orders-db-password` as a name of Bicep."""
    first, *others = re.findall(r"[A-Za-z0-9]+", name) or ["secret"]
    text = first[:1].lower() + first[1:] + "".join(part[:1].upper() + part[1:] for part in others)
    return f"secret{text[:1].upper()}{text[1:]}" if text[0].isdigit() else text


class Editor:
    """Collects the edits of one file."""

    def __init__(self, file: File) -> None:
        self.file, self.data = file, file.data
        self.newline = newline(file.data).decode()
        unit = re.search(rb"\n([ \t]+)[^ \t\r\n]", file.data)
        self.unit = unit[1].decode() if unit else "  "
        self.edits: list[Edit] = []
        self.taken = set(names_in(file)) | _TAKEN
        self.secured: set[int] = set()

    def edit(self, span: Span, text: str) -> None:
        self.edits.append(Edit(self.file.path, span, text.encode()))

    def insert(self, at: int, text: str) -> None:
        self.edit(Span(at, at), text)

    def indent(self, at: int) -> str:
        """What the line of this offset begins with."""
        start = self.data.rfind(b"\n", 0, at) + 1
        found = _INDENT.match(self.data, start)
        return found[0].decode() if found else ""

    def fresh(self, name: str) -> str:
        """A name that nothing in the file has."""
        found, number = name, 1
        while found in self.taken:
            number += 1
            found = f"{name}{number}"
        self.taken.add(found)
        return found

    def secure(self, item: Declared) -> None:
        """`@secure()` on a parameter that has it not."""
        if "secure" in item.statement.decorators or id(item) in self.secured:
            return
        self.secured.add(id(item))
        keyword = item.statement.tokens[item.statement.keyword]
        self.insert(keyword.start, f"@secure(){self.newline}{self.indent(keyword.start)}")

    def declare(self, name: str) -> None:
        """A new secure parameter, behind those that are there."""
        text = f"@secure(){self.newline}param {name} string"
        ends = [item.statement.span.end for item in self.file.declared if item.statement.kind == "param"]
        if not ends:
            ends = [item.statement.span.end for item in self.file.declared if item.statement.kind in _HEADS]
        if ends:
            self.insert(self.file.line_end(ends[-1]), f"{self.newline}{self.newline}{text}")
        else:
            self.before(self.file.declared[0], text)

    def before(self, item: Declared, text: str) -> None:
        """Lines in front of a statement and the comments right above it."""
        at = self.data.rfind(b"\n", 0, item.statement.span.start) + 1
        while at:
            above = self.data.rfind(b"\n", 0, at - 1) + 1
            if not self.data[above:at].lstrip().startswith(b"//"):
                break
            at = above
        if at == 0 and self.data.startswith(b"\xef\xbb\xbf"):
            at = 3
        self.insert(at, f"{text}{self.newline}{self.newline}")

    def assign(self, name: str, value: str) -> None:
        """A parameter in a parameter file, behind those that are there."""
        ends = [item.statement.span.end for item in self.file.declared if item.statement.kind == "param"]
        line = f"param {name} = {value}"
        if ends:
            self.insert(self.file.line_end(ends[-1]), f"{self.newline}{line}")
            return
        ends = [item.statement.span.end for item in self.file.declared]
        if ends:
            self.insert(self.file.line_end(ends[-1]), f"{self.newline}{self.newline}{line}")
        else:
            self.insert(len(self.data), f"{line}{self.newline}")

    def add(self, owner: Object, name: str, value: Value, before: str = "") -> None:
        """One more property of an object: in front of the property `before`, else as its last one."""
        if not owner.pairs and not owner.resources:
            base = self.indent(owner.start)
            body = f"{name}: {self.rendered(value, base + self.unit)}"
            self.edit(
                Span(owner.start + 1, owner.end - 1), f"{self.newline}{base}{self.unit}{body}{self.newline}{base}"
            )
            return
        follower = next((pair for pair in owner.pairs if pair.name == before), None)
        last = owner.pairs[-1].value.end if owner.pairs else owner.start + 1
        self._add(owner, follower.start if follower else last, f"{name}: ", value, first=follower is not None)

    def append(self, owner: Array, value: Value) -> None:
        """One more item of a list."""
        if owner.items:
            self._add(owner, owner.items[-1].end, "", value, first=False)
            return
        base = self.indent(owner.start)
        body = self.rendered(value, base + self.unit)
        self.edit(Span(owner.start + 1, owner.end - 1), f"{self.newline}{base}{self.unit}{body}{self.newline}{base}")

    def _add(self, owner: Object | Array, at: int, head: str, value: Value, *, first: bool) -> None:
        if b"\n" not in self.data[owner.start : owner.end]:
            body = head + self.rendered(value, None)
            self.insert(at, f"{body}, " if first else f", {body}")
            return
        inner = self.indent(at) if first else self.indent(_children(owner)[-1])
        body = head + self.rendered(value, inner)
        end = self.file.line_end(at)
        if first:
            self.insert(at, f"{body}{self.newline}{inner}")
        else:
            self.insert(end if end < owner.end else at, f"{self.newline}{inner}{body}")

    def rendered(self, value: Value, indent: str | None) -> str:
        """A value in the style of the file; on one line without an indentation."""
        if isinstance(value, str):
            return value
        is_map = isinstance(value, dict)
        items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        deeper = None if indent is None else indent + self.unit
        parts = [(f"{key}: " if key else "") + self.rendered(item, deeper) for key, item in items]
        start, end = ("{", "}") if is_map else ("[", "]")
        if not parts:
            return start + end
        if indent is None:
            return f"{start} {', '.join(parts)} {end}"
        lines = "".join(f"{self.newline}{deeper}{part}" for part in parts)
        return f"{start}{lines}{self.newline}{indent}{end}"


def _children(owner: Object | Array) -> tuple[int, ...]:
    """Where properties and items start."""
    if isinstance(owner, Object):
        return tuple(pair.start for pair in owner.pairs) or (owner.resources[0][2].start,)
    return tuple(item.start for item in owner.items)
