"""Azure Pipelines: pipelines and templates in YAML.
https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/ ; variables and when they are put in:
https://learn.microsoft.com/azure/devops/pipelines/process/variables

A task in front of the steps reads the secrets into variables of the job (`AzureKeyVault@2`); values become `$(NAME)`.
A secret variable is never in the environment by itself, so a step's `env` names it where a script takes the value.

`effective` tells every step's environment, inputs and script, with the variables put in as the agent does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "azurepipelines"

_FILE = re.compile(r"(?:\A|/)(?:\.?azure-?pipelines?|\.?vsts-ci|\.?ado-pipelines?)[^/]*\.ya?ml\Z", re.IGNORECASE)
_FOLDER = re.compile(r"(?:\A|/)\.?(?:azure-?pipelines?|azuredevops|ado)/(?:[^/]+/)*[^/]+\.ya?ml\Z", re.IGNORECASE)
_OTHER = re.compile(r"\.ya?ml\Z", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?:\A|/)\.(?:github|circleci|gitlab)(?:/|-ci)")
_KEYS = re.compile(
    rb"(?m)^[\"']?(?:steps|jobs|stages|variables|parameters|trigger|pr|pool|resources|extends|schedules)[\"']?[ \t]*:"
)
_BODY = re.compile(rb"(?m)^[\"']?(?:steps|jobs|stages)[\"']?[ \t]*:")
_TASK = re.compile(rb"(?m)^[ \t]*-[ \t]+[\"']?task[\"']?[ \t]*:[ \t]*[\"']?[\w.-]+@[0-9]+\b")


def claims(path: str, head: bytes) -> bool:
    """By the name or the folder and a key of pipelines; elsewhere by steps that are tasks with a version."""
    if _OTHER.search(path) is None or _ELSEWHERE.search(path):
        return False
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _FILE.search(path) or _FOLDER.search(path):
        return _KEYS.search(head) is not None and b"\napiVersion:" not in b"\n" + head
    return _BODY.search(head) is not None and _TASK.search(head) is not None


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text but names and conditions. Raises `Unreadable`."""
    from rewriters._azurepipelines_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """Variables in the places of values, and the tasks that read the vault."""
    if not request.assignments:
        from rewriters._api import Rewrite

        return Rewrite()
    from rewriters._azurepipelines_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the steps get, read with ruamel.yaml."""
    from rewriters._azurepipelines_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, lookup)
