"""As whom to sign in to a vault: one of the ways, each with what it means."""

from __future__ import annotations

from typing import Final

from secretscan.tui.widgets.choice import Choice
from secretscan.vault.auth import AUTHS, Auth

__all__ = ["Ways"]

_MEANINGS: Final[dict[Auth, str]] = {
    "cli": "the account of 'az login'",
    "environment": "a service principal in AZURE_… variables",
    "managed-identity": "the identity of this machine",
    "workload": "the federated token of this pod",
    "default": "the first of these that is signed in",
    "local": "an embedded vault, found by its descriptor",
}


class Ways(Choice):
    """All ways to sign in."""

    def __init__(self, chosen: Auth) -> None:
        super().__init__([f"{way}: {_MEANINGS[way]}" for way in AUTHS], AUTHS.index(chosen), id="ways")

    @property
    def way(self) -> Auth:
        return AUTHS[self.cursor]

    @way.setter
    def way(self, way: Auth) -> None:
        self.cursor = AUTHS.index(way)
