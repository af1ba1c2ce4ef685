"""Terraform: configurations and variable files, in HCL and in JSON; state files are reported.
https://developer.hashicorp.com/terraform/language/syntax/configuration ; for Azure's arguments and data sources the
documents of the provider, https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs

Where Azure itself can read the vault (Container Apps, App Service), the reference is Azure's and no value enters the
state. Provider blocks and write-only arguments take an ephemeral resource. Other places take a data source, whose value
is in the state. A variable loses its default, and the fetch script sets `TF_VAR_name`.

`effective` tells what every argument comes to, with variables, locals and the vault's secrets put in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "terraform"

_ENDS = (".tf", ".tfvars", ".tf.json", ".tfvars.json", ".tfstate", ".tfstate.backup")


def claims(path: str, head: bytes) -> bool:
    """By the name alone, as Terraform does."""
    return path.lower().endswith(_ENDS) and b"\0" not in head


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text of the file but labels and keys. Raises `Unreadable`."""
    from rewriters._terraform_read import read

    return tuple(site.slot for site in read(path, data))


def rewrite(request: Request) -> Rewrite:
    """References, and the blocks that they lead to."""
    from rewriters._terraform_rewrite import rewrite as work
    from rewriters._unsplit import unsplit

    return unsplit(request, work)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the arguments come to, read by a reader of its own."""
    from rewriters._terraform_effective import effective as work

    return work(files, lookup)
