"""A file of the Service Fabric service model as the sites that can hold a value.

Sources: ServiceFabricServiceModel.xsd (the elements and their attributes); "KeyVaultReference support for
Azure-deployed Service Fabric applications" (which of them take a reference: environment variables, parameters of
settings, passwords of image repositories).
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from dataclasses import dataclass

from rewriters._api import Place, Reference, Slot, Unreadable
from rewriters._xml import Attribute, Element, Text
from rewriters._xml import read as read_xml
from rewriters._yaml import join
from rewriters.plaintext import Plaintext

__all__ = [
    "ALTERNATIVES",
    "DEFAULT",
    "PARAMETER",
    "REASONS",
    "SETTING",
    "TARGET",
    "VARIABLE",
    "Document",
    "Site",
    "address",
    "expression",
    "is_reference_type",
    "read",
]

TARGET = "key-vault-reference"
MAX_SITES = 50_000

VARIABLE, SETTING, REPOSITORY, DEFAULT, PARAMETER = "variable", "setting", "repository", "default", "parameter"
"""What takes a reference: three kinds of places, and the two that hand a value to such a place."""

REASONS: dict[str, str] = {
    "": "this attribute takes no reference",
    "command": "the command line of a service takes no reference",
    "store": "the store of diagnostic data takes no reference, only an encrypted text",
    "password": "this password takes no reference, only an encrypted text",
    "driver": "the options of a volume's or a log's driver take no reference",
    "cluster": "the settings of a cluster take no reference, only an encrypted text",
    "typed": "it is a reference already, or encrypted",
    "expression": "it stands for a parameter of the application, whose value is elsewhere",
    "unused": "no place of the manifest that could resolve a reference gets this parameter",
    "reach": "the parameter also goes to a place of the manifest that takes no reference",
}
ALTERNATIVES: dict[str, str] = {
    "": "put the credential into an environment variable or a setting, and have the service read it there",
    "command": "set an environment variable of the code package to a reference, and have the program read it there",
    "store": "encrypt the text with Invoke-ServiceFabricEncryptText, or collect the data with the Azure Monitor agent",
    "password": "encrypt the text with Invoke-ServiceFabricEncryptText; or take a group managed service account",
    "driver": "give the service a managed identity and have it mount or log with that",
    "cluster": "encrypt the text with Invoke-ServiceFabricEncryptText, or take the setting from the cluster's template",
    "typed": "convert an encrypted value by hand: only the cluster's certificate can read it",
    "expression": "move the value of the parameter, in Parameters or in the files of ApplicationParameters",
    "unused": "pass the parameter on to an environment variable or a setting, then run this again",
    "reach": "give that place a parameter of its own, then run this again",
}

_EXPRESSION = re.compile(r"\[([^\[\]]+)\]\Z")
_ADDRESS = re.compile(r"(https?://[^/\s]+)/secrets/([^/\s]+)(?:/([^/\s]+))?/?\Z")
_ENVELOPED = bytes.fromhex("06092a864886f70d010703")
"""The object identifier of CMS enveloped data, which is how Service Fabric encrypts a text."""
_REFERENCE_TYPES = frozenset(("keyvaultreference", "managedkeyvaultreference"))
_TYPED = frozenset(("EnvironmentVariable", "Parameter", "RepositoryCredentials", "DriverOption"))
_FLAGS = (
    "IsEncrypted",
    "PasswordEncrypted",
    "IsPasswordEncrypted",
    "PasswordSecretEncrypted",
    "ConnectionStringIsEncrypted",
)
_OTHER_PLACES: dict[str, tuple[Place, str]] = {
    "Password": ("secret", "password"),
    "AccountPassword": ("secret", "password"),
    "PasswordSecret": ("secret", "password"),
    "ConnectionString": ("config", "store"),
}
"""Attributes that hold credentials and take no reference, with why not."""
_NAMES = frozenset(
    ("Name", "Type", "Version", "Protocol", "Port", "UriScheme", "PathSuffix", "MountPoint", "EnvironmentVariableName",
     "X509StoreName", "X509StoreLocation", "X509FindType", "X509FindValue", "X509Thumbprint", "IsEncrypted",
     "PasswordEncrypted", "MustOverride", "IsPasswordEncrypted", "PasswordSecretEncrypted",
     "ConnectionStringIsEncrypted")
)  # fmt: skip
_NAME_ENDS = ("Ref", "Name", "Version", "Count", "Id")


def expression(value: str) -> str:
    """The parameter that a value stands for, in lower case; empty for a literal."""
    match = _EXPRESSION.match(value)
    return match[1].lower() if match else ""


def address(value: str) -> Reference | None:
    """The secret that an address in a vault names, with or without a version."""
    match = _ADDRESS.match(value)
    return Reference(match[1], match[2], match[3] or "") if match else None


def is_reference_type(kind: str) -> bool:
    """Whether a value of this type is an address in a vault."""
    return kind.lower() in _REFERENCE_TYPES


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot and where it stands. `kind` says how it becomes a reference, empty when it does not; `refused` is a key of
    `ALTERNATIVES`. `parameter` is the parameter that the value stands for; `typed` the type that is written."""

    slot: Slot
    element: Element
    attribute: Attribute | None
    kind: str = ""
    refused: str = ""
    parameter: str = ""
    typed: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One file. `uses` are the places of a manifest by the parameter that they stand for, in lower case."""

    path: str
    root: Element
    sites: tuple[Site, ...]
    uses: dict[str, tuple[Site | None, ...]]


def read(path: str, data: bytes) -> Document:
    """Raises `Unreadable` for broken XML and for what is of another root."""
    root = read_xml(data)
    finder = _Finder(path, root)
    start = {
        "ApplicationManifest": finder.application,
        "ServiceManifest": finder.service,
        "Settings": finder.settings,
        "Application": finder.environment,
        "ClusterManifest": finder.cluster,
    }.get(root.name)
    if start is None:
        raise Unreadable("it is no manifest of Service Fabric")
    start()
    return finder.document()


class _Finder:
    def __init__(self, path: str, root: Element) -> None:
        self.path, self.root = path, root
        self.substitutes = root.name == "ApplicationManifest"
        self.sites: list[Site] = []
        self.pointers: dict[str, int] = {}
        self.taken: set[int] = set()
        self.expressions: dict[str, list[Site | None]] = {}

    def document(self) -> Document:
        self.sites.sort(key=lambda site: site.slot.span)
        uses = {name: tuple(found) for name, found in self.expressions.items()}
        return Document(self.path, self.root, tuple(self.sites), uses)

    # --- the files ---------------------------------------------------------------------------------------------------

    def application(self) -> None:
        for item in self.root.named("ServiceManifestImport"):
            reference = item.named("ServiceManifestRef")
            name = reference[0].get("ServiceManifestName") if reference else ""
            where = ("ServiceManifestImport", name)
            for overrides in item.named("EnvironmentOverrides"):
                self.variables((*where, "EnvironmentOverrides", overrides.get("CodePackageRef")), overrides)
            for group in item.named("ConfigOverrides"):
                for override in group.named("ConfigOverride"):
                    for settings in override.named("Settings"):
                        self.sections((*where, "ConfigOverrides", override.get("Name")), settings)
            for policies in item.named("Policies"):
                for host in policies.named("ContainerHostPolicies"):
                    self.container((*where, "ContainerHostPolicies", host.get("CodePackageRef")), host)
        self.skip("DefaultValue")
        self.rest(self.root, ())
        for parameters in self.root.named("Parameters"):
            for item in parameters.named("Parameter"):
                name, value = item.get("Name"), item.attribute("DefaultValue")
                if value is not None:
                    refused = self.reach(name.lower())
                    kind = "" if refused else DEFAULT
                    self.site(("Parameters", name, "DefaultValue"), name, item, value, "config", kind, refused)

    def reach(self, parameter: str) -> str:
        """Why the default of this parameter cannot become a reference; empty when it can."""
        uses = self.expressions.get(parameter, [])
        if not any(site is not None and site.kind for site in uses):
            return "unused"
        return "reach" if any(site is None or not site.kind for site in uses) else ""

    def service(self) -> None:
        for package in self.root.named("CodePackage"):
            where = ("CodePackage", package.get("Name"))
            for variables in package.named("EnvironmentVariables"):
                self.variables((*where, "EnvironmentVariables"), variables)
        self.rest(self.root, ())

    def settings(self) -> None:
        self.sections((), self.root)
        self.rest(self.root, ())

    def environment(self) -> None:
        self.skip("Value")
        for parameters in self.root.named("Parameters"):
            for item in parameters.named("Parameter"):
                name, value = item.get("Name"), item.attribute("Value")
                if value is not None:
                    self.site(("Parameters", name, "Value"), name, item, value, "config", PARAMETER)
        self.rest(self.root, ())

    def cluster(self) -> None:
        for settings in self.root.named("FabricSettings"):
            for section in settings.named("Section"):
                for item in section.named("Parameter"):
                    name, value = item.get("Name"), item.attribute("Value")
                    if value is not None:
                        where = ("FabricSettings", section.get("Name"), name)
                        self.site(where, name, item, value, "config", refused="cluster")

    # --- their parts -------------------------------------------------------------------------------------------------

    def variables(self, where: tuple[str, ...], owner: Element) -> None:
        for item in owner.named("EnvironmentVariable"):
            name, value = item.get("Name"), item.attribute("Value")
            if value is not None:
                self.site((*where, name), name, item, value, "env", VARIABLE)

    def sections(self, where: tuple[str, ...], owner: Element) -> None:
        for section in owner.named("Section"):
            for item in section.named("Parameter"):
                name, value = item.get("Name"), item.attribute("Value")
                if value is not None:
                    self.site((*where, section.get("Name"), name), name, item, value, "config", SETTING)

    def container(self, where: tuple[str, ...], host: Element) -> None:
        for item in host.named("RepositoryCredentials"):
            value = item.attribute("Password")
            if value is not None:
                self.site(
                    (*where, "RepositoryCredentials", "Password"), "Password", item, value, "registry", REPOSITORY
                )
        drivers: tuple[tuple[str, Place], ...] = (("Volume", "volume"), ("LogConfig", "config"))
        for owner, place in drivers:
            for item in host.named(owner):
                for option in item.named("DriverOption"):
                    name, value = option.get("Name"), option.attribute("Value")
                    if value is not None:
                        pointer = (*where, owner, item.get("Source"), name)
                        self.site(pointer, name, option, value, place, refused="driver")

    def skip(self, name: str) -> None:
        """Leaves the application's parameters out of the rest: they come after all others."""
        for parameters in self.root.named("Parameters"):
            self.taken |= {id(item.attribute(name)) for item in parameters.named("Parameter")}

    def rest(self, root: Element, where: tuple[str, ...]) -> None:
        """Every other text and attribute that is no name: for the record, since none of these takes a reference."""
        todo: list[tuple[Element, tuple[str, ...]]] = [(root, where)]
        while todo:
            element, at = todo.pop()
            counts: dict[str, int] = {}
            for child in element.children:
                label = child.get("Name") or child.get("CodePackageRef")
                number = counts[child.name] = counts.get(child.name, 0) + 1
                step = (child.name, label) if label else (child.name,) if number == 1 else (f"{child.name}#{number}",)
                todo.append((child, (*at, *step)))
            for attribute in element.attributes:
                if id(attribute) in self.taken or self.is_name(attribute):
                    continue
                name = attribute.name
                key = element.get("Name") or name if name == "Value" else name
                place, refused = _OTHER_PLACES.get(name, ("other", ""))
                self.site((*at, name), key, element, attribute, place, refused=refused)
            for index, text in enumerate(element.texts):
                command = element.name in ("Arguments", "Commands")
                pointer = at if not index else (*at, str(index))
                self.words(pointer, element, text, "command" if command else "", "arg" if command else "other")

    def is_name(self, attribute: Attribute) -> bool:
        name = attribute.name
        if ":" in name or name == "xmlns" or name in _NAMES or name.endswith(_NAME_ENDS):
            if self.substitutes and (parameter := expression(attribute.value)):
                self.expressions.setdefault(parameter, []).append(None)
            return True
        return False

    # --- one site ----------------------------------------------------------------------------------------------------

    def pointer(self, where: tuple[str, ...]) -> str:
        if len(self.sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        pointer = join(*where)
        count = self.pointers[pointer] = self.pointers.get(pointer, 0) + 1
        return pointer if count == 1 else f"{pointer}#{count}"

    def site(
        self, where: tuple[str, ...], key: str, element: Element, attribute: Attribute, place: Place, kind: str = "",
        refused: str = "",
    ) -> None:  # fmt: skip
        self.taken.add(id(attribute))
        typed = _typed(element) or ("Encrypted" if _sealed(attribute.value) else "")
        parameter = expression(attribute.value) if self.substitutes else ""
        if typed.lower() == "secretsstoreref" and not parameter:
            return  # `name:version` is a name
        if parameter or typed:
            # What refers to something else is no credential, whatever it is called.
            key, place = "", "other"
        target = bool(kind) and not parameter and not typed
        if kind and not target:
            refused = "expression" if parameter else "typed"
        slot = Slot(
            "servicefabric",
            self.path,
            self.pointer(where),
            key,
            Plaintext(attribute.value.encode()),
            attribute.span,
            attribute.literal,
            attribute.encoding,
            place,
            (TARGET,) if target else (),
            "" if target else REASONS[refused],
        )
        found = Site(slot, element, attribute, kind, refused, parameter, typed)
        self.sites.append(found)
        if parameter:
            self.expressions.setdefault(parameter, []).append(found)

    def words(self, where: tuple[str, ...], element: Element, text: Text, refused: str, place: Place) -> None:
        if self.substitutes and (parameter := expression(text.value)):
            self.expressions.setdefault(parameter, []).append(None)
        slot = Slot(
            "servicefabric",
            self.path,
            self.pointer(where),
            element.name,
            Plaintext(text.value.encode()),
            text.span,
            text.literal,
            text.encoding,
            place,
            (),
            REASONS[refused],
        )
        self.sites.append(Site(slot, element, None, "", refused))


def _typed(element: Element) -> str:
    """The type of an element's value; empty for plain text."""
    kind = element.get("Type") if element.name in _TYPED else ""
    if kind and kind.lower() != "plaintext":
        return kind
    for name in _FLAGS:
        if element.get(name).lower() in ("true", "1"):
            return "Encrypted"
    return ""


def _sealed(value: str) -> bool:
    """Whether a text is one that `Invoke-ServiceFabricEncryptText` made."""
    if len(value) < 64 or not value.startswith("M"):
        return False
    try:
        return _ENVELOPED in b64decode(value[:40], validate=True)
    except (Error, ValueError):
        return False
