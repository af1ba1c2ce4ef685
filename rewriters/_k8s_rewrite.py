"""The edits that put references to a vault into Kubernetes manifests.

A Secret becomes the object that makes it; a literal of a container becomes a key of a Secret so made; a ConfigMap's
value moves there when everything that reads it is known. `_k8s_vault` says what those objects look like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from rewriters import _encode, _k8s_akv
from rewriters._api import Assignment, Companion, Edit, Reference, Refusal, Request, Rewrite, Span, Unreadable, Variable
from rewriters._k8s_claims import platform_of
from rewriters._k8s_config import Readers
from rewriters._k8s_data import REPEATED, UNUSUAL, Moves, config_edits, converted, reduced
from rewriters._k8s_documents import added, apart, is_patch
from rewriters._k8s_generated import Generator, generators, without_generators
from rewriters._k8s_kustomize import Kustomizations
from rewriters._k8s_listing import listed, shared_folder
from rewriters._k8s_literal import delivered_as_is, entry, env_value, injection, variable, webhook
from rewriters._k8s_objects import Manifest, Object, Site, follow, text_at
from rewriters._k8s_read import read
from rewriters._k8s_reasons import instead
from rewriters._k8s_text import Style, Tree, column, insertion, stops, style_of, written_simply
from rewriters._k8s_uses import Pod, Use, nearest, pods, uses
from rewriters._k8s_vault import AKV, CSI, Entry, Unfit, Vaults, same_namespace
from rewriters._openshift_parameters import note, required
from rewriters._openshift_parameters import variable as variable_of
from rewriters._unsplit import unsplit
from rewriters._yaml import Alias, Map, Node, Scalar, Seq

__all__ = ["rewrite"]

_ESO = "choose the target external-secrets"


def rewrite(request: Request) -> Rewrite:
    """The answer to a request. Never raises for what a file holds: what cannot be done is refused."""
    return unsplit(request, lambda each: _Rewriting(each).answer() if each.assignments else Rewrite())


class _Insert(NamedTuple):
    owner: Map
    key: str
    items: list[Tree]
    style: Style


class _Job(NamedTuple):
    assignment: Assignment
    site: Site


class _Change:
    """What one group of assignments comes to, before it is certain that all of it can be done."""

    def __init__(self) -> None:
        self.edits: list[Edit] = []
        self.inserts: list[tuple[str, _Insert]] = []
        self.documents: list[tuple[Object, Tree]] = []
        self.notes: list[str] = []
        self.injected: dict[str, Reference] = {}
        self.files: list[tuple[Companion, list[str]]] = []
        self.reads = True


class _Rewriting:
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
        self.changes: list[_Change] = []
        self.refusals: list[Refusal] = []
        self.whole: dict[tuple[int, Reference], Site] = {}
        self.filled: dict[tuple[int, str], Reference] = {}
        self.names: dict[tuple[str, str], tuple[str, str]] = {}
        self.akv_names: set[tuple[str, str]] = set()
        self.variables: dict[tuple[str, str], Reference] = {}
        self.taken = set(request.files)

    def answer(self) -> Rewrite:
        groups: dict[tuple[int, str], list[_Job]] = {}
        for assignment in self.request.assignments:
            try:
                site = self._site(assignment)
            except Unfit as problem:
                self._refuse(assignment, problem)
                continue
            form = {"data": "secret", "stringData": "secret", "env": "pod", "arg": "pod"}.get(site.form, site.form)
            groups.setdefault((id(site.object), form), []).append(_Job(assignment, site))
        # Secrets first: what fills their keys is what variables of containers hold.
        for (_, form), jobs in sorted(groups.items(), key=lambda group: group[0][1] != "secret"):
            one = {"secret": self._secret, "config": self._config, "webhook": self._webhooks}.get(form)
            try:
                if form == "parameter":
                    self._parameters(jobs)
                elif form == "generator":
                    self._generators(jobs)
                elif one is None:
                    self._workload(jobs)
                else:
                    self.changes.append(one(jobs))
            except Unfit as problem:
                for job in jobs:
                    self._refuse(job.assignment, problem)
        return self._emit()

    def _site(self, assignment: Assignment) -> Site:
        slot = assignment.slot
        manifest, site = self.manifests.get(slot.path), self.sites.get((slot.path, slot.pointer))
        if manifest is None or site is None or site.slot.span != slot.span:
            raise Unfit("the file does not hold this place any more", "scan again")
        if not site.slot.targets:
            raise Unfit(site.slot.reason, instead(site.slot.reason, site.slot.place))
        if manifest.repeated:
            raise Unfit(*REPEATED)
        if site.object.templated and assignment.part is None and "${" in site.scalar.text:
            raise Unfit("the text takes in a parameter of the template", "move the parameter's value")
        renaming = self.kustomizations.renaming(slot.path)
        if renaming:
            raise Unfit(
                f"{renaming.field} of {renaming.path} changes the names of Secrets where they are used, and would not "
                "change the name that an ExternalSecret or SecretProviderClass gives its Secret",
                f"write the full names out and take {renaming.field} out of {renaming.path}, then plan again",
            )
        if any(alias.target is site.scalar for alias, _ in manifest.aliases):
            raise Unfit("the value has an anchor and is used in other places", "write the value out in each place")
        if any(
            thing is not site.object and alias.target.start <= slot.span.start and slot.span.end <= alias.target.end
            for alias, thing in manifest.aliases
        ):
            raise Unfit("another object shares this text through an alias", "write the text out in each object")
        return site

    def _refuse(self, assignment: Assignment, problem: Unfit) -> None:
        slot = assignment.slot
        self.refusals.append(Refusal(slot.path, slot.pointer, problem.reason, problem.alternative, problem.needs))

    # --- Secrets -----------------------------------------------------------------------------------------------------

    def _secret(self, jobs: Sequence[_Job]) -> _Change:
        thing = jobs[0].site.object
        manifest = self.manifests[thing.path]
        moves = Moves(manifest, thing, {id(job.site.scalar): job.assignment.reference for job in jobs})
        style = style_of(manifest.data, thing.root)
        change = _Change()
        if text_at(thing.root, "metadata", "name").split() != [thing.name]:
            raise Unfit("the Secret has no fixed name", "give it one below metadata, then plan again")
        self._check_untouched(thing)
        if self.vaults.opened_with(thing):
            raise Unfit(
                "the way to the vault is itself opened with this Secret",
                "let it be opened with workload identity, then remove the Secret",
            )
        if self.vaults.target == CSI:
            if moves.remaining:
                raise Unfit(
                    "the driver makes a Secret as a whole, and other keys of this one would stay",
                    "move the other keys along, or choose the target external-secrets",
                    moves.siblings,
                )
            users = self._readers(thing)
            spec = self.vaults.class_spec(thing.name, moves.entries, moves.type, moves.labels)
            change.edits = converted(moves, self.vaults.class_api, "SecretProviderClass", spec, None, style)
            self._mount(change, thing.name, users)
        elif self.vaults.target == AKV:
            self._by_akv(change, thing, moves, style)
        elif moves.remaining:
            if moves.whole_only:
                raise Unfit(
                    "this Secret is valid only with all of its keys", "move the other keys along", moves.siblings
                )
            change.edits = reduced(moves)
            self._external(change, thing, self._free(thing), thing.name, moves.entries, "Merge")
            change.notes.append(
                "a Secret that keeps some keys has to be applied before its ExternalSecret fills the others"
            )
        else:
            spec = self.vaults.external_spec(thing, thing.name, moves.entries, "Owner", moves.shape)
            data = self.vaults.external_data(moves.entries)
            change.edits = converted(moves, self.vaults.api, "ExternalSecret", spec, data, style)
        self.filled.update({(id(thing), item.key): item.reference for item in moves.entries})
        return change

    def _by_akv(self, change: _Change, thing: Object, moves: Moves, style: Style) -> None:
        """One object of akv2k8s for each key, the first in the place of a Secret of which nothing stays."""
        _k8s_akv.check_type(moves)
        made = [(item, _k8s_akv.spec(item.reference, thing.name, item.key, moves.type)) for item in moves.entries]
        api = _k8s_akv.version(self.objects)
        if moves.remaining:
            change.edits = reduced(moves)
            change.notes.append("a Secret that keeps some keys has to be applied before akv2k8s fills the others")
        else:
            change.edits = converted(moves, api, _k8s_akv.KIND, made.pop(0)[1], None, style)
            self.akv_names.add((thing.namespace, thing.name))
        for item, spec in made:
            name = _k8s_akv.named(thing, thing.name, item.key, self.objects, self.akv_names)
            self._document(change, thing, api, _k8s_akv.KIND, name, spec, _k8s_akv.metadata(moves))

    def _check_untouched(self, thing: Object) -> None:
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

    def _readers(self, thing: Object) -> list[Use]:
        """The pods that use a Secret and can so have the driver make it. Raises `Unfit`."""
        found = uses(self.objects, "Secret", thing.name, thing.namespace)
        if any(use.pod.build for use in found):
            raise Unfit("the driver makes a Secret only while a pod mounts it, and a build does not", _ESO)
        if any(use.how == "pull" for use in found):
            raise Unfit(
                "the driver makes a Secret while a pod starts, which is too late for pulling its image",
                _ESO,
            )
        if not found:
            raise Unfit(
                "the driver makes a Secret only while a pod mounts it, and no pod here uses this one",
                _ESO,
            )
        return found

    def _external(
        self,
        change: _Change,
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
        self._document(change, thing, self.vaults.api, "ExternalSecret", name, spec)

    def _filled(self, change: _Change, thing: Object, name: str, entries: Sequence[Entry]) -> None:
        """A further Secret of this name, made by the operator of the target."""
        if self.vaults.target != AKV:
            self._external(change, thing, name, name, entries, "Owner")
            return
        for item in entries:
            spec = _k8s_akv.spec(item.reference, name, item.key)
            self._akv(change, thing, _k8s_akv.named(thing, name, item.key, self.objects, self.akv_names), spec)

    def _akv(self, change: _Change, thing: Object, name: str, spec: dict[str, Tree]) -> None:
        self._document(change, thing, _k8s_akv.version(self.objects), _k8s_akv.KIND, name, spec)

    @staticmethod
    def _document(
        change: _Change,
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

    def _free(self, thing: Object, what: str = "") -> str:
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

    # --- environments and arguments ----------------------------------------------------------------------------------

    def _workload(self, jobs: Sequence[_Job]) -> None:
        thing = jobs[0].site.object
        manifest = self.manifests[thing.path]
        style = style_of(manifest.data, thing.root)
        change = _Change()
        accepted: list[_Job] = []
        name = self._free(thing)
        entries: dict[str, Entry] = {}
        extra: dict[int, dict[Reference, str]] = {}
        containers: dict[int, Map | None] = {}
        for job in sorted(jobs, key=lambda job: job.site.form != "env" or job.assignment.part is not None):
            try:
                change.edits.append(self._literal(manifest, job, name, style, extra, change.injected))
            except Unfit as problem:
                self._refuse(job.assignment, problem)
                continue
            accepted.append(job)
            reference = job.assignment.reference
            # Else a variable of the container holds the secret already.
            if (id(job.site.container), reference) in self.whole or reference in extra.get(id(job.site.container), ()):
                made = entry(reference)
                entries[made.key] = made
                containers[id(job.site.container)] = job.site.container
        try:
            for where, container in containers.items():
                if container is not None and where in extra:
                    items: list[Tree] = [variable(var, name, ref) for ref, var in extra[where].items()]
                    self._insert(change, manifest, container, "env", items, style)
            if entries and self.vaults.target == CSI:
                spec = self.vaults.class_spec(name, list(entries.values()), "", {})
                self._document(change, thing, self.vaults.class_api, "SecretProviderClass", name, spec)
                if any(pod.build and pod.containers[0] is item for pod in pods(thing) for item in containers.values()):
                    raise Unfit("the driver makes a Secret only while a pod mounts it, and a build does not", _ESO)
                inside = [pod for pod in pods(thing) if any(id(item) in containers for item in pod.containers)]
                for pod in inside:
                    mine = [item for item in pod.containers if id(item) in containers]
                    self._mount_pod(change, name, pod, mine[0])
            elif entries:
                self._filled(change, thing, name, list(entries.values()))
            if thing.kind == "BuildConfig" and entries:
                change.notes.append(
                    f"the build of {thing.path} writes its variables into the image, as before: what only the build "
                    "needs belongs in source.secrets"
                )
            for label, reference in change.injected.items():
                self._akv(change, thing, label, _k8s_akv.spec(reference, "", ""))
        except Unfit as problem:
            for job in accepted:
                self._refuse(job.assignment, problem)
            return
        self.changes.append(change)

    def _literal(
        self,
        manifest: Manifest,
        job: _Job,
        name: str,
        style: Style,
        extra: dict[int, dict[Reference, str]],
        injected: dict[str, Reference],
    ) -> Edit:
        """The edit of one literal, or of a part of it; `extra` gathers the variables that it needs besides, `injected`
        what the injector of akv2k8s fills."""
        site, (slot, reference, part) = job.site, (job.site.slot, job.assignment.reference, job.assignment.part)
        raw = manifest.data[slot.span.start : slot.span.end]
        if part is None and "$(" in site.scalar.text.replace("$$", ""):
            raise Unfit("the text refers to other variables", "move only the part of it that is secret")
        if part is None and not delivered_as_is(site):
            raise Unfit("the kubelet hands over another text than stands here ($$ is $)", "double each $ in the text")
        if part is None and site.form == "env" and site.pair:
            self._check_merged(site)
            owner = site.owner
            assert isinstance(owner, Map)  # noqa: S101 - the owner of an env value is its entry
            build = site.object.kind == "BuildConfig"
            if (
                self.vaults.target == AKV
                and not build
                and _k8s_akv.injects(self.manifests.values(), site.object.namespace)
            ):
                label = next((known for known, item in injected.items() if item == reference), "")
                if not label:
                    label = _k8s_akv.named(site.object, name, entry(reference).key, self.objects, self.akv_names)
                    injected[label] = reference
                return injection(manifest, site, label)
            self.whole[id(site.container), reference] = site
            return env_value(manifest, site, owner, name, reference, style)
        span = slot.span
        if part is not None:
            found = _encode.locate(slot.encoding, raw, part)
            if found is None:
                raise Unfit("this part of the value has no text of its own here", "write the value in plain quotes")
            span = Span(slot.span.start + found.start, slot.span.start + found.end)
        elif site.scalar.style in ("literal", "folded"):
            span = Span(slot.literal.start, stops(manifest.data, site.scalar))
        before = manifest.data[slot.span.start : span.start]
        if (len(before) - len(before.rstrip(b"$"))) % 2:
            raise Unfit("a $ stands right before this part and would escape the reference", "double each $ in the text")
        assert site.container is not None  # noqa: S101 - only slots of containers have targets
        variable = self._earlier(site, reference) or self._variable(manifest, site.container, reference, extra)
        return Edit(manifest.path, span, f"$({variable})".encode())

    def _check_merged(self, site: Site) -> None:
        """Raises `Unfit` when a kustomization would give this variable a value besides the reference."""
        moving = {(item.slot.path, item.slot.pointer) for item in self.request.assignments if item.part is None}
        for path, other in self.kustomizations.merged(site.object, self.objects):
            for there in self.manifests[other.path].sites:
                if (
                    (there.object, there.form, there.slot.key) == (other, "env", site.slot.key)
                    and text_at(there.container, "name") == text_at(site.container, "name")
                    and (there.slot.path, there.slot.pointer) not in moving
                ):
                    raise Unfit(
                        f"{path} merges this variable with that of {other.path}, which keeps its value: the API "
                        "refuses a variable with a value and a reference",
                        f"move both along, or take the variable out of {other.path}",
                    )

    def _earlier(self, site: Site, reference: Reference) -> str:
        """The name of a variable that holds this very secret as a whole and is known where the site stands."""
        env = site.container.get("env") if site.container else None
        if not isinstance(env, Seq):
            return ""
        items = [follow(item) for item in env.items]
        names = [text_at(item, "name") for item in items]
        whole = self.whole.get((id(site.container), reference))
        for item, name in zip(items, names, strict=True):
            if item is site.owner:
                break
            becomes = whole is not None and whole.owner is item
            if name and names.count(name) == 1 and (becomes or self._held(site.object, item) == reference):
                return name
        return ""

    def _held(self, thing: Object, item: Node) -> Reference | None:
        """The secret that a variable takes from a key of a Secret of the files which moves."""
        source = item.get("valueFrom") if isinstance(item, Map) else None
        ref = source.get("secretKeyRef") if isinstance(source, Map) else None
        name, key = text_at(ref, "name"), text_at(ref, "key")
        if not self.filled or not name or text_at(ref, "optional") == "true":
            return None
        same = [
            other
            for other in self.objects
            if (other.kind, other.name) == ("Secret", name) and same_namespace(other.namespace, thing.namespace)
        ]
        found = nearest(thing.path, same)
        return self.filled.get((id(found), key)) if found else None

    def _variable(
        self, manifest: Manifest, container: Map, reference: Reference, extra: dict[int, dict[Reference, str]]
    ) -> str:
        """The name of a variable of this container that holds the secret; a new one stands before all others."""
        _check_list(manifest, container, "env")
        mine = extra.setdefault(id(container), {})
        if reference not in mine:
            env = container.get("env")
            items = env.items if isinstance(env, Seq) else ()
            taken = {text_at(item.target if isinstance(item, Alias) else item, "name") for item in items}
            base = reference.variable if not reference.variable[:1].isdigit() else f"_{reference.variable}"
            name, number = base, 2
            while name in taken or name in mine.values() or f"$({name})".encode() in manifest.data:
                name, number = f"{base}_{number}", number + 1
            mine[reference] = name
        return mine[reference]

    def _insert(
        self, change: _Change, manifest: Manifest, owner: Map, key: str, items: list[Tree], style: Style
    ) -> None:
        _check_list(manifest, owner, key)
        change.inserts.append((manifest.path, _Insert(owner, key, items, style)))

    # --- the driver's volumes ----------------------------------------------------------------------------------------

    def _mount(self, change: _Change, name: str, users: Iterable[Use]) -> None:
        seen: set[int] = set()
        for use in users:
            if id(use.pod.spec) not in seen:
                seen.add(id(use.pod.spec))
                self._mount_pod(change, name, use.pod, use.container or use.pod.containers[0])

    def _mount_pod(self, change: _Change, name: str, pod: Pod, container: Map) -> None:
        if self.manifests[pod.object.path].repeated:
            raise Unfit(*REPEATED)
        """The volume without which the driver makes no Secret, and the mount without which the volume is left out."""
        manifest = self.manifests[pod.object.path]
        style = style_of(manifest.data, pod.object.root)
        source = {"volumeAttributes": {"secretProviderClass": name}}
        attributes: Tree = {"driver": "secrets-store.csi.k8s.io", "readOnly": True, **source}
        label = "keyvault" if "${" in name else name[:63].rstrip("-.").replace(".", "-")
        self._insert(change, manifest, pod.spec, "volumes", [{"name": label, "csi": attributes}], style)
        mount: Tree = {"name": label, "mountPath": f"/mnt/secrets-store/{label}", "readOnly": True}
        self._insert(change, manifest, container, "volumeMounts", [mount], style)

    # --- generators of kustomizations --------------------------------------------------------------------------------

    def _generators(self, jobs: Sequence[_Job]) -> None:
        manifest = self.manifests[jobs[0].site.slot.path]
        done: list[tuple[Generator, _Change]] = []
        for each in generators(manifest, [(job.site, job.assignment.reference) for job in jobs]):
            try:
                done.append((each, self._generator(each)))
            except Unfit as problem:
                for job in jobs:
                    if job.site.container is each.entry:
                        self._refuse(job.assignment, problem)
        gone = {id(each.entry) for each, _ in done if each.whole}
        try:
            edits = without_generators(manifest, gone) if gone else []
        except Unfit as problem:
            for job in jobs:
                if id(job.site.container) in gone:
                    self._refuse(job.assignment, problem)
            done = [(each, change) for each, change in done if not each.whole]
            edits = []
        for _, change in done:
            change.edits += edits
            self.changes.append(change)

    def _generator(self, each: Generator) -> _Change:
        """The generator's Secret is made by an operator instead, or what stays of it gets a name that one knows."""
        each.check()
        if self.vaults.target == CSI:
            raise Unfit("what a generator makes has no pod that the driver could be mounted in", _ESO)
        thing, change, path = each.secret, _Change(), each.manifest.path
        self._check_untouched(thing)
        entries, trees = each.entries, list[Tree]()
        name = each.name if each.whole else self._free(thing)
        if self.vaults.target == AKV:
            if each.shape:
                raise Unfit("akv2k8s does not make this Secret: it is immutable, typed or labelled", _ESO)
            for item in entries:
                spec = _k8s_akv.spec(item.reference, each.name, item.key)
                label = _k8s_akv.named(thing, each.name, item.key, self.objects, self.akv_names)
                self._akv(change, thing, label, spec)
        else:
            policy = "Owner" if each.whole else "Merge"
            self._external(change, thing, name, each.name, entries, policy, each.shape if each.whole else {})
        trees = [tree for _, tree in change.documents]
        change.documents = []
        if not each.whole:
            change.edits = each.reduced()
        folder = f"{path.rpartition('/')[0]}/" if "/" in path else ""
        change.files.append((apart(f"{folder}{each.name}-keyvault", trees, self.taken), [path]))
        change.notes += each.notes()
        return change

    # --- OpenShift ---------------------------------------------------------------------------------------------------

    def _webhooks(self, jobs: Sequence[_Job]) -> _Change:
        """Each secret of a build's triggers becomes a Secret of its own, with the one key that OpenShift reads."""
        thing = jobs[0].site.object
        manifest = self.manifests[thing.path]
        style = style_of(manifest.data, thing.root)
        change = _Change()
        if self.vaults.target == CSI:
            raise Unfit("the driver makes a Secret only while a pod mounts it, and a trigger does not", _ESO)
        names: dict[Reference, str] = {}
        for job in jobs:
            reference = job.assignment.reference
            if reference not in names:
                names[reference] = self._free(thing, f"-webhook{f'-{len(names) + 1}' if names else ''}")
                self._filled(change, thing, names[reference], [Entry("WebHookSecretKey", reference)])
            change.edits.append(webhook(manifest, job.site, names[reference], style))
        return change

    def _parameters(self, jobs: Sequence[_Job]) -> None:
        """Values of parameters are given when the template is processed."""
        change = _Change()
        change.reads = False
        names: list[str] = []
        for job in jobs:
            reference = job.assignment.reference
            try:
                edits = required(self.manifests[job.site.slot.path], job.site)
                given = variable_of(job.site, reference, self.request.files, self.variables)
            except Unfit as problem:
                self._refuse(job.assignment, problem)
                continue
            change.edits += edits
            names.append(given.name)
            self.variables[given.folder, given.name] = reference
        if names:
            change.notes.append(note(jobs[0].site.slot.path, names))
            self.changes.append(change)

    # --- ConfigMaps --------------------------------------------------------------------------------------------------

    def _config(self, jobs: Sequence[_Job]) -> _Change:
        thing = jobs[0].site.object
        manifest = self.manifests[thing.path]
        self._check_untouched(thing)
        readers = Readers(self.manifests, thing)
        keys = {job.site.slot.key: job.assignment.reference for job in jobs}
        name = self._free(thing)
        change = _Change()
        if text_at(thing.root, "immutable") == "true":
            raise Unfit("the ConfigMap is immutable, so no key can be taken out of it", "give it a new name first")
        entries = [Entry(key, reference) for key, reference in keys.items()]
        change.edits = config_edits(manifest, thing, {id(job.site.scalar) for job in jobs})
        change.edits += readers.switched(name, set(keys))
        if self.vaults.target == CSI:
            spec = self.vaults.class_spec(name, entries, "", {})
            self._document(change, thing, self.vaults.class_api, "SecretProviderClass", name, spec)
            self._mount(change, name, readers.uses)
        else:
            self._filled(change, thing, name, entries)
        return change

    # --- the answer --------------------------------------------------------------------------------------------------

    def _emit(self) -> Rewrite:
        edits: dict[Edit, None] = {}
        inserts: dict[tuple[str, int, str], _Insert] = {}
        documents: dict[str, list[tuple[Object, Tree]]] = {}
        notes: dict[str, None] = {}
        companions: list[tuple[Companion, list[str]]] = []
        for change in self.changes:
            edits.update(dict.fromkeys(change.edits))
            companions += change.files
            notes.update(dict.fromkeys(change.notes))
            for path, item in change.inserts:
                node = item.owner.get(item.key)
                there = inserts.setdefault((path, id(node) if node else id(item.owner), item.key), item)
                if there is not item:
                    there.items.extend(new for new in item.items if new not in there.items)
            for thing, tree in change.documents:
                documents.setdefault(thing.path, []).append((thing, tree))
        # Lists of a container and of its pod may start at one place: the inner ones come first.
        for (path, _, key), item in sorted(inserts.items(), key=lambda entry: -self._depth(*entry)):
            data = self.manifests[path].data
            edits.update(dict.fromkeys(insertion(path, data, item.owner, key, item.items, item.style)))
        for path, made in documents.items():
            for found in added(self.manifests[path], made, self.taken):
                if isinstance(found, Edit):
                    edits[found] = None
                else:
                    companions.append((found, [path]))
        if any(change.reads for change in self.changes):
            stores, said = self.vaults.companions(
                self.kustomizations.grouped, partial(shared_folder, self.kustomizations)
            )
            companions += stores
            notes.update(dict.fromkeys((*said, *self.vaults.operators())))
        listings, told = listed(self.kustomizations, companions, {edit.path for edit in edits})
        edits.update(dict.fromkeys(listings))
        notes.update(dict.fromkeys(told))
        ordered = sorted(edits, key=lambda edit: (edit.path, edit.span))
        files = tuple(companion for companion, _ in companions)
        given = tuple(Variable(folder, name, reference) for (folder, name), reference in self.variables.items())
        return Rewrite(tuple(ordered), files, tuple(self.refusals), variables=given, notes=tuple(notes))

    def _depth(self, where: tuple[str, int, str], item: _Insert) -> int:
        return column(self.manifests[where[0]].data, item.owner.pairs[0][0].start)


def _check_list(manifest: Manifest, owner: Map, key: str) -> None:
    """Raises `Unfit` when nothing can be added to the list under this key, or no such list made."""
    if not written_simply(manifest.data, owner):
        raise Unfit(*UNUSUAL)
    own = [name.text for name, _ in owner.pairs if isinstance(name, Scalar)]
    if not own or (key not in own and key in owner.entries()):
        raise Unfit(f"the list {key} comes from a merge", "write the list out in its place")
    if not insertion(manifest.path, manifest.data, owner, key, [{"name": ""}], Style()):
        raise Unfit(f"no text can be added to the list {key} here", "write the list in block style")
