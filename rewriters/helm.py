"""Helm: values files, templates of charts, helmfiles.
https://helm.sh/docs/chart_template_guide/values_files/, https://helmfile.readthedocs.io, https://github.com/helmfile/vals

The parts: `_helm_files` says which files these are; `_helm_mask` makes text with actions readable; `_helm_read` names
the places of values files and helmfiles, `_helm_objects` those of templates; `_helm_project` says who reads a file;
`_helm_rewrite` makes the edits, with the references of `_helm_vals`, the Secrets of `_helm_existing` and
`_helm_literals`; `_helm_effective` says what Helm gets.
"""

from __future__ import annotations

from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot
from rewriters._helm_files import NAME, claims, role

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every place of the file that can hold a value. Raises `Unreadable`."""
    if role(path, data[:4096]) == "template":
        from rewriters._helm_objects import objects

        return objects(path, data).slots
    from rewriters._helm_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """The references, the objects that they need, and what is refused."""
    from rewriters._helm_rewrite import rewrite as work

    return work(request) if request.assignments else Rewrite()


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What Helm gives the templates of the charts. Raises `Unreadable`, and what `lookup` raises."""
    from rewriters._helm_effective import effective as work

    return work(files, lookup)
