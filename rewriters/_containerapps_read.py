"""A YAML file of Azure Container Apps as the sites that can hold a value, with what a rewrite has to know of each.

Sources: Azure REST API specification, Microsoft.App, 2025-07-01; azure-cli 2.91, `process_loaded_yaml`, which takes
`configuration` and `template` at the top as well as under `properties`, and `create_or_update_dapr_component`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rewriters._api import Assignment, Place, Slot, Unreadable
from rewriters._azure_identity import No
from rewriters._azure_read import named, pairs, words
from rewriters._yaml import Alias, Map, Node, Scalar, Seq, documents, follow, join
from rewriters.plaintext import Plaintext

__all__ = ["Manifest", "Site", "not_rendered", "read", "text_at"]

Resource = Literal["app", "dapr", "storage", "other"]

VARIABLE, SECRET, SCALE, STORE, STORAGE = (
    "secret-ref",
    "key-vault-url",
    "scale-rule-auth",
    "secret-store-component",
    "account-key-vault-properties",
)
"""The kinds of reference: a variable that names a secret of the app; such a secret; a scale rule's parameter; what a
Dapr component takes from its secret store; a storage's key."""

REASONS: dict[str, str] = {
    "command": "a command line takes no reference",
    "probe": "a probe takes no reference",
    "sessionPool": "the secrets of a session pool take no reference to a vault",
    "sessionValue": "a variable of a session pool can name a secret of the pool only, and that takes no reference",
    "sharedKey": "logAnalyticsConfiguration.sharedKey takes no reference",
    "environment": "the settings of an environment take no reference",
    "store": "a secret store cannot read its own credential from itself",
    "certificate": "a certificate's content and password take no reference",
    "java": "the configuration of a Java component takes no reference",
    "connected": "a storage of a connected environment has no identity that could read a vault",
    "source": "the credentials of a source control take no reference",
    "": "this property takes no reference",
}
ALTERNATIVES: dict[str, str] = {
    "command": "set an environment variable with secretRef, and have the command read it through a shell: "
    '["sh", "-c", "exec app --password \\"$PASSWORD\\""]',
    "probe": "have the probe ask a path that needs no credential",
    "sessionPool": "deploy the pool with Bicep and a @secure() parameter from the vault, or give it an identity "
    "with which the program reads the vault",
    "sessionValue": "deploy the pool with Bicep and a @secure() parameter from the vault, or give it an identity "
    "with which the program reads the vault",
    "sharedKey": "send the logs by azure-monitor and diagnostic settings, which need no key, or deploy with Bicep and "
    "a @secure() parameter from the vault",
    "environment": "deploy the environment with Bicep and a @secure() parameter from the vault",
    "store": "leave the client secret out, and name a managed identity of the apps as azureClientId",
    "certificate": "import the certificate into the vault, and refer to it with certificateKeyVaultProperties",
    "java": "deploy the component with Bicep and a @secure() parameter from the vault",
    "connected": "deploy the storage with Bicep and a @secure() parameter from the vault",
    "source": "let the workflow sign in with a federated credential, which needs no secret",
    "": "put the credential into an environment variable or a secret volume, and have the program read it there",
}

MAX_SITES = 50_000
_SKIPPED = frozenset(
    (
        "name", "type", "apiVersion", "api-version", "location", "kind", "id", "identity", "secretRef",
        "passwordSecretRef", "keyVaultUrl", "triggerParameter", "secretStoreComponent", "environmentId",
        "managedEnvironmentId", "componentType", "systemData", "accountKeyVaultProperties",
        "certificateKeyVaultProperties",
    )
)  # fmt: skip
"""Names, kinds, ids and references."""
_SPECIAL: dict[str, tuple[str, Place]] = {
    "sharedKey": ("sharedKey", "secret"),
    "daprAIInstrumentationKey": ("environment", "config"),
    "daprAIConnectionString": ("environment", "config"),
    "appInsightsConfiguration": ("environment", "config"),
    "openTelemetryConfiguration": ("environment", "config"),
    "certificateValue": ("certificate", "secret"),
    "certificatePassword": ("certificate", "secret"),
    "githubPersonalAccessToken": ("source", "secret"),
    "clientSecret": ("source", "secret"),
    "registryPassword": ("source", "registry"),
}
_RULES = ("custom", "http", "tcp", "azureQueue")


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot, the pair that it stands in, and why it takes no reference (`refused`, a key of `ALTERNATIVES`).

    `owner` is the map that holds the pair, `body` the map around a scale rule's metadata; a word of a command is its
    own `key`. `aliases` are the other pairs whose value is an alias of this one's.
    """

    slot: Slot
    key: Scalar
    value: Scalar
    kind: str
    refused: str
    owner: Map
    body: Map
    aliases: list[tuple[str, Scalar | None, Alias]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """The one document of the file. `body` holds `configuration` and `template`, or what a component says."""

    data: bytes = field(repr=False)
    root: Map
    body: Map
    resource: Resource
    sites: tuple[Site, ...]


def text_at(node: Node | None, key: str) -> str:
    """The text of a map's pair; empty when there is none."""
    found = node.get(key) if isinstance(node, Map) else None
    return found.text if isinstance(found, Scalar) else ""


def not_rendered(item: Assignment) -> None:
    """Raises `No` for a value that a template still fills in."""
    text = item.slot.value.reveal()
    if b"{{" in text and b"}}" in text:
        raise No("a template fills the value in", "have the template write the reference")


def read(path: str, data: bytes) -> Manifest:
    """Raises `Unreadable` for broken YAML and for what is nothing of Container Apps."""
    found = documents(data)
    if len(found) > 1:
        raise Unreadable("there are several documents in it, of which Azure reads one")
    root = follow(found[0].root) if found else None
    if not isinstance(root, Map):
        raise Unreadable("it is nothing of Container Apps: there is no map in it")
    properties = root.get("properties")
    kind = text_at(root, "type").lower().removeprefix("microsoft.app/")
    component = root if "componentType" in root.entries() else properties
    resource: Resource = "other"
    body = properties if isinstance(properties, Map) else root
    if kind in ("containerapps", "jobs"):
        resource = "app"
    elif kind.endswith("daprcomponents") or (
        not kind and isinstance(component, Map) and "componentType" in component.entries()
    ):
        resource = "dapr"
        body = component if isinstance(component, Map) else root
    elif kind.endswith("environments/storages"):
        resource = "storage"
    elif not kind:
        resource = "app"
    if resource == "app" and not any(
        "configuration" in part.entries() or "template" in part.entries() for part in (root, body)
    ):
        raise Unreadable("it is no container app: there is neither configuration nor template")
    return _Finder(path, data, root, body, resource, kind).find()


class _Finder:
    def __init__(self, path: str, data: bytes, root: Map, body: Map, resource: Resource, kind: str) -> None:
        self.path, self.data = path, data
        self.root, self.body, self.resource, self.kind = root, body, resource, kind
        self.sites: list[Site] = []
        self.by_scalar: dict[int, Site] = {}
        self.aliased: list[tuple[str, Scalar | None, Alias]] = []
        self.pointers: dict[str, int] = {}

    def find(self) -> Manifest:
        parts = {"app": self.app, "dapr": self.component, "storage": self.storage, "other": self.other}
        for key, value in pairs(self.root):
            if key.text == "properties" and self.body is not self.root:
                for inner, content in pairs(value):
                    parts[self.resource](inner, content)
            elif key.text == "tags":
                self.rest(("tags",), key, value)
            elif self.resource == "app" or self.body is self.root:
                parts[self.resource](key, value)
            else:
                self.rest((key.text,), key, value)
        for kind, alias_key, alias in self.aliased:
            site = self.by_scalar.get(id(alias.target))
            if site is not None:
                site.aliases.append((kind, alias_key, alias))
        self.sites.sort(key=lambda site: site.slot.span.start)
        return Manifest(self.data, self.root, self.body, self.resource, tuple(self.sites))

    # --- apps and jobs -----------------------------------------------------------------------------------------------

    def app(self, key: Scalar, node: Node) -> None:
        if key.text == "configuration":
            for inner, value in pairs(node):
                if inner.text == "secrets":
                    for label, item in named(value):
                        self.entry(("secrets", label), str(label), item, "value", SECRET, "secret")
                elif inner.text == "eventTriggerConfig":
                    self.scale((inner.text,), inner, value, direct=True)
                else:
                    self.rest((inner.text,), inner, value)
        elif key.text == "template":
            for inner, value in pairs(node):
                if inner.text in ("containers", "initContainers"):
                    for label, item in named(value):
                        self.container((inner.text, label), item, VARIABLE)
                elif inner.text == "scale":
                    self.scale((), inner, value, direct=False)
                else:
                    self.rest((inner.text,), inner, value)
        else:
            self.rest((key.text,), key, node)

    def container(self, where: tuple[str | int, ...], node: Node, kind: str, refused: str = "") -> None:
        for key, value in pairs(node):
            if key.text == "env":
                for label, item in named(value):
                    self.entry((*where, "env", label), str(label), item, "value", kind, "env", refused)
            elif key.text in ("command", "args"):
                for index, name, word in words(value):
                    self.site((*where, key.text, index), name, None, word, "arg", refused="command")
            elif key.text == "probes":
                for label, item in named(value, "type"):
                    self.probe((*where, "probes", label), item)
            else:
                self.rest((*where, key.text), key, value)

    def probe(self, where: tuple[str | int, ...], node: Node) -> None:
        for key, value in pairs(node):
            if key.text != "httpGet":
                self.rest((*where, key.text), key, value, refused="probe")
                continue
            for inner, content in pairs(value):
                if inner.text == "httpHeaders":
                    for label, item in named(content):
                        pointer = (*where, "httpGet", "httpHeaders", label)
                        self.entry(pointer, str(label), item, "value", "", "other", "probe")
                else:
                    self.rest((*where, "httpGet", inner.text), inner, content, refused="probe")

    def scale(self, where: tuple[str | int, ...], key: Scalar, node: Node, *, direct: bool) -> None:
        """The scale rules of an app or, `direct`ly, those of a job's event trigger."""
        for inner, value in pairs(node):
            if direct and inner.text == "scale":
                self.scale(where, inner, value, direct=False)
            elif inner.text == "rules" and not direct:
                for label, item in named(value):
                    self.rule((*where, "scale", label), item)
            else:
                self.rest((*where, key.text, inner.text), inner, value)

    def rule(self, where: tuple[str | int, ...], node: Node) -> None:
        for key, value in pairs(node):
            if key.text in _RULES and isinstance(value, Map):
                self.rule((*where, key.text), value)
            elif key.text == "metadata" and isinstance(value, Map) and isinstance(node, Map):
                for name, content in pairs(value):
                    pointer = (*where, "metadata", name.text)
                    self.site(pointer, name.text, name, content, "config", SCALE, value, node)
            elif key.text != "auth":
                self.rest((*where, key.text), key, value)

    # --- components, storages and what takes no reference ------------------------------------------------------------

    def component(self, key: Scalar, node: Node) -> None:
        store = text_at(self.body, "componentType").lower().startswith("secretstores.")
        kind, refused = ("", "store") if store else (STORE, "")
        if key.text == "metadata":
            for label, item in named(node):
                self.entry(("metadata", label), str(label), item, "value", kind, "config", refused)
        elif key.text == "secrets":
            for label, item in named(node):
                self.entry(("secrets", label), str(label), item, "value", kind, "secret", refused)
        else:
            self.rest((key.text,), key, node)

    def storage(self, key: Scalar, node: Node) -> None:
        connected = self.kind.startswith("connected")
        if key.text == "azureFile" and isinstance(node, Map):
            for inner, value in pairs(node):
                if inner.text == "accountKey":
                    kind, refused = ("", "connected") if connected else (STORAGE, "")
                    self.site((key.text, inner.text), inner.text, inner, value, "volume", kind, node, refused=refused)
                else:
                    self.rest((key.text, inner.text), inner, value)
        else:
            self.rest((key.text,), key, node)

    def other(self, key: Scalar, node: Node) -> None:
        """Session pools, environments, certificates, Java components, source controls."""
        pool = self.kind == "sessionpools"
        if pool and key.text == "secrets":
            for label, item in named(node):
                self.entry(("secrets", label), str(label), item, "value", "", "secret", "sessionPool")
        elif pool and key.text == "customContainerTemplate":
            for inner, value in pairs(node):
                if inner.text == "containers":
                    for label, item in named(value):
                        self.container((inner.text, label), item, "", "sessionValue")
                else:
                    self.rest((key.text, inner.text), inner, value)
        elif self.kind.endswith("/javacomponents") and key.text == "configurations":
            for label, item in named(node, "propertyName"):
                self.entry(("configurations", label), str(label), item, "value", "", "config", "java")
        elif self.kind.endswith("/certificates") and key.text in ("value", "password"):
            self.rest((key.text,), key, node, place="secret", refused="certificate")
        else:
            self.rest((key.text,), key, node)

    # --- one site ----------------------------------------------------------------------------------------------------

    def entry(
        self, where: tuple[str | int, ...], name: str, node: Node, wanted: str, kind: str, place: Place,
        refused: str = "",
    ) -> None:  # fmt: skip
        """An item with a name and a value."""
        for key, value in pairs(node):
            if key.text == wanted and isinstance(node, Map):
                self.site((*where, wanted), name, key, value, place, kind, node, refused=refused)
            else:
                self.rest((*where, key.text), key, value)

    def rest(
        self, where: tuple[str | int, ...], key: Scalar, node: Node, *, place: Place = "other", refused: str = "",
    ) -> None:  # fmt: skip
        """Every other text, however deep: for the record, since none of these takes a reference."""
        todo: list[tuple[tuple[str | int, ...], Scalar, Node, Place, str]] = [(where, key, node, place, refused)]
        while todo:
            at, name, value, kind, why = todo.pop()
            if name.text in _SKIPPED or name.text.endswith("SettingName"):
                continue
            why, kind = _SPECIAL.get(name.text, (why, kind))
            if isinstance(value, Map):
                for inner, content in pairs(value):
                    todo.append(((*at, inner.text), inner, content, kind, why))
            elif isinstance(value, Seq):
                todo += (((*at, index), name, item, kind, why) for index, item in enumerate(value.items))
            elif isinstance(value, Scalar):
                self.site(at, name.text, name, value, kind, refused=why)

    def site(
        self, where: tuple[str | int, ...], name: str, key: Scalar | None, node: Node, place: Place, kind: str = "",
        owner: Map | None = None, body: Map | None = None, *, refused: str = "",
    ) -> None:  # fmt: skip
        if isinstance(node, Alias):
            self.aliased.append((kind, key, node))
            return
        if not isinstance(node, Scalar):
            return
        if len(self.sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        pointer = join(*where)
        count = self.pointers[pointer] = self.pointers.get(pointer, 0) + 1
        if count > 1:
            pointer = f"{pointer}#{count}"
        slot = Slot(
            "containerapps", self.path, pointer, name, Plaintext(node.text.encode("utf-8", "surrogatepass")),
            node.span, node.literal, node.encoding, place, (kind,) if kind else (), "" if kind else REASONS[refused],
        )  # fmt: skip
        made = Site(slot, key or node, node, kind, refused, owner or self.root, body or self.root)
        self.sites.append(made)
        self.by_scalar[id(node)] = made
