"""Development containers: `devcontainer.json`, JSON with comments.
https://containers.dev/implementors/json_reference/ ; variables: the same page, "Variables in devcontainer.json".

The tool that starts the container puts variables of its own environment in for `${localEnv:NAME}`: that is what a value
becomes, and the fetch script sets the variable. Build arguments and options of features stay in the image's history,
and commands are read by a shell after the variable was put in: those are refused.

`effective` tells each variable of the container and of the processes in it, and the arguments it is run with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "devcontainer"

_NAME = re.compile(r"(?:^|/)\.?devcontainer\.json\Z")


def claims(path: str, head: bytes) -> bool:
    """By the name alone, which is fixed."""
    return _NAME.search(path) is not None and b"\0" not in head


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text of the file but names. Raises `Unreadable`."""
    from rewriters._devcontainer_read import read

    return tuple(site.slot for site in read(path, data))


def rewrite(request: Request) -> Rewrite:
    """Variables of the environment that starts the container, and refusals for what a build or a shell reads."""
    from rewriters._devcontainer_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the container is given, read with `json`."""
    from rewriters._devcontainer_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, files, lookup)
