"""OpenShift templates: their parameters, and the objects that they make.
https://docs.openshift.com/container-platform/latest/openshift_images/using-templates.html

A template's objects are those of Kubernetes and share its parts (see `kubernetes`), as do the kinds that only OpenShift
has: DeploymentConfig, BuildConfig and Route, in templates and outside of them. `_openshift_parameters` moves the values
of parameters, `_openshift_process` makes objects of a template as `oc process` does.
"""

from __future__ import annotations

from dataclasses import replace

from rewriters import _k8s_rewrite
from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot
from rewriters._k8s_claims import platform_of
from rewriters._k8s_read import read

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "openshift"


def claims(path: str, head: bytes) -> bool:
    """Whether this is a template: `template.openshift.io`, or of kind Template in the API's first version."""
    return platform_of(path, head) == NAME


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every place of the file that can hold a value. Raises `Unreadable`."""
    return tuple(site.slot for site in read(path, data, NAME).sites)


def rewrite(request: Request) -> Rewrite:
    """The edits that put the references there, and what whoever processes the template has to give it."""
    return _k8s_rewrite.rewrite(replace(request, requirements=()))  # those are of kustomizations


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the objects of these templates hand over once they are made. Raises what `lookup` raises."""
    from rewriters import _k8s_effective

    return _k8s_effective.effective(files, lookup, NAME)
