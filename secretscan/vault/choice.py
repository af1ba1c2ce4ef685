"""Which vault a person chose, and as whom: all that it takes to connect, kept apart from a connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from secretscan.errors import SecretscanError, UsageError
from secretscan.events import Cancellation, Listener, silent
from secretscan.vault.auth import Auth, connect, read_descriptor, vault_url

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

    def fault(self) -> SecretscanError | None:
        """What keeps this choice from leading to any vault, as far as it can be told without asking one: for saying so
        while a person types."""
        try:
            if self.auth == "local":
                if not self.descriptor:
                    return UsageError("the embedded vault is found by its descriptor", next_step="give its path")
                read_descriptor(Path(self.descriptor))
            if self.url or self.auth != "local":
                checked = vault_url(self.url)
                if checked.loopback and self.auth != "local":
                    return UsageError("a vault on this machine is signed in to as 'local'", where=checked.url)
        except SecretscanError as error:
            return error
        return None
