"""Which vault a person chose, and as whom: all that it takes to connect, kept apart from a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secretscan.events import Cancellation, Listener, silent
from secretscan.vault.auth import Auth, connect

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["VaultChoice"]


@dataclass(frozen=True, slots=True)
class VaultChoice:
    """A vault's URL and the way to sign in. `descriptor` is the path that `local` needs; with it an empty `url` means
    the embedded vault's default one."""

    url: str
    auth: Auth
    descriptor: str = ""

    def open(self, listener: Listener = silent, cancellation: Cancellation | None = None) -> Vault:
        """The vault, to be closed by the caller. Nothing is sent yet. Raises `UsageError` and `ConfigurationError`."""
        return connect(
            self.url,
            self.auth,
            descriptor=self.descriptor or None,
            listener=listener,
            cancellation=cancellation,
        )
