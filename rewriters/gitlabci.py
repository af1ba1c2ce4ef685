"""GitLab CI: pipelines (`.gitlab-ci.yml`) and the files that they include.
https://docs.gitlab.com/ci/yaml/ ; secrets of Azure Key Vault (GitLab Premium, runner 16.6):
https://docs.gitlab.com/ci/secrets/azure_key_vault

A job's `secrets` name what the runner reads from the vault, with an ID token that it signs in with, and set a variable
for each. A vault's URL is a variable, so a job reads one vault.

`effective` tells the variables and the scripts of every job, what it extends taken in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "gitlabci"

_FILE = re.compile(r"(?:\A|/)(?:[^/]*\.)?gitlab-ci(?:[.-][^/]*)?\.ya?ml\Z", re.IGNORECASE)
_FOLDER = re.compile(r"(?:\A|/)(?:\.gitlab/(?:ci|pipelines)|\.?gitlab-ci)/(?:[^/]+/)*[^/]+\.ya?ml\Z", re.IGNORECASE)
_KEY = re.compile(rb"(?m)^[\"']?[A-Za-z.][^\s#][^#\r\n]*?[\"']?[ \t]*:(?:[ \t\r]|$)")


def claims(path: str, head: bytes) -> bool:
    """By the name, or by GitLab's folder, and a key."""
    if not (_FILE.search(path) or _FOLDER.search(path)):
        return False
    return _KEY.search(head.removeprefix(b"\xef\xbb\xbf")) is not None and b"\napiVersion:" not in b"\n" + head


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text but names and rules' conditions. Raises `Unreadable`."""
    from rewriters._gitlabci_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """Secrets of jobs in the places of variables, and variables in scripts."""
    if not request.assignments:
        from rewriters._api import Rewrite

        return Rewrite()
    from rewriters._gitlabci_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the jobs get, read with ruamel.yaml."""
    from rewriters._gitlabci_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, lookup)
