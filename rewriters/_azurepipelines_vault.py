"""The task that reads secrets into variables of a job: as it is written, and as one that is there already says.

Source: microsoft/azure-pipelines-tasks, AzureKeyVaultV2 (`task.json`: inputs and aliases; the secret's name is the
variable's; several names with commas, `*` for all).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rewriters._api import Reference
from rewriters._azurepipelines_read import Job, Step, inputs_of, task_of
from rewriters._ci_sites import shaped
from rewriters._yaml import Map, Scalar

__all__ = ["ALL", "Reading", "connection_of", "names_in", "readings", "task_lines"]

ALL = "*"
_CONNECTION = ("azuresubscription", "connectedservicename")


@dataclass(frozen=True, slots=True)
class Reading:
    """A step that reads a vault. `certain` says that it always runs; `filter` is the text that lists the names."""

    step: Step
    vault: str
    names: tuple[str, ...]
    filter: Scalar | None
    certain: bool


def names_in(text: str) -> tuple[str, ...]:
    """The names that a filter lists."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def readings(job: Job) -> list[Reading]:
    """The steps of a job that read a vault, in order."""
    found: list[Reading] = []
    for step in job.steps:
        if task_of(step.node) != "azurekeyvault":
            continue
        given = inputs_of(step.node)
        vault, names = given.get("keyvaultname"), given.get("secretsfilter")
        certain = all(shaped(step.node, key) is None for key in ("condition", "enabled", "continueOnError"))
        found.append(
            Reading(
                step,
                vault.text.lower() if vault is not None else "",
                names_in(names.text) if names is not None else (ALL,),
                names,
                certain,
            )
        )
    return found


def connection_of(node: Map | None) -> str:
    """The service connection to Azure that a step names, if it is a plain name."""
    given = inputs_of(node)
    said = next((given[name].text for name in _CONNECTION if name in given), "")
    return "" if "$" in said else said


def task_lines(connection: str, references: Sequence[Reference], step: int) -> list[str]:
    """The step that reads these secrets of one vault."""
    pad = " " * step
    return [
        "task: AzureKeyVault@2",
        "displayName: Read secrets from Azure Key Vault",
        "inputs:",
        f"{pad}azureSubscription: {_quoted(connection)}",
        f"{pad}KeyVaultName: {references[0].vault_name}",
        f"{pad}SecretsFilter: {','.join(reference.name for reference in references)}",
    ]


def _quoted(text: str) -> str:
    return text if text.replace("-", "").replace("_", "").isalnum() and text[:1].isalpha() else f"'{text}'"
