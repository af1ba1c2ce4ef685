"""What the vault, the sign-in or the network says when it says no, in words that lead on.

Decided by the inner error code first and by the text only where the service has no code for it. The service's text is
never shown, since it may quote what was sent; single facts are taken out of it by narrow patterns: the caller's object
id, the client address, the action, the vault's resource id. Sources: recorded answers of the service, and the Key Vault
articles on error codes, private links and RBAC.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from secretscan.errors import (
    ConfigurationError,
    SecretNotFound,
    SecretscanError,
    VaultConflict,
    VaultRefused,
    VaultThrottled,
    VaultUnreachable,
)

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

__all__ = ["Action", "Answer", "Place", "answer", "explain", "hopeless", "not_a_vault", "unsure"]

Action = Literal["get", "set", "list", "delete", "recover"]

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_OBJECT = re.compile(rf"\boid=({_GUID})\b")
_ADDRESS = re.compile(r"Client address: ?([0-9a-fA-F.:]{3,45}?)(?=[\s,;.]*(?:\s|$))")
_SCOPE = re.compile(
    rf"(/subscriptions/{_GUID}/resourcegroups/[\w.()-]{{1,90}}/providers/Microsoft\.KeyVault/vaults/[0-9a-z-]{{3,24}})"
    r"(?=[/'\s]|$)",
    re.IGNORECASE,
)
_DENY = re.compile(rf"DenyAssignmentId: ?'?({_GUID}|[^\s']*{_GUID})'?|DeniedByDenyAssignment", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_ENTRA = re.compile(r"\bAADSTS(\d{5,7})\b")

_READER = "Key Vault Secrets User"
_OFFICER = "Key Vault Secrets Officer"

_ENTRA_CODES = {
    "50034": "the account does not exist in this tenant",
    "50057": "the account is disabled",
    "50076": "the tenant asks for multi-factor authentication",
    "50079": "the tenant asks for multi-factor authentication",
    "50173": "the sign-in has been revoked",
    "53003": "a Conditional Access policy blocks the sign-in",
    "65001": "no consent has been given for Key Vault",
    "70043": "the sign-in has expired",
    "700016": "the application does not exist in this tenant",
    "700027": "the client certificate is not the application's",
    "700082": "the sign-in has expired",
    "70021": "no federated credential of the application matches the token",
    "700213": "no federated credential of the application matches the token",
    "7000215": "the client secret is wrong",
    "7000222": "the client secret has expired",
    "90002": "the tenant does not exist in this cloud",
}

_SIGN_IN = {
    "cli": "run `az login`, and `az account show` to see who is signed in",
    "environment": "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH)",
    "managed-identity": "run where the managed identity is assigned, or choose another --auth",
    "workload": "run in a pod with workload identity, or choose another --auth",
    "default": "run `az login`, or choose one way to sign in with --auth",
    "local": "start the embedded vault again with `secretscan vault serve`",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a request was about: the vault, how one signed in to it, and the secret's name, if it was about one."""

    vault_url: str
    auth: str = "default"
    name: str = ""

    @property
    def host(self) -> str:
        return self.vault_url.removeprefix("https://")

    @property
    def vault_name(self) -> str:
        return self.host.split(".", 1)[0].split(":", 1)[0]

    def __str__(self) -> str:
        return f"{self.name} in {self.vault_url}" if self.name else self.vault_url


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of an error answer that decisions rest on. `text` is for looking into, never for showing."""

    status: int
    code: str
    inner: str
    text: str
    retry_after: float | None


def answer(error: HttpResponseError) -> Answer:
    """Takes an error answer apart. Codes that do not look like codes are left out."""
    body = error.error
    inner = getattr(body, "innererror", None)
    code = str(getattr(body, "code", "") or "")
    deeper = str(inner.get("code", "") or "") if isinstance(inner, dict) else ""
    headers = getattr(error.response, "headers", {})
    return Answer(
        status=error.status_code or 0,
        code=code if _CODE.fullmatch(code) else "",
        inner=deeper if _CODE.fullmatch(deeper) else "",
        text=str(getattr(body, "message", "") or "")[:4000],
        retry_after=_seconds(headers.get("Retry-After", "")),
    )


def _seconds(header: str) -> float | None:
    """`Retry-After` in seconds. As a date it would depend on our clock, and the pacer's own pause is as good."""
    return float(header) if re.fullmatch(r"\d{1,5}", header.strip()) else None


def unsure(error: Exception) -> bool:
    """Whether a write that ended like this may have been carried out all the same."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    if isinstance(error, HttpResponseError) and error.status_code is not None:
        # a 200 that cannot be read was carried out; a server error may come from a gateway in front
        return error.status_code < 300 or error.status_code == 408 or error.status_code >= 500
    if isinstance(error, ClientAuthenticationError) or _foreign_challenge(error):
        return False
    return isinstance(error, AzureError | ValueError)


def hopeless(error: Exception) -> bool:
    """Whether sending the request again in a moment cannot help: the other side's certificate is not trusted."""
    return any(isinstance(item, ssl.SSLCertVerificationError) for item in _chain(error))


def _foreign_challenge(error: Exception) -> bool:
    return isinstance(error, ValueError) and "challenge" in str(error).lower()


def explain(error: Exception, place: Place, action: Action) -> SecretscanError:
    """The error for people that stands for this exception of the SDK."""
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
    )

    if isinstance(error, SecretscanError):
        return error
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        return _sign_in(error, place)
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _answered(answer(error), place, action)
    if isinstance(error, AzureError):
        return _unreachable(error, place, action)
    if isinstance(error, OSError):
        return ConfigurationError(
            "the file of certificate authorities cannot be read",
            where=str(place),
            next_step="check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE",
        )
    if _foreign_challenge(error):
        return VaultRefused(
            "the server asks for a sign-in that does not belong to it",
            where=str(place),
            why="its challenge names another service than this host belongs to, so no token was sent",
            next_step="check the vault's URL; a real vault has the form https://NAME.vault.azure.net",
        )
    return not_a_vault(place)


def not_a_vault(place: Place) -> SecretscanError:
    """The error for an answer that no key vault gives: a captive portal, another service, a broken proxy."""
    return VaultUnreachable(
        "the server does not answer like a key vault",
        where=str(place),
        next_step=f"check the vault's URL, and that no proxy answers in its place: curl -sI {place.vault_url}/secrets",
    )


def _sign_in(error: Exception, place: Place) -> SecretscanError:
    found = _ENTRA.search(str(error)[:20_000])
    hint = _SIGN_IN.get(place.auth, _SIGN_IN["default"])
    if found is None:
        return ConfigurationError(
            f"no sign-in for the vault (--auth {place.auth})",
            where=str(place),
            why="none of the ways to sign in is available" if place.auth == "default" else "it is not available here",
            next_step=hint,
        )
    code = found.group(1)
    meaning = _ENTRA_CODES.get(code)
    return ConfigurationError(
        f"the sign-in for the vault was refused (--auth {place.auth})",
        where=str(place),
        why=f"{meaning} (AADSTS{code})" if meaning else f"Microsoft Entra ID answered AADSTS{code}",
        next_step=hint,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it was made from, through the several ways in which HTTP libraries wrap."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < 50:
        item = waiting.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        waiting += [
            getattr(item, "inner_exception", None),
            getattr(item, "reason", None),
            item.__cause__,
            item.__context__,
            *item.args,
        ]


def _unreachable(error: Exception, place: Place, action: Action) -> SecretscanError:
    why, hint = _network(error, place)
    after = (
        "; a write may have been carried out, and the next run finds out" if action == "set" and unsure(error) else ""
    )
    return VaultUnreachable("no answer from the vault", where=str(place), why=why + after, next_step=hint)


def _network(error: Exception, place: Place) -> tuple[str, str]:
    chain = tuple(_chain(error))
    kinds = {type(item).__name__ for item in chain}
    if "ProxyError" in kinds:
        return "the proxy did not let the request through", "check HTTPS_PROXY and NO_PROXY"
    for item in chain:
        if isinstance(item, socket.gaierror):
            return (
                f"the name {place.host} does not resolve",
                "check the vault's name; with a private endpoint, run inside of its network",
            )
        if isinstance(item, ssl.SSLCertVerificationError):
            return (
                "its certificate is not from an authority that this machine trusts",
                "behind a proxy that opens TLS, name its authority's file in REQUESTS_CA_BUNDLE",
            )
        if isinstance(item, ConnectionRefusedError):
            return "the connection was refused", "check the vault's URL and port, and the firewall on the way"
    if any(isinstance(item, TimeoutError) or "Timeout" in type(item).__name__ for item in chain):
        return (
            "it did not answer in time",
            "check the network; a vault behind a private endpoint answers only inside of its network",
        )
    if any(isinstance(item, ssl.SSLError) for item in chain):
        return "the TLS connection failed", "check that the URL names a vault, and whether a proxy is on the way"
    if any(isinstance(item, ConnectionError) for item in chain):
        return "the connection was lost", "check the network, then run the same command again"
    return "the request failed on the way", "check the network, then run the same command again"


def _answered(said: Answer, place: Place, action: Action) -> SecretscanError:
    if said.status == 401:
        return VaultRefused(
            "the vault does not accept the sign-in",
            where=str(place),
            why="the token is of another tenant or cloud than the vault, or it has expired",
            next_step=f"sign in to the vault's tenant: az keyvault show --name {place.vault_name} "
            "--query properties.tenantId, then az login --tenant TENANT",
        )
    if said.status == 403:
        return _forbidden(said, place, action)
    if said.status == 404:
        if said.code == "SecretNotFound":
            return SecretNotFound("there is no such secret in the vault", where=str(place))
        return not_a_vault(place)
    if said.status == 409:
        return _conflict(said, place)
    if said.status == 429:
        return VaultThrottled(
            "the vault is asked too often",
            where=str(place),
            why="it went on refusing (429) while we slowed down; whoever else writes to it shares the limit",
            next_step="run the same command again later: it goes on where it stopped",
        )
    if said.status in {408, 500, 502, 503, 504}:
        return VaultUnreachable(
            "the vault is not available",
            where=str(place),
            why=f"it answered {said.status}, several times",
            next_step="run the same command again later: it goes on where it stopped",
        )
    if said.status < 400:
        return not_a_vault(place)
    codes = " ".join(part for part in (said.code, said.inner) if part)
    return VaultRefused(
        "the vault does not accept the request",
        where=str(place),
        why=f"it answered {said.status} {codes}".rstrip(),
        next_step="check the secret's name, tags and size against docs/vault.md",
    )


def _conflict(said: Answer, place: Place) -> SecretscanError:
    if said.inner == "ObjectIsDeletedButRecoverable":
        return VaultConflict(
            "a deleted secret still holds this name",
            where=str(place),
            why="it can be recovered until it is purged or its time is over",
            next_step="choose another name, or recover it: "
            f"az keyvault secret recover --vault-name {place.vault_name} --name {place.name}",
        )
    if said.inner == "ObjectIsBeingDeleted":
        return VaultConflict(
            "the secret is being deleted at this moment",
            where=str(place),
            next_step="run the same command again in a minute",
        )
    return VaultConflict(
        "another request changes the same secret",
        where=str(place),
        next_step="run the same command again when nobody else writes to it",
    )


_FIREWALL_HINT = (
    "run from a network that the vault allows, or let its owner allow this one: "
    "az keyvault network-rule add --name {vault} --ip-address {address}"
)
_PRIVATE_HINT = (
    "run inside of the network that has the vault's private endpoint; there, {host} resolves to a private address"
)


def _forbidden(said: Answer, place: Place, action: Action) -> SecretscanError:
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


def _no_role(said: Answer, place: Place, action: Action, who: str, object_id: str) -> SecretscanError:
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
        f"--assignee {object_id} --scope {vault_id}",
    )
