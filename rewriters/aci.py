"""Azure Container Instances: container groups as YAML, for `az container create --file`.
https://learn.microsoft.com/azure/container-instances/container-instances-reference-yaml ; the properties that refer to
a vault are in the REST API specification from 2024-10-01-preview, in a stable version from 2025-09-01.

The platform reads a secret when it starts the group, with a user-assigned identity of the group. A reference always
stands for a whole value: nothing is put together from parts.

`effective` tells each container's environment and command, the registries' passwords, the storage keys, the files of
secret volumes and the log workspace's key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "aci"

_TYPE = re.compile(
    rb"(?mi)^[\"']?type[\"']?[ \t]*:[ \t]*[\"']?Microsoft\.ContainerInstance/containerGroup(?:s|Profiles)\b"
)
_TYPE_IN_BRACES = re.compile(
    rb"(?i)[\"']type[\"']\s*:\s*[\"']Microsoft\.ContainerInstance/containerGroup(?:s|Profiles)[\"']"
)
_DATED = re.compile(rb"(?m)^[\"']?apiVersion[\"']?[ \t]*:[ \t]*[\"']?\d{4}-\d{2}-\d{2}")
_PROPERTIES = re.compile(rb"(?m)^[\"']?properties[\"']?[ \t]*:")
_CONTAINERS = re.compile(rb"(?m)^[ \t]+[\"']?(?:initC|c)ontainers[\"']?[ \t]*:")
_OTHERS = re.compile(
    rb"(?i)Microsoft\.(?!ContainerInstance|ManagedIdentity|OperationalInsights|Network|KeyVault)\w+/|managedEnvironment|^\s+template:",
    re.M,
)


def claims(path: str, head: bytes) -> bool:
    """YAML that says it is a container group, or has the shape of one and says nothing else."""
    if not path.lower().endswith((".yaml", ".yml")):
        return False
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _TYPE.search(text):
        return True
    if text.lstrip().startswith(b"{"):
        return _TYPE_IN_BRACES.search(text) is not None and b'"$schema"' not in text
    if _OTHERS.search(text) or not _PROPERTIES.search(text):
        return False
    return _DATED.search(text) is not None and _CONTAINERS.search(text) is not None


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text of the group but names and the identity. Raises `Unreadable`."""
    from rewriters._aci_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """References, the `secretReferences` that they lead to, the identity that reads them, and the API version."""
    from rewriters._aci_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the platform hands the containers, read with ruamel.yaml."""
    from rewriters._aci_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, lookup)
