"""Which property of which resource type takes which kind of reference, and why others take none.

Sources: Azure REST API specifications and bicep-types-az: Microsoft.ContainerInstance 2025-09-01, Microsoft.App
2025-07-01; Azure App Service, "Use Key Vault references"; Azure Resource Manager, deployment scripts (`secureValue`).
"""

from __future__ import annotations

import re
from functools import lru_cache

from rewriters._api import Place

__all__ = [
    "ALTERNATIVES",
    "APPS",
    "APP_SECRET",
    "APP_VARIABLE",
    "HIDDEN",
    "REASONS",
    "SECURE",
    "SETTING",
    "SITES",
    "VALUE",
    "config_of",
    "property_of",
]

VALUE, SECURE, HIDDEN, SETTING, APP_SECRET, APP_VARIABLE = (
    "parameter-reference",
    "secure-parameter",
    "secure-value",
    "app-setting-reference",
    "container-app-secret",
    "container-app-secret-ref",
)
"""Kinds of reference: a parameter's value from the vault; a new secure parameter; the same, in the resource's own
`secureValue`; a setting that App Service resolves; a secret of a container app, and a variable that takes one."""

GROUPS = "microsoft.containerinstance/containergroups"
SITES = ("microsoft.web/sites", "microsoft.web/sites/slots")
APPS = ("microsoft.app/containerapps", "microsoft.app/jobs")

REASONS: dict[str, str] = {
    "expression": "it is an expression, evaluated when the template is deployed",
    "azd": "azd fills it in from its environment",
    "object": "a reference stands for a whole parameter, and this one is an object or a list",
    "allowed": "the values that a parameter may have are part of the template",
    "metadata": "a description takes no reference",
    "function": "a function of the template cannot use its parameters",
    "output": "what a template puts out can be read by everyone who reads the deployment",
    "tags": "a tag can be read by everyone who reads the resource",
    "script": "the text of a deployment script is kept with the resource as it is",
    "outer": "the nested template is evaluated in the outer one, and its deployment would keep the value in its text",
    "name": "this property has to be a literal text",
    "other": "this property takes no reference",
}
ALTERNATIVES: dict[str, str] = {
    "expression": "move the value where it stands: in a parameter, a variable, or another resource; a literal within "
    "the expression goes into a securestring parameter, and parameters('NAME') takes its place",
    "azd": "have the vault's secret in the azd environment (azd env set-secret), with a @secure() parameter",
    "object": "make the value a securestring parameter of its own, then run this again",
    "allowed": "take the list of allowed values out of the template",
    "metadata": "delete it from the description",
    "function": "give the function one more parameter, and hand it the value where it is called",
    "output": "delete the output, and have its readers ask the vault",
    "tags": "delete the tag",
    "script": "set the script's environmentVariables with secureValue, and have the script read them",
    "outer": 'set "expressionEvaluationOptions": {"scope": "inner"} and hand the value to the nested template as a '
    "parameter, then run this again",
    "name": "put the value into a property that may be an expression",
    "other": "make the value a securestring parameter, and use it here",
}

_Row = tuple[str, str, Place]
_SITE: tuple[_Row, ...] = (
    (r"(?:siteconfig/)?appsettings/\d+/value", SETTING, "env"),
    (r"(?:siteconfig/)?connectionstrings/\d+/connectionstring", SETTING, "env"),
)
_APP: tuple[_Row, ...] = (
    (r"configuration/secrets/\d+/value", APP_SECRET, "secret"),
    (r"template/(?:initcontainers|containers)/\d+/env/\d+/value", APP_VARIABLE, "env"),
    (r"template/(?:initcontainers|containers)/\d+/(?:command|args)/\d+", SECURE, "arg"),
)
_ROWS: dict[str, tuple[_Row, ...]] = {
    GROUPS: (
        (r"(?:initcontainers|containers)/\d+/properties/environmentvariables/\d+/value", HIDDEN, "env"),
        (r"(?:initcontainers|containers)/\d+/properties/environmentvariables/\d+/securevalue", SECURE, "secret"),
        (r"(?:initcontainers|containers)/\d+/properties/command/\d+", SECURE, "arg"),
        (r"imageregistrycredentials/\d+/password", SECURE, "registry"),
        (r"volumes/\d+/azurefile/storageaccountkey", SECURE, "volume"),
        (r"volumes/\d+/secret/[^/]+", SECURE, "secret"),
    ),
    "microsoft.resources/deploymentscripts": (
        (r"environmentvariables/\d+/value", HIDDEN, "env"),
        (r"environmentvariables/\d+/securevalue", SECURE, "secret"),
        (r"(?:scriptcontent|arguments)", "-script", "arg"),
    ),
    "microsoft.keyvault/vaults/secrets": ((r"value", SECURE, "secret"),),
    **dict.fromkeys(APPS, _APP),
    **dict.fromkeys(SITES, _SITE),
    **{f"{site}/config/web": _SITE for site in SITES},
    **{f"{site}/config/appsettings": ((r".+", SETTING, "env"),) for site in SITES},
    **{f"{site}/config/connectionstrings": ((r".+/value", SETTING, "env"),) for site in SITES},
}


_CONFIG = re.compile(r"(?:\A|[/'])(appsettings|connectionstrings|web)(?=\Z|')")


def config_of(kind: str, name: str) -> str:
    """The type of a resource, and for a `config` of App Service also which one, which only its name says."""
    if not kind.startswith("microsoft.web/sites/") or not kind.endswith("/config"):
        return kind
    found = sorted(_CONFIG.findall(name.lower()))  # `web` may as well be a part of the app's name
    return f"{kind}/{found[0]}" if found else kind


@lru_cache(maxsize=1)
def _rows() -> dict[str, tuple[tuple[re.Pattern[str], str, Place], ...]]:
    return {
        name: tuple((re.compile(pattern), kind, place) for pattern, kind, place in rows) for name, rows in _ROWS.items()
    }


def property_of(resource: str, path: str) -> tuple[str, Place]:
    """The kind of reference that a property takes, and what place it is, by the resource's type and the property's
    path below `properties`, both in lower case; a kind that begins with `-` is a key of `REASONS`."""
    for pattern, kind, place in _rows().get(resource, ()):
        if pattern.fullmatch(path):
            return kind, place
    return SECURE, "other"
