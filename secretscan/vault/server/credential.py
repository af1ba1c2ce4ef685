"""The credential for an embedded vault: hands out its token, and to no one else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError

_LIFETIME: Final = 3600


class LocalCredential:
    """A `TokenCredential` for the SDK that needs no Entra ID.

    It gives its token for the scope `https://<suffix>/.default` alone. A server that asks for another scope is not an
    embedded vault.
    """

    def __init__(self, token: str | Callable[[], str], suffix: str = "vault.azure.net") -> None:
        self._token = token
        self._scope = f"https://{suffix}/.default"

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The token and when to ask again (Unix seconds). Raises `ClientAuthenticationError` for another scope."""
        return AccessToken(self._for(scopes), int(time.time()) + _LIFETIME)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """As `get_token`, in the newer shape."""
        return AccessTokenInfo(self._for(scopes), int(time.time()) + _LIFETIME)

    def close(self) -> None:
        """Nothing to close."""

    def __repr__(self) -> str:
        return f"LocalCredential({self._scope!r})"

    def _for(self, scopes: tuple[str, ...]) -> str:
        if scopes != (self._scope,):
            raise ClientAuthenticationError(f"The embedded vault's credential is good for {self._scope} alone.")
        return self._token if isinstance(self._token, str) else self._token()
