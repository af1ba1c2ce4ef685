"""Resources that read a vault by themselves: settings of App Service and Functions, secrets of Container Apps.

Sources: Azure App Service, "Use Key Vault references" (`keyVaultReferenceIdentity`); Azure REST API specifications,
Microsoft.Web `SiteProperties` and Microsoft.App `Secret`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rewriters._api import Reference
from rewriters._app_settings import BEFORE_REFERENCES, reference_text
from rewriters._arm_deploy import Deployments, Template
from rewriters._arm_kinds import APP_SECRET, APP_VARIABLE, SITES
from rewriters._arm_read import Scope, Site
from rewriters._arm_text import child, is_expression, pairs, word
from rewriters._azure_identity import is_identity, secret_uri
from rewriters._yaml import Map, Node, Scalar, Seq

__all__ = ["Apps"]

_VERSIONED = re.compile(r"\d{4}-\d\d-\d\d(?P<preview>-preview)?\Z")
_FIRST, _FIRST_PREVIEW = "2023-05-01", "2023-04-01"
"""The first API versions of Container Apps whose secrets refer to a vault."""


class Apps:
    """The references of one rewrite that resources resolve themselves."""

    def __init__(self, work: Deployments) -> None:
        self.work = work
        self._resources: dict[int, list[tuple[Map, str, Map | None]]] = {}
        self._readers: dict[int, str] = {}
        self._secrets: dict[int, tuple[Template, Map, dict[str, dict[str, Any]]]] = {}
        self._names: dict[tuple[int, Reference], str] = {}

    def finish(self) -> None:
        """Writes the new secrets of container apps, once all are known."""
        for editor, properties, new in self._secrets.values():
            configuration = child(properties, "configuration")
            secrets = child(configuration, "secrets")
            entries = [{"name": name, **entry} for name, entry in new.items()]
            if isinstance(secrets, Seq):
                for entry in entries:
                    editor.append(secrets, entry)
            elif isinstance(configuration, Map):
                editor.add(configuration, "secrets", entries)
            else:
                editor.add(properties, "configuration", {"secrets": entries})
        self._secrets = {}

    # --- App Service and Functions -----------------------------------------------------------------------------------

    def setting(self, site: Site, reference: Reference) -> str | None:
        """What stands for a setting, `None` when the app has no identity that could read it."""
        owner = self._site_of(site)
        if owner is None or site.slot.key.lower() in BEFORE_REFERENCES:
            return None
        editor = self.work.template(site)
        who = self._reader(editor, owner)
        if not who:
            return None
        path = site.slot.path
        for note in (
            f"{path}: {who} of {word(owner, 'name') or 'the app'} needs the role Key Vault Secrets User on the secrets "
            "before the app starts; until then the app is handed the text of the reference. For an app that this "
            "deployment makes, give the role after it and deploy again.",
            f"{path}: App Service reads the newest version of a secret within 24 hours, after a change of the "
            "settings at once.",
        ):
            self.work.notes.setdefault(note)
        return reference_text(reference)

    def _reader(self, editor: Template, owner: Map) -> str:
        """Which identity of an app reads the vault, empty when there is none."""
        if id(owner) in self._readers:
            return self._readers[id(owner)]
        self._readers[id(owner)] = found = self._find_reader(editor, owner)
        return found

    def _find_reader(self, editor: Template, owner: Map) -> str:
        properties = child(owner, "properties")
        system, users = _identities(owner)
        said = word(properties, "keyVaultReferenceIdentity")
        if said and said.lower() != "systemassigned":
            return "the identity in keyVaultReferenceIdentity"
        if system:
            return "the system-assigned identity"
        wanted = self._wanted(users)
        if not wanted or said or not isinstance(properties, Map):
            return ""
        if child(properties, "keyVaultReferenceIdentity") is not None:
            return ""
        if wanted not in users and not _add_identity(editor, owner, wanted):
            return ""
        editor.add(properties, "keyVaultReferenceIdentity", wanted)
        return "the user-assigned identity"

    def _wanted(self, users: list[str]) -> str:
        """The identity that was given, else the only one that is there."""
        given = self.work.settings.identity
        if is_identity(given):
            return next((user for user in users if user.lower() == given.lower()), given)
        return users[0] if len(users) == 1 else ""

    def _site_of(self, site: Site) -> Map | None:
        """The app whose setting this is: the resource itself, or the one that its configuration belongs to."""
        resource, scope = site.resource, site.scope
        if resource is None or scope is None or site.type in SITES:
            return resource
        around = self._all(scope)
        for item, _, parent in around:
            if item is resource and parent is not None:
                return parent
        name = word(resource, "name")
        for item, kind, _ in around:
            if kind in SITES and _is_part(name, word(item, "name")):
                return item
        return None

    def _all(self, scope: Scope) -> list[tuple[Map, str, Map | None]]:
        """The resources of a template with their types, and those that they stand in."""
        if id(scope.template) not in self._resources:
            self._resources[id(scope.template)] = list(_resources(child(scope.template, "resources")))
        return self._resources[id(scope.template)]

    # --- Container Apps ----------------------------------------------------------------------------------------------

    def app(self, site: Site, reference: Reference) -> bool:
        """A secret of a container app, or a variable that takes one. Whether it was possible."""
        if site.kind == APP_SECRET:
            return self._app_secret(site, reference)
        return site.kind == APP_VARIABLE and self._app_variable(site, reference)

    def _app_secret(self, site: Site, reference: Reference) -> bool:
        resource, entry = site.resource, site.owner
        if resource is None or not isinstance(entry, Map) or child(entry, "keyVaultUrl") or child(entry, "identity"):
            return False
        identity = self._app_identity(resource)
        if not identity:
            return False
        key = entry.pairs[site.index][0]
        if not isinstance(key, Scalar):
            return False
        editor = self.work.template(site)
        editor.rename(key, "keyVaultUrl")
        editor.replace(site, secret_uri(reference))
        editor.add(entry, "identity", identity)
        self._note(site)
        return True

    def _app_variable(self, site: Site, reference: Reference) -> bool:
        """The variable names a secret of the app, which the vault or a parameter gives its value."""
        resource, entry = site.resource, site.owner
        properties = child(resource, "properties")
        configuration = child(properties, "configuration")
        secrets = child(configuration, "secrets")
        if not isinstance(properties, Map) or not isinstance(entry, Map) or child(entry, "secretRef") is not None:
            return False
        if not isinstance(configuration, Map | None) or not isinstance(secrets, Seq | None):
            return False
        key = entry.pairs[site.index][0]
        if not isinstance(key, Scalar) or resource is None:
            return False
        editor = self.work.template(site)
        name = self._names.get((id(resource), reference)) or _there(secrets, secret_uri(reference))
        if not name:
            identity = self._app_identity(resource)
            if identity:
                new = {"keyVaultUrl": secret_uri(reference), "identity": identity}
                self._note(site)
            else:
                new = {"value": f"[parameters('{self.work.parameter(site, reference)}')]"}
            _, _, added = self._secrets.setdefault(id(resource), (editor, properties, {}))
            taken = {word(item, "name").lower() for item in secrets.items} if secrets is not None else set()
            name = _free(reference.name, taken | set(added))
            added[name] = new
            self._names[id(resource), reference] = name
        editor.rename(key, "secretRef")
        editor.replace(site, name)
        return True

    def _app_identity(self, resource: Map) -> str:
        """The identity that a secret of a container app names; empty when its API knows none, or none is there."""
        match = _VERSIONED.match(word(resource, "apiVersion"))
        if match is None or match[0][:10] < (_FIRST_PREVIEW if match["preview"] else _FIRST):
            return ""
        users = _identities(resource)[1]
        secrets = child(child(child(resource, "properties"), "configuration"), "secrets")
        used = {
            word(item, "identity")
            for item in (secrets.items if isinstance(secrets, Seq) else ())
            if child(item, "keyVaultUrl") is not None
        } - {""}
        if len(used) == 1:
            return used.pop()
        wanted = self._wanted(users)
        return wanted if wanted in users else ""

    def _note(self, site: Site) -> None:
        self.work.notes.setdefault(
            f"{site.slot.path}: the identity that the app's secrets name must have the role Key Vault Secrets User on "
            "them before the deployment."
        )


def _resources(node: Node | None) -> Iterator[tuple[Map, str, Map | None]]:
    todo: list[tuple[Node | None, str, Map | None]] = [(node, "", None)]
    while todo:
        holder, above, parent = todo.pop()
        items = [value for _, _, value in pairs(holder)] if isinstance(holder, Map) else []
        for item in holder.items if isinstance(holder, Seq) else items:
            if not isinstance(item, Map):
                continue
            kind = word(item, "type").lower()
            if above and above.split("/", 1)[0] != kind.split("/", 1)[0]:
                kind = f"{above}/{kind}"
            yield item, kind, parent
            todo.append((child(item, "resources"), kind, item))


def _identities(resource: Map | None) -> tuple[bool, list[str]]:
    """Whether a resource has an identity of its own, and which others."""
    identity = child(resource, "identity")
    kind = word(identity, "type").lower()
    return "systemassigned" in kind, [key.text for _, key, _ in pairs(child(identity, "userAssignedIdentities"))]


def _add_identity(editor: Template, owner: Map, wanted: str) -> bool:
    """Gives a resource without an identity this one. Whether it could be."""
    identity = child(owner, "identity")
    if identity is None:
        editor.add(owner, "identity", {"type": "UserAssigned", "userAssignedIdentities": {wanted: {}}})
        return True
    assigned = child(identity, "userAssignedIdentities")
    if isinstance(assigned, Map) and word(identity, "type").lower() == "userassigned":
        editor.add(assigned, wanted, {})
        return True
    return False


def _is_part(name: str, owner: str) -> bool:
    """Whether a configuration's name begins with an app's name: both literal, or the one put together from the other's
    expression."""
    if not name or not owner:
        return False
    if not is_expression(owner):
        return name.lower().startswith(owner.lower() + "/")
    whole, part = (re.sub(r"\s+", "", text).lower() for text in (name, owner[1:-1]))
    if whole.startswith(f"[concat({part},'/"):
        return True
    return (
        whole.startswith("[format('{0}/") and re.match(re.escape(part) + r"[,)]", whole.partition("',")[2]) is not None
    )


def _there(secrets: Seq | None, uri: str) -> str:
    """The secret of a container app that refers to this one of the vault."""
    for item in secrets.items if secrets is not None else ():
        if word(item, "keyVaultUrl").rstrip("/").lower() == uri.lower() and not is_expression(word(item, "name")):
            return word(item, "name")
    return ""


def _free(name: str, taken: set[str]) -> str:
    """A free name of a secret: small letters, digits and hyphens."""
    base = name.lower().strip("-")[:60] or "secret"
    found, number = base, 1
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found
