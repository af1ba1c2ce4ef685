"""An embedded vault inside of this process, for trying a migration: reached by its descriptor as a served one is."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from secretscan.vault.choice import VaultChoice

from .embedded import EmbeddedVault
from .serve import describe

__all__ = ["TrialVault"]


class TrialVault:
    """Runs until it is closed; what it holds is gone then. Its descriptor is in a private folder, so that commands in
    another terminal reach it, too. Raises `OSError` when no port or folder is to be had."""

    def __init__(self, name: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="secretscan-trial-"))
        try:
            self._vault = EmbeddedVault((name,))
            path = self._folder / "vault.json"
            describe(path, self._vault)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.choice = VaultChoice(self._vault.azure_url(), "local", str(path))

    @property
    def held(self) -> int:
        """How many secrets it holds."""
        return len({each.name.lower() for each in self._vault.stored()})

    def close(self) -> None:
        """Ends it. May be called again."""
        self._vault.close()
        shutil.rmtree(self._folder, ignore_errors=True)
