"""How the SDK's client is set up: the one place where it is made.

The API version is pinned, as the SDK's default moves. Its repeating is off, since it would repeat a write whose answer
was lost. Redirects are not followed: a value goes to the host that the user named or nowhere. The logging of bodies is
never switched on: it would write values and tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretscan.vault.identity import Witness

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient

__all__ = ["API_VERSION", "secret_client"]

API_VERSION = "7.6"


def secret_client(
    url: str, credential: Witness, verify_challenge: bool, proxy: str, ca_file: str, use_environment: bool
) -> SecretClient:
    from azure.keyvault.secrets import SecretClient

    options: dict[str, Any] = {}
    if proxy:
        options["proxies"] = {"https": proxy}
    if ca_file:
        options["connection_verify"] = ca_file
    return SecretClient(
        url,
        credential,
        api_version=API_VERSION,
        verify_challenge_resource=verify_challenge,
        logging_enable=False,
        permit_redirects=False,
        retry_total=0,
        connection_timeout=10,
        read_timeout=30,
        use_env_settings=use_environment,
        **options,
    )
