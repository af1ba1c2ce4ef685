"""What the parts of one rewrite of manifests share: the files as read, the names given so far, and the objects made.

`_k8s_vault` says what these objects look like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rewriters import _k8s_akv
from rewriters._api import Assignment, Companion, Edit, Reference, Refusal, Request, Unreadable
from rewriters._k8s_claims import platform_of
from rewriters._k8s_data import REPEATED, UNUSUAL
from rewriters._k8s_documents import is_patch
from rewriters._k8s_kustomize import Kustomizations
from rewriters._k8s_objects import Manifest, Object, Site, text_at
from rewriters._k8s_read import read
from rewriters._k8s_text import Style, Tree, insertion, style_of, written_simply
from rewriters._k8s_uses import Pod, Use, uses
from rewriters._k8s_vault import AKV, Entry, Unfit, Vaults, same_namespace
from rewriters._yaml import Map, Scalar

__all__ = ["ESO", "Change", "Insert", "Job", "Work", "check_list"]

ESO = "choose the target external-secrets"


class Insert(NamedTuple):
    owner: Map
    key: str
    items: list[Tree]
    style: Style


class Job(NamedTuple):
    assignment: Assignment
    site: Site


class Change:
    """What one group of assignments comes to, before it is certain that all of it can be done."""

    def __init__(self) -> None:
        self.edits: list[Edit] = []
        self.inserts: list[tuple[str, Insert]] = []
        self.documents: list[tuple[Object, Tree]] = []
        self.notes: list[str] = []
        self.injected: dict[str, Reference] = {}
        self.files: list[tuple[Companion, list[str]]] = []
        self.reads = True


class Work:
    """One request, and what has become of it so far."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.manifests: dict[str, Manifest] = {}
        for path, data in request.files.items():
            platform = platform_of(path, data[:4096])
            if platform:
                try:
                    self.manifests[path] = read(path, data, platform)
                except Unreadable:
                    continue  # named by whoever asked for its slots
        self.objects = [thing for manifest in self.manifests.values() for thing in manifest.objects]
        self.sites = {
            (path, site.slot.pointer): site for path, manifest in self.manifests.items() for site in manifest.sites
        }
        self.vaults = Vaults(self.manifests.values(), request.settings)
        self.kustomizations = Kustomizations(request.files)
        self.changes: list[Change] = []
        self.refusals: list[Refusal] = []
        self.whole: dict[tuple[int, Reference], Site] = {}
        self.filled_keys: dict[tuple[int, str], Reference] = {}
        self.names: dict[tuple[str, str], tuple[str, str]] = {}
        self.akv_names: set[tuple[str, str]] = set()
        self.variables: dict[tuple[str, str], Reference] = {}
        self.taken = set(request.files)

    def refuse(self, assignment: Assignment, problem: Unfit) -> None:
        slot = assignment.slot
        self.refusals.append(Refusal(slot.path, slot.pointer, problem.reason, problem.alternative, problem.needs))

    def check_names(self, path: str) -> None:
        """Raises `Unfit` when a kustomization changes the names of a file's objects."""
        renaming = self.kustomizations.renaming(path)
        if renaming:
            raise Unfit(
                f"{renaming.field} of {renaming.path} changes the names of Secrets where they are used, and would not "
                "change the name that an ExternalSecret or SecretProviderClass gives its Secret",
                f"write the full names out and take {renaming.field} out of {renaming.path}, then plan again",
            )

    def check_untouched(self, thing: Object) -> None:
        """Raises `Unfit` when a kustomization changes this Secret or ConfigMap, or reads it."""
        touch = self.kustomizations.touching(thing, self.objects)
        if touch is None:
            return
        how = f"patches this {thing.kind}" if touch.field.startswith("patches") else f"names this {thing.kind}"
        why = "that would not find an object of another kind"
        if thing.kind == "ConfigMap":
            why = "what that sets would not reach the Secret that the value moves to"
        raise Unfit(
            f"{touch.path} {how} ({touch.field}), and {why}",
            f"write the {thing.kind} out in full where it is used, without {touch.field}, then plan again",
        )

    def readers(self, thing: Object) -> list[Use]:
        """The pods that use a Secret and can so have the driver make it. Raises `Unfit`."""
        found = uses(self.objects, "Secret", thing.name, thing.namespace)
        if any(use.pod.build for use in found):
            raise Unfit("the driver makes a Secret only while a pod mounts it, and a build does not", ESO)
        if any(use.how == "pull" for use in found):
            raise Unfit(
                "the driver makes a Secret while a pod starts, which is too late for pulling its image",
                ESO,
            )
        if not found:
            raise Unfit(
                "the driver makes a Secret only while a pod mounts it, and no pod here uses this one",
                ESO,
            )
        return found

    def external(
        self,
        change: Change,
        thing: Object,
        name: str,
        secret: str,
        entries: Sequence[Entry],
        policy: str,
        shape: Mapping[str, Tree] | None = None,
    ) -> None:
        """A further document that makes a Secret, in the file of the object that needs it."""
        spec = self.vaults.external_spec(thing, secret, entries, policy, shape or {})
        spec["data"] = self.vaults.external_data(entries)
        self.document(change, thing, self.vaults.api, "ExternalSecret", name, spec)

    def filled(self, change: Change, thing: Object, name: str, entries: Sequence[Entry]) -> None:
        """A further Secret of this name, made by the operator of the target."""
        if self.vaults.target != AKV:
            self.external(change, thing, name, name, entries, "Owner")
            return
        for item in entries:
            spec = _k8s_akv.spec(item.reference, name, item.key)
            self.akv(change, thing, _k8s_akv.named(thing, name, item.key, self.objects, self.akv_names), spec)

    def akv(self, change: Change, thing: Object, name: str, spec: dict[str, Tree]) -> None:
        self.document(change, thing, _k8s_akv.version(self.objects), _k8s_akv.KIND, name, spec)

    @staticmethod
    def document(
        change: Change,
        thing: Object,
        api: str,
        kind: str,
        name: str,
        spec: dict[str, Tree],
        more: Mapping[str, Tree] | None = None,
    ) -> None:
        metadata: dict[str, Tree] = {"name": name}
        namespace = text_at(thing.root, "metadata", "namespace") if thing.templated else thing.namespace
        if namespace and (not thing.templated or "${" in namespace):
            metadata["namespace"] = namespace
        metadata |= more or {}
        change.documents.append((thing, {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}))

    def free(self, thing: Object, what: str = "") -> str:
        """A name for the Secret beside an object: its own and `-keyvault`, numbered if that is taken.

        A patch's bears the folder too: it is applied together with that of the object that it patches.
        """
        folder = f"-{thing.path.rpartition('/')[0].rpartition('/')[2] or 'patch'}" if is_patch(thing) else ""
        label = f"{thing.name or thing.kind}{folder}"
        if thing.templated and "${" in label:
            base = label
        else:
            base = re.sub(r"[^a-z0-9.-]", "-", label.lower()).strip("-.")[:230] or "workload"
        base += what
        owner = (thing.kind, thing.name)
        kinds = ("Secret", "ExternalSecret", "SecretProviderClass", "ConfigMap")
        taken = {
            text
            for item in self.objects
            if same_namespace(item.namespace, thing.namespace)
            for text in (
                item.name if item.kind in kinds else "",
                text_at(item.root, "spec", "output", "secret", "name"),
            )
        }
        number = 1
        while True:
            name = f"{base}-keyvault" + (f"-{number}" if number > 1 else "")
            if name not in taken and self.names.setdefault((thing.namespace, name), owner) == owner:
                return name
            number += 1

    def insert(self, change: Change, manifest: Manifest, owner: Map, key: str, items: list[Tree], style: Style) -> None:
        check_list(manifest, owner, key)
        change.inserts.append((manifest.path, Insert(owner, key, items, style)))

    def mount(self, change: Change, name: str, users: Iterable[Use]) -> None:
        seen: set[int] = set()
        for use in users:
            if id(use.pod.spec) not in seen:
                seen.add(id(use.pod.spec))
                self.mount_pod(change, name, use.pod, use.container or use.pod.containers[0])

    def mount_pod(self, change: Change, name: str, pod: Pod, container: Map) -> None:
        """The volume without which the driver makes no Secret, and the mount without which the volume is left out."""
        if self.manifests[pod.object.path].repeated:
            raise Unfit(*REPEATED)
        manifest = self.manifests[pod.object.path]
        style = style_of(manifest.data, pod.object.root)
        source = {"volumeAttributes": {"secretProviderClass": name}}
        attributes: Tree = {"driver": "secrets-store.csi.k8s.io", "readOnly": True, **source}
        label = "keyvault" if "${" in name else name[:63].rstrip("-.").replace(".", "-")
        self.insert(change, manifest, pod.spec, "volumes", [{"name": label, "csi": attributes}], style)
        mount: Tree = {"name": label, "mountPath": f"/mnt/secrets-store/{label}", "readOnly": True}
        self.insert(change, manifest, container, "volumeMounts", [mount], style)


def check_list(manifest: Manifest, owner: Map, key: str) -> None:
    """Raises `Unfit` when nothing can be added to the list under this key, or no such list made."""
    if not written_simply(manifest.data, owner):
        raise Unfit(*UNUSUAL)
    own = [name.text for name, _ in owner.pairs if isinstance(name, Scalar)]
    if not own or (key not in own and key in owner.entries()):
        raise Unfit(f"the list {key} comes from a merge", "write the list out in its place")
    if not insertion(manifest.path, manifest.data, owner, key, [{"name": ""}], Style()):
        raise Unfit(f"no text can be added to the list {key} here", "write the list in block style")
