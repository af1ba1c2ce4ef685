"""GitHub Actions: workflows in `.github/workflows` and actions (`action.yml`).
https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax ; contexts and where each may be used:
https://docs.github.com/actions/reference/workflows-and-actions/contexts

GitHub has no reference to a vault. A step of the job signs in with `azure/login`, the next one reads the secrets with
the Azure CLI, masks them, and hands them to the steps after it: as its outputs where one step uses a value, through
`GITHUB_ENV` where the job's or the workflow's `env` held it.

`effective` tells every step's environment, inputs and script, and the environment of services and containers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "githubactions"

_WORKFLOW = re.compile(r"(?:\A|/)\.github/workflows/[^/]+\.ya?ml\Z", re.IGNORECASE)
_ACTION = re.compile(r"(?:\A|/)action\.ya?ml\Z")
_RUNS = re.compile(rb"(?m)^[\"']?(?:runs|inputs)[\"']?[ \t]*:")


def claims(path: str, head: bytes) -> bool:
    """By the path; a file `action.yml` also by its keys."""
    if _WORKFLOW.search(path):
        return True
    return _ACTION.search(path) is not None and _RUNS.search(head.removeprefix(b"\xef\xbb\xbf")) is not None


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text but names, conditions' operands and permissions. Raises `Unreadable`."""
    from rewriters._githubactions_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """Expressions, the steps that read the vault, and the permission to sign in."""
    if not request.assignments:
        from rewriters._api import Rewrite

        return Rewrite()
    from rewriters._githubactions_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the steps get, read with ruamel.yaml."""
    from rewriters._githubactions_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, lookup)
