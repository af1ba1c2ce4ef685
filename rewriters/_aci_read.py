"""A container group's YAML as the sites that can hold a value, with what a rewrite has to know of each.

Source: Azure REST API specification, Microsoft.ContainerInstance, 2025-09-01, `ContainerGroup`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rewriters._api import Place, Slot, Unreadable
from rewriters._azure_read import named, pairs, words
from rewriters._encode import Undecodable, decode
from rewriters._yaml import Alias, Map, Node, Scalar, Seq, documents, follow, join
from rewriters.plaintext import Plaintext

__all__ = ["Group", "Site", "read"]

ENVIRONMENT, REGISTRY, STORAGE, SECRET_VOLUME = (
    "secure-value-reference",
    "password-reference",
    "storage-account-key-reference",
    "secret-volume-reference",
)
"""The kinds of reference of a container group."""

BECOMES = {
    ENVIRONMENT: "secureValueReference",
    REGISTRY: "passwordReference",
    STORAGE: "storageAccountKeyReference",
    SECRET_VOLUME: "secretReference",
}
"""The property that takes the reference."""

PROFILE = "a container group profile has no secretReferences property that a reference could lead to"
REASONS: dict[str, str] = {
    "command": "a command line takes no reference",
    "probe": "a probe takes no reference",
    "configMap": "a container's configMap takes no reference",
    "gitRepo": "the URL of a gitRepo volume takes no reference",
    "workspaceKey": "logAnalytics.workspaceKey takes no reference in any API version",
    "protectedSettings": "the settings of an extension take no reference",
    "ccePolicy": "the confidential computing policy is checked as it stands, and takes no reference",
    "": "this property takes no reference",
}
ALTERNATIVES: dict[str, str] = {
    "command": "set an environment variable with secureValueReference, and have the command read it through a shell: "
    '["sh", "-c", "exec app --password \\"$PASSWORD\\""]',
    "probe": "have the probe run a script in the image that reads the container's environment",
    "configMap": "mount the text as a file with a secretReference volume",
    "gitRepo": "fetch the repository in an init container that reads the token from its environment",
    "workspaceKey": "deploy the group with ARM or Bicep and a @secure() parameter from the vault, or without logs",
    "protectedSettings": "deploy the group with ARM or Bicep and a @secure() parameter from the vault",
    "ccePolicy": "take the value out of the containers' environment, then generate the policy anew (az confcom)",
    "": "put the credential into an environment variable or a secret volume, and have the program read it there",
}

MAX_SITES = 50_000
_TEXT_ONLY = frozenset(("name", "type", "apiVersion", "location", "kind"))


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot, the pair that it stands in, and why it takes no reference (`refused`, a key of `ALTERNATIVES`).

    `owner` is the map that holds the pair; `volume_key` the key `secret` of a secret volume. `aliases` are the other
    pairs whose value is an alias of this one's.
    """

    slot: Slot
    key: Scalar | None
    value: Scalar
    kind: str = ""
    refused: str = ""
    owner: Map | None = None
    volume_key: Scalar | None = None
    aliases: list[tuple[str, Scalar, Alias]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The one document of the file. `profile` says that it is a container group profile."""

    data: bytes = field(repr=False)
    root: Map
    properties: Map
    profile: bool
    sites: tuple[Site, ...]


def read(path: str, data: bytes) -> Group:
    """Raises `Unreadable` for broken YAML and for what is no container group."""
    found = documents(data)
    if len(found) > 1:
        raise Unreadable("there are several documents in it, of which Azure reads one")
    root = follow(found[0].root) if found else None
    properties = root.get("properties") if isinstance(root, Map) else None
    if not isinstance(root, Map) or not isinstance(properties, Map):
        raise Unreadable("it is no container group: there is no map of properties")
    kind = root.get("type")
    profile = isinstance(kind, Scalar) and kind.text.lower().endswith("containergroupprofiles")
    return _Finder(path, data, root, properties, profile).find()


class _Finder:
    def __init__(self, path: str, data: bytes, root: Map, properties: Map, profile: bool) -> None:
        self.path, self.data = path, data
        self.root, self.properties, self.profile = root, properties, profile
        self.sites: list[Site] = []
        self.by_scalar: dict[int, Site] = {}
        self.aliased: list[tuple[str, Scalar, Alias]] = []
        self.pointers: dict[str, int] = {}

    def find(self) -> Group:
        for key, value in pairs(self.root):
            if key.text == "properties":
                self.group(value)
            elif key.text not in ("identity", "tags"):
                self.rest((key.text,), key, value)
            elif key.text == "tags":
                self.rest(("tags",), key, value)
        for kind, key, alias in self.aliased:
            site = self.by_scalar.get(id(alias.target))
            if site is not None:
                site.aliases.append((kind, key, alias))
        self.sites.sort(key=lambda site: site.slot.span.start)
        return Group(self.data, self.root, self.properties, self.profile, tuple(self.sites))

    # --- the parts of a group ----------------------------------------------------------------------------------------

    def group(self, node: Node) -> None:
        for key, value in pairs(node):
            name = key.text
            if name in ("containers", "initContainers"):
                for label, item in named(value):
                    self.container((name, label), item)
            elif name == "imageRegistryCredentials":
                for label, item in named(value, "server"):
                    self.keyed((name, label), item, "password", REGISTRY, "registry")
            elif name == "volumes":
                for label, item in named(value):
                    self.volume((name, label), item)
            elif name == "secretReferences":
                continue
            elif name == "diagnostics":
                self.rest((name,), key, value, special={"workspaceKey": ("workspaceKey", "other")})
            elif name == "extensions":
                for label, item in named(value):
                    self.rest((name, label), key, item, special={"protectedSettings": ("protectedSettings", "secret")})
            else:
                self.rest((name,), key, value, special={"ccePolicy": ("ccePolicy", "other")})

    def container(self, where: tuple[str | int, ...], node: Node) -> None:
        for key, value in pairs(node):
            if key.text != "properties":
                self.rest((*where, key.text), key, value)
                continue
            for inner, content in pairs(value):
                name = inner.text
                if name == "environmentVariables":
                    for label, item in named(content):
                        self.variable((*where, name, label), str(label), item)
                elif name == "command":
                    self.words((*where, name), content)
                elif name in ("livenessProbe", "readinessProbe"):
                    self.probe((*where, name), inner, content)
                elif name == "configMap":
                    for pair, texts in pairs(content):
                        self.rest((*where, name, pair.text), pair, texts, kind="config", refused="configMap")
                else:
                    self.rest((*where, name), inner, content)

    def variable(self, where: tuple[str | int, ...], name: str, node: Node) -> None:
        if not isinstance(node, Map):
            return
        for key, value in pairs(node):
            if key.text in ("value", "secureValue"):
                place: Place = "env" if key.text == "value" else "secret"
                self.site((*where, key.text), name, key, value, place, ENVIRONMENT, node)

    def keyed(self, where: tuple[str | int, ...], node: Node, wanted: str, kind: str, place: Place) -> None:
        """A map with one property that is a credential."""
        if not isinstance(node, Map):
            return
        for key, value in pairs(node):
            if key.text == wanted:
                self.site((*where, key.text), key.text, key, value, place, kind, node)
            elif not key.text.endswith("Reference"):
                self.rest((*where, key.text), key, value)

    def volume(self, where: tuple[str | int, ...], node: Node) -> None:
        for key, value in pairs(node):
            if key.text == "azureFile":
                self.keyed((*where, key.text), value, "storageAccountKey", STORAGE, "volume")
            elif key.text == "secret" and isinstance(value, Map):
                for name, content in pairs(value):
                    self.site(
                        (*where, "secret", name.text), name.text, name, content, "secret", SECRET_VOLUME, value, key
                    )
            elif key.text == "gitRepo":
                self.rest((*where, key.text), key, value, refused="gitRepo")
            elif key.text != "secretReference":
                self.rest((*where, key.text), key, value)

    def words(self, where: tuple[str | int, ...], node: Node, refused: str = "command") -> None:
        """A command: each word, named by its option."""
        for index, name, item in words(node):
            self.site((*where, index), name, None, item, "arg", "", None, refused=refused)

    def probe(self, where: tuple[str | int, ...], key: Scalar, node: Node) -> None:
        for inner, content in pairs(node):
            if inner.text == "exec":
                for name, command in pairs(content):
                    if name.text == "command":
                        self.words((*where, "exec", "command"), command, "probe")
            elif inner.text == "httpGet":
                for name, value in pairs(content):
                    if name.text == "httpHeaders" and isinstance(value, Seq):
                        for label, item in named(value):
                            for field_key, text in pairs(item):
                                if field_key.text == "value":
                                    pointer = (*where, "httpGet", "httpHeaders", label)
                                    self.site(pointer, str(label), field_key, text, "other", "", None, refused="probe")
                    else:
                        self.rest((*where, "httpGet", name.text), name, value, refused="probe")
            else:
                self.rest((*where, inner.text), inner, content, refused="probe")

    def rest(
        self, where: tuple[str | int, ...], key: Scalar, node: Node, *, kind: Place = "other", refused: str = "",
        special: dict[str, tuple[str, Place]] | None = None,
    ) -> None:  # fmt: skip
        """Every other text, however deep: for the record, since none of these takes a reference."""
        todo: list[tuple[tuple[str | int, ...], Scalar, Node, Place, str]] = [(where, key, node, kind, refused)]
        while todo:
            at, name, value, place, why = todo.pop()
            if special and name.text in special:
                why, place = special[name.text]
            if isinstance(value, Map):
                for inner, content in pairs(value):
                    todo.append(((*at, inner.text), inner, content, place, why))
            elif isinstance(value, Seq):
                todo += (((*at, index), name, item, place, why) for index, item in enumerate(value.items))
            elif isinstance(value, Scalar) and name.text not in _TEXT_ONLY:
                self.site(at, name.text, name, value, place, "", None, refused=why)

    # --- one site ----------------------------------------------------------------------------------------------------

    def site(
        self, where: tuple[str | int, ...], name: str, key: Scalar | None, node: Node, place: Place, kind: str,
        owner: Map | None, volume_key: Scalar | None = None, *, refused: str = "",
    ) -> None:  # fmt: skip
        if isinstance(node, Alias):
            if key is not None:
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
        encoding, value = node.encoding, node.text.encode("utf-8", "surrogatepass")
        if kind == SECRET_VOLUME:
            raw = self.data[node.span.start : node.span.end]
            try:
                encoding, value = (*node.encoding, "base64"), decode((*node.encoding, "base64"), raw)
            except Undecodable:
                encoding = node.encoding
        targets: tuple[str, ...] = (kind,) if kind else ()
        reason = "" if kind else REASONS[refused]
        if kind and self.profile:
            targets, reason = (), PROFILE
        slot = Slot(
            "aci", self.path, pointer, name, Plaintext(value), node.span, node.literal, encoding, place, targets, reason
        )
        made = Site(slot, key, node, kind, refused, owner, volume_key)
        self.sites.append(made)
        self.by_scalar[id(node)] = made
