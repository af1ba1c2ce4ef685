"""Dockerfiles: credentials in ENV, ARG, RUN, CMD and their kind.
https://docs.docker.com/reference/dockerfile/ (RUN --mount=type=secret, ENV, ARG), https://docs.docker.com/build/building/secrets/

What is needed only while building becomes a secret mount, `RUN --mount=type=secret,id=ID,env=NAME,required=true`: the
value is then in no layer and in no history. What containers need while running is taken out of the image, and whoever
runs it has to provide the variable: such a rewrite asks for it with a `Requirement`, and the image itself hands over
nothing of that name any more. An ENV of a stage from which no container is started counts as build-only.

`effective` tells, for each stage that containers are started from, the environment and the commands of the image, and
for each RUN its command with the known variables put in. Quotes and backslashes are left out of these texts, so that
the literal `u:pw` and the reference `u:"${PW}"` to it compare equal. A build secret is known where a fetch script of
the Dockerfile's folder sets the variable that the note of the rewrite names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "dockerfile"

_FILE = re.compile(
    r"(?:^|/)(?:(?:dockerfile|containerfile)(?:[._-][^/]+)?|[^/]+\.(?:dockerfile|containerfile))$", re.IGNORECASE
)
_OTHER = re.compile(
    r"\.(?:dockerignore|containerignore|md|rst|txt|json|ya?ml|toml|xml|html?|css|py|sh|ps1|go|js|ts|rb|rs|java|cs|lock|bak~)$"
    r"|~$",
    re.IGNORECASE,
)


def claims(path: str, head: bytes) -> bool:
    """By the names that builders and editors take for a Dockerfile; not files that merely speak of one."""
    return _FILE.search(path) is not None and _OTHER.search(path) is None and b"\0" not in head


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Values of ENV, ARG and LABEL, commands and the named words in them, here-documents, copied URLs."""
    from rewriters._dockerfile_places import places

    return tuple(place.slot for place in places(path, data)[1])


def rewrite(request: Request) -> Rewrite:
    """Secret mounts, removed variables, and what the deployment has to provide instead."""
    from rewriters._dockerfile_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What images and builds of these files are handed. There is no second reader of the format in Python: the lines
    are read as in `slots`, the evaluation is its own."""
    from rewriters._dockerfile_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, files, lookup)
