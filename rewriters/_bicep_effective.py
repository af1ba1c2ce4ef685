"""What deployments of Bicep files hand over: what parameter files set, and the texts of all resources and outputs.

Read by `_bicep_leaves`, apart from the reader that rewriting uses. A template is looked at once for each file that
gives it parameters, modules with what their callers give them. A parameter file of the template's own name stands for
the template alone, too.
Sources: as `_bicep_rewrite`; Microsoft Learn, "Use Key Vault references as app settings"; bicep-types-az.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._azure_tree import referred
from rewriters._bicep_leaves import Read, read
from rewriters._bicep_paths import json_parameters, resolved
from rewriters._bicep_tokens import Statement
from rewriters._bicep_values import Scope, Tokens, Value, entries, fitting, listed, whole
from rewriters.bicep import claims
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000
MAX_BYTES = 64 * 1024 * 1024
MAX_FILES = 5_000
MAX_CHAIN = 15
_Channel = Literal["env", "file", "arg", "registry", "object"]
_KEY_VAULT = re.compile(r"@Microsoft\.KeyVault\(SecretUri=(https://[^)]+)\)\Z")
_VAULT_ID = re.compile(r"/vaults/([^/]+)/?\Z", re.IGNORECASE)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    return tuple(_Deployments(files, lookup).run())


@dataclass(slots=True)
class _Parsed:
    path: str
    read: Read = field(repr=False)

    def of(self, *kinds: str) -> Iterator[Statement]:
        return (statement for statement in self.read.statements if statement.kind in kinds)

    def word(self, statement: Statement, index: int = 1) -> str:
        """The string at this place behind the keyword: a path, a type."""
        at = statement.keyword + index
        token = statement.tokens[at] if at < len(statement.tokens) else None
        return self.read.text(token) if token is not None and token.kind == "text" else ""

    def value(self, statement: Statement) -> Tokens:
        depth = 0
        for at, token in enumerate(statement.tokens[statement.keyword :], statement.keyword):
            depth += token.kind == "left" or token.text in ("(", "[", "[?", "{")
            depth -= token.kind == "right" or token.text in (")", "]", "}")
            if token.text == "=" and not depth:
                return whole(statement.tokens[at + 1 :])
        return ()


class _Deployments:
    def __init__(self, files: Files, lookup: Lookup) -> None:
        self.files, self.lookup = files, lookup
        self.parsed: dict[str, _Parsed] = {}
        for path, data in files.items():
            if claims(path, data[:4096]):
                self.parsed[path] = _Parsed(path, read(data))
        self.found: dict[Address, Plaintext] = {}
        self.often: dict[Address, int] = {}
        self.size = self.count = 0

    def run(self) -> Iterator[Delivery]:
        templates: dict[str, list[_Parsed]] = {}
        called: set[str] = set()
        for file in self.parsed.values():
            if file.path.lower().endswith(".bicepparam"):
                self.parameters(file)
                for statement in file.of("using"):
                    templates.setdefault(resolved(file.path, file.word(statement)), []).append(file)
            else:
                called |= {resolved(file.path, file.word(statement, 2)) for statement in file.of("module")}
        for path, file in self.parsed.items():
            if path.lower().endswith(".bicepparam"):
                continue
            own = path[: -len(".bicep")] + ".bicepparam"
            uses = [("" if user.path == own else user.path, self.given(user)) for user in templates.get(path, ())]
            uses += [(other, self.given_in_json(other)) for other in json_parameters(path, self.files)]
            if not uses and path not in called:
                uses = [("", {})]
            for name, given in uses:
                self.template(file, given, f"{path} with {name}" if name else path, ())
        return (Delivery(address, value) for address, value in self.found.items())

    def deliver(self, path: str, subject: str, channel: _Channel, name: str, value: Value) -> None:
        text = value.text
        match = _KEY_VAULT.match(text) if value.known else None
        reference = referred(match[1]) if match else None
        raw = self.lookup(reference).reveal() if reference is not None else text.encode("utf-8", "surrogateescape")
        self.size += len(raw)
        address = Address(path, subject, channel, name)
        number = self.often[address] = self.often.get(address, 0) + 1
        if number > 1:
            address = Address(path, subject, channel, f"{name}#{number}")
        self.found[address] = Plaintext(raw)
        if len(self.found) > MAX_DELIVERIES or self.size > MAX_BYTES:
            raise Unreadable("there are too many values to tell what becomes of them")

    # --- parameters --------------------------------------------------------------------------------------------------

    def secret(self, vault: str, parts: list[Value]) -> Value | None:
        """The vault's answer; nothing when the call does not name a secret in words."""
        if len(parts) not in (1, 2) or not all(part.known for part in parts):
            return None
        version = parts[1].text if len(parts) == 2 else ""
        found = self.lookup(Reference(f"https://{vault}.vault.azure.net", parts[0].text, version))
        return Value(True, found.reveal().decode("utf-8", "surrogateescape"))

    def az_secret(self, of: str, parts: list[Value]) -> Value | None:
        return self.secret(parts[2].text, parts[3:]) if of == "az" and len(parts) > 3 and parts[2].known else None

    def given(self, file: _Parsed, depth: int = 0) -> dict[str, Value]:
        """What a parameter file sets, with what it takes from the one that it extends."""
        result: dict[str, Value] = {}
        for statement in file.of("extends"):
            base = self.parsed.get(resolved(file.path, file.word(statement)))
            if base is not None and depth < MAX_CHAIN:
                result |= self.given(base, depth + 1)
        scope = Scope(file.read, {item.name: file.value(item) for item in file.of("var")}, self.az_secret)
        return result | {item.name: scope.value(file.value(item)) for item in file.of("param")}

    def parameters(self, file: _Parsed) -> None:
        for name, value in self.given(file).items():
            self.deliver(file.path, f"{file.path}#param", "object", name, value)

    def given_in_json(self, path: str) -> dict[str, Value]:
        try:
            root: Any = json.loads(self.files[path].decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return {}
        held = root.get("parameters") if isinstance(root, dict) else None
        result: dict[str, Value] = {}
        for name, item in held.items() if isinstance(held, dict) else ():
            reference = item.get("reference") if isinstance(item, dict) else None
            if isinstance(reference, dict):
                vault = reference.get("keyVault")
                match = _VAULT_ID.search(str(vault.get("id"))) if isinstance(vault, dict) else None
                parts = [
                    Value(True, str(reference[key])) for key in ("secretName", "secretVersion") if key in reference
                ]
                found = self.secret(match[1], parts) if match else None
                result[name] = found or Value(False, "reference")
            elif isinstance(item, dict) and isinstance(item.get("value"), str):
                result[name] = Value(True, item["value"])
            else:
                result[name] = Value(False, json.dumps(item))
        return result

    # --- templates ---------------------------------------------------------------------------------------------------

    def template(self, file: _Parsed, given: dict[str, Value], subject: str, chain: tuple[str, ...]) -> None:
        self.count += 1
        if self.count > MAX_FILES or len(chain) > MAX_CHAIN:
            raise Unreadable("there are too many modules to tell what becomes of them")
        names: dict[str, Tokens | Value] = {item.name: file.value(item) for item in file.of("var")}
        for item in file.of("param"):
            value = file.value(item)
            found = next((given[name] for name in given if name.lower() == item.name.lower()), None)
            if found is not None:
                names[item.name] = found
            elif value:
                names[item.name] = value
        vaults: dict[str, str] = {}

        def secret(of: str, parts: list[Value]) -> Value | None:
            return self.secret(vaults[of], parts) if of in vaults else None

        scope = Scope(file.read, names, secret)
        bodies = {id(item): dict(self.body(scope, file.value(item))) for item in file.of("resource", "module")}
        for item in file.of("resource"):
            if file.word(item, 2).lower().startswith("microsoft.keyvault/vaults@"):
                name = scope.value(bodies[id(item)].get("name", ()))
                if name.known:
                    vaults[item.name] = name.text
        at = f"{subject}#{'/'.join(chain)}{'/' if chain else ''}"
        for item in file.of("resource"):
            _Resource(self, file, scope, f"{at}{item.name}").body(bodies[id(item)])
        for item in file.of("output"):
            self.deliver(file.path, f"{at}output", "object", item.name, scope.value(file.value(item)))
        for item in file.of("module"):
            params = whole(bodies[id(item)].get("params", ()))
            handed = {key: scope.value(given_value) for key, given_value in self.body(scope, params)}
            for key, handed_value in handed.items():
                self.deliver(file.path, f"{at}{item.name}", "object", f"params.{key}", handed_value)
            target = self.parsed.get(resolved(file.path, file.word(item, 2)))
            if target is not None and target is not file:
                self.template(target, handed, subject, (*chain, item.name))

    def body(self, scope: Scope, value: Tokens) -> Iterator[tuple[str, Tokens]]:
        """The properties of an object, conditions and loops around it passed by."""
        for _ in range(10):
            value = whole(value)
            if not value:
                return
            if value[0].text == "if" and len(value) > 2:
                value = value[fitting(value, 1) + 1 :]
            elif value[0].text == "[" and len(value) > 2 and _after_breaks(value) == "for":
                value = _loop_body(value)
            elif value[0].text == "{":
                yield from entries(value[1 : fitting(value, 0)], scope.text)
                return
            else:
                return


def _after_breaks(value: Tokens) -> str:
    return next((token.text for token in value[1:] if token.kind != "line"), "")


def _loop_body(value: Tokens) -> Tokens:
    inner = value[1 : fitting(value, 0)]
    at = 0
    while at < len(inner):
        if inner[at].text == ":":
            return inner[at + 1 :]
        at = fitting(inner, at) + 1 if inner[at].kind == "left" or inner[at].text in ("(", "[", "[?", "{") else at + 1
    return ()


_AS = {
    "securevalue": "value", "securevaluereference": "value", "secretref": "value",
    "passwordreference": "password", "storageaccountkeyreference": "storageAccountKey", "keyvaulturl": "value",
}  # fmt: skip
"""Properties that hand over the same: those that hold a text, and those that refer to one."""
_VARIABLES = ("environmentvariables", "env", "appsettings")


class _Resource:
    """The texts of one resource, and what they refer to in it."""

    def __init__(self, deployments: _Deployments, file: _Parsed, scope: Scope, subject: str) -> None:
        self.deployments, self.file, self.scope, self.subject = deployments, file, scope, subject
        self.secrets: dict[str, Value] = {}

    def body(self, body: dict[str, Tokens]) -> None:
        self.table(body)
        for name, value in body.items():
            if name.lower() != "identity":  # who reads, not what is handed over
                self.entry(name, value, (), 0)

    def entry(self, name: str, value: Tokens, where: tuple[str, ...], depth: int) -> None:
        if name.startswith("resource "):
            body = dict(self.deployments.body(self.scope, value))
            _Resource(self.deployments, self.file, self.scope, f"{self.subject}/{name[9:]}").body(body)
        else:
            self.walk(value, (*where, name), depth)

    def properties(self, value: Tokens) -> dict[str, Tokens]:
        """The properties of an object, names in lower case."""
        return {name.lower(): inner for name, inner in self.deployments.body(self.scope, value)}

    def items(self, value: Tokens) -> list[Tokens]:
        value = whole(value)
        if not value or value[0].text != "[" or _after_breaks(value) == "for":
            return []
        return list(listed(value[1 : fitting(value, 0)]))

    def table(self, body: dict[str, Tokens]) -> None:
        """What the resource's own list of secrets leads to."""
        properties = self.properties(body.get("properties", ()))
        configuration = self.properties(properties.get("configuration", ()))
        held = self.items(properties.get("secretreferences", ())) + self.items(configuration.get("secrets", ()))
        for item in held:
            entry = self.properties(item)
            name = self.scope.value(entry.get("name", ()))
            uri = self.scope.value(entry.get("secretreferenceuri", entry.get("keyvaulturl", ())))
            reference = referred(uri.text) if uri.known else None
            if reference is not None:
                self.secrets[name.text] = Value(
                    True, self.deployments.lookup(reference).reveal().decode("utf-8", "surrogateescape")
                )
            elif "value" in entry:
                self.secrets[name.text] = self.scope.value(entry["value"])

    def walk(self, value: Tokens, where: tuple[str, ...], depth: int) -> None:
        value = whole(value)
        if not value or depth > 50:
            return
        name = where[-1].lower()
        if value[0].text == "[" and fitting(value, 0) == len(value) - 1:
            if _after_breaks(value) == "for":
                self.walk(_loop_body(value), (*where, "*"), depth + 1)
                return
            seen: dict[str, int] = {}
            for index, item in enumerate(listed(value[1:-1])):
                entry = self.properties(item)
                label = self.scope.value(entry["name"]).text if "name" in entry else str(index)
                seen[label] = seen.get(label, 0) + 1
                self.walk(item, (*where, label if seen[label] == 1 else f"{label}#{seen[label]}"), depth + 1)
        elif value[0].text == "{" and fitting(value, 0) == len(value) - 1:
            for inner, content in entries(value[1:-1], self.scope.text):
                self.entry(inner, content, where, depth + 1)
        elif name not in ("secretreferenceuri", "identity", "keyvaultreferenceidentity"):
            self.leaf(value, where)

    def leaf(self, value: Tokens, where: tuple[str, ...]) -> None:
        found = self.scope.value(value)
        name = where[-1].lower()
        if name in ("securevaluereference", "secretref", "passwordreference", "storageaccountkeyreference"):
            found = self.secrets.get(found.text, Value(False, f"nothing is called {found.text}"))
        elif name == "keyvaulturl":
            reference = referred(found.text) if found.known else None
            if reference is not None:
                found = Value(True, self.deployments.lookup(reference).reveal().decode("utf-8", "surrogateescape"))
        last = _AS.get(name, where[-1])
        if last == "value" and len(where) > 2 and where[-3].lower() in _VARIABLES:
            subject = "/".join((self.subject, *where[:-3]))
            self.deployments.deliver(self.file.path, subject, "env", where[-2], found)
        else:
            self.deployments.deliver(self.file.path, self.subject, "object", ".".join((*where[:-1], last)), found)
