"""Who talks to the vault, as the tokens say that it was given. No token is ever kept or shown."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from secretscan.errors import printable

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

__all__ = ["Identity", "Witness"]

_ID = re.compile(r"[0-9a-fA-F-]{1,64}")


@dataclass(frozen=True, slots=True)
class Identity:
    """The claims that tell a person who is signed in, for showing before anything is written. Empty where unknown.

    The vault checks the token, we do not: nothing is decided by these.
    """

    tenant: str = ""
    object_id: str = ""
    name: str = ""

    def __str__(self) -> str:
        known = (
            self.name,
            f"object {self.object_id}" * bool(self.object_id),
            f"tenant {self.tenant}" * bool(self.tenant),
        )
        return ", ".join(part for part in known if part) or "unknown"


def identity_of(token: str) -> Identity:
    """Reads the claims of a JSON Web Token (RFC 7519); anything else is nobody."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > 100_000:
        return Identity()
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return Identity()
    if not isinstance(claims, dict):
        return Identity()

    def claim(*names: str) -> str:
        return next((value for name in names if isinstance(value := claims.get(name), str) and value), "")

    def ident(name: str) -> str:
        return found if _ID.fullmatch(found := claim(name)) else ""

    return Identity(
        ident("tid"), ident("oid"), printable(claim("upn", "unique_name", "app_displayname", "appid"), longest=100)
    )


class Witness:
    """A credential that passes every request on to another one, and remembers for whom the last token was."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.identity = Identity()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        token: AccessToken = self._inner.get_token(*scopes, **options)
        self.identity = identity_of(token.token)
        return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        if not hasattr(self._inner, "get_token_info"):
            from azure.core.credentials import AccessTokenInfo

            wanted: dict[str, Any] = dict(options or {})
            old = self.get_token(*scopes, **wanted)
            return AccessTokenInfo(old.token, old.expires_on)
        token: AccessTokenInfo = self._inner.get_token_info(*scopes, options=options)
        self.identity = identity_of(token.token)
        return token

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()

    def __repr__(self) -> str:
        return f"Witness({self.identity})"
