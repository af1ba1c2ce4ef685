"""The edits of Dapr components of Azure Container Apps: what they hold comes from a secret store, another component.

Sources: learn.microsoft.com, dapr-component-connect-services ("Using a Dapr secret store component reference": a
component with `secretStoreComponent`, whose `secretRef`s are the vault's secret names; `azureClientId` is required for
a user-assigned identity); docs.dapr.io, secretstores.azure.keyvault. The REST API specification gives a component's own
secrets a `keyVaultUrl` too, but the service refuses it (hashicorp/terraform-provider-azurerm pull request 23958).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rewriters._aci_edit import Editor, quoted
from rewriters._api import Assignment, Companion, Files, Reference, Refusal, Request, Rewrite, Span, Unreadable
from rewriters._azure_identity import No, aliases, maps, whole_text
from rewriters._containerapps_read import ALTERNATIVES, Manifest, Site, not_rendered, read, text_at
from rewriters._yaml import Map, Scalar, Seq, follow, stops
from rewriters.containerapps import claims

__all__ = ["ENVIRONMENTS", "KEY_VAULT", "component_name", "rewrite"]

KEY_VAULT = "secretstores.azure.keyvault"
ENVIRONMENTS = {
    "": "vault.azure.net",
    "azurepubliccloud": "vault.azure.net",
    "azurechinacloud": "vault.azure.cn",
    "azureusgovernmentcloud": "vault.usgovcloudapi.net",
}
"""`azureEnvironment` of a secret store, in lower case, to what its vaults' host names end in."""
_NAMES = {"vault.azure.cn": "AzureChinaCloud", "vault.usgovcloudapi.net": "AzureUSGovernmentCloud"}


def component_name(path: str) -> str:
    """What a component is called: its name is no part of its file, so the file's name is taken for it."""
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def folder_of(path: str) -> str:
    return path[: path.rfind("/") + 1]


@dataclass(frozen=True, slots=True)
class Store:
    """A secret store: where its file is, which vault it reads, and which apps may use it (`None`: all)."""

    path: str
    vault_url: str
    scopes: tuple[str, ...] | None

    @property
    def name(self) -> str:
        return component_name(self.path)


def rewrite(request: Request, components: Sequence[tuple[str, Manifest, list[Assignment]]]) -> Rewrite:
    """The edits of all components, and the stores that they need."""
    if not any(items for _, _, items in components):
        return Rewrite()
    stores = _stores(request.files)
    made: dict[str, Store] = {}
    files = [_Component(path, manifest, request, stores, made) for path, manifest, _ in components]
    for file, (_, _, items) in zip(files, components, strict=True):
        file.work(items)
    companions = tuple(
        Companion(path, _content(store, request, files), f"a Dapr component named {store.name}, which reads the vault")
        for path, store in made.items()
    )
    return Rewrite(
        edits=tuple(edit for file in files for edit in file.edits),
        companions=companions,
        refusals=tuple(refusal for file in files for refusal in file.refusals),
        notes=tuple(note for file in files for note in file.notes),
    )


def _stores(files: Files) -> list[Store]:
    """The secret stores among the files."""
    found: list[Store] = []
    for path, data in files.items():
        if b"secretstores." not in data or not claims(path, data[:4096]):
            continue
        try:
            manifest = read(path, data)
        except Unreadable:
            continue
        if manifest.resource == "dapr" and text_at(manifest.body, "componentType").lower() == KEY_VAULT:
            given = {text_at(item, "name"): text_at(item, "value") for item in maps(manifest.body.get("metadata"))}
            host = ENVIRONMENTS.get(given.get("azureEnvironment", "").lower())
            if given.get("vaultName") and host:
                found.append(Store(path, f"https://{given['vaultName'].lower()}.{host}", _scopes(manifest.body)))
    return found


def _scopes(body: Map) -> tuple[str, ...] | None:
    found = body.get("scopes")
    if not isinstance(found, Seq) or not found.items:
        return None
    return tuple(target.text for target in map(follow, found.items) if isinstance(target, Scalar))


def _content(store: Store, request: Request, files: Sequence[_Component]) -> bytes:
    users = [file for file in files if file.store is store]
    line = users[0].newline
    host = store.vault_url.split("//", 1)[-1].split(".", 1)
    given = {
        "vaultName": host[0],
        "azureEnvironment": _NAMES.get(host[1], ""),
        "azureClientId": request.settings.client_id,
    }
    lines = [f"componentType: {KEY_VAULT}", "version: v1", "metadata:"]
    for name, value in given.items():
        if value:
            lines += [f"- name: {name}", f"  value: {quoted(value)}"]
    scopes = [_scopes(file.manifest.body) for file in users]
    if all(scopes):
        lines += ["scopes:", *(f"- {quoted(app)}" for app in sorted({app for apps in scopes for app in apps or ()}))]
    return "".join(text + line for text in lines).encode()


class _Component(Editor):
    """One component's file and what becomes of it."""

    def __init__(
        self, path: str, manifest: Manifest, request: Request, stores: list[Store], made: dict[str, Store]
    ) -> None:
        super().__init__(path, manifest.data)
        self.manifest, self.request, self.stores, self.made = manifest, request, stores, made
        self.refusals: list[Refusal] = []
        self.notes: list[str] = []
        self.store: Store | None = None
        self.used = Counter(id(alias.target) for alias in aliases(manifest.root))

    def work(self, items: list[Assignment]) -> None:
        """Fills the lists."""
        sites = {site.slot.pointer: site for site in self.manifest.sites}
        todo: list[tuple[Assignment, Site]] = []
        vaults: set[str] = set()
        for item in items:
            try:
                self.possible(item, sites[item.slot.pointer], vaults)
                todo.append((item, sites[item.slot.pointer]))
                vaults.add(item.reference.vault_url.rstrip("/").lower())
            except No as no:
                self.refuse(item, no)
        try:
            if todo:
                self.together({site.slot.pointer for _, site in todo})
                self.store = self.find_store(vaults.pop())
        except No as no:
            for item, _ in todo:
                self.refuse(item, no)
            return
        if todo and self.store is not None:
            self.refer(todo, self.store)

    def refuse(self, item: Assignment, no: No) -> None:
        self.refusals.append(Refusal(self.path, item.slot.pointer, no.reason, no.alternative, no.needs))

    # --- what is possible --------------------------------------------------------------------------------------------

    def possible(self, item: Assignment, site: Site, vaults: set[str]) -> None:
        """Raises `No` for a site that cannot become a reference."""
        if not site.kind:
            raise No(site.slot.reason, ALTERNATIVES[site.refused])
        whole_text(item)
        not_rendered(item)
        if "secretRef" in site.owner.entries():
            raise No("the reference property stands beside the value already", "delete the value")
        if self.used[id(site.value)] or self.used[id(site.owner)]:
            raise No("the value is also used by alias", "write that place out, then run this again")
        if item.reference.version:
            raise No("a secret store reads the newest version of a secret only", "refer to it without a version")
        if vaults and item.reference.vault_url.rstrip("/").lower() not in vaults:
            raise No("a component takes all of its secrets from one store", "keep the component's secrets in one vault")

    def own(self) -> Seq | None:
        found = self.manifest.body.get("secrets")
        return found if isinstance(found, Seq) else None

    def together(self, moving: set[str]) -> None:
        """A component has secrets of its own, or a store: its secrets move all together."""
        own = [site for site in self.manifest.sites if site.slot.pointer.startswith("secrets.")]
        named = [text_at(entry, "name") for entry in maps(self.own())]
        listed = self.own()
        if listed is not None and (
            len(own) != len(listed.items) or len(set(named)) != len(own) or self.used[id(listed)]
        ):
            raise No(
                "the component's own secrets are not a plain list of values", "write them out, then run this again"
            )
        missing = tuple(site.slot.pointer for site in own if site.slot.pointer not in moving)
        if missing:
            raise No(
                "a component has secrets of its own or takes them from a store, and others of its own stay",
                "move all secrets of the component",
                missing,
            )
        store = text_at(self.manifest.body, "secretStoreComponent")
        for entry in maps(self.manifest.body.get("metadata")):
            name = text_at(entry, "secretRef")
            if not store and name and name not in named:
                raise No(
                    "the component refers to a secret that it has not", "correct its secretRef, then run this again"
                )

    def find_store(self, vault_url: str) -> Store:
        host = vault_url.split("//", 1)[-1]
        if host.partition(".")[2] not in ENVIRONMENTS.values():
            raise No("Dapr's store for Key Vault knows the vaults of Azure's clouds only", "use a vault of Azure's")
        near = [store for store in self.stores if folder_of(store.path) == folder_of(self.path)]
        wanted = text_at(self.manifest.body, "secretStoreComponent")
        if wanted:
            for store in near:
                if store.name == wanted and store.vault_url == vault_url:
                    return store
            raise No(
                "the component has a secret store already, and no file beside it says that it reads this vault",
                f"put the store's file beside this one, as {wanted}.yaml, or choose the vault that it reads",
            )
        for store in near:
            if store.vault_url == vault_url:
                return store
        if not self.request.settings.client_id:
            raise No(
                "no file beside the component is a secret store for this vault, and nothing says which identity of "
                "the apps reads it",
                "name the identity's client id with --client-id",
            )
        taken = set(self.request.files)
        base = f"{folder_of(self.path)}{host.split('.', 1)[0]}-secrets"
        path, number = f"{base}.yaml", 1
        while path in taken:
            number += 1
            path = f"{base}-{number}.yaml"
        return self.made.setdefault(path, Store(path, vault_url, None))

    # --- references --------------------------------------------------------------------------------------------------

    def refer(self, todo: list[tuple[Assignment, Site]], store: Store) -> None:
        body = self.manifest.body
        of_own: dict[str, Reference] = {}
        for item, site in todo:
            if site.slot.pointer.startswith("secrets."):
                of_own[text_at(site.owner, "name")] = item.reference
            else:
                self.edit(site.key.span, "secretRef")
                self.put(site.value, item.reference.name)
        for entry in maps(body.get("metadata")):
            found = entry.get("secretRef")
            if isinstance(found, Scalar) and found.text in of_own and found.text != of_own[found.text].name:
                self.put(found, of_own[found.text].name)
        self.name_store(store)
        if self.path and store.path not in self.made:
            self.notes.append(
                f"{self.path}: the store {store.path} has to be a component named {store.name} of the same "
                "environment, open to the same apps."
            )
        else:
            self.notes.append(
                f"{store.path}: make this component first, under the name {store.name} (az containerapp env "
                f"dapr-component set --dapr-component-name {store.name} --yaml {store.path}); the apps need the "
                "identity of its azureClientId, and that the role Key Vault Secrets User for the secrets."
            )

    def name_store(self, store: Store) -> None:
        """The component's store, in the place of its own secrets where it has some."""
        body = self.manifest.body
        if text_at(body, "secretStoreComponent"):
            return
        own = body.entries().get("secrets")
        pair = next((pair for pair in body.pairs if own is not None and pair[0] is own[0]), None)
        if pair is not None:
            key = pair[0]
            quote = '"' if isinstance(key, Scalar) and key.style == "double" else ""
            name = f'"{store.name}"' if quote else quoted(store.name)
            self.edit(Span(key.start, stops(self.data, pair[1])), f"{quote}secretStoreComponent{quote}: {name}")
        elif body.flow:
            self.flow_pair(body, f'"secretStoreComponent": "{store.name}"')
        else:
            before = body.entries().get("metadata")
            self.block_lines(
                before[0] if before is not None else body.pairs[0][0], [f"secretStoreComponent: {quoted(store.name)}"]
            )
