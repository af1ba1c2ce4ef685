"""Bicep templates and their parameter files: `.bicep` and `.bicepparam`.

https://learn.microsoft.com/azure/azure-resource-manager/bicep/key-vault-parameter ; what `getSecret` takes, and
where it may stand, is in Azure/bicep, AzNamespaceType.cs and FunctionPlacementValidatorVisitor.cs.

A deployment reads the vault when it starts: by a parameter file (`az.getSecret`), or by a parent template for a
`@secure()` parameter of its module (`getSecret` of the vault). A text inside of a template becomes such a parameter.

`effective` tells what each parameter file sets, and the texts of all resources and outputs under each of the files that
use the template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "bicep"


def claims(path: str, head: bytes) -> bool:
    """By the file's name alone: nothing else is called so."""
    return path.lower().endswith((".bicep", ".bicepparam")) and b"\0" not in head


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text of the expressions. Raises `Unreadable`."""
    from rewriters._bicep_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """References, the parameters that they need, and what parameter files say of these."""
    from rewriters._bicep_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the deployments hand to the resources, read by a grammar of the whole file."""
    from rewriters._bicep_effective import effective as work

    return work(files, lookup)
