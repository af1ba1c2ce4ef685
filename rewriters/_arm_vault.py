"""The vault's resource id, which a parameter's reference needs, and the reference itself.

Source: Azure Resource Manager, "Use Azure Key Vault to pass a secure parameter value during deployment".
"""

from __future__ import annotations

import re
from typing import Any

from rewriters._api import Files, Reference
from rewriters._azure_identity import No

__all__ = ["reference_value", "vault_id"]

_ID = re.compile(
    r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[\w.()-]+/providers/"
    r"Microsoft\.KeyVault/vaults/(?P<name>[a-z][a-z0-9-]{1,23})(?![\w/-])",
    re.IGNORECASE,
)
_IN_FILE = re.compile(_ID.pattern.encode(), re.IGNORECASE)


def vault_id(reference: Reference, files: Files, wanted: str) -> str:
    """The id of the vault that holds the secret: the given one, else the one that the files name. Raises `No`."""
    name = reference.vault_name
    if not reference.vault_url.lower().endswith(".vault.azure.net"):
        raise No(
            "a deployment names the vault by its resource id, which does not say that it is in another cloud",
            "write the reference by hand",
        )
    ask = f"say it with --vault-id (az keyvault show --name {name} --query id)"
    if wanted:
        match = _ID.fullmatch(wanted)
        if match is None:
            raise No("the vault's id that was given is no resource id of a vault", ask)
        if match["name"].lower() != name.lower():
            raise No("the vault's id that was given is that of another vault", ask)
        return wanted
    found = {
        match[0].decode()
        for data in files.values()
        for match in _IN_FILE.finditer(data)
        if match["name"].decode().lower() == name.lower()
    }
    if len({text.lower() for text in found}) > 1:
        raise No("the files name several vaults of this name, in different resource groups", ask)
    if not found:
        raise No("the reference needs the resource id of the vault, which no file names", ask)
    return min(found)


def reference_value(reference: Reference, vault: str) -> dict[str, Any]:
    """What stands under a parameter's `reference`."""
    version = {"secretVersion": reference.version} if reference.version else {}
    return {"keyVault": {"id": vault}, "secretName": reference.name, **version}
