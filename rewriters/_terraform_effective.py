"""What the arguments of a Terraform configuration come to: variables, locals and the vault's secrets put in.

Sources: Terraform language, input variables (which source wins: `*.auto.tfvars`, `terraform.tfvars`, `TF_VAR_…`,
`default`); azurerm documents (`azurerm_key_vault_secret`, `azurerm_container_app`); App Service documents, Key Vault
references; azurerm backend (`ARM_ACCESS_KEY`).

HCL is read with `rewriters._hcl_values`, JSON with the standard library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rewriters import fetch
from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._hcl_values import Evaluator, Part, Section, Token, Value, parse, plain, template
from rewriters._terraform_read import BACKEND_VARIABLES, CONTAINER_APPS, folder_of, is_state, is_variables
from rewriters.plaintext import Plaintext
from rewriters.terraform import claims

__all__ = ["effective"]

MAX_DELIVERIES = 200_000
MAX_DEPTH = 100

_URI = re.compile(r"(https?://[^/\s]+)/secrets/([0-9A-Za-z-]+)(?:/([0-9A-Za-z]+))?/?\Z")
_APP = re.compile(r"@Microsoft\.KeyVault\(SecretUri=([^)]*)\)\Z")
_VAULT = re.compile(rb"https?://([A-Za-z0-9-]+)\.[a-z0-9.-]*[a-z]")
_VAULT_ID = re.compile(r"/vaults/([A-Za-z0-9-]+)\Z", re.IGNORECASE)
_LABELS = {"resource": 2, "data": 2, "ephemeral": 2, "variable": 1, "output": 1, "module": 1, "provider": 1}


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`, and what `lookup` raises."""
    folders: dict[str, dict[str, Section]] = {}
    values: dict[str, Section] = {}
    for path, data in sorted(files.items()):
        if not claims(path, data[:4096]) or is_state(path):
            continue
        literal = is_variables(path)
        section = _json(data, literal=literal) if path.lower().endswith(".json") else parse(data)
        if literal:
            values[path] = section
        else:
            folders.setdefault(folder_of(path), {})[path] = section
    found: dict[Address, Plaintext] = {}
    for path, section in values.items():
        for name, value in _values_of(path, section, files, lookup).items():
            found[Address(path, path, "object", name)] = Plaintext(_bytes(value))
    for folder, sections in folders.items():
        own = {path: section for path, section in values.items() if folder_of(path) == folder and _loaded(path)}
        for delivery in _Module(folder, sections, own, files, lookup).deliveries():
            found[delivery.address] = delivery.value
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


def _loaded(path: str) -> bool:
    """Whether Terraform reads this file of values without being told to."""
    name = path.rpartition("/")[2].lower()
    return name in ("terraform.tfvars", "terraform.tfvars.json") or name.endswith((".auto.tfvars", ".auto.tfvars.json"))


def _order(path: str) -> tuple[bool, bool, str]:
    """Later ones win: `terraform.tfvars`, then `terraform.tfvars.json`, then the others by name."""
    name = path.rpartition("/")[2].lower()
    return ".auto." in name, name.endswith(".json") and ".auto." not in name, name


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _values_of(path: str, section: Section, files: Files, lookup: Lookup) -> dict[str, str]:
    """The variables that a file of values sets, and those that the fetch script beside it sets instead."""
    evaluator = Evaluator(lambda steps: None)
    made = {name: plain(evaluator.value(tokens)) for name, tokens in section.attributes.items()}
    for name, reference in fetch.variables(folder_of(path), files).items():
        if name.startswith("TF_VAR_"):
            made.setdefault(name[7:], _text(lookup(reference)))
    return made


def _text(value: Plaintext) -> str:
    return value.reveal().decode("utf-8", "surrogateescape")


# --- JSON ----------------------------------------------------------------------------------------------------------


def _json(data: bytes, *, literal: bool) -> Section:
    """A file in JSON as blocks; what is in a block stays a value. Texts are templates unless they are `literal`."""
    try:
        root = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        raise Unreadable("the standard library cannot read it as JSON") from None
    if not isinstance(root, dict):
        raise Unreadable("the document is no object")
    made = Section()
    for kind, value in root.items():
        if literal:
            made.attributes[kind] = _tokens(value, True, 0)
            continue
        for labels, body in _blocks(value, _LABELS.get(kind, 0), ()):
            block = Section(kind, labels)
            for name, item in body.items():
                if kind == "terraform" and name == "backend" and isinstance(item, dict):
                    for backend, settings in item.items():
                        inner = Section("backend", (backend,))
                        if isinstance(settings, dict):
                            inner.attributes = {key: _tokens(part, True, 0) for key, part in settings.items()}
                        block.blocks.append(inner)
                    continue
                block.attributes[name] = _tokens(item, kind in ("variable", "terraform"), 0)
            made.blocks.append(block)
    return made


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Repeated names are repeated blocks, and are kept apart as a list."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            made[key] = [*(made[key] if isinstance(made[key], list) else [made[key]]), value]
        else:
            made[key] = value
    return made


def _blocks(value: Any, labels: int, known: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            continue
        if not labels:
            yield known, item
            continue
        for label, inner in item.items():
            yield from _blocks(inner, labels - 1, (*known, label))


def _tokens(value: Any, literal: bool, depth: int) -> tuple[Token, ...]:
    if depth > MAX_DEPTH:
        raise Unreadable("nested too deep")
    if isinstance(value, str):
        parts: tuple[Part, ...] = (value,) if literal else template(value)
        return (Token("text", parts=parts),)
    inner: list[Token] = []
    if isinstance(value, list):
        for item in value:
            inner += (*_tokens(item, literal, depth + 1), Token("mark", ","))
        return (Token("group", "[", inner=tuple(inner)),)
    if isinstance(value, dict):
        for key, item in value.items():
            inner += (
                Token("text", parts=(key,)),
                Token("mark", "="),
                *_tokens(item, literal, depth + 1),
                Token("mark", ","),
            )
        return (Token("group", "{", inner=tuple(inner)),)
    return (Token("number", json.dumps(value)),)


# --- a folder of configurations ------------------------------------------------------------------------------------


class _Module:
    """One folder: what its names stand for, and what its blocks are given."""

    def __init__(
        self,
        folder: str,
        sections: Mapping[str, Section],
        values: Mapping[str, Section],
        files: Files,
        lookup: Lookup,
    ) -> None:
        self.sections, self.lookup = sections, lookup
        self.script = fetch.variables(folder, files)
        self.evaluator = Evaluator(self.resolve, self.given_to_app)
        self.urls = {
            match[1].decode().lower(): match[0].decode()
            for path in sections
            for match in _VAULT.finditer(files[path])
            if b".vault." in match[0]
        }
        self.given: dict[str, Value] = {}
        for path in sorted(values, key=_order):
            for name, tokens in values[path].attributes.items():
                self.given[name] = Evaluator(lambda steps: None).value(tokens)
        self.variables: dict[str, Section] = {}
        self.locals: dict[str, tuple[Token, ...]] = {}
        self.blocks: dict[tuple[str, ...], Section] = {}
        for section in sections.values():
            for block in section.blocks:
                if block.kind == "variable" and block.labels:
                    self.variables[block.labels[0]] = block
                elif block.kind == "locals":
                    self.locals.update(block.attributes)
                else:
                    self.blocks[(block.kind, *block.labels)] = block
        self.known: dict[tuple[str, ...], Value | None] = {}
        self.open: set[tuple[str, ...]] = set()

    # --- names ------------------------------------------------------------------------------------------------------

    def resolve(self, steps: tuple[str, ...]) -> Value | None:
        head: tuple[str, ...]
        if steps[0] in ("var", "local") and len(steps) > 1:
            head, rest = steps[:2], steps[2:]
        elif steps[0] in ("data", "ephemeral") and len(steps) == 4 and steps[1] == "azurerm_key_vault_secret":
            head, rest = steps, ()
        elif len(steps) == 3 and steps[0] == "azurerm_key_vault_secret":
            head, rest = ("resource", *steps), ()
        else:
            return None
        if head not in self.known:
            if head in self.open or len(self.open) > MAX_DEPTH:
                return None
            self.open.add(head)
            found = self.name(head)
            self.open.discard(head)
            self.known[head] = found
        value = self.known[head]
        for step in rest:
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return value

    def name(self, head: tuple[str, ...]) -> Value | None:
        if head[0] == "var":
            return self.variable(head[1])
        if head[0] == "local":
            tokens = self.locals.get(head[1])
            return self.evaluator.value(tokens) if tokens is not None else None
        block = self.blocks.get(head[:3])
        return self.secret(block, head[3], head[0]) if block is not None else None

    def variable(self, name: str) -> Value | None:
        block = self.variables.get(name)
        if name in self.given:
            return self.given[name]
        reference = self.script.get(f"TF_VAR_{name}")
        if block is not None and reference is not None:
            return _text(self.lookup(reference))
        tokens = block.attributes.get("default") if block is not None else None
        return self.evaluator.value(tokens) if tokens is not None else None

    def secret(self, block: Section, attribute: str, kind: str) -> Value | None:
        """An attribute of a secret that the configuration reads, or for its ids also of one that it writes."""
        name = self.text(block, "name")
        vault = self.vault(block.attributes.get("key_vault_id", ()))
        if not name or not vault:
            return None
        if attribute == "value":
            if kind == "resource":
                tokens = block.attributes.get("value")
                return self.evaluator.value(tokens) if tokens is not None else None
            return _text(self.lookup(Reference(self.url(vault), name, self.text(block, "version"))))
        if attribute in ("versionless_id", "id", "resource_versionless_id"):
            return f"{self.url(vault)}/secrets/{name}"
        return None

    def url(self, vault: str) -> str:
        return self.urls.get(vault.lower(), f"https://{vault}.vault.azure.net")

    def text(self, block: Section, name: str) -> str:
        value = self.evaluator.value(block.attributes[name]) if name in block.attributes else ""
        return value if isinstance(value, str) else ""

    def vault(self, tokens: tuple[Token, ...]) -> str:
        """The name of the vault that an id leads to."""
        words = [token.text for token in tokens if token.kind == "word"]
        if words[:1] == ["data"] and words[1:2] in (["azurerm_key_vault"], ["azurerm_resources"]) and words[-1] == "id":
            block = self.blocks.get(tuple(words[:3]))
        elif words[:1] == ["azurerm_key_vault"] and words[2:] == ["id"]:
            block = self.blocks.get(("resource", *words[:2]))
        else:
            value = self.evaluator.value(tokens) if tokens else ""
            match = _VAULT_ID.search(value) if isinstance(value, str) else None
            return match[1] if match else ""
        return self.text(block, "name") if block is not None else ""

    # --- what is handed over ----------------------------------------------------------------------------------------

    def deliveries(self) -> Iterator[Delivery]:
        count: dict[str, int] = {}
        for path, section in self.sections.items():
            for block in section.blocks:
                subject = ".".join((block.kind, *block.labels))
                if block.kind != "locals":
                    count[subject] = count.get(subject, 0) + 1
                    subject += f"~{count[subject]}" if count[subject] > 1 else ""
                for name, value in self.of(block):
                    yield Delivery(Address(path, f"{path}#{subject}", "object", name), Plaintext(_bytes(value)))

    def of(self, block: Section) -> Iterator[tuple[str, str]]:
        if block.kind == "variable":
            value = self.variable(block.labels[0]) if block.labels else None
            if value is not None:
                yield "value", plain(value)
            return
        if block.kind == "terraform":
            for backend in block.of("backend"):
                yield from self.backend(backend)
            return
        if block.kind == "data" and block.labels[:1] == ("azurerm_key_vault_secret",):
            return
        secrets = self.app_secrets(block) if block.labels[:1] and block.labels[0] in CONTAINER_APPS else {}
        for name, value in secrets.items():
            yield f"secret/{name}", value
        yield from self.section(block, "", secrets, 0)

    def backend(self, backend: Section) -> Iterator[tuple[str, str]]:
        given = {name: plain(self.evaluator.value(tokens)) for name, tokens in backend.attributes.items()}
        if backend.labels == ("azurerm",):
            for name, variable in BACKEND_VARIABLES.items():
                if name not in given and variable in self.script:
                    given[name] = _text(self.lookup(self.script[variable]))
        yield from given.items()

    def app_secrets(self, block: Section) -> dict[str, str]:
        """The secrets of a container app by name, those in the vault looked up."""
        made: dict[str, str] = {}
        for secret in block.of("secret"):
            uri = self.text(secret, "key_vault_secret_id")
            match = _URI.match(uri)
            if match:
                made[self.text(secret, "name")] = _text(self.lookup(Reference(match[1], match[2], match[3] or "")))
            elif "value" in secret.attributes:
                made[self.text(secret, "name")] = plain(self.evaluator.value(secret.attributes["value"]))
        return made

    def section(
        self, section: Section, prefix: str, secrets: Mapping[str, str], depth: int
    ) -> Iterator[tuple[str, str]]:
        names = section.attributes
        for name, tokens in names.items():
            if section.kind == "env" and name == "secret_name" and "value" not in names and secrets:
                found = secrets.get(self.text(section, name))
                if found is not None:
                    yield f"{prefix}value", found
                    continue
            yield from self.leaves(self.evaluator.value(tokens), f"{prefix}{name}", 0)
        index: dict[str, int] = {}
        for block in section.blocks:
            if block.kind == "secret" and depth == 0 and section.labels[:1] and section.labels[0] in CONTAINER_APPS:
                continue
            step = "/".join((block.kind, *block.labels, self.text(block, "name")))
            index[step] = index.get(step, -1) + 1
            yield from self.section(block, f"{prefix}{step}/{index[step] or ''}/", secrets, depth + 1)

    def leaves(self, value: Value, name: str, depth: int) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict) and depth < MAX_DEPTH:
            for key, item in value.items():
                yield from self.leaves(item, f"{name}/{key}", depth + 1)
        elif isinstance(value, list) and depth < MAX_DEPTH:
            for index, item in enumerate(value):
                yield from self.leaves(item, f"{name}/{index}", depth + 1)
        else:
            yield name, plain(value)

    def given_to_app(self, text: str) -> str:
        """A setting that App Service looks up."""
        match = _APP.match(text)
        uri = _URI.match(match[1]) if match else None
        return _text(self.lookup(Reference(uri[1], uri[2], uri[3] or ""))) if uri else text
