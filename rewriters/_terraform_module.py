"""A folder of Terraform files: what it declares, which vaults and secrets it knows, and who calls it.

Source: Terraform language: modules (a folder is one; `module` blocks name others by `source`), input variables.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Files, Reference, Unreadable
from rewriters._hcl import Attribute, Block, Body, Text, read
from rewriters._json import read as read_json
from rewriters._terraform_read import folder_of
from rewriters._yaml import Map, Scalar, Seq
from rewriters.terraform import claims

__all__ = ["Module", "is_configuration", "modules"]

_AZURERM = ("azurerm_", "azurerm")
_VAULT_ID = re.compile(r"/vaults/([A-Za-z0-9-]+)\Z", re.IGNORECASE)
_PRIMITIVE = frozenset((b"string", b"number", b"bool"))


def is_configuration(path: str) -> bool:
    return path.lower().endswith((".tf", ".tf.json"))


@dataclass(slots=True)
class Module:
    """One folder. `vaults` has the id expression of each vault by its name; `secrets` the label of each block that
    reads a secret, by kind and secret; `variables` the bytes of each variable's type, nothing for none."""

    folder: str
    files: Files = field(repr=False)
    bodies: dict[str, Body] = field(default_factory=dict, repr=False)
    variables: dict[str, bytes | None] = field(default_factory=dict)
    vaults: dict[str, str] = field(default_factory=dict)
    secrets: dict[tuple[str, str, str, str], str] = field(default_factory=dict)
    labels: set[tuple[str, ...]] = field(default_factory=set)
    azurerm: bool = False
    configured: bool = False
    called: tuple[str, ...] = ()

    def add(self, path: str) -> None:
        data = self.files[path]
        try:
            if path.lower().endswith(".json"):
                self._add_json(data)
            else:
                self.bodies[path] = read(data)
                for block in self.bodies[path].blocks:
                    self._add(block, data)
        except Unreadable:
            return

    def _add(self, block: Block, data: bytes) -> None:
        self._known(block.kind, block.labels)
        if block.kind == "variable" and block.labels:
            found = block.body.get("type")
            kind = None if found is None else data[found.value.literal.start : found.value.literal.end].strip()
            self.variables[block.labels[0]] = kind
        elif block.kind == "terraform":
            self.configured |= bool(block.body.of("backend") or block.body.of("cloud"))
            for required in block.body.of("required_providers"):
                self.azurerm |= required.body.get("azurerm") is not None
        elif block.kind == "module":
            source = block.body.text("source")
            if source.startswith(("./", "../")):
                self.called = (*self.called, posixpath.normpath(posixpath.join(self.folder or ".", source)))

    def _known(self, kind: str, labels: tuple[str, ...]) -> None:
        self.labels.add((kind, *labels))
        if kind == "provider":
            self.configured = True
        if kind in ("provider", "resource", "data", "ephemeral") and labels:
            self.azurerm |= labels[0].startswith(_AZURERM)

    def _add_json(self, data: bytes) -> None:
        root = read_json(data)
        for kind, value in root.pairs if isinstance(root, Map) else ():
            if not isinstance(kind, Scalar):
                continue
            for item in value.items if isinstance(value, Seq) else (value,):
                for key, inner in item.pairs if isinstance(item, Map) else ():
                    if isinstance(key, Scalar):
                        self._add_json_block(kind.text, key.text, inner)

    def _add_json_block(self, kind: str, label: str, inner: object) -> None:
        if kind == "variable":
            typed = inner.get("type") if isinstance(inner, Map) else None
            self.variables[label] = typed.text.encode() if isinstance(typed, Scalar) else None
        if kind == "terraform":
            self.configured |= label in ("backend", "cloud")
            if label == "required_providers" and isinstance(inner, Map):
                self.azurerm |= inner.get("azurerm") is not None
        if kind in ("resource", "data", "ephemeral"):
            self._known(kind, (label,))
            for key, _ in inner.pairs if isinstance(inner, Map) else ():
                if isinstance(key, Scalar):
                    self.labels.add((kind, label, key.text))
        else:
            self._known(kind, (label,))
        source = inner.get("source") if kind == "module" and isinstance(inner, Map) else None
        if isinstance(source, Scalar) and source.text.startswith(("./", "../")):
            self.called = (*self.called, posixpath.normpath(posixpath.join(self.folder or ".", source.text)))

    # --- vaults and secrets -----------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Finds the vaults and the secrets, once all files are known."""
        for kind, prefix in (("resource", ""), ("data", "data.")):
            for _, block in self.blocks(kind):
                if len(block.labels) != 2 or _counted(block):
                    continue
                name = block.body.text("name")
                if block.labels[0] == "azurerm_key_vault" and name:
                    self.vaults.setdefault(name.lower(), f"{prefix}azurerm_key_vault.{block.labels[1]}.id")
                elif kind == "data" and name and _lists_vaults(block):
                    found = f"data.azurerm_resources.{block.labels[1]}.resources[0].id"
                    self.vaults.setdefault(name.lower(), found)
        by_id = {expression: name for name, expression in self.vaults.items()}
        for kind in ("data", "ephemeral"):
            for path, block in self.blocks(kind):
                if len(block.labels) != 2 or block.labels[0] != "azurerm_key_vault_secret" or _counted(block):
                    continue
                if block.body.get("provider") is not None:
                    continue
                name, version = block.body.text("name"), block.body.text("version")
                if block.body.get("version") is not None and not version:
                    continue
                vault = self._vault_of(path, block.body.get("key_vault_id"), by_id)
                if name and vault:
                    self.secrets.setdefault((kind, vault, name.lower(), version), block.labels[1])

    def _vault_of(self, path: str, found: Attribute | None, by_id: dict[str, str]) -> str:
        if found is None:
            return ""
        if isinstance(found.value, Text):
            match = _VAULT_ID.search(found.value.name())
            return match[1].lower() if match else ""
        text = self.files[path][found.value.literal.start : found.value.literal.end].decode("utf-8", "replace")
        return by_id.get("".join(text.split()), "")

    def blocks(self, kind: str) -> Iterator[tuple[str, Block]]:
        for path, body in self.bodies.items():
            for block in body.of(kind):
                yield path, block

    def secret(self, kind: str, reference: Reference) -> str:
        """The label of the block that reads this secret already; empty for none."""
        key = (kind, reference.vault_name.lower(), reference.name.lower(), reference.version)
        return self.secrets.get(key, "")

    def reads_text(self, name: str) -> bool:
        """Whether `TF_VAR_name` is taken as it is, and not read as an expression."""
        kind = self.variables.get(name)
        return kind is None or kind in _PRIMITIVE

    # --- who shows or iterates over a value -------------------------------------------------------------------------

    def shown(self, names: set[str]) -> tuple[set[tuple[str, int]], bool]:
        """Outputs that show one of these names, and are not marked sensitive, as path and offset of the block; and
        whether something iterates over one. Locals that hold one count as well."""
        known = set(names)
        outputs: set[tuple[str, int]] = set()
        while True:
            pattern = re.compile(rb"(?<![\w.-])(?:" + b"|".join(map(re.escape, sorted(_raw(known)))) + rb")(?![\w-])")
            more: set[str] = set()
            for path, block in self.blocks("locals"):
                for attribute in block.body.attributes:
                    if f"local.{attribute.name}" not in known and pattern.search(self._source(path, attribute)):
                        more.add(f"local.{attribute.name}")
            if not more or len(known) > 1000:
                break
            known |= more
        for path, block in self.blocks("output"):
            found, marked = block.body.get("value"), block.body.get("sensitive")
            if found is not None and marked is None:
                source = self._source(path, found)
                if pattern.search(source) and b"nonsensitive(" not in source:
                    outputs.add((path, block.span.start))
        iterated = any(
            attribute.name == "for_each" and pattern.search(self._source(path, attribute))
            for path, body in self.bodies.items()
            for attribute in _all(body)
        )
        return outputs, iterated

    def _source(self, path: str, attribute: Attribute) -> bytes:
        return self.files[path][attribute.value.literal.start : attribute.value.literal.end]


def _raw(names: set[str]) -> set[bytes]:
    return {name.encode() for name in names}


def _lists_vaults(block: Block) -> bool:
    listed = block.body.text("type").lower() == "microsoft.keyvault/vaults"
    return listed and block.labels[0] == "azurerm_resources"


def _counted(block: Block) -> bool:
    return block.body.get("count") is not None or block.body.get("for_each") is not None


def _all(body: Body) -> Iterator[Attribute]:
    todo = [body]
    while todo:
        current = todo.pop()
        yield from current.attributes
        todo += (block.body for block in current.blocks)


def modules(files: Files) -> dict[str, Module]:
    """The folders with configurations, by path."""
    found: dict[str, Module] = {}
    for path in sorted(files):
        if is_configuration(path) and claims(path, files[path][:4096]):
            folder = folder_of(path)
            found.setdefault(folder, Module(folder, files)).add(path)
    for module in found.values():
        module.settle()
    return found
