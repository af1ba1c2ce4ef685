"""Azure Resource Manager: templates in JSON and their parameter files.
https://learn.microsoft.com/azure/azure-resource-manager/templates/key-vault-parameter ; parameters from a vault.

Values move into parameters: the template declares a `securestring`, and the parameter file refers to the vault, which
the deployment reads when it starts. Resources that read a vault by themselves get their own kind of reference.

`effective` tells what the parameters and the properties of the resources are, for each template with each of its
parameter files.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "arm"

_SCHEMA = re.compile(
    rb'"\$schema"\s*:\s*"[^"\r\n]{0,200}/(?:subscription|managementGroup|tenant)?deployment(?:Template|Parameters)\.json#?"',
    re.IGNORECASE,
)
_BARE = re.compile(rb'"contentVersion"\s*:')
_PARAMETERS = re.compile(rb'"parameters"\s*:\s*\{', re.IGNORECASE)
_APART = re.compile(rb'"(?:[^"\\]|\\.)*+"|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/', re.DOTALL)


def claims(path: str, head: bytes) -> bool:
    """JSON whose own `$schema` is that of a template or a parameter file; without one, a parameter file by its name."""
    name = path.lower()
    if not name.endswith((".json", ".jsonc", ".json5")):
        return False
    match = _SCHEMA.search(head)
    if match is None:
        if not name.endswith("parameters.json") or b"$schema" in head or not _BARE.search(head):
            return False
        match = _PARAMETERS.search(head)
        if match is None:
            return False
    before = _APART.sub(b"", head[: match.start()])
    return sum(map(before.count, (b"{", b"["))) - sum(map(before.count, (b"}", b"]"))) == 1


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text but names, types and identities. Raises `Unreadable`."""
    from rewriters._arm_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """References in the parameter files, the parameters that they feed, and the resources' own references."""
    from rewriters._arm_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the deployments hand the resources, read with the `json` of the standard library."""
    from rewriters._arm_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, lookup)
