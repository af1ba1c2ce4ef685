"""Kubernetes manifests: Secrets, container environments and arguments, ConfigMaps.
https://kubernetes.io/docs/reference/kubernetes-api/, https://external-secrets.io, https://secrets-store-csi-driver.sigs.k8s.io

The parts: `_k8s_claims` says which files are manifests; `_k8s_read` reads one, `_k8s_places` and `_k8s_generators` name
its places, `_k8s_reasons` says why one takes no reference; `_k8s_uses` finds who reads a Secret or ConfigMap;
`_k8s_vault` and `_k8s_akv` make the objects that reach a vault, `_k8s_text` and `_k8s_documents` write them;
`_k8s_rewrite` makes the edits out of what `_k8s_work` gathers, with `_k8s_secrets` and `_k8s_data` for Secrets,
`_k8s_workload` and `_k8s_literal` for variables, `_k8s_config` for a ConfigMap's readers and `_k8s_secret_generators`
with `_k8s_generated` for those of kustomizations; `_k8s_kustomize` says what kustomizations do with a file,
`_k8s_listing` lists new files there; `_k8s_effective` says what the objects of a `_k8s_cluster` hand over, from the
trees of `_k8s_tree`. OpenShift's templates hold the same objects and share all of it (`openshift`).
"""

from __future__ import annotations

from rewriters import _k8s_rewrite
from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot
from rewriters._k8s_claims import platform_of
from rewriters._k8s_read import read

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "kubernetes"


def claims(path: str, head: bytes) -> bool:
    """Whether this is a manifest for an API server, and no template of OpenShift."""
    return platform_of(path, head) == NAME


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every place of the file that can hold a value. Raises `Unreadable`."""
    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """The edits that put the references there, the stores that they need, and what is refused."""
    return _k8s_rewrite.rewrite(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the containers of these manifests are handed. Raises what `lookup` raises."""
    from rewriters import _k8s_effective

    return _k8s_effective.effective(files, lookup, NAME)
