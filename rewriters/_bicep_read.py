"""A Bicep file as the sites that can hold a value, with what a rewrite has to know of each.

Sources: Azure/bicep, docs/grammar.md; src/Bicep.Core/Semantics/Namespaces/AzNamespaceType.cs (`getSecret`); the
resource types' properties as in `_bicep_types`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rewriters._api import Place, Slot, Span, Unreadable
from rewriters._bicep_facts import Declared, File, Resource, Site
from rewriters._bicep_reasons import REASONS
from rewriters._bicep_tokens import Statement, Token, literal_text, statements, string_value, tokens
from rewriters._bicep_tree import Array, Bad, Branches, Call, Node, Object, Other, Text, expression, value_at
from rewriters._bicep_types import Kind, kind_of, place_of
from rewriters._yaml import join
from rewriters.plaintext import Plaintext

__all__ = ["PARAMETER", "names_in", "read"]

PARAMETER = "secure-parameter"
"""The reference any expression can take: a @secure() parameter, whose value a parameter file gets."""
GET_SECRET = "get-secret"

_TRANSPARENT = frozenset(
    [
        "base64",
        "base64tostring",
        "concat",
        "createarray",
        "createobject",
        "datauri",
        "format",
        "if",
        "json",
        "string",
        "tolower",
        "toupper",
        "trim",
        "union",
        "uri",
        "uricomponent",
    ]
)
"""Functions whose arguments may be parameters."""
_FIXED = frozenset(["name", "location", "scope", "kind", "dependson", "parent", "zones", "sku", "type", "apiversion"])
_VALUES = frozenset(("value", "securevalue", "connectionstring"))
MAX_SITES = 50_000


def read(path: str, data: bytes) -> File:
    """Raises `Unreadable` where the tokens of the file make no sense."""
    finder = _Finder(path, data)
    found = tokens(data)
    for statement in statements(found):
        finder.statement(statement)
    finder.sites.sort(key=lambda site: site.slot.span.start)
    breaks = tuple(token.start for token in found if token.kind == "line")
    return File(path, data, finder.given, tuple(finder.declared), tuple(finder.sites), tuple(finder.resources), breaks)


@dataclass(frozen=True, slots=True)
class _At:
    """Where the walk is: pointer, name of the value, and what may become of a text here."""

    where: tuple[str | int, ...]
    key: str
    role: str
    refused: str = ""
    place: Place = "other"
    path: tuple[str, ...] = ()
    resource: Resource | None = None
    owner: Object | None = None

    def within(self, *steps: str | int, **changes: object) -> _At:
        return replace(self, where=(*self.where, *steps), **changes)  # type: ignore[arg-type]


class _Finder:
    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        self.given = path.lower().endswith(".bicepparam")
        self.declared: list[Declared] = []
        self.sites: list[Site] = []
        self.resources: list[Resource] = []
        self.pointers: dict[str, int] = {}
        self.current: Declared

    def statement(self, statement: Statement) -> None:
        known = statement.kind in ("param", "var", "output", "resource", "module")
        self.current = Declared(statement, expression(self.data, statement) if known else None)
        self.declared.append(self.current)
        self.decorators(statement)
        value, kind, name = self.current.value, statement.kind, statement.name
        if kind in ("metadata", "func"):
            self.texts(
                statement.tokens[statement.keyword :],
                _At((kind, name), name, "", "function" if kind == "func" else kind),
            )
        if value is None:
            return
        at = _At((kind, name), name, "")
        if kind in ("resource", "module"):
            self.resource(value, at, self.head_text(statement), None, existing=_says(statement, "existing"))
        elif kind == "output":
            self.walk(value, replace(at, refused="output"))
        elif kind == "var":
            self.walk(value, replace(at, refused="variable") if self.given else replace(at, role="var"))
        elif self.given:
            self.walk(value, replace(at, role="given"))
        else:
            secure = "secure" in statement.decorators
            self.walk(value, replace(at, role="default", place="secret" if secure else "other"))

    def head_text(self, statement: Statement) -> str:
        """The type of a resource, the path of a module."""
        for token in statement.tokens[statement.keyword + 2 : statement.keyword + 3]:
            if token.kind == "text":
                return self.text(token)
        return ""

    def text(self, token: Token) -> str:
        try:
            return literal_text(self.data, token)
        except Unreadable:
            return ""

    def decorators(self, statement: Statement) -> None:
        head = statement.tokens[: statement.keyword]
        self.texts(head, _At((statement.kind, statement.name, "@"), "", "", "decorator"))

    def texts(self, found: tuple[Token, ...], at: _At) -> None:
        """Strings of what is not read as expressions, named by the property before them."""
        for index, token in enumerate(found):
            if token.kind in ("text", "lines"):
                before = found[max(index - 2, 0) : index]
                named = len(before) == 2 and before[0].kind == "id" and before[1].text in (":", "=")
                key = before[0].text if named else at.key
                self.string(Text(token.start, token.end, (token,)), replace(at, key=key, role=""))

    # --- resources and modules ---------------------------------------------------------------------------------------

    def resource(self, value: Node, at: _At, type_: str, parent: Resource | None, *, existing: bool) -> None:
        body = value
        while isinstance(body, Branches) and body.kind in ("if", "for"):
            for other in body.others:
                self.walk(other, replace(at, refused="operand", role=""))
            body = body.values[0] if body.values else Bad(body.start, body.end)
        full = _full_type(type_, parent) if self.current.statement.kind == "resource" else type_
        found = Resource(
            str(at.where[-1]),
            full,
            existing,
            body if isinstance(body, Object) else None,
            self.current.statement,
            parent,
            self.last_name(body),
        )
        self.resources.append(found)
        if not isinstance(body, Object):
            self.walk(body, replace(at, refused="syntax"))
            return
        module = self.current.statement.kind == "module"
        for pair in body.pairs:
            inner = at.within(pair.name, key=pair.name, resource=found, path=(pair.name.lower(),), owner=body)
            if module and pair.name == "params" and isinstance(pair.value, Object):
                for param in pair.value.pairs:
                    self.walk(
                        param.value,
                        inner.within(param.name, key=param.name, role="module", owner=pair.value, path=("params",)),
                    )
            elif pair.name.lower() in _FIXED or existing:
                self.walk(pair.value, replace(inner, refused="name"))
            else:
                self.walk(pair.value, replace(inner, role="expression"))
        for symbol, kind, node in body.resources:
            self.resource(
                node,
                at.within(symbol, key=symbol),
                kind.removesuffix(" existing"),
                found,
                existing=kind.endswith(" existing"),
            )

    def last_name(self, body: Node) -> str:
        name = body.get("name") if isinstance(body, Object) else None
        if not isinstance(name, Text):
            return ""
        text = self.text(name.pieces[-1])
        return text.rpartition("/")[2].lower() if "/" in text or len(name.pieces) == 1 else ""

    # --- expressions -------------------------------------------------------------------------------------------------

    def walk(self, node: Node, at: _At) -> None:
        if isinstance(node, Text):
            self.string(node, at)
        elif isinstance(node, Object):
            self.object(node, at)
        elif isinstance(node, Array):
            labels = [self.label(item) for item in node.items]
            for index, (item, label) in enumerate(zip(node.items, labels, strict=True)):
                unique = label and labels.count(label) == 1 if len(labels) < 200 else False
                self.walk(item, _nested(at.within(label if unique else index, path=(*at.path, "*"), owner=None)))
        elif isinstance(node, Branches):
            for value in node.values:
                self.walk(
                    value, at if node.kind == "choice" and at.role not in ("default", "var", "given") else _nested(at)
                )
            for other in node.others:
                self.walk(other, _refused(at, "operand"))
        elif isinstance(node, Call):
            self.call(node, at)
        elif isinstance(node, Other):
            for part in node.parts:
                self.walk(part, _refused(at, "operand"))
        elif isinstance(node, Bad):
            statement = self.current.statement.tokens
            inside = tuple(token for token in statement if node.start <= token.start and token.end <= node.end)
            self.texts(inside, _refused(at, "syntax"))

    def object(self, node: Object, at: _At) -> None:
        label = self.label(node)
        for pair in node.pairs:
            named = label if label and pair.name.lower() in _VALUES else pair.name
            inner = at.within(pair.name, key=named or at.key, path=(*at.path, pair.name.lower()), owner=node)
            self.walk(pair.value, _nested(inner))

    def label(self, node: Node) -> str:
        """The name of an item of a list: what its `name` says, or its `server`."""
        if isinstance(node, Object):
            for name in ("name", "server"):
                found = node.get(name)
                if isinstance(found, Text) and len(found.pieces) == 1:
                    return self.text(found.pieces[0])
        return ""

    def call(self, node: Call, at: _At) -> None:
        name = node.name.rsplit(".", 1)[-1].lower()
        for index, argument in enumerate(node.arguments):
            whole = name in ("base64", "string", "trim", "tolower", "toupper", "uricomponent")
            inner = at.within(index, key=at.key if whole else "", owner=None)
            if name == "readenvironmentvariable" and index == 1:
                first = node.arguments[0]
                key = self.text(first.pieces[0]) if isinstance(first, Text) and len(first.pieces) == 1 else at.key
                self.walk(argument, _refused(replace(inner, key=key), "argument"))
            elif name in _TRANSPARENT and at.role not in ("default", "given"):
                self.walk(argument, _nested(inner))
            else:
                self.walk(argument, _refused(replace(inner, key=""), "argument"))

    # --- one string --------------------------------------------------------------------------------------------------

    def string(self, node: Text, at: _At) -> None:
        first = node.pieces[0]
        literal = Span(node.start, node.end)
        if len(node.pieces) == 1:
            if first.kind == "lines":
                raw = self.data[node.start : node.end]
                skip = raw.index(b"'") + 3
                skip += raw[skip : skip + 1] == b"\r"
                skip += raw[skip : skip + 1] == b"\n"
                self.site(at, Span(node.start + min(skip, len(raw) - 3), node.end - 3), literal, ("raw",))
            else:
                self.site(at, Span(node.start + 1, node.end - 1), literal, ("bicep",))
            return
        if at.role in ("default", "given"):
            at = _refused(at, at.role)
        for index, token in enumerate(node.pieces):
            span = Span(token.start + 1, token.end - (1 if token.kind == "right" else 2))
            if first.kind == "left" and len(span):
                self.site(at.within(index, key=""), span, span, ("bicep",), piece=True)
        for hole in node.holes:
            self.walk(hole, _refused(at, "operand"))

    def site(self, at: _At, span: Span, literal: Span, encoding: tuple[str, ...], *, piece: bool = False) -> None:
        if len(self.sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        raw = self.data[span.start : span.end]
        try:
            value = raw if encoding == ("raw",) else string_value(raw.decode()).encode("utf-8", "surrogatepass")
        except Unreadable:
            encoding, value, at = ("raw",), raw, _refused(at, "syntax")
        kind = (
            Kind("", "")
            if piece or at.resource is None or at.role != "expression"
            else kind_of(at.resource.type, at.path, at.resource.name)
        )
        role = at.role or ""
        targets: tuple[str, ...] = ()
        if role and not at.refused:
            base = GET_SECRET if role in ("given", "module") else PARAMETER
            targets = (kind.target, base) if kind.target else (base,)
            role = kind.role or role
        place = place_of(at.resource.type, at.path, at.resource.name) if at.resource is not None else at.place
        pointer = join(*at.where)
        count = self.pointers[pointer] = self.pointers.get(pointer, 0) + 1
        interpolates = bool(targets) and encoding == ("bicep",) and role in ("expression", "var")
        slot = Slot(
            "bicep",
            self.path,
            pointer if count == 1 else f"{pointer}#{count}",
            at.key,
            Plaintext(value),
            span,
            literal,
            encoding,
            place,
            targets,
            "" if targets else REASONS[at.refused or "syntax"],
            interpolates,
        )
        self.sites.append(
            Site(
                slot,
                role if targets else "",
                "" if targets else at.refused or "syntax",
                self.current,
                literal,
                piece,
                encoding == ("raw",),
                at.owner,
                at.resource,
            )
        )


def _nested(at: _At) -> _At:
    """Inside of an object, a list or a call: what may move as a whole only, stays."""
    if at.role in ("default", "given"):
        return _refused(at, at.role)
    return replace(at, role="expression") if at.role in ("var", "module") else at


def _refused(at: _At, why: str) -> _At:
    key = "" if why == "operand" else at.key
    return at if at.refused else replace(at, role="", refused=why, key=key)


def _says(statement: Statement, word: str) -> bool:
    return any(token.text == word for token in statement.tokens[statement.keyword : value_at(statement)])


def _full_type(written: str, parent: Resource | None) -> str:
    """The type of a resource within another one, whose type it continues."""
    if parent is None or not parent.type:
        return written
    head, _, version = parent.type.partition("@")
    tail, _, own = written.partition("@")
    return f"{head}/{tail}@{own or version}"


def names_in(file: File) -> Iterator[str]:
    """All names that the file uses for anything."""
    for item in file.declared:
        for token in item.statement.tokens:
            if token.kind == "id":
                yield token.text
