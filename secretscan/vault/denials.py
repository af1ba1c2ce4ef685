"""The many reasons of a 403, each with its own way out.

Decided by the inner error code first and by the text only where the service has no code for it. The service's text is
never shown, since it may quote what was sent; single facts are taken out of it by narrow patterns: the caller's object
id, the client address, the vault's resource id. Sources: recorded answers of the service, public reports where there
are none, and the Key Vault articles on error codes, private links and RBAC.
"""

from __future__ import annotations

import re

from secretscan.errors import VaultError, VaultRefused
from secretscan.vault.answers import Action, Answer, Place, not_a_vault

__all__ = ["forbidden"]

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_OBJECT = re.compile(rf"\boid=({_GUID})\b")
_ADDRESS = re.compile(r"Client address: ?([0-9a-fA-F.:]{3,45}?)(?=[\s,;.]*(?:\s|$))")
_SCOPE = re.compile(
    rf"(/subscriptions/{_GUID}/resourcegroups/[\w.()-]{{1,90}}/providers/Microsoft\.KeyVault/vaults/[0-9a-z-]{{3,24}})"
    r"(?=[/'\s]|$)",
    re.IGNORECASE,
)
_DENY = re.compile(rf"DenyAssignmentId: ?'?({_GUID}|[^\s']*{_GUID})'?|DeniedByDenyAssignment", re.IGNORECASE)

_READER = "Key Vault Secrets User"
_OFFICER = "Key Vault Secrets Officer"

_FIREWALL_HINT = (
    "run from a network that the vault allows, or let its owner allow this one: "
    "az keyvault network-rule add --name {vault} --ip-address {address}"
)
_PRIVATE_HINT = (
    "run inside of the network that has the vault's private endpoint; there, {host} resolves to a private address"
)


def forbidden(said: Answer, place: Place, action: Action) -> VaultError:
    """The error that stands for a 403."""
    where = str(place)
    text = said.text.lower()
    if said.inner == "ForbiddenByFirewall" or "client address is not authorized" in text:
        found = _ADDRESS.search(said.text)
        return VaultRefused(
            "the vault's firewall refuses this machine",
            where=where,
            why=f"the vault sees it as {found.group(1)}, which is not on its list"
            if found
            else "its address is not on the list",
            next_step=_FIREWALL_HINT.format(vault=place.vault_name, address=found.group(1) if found else "ADDRESS"),
        )
    if "tcp connection" in text:
        return VaultRefused(
            "the vault refuses connections over this private link",
            where=where,
            why="the private endpoint that the name resolves to belongs to another vault",
            next_step=_PRIVATE_HINT.format(host=place.host),
        )
    if said.inner == "ForbiddenByConnection" or "public network access is disabled" in text:
        return VaultRefused(
            "the vault refuses connections from the public network",
            where=where,
            why="public network access is disabled, and this connection does not come over a private endpoint",
            next_step=_PRIVATE_HINT.format(host=place.host),
        )
    if said.inner == "SecretDisabled":
        return VaultRefused(
            "the secret is disabled",
            where=where,
            next_step="enable it if that is meant: az keyvault secret set-attributes "
            f"--vault-name {place.vault_name} --name {place.name} --enabled true",
        )
    if said.inner.endswith("ManagedByKeyVault"):
        return VaultRefused(
            "the secret belongs to a certificate",
            where=where,
            why="Key Vault manages it together with the certificate of the same name",
            next_step="choose another name",
        )
    if not said.code:
        return not_a_vault(place)
    caller = _OBJECT.search(said.text)
    who = f"the identity {caller.group(1)}" if caller else "the signed-in identity"
    object_id = caller.group(1) if caller else "OBJECT-ID"
    if said.inner == "ForbiddenByRbac" or "not authorized to perform action" in text:
        return _no_role(said, place, action, who, object_id)
    if said.inner in {"AccessDenied", "ForbiddenByPolicy"}:
        needed = "get list" if action in {"get", "list"} else f"get list {action}"
        return VaultRefused(
            f"{who} may not {action} secrets",
            where=where,
            why="the vault's access policy does not grant the permission",
            next_step=f"let the vault's owner grant it: az keyvault set-policy --name {place.vault_name} "
            f"--object-id {object_id} --secret-permissions {needed}",
        )
    codes = f"403 {said.code} {said.inner}".strip()
    return VaultRefused(
        f"the vault does not let {who} {action} secrets",
        where=where,
        why=f"it answered {codes}, for a reason that it does not put into a known code",
        next_step=f"ask the vault's owner to look into its logs: az keyvault show --name {place.vault_name}",
    )


def _no_role(said: Answer, place: Place, action: Action, who: str, object_id: str) -> VaultError:
    where = str(place)
    if _DENY.search(said.text):
        return VaultRefused(
            f"a deny assignment keeps {who} from the vault's secrets",
            where=where,
            why="it overrides every role, so that another role does not help",
            next_step="ask the vault's owner to look at the deny assignments in its access control",
        )
    role = _READER if action in {"get", "list"} else _OFFICER
    scope = _SCOPE.search(said.text)
    vault_id = scope.group(1) if scope else f"$(az keyvault show --name {place.vault_name} --query id --output tsv)"
    return VaultRefused(
        f"{who} has no role that lets it {action} secrets",
        where=where,
        why="no role assignment on the vault allows it; a new one takes some minutes to act",
        next_step=f'let the vault\'s owner assign it: az role assignment create --role "{role}" '
        f'--assignee {object_id} --scope "{vault_id}"',
    )
