"""The literals of a container, its variables and arguments, as keys of a Secret that a vault fills."""

from __future__ import annotations

from collections.abc import Sequence

from rewriters import _encode, _k8s_akv
from rewriters._api import Edit, Reference, Span
from rewriters._k8s_literal import delivered_as_is, entry, env_value, injection, variable
from rewriters._k8s_objects import Manifest, Object, Site, follow, text_at
from rewriters._k8s_text import Style, Tree, stops, style_of
from rewriters._k8s_uses import nearest, pods
from rewriters._k8s_vault import AKV, CSI, Entry, Unfit, same_namespace
from rewriters._k8s_work import ESO, Change, Job, Work, check_list
from rewriters._yaml import Alias, Map, Node, Seq

__all__ = ["Workload"]


class Workload:
    """Moves literals of containers, in whole or in part."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def move(self, jobs: Sequence[Job]) -> None:
        thing = jobs[0].site.object
        manifest = self.work.manifests[thing.path]
        style = style_of(manifest.data, thing.root)
        change = Change()
        accepted: list[Job] = []
        name = self.work.free(thing)
        entries: dict[str, Entry] = {}
        extra: dict[int, dict[Reference, str]] = {}
        containers: dict[int, Map | None] = {}
        for job in sorted(jobs, key=lambda job: job.site.form != "env" or job.assignment.part is not None):
            try:
                change.edits.append(self._literal(manifest, job, name, style, extra, change.injected))
            except Unfit as problem:
                self.work.refuse(job.assignment, problem)
                continue
            accepted.append(job)
            reference, where = job.assignment.reference, id(job.site.container)
            # Else a variable of the container holds the secret already.
            if (where, reference) in self.work.whole or reference in extra.get(where, ()):
                made = entry(reference)
                entries[made.key] = made
                containers[where] = job.site.container
        try:
            for where, container in containers.items():
                if container is not None and where in extra:
                    items: list[Tree] = [variable(var, name, ref) for ref, var in extra[where].items()]
                    self.work.insert(change, manifest, container, "env", items, style)
            if entries and self.work.vaults.target == CSI:
                spec = self.work.vaults.class_spec(name, list(entries.values()), "", {})
                self.work.document(change, thing, self.work.vaults.class_api, "SecretProviderClass", name, spec)
                if any(pod.build and pod.containers[0] is item for pod in pods(thing) for item in containers.values()):
                    raise Unfit("the driver makes a Secret only while a pod mounts it, and a build does not", ESO)
                inside = [pod for pod in pods(thing) if any(id(item) in containers for item in pod.containers)]
                for pod in inside:
                    mine = [item for item in pod.containers if id(item) in containers]
                    self.work.mount_pod(change, name, pod, mine[0])
            elif entries:
                self.work.filled(change, thing, name, list(entries.values()))
            if thing.kind == "BuildConfig" and entries:
                change.notes.append(
                    f"the build of {thing.path} writes its variables into the image, as before: what only the build "
                    "needs belongs in source.secrets"
                )
            for label, reference in change.injected.items():
                self.work.akv(change, thing, label, _k8s_akv.spec(reference, "", ""))
        except Unfit as problem:
            for job in accepted:
                self.work.refuse(job.assignment, problem)
            return
        self.work.changes.append(change)

    def _literal(
        self,
        manifest: Manifest,
        job: Job,
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
                self.work.vaults.target == AKV
                and not build
                and _k8s_akv.injects(self.work.manifests.values(), site.object.namespace)
            ):
                label = next((known for known, item in injected.items() if item == reference), "")
                if not label:
                    label = _k8s_akv.named(
                        site.object, name, entry(reference).key, self.work.objects, self.work.akv_names
                    )
                    injected[label] = reference
                return injection(manifest, site, label)
            self.work.whole[id(site.container), reference] = site
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
        moving = {(item.slot.path, item.slot.pointer) for item in self.work.request.assignments if item.part is None}
        for path, other in self.work.kustomizations.merged(site.object, self.work.objects):
            for there in self.work.manifests[other.path].sites:
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
        whole = self.work.whole.get((id(site.container), reference))
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
        if not self.work.filled_keys or not name or text_at(ref, "optional") == "true":
            return None
        same = [
            other
            for other in self.work.objects
            if (other.kind, other.name) == ("Secret", name) and same_namespace(other.namespace, thing.namespace)
        ]
        found = nearest(thing.path, same)
        return self.work.filled_keys.get((id(found), key)) if found else None

    def _variable(
        self, manifest: Manifest, container: Map, reference: Reference, extra: dict[int, dict[Reference, str]]
    ) -> str:
        """The name of a variable of this container that holds the secret; a new one stands before all others."""
        check_list(manifest, container, "env")
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
