"""What is known of the properties of some Azure resource types: which take a reference to a vault by themselves.

Sources: bicep-types-az, `Microsoft.ContainerInstance/containerGroups@2025-09-01`, `Microsoft.App/containerApps` and
`jobs@2025-07-01`; App Service, "Use Key Vault references as app settings".
"""

from __future__ import annotations

from typing import NamedTuple

from rewriters._api import Place

__all__ = ["Kind", "kind_of", "place_of"]


class Kind(NamedTuple):
    """The kind of reference of a property, as a slot names it, and the role of the site; both empty for all others."""

    target: str
    role: str


_NONE = Kind("", "")
_GROUPS = "microsoft.containerinstance/containergroups"
_APPS = ("microsoft.app/containerapps", "microsoft.app/jobs")
_SITES = ("microsoft.web/sites", "microsoft.web/sites/slots")
_CONFIG = ("microsoft.web/sites/config", "microsoft.web/sites/slots/config")


def _type(written: str) -> str:
    return written.partition("@")[0].lower()


_ACI: dict[str, Kind] = {
    "properties.containers.*.properties.environmentvariables.*.value": Kind("secure-value-reference", "aci-env"),
    "properties.containers.*.properties.environmentvariables.*.securevalue": Kind("secure-value-reference", "aci-env"),
    "properties.imageregistrycredentials.*.password": Kind("password-reference", "aci-registry"),
    "properties.volumes.*.azurefile.storageaccountkey": Kind("storage-account-key-reference", "aci-storage"),
}
_APP: dict[str, Kind] = {
    "properties.configuration.secrets.*.value": Kind("key-vault-url", "app-secret"),
    "properties.template.containers.*.env.*.value": Kind("secret-ref", "app-env"),
}
_SETTING = Kind("key-vault-reference", "setting")


def kind_of(type_: str, path: tuple[str, ...], name: str) -> Kind:
    """By the type as it is written, the path in lower case with `*` for the items of a list, and the last part of the
    resource's name."""
    kind, way = _type(type_), ".".join(path).replace(".initcontainers.", ".containers.")
    if kind == _GROUPS:
        return _ACI.get(way, _NONE)
    if kind in _APPS:
        return _APP.get(way, _NONE)
    if kind in _SITES:
        inner = way.removeprefix("properties.siteconfig.")
        return _SETTING if inner in ("appsettings.*.value", "connectionstrings.*.connectionstring") else _NONE
    if kind in _CONFIG and path[:1] == ("properties",):
        one = name == "appsettings" and len(path) == 2
        two = name == "connectionstrings" and len(path) == 3 and path[-1] == "value"
        three = name == "web" and way in (
            "properties.appsettings.*.value",
            "properties.connectionstrings.*.connectionstring",
        )
        return _SETTING if one or two or three else _NONE
    return _NONE


def place_of(type_: str, path: tuple[str, ...], name: str = "") -> Place:
    """What kind of place a property is, for judging its value."""
    last = path[-1] if path else ""
    if _type(type_) in _CONFIG and name == "appsettings" and len(path) == 2:
        return "env"
    if last == "securevalue" or (_type(type_) == "microsoft.keyvault/vaults/secrets" and last == "value"):
        return "secret"
    if path[-3:-1] in (("environmentvariables", "*"), ("env", "*"), ("appsettings", "*")):
        return "env" if last == "value" else "other"
    if path[-2:-1] == ("*",) and len(path) > 2 and path[-3] == "secrets" and last == "value":
        return "secret"
    if path[-2:] in (("command", "*"), ("args", "*"), ("arguments", "*")):
        return "arg"
    if "imageregistrycredentials" in path and last == "password":
        return "registry"
    if last == "storageaccountkey":
        return "volume"
    return "other"
