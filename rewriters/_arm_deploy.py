"""Parameters that get their values from the vault: in the template, and in all that feeds it.

Sources: Azure Resource Manager, "Use Azure Key Vault to pass a secure parameter value during deployment", "Parameters
in ARM templates" (`securestring`), "Create Resource Manager parameter file".
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from rewriters._api import Companion, Files, Reference, Settings
from rewriters._arm_pairs import companion
from rewriters._arm_read import Document, Scope, Site
from rewriters._arm_text import child, pairs, word
from rewriters._arm_vault import reference_value, vault_id
from rewriters._azure_identity import No
from rewriters._json_edit import Editor
from rewriters._yaml import Map, Scalar, newline

__all__ = ["Deployments", "Template"]

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"
_GENERATED = "Bicep made this template, and would make it anew without the change"
_IN_BICEP = "move the value in the .bicep file that the template is made from"


class Template(Editor):
    """A file with its changes."""

    def __init__(self, document: Document) -> None:
        super().__init__(document.path, document.data)
        self.document = document
        self.secured: set[int] = set()
        self._secure = "secureString" if b'"secureString"' in document.data else "securestring"

    def replace(self, site: Site, text: str) -> None:
        self.put(site.node, text)

    def type_of_new(self) -> str:
        return self._secure

    def secure(self, declared: Map) -> None:
        """The parameter becomes a `securestring`."""
        kind = child(declared, "type")
        if isinstance(kind, Scalar) and kind.text.lower() == "string" and id(declared) not in self.secured:
            self.secured.add(id(declared))
            self.put(kind, self._secure)


class Deployments:
    """All templates and parameter files that a rewrite touches. `owners` maps parameter files to their templates."""

    def __init__(
        self, files: Files, settings: Settings, documents: dict[str, Document], owners: dict[str, str]
    ) -> None:
        self.files, self.settings = files, settings
        self.documents = documents
        self.owners = owners
        self.notes: dict[str, None] = {}
        self._editors: dict[str, Template] = {}
        self._known: dict[tuple[int, Reference], str] = {}
        self._declared: dict[int, tuple[Template, Scope, dict[str, Any]]] = {}
        self._given: dict[int, tuple[Template, Map, dict[str, Any]]] = {}
        self._companions: dict[str, dict[str, Any]] = {}

    # --- files -------------------------------------------------------------------------------------------------------

    def editor(self, path: str) -> Template:
        if path not in self._editors:
            self._editors[path] = Template(self.documents[path])
        return self._editors[path]

    def editors(self) -> Iterator[Template]:
        """The files that change, with all that was collected for them."""
        for editor, scope, new in self._declared.values():
            _add(editor, scope.template, "parameters", new)
        for editor, owner, new in self._given.values():
            _add(editor, owner, "parameters", new)
        self._declared, self._given = {}, {}
        yield from self._editors.values()

    def template(self, site: Site) -> Template:
        """The editor of the template that a site stands in. Raises `No` for one that nobody edits."""
        document = self.documents[site.slot.path]
        if document.generated:
            raise No(_GENERATED, _IN_BICEP)
        return self.editor(document.path)

    def companions(self) -> Iterator[Companion]:
        for path, entries in self._companions.items():
            data = self.documents[path].data
            line_break = newline(data).decode()
            found = re.search(rb"\n([ \t]+)[^ \t\r\n]", data)
            content = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "parameters": entries}
            text = json.dumps(content, ensure_ascii=False, indent=found[1].decode() if found else 4) + "\n"
            yield Companion(
                companion(path),
                text.replace("\n", line_break).encode(),
                f"the parameters that {path} reads from the vault: deploy with "
                f"--parameters @{posixpath.basename(companion(path))}",
            )

    def note(self, path: str, reference: Reference) -> None:
        for text in (
            f"{path}: the vault {reference.vault_name} needs enabledForTemplateDeployment, and whoever deploys needs "
            "the action Microsoft.KeyVault/vaults/deploy/action on it.",
            f"{path}: the deployment reads the secret when it starts; after a rotation deploy again.",
        ):
            self.notes.setdefault(text)

    # --- parameters that are there -----------------------------------------------------------------------------------

    def refer(self, site: Site, name: str, entry: Map, reference: Reference) -> None:
        """A value of a parameter becomes a reference: in a parameter file, or in a nested deployment."""
        if child(entry, "reference") is not None:
            raise No("the reference stands beside the value already", "delete the value")
        value = reference_value(reference, vault_id(reference, self.files, self.settings.vault_id))
        path = site.slot.path
        self.declaration(path, site, name)
        editor = self.template(site) if site.scope is not None else self.editor(path)
        key = entry.pairs[site.index][0]
        if not isinstance(key, Scalar):
            raise No("the place has no property that could be renamed", "write it in another way")
        editor.rename(key, "reference")
        editor.put(site.node, value)
        self.note(path, reference)

    def declaration(self, path: str, site: Site, name: str) -> None:
        """Makes the parameter that gets the reference a secure one, where its template can be changed."""
        if site.scope is not None:
            template = child(site.scope.deployment, "template")
            declared = child(child(template, "parameters"), name)
            editor = None if self.documents[path].generated else self.editor(path)
        else:
            owner = self.owners.get(path, "")
            scope = self.documents[owner].scope if owner else None
            declared = child(scope.parameters, name) if scope is not None else None
            editor = self.editor(owner) if owner and not self.documents[owner].generated else None
        if not isinstance(declared, Map):
            self.notes.setdefault(
                f"{path}: the template has to declare the parameter {name} as securestring, in Bicep as @secure()."
            )
            return
        _check_type(declared)
        if editor is not None:
            editor.secure(declared)
        elif word(declared, "type").lower() == "string":
            self.notes.setdefault(f"{path}: make the parameter {name} a @secure() one in the Bicep file.")

    def drop_default(self, site: Site, name: str, declared: Map, reference: Reference) -> None:
        """A parameter's default goes, and every deployment that relied on it refers to the vault instead."""
        editor = self.template(site)
        scope = site.scope
        if scope is None:
            raise No("the place is in no template", "write it in another way")
        _check_type(declared)
        value = {"reference": reference_value(reference, vault_id(reference, self.files, self.settings.vault_id))}
        everywhere = self.feed(site.slot.path, scope, name, value)
        editor.secure(declared)
        editor.remove(declared, site.index)
        if everywhere:
            self._known[id(scope.template), reference] = name
        self.note(site.slot.path, reference)

    # --- new parameters ----------------------------------------------------------------------------------------------

    def parameter(self, site: Site, reference: Reference) -> str:
        """The parameter of a site's template that carries the secret; a new one unless there is one."""
        scope = site.scope
        if scope is None:
            raise No("the place is in no template", "write it in another way")
        known = self._known.get((id(scope.template), reference))
        if known is not None:
            return known
        value = {"reference": reference_value(reference, vault_id(reference, self.files, self.settings.vault_id))}
        editor = self.template(site)
        _, _, new = self._declared.setdefault(id(scope.template), (editor, scope, {}))
        taken = {key.text.lower() for _, key, _ in pairs(scope.parameters)} | {key.lower() for key in new}
        for path in self.fed_by(site.slot.path, scope):
            taken |= {key.text.lower() for _, key, _ in pairs(self.documents[path].values)}
        name, number = _camel(reference.name), 1
        while name.lower() in taken:
            number += 1
            name = f"{_camel(reference.name)}{number}"
        self.feed(site.slot.path, scope, name, value)
        new[name] = {"type": editor.type_of_new()}
        self._known[id(scope.template), reference] = name
        self.note(site.slot.path, reference)
        return name

    def fed_by(self, path: str, scope: Scope) -> list[str]:
        return [] if scope.deployment is not None else [file for file, owner in self.owners.items() if owner == path]

    def feed(self, path: str, scope: Scope, name: str, value: dict[str, Any]) -> bool:
        """Gives a parameter its value in all that deploys the template, unless it has one there. Whether it is the
        same everywhere."""
        if scope.deployment is not None:
            given = child(scope.deployment, "parameters")
            if child(given, name) is not None:
                return False
            _, _, new = self._given.setdefault(id(scope.deployment), (self.editor(path), scope.deployment, {}))
            new[name] = value
            return True
        files = self.fed_by(path, scope)
        if not files:
            if companion(path) in self.files:
                raise No(f"{companion(path)} is there, and is no parameter file that can be read", "repair that file")
            self._companions.setdefault(path, {})[name] = value
            return True
        everywhere = True
        for file in files:
            if child(self.documents[file].values, name) is not None:
                everywhere = False
                continue
            _, _, new = self._given.setdefault(
                id(self.documents[file]), (self.editor(file), self.documents[file].root, {})
            )
            new[name] = value
            self.notes.setdefault(f"{file}: deploy {posixpath.basename(path)} with this file of parameters.")
        return everywhere


def _add(editor: Editor, owner: Map, name: str, new: dict[str, Any]) -> None:
    """New pairs for the map under a name, which is made when it is not there."""
    found = child(owner, name)
    if not new:
        return
    if isinstance(found, Map):
        for key, value in new.items():
            editor.add(found, key, value)
    elif found is not None:
        editor.put(found, new)
    else:
        editor.add(owner, name, new)


def _check_type(declared: Map) -> None:
    kind = word(declared, "type").lower()
    if kind not in ("string", "securestring"):
        raise No(
            "the parameter is no string, and only secure ones take a reference",
            "make the credential a securestring parameter of its own, then run this again",
        )
    if child(declared, "allowedValues") is not None:
        raise No(
            "the template lists the values that the parameter may have",
            "take the list of allowed values out of the template, then run this again",
        )


def _camel(name: str) -> str:
    """A secret's name as parameters are named: `orders-db-password` is `ordersDbPassword`."""
    first, *others = [part for part in name.split("-") if part] or ["secret"]
    text = first[:1].lower() + first[1:] + "".join(part[:1].upper() + part[1:] for part in others)
    return text if text[0].isalpha() else f"secret{text}"
