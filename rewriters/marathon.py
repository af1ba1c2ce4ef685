"""Marathon (DC/OS): applications, pods and groups as JSON, as its REST API takes them.
https://mesosphere.github.io/marathon/docs/secrets.html ; the properties are those of the RAML definitions of its REST
API (app, pod, group, environmentVariable, secrets).

Marathon hands secrets on that a plugin reads from a store, and ships no such plugin; none reads Key Vault. So places
are only reported unless somebody says that there is a plugin, and that its store gets the secrets of the vault.

`effective` tells each application's and container's environment, with secrets that the folder's fetch script names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "marathon"

_ID = re.compile(rb'"id"\s*:\s*"/?[a-zA-Z0-9./_${}-]*"')
_OWN = re.compile(
    rb'"(?:upgradeStrategy|portDefinitions|acceptedResourceRoles|backoffSeconds|backoffFactor|requirePorts|'
    rb"maxLaunchDelaySeconds|taskKillGracePeriodSeconds|killSelection|unreachableStrategy|minimumHealthCapacity|"
    rb'executorResources)"\s*:|"type"\s*:\s*"(?:DOCKER|MESOS)"'
)
_SIZE = re.compile(rb'"(?:cpus|mem)"\s*:\s*[0-9.]+')
_RUN = re.compile(
    rb'"instances"\s*:\s*[0-9]+|"(?:cmd|uris|fetch|healthChecks)"\s*:\s*[\["]|"(?:apps|pods|groups)"\s*:\s*\['
)
_POD = re.compile(rb'"resources"\s*:\s*\{')
_CONTAINERS = re.compile(rb'"containers"\s*:\s*\[')
_OTHERS = re.compile(
    rb'"(?:\$schema|apiVersion|containerDefinitions|taskDefinition|schedule|schedules|TaskGroups|taskGroups|Job|'
    rb'AWSTemplateFormatVersion|resourceGroup|run|tasks|framework|deploy_config)"\s*:'
)


def claims(path: str, head: bytes) -> bool:
    """JSON with an id, and with what only an application, a pod or a group of Marathon has."""
    if not path.lower().endswith(".json") or not _ID.search(head) or _OTHERS.search(head):
        return False
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
        return False
    sized = _SIZE.search(head) is not None
    if _OWN.search(head):
        return sized or _RUN.search(head) is not None
    pod = _POD.search(head) is not None and _CONTAINERS.search(head) is not None
    return sized and (pod or _RUN.search(head) is not None)


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text of the definitions but names. Raises `Unreadable`."""
    from rewriters._marathon_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """Secrets of the application, when asked for by name; else refusals with what to do instead."""
    from rewriters._marathon_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What Marathon hands the tasks, read with `json`."""
    from rewriters._marathon_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, files, lookup)
