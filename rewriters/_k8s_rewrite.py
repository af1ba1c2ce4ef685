"""The edits that put references to a vault into Kubernetes manifests.

A Secret becomes the object that makes it; a literal of a container becomes a key of a Secret so made; a ConfigMap's
value moves there when everything that reads it is known. `_k8s_vault` says what those objects look like.
"""

from __future__ import annotations

from collections.abc import Sequence

from rewriters._api import Assignment, Companion, Edit, Reference, Request, Requirement, Rewrite, Variable
from rewriters._k8s_config import Readers
from rewriters._k8s_data import REPEATED, config_edits
from rewriters._k8s_documents import added
from rewriters._k8s_listing import listed, shared_folder
from rewriters._k8s_literal import webhook
from rewriters._k8s_objects import Object, Site, text_at
from rewriters._k8s_reasons import instead
from rewriters._k8s_secret_generators import SecretGenerators
from rewriters._k8s_secrets import secret
from rewriters._k8s_text import Tree, column, insertion, style_of
from rewriters._k8s_vault import CSI, Entry, Unfit
from rewriters._k8s_work import ESO, Change, Insert, Job, Work
from rewriters._k8s_workload import Workload
from rewriters._openshift_parameters import note, required
from rewriters._openshift_parameters import variable as variable_of
from rewriters._unsplit import unsplit

__all__ = ["rewrite", "unmet"]


def rewrite(request: Request) -> Rewrite:
    """The answer to a request. Never raises for what a file holds: what cannot be done is refused."""
    return unsplit(request, _answer)


def unmet(request: Request) -> dict[Requirement, Unfit]:
    """Which keys of generated Secrets cannot be had from an operator, and why not."""
    generators = SecretGenerators(Work(request))
    generators.move(())
    return generators.unmet


def _answer(request: Request) -> Rewrite:
    generated = any(need.kind == "generated-key" for need in request.requirements)
    return _Rewriting(request).answer() if request.assignments or generated else Rewrite()


class _Rewriting:
    def __init__(self, request: Request) -> None:
        self.work = Work(request)
        self.workload = Workload(self.work)
        self.generators = SecretGenerators(self.work)

    def answer(self) -> Rewrite:
        groups: dict[tuple[int, str], list[Job]] = {}
        generated: list[Job] = []
        for assignment in self.work.request.assignments:
            try:
                site = self._site(assignment)
            except Unfit as problem:
                self.work.refuse(assignment, problem)
                continue
            form = {"data": "secret", "stringData": "secret", "env": "pod", "arg": "pod"}.get(site.form, site.form)
            groups.setdefault((id(site.object), form), []).append(Job(assignment, site))
        # Secrets first: what fills their keys is what variables of containers hold.
        for (_, form), jobs in sorted(groups.items(), key=lambda group: group[0][1] != "secret"):
            one = {"config": self._config, "webhook": self._webhooks}.get(form)
            try:
                if form == "parameter":
                    self._parameters(jobs)
                elif form == "generator":
                    generated += jobs
                elif form == "secret":
                    self.work.changes.append(secret(self.work, jobs))
                elif one is None:
                    self.workload.move(jobs)
                else:
                    self.work.changes.append(one(jobs))
            except Unfit as problem:
                for job in jobs:
                    self.work.refuse(job.assignment, problem)
        self.generators.move(generated)
        return self._emit()

    def _site(self, assignment: Assignment) -> Site:
        slot = assignment.slot
        manifest, site = self.work.manifests.get(slot.path), self.work.sites.get((slot.path, slot.pointer))
        if manifest is None or site is None or site.slot.span != slot.span:
            raise Unfit("the file does not hold this place any more", "scan again")
        if not site.slot.targets:
            raise Unfit(site.slot.reason, instead(site.slot.reason, site.slot.place))
        if manifest.repeated:
            raise Unfit(*REPEATED)
        if site.object.templated and assignment.part is None and "${" in site.scalar.text:
            raise Unfit("the text takes in a parameter of the template", "move the parameter's value")
        self.work.check_names(slot.path)
        if any(alias.target is site.scalar for alias, _ in manifest.aliases):
            raise Unfit("the value has an anchor and is used in other places", "write the value out in each place")
        if any(
            thing is not site.object and alias.target.start <= slot.span.start and slot.span.end <= alias.target.end
            for alias, thing in manifest.aliases
        ):
            raise Unfit("another object shares this text through an alias", "write the text out in each object")
        return site

    # --- OpenShift ---------------------------------------------------------------------------------------------------

    def _webhooks(self, jobs: Sequence[Job]) -> Change:
        """Each secret of a build's triggers becomes a Secret of its own, with the one key that OpenShift reads."""
        thing = jobs[0].site.object
        manifest = self.work.manifests[thing.path]
        style = style_of(manifest.data, thing.root)
        change = Change()
        if self.work.vaults.target == CSI:
            raise Unfit("the driver makes a Secret only while a pod mounts it, and a trigger does not", ESO)
        names: dict[Reference, str] = {}
        for job in jobs:
            reference = job.assignment.reference
            if reference not in names:
                names[reference] = self.work.free(thing, f"-webhook{f'-{len(names) + 1}' if names else ''}")
                self.work.filled(change, thing, names[reference], [Entry("WebHookSecretKey", reference)])
            change.edits.append(webhook(manifest, job.site, names[reference], style))
        return change

    def _parameters(self, jobs: Sequence[Job]) -> None:
        """Values of parameters are given when the template is processed."""
        change = Change()
        change.reads = False
        names: list[str] = []
        for job in jobs:
            reference = job.assignment.reference
            try:
                edits = required(self.work.manifests[job.site.slot.path], job.site)
                given = variable_of(job.site, reference, self.work.request.files, self.work.variables)
            except Unfit as problem:
                self.work.refuse(job.assignment, problem)
                continue
            change.edits += edits
            names.append(given.name)
            self.work.variables[given.folder, given.name] = reference
        if names:
            change.notes.append(note(jobs[0].site.slot.path, names))
            self.work.changes.append(change)

    # --- ConfigMaps --------------------------------------------------------------------------------------------------

    def _config(self, jobs: Sequence[Job]) -> Change:
        thing = jobs[0].site.object
        manifest = self.work.manifests[thing.path]
        self.work.check_untouched(thing)
        readers = Readers(self.work.manifests, thing)
        keys = {job.site.slot.key: job.assignment.reference for job in jobs}
        name = self.work.free(thing)
        change = Change()
        if text_at(thing.root, "immutable") == "true":
            raise Unfit("the ConfigMap is immutable, so no key can be taken out of it", "give it a new name first")
        entries = [Entry(key, reference) for key, reference in keys.items()]
        change.edits = config_edits(manifest, thing, {id(job.site.scalar) for job in jobs})
        change.edits += readers.switched(name, set(keys))
        if self.work.vaults.target == CSI:
            spec = self.work.vaults.class_spec(name, entries, "", {})
            self.work.document(change, thing, self.work.vaults.class_api, "SecretProviderClass", name, spec)
            self.work.mount(change, name, readers.uses)
        else:
            self.work.filled(change, thing, name, entries)
        return change

    # --- the answer --------------------------------------------------------------------------------------------------

    def _emit(self) -> Rewrite:
        edits: dict[Edit, None] = {}
        inserts: dict[tuple[str, int, str], Insert] = {}
        documents: dict[str, list[tuple[Object, Tree]]] = {}
        notes: dict[str, None] = {}
        companions: list[tuple[Companion, list[str]]] = []
        for change in self.work.changes:
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
            data = self.work.manifests[path].data
            edits.update(dict.fromkeys(insertion(path, data, item.owner, key, item.items, item.style)))
        for path, made in documents.items():
            for found in added(self.work.manifests[path], made, self.work.taken, self._apart((path,))):
                if isinstance(found, Edit):
                    edits[found] = None
                else:
                    companions.append((found, [path]))
        if any(change.reads for change in self.work.changes):
            stores, said = self.work.vaults.companions(self.work.kustomizations.grouped, self._folder_for)
            companions += stores
            notes.update(dict.fromkeys((*said, *self.work.vaults.operators())))
        listings, told = listed(self.work.kustomizations, companions, {edit.path for edit in edits})
        edits.update(dict.fromkeys(listings))
        notes.update(dict.fromkeys(told))
        ordered = sorted(edits, key=lambda edit: (edit.path, edit.span))
        files = tuple(companion for companion, _ in companions)
        given = tuple(Variable(folder, name, reference) for (folder, name), reference in self.work.variables.items())
        return Rewrite(
            tuple(ordered),
            files,
            tuple(self.work.refusals),
            provides=tuple(self.generators.provided),
            variables=given,
            notes=tuple(notes),
        )

    def _apart(self, paths: Sequence[str]) -> str:
        """The chosen folder for what these files need, with a slash at its end; empty where a kustomization applies
        them, since it lists no file from outside of its folder."""
        folder = self.work.request.settings.companions.strip("/")
        return f"{folder}/" if folder and not self.work.kustomizations.applying(paths) else ""

    def _folder_for(self, paths: Sequence[str]) -> str:
        return self._apart(paths) or shared_folder(self.work.kustomizations, paths)

    def _depth(self, where: tuple[str, int, str], item: Insert) -> int:
        return column(self.work.manifests[where[0]].data, item.owner.pairs[0][0].start)
