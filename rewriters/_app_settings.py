"""A setting of App Service that refers to a vault: how it is written, and what it refers to.

Source: Azure App Service, "Use Key Vault references as app settings".
"""

from __future__ import annotations

import re

from rewriters._api import Reference
from rewriters._azure_identity import secret_uri
from rewriters._azure_tree import referred as secret_of

__all__ = ["BEFORE_REFERENCES", "is_reference", "reference_text", "referred"]

BEFORE_REFERENCES = frozenset(("website_contentazurefileconnectionstring",))
"""Settings that are read before the platform resolves references, unless the checks of them are switched off."""

_SETTING = re.compile(r"@Microsoft\.KeyVault\(([^()]*)\)\Z", re.IGNORECASE)
_ANY = re.compile(r"@Microsoft\.(?:KeyVault|AppConfiguration)\(.*\)\s*\Z", re.IGNORECASE | re.DOTALL)


def reference_text(reference: Reference) -> str:
    return f"@Microsoft.KeyVault(SecretUri={secret_uri(reference)}{'' if reference.version else '/'})"


def is_reference(text: str) -> bool:
    """Whether a setting is a reference already, to a vault or to App Configuration."""
    return _ANY.match(text) is not None


def referred(text: str) -> Reference | None:
    """The secret that a setting refers to."""
    match = _SETTING.match(text)
    if match is None:
        return None
    parts = {}
    for part in match[1].split(";"):
        name, _, value = part.partition("=")
        parts[name.strip().lower()] = value.strip()
    if "secreturi" in parts:
        return secret_of(parts["secreturi"])
    vault, name = parts.get("vaultname", ""), parts.get("secretname", "")
    if not vault or not name:
        return None
    return Reference(f"https://{vault.lower()}.vault.azure.net", name, parts.get("secretversion", ""))
