"""The objects of akv2k8s (`spv.no/v2beta1`), which fill the keys of Secrets, and the variables that its injector fills.

Source: SparebankenVest/azure-key-vault-to-kubernetes, `pkg/k8s/apis/azurekeyvault`, `secret.go` and `secret_handler.go`
of its controller (a Secret that is `Opaque` may be filled by several objects and keeps its other keys; the labels and
annotations of the object become the Secret's; no object names a cloud), `environment.go` of its injector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rewriters._api import Reference
from rewriters._k8s_data import Moves
from rewriters._k8s_objects import Manifest, Object
from rewriters._k8s_text import Tree
from rewriters._k8s_vault import AKV, Unfit, same_namespace

__all__ = ["AKV", "INJECTED", "KIND", "check_type", "injects", "metadata", "named", "spec", "version"]

KIND = "AzureKeyVaultSecret"
INJECTED = re.compile(
    r"(?P<name>[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,253}[a-zA-Z0-9])?)@azurekeyvault(?:\?[\w.]*)?\Z", re.ASCII
)
"""A variable that the injector fills, from the object of this name."""

_SHAPED = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/ssh-auth": "ssh-privatekey",
}
"""Types of Secrets whose only key the controller fills with the text as it is."""
_OTHERWISE = "choose the target external-secrets for it"


def version(objects: Iterable[Object]) -> str:
    """The version of the objects that are there already, if it is one, else the newest."""
    apis = {thing.api for thing in objects if thing.kind == KIND and thing.api.startswith("spv.no/")}
    return next(iter(apis)) if apis in ({"spv.no/v1"}, {"spv.no/v2alpha1"}) else "spv.no/v2beta1"


def injects(manifests: Iterable[Manifest], namespace: str) -> bool:
    """Whether a variable of this very namespace is filled by the injector already."""
    return any(
        site.form == "env" and site.object.namespace == namespace and INJECTED.match(site.scalar.text) is not None
        for manifest in manifests
        for site in manifest.sites
    )


def spec(reference: Reference, secret: str, key: str, kind: str = "") -> dict[str, Tree]:
    """What fills a key of a Secret, or, without one, what a variable is filled from. Raises `Unfit`."""
    if not reference.vault_url.endswith(".vault.azure.net"):
        raise Unfit("akv2k8s is told a vault's name alone, and only its own setup says in which cloud", _OTHERWISE)
    item: dict[str, Tree] = {"name": reference.name, "type": "secret"}
    if reference.version:
        item["version"] = reference.version
    made: dict[str, Tree] = {"vault": {"name": reference.vault_name, "object": item}}
    if secret:
        made["output"] = {"secret": {"name": secret, "dataKey": key, "type": kind or "Opaque"}}
    return made


def metadata(moves: Moves) -> dict[str, Tree]:
    """The labels and annotations of a Secret, which every object that fills it has to bear."""
    found: dict[str, Tree] = {}
    if moves.labels:
        found["labels"] = moves.labels
    if moves.annotations:
        found["annotations"] = moves.annotations
    return found


def check_type(moves: Moves) -> None:
    """Raises `Unfit` for Secrets that the controller does not make, or makes out of another text."""
    if moves.immutable:
        raise Unfit("akv2k8s makes no immutable Secrets", _OTHERWISE)
    if moves.type in ("", "Opaque"):
        return
    only = _SHAPED.get(moves.type)
    if [entry.key for entry in moves.entries] != [only] or moves.remaining:
        raise Unfit(f"akv2k8s does not make a Secret of type {moves.type} from these keys", _OTHERWISE, moves.siblings)


def named(thing: Object, base: str, key: str, objects: Iterable[Object], made: set[tuple[str, str]]) -> str:
    """A name for the object that fills a key, as the injector takes it too: without dots. `made` are those given."""
    label = re.sub(r"[^a-z0-9-]+", "-", f"{base[:100]}-{key}".lower()).strip("-")[:240].strip("-")
    if "${" in base:  # a parameter of a template
        label = f"{base}-{re.sub('[^a-z0-9-]+', '-', key.lower()).strip('-')}"
    used = {item.name for item in objects if item.kind == KIND and same_namespace(item.namespace, thing.namespace)} | {
        name for namespace, name in made if same_namespace(namespace, thing.namespace)
    }
    name, number = label, 2
    while name in used:
        name, number = f"{label}-{number}", number + 1
    made.add((thing.namespace, name))
    return name
