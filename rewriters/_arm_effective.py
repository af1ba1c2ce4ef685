"""What deployments hand their resources, read with the standard library's `json`.

Source: Azure Resource Manager, "Understand the structure and syntax of ARM templates"; of the expressions only
`parameters('x')` and `variables('x')` that stand alone are evaluated, others stay as they are written.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._arm_pairs import beside, template_of, variant
from rewriters._arm_shape import Resolver, deliveries
from rewriters._arm_text import is_escaped, named
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 200_000
MAX_NESTED = 20
_APART = re.compile(r'("(?:[^"\\]|\\.)*+")|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/', re.DOTALL)
_TRAILING = re.compile(r'("(?:[^"\\]|\\.)*+")|,(?=\s*[}\]])', re.DOTALL)
_VAULT = re.compile(r"/providers/Microsoft\.KeyVault/vaults/([^/]+)/?\Z", re.IGNORECASE)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    read = {path: _load(data) for path, data in files.items()}
    templates = {path: root for path, root in read.items() if _is_template(root)}
    names = {path: frozenset(_lower(_get(root, "parameters"))) for path, root in templates.items()}
    given: dict[str, list[str]] = {}
    for path, root in read.items():
        if path not in templates:
            near = set(beside(path, names))
            mine = frozenset(_lower(_get(root, "parameters")))
            owner = template_of(path, {other: names[other] for other in near}, mine)
            given.setdefault(owner, []).append(path)
    found: dict[Address, Plaintext] = {}
    for address, value in _all(read, templates, given, lookup):
        found[address] = value
        if len(found) > MAX_DELIVERIES:
            raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


def _all(
    read: dict[str, Any], templates: dict[str, Any], given: dict[str, list[str]], lookup: Lookup
) -> Iterator[tuple[Address, Plaintext]]:
    for path in given.get("", ()):
        for name, value in _values(_get(read[path], "parameters"), lookup).items():
            yield from _leaves(path, f"{path}#parameters", (name,), value)
    for path, root in templates.items():
        for file in given.get(path) or [""]:
            values = _values(_get(read[file], "parameters"), lookup) if file else {}
            label = variant(path, file)
            subject = path + (f"({posixpath.relpath(label, posixpath.dirname(path) or '.')})" if label else "")
            scope = _Scope(root, values)
            yield from _template(path, subject, root, scope, lookup, 0)


def _template(
    path: str, subject: str, root: Any, scope: _Scope, lookup: Lookup, depth: int
) -> Iterator[tuple[Address, Plaintext]]:
    for name in _lower(_get(root, "parameters")):
        yield from _leaves(path, f"{subject}#parameters", (name,), scope.parameter(name))
    todo: list[tuple[Any, str]] = [(_get(root, "resources"), "")]
    counts: dict[str, int] = {}
    while todo:
        node, above = todo.pop()
        for resource in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            if not isinstance(resource, dict):
                continue
            kind = _text(_get(resource, "type")).lower()
            if above and above.split("/", 1)[0] != kind.split("/", 1)[0]:
                kind = f"{above}/{kind}"
            here = f"{subject}#{kind}/{_text(_get(resource, 'name'))}"
            counts[here] = counts.get(here, 0) + 1
            if counts[here] > 1:
                here = f"{here}#{counts[here]}"
            todo.append((_get(resource, "resources"), kind))
            properties = _get(resource, "properties")
            if kind == "microsoft.resources/deployments":
                yield from _nested(path, here, properties, scope, lookup, depth + 1)
                continue
            for channel, place, value in deliveries(kind, properties, Resolver(scope.evaluate, lookup)):
                yield Address(path, here, channel, place), value


def _nested(
    path: str, subject: str, properties: Any, scope: _Scope, lookup: Lookup, depth: int
) -> Iterator[tuple[Address, Plaintext]]:
    values = {name: scope.evaluate(value) for name, value in _values(_get(properties, "parameters"), lookup).items()}
    for name, value in values.items():
        yield from _leaves(path, f"{subject}#given", (name,), value)
    inner = _get(properties, "template")
    if not isinstance(inner, dict):
        return
    if depth > MAX_NESTED:
        raise Unreadable("templates are nested too deep")
    said = _text(_get(_get(properties, "expressionEvaluationOptions"), "scope")).lower()
    yield from _template(path, subject, inner, _Scope(inner, values) if said == "inner" else scope, lookup, depth)


class _Scope:
    """The parameters and variables of one deployment."""

    def __init__(self, template: Any, values: dict[str, Any]) -> None:
        self._values = values
        self._declared = _lower(_get(template, "parameters"))
        self._variables = _lower(_get(template, "variables"))

    def parameter(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        default = _get(self._declared.get(name), "defaultValue")
        return self.evaluate(default)

    def evaluate(self, value: Any) -> Any:
        """The value of an expression that names a parameter or a variable; anything else, unescaped."""
        for _ in range(MAX_NESTED):
            called = named(value) if isinstance(value, str) else None
            if called is None:
                break
            kind, name = called
            if kind == "parameters" and name in self._values:
                return self._values[name]
            if kind == "parameters":
                following = _get(self._declared.get(name), "defaultValue")
            else:
                following = self._variables.get(name)
            if following is None:
                return value
            value = following
        return value[1:] if isinstance(value, str) and is_escaped(value) else value


def _values(node: Any, lookup: Lookup) -> dict[str, Any]:
    """The parameters of a file, references looked up."""
    found: dict[str, Any] = {}
    for name, entry in _lower(node).items():
        reference = _get(entry, "reference")
        if isinstance(reference, dict):
            vault = _VAULT.search(_text(_get(_get(reference, "keyVault"), "id")))
            secret, version = _text(_get(reference, "secretName")), _text(_get(reference, "secretVersion"))
            if vault is not None and secret:
                url = f"https://{vault[1].lower()}.vault.azure.net"
                found[name] = lookup(Reference(url, secret, version))
            continue
        value = _get(entry, "value")
        if value is not None:
            found[name] = value
    return found


def _leaves(path: str, subject: str, where: tuple[str, ...], value: Any) -> Iterator[tuple[Address, Plaintext]]:
    todo = [(where, value)]
    while todo:
        at, node = todo.pop()
        if isinstance(node, dict):
            todo += (((*at, key), inner) for key, inner in node.items())
        elif isinstance(node, list):
            todo += (((*at, str(index)), inner) for index, inner in enumerate(node))
        elif node is not None:
            yield Address(path, subject, "object", ".".join(at)), plain(node)


def plain(node: Any) -> Plaintext:
    if isinstance(node, Plaintext):
        return node
    text = node if isinstance(node, str) else json.dumps(node)
    return Plaintext(text.encode("utf-8", "surrogatepass"))


def _load(data: bytes) -> Any:
    try:
        text = _APART.sub(lambda match: match[1] or " ", data.decode("utf-8-sig"))
        text = _TRAILING.sub(lambda match: match[1] or "", text)
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        raise Unreadable("json cannot read it") from None


def _is_template(root: Any) -> bool:
    return _text(_get(root, "$schema")).rstrip("#").lower().endswith("deploymenttemplate.json")


def _get(node: Any, name: str) -> Any:
    return _lower(node).get(name.lower())


def _lower(node: Any) -> dict[str, Any]:
    return {key.lower(): value for key, value in node.items()} if isinstance(node, dict) else {}


def _text(node: Any) -> str:
    return node if isinstance(node, str) else ""
