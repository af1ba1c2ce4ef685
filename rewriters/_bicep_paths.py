"""Which file a path in a Bicep file means, and which JSON parameter files belong to a template by their names.

Source: Microsoft Learn, "Bicep modules" (local paths), "Create parameters files for Bicep deployment" (names).
"""

from __future__ import annotations

import posixpath
import re

from rewriters._api import Files

__all__ = ["json_parameters", "resolved"]


def resolved(path: str, text: str) -> str:
    """The file that a local path means, relative to the root; empty for a registry, a template spec, or outside."""
    if ":" in text or text.startswith("/") or not text.lower().endswith((".bicep", ".bicepparam")):
        return ""
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), text.replace("\\", "/")))
    return "" if found.startswith("..") else found


def json_parameters(path: str, files: Files) -> tuple[str, ...]:
    """The JSON parameter files of a template, by their names: `main.parameters.json`, `main.dev.parameters.json`,
    `main.parameters.dev.json`."""
    folder, name = posixpath.split(path)
    stem = name[: -len(".bicep")].lower()
    pattern = re.compile(re.escape(stem) + r"(?:\.[\w-]+)?\.parameters(?:\.[\w-]+)?\.json\Z")
    found = (other for other in files if posixpath.dirname(other) == folder)
    return tuple(sorted(other for other in found if pattern.match(posixpath.basename(other).lower())))
