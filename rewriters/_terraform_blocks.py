"""The blocks that references need: the vault, the secrets that are read, variables; where they go, and their names.

They go to the end of a file that has such blocks already, else to the end of the file that needs them; only a folder
whose files are all JSON gets a file of its own, `secretscan.tf`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from rewriters._api import Companion, Reference
from rewriters._hcl_edit import Editor, quoted
from rewriters._terraform_module import Module

__all__ = ["Blocks", "No", "uri"]

COMPANION = "secretscan.tf"


class No(Exception):
    """Why an assignment cannot be carried out."""

    def __init__(self, reason: str, alternative: str) -> None:
        super().__init__(reason)
        self.reason, self.alternative = reason, alternative


def uri(reference: Reference) -> str:
    version = f"/{reference.version}" if reference.version else ""
    return f"{reference.vault_url.rstrip('/')}/secrets/{reference.name}{version}"


class Blocks:
    """What one folder gets."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.labels = set(module.labels)
        self._vaults = dict(module.vaults)
        self._secrets: dict[tuple[str, Reference], str] = {}
        self._variables: dict[Reference, str] = {}
        self._new: list[tuple[str, list[str]]] = []
        self._first = ""

    def secret(self, kind: str, reference: Reference, path: str) -> str:
        """The label of the block that reads a secret: one that is there, or a new one."""
        known = self.module.secret(kind, reference) or self._secrets.get((kind, reference))
        if known:
            return known
        self._first = self._first or path
        label = self.label((kind, "azurerm_key_vault_secret"), reference.name)
        self._secrets[kind, reference] = label
        pairs = [("name", quoted(reference.name)), ("key_vault_id", self.vault(reference))]
        if reference.version:
            pairs.append(("version", quoted(reference.version)))
        lines = [f'{kind} "azurerm_key_vault_secret" "{label}" {{', *_aligned(pairs), "}"]
        if not reference.vault_url.rstrip("/").lower().endswith(f"{reference.vault_name.lower()}.vault.azure.net"):
            lines.insert(0, f"# {reference.vault_url}")
        self._new.append(("secret", lines))
        return label

    def vault(self, reference: Reference) -> str:
        """The expression of the vault's id."""
        name = reference.vault_name
        if name.lower() not in self._vaults:
            label = self.label(("data", "azurerm_resources"), name)
            self._vaults[name.lower()] = f"data.azurerm_resources.{label}.resources[0].id"
            pairs = [("type", quoted("Microsoft.KeyVault/vaults")), ("name", quoted(name))]
            self._new.append(("vault", [f'data "azurerm_resources" "{label}" {{', *_aligned(pairs), "}"]))
        return self._vaults[name.lower()]

    def variable(self, reference: Reference, known: Mapping[str, Reference]) -> str:
        """A variable for a secret: one that the fetch script sets already, or a new one."""
        if reference in self._variables:
            return self._variables[reference]
        for name, other in known.items():
            if (
                other == reference
                and name.startswith("TF_VAR_")
                and self.module.variables.get(name[7:], b"") == b"string"
            ):
                return name[7:]
        label = self.label(("variable",), reference.name, taken={name[7:] for name in known})
        self._variables[reference] = label
        self._new.append(
            ("variable", [f'variable "{label}" {{', *_aligned([("type", "string"), ("sensitive", "true")]), "}"])
        )
        return label

    def label(self, kind: tuple[str, ...], name: str, taken: set[str] | None = None) -> str:
        base = re.sub(r"\W", "_", name, flags=re.ASCII).lower()
        base = base if base[:1].isalpha() else f"s_{base}"
        label, number = base, 1
        while (*kind, label) in self.labels or label in (taken or ()):
            number += 1
            label = f"{base}_{number}"
        self.labels.add((*kind, label))
        return label

    # --- where they go ----------------------------------------------------------------------------------------------

    def write(self, editor: Callable[[str], Editor], companions: list[Companion], notes: dict[str, None]) -> None:
        alone: list[list[str]] = []
        for kind, lines in self._new:
            path = self._host(kind)
            if path:
                editor(path).append(lines)
                notes[f"{path}: the new blocks are at its end."] = None
            else:
                alone.append(lines)
        if any(kind == "vault" for kind, _ in self._new):
            where = self.module.folder or "the root folder"
            notes[f"{where}: the vault is found by its name, in the subscription of the azurerm provider."] = None
        if not alone:
            return
        folder = self.module.folder
        path = f"{folder}/{COMPANION}" if folder else COMPANION
        text = "\n\n".join("\n".join(lines) for lines in alone) + "\n"
        companions.append(
            Companion(path, text.encode(), "The blocks that read the secrets; JSON files beside it use them.")
        )

    def _host(self, kind: str) -> str:
        """The file that new blocks of a kind are appended to; empty when the folder has none in HCL."""
        bodies = self.module.bodies
        if kind == "variable":
            for path, body in bodies.items():
                if body.of("variable"):
                    return path
        for path, body in bodies.items():
            if any(block.labels[:1] == ("azurerm_key_vault_secret",) for block in body.blocks):
                return path
        if self._first in bodies:
            return self._first
        return next(iter(bodies), "")


def _aligned(pairs: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in pairs)
    return [f"  {name:<{width}} = {value}" for name, value in pairs]
