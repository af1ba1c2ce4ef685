"""The configuration of the docker client: `config.json`, and `.dockercfg`, its form before 2015.
https://docs.docker.com/reference/cli/docker/login/ ; the fields are those of docker/cli, `cli/config/configfile` and
`cli/config/types`.

The client reads passwords from this file or from a credential helper, and knows no reference to a vault. So places
are found and reported, and stay as they are.

`effective` tells what the client would send to each registry, and the proxies and headers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "dockerconfig"

_AUTHS = re.compile(rb'"auths"\s*:\s*\{\s*(?:\}|"[^"]*"\s*:\s*\{)')
_OTHERS = re.compile(rb'"(?:apiVersion|\$schema|openapi|swagger)"\s*:')


def claims(path: str, head: bytes) -> bool:
    """A file of one of the client's names, or JSON with a map `auths` of registries."""
    lower = path.lower()
    name = lower.rpartition("/")[2]
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") or _OTHERS.search(head):
        return False
    if name.endswith((".dockercfg", ".dockerconfigjson")) or name == "dockercfg":
        return True
    if name == "config.json" and lower.split("/")[-2:-1] in ([".docker"], ["docker"]) and b'"' in head:
        return _AUTHS.search(head) is not None or b'"proxies"' in head or b'"HttpHeaders"' in head
    return name.endswith(".json") and _AUTHS.search(head) is not None


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Credentials of registries, proxies, headers, and every other text. Raises `Unreadable`."""
    from rewriters._dockerconfig_read import slots as work

    return work(path, data)


def rewrite(request: Request) -> Rewrite:
    """Refuses everything, with what to do instead."""
    from rewriters._dockerconfig_read import refuse

    return refuse(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the client sends, read with `json`."""
    from rewriters._dockerconfig_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])})
