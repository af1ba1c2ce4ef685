"""What the vault, the sign-in or the network says when it says no, in words that lead on.

No text of the other side is shown, since it may quote what was sent: only codes, and what they are known to mean.
Sources: recorded answers of the service, and the articles on Key Vault's and Microsoft Entra ID's error codes.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator

from secretscan.errors import (
    ConfigurationError,
    SecretNotFound,
    SecretscanError,
    VaultConflict,
    VaultRefused,
    VaultThrottled,
    VaultUnreachable,
)
from secretscan.vault.answers import Action, Answer, Place, answer, not_a_vault
from secretscan.vault.denials import forbidden

__all__ = ["explain", "hopeless", "unsure"]

_ENTRA = re.compile(r"\bAADSTS(\d{5,7})\b")

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
        return forbidden(said, place, action)
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
