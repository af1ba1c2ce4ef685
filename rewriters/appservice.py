"""App Service and Functions: settings of an app as a list, and `local.settings.json` of Functions.
https://learn.microsoft.com/azure/app-service/app-service-key-vault-references

A list is what `az webapp config appsettings list` writes, `set --settings @FILE` takes, and the portal edits; so are
connection strings. Apps in templates are ARM's, Bicep's and Terraform's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewriters._appservice_claims import claims

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "appservice"


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every setting and connection string. Raises `Unreadable`."""
    from rewriters._appservice_read import read

    return tuple(site.slot for site in read(path, data))


def rewrite(request: Request) -> Rewrite:
    """A reference in place of each value."""
    from rewriters._appservice_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The variables of the app, read with `json`."""
    from rewriters._appservice_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, lookup)
