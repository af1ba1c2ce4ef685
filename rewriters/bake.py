"""Docker Buildx Bake: build definitions in HCL and in JSON.
https://docs.docker.com/build/bake/reference/

Bake reads a variable of a definition from the environment of the command, and from its default only where the
environment has none: a default becomes a variable that the fetch script sets. A build argument stays in the image's
history, wherever its value comes from: it is refused, unless a Dockerfile has a secret mount for it.

`effective` tells each variable, and each argument of each target.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "bake"

_NAME = re.compile(r"(?:^|[/._-])bake(?:[._-][^/]*)?\.(?P<kind>hcl|json)\Z", re.IGNORECASE)


def claims(path: str, head: bytes) -> bool:
    """By the name; JSON has to say something of targets, groups or variables as well."""
    match = _NAME.search(path)
    if match is None or b"\0" in head:
        return False
    return match["kind"].lower() == "hcl" or re.search(rb'"(?:target|group|variable)"\s*:', head) is not None


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text of the file but labels and keys. Raises `Unreadable`."""
    from rewriters._bake_read import read

    return tuple(site.slot for site in read(path, data))


def rewrite(request: Request) -> Rewrite:
    """Variables without defaults, and build secrets that Dockerfiles ask for."""
    from rewriters._bake_rewrite import rewrite as work
    from rewriters._unsplit import unsplit

    return unsplit(request, work)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the builds are given, read by a reader of its own."""
    from rewriters._bake_effective import effective as work

    return work(files, lookup)
