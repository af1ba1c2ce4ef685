"""Azure Container Apps as YAML: apps and jobs (`az containerapp create --yaml`), Dapr components, storages.
https://learn.microsoft.com/azure/container-apps/manage-secrets ; azure-resource-manager-api-spec and
dapr-component-connect-services there; the REST API specification Microsoft.App, 2025-07-01.

Apps and jobs have secrets of their own, which refer to a vault and are read with a user-assigned identity; variables,
registries, scale rules and volumes name them. A Dapr component reads a vault through another component, its secret
store. A reference always stands for a whole value.

`effective` tells each container's environment and command, the secrets, the registries' passwords, the files of secret
volumes, the parameters of scale rules and components, and the storage keys.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "containerapps"

_TYPES = rb"(?:containerApps|jobs|managedEnvironments|connectedEnvironments|sessionPools)\b"
_TYPE = re.compile(rb"(?mi)^[\"']?type[\"']?[ \t]*:[ \t]*[\"']?Microsoft\.App/" + _TYPES)
_TYPE_IN_BRACES = re.compile(rb"(?i)[\"']type[\"']\s*:\s*[\"']Microsoft\.App/" + _TYPES)
_COMPONENT = re.compile(rb"(?m)^(?:properties[ \t]*:\s*(?:#.*\n\s*)*)?[ \t]*[\"']?componentType[\"']?[ \t]*:[ \t]*\S")
_KUBERNETES = re.compile(rb"(?m)^[\"']?(?:kind|spec|resources|services|\$schema)[\"']?[ \t]*:")
_DATED = re.compile(rb"(?m)^[\"']?apiVersion[\"']?[ \t]*:[ \t]*[\"']?\d{4}-\d{2}-\d{2}")
_PARTS = re.compile(rb"(?m)^[ \t]*[\"']?(?:configuration|template)[\"']?[ \t]*:")
_TEMPLATE = re.compile(rb"(?m)^[ \t]+[\"']?template[\"']?[ \t]*:|managedEnvironment")
_OWN = re.compile(
    rb"(?mi)^[ \t-]*[\"']?(?:managedEnvironmentId|activeRevisionsMode|passwordSecretRef|keyVaultUrl|"
    rb"(?:manual|schedule|event)TriggerConfig|secretRef|workloadProfileName|replicaTimeout)[\"']?[ \t]*:"
    rb"|/managedEnvironments/"
)


def claims(path: str, head: bytes) -> bool:
    """YAML that says it is of `Microsoft.App`, or has the shape of an app, a job or a Dapr component and says nothing
    else."""
    if not path.lower().endswith((".yaml", ".yml")):
        return False
    text = head.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip().startswith(b"{"):
        return _TYPE_IN_BRACES.search(text) is not None and b'"$schema"' not in text and b'"resources"' not in text
    if _KUBERNETES.search(text):
        return False
    if _TYPE.search(text) or _COMPONENT.search(text):
        return True
    if _DATED.search(text) and not _TEMPLATE.search(text):  # a container group has no template
        return False
    return _PARTS.search(text) is not None and _OWN.search(text) is not None


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text but names, ids and references. Raises `Unreadable`."""
    from rewriters._containerapps_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """References, the secrets and stores that they lead to, and the identity that reads them."""
    from rewriters._containerapps_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the platform hands the containers and components, read with ruamel.yaml."""
    from rewriters._containerapps_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, lookup)
