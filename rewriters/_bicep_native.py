"""Properties of Azure resources that refer to a vault by themselves: what stands there instead, and what it needs.

Sources: bicep-types-az, `Microsoft.ContainerInstance/containerGroups@2025-09-01` (`SecretReference`),
`Microsoft.App/containerApps@2025-07-01` (`Secret`); Microsoft Learn, "Use Key Vault references as app settings in Azure
App Service" (`keyVaultReferenceIdentity`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rewriters._api import Assignment, Reference, Request, Span, Unreadable
from rewriters._azure_identity import SAY_IDENTITY, No, is_identity, secret_uri
from rewriters._bicep_edit import Editor, quoted
from rewriters._bicep_facts import File, Resource, Site
from rewriters._bicep_givers import Givers
from rewriters._bicep_tokens import literal_text
from rewriters._bicep_tree import Array, Name, Node, Object, Pair, Text

__all__ = ["NATIVE", "Natives"]

NATIVE = frozenset(("aci-env", "aci-registry", "aci-storage", "app-secret", "app-env", "setting"))
"""Roles of sites that this knows."""

_BECOMES = {
    "aci-env": "secureValueReference",
    "aci-registry": "passwordReference",
    "aci-storage": "storageAccountKeyReference",
    "app-env": "secretRef",
}
_VARIABLES = frozenset(("value", "securevalue", "securevaluereference", "secretref"))
_LEAST = {"aci": ("2025-09-01", "2024-10-01", "2025-09-01"), "app": ("2023-05-01", "2022-11-01", "2025-07-01")}
"""The first stable version that knows the references, the first preview, and what is written for older ones."""
_LONGEST = 63
_ONE_HOLE = re.compile(r"'\$\{([^{}']+)\}'\Z")
_PLAIN = "the resource's properties are put together in a way that this does not read"


@dataclass(slots=True, eq=False)
class _Plan:
    """What a resource gets, once, for all the references in it."""

    file: File
    resource: Resource
    body: Object
    properties: Object
    identity: str = ""
    new_identity: bool = False
    reads: bool = False
    """Whether `keyVaultReferenceIdentity` has to be set."""
    entries: dict[str, str] = field(default_factory=dict)
    """New secrets: their URI by the name that the resource gives them."""


class Natives(Givers):
    """References of resources."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.plans: dict[int, _Plan] = {}

    def native(self, item: Assignment, site: Site, file: File) -> list[Callable[[], None]]:
        """The changes that put a reference there. Raises `No`."""
        if item.part is not None:
            raise No("a reference stands for the whole text here", "move the whole text")
        owner = site.owner
        pair = next((pair for pair in owner.pairs if pair.value.start == site.literal.start), None) if owner else None
        if owner is None or pair is None or site.resource is None:
            raise No("the value is one of several, of which the deployment chooses", "write it without the choice")
        if site.role == "setting":
            return self.setting(item, site, file)
        plan = self.plan(file, site.resource)
        self.find_identity(plan)
        names = [other.name.lower() for other in owner.pairs]
        if site.role in ("aci-env", "app-env") and sum(name in _VARIABLES for name in names) > 1:
            raise No("the variable has its value twice", "leave one of them, then run this again")
        if site.role not in ("aci-env", "app-env") and _BECOMES.get(site.role, "keyVaultUrl").lower() in names:
            raise No("the reference stands beside the value already", "delete the value")
        if site.role == "app-secret":
            return [lambda: self.keep(plan), lambda: self.app_secret(item.reference, site, plan, owner, pair)]
        self.table(plan)  # raises No where the list cannot be added to

        def work() -> None:
            self.keep(plan)
            name = self.entry(plan, item.reference)
            editor = self.editor(file)
            editor.edit(Span(pair.start, pair.end), _BECOMES[site.role])
            editor.edit(site.literal, quoted(name))

        return [work]

    def keep(self, plan: _Plan) -> None:
        self.plans[id(plan.resource)] = plan

    def app_secret(self, reference: Reference, site: Site, plan: _Plan, owner: Object, pair: Pair) -> None:
        editor = self.editor(plan.file)
        editor.edit(Span(pair.start, pair.end), "keyVaultUrl")
        editor.edit(site.literal, quoted(secret_uri(reference)))
        if owner.get("identity") is None:
            editor.add(owner, "identity", plan.identity)

    def plan(self, file: File, resource: Resource) -> _Plan:
        if id(resource) in self.plans:
            return self.plans[id(resource)]
        body = resource.body
        properties = body.get("properties") if body is not None else None
        if body is None or not isinstance(properties, Object):
            raise No(_PLAIN, "write them out in one object")
        return _Plan(file, resource, body, properties)

    # --- settings of App Service -------------------------------------------------------------------------------------

    def setting(self, item: Assignment, site: Site, file: File) -> list[Callable[[], None]]:
        app = _app(file, site.resource)
        if app is None:
            raise No(
                "the app that the settings are for is not in the file", "write the settings into the app's own file"
            )
        plan = self.plan(file, app)
        held = plan.body.get("identity")
        kind = _word(file, held.get("type")) if isinstance(held, Object) else None
        reader = plan.properties.get("keyVaultReferenceIdentity")
        system = held is not None and (kind is None or "systemassigned" in kind.lower())
        if (self.request.settings.identity or not system) and reader is None:
            self.find_identity(plan)
            plan.reads = True

        def work() -> None:
            self.keep(plan)
            self.editor(file).edit(site.literal, quoted(f"@Microsoft.KeyVault(SecretUri={secret_uri(item.reference)})"))

        return [work]

    # --- the identity ------------------------------------------------------------------------------------------------

    def find_identity(self, plan: _Plan) -> None:
        """Which identity reads the vault, and whether the resource has it. Raises `No`."""
        if plan.identity:
            return
        wanted = self.request.settings.identity
        if wanted and not is_identity(wanted):
            raise No("the identity that was given is no resource id of a user-assigned identity", SAY_IDENTITY)
        held = plan.body.get("identity")
        users = held.get("userAssignedIdentities") if isinstance(held, Object) else None
        if (held is not None and not isinstance(held, Object)) or (users is not None and not isinstance(users, Object)):
            raise No("the resource's identity is put together in a way that this does not read", "write it out")
        keys = [plan.file.data[pair.start : pair.end].decode() for pair in users.pairs] if users is not None else []
        if wanted:
            same = [key for key in keys if key.strip("'").lower() == wanted.lower()]
            if held is not None and users is None and _word(plan.file, held.get("type")) is None:
                raise No("the type of the resource's identity is no plain text", "write it out")
            plan.identity, plan.new_identity = same[0] if same else quoted(wanted), not same
            return
        if len(keys) != 1 or keys[0] == "...":
            raise No(
                "the resource has several user-assigned identities, and nothing says which one reads the vault"
                if keys
                else "the resource has no user-assigned identity that could read the vault",
                SAY_IDENTITY,
            )
        hole = _ONE_HOLE.match(keys[0])
        plan.identity = hole[1] if hole else keys[0]

    def add_identity(self, plan: _Plan) -> None:
        editor = self.editor(plan.file)
        held = plan.body.get("identity")
        entry = {plan.identity: "{}"}
        if not isinstance(held, Object):
            value = {"type": "'UserAssigned'", "userAssignedIdentities": entry}
            editor.add(plan.body, "identity", value, before="properties")
            return
        users = held.get("userAssignedIdentities")
        kind = held.get("type")
        text = _word(plan.file, kind)
        if isinstance(kind, Text) and text is not None and "userassigned" not in text.lower():
            both = text.lower() == "systemassigned"
            editor.edit(Span(kind.start, kind.end), "'SystemAssigned, UserAssigned'" if both else "'UserAssigned'")
        if isinstance(users, Object):
            editor.add(users, plan.identity, "{}")
        else:
            editor.add(held, "userAssignedIdentities", entry)

    # --- the list of secrets -----------------------------------------------------------------------------------------

    def table(self, plan: _Plan) -> tuple[Object, str, Array | None]:
        """The object that holds the list of secrets, the list's name, and the list. Raises `No`."""
        owner, name = plan.properties, "secretReferences"
        if not _is_group(plan.resource):
            configuration = plan.properties.get("configuration")
            if not isinstance(configuration, Object):
                raise No(
                    "the app has no configuration that could hold a secret", "give it a configuration with secrets"
                )
            owner, name = configuration, "secrets"
        found = owner.get(name)
        if found is not None and not isinstance(found, Array):
            raise No(
                f"the resource's {name} are put together in a way that this does not read", "write them out as a list"
            )
        return owner, name, found

    def known(self, plan: _Plan) -> Iterator[tuple[str, str]]:
        """Name and URI of the secrets that the resource has."""
        found = self.table(plan)[2]
        for item in found.items if found is not None else ():
            if isinstance(item, Object):
                name, uri = item.get("name"), item.get("secretReferenceUri") or item.get("keyVaultUrl")
                yield _word(plan.file, name) or "", _word(plan.file, uri) or ""

    def entry(self, plan: _Plan, reference: Reference) -> str:
        """The name of the secret that leads to the vault's; a new one unless there is one."""
        uri = secret_uri(reference)
        known = dict(self.known(plan))
        for name, there in (*known.items(), *plan.entries.items()):
            if name and there.rstrip("/").lower() == uri.lower():
                return name
        taken = {name.lower() for name in (*known, *plan.entries)}
        base = name = reference.name.lower()[:_LONGEST].strip("-") or "secret"
        number = 1
        while name in taken:
            number += 1
            name = f"{base[: _LONGEST - 1 - len(str(number))].rstrip('-')}-{number}"
        plan.entries[name] = uri
        return name

    # --- once for each resource --------------------------------------------------------------------------------------

    def finish(self) -> None:
        """What the resources need besides."""
        for plan in self.plans.values():
            editor, resource = self.editor(plan.file), plan.resource
            if plan.new_identity:
                self.add_identity(plan)
            if plan.reads:
                editor.add(plan.properties, "keyVaultReferenceIdentity", plan.identity)
            if plan.entries:
                self.add_entries(plan, editor)
            if resource.type.lower().startswith("microsoft.web/"):
                self.note(
                    f"{plan.file.path}: the identity of the app {resource.symbol} needs the role Key Vault Secrets "
                    "User for the secrets. One that the deployment makes gets it afterwards; restart the app then."
                )
                continue
            self.raise_version(plan, editor)
            self.note(
                f"{plan.file.path}: before {resource.symbol} is deployed, the identity that reads its secrets needs "
                "the role Key Vault Secrets User for them."
            )

    def add_entries(self, plan: _Plan, editor: Editor) -> None:
        owner, name, found = self.table(plan)
        uri = "secretReferenceUri" if name == "secretReferences" else "keyVaultUrl"
        items = [
            {"name": quoted(entry), uri: quoted(value), "identity": plan.identity}
            for entry, value in plan.entries.items()
        ]
        if found is None:
            editor.add(owner, name, items)
        else:
            for item in items:
                editor.append(found, item)

    def raise_version(self, plan: _Plan, editor: Editor) -> None:
        statement = plan.resource.statement
        token = statement.tokens[statement.keyword + 2]
        text = literal_text(plan.file.data, token)
        version = text.rpartition("@")[2]
        stable, preview, written = _LEAST["aci" if _is_group(plan.resource) else "app"]
        if version[:10] < (preview if version.lower().endswith("-preview") else stable):
            editor.edit(Span(token.end - 1 - len(version.encode()), token.end - 1), written)


def _word(file: File, node: Node | None) -> str | None:
    """A text without holes."""
    if not isinstance(node, Text) or len(node.pieces) != 1:
        return None
    try:
        return literal_text(file.data, node.pieces[0])
    except Unreadable:
        return None


def _is_group(resource: Resource) -> bool:
    return resource.type.lower().startswith("microsoft.containerinstance/")


def _app(file: File, resource: Resource | None) -> Resource | None:
    """The app of settings: the resource itself, the one around it, the one that it names as its parent."""
    if resource is None or not resource.type.partition("@")[0].lower().endswith("/config"):
        return resource
    if resource.parent is not None:
        return resource.parent
    parent = resource.body.get("parent") if resource.body is not None else None
    apps = [other for other in file.resources if not other.existing and _is_app(other)]
    if isinstance(parent, Name):
        apps = [other for other in apps if other.symbol == parent.text]
    return apps[0] if len(apps) == 1 else None


def _is_app(resource: Resource) -> bool:
    return resource.type.partition("@")[0].lower() in ("microsoft.web/sites", "microsoft.web/sites/slots")
