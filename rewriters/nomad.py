"""Nomad: job files in HCL. They are reported with the change to make, and never rewritten.
https://developer.hashicorp.com/nomad/docs/job-specification/template

Nomad reads secrets from its own variables, or from Vault; it knows no Azure Key Vault. A copy of the secret in one of
them is another place that has to be kept up to date, so a person decides on it.

`effective` tells what the arguments come to, as they are written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "nomad"

_ENDS = (".nomad", ".nomad.hcl")
_JOB = re.compile(rb'(?m)^[ \t]*job[ \t]+"[^"\n]*"[ \t]*\{')
_TASK = re.compile(rb"(?m)^[ \t]*(?:group|task|datacenters|type)\b")


def claims(path: str, head: bytes) -> bool:
    """By the name, or HCL that begins with a job."""
    lower = path.lower()
    if b"\0" in head:
        return False
    if lower.endswith(_ENDS):
        return True
    return lower.endswith(".hcl") and _JOB.search(head) is not None and _TASK.search(head) is not None


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text of the job but labels and keys. Raises `Unreadable`."""
    from rewriters._nomad_read import slots as work

    return work(path, data)


def rewrite(request: Request) -> Rewrite:
    """Refuses everything, with the change that a person may make."""
    from rewriters._api import Refusal, Rewrite
    from rewriters._nomad_read import answer

    refusals = (
        Refusal(item.slot.path, item.slot.pointer, *answer(item.slot, item.reference)) for item in request.assignments
    )
    return Rewrite(refusals=tuple(refusals))


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the job's arguments come to, read by a reader of its own."""
    from rewriters._nomad_read import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])})
