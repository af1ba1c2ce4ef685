"""Which files are Helm's and helmfile's, by their names and first lines.

Sources: Helm documentation, "Charts" (`values.yaml`, `templates/`); helmfile documentation (`helmfile.yaml`,
`helmfile.d`, `.gotmpl`).
"""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["NAME", "Role", "claims", "is_template_text", "role"]

NAME = "helm"

Role = Literal["", "values", "helmfile", "template"]

_YAML = re.compile(r"\.ya?ml(?:\.gotmpl)?\Z", re.IGNORECASE)
_VALUES = re.compile(r"(?:values(?:[._-][^/]*)?|[^/]+[._-]values)\.ya?ml(?:\.gotmpl)?\Z", re.IGNORECASE)
_HELMFILE = re.compile(r"(?:helmfile(?:[._-][^/]*)?|[^/]+[._-]helmfile)\.ya?ml(?:\.gotmpl)?\Z", re.IGNORECASE)
_OBJECT = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*[{,]?[ \t]*[\"']?(?:apiVersion|\$schema)[\"']?[ \t]*:", re.MULTILINE)
_ACTION = re.compile(
    rb"\{\{-?\s*[^{}\n]*?(?:\.(?:Values|Release|Chart|Capabilities|Files|Template)\b|\b(?:include|template|define|toYaml"
    rb"|nindent|tpl)\b)"
)


def role(path: str, head: bytes) -> Role:
    """What a file is to Helm; by its name, and where that leaves it open by its first bytes."""
    *folders, name = path.split("/")
    if not _YAML.search(name):
        return ""
    if "templates" in folders:
        plain = not name.lower().endswith(".gotmpl")
        return "template" if plain and b"${{" not in head and _ACTION.search(head) else ""
    if _HELMFILE.match(name) or (folders and folders[-1] == "helmfile.d"):
        return "helmfile"
    listed = bool(folders) and folders[-1].lower() in ("values", "helm-values", "helm_values", "helm_vars")
    if not (_VALUES.match(name) or listed) or _OBJECT.search(head):
        return ""
    return "" if not name.lower().startswith("values") and _of_compose(path, head) else "values"


def _of_compose(path: str, head: bytes) -> bool:
    from rewriters._compose_project import claims as compose

    return compose(path, head)


def is_template_text(path: str) -> bool:
    """Whether a file of values or a helmfile is rendered before it is YAML."""
    return path.lower().endswith(".gotmpl")


def claims(path: str, head: bytes) -> bool:
    """Values files by their names, helmfiles, and templates of charts that hold actions."""
    return role(path, head) != ""
