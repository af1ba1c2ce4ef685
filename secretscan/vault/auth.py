"""Which vault, and as whom: checks the vault's URL, makes the credential, and connects.

The host decides where a token goes, so it is checked before there is one. The SDK's own check, that the server asks for
a token of the service which its host belongs to, stays on for every host but this machine's own, and is off there only
for the embedded vault, whose descriptor the user named.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from secretscan.errors import ConfigurationError, UsageError
from secretscan.events import Cancellation, Listener, silent
from secretscan.vault.pacing import CLOCK, LOCAL, READS, WRITES, Clock, Rate

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["AUTHS", "Auth", "Descriptor", "VaultUrl", "connect", "read_descriptor", "vault_url"]

Auth = Literal["cli", "environment", "managed-identity", "workload", "default", "local"]
AUTHS: tuple[Auth, ...] = get_args(Auth)

_EXAMPLE = "a vault's URL has the form https://NAME.vault.azure.net"

# Suffix of vaults, suffix of managed HSMs, authority that signs in. Source: the article "About keys, secrets and
# certificates", and the authorities of azure-identity.
_CLOUDS = (
    (".vault.azure.net", ".managedhsm.azure.net", "login.microsoftonline.com"),
    (".vault.azure.cn", ".managedhsm.azure.cn", "login.chinacloudapi.cn"),
    (".vault.usgovcloudapi.net", ".managedhsm.usgovcloudapi.net", "login.microsoftonline.us"),
)

_VAULT_NAME = re.compile(r"(?=.{3,24}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class VaultUrl:
    """A vault's URL that has been checked: `https://HOST[:PORT]`, lower case, nothing after it.

    `authority` is the host that signs in for its cloud, empty for a host of no known cloud. `note` says what a person
    should know about an unusual host.
    """

    url: str
    authority: str = ""
    loopback: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Descriptor:
    """Where an embedded vault is, as `secretscan vault serve` wrote it. Printing it does not show the token."""

    url: str
    proxy: str
    ca_file: str
    token: str
    served: tuple[str, ...] = ()
    """URLs of all its vaults, in both forms; empty if the descriptor does not tell."""


def vault_url(text: str) -> VaultUrl:
    """Checks what a person or a configuration named as the vault. Raises `UsageError`."""
    parts = _split(text)
    host = (parts.hostname or "").lower()
    if _is_loopback(host):
        shown = f"[{host}]" if ":" in host else host
        return VaultUrl(f"https://{shown}{_port(parts)}", loopback=True)
    if not _HOST.fullmatch(host):
        raise UsageError("this is not a vault's URL", where=text, why="its host name is malformed", next_step=_EXAMPLE)
    if host.endswith((".privatelink.vaultcore.azure.net", ".vaultcore.azure.net")):
        raise UsageError(
            "this is not a vault's URL",
            where=text,
            why="it is the alias of a private endpoint, for which the vault has no certificate",
            next_step=f"use https://{host.split('.', 1)[0]}.vault.azure.net: it leads to the private endpoint",
        )
    for vaults, modules, authority in _CLOUDS:
        if host.endswith(modules):
            raise UsageError(
                "a managed HSM cannot hold secrets", where=text, why="it holds keys only", next_step=_EXAMPLE
            )
        if host.endswith(vaults):
            if not _VAULT_NAME.fullmatch(host.removesuffix(vaults)) or _port(parts):
                raise UsageError(
                    "this is not a vault's URL",
                    where=text,
                    why="a vault's name has 3 to 24 letters, digits and single hyphens, and no port follows it",
                    next_step=_EXAMPLE,
                )
            return VaultUrl(f"https://{host}", authority)
    return VaultUrl(
        f"https://{host}{_port(parts)}",
        note=f"{host} is not in a known Azure cloud: values would go to whoever answers there",
    )


def _split(text: str) -> SplitResult:
    def wrong(why: str) -> UsageError:
        return UsageError("this is not a vault's URL", where=text, why=why, next_step=_EXAMPLE)

    if not text.isascii() or not text.isprintable() or any(char in text for char in " \\{}"):
        raise wrong("it has characters that no vault's URL has")
    if "://" not in text:
        name = text.lower()
        if _VAULT_NAME.fullmatch(name):
            raise UsageError(
                "this is a name and not a vault's URL",
                where=text,
                next_step=f"did you mean https://{name}.vault.azure.net",
            )
        raise wrong("it does not begin with https://")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong("its host or port is malformed") from None
    if parts.scheme.lower() != "https":
        raise wrong("a vault is reached by https only")
    if "@" in parts.netloc:
        raise wrong("it has a user in it")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "?" in text or "#" in text:
        raise wrong("something follows the host")
    if not parts.hostname or port == 0 or parts.netloc.endswith(":"):
        raise wrong("its host or port is malformed")
    return parts


def _port(parts: SplitResult) -> str:
    return "" if parts.port in {None, 443} else f":{parts.port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_descriptor(path: Path) -> Descriptor:
    """Reads what `secretscan vault serve` wrote. Raises `ConfigurationError`."""
    again = "start the embedded vault with `secretscan vault serve`, and name its descriptor"
    try:
        # Without waiting for the other end of a pipe: a person is typing the path, letter by letter.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            about = os.fstat(file.fileno())
            data = file.read(65_537) if stat.S_ISREG(about.st_mode) else b""
    except OSError as error:
        raise ConfigurationError(
            "cannot read the embedded vault's descriptor", where=str(path), why=error.strerror or "", next_step=again
        ) from None

    def wrong(why: str) -> ConfigurationError:
        return ConfigurationError("this is no embedded vault's descriptor", where=str(path), why=why, next_step=again)

    if not stat.S_ISREG(about.st_mode) or len(data) > 65_536:
        raise wrong("it is not a small file")
    if hasattr(os, "getuid") and (about.st_uid not in {os.getuid(), 0} or about.st_mode & 0o022):
        raise wrong("somebody else could have written it")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise wrong("it is not JSON") from None
    fields = [body.get(key) if isinstance(body, dict) else None for key in ("azure_url", "proxy", "ca_file", "token")]
    url, proxy, ca_file, token = (field if isinstance(field, str) else "" for field in fields)
    if not url or not ca_file or not token:
        raise wrong("it does not say where the vault is")
    if not re.fullmatch(r"http://127\.0\.0\.1:\d{1,5}", proxy):
        raise wrong("its proxy is not on this machine")
    if not Path(ca_file).is_file():
        raise wrong("the certificate that it names is gone: the embedded vault has ended")
    vaults = body.get("vaults")
    known = vaults.values() if isinstance(vaults, dict) else ()
    served = (each.get(key) for each in known if isinstance(each, dict) for key in ("azure_url", "url"))
    return Descriptor(url, proxy, ca_file, token, tuple(each for each in served if isinstance(each, str)))


def connect(
    url: str,
    auth: str = "default",
    *,
    descriptor: str | os.PathLike[str] | None = None,
    unattended: bool = False,
    client_id: str = "",
    writes: Rate | None = None,
    reads: Rate | None = None,
    clock: Clock = CLOCK,
    cancellation: Cancellation | None = None,
    listener: Listener = silent,
) -> Vault:
    """The vault at this URL, signed in the way `auth` says. Nothing is sent yet: `Vault.check` is the first request.

    `local` is for the embedded vault and needs its `descriptor`; an empty `url` then means its default vault.
    `client_id` names a user-assigned managed identity. `unattended` refuses `default`, which takes whoever happens to
    be signed in, unless AZURE_TOKEN_CREDENTIALS narrows it. `writes` and `reads` are for who shares the vault's limits
    with others. `Vault.notes` says what a person should know.

    Raises `UsageError` for a URL that no vault has, `ConfigurationError` for a sign-in that cannot work here.
    """
    from secretscan.vault.client import Vault

    if auth not in AUTHS:
        raise UsageError(
            "there is no such way to sign in", where=str(auth), next_step=f"choose one of {', '.join(AUTHS)}"
        )
    pace: dict[str, Any] = {
        "writes": writes or (LOCAL if auth == "local" else WRITES),
        "reads": reads or (LOCAL if auth == "local" else READS),
        "clock": clock,
        "cancellation": cancellation,
        "listener": listener,
    }
    if auth == "local":
        return _local(url, None if descriptor is None else Path(descriptor), pace)
    if descriptor is not None:
        raise UsageError("a descriptor is for --auth local", where=str(descriptor))
    checked = vault_url(url)
    if checked.loopback:
        raise UsageError(
            "a vault on this machine needs its descriptor",
            where=checked.url,
            why="a sign-in to Azure is not sent to a local server",
            next_step="use --auth local with the descriptor that `secretscan vault serve` wrote",
        )
    _check_authority(checked)
    if auth == "default" and unattended and not os.environ.get("AZURE_TOKEN_CREDENTIALS"):
        raise ConfigurationError(
            "--auth default is not for unattended runs",
            where=checked.url,
            why="it takes whoever happens to be signed in on this machine",
            next_step="name a way with --auth, or set AZURE_TOKEN_CREDENTIALS",
        )
    notes = (checked.note,) if checked.note else ()
    return Vault(checked.url, _credential(auth, checked, client_id), auth=auth, notes=notes, **pace)


def _local(url: str, descriptor: Path | None, pace: dict[str, Any]) -> Vault:
    from secretscan.vault.client import Vault
    from secretscan.vault.server.credential import LocalCredential

    if descriptor is None:
        raise UsageError(
            "--auth local needs the embedded vault's descriptor",
            next_step="start it with `secretscan vault serve`, which says where the descriptor is",
        )
    found = read_descriptor(descriptor)
    checked = vault_url(url or found.url)
    if checked.note:
        raise UsageError(
            "--auth local is for the embedded vault",
            where=checked.url,
            why="it leads to no other host",
            next_step=_EXAMPLE,
        )
    if found.served and checked.url not in found.served:
        raise UsageError(
            "the embedded vault has no such vault",
            where=checked.url,
            why=f"it has {', '.join(each for each in found.served if 'localhost' not in each)}",
            next_step="leave --vault out, or start it with --name and this name",
        )
    return Vault(
        checked.url,
        LocalCredential(found.token),
        auth="local",
        verify_challenge=not checked.loopback,
        proxy="" if checked.loopback else found.proxy,
        ca_file=found.ca_file,
        use_environment=False,
        **pace,
    )


def _check_authority(vault: VaultUrl) -> None:
    """A sign-in of another cloud can only fail, and late; so it is said first."""
    named = os.environ.get("AZURE_AUTHORITY_HOST", "")
    host = (urlsplit(named if "://" in named else f"https://{named}").hostname or "").lower()
    if named and vault.authority and host != vault.authority:
        raise ConfigurationError(
            "the vault is in another cloud than the sign-in",
            where=vault.url,
            why=f"AZURE_AUTHORITY_HOST is {host}, and its vaults' sign-in is {vault.authority}",
            next_step=f"unset AZURE_AUTHORITY_HOST, or set it to {vault.authority}",
        )


def _credential(auth: str, vault: VaultUrl, client_id: str) -> Any:
    import azure.identity as sdk

    authority: dict[str, Any] = {"authority": vault.authority} if vault.authority else {}
    identity: dict[str, Any] = {"client_id": client_id} if client_id else {}
    makers: dict[str, Callable[[], Any]] = {
        "cli": sdk.AzureCliCredential,
        "environment": lambda: sdk.EnvironmentCredential(**authority),
        "managed-identity": lambda: sdk.ManagedIdentityCredential(**identity),
        "workload": lambda: sdk.WorkloadIdentityCredential(**authority, **identity),
        "default": lambda: sdk.DefaultAzureCredential(
            **authority, **({"managed_identity_client_id": client_id} if client_id else {})
        ),
    }
    try:
        return makers[auth]()
    except ValueError:
        hints = {
            "workload": "run in a pod with workload identity: AZURE_TENANT_ID, AZURE_CLIENT_ID and "
            "AZURE_FEDERATED_TOKEN_FILE are set there",
            "default": "set AZURE_TOKEN_CREDENTIALS to dev, prod or the name of one credential, or unset it",
        }
        raise ConfigurationError(
            f"the environment is not set for --auth {auth}",
            where=vault.url,
            next_step=hints.get(auth, "check the environment variables that begin with AZURE_"),
        ) from None
