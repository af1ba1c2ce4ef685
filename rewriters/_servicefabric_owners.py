"""Which application manifest of Service Fabric a file belongs to, told by their folders.

Source: Visual Studio's application projects: ApplicationPackageRoot and ApplicationParameters stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Owners"]


class Owners:
    """Which application manifest a file belongs to."""

    def __init__(self, manifests: Iterable[str]) -> None:
        self._below: dict[tuple[str, ...], list[str]] = {}
        for manifest in manifests:
            folders = tuple(manifest.split("/")[:-1])
            for depth in range(len(folders) + 1):
                self._below.setdefault(folders[:depth], []).append(manifest)
        self._known: dict[tuple[str, ...], str] = {}

    def of(self, path: str) -> str:
        """The manifest that shares most folders with a file. Empty when several do, unless just one of these is in
        `ApplicationPackageRoot`, of which packaged copies are made."""
        folders = tuple(path.split("/")[:-1])
        if folders not in self._known:
            self._known[folders] = self._find(folders)
        return self._known[folders]

    def _find(self, folders: tuple[str, ...]) -> str:
        for depth in range(len(folders), -1, -1):
            found = self._below.get(folders[:depth], [])
            if len(found) > 1:
                sources = [name for name in found if "ApplicationPackageRoot" in name.split("/")]
                return sources[0] if len(sources) == 1 else ""
            if found:
                return found[0]
        return ""
