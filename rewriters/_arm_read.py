"""Templates and parameter files of Azure Resource Manager as the sites that can hold a value.

Source: Azure Resource Manager, "Understand the structure and syntax of ARM templates", "Linked and nested templates".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rewriters._api import Place, Slot, Unreadable
from rewriters._arm_kinds import REASONS, SECURE, SETTING, VALUE, config_of, property_of
from rewriters._arm_text import ESCAPED, child, is_escaped, is_expression, pairs, word
from rewriters._json import read as read_json
from rewriters._options import option, setting
from rewriters._yaml import Map, Node, Scalar, Seq, join
from rewriters.plaintext import Plaintext

__all__ = ["Document", "Scope", "Site", "read"]

MAX_SITES = 100_000
_AZD = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::?[-=+?/#%^,][^}]*)?\}|\$\(secretOrRandomPassword\b")
_LITERALS = frozenset(("type", "apiversion", "name", "location", "dependson", "scope", "kind", "identity", "zones"))
Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A template, and where its parameters get their values: from parameter files, or from the properties of the
    deployment (`deployment`) that it is nested in. `outer` says that it is evaluated in the template around it."""

    template: Map
    deployment: Map | None = None
    outer: bool = False

    @property
    def parameters(self) -> Map | None:
        found = child(self.template, "parameters")
        return found if isinstance(found, Map) else None


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot and the pair that it stands in: `index` in `owner`. `kind` is the reference that it takes, `refused` else
    says why there is none (a key of `REASONS`). `parameter` is the name and the map of the parameter that it is the
    default or the value of; `resource` the resource that it is a property of, `type` that one's full type."""

    slot: Slot
    node: Scalar
    kind: str = ""
    refused: str = ""
    scope: Scope | None = None
    owner: Map | Seq | None = None
    index: int = 0
    parameter: tuple[str, Map] | None = None
    resource: Map | None = None
    type: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One file: a template (`scope`), or the `values` of a parameter file."""

    path: str
    data: bytes = field(repr=False)
    root: Map
    scope: Scope | None
    values: Map | None
    sites: tuple[Site, ...]

    @property
    def generated(self) -> bool:
        """Whether Bicep made the template."""
        return word(child(child(self.root, "metadata"), "_generator"), "name").lower() == "bicep"


def read(path: str, data: bytes) -> Document:
    """Raises `Unreadable` for broken JSON and for what is neither template nor parameter file."""
    root = read_json(data)
    if not isinstance(root, Map):
        raise Unreadable("it is no map")
    schema = word(root, "$schema").rstrip("#").lower()
    if schema.endswith("deploymenttemplate.json"):
        return _Finder(path, data, root).template_file()
    if schema.endswith("deploymentparameters.json") or (not schema and child(root, "parameters") is not None):
        return _Finder(path, data, root).parameter_file()
    raise Unreadable("its $schema is neither that of a deployment template nor that of a parameter file")


class _Finder:
    def __init__(self, path: str, data: bytes, root: Map) -> None:
        self.path, self.data, self.root = path, data, root
        self.sites: list[Site] = []
        self.pointers: dict[str, int] = {}

    def document(self, scope: Scope | None, values: Map | None) -> Document:
        self.sites.sort(key=lambda site: site.slot.span.start)
        return Document(self.path, self.data, self.root, scope, values, tuple(self.sites))

    def parameter_file(self) -> Document:
        values = child(self.root, "parameters")
        if values is not None and not isinstance(values, Map):
            raise Unreadable("its parameters are no map")
        self.values(("parameters",), values, None)
        return self.document(None, values)

    def values(self, where: Where, node: Node | None, scope: Scope | None) -> None:
        """Parameters with their values: of a file, or of a nested deployment."""
        for _, name, entry in pairs(node):
            for index, key, value in pairs(entry):
                at = (*where, name.text, key.text)
                if key.text.lower() != "value":
                    if key.text.lower() != "reference":
                        self.rest(at, key.text, value, entry, index, scope, refused="metadata")
                elif isinstance(value, Scalar) and isinstance(entry, Map):
                    self.site(
                        at, name.text, value, entry, index, scope, kind=VALUE, place="config",
                        parameter=(name.text, entry),
                    )  # fmt: skip
                else:
                    self.rest(at, name.text, value, entry, index, scope, refused="object", place="config")

    def template_file(self) -> Document:
        scope = Scope(self.root)
        self.template((), scope)
        return self.document(scope, None)

    def template(self, where: Where, scope: Scope) -> None:
        for index, key, value in pairs(scope.template):
            name, at = key.text.lower(), (*where, key.text)
            if name in ("$schema", "contentversion", "apiprofile", "languageversion"):
                continue
            if name == "parameters":
                self.declarations(at, value, scope)
            elif name == "variables":
                self.rest(at, key.text, value, scope.template, index, scope, kind=SECURE)
            elif name == "resources":
                self.resources(at, value, scope, "")
            else:
                why = {"functions": "function", "outputs": "output", "metadata": "metadata"}.get(name, "other")
                self.rest(at, key.text, value, scope.template, index, scope, refused=why)

    def declarations(self, where: Where, node: Node, scope: Scope) -> None:
        for _, name, declared in pairs(node):
            for index, key, value in pairs(declared):
                at, what = (*where, name.text, key.text), key.text.lower()
                if what == "defaultvalue" and isinstance(value, Scalar) and isinstance(declared, Map):
                    kind = word(declared, "type").lower()
                    place: Place = "secret" if kind == "securestring" else "config"
                    self.site(
                        at, name.text, value, declared, index, scope, kind=VALUE, place=place,
                        parameter=(name.text, declared),
                    )  # fmt: skip
                elif what != "type":
                    why = {"defaultvalue": "object", "allowedvalues": "allowed"}.get(what, "metadata")
                    place = "config" if why == "object" else "other"
                    self.rest(at, name.text, value, declared, index, scope, refused=why, place=place)

    def resources(self, where: Where, node: Node, scope: Scope, above: str) -> None:
        """A list of resources, or a map of them by symbolic name."""
        if isinstance(node, Map):
            for _, key, item in pairs(node):
                self.resource((*where, key.text), item, scope, above)
        for index, item in enumerate(node.items if isinstance(node, Seq) else ()):
            self.resource((*where, _label(item, index)), item, scope, above)

    def resource(self, where: Where, node: Node, scope: Scope, above: str) -> None:
        if not isinstance(node, Map):
            return
        kind = word(node, "type").lower()
        if above and above.split("/", 1)[0] != kind.split("/", 1)[0]:
            kind = f"{above}/{kind}"
        for index, key, value in pairs(node):
            name, at = key.text.lower(), (*where, key.text)
            if name == "properties" and kind == "microsoft.resources/deployments":
                self.deployment(at, node, value, scope)
            elif name == "properties":
                type_ = config_of(kind, word(node, "name"))
                self.rest(at, key.text, value, node, index, scope, kind=SECURE, resource=node, type_=type_, below="")
            elif name == "resources":
                self.resources(at, value, scope, kind)
            elif name == "tags":
                self.rest(at, key.text, value, node, index, scope, refused="tags")
            elif name not in _LITERALS:
                why = "metadata" if name in ("comments", "metadata") else "other"
                self.rest(at, key.text, value, node, index, scope, refused=why)

    def deployment(self, where: Where, resource: Map, node: Node, scope: Scope) -> None:
        """The properties of a nested or linked deployment."""
        inner = child(node, "template")
        said = word(child(node, "expressionEvaluationOptions"), "scope").lower()
        outer = isinstance(inner, Map) and said != "inner"
        mine = node if isinstance(node, Map) else None
        nested = Scope(inner if isinstance(inner, Map) else scope.template, mine, outer or scope.outer)
        for index, key, value in pairs(node):
            name, at = key.text.lower(), (*where, key.text)
            if name == "template" and isinstance(value, Map):
                self.template(at, nested)
            elif name == "parameters":
                self.values(at, value, nested)
            else:
                self.rest(at, key.text, value, mine, index, scope, kind=SECURE, resource=resource)

    # --- texts -------------------------------------------------------------------------------------------------------

    def rest(
        self, where: Where, name: str, node: Node, owner: Node | None, index: int, scope: Scope | None, *,
        kind: str = "", refused: str = "", place: Place = "other", resource: Map | None = None, type_: str = "",
        below: str | None = None,
    ) -> None:  # fmt: skip
        """Every text of a value, however deep. `below` is the path of the node below a resource's properties."""
        todo: list[tuple[Where, str, Node, Node | None, int, str | None]] = [(where, name, node, owner, index, below)]
        while todo:
            at, label, value, holder, place_in, path = todo.pop()
            if isinstance(value, Map):
                known = word(value, "name")
                for number, key, content in pairs(value):
                    valued = key.text.lower() in ("value", "securevalue", "connectionstring")
                    inner = known if known and valued and not is_expression(known) else key.text
                    if inner.lower() == "value" and type_.endswith("/config/connectionstrings"):
                        inner = label
                    todo.append(((*at, key.text), inner, content, value, number, _step(path, key.text)))
            elif isinstance(value, Seq):
                before = ""
                for number, item in enumerate(value.items):
                    said = label
                    if isinstance(item, Scalar) and label.lower() in ("command", "args"):
                        given = setting(item.text)
                        said = given[0] if given else "" if item.text.startswith("-") else option(before)
                    before = item.text if isinstance(item, Scalar) else ""
                    step = (*at, _label(item, number))
                    todo.append((step, said, item, value, number, _step(path, str(number))))
            elif isinstance(value, Scalar):
                takes, sort, why = kind, place, refused
                if path is not None and type_:
                    takes, sort = property_of(type_, path)
                    if takes.startswith("-"):
                        takes, why = "", takes[1:]
                self.site(
                    at, label, value, holder, place_in, scope, kind=takes, refused=why, place=sort, resource=resource,
                    type_=type_,
                )  # fmt: skip

    def site(
        self, where: Where, name: str, node: Scalar, owner: Node | None, index: int, scope: Scope | None, *,
        kind: str = "", refused: str = "", place: Place = "other", parameter: tuple[str, Map] | None = None,
        resource: Map | None = None, type_: str = "",
    ) -> None:  # fmt: skip
        if node.style != "double":
            return
        if len(self.sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        text, encoding = node.text, node.encoding
        if scope is None:
            if _AZD.search(text):
                kind, refused = "", "azd"
        elif is_expression(text):
            kind, refused = "", "expression"
        elif is_escaped(text):
            text, encoding = text[1:], (*encoding, ESCAPED)
        if kind not in ("", SETTING) and scope is not None and scope.outer:
            kind, refused = "", "outer"
        pointer = join(*where)
        count = self.pointers[pointer] = self.pointers.get(pointer, 0) + 1
        if count > 1:
            pointer = f"{pointer}#{count}"
        value = Plaintext(text.encode("utf-8", "surrogatepass"))
        targets = (kind,) if kind else ()
        reason = "" if kind else REASONS[refused]
        slot = Slot("arm", self.path, pointer, name, value, node.span, node.literal, encoding, place, targets, reason)
        holder = owner if isinstance(owner, Map | Seq) else None
        self.sites.append(
            Site(slot, node, kind, refused, scope, holder, index, parameter, resource, type_)
        )  # fmt: skip


def _step(path: str | None, name: str) -> str | None:
    return None if path is None else f"{path}/{name.lower()}" if path else name.lower()


def _label(item: Node, index: int) -> str | int:
    """What an item of a list is called: by its name, when that is a literal."""
    name = word(item, "name")
    return name if name and not is_expression(name) else index
