"""What a run needs of a vault."""

from __future__ import annotations

from typing import Protocol

from rewriters import Plaintext, Reference

__all__ = ["Store"]


class Store(Protocol):
    """What a run needs of a vault (`secretscan.vault.client.Vault`)."""

    def find(self, name: str) -> tuple[Plaintext, str] | None:
        """The current value of that name and its version; `None` when there is none. Raises what the vault refuses."""
        ...

    def put(self, name: str, value: Plaintext, secret_id: str) -> str:
        """Stores a value and returns the version made; the id becomes a tag."""
        ...

    def read(self, reference: Reference) -> Plaintext:
        """The value of one version, or the current one. Raises `LookupError` when it is not there."""
        ...

    def delete(self, name: str) -> None: ...
