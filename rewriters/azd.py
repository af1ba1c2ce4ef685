"""Azure Developer CLI: the variables and settings of its environments (`.azure/NAME`), and `azure.yaml`.
https://learn.microsoft.com/azure/developer/azure-developer-cli/manage-environment-variables ; source: Azure/azure-dev.

A variable becomes `akvs://SUBSCRIPTION/VAULT/SECRET`. azd reads the vault for a parameter that is `@secure()`, for a
hook that names the variable under `secrets`, and for `azd exec`; everyone else is handed the text, so a variable that
anyone else is seen to take stays. The parameter file (`main.parameters.json`) is one of ARM's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "azd"

_OF_ENVIRONMENT = re.compile(r"(?:^|/)\.azure/[^/]+/(?:\.env|config\.json)\Z")
_PROJECT = re.compile(r"(?:^|/)azure\.ya?ml\Z")
_KEY = re.compile(
    rb"^(?:\xef\xbb\xbf)?(?:metadata|infra|services|resources|hooks|pipeline|workflows|requiredVersions|state|platform)"
    rb"[ \t]*:",
    re.MULTILINE,
)
_OTHERS = re.compile(rb"^(?:\xef\xbb\xbf)?(?:apiVersion|\s+image)[ \t]*:", re.MULTILINE)
_WIDE = (b"\xff\xfe", b"\xfe\xff")


def claims(path: str, head: bytes) -> bool:
    """By the path; `azure.yaml` also by a key of its own."""
    if _OF_ENVIRONMENT.search(path):
        return b"\0" not in head or head.startswith(_WIDE)
    if not _PROJECT.search(path) or b"\0" in head:
        return False
    from rewriters._compose_project import claims as of_compose

    return _KEY.search(head) is not None and not _OTHERS.search(head) and not of_compose(path, head)


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every variable, and every text of the settings but names. Raises `Unreadable`."""
    from rewriters._azd_read import read

    return read(path, data)


def rewrite(request: Request) -> Rewrite:
    """References for variables, and the hooks' `secrets` that go with them."""
    from rewriters._azd_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What `azd exec`, the parameters and the hooks are handed, for each environment."""
    from rewriters._azd_effective import effective as work

    return work(files, lookup)
