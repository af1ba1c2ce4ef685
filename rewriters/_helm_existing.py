"""Values given through an existing Secret: its name in the values file, and the ExternalSecret that makes it.

Only where the chart's templates prove (`_helm_chart`) that the Secret takes the place of the values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rewriters._aci_edit import Editor, quoted
from rewriters._api import Assignment, Companion, Edit, Request, Span, Unreadable
from rewriters._compose_project import folder_of
from rewriters._helm_chart import Binding, Chart, Lookup, chart
from rewriters._helm_project import Project
from rewriters._helm_read import Site, Source, is_typed
from rewriters._helm_schema import admits
from rewriters._k8s_claims import claims
from rewriters._k8s_objects import Manifest, Object
from rewriters._k8s_read import read
from rewriters._k8s_text import Style, Tree, block
from rewriters._k8s_vault import ESO, Entry, Unfit, Vaults
from rewriters._yaml import Document, Map, Node, Scalar, Seq, documents, stops

__all__ = ["Existing", "Job", "Values"]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """An assignment whose value moves into an existing Secret."""

    assignment: Assignment
    source: Source
    site: Site
    binding: Binding
    folder: str


class Values:
    """The values files of charts, as texts by their paths, and what the charts' templates prove with them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._charts: dict[str, Chart | None] = {}
        self._roots: dict[str, Map | None] = {}
        self._bindings: dict[tuple[str, str], list[Binding]] = {}

    def folders(self, path: str) -> list[str]:
        """The charts that a values file is for: the one it lies in, and local ones that helmfiles give it to."""
        found = [folder for folder in [self.project.chart_of(path)] if folder is not None]
        for release in self.project.releases:
            if any(naming.pattern.fullmatch(path) for naming in release.values):
                folder = self.project.chart_folder(release)
                found += [folder] if folder is not None else []
        return list(dict.fromkeys(found))

    def namespace(self, path: str) -> str:
        """The one namespace of the releases that a values file is for."""
        found = {
            release.namespace
            for release in self.project.releases
            if any(naming.pattern.fullmatch(path) for naming in release.values)
        }
        return found.pop() if len(found) == 1 else ""

    def overlays(self, folder: str, path: str) -> list[str]:
        """The other values files of a chart, among the given ones."""
        return [
            other
            for other, what in self.project.roles.items()
            if what == "values" and other != path and folder in self.folders(other)
        ]

    def root(self, path: str) -> Map | None:
        """The map of a values file that is one document."""
        if path not in self._roots:
            data = self.project.files.get(path)
            try:
                roots = [document.root for document in documents(data)] if data is not None else []
            except Unreadable:
                roots = []
            self._roots[path] = roots[0] if len(roots) == 1 and isinstance(roots[0], Map) else None
        return self._roots[path]

    def chart(self, folder: str) -> Chart | None:
        if folder not in self._charts:
            self._charts[folder] = chart(folder, self.project.files)
        return self._charts[folder]

    def default(self, folder: str) -> str:
        return f"{folder}/values.yaml" if folder else "values.yaml"

    def lookup(self, folder: str, path: str) -> Lookup:
        """The values of a chart with a values file laid over its own."""
        roots = [root for root in (self.root(path), self.root(self.default(folder))) if root is not None]

        def find(wanted: str) -> str | None:
            for root in roots:
                node = node_at(root, wanted)
                if node is not None:
                    return _text(node)
            return ""

        return find

    def bindings(self, folder: str, path: str) -> list[Binding]:
        """What is proven of a chart with this values file."""
        key = (folder, path)
        if key not in self._bindings:
            found = self.chart(folder)
            self._bindings[key] = found.bindings(self.lookup(folder, path)) if found is not None else []
        return self._bindings[key]


def node_at(root: Map, path: str) -> Node | None:
    node: Node | None = root
    for step in path.split("."):
        node = node.get(step) if isinstance(node, Map) else None
    return node


def _text(node: Node) -> str | None:
    if not isinstance(node, Scalar):
        return None if (node.items if isinstance(node, Seq) else node.pairs if isinstance(node, Map) else True) else ""
    if node.style == "plain" and (is_typed(node) or not node.text):
        return "" if node.text.lower() in ("", "~", "null", "false", "no", "off", "n", "0") else node.text
    return node.text


class Existing:
    """Collects what moves into existing Secrets, and makes the edits and objects."""

    def __init__(self, request: Request, values: Values) -> None:
        self.request = request
        self.values = values
        self.jobs: dict[tuple[str, str, str], list[Job]] = {}
        manifests: list[Manifest] = []
        for path, data in request.files.items():
            if claims(path, data[:4096]):
                try:
                    manifests.append(read(path, data))
                except Unreadable:
                    continue  # named by whoever asked for its slots
        self.vaults = Vaults(manifests, request.settings)
        self.has_operator = any(thing.api.startswith("external-secrets.io/") for thing in self.vaults.objects)
        self.taken = {thing.name for thing in self.vaults.objects}
        self.edits: list[Edit] = []
        self.objects: dict[str, list[Tree]] = {}
        self.notes: dict[str, None] = {}

    def find(self, assignment: Assignment, source: Source, site: Site) -> Job | None:
        """The job for a value that a chart would take from an existing Secret; `None` where that is not proven."""
        path = ".".join(map(str, site.steps))
        folders = self.values.folders(source.path)
        if len(folders) != 1 or any(not isinstance(step, str) or "." in step for step in site.steps):
            return None
        for binding in self.values.bindings(folders[0], source.path):
            if path in binding.keys:
                return Job(assignment, source, site, binding, folders[0])
        return None

    def add(self, job: Job) -> None:
        self.jobs.setdefault((job.source.path, job.folder, job.binding.existing), []).append(job)

    # --- one Secret --------------------------------------------------------------------------------------------------

    def make(self, jobs: Sequence[Job]) -> None:
        """The edits and the object of one Secret. Raises `Unfit`."""
        first = jobs[0]
        source, binding, folder = first.source, first.binding, first.folder
        root = self.values.root(source.path)
        if root is None:
            raise Unfit("the values file is not one document", "write it as one document, then plan again")
        if any(job.assignment.part is not None for job in jobs):
            raise Unfit("the chart reads this value from its Secret as a whole", "move the text as a whole")
        if self.vaults.target != ESO:
            raise Unfit(
                "an existing Secret has to be there when the release is installed, which only External Secrets does "
                "without a pod of its own",
                "choose the target external-secrets",
            )
        if any(source.is_shared(job.site.scalar) for job in jobs):
            raise Unfit("an alias elsewhere in the file stands for this text", "write the text out in each place")
        self._check_whole(jobs, root)
        self._check_others(jobs)
        self._check_schema(jobs)
        name = self._name(source.path, folder, binding)
        thing = _thing(source.path, name, self.values.namespace(source.path))
        entries = [
            Entry(key, job.assignment.reference)
            for job in jobs
            for key in binding.keys[".".join(map(str, job.site.steps))]
        ]
        if len({entry.key for entry in entries}) < len(entries):
            raise Unfit("two values would fill one key of the Secret", "give each a key of its own")
        spec: dict[str, Tree] = self.vaults.external_spec(thing, name, entries, "Owner", {})
        spec["data"] = self.vaults.external_data(entries)
        edits = [*self._named(source, root, binding.existing, name), *(_blank(job) for job in jobs)]
        self.edits += edits
        self.taken.add(name)
        metadata: dict[str, Tree] = {"name": name}
        if thing.namespace:
            metadata["namespace"] = thing.namespace
        made: Tree = {"apiVersion": self.vaults.api, "kind": "ExternalSecret", "metadata": metadata, "spec": spec}
        self.objects.setdefault(source.path, []).append(made)
        self.notes[
            f"the templates of {folder or 'the chart'} read the Secret that {binding.existing} names in place of the "
            "values; values given elsewhere (--set, files that are not here) would not be read any more"
        ] = None

    def _check_whole(self, jobs: Sequence[Job], root: Map) -> None:
        """Raises `Unfit` unless the existing Secret would have all that the chart's own has."""
        binding, source = jobs[0].binding, jobs[0].source
        moving = {".".join(map(str, job.site.steps)) for job in jobs}
        if binding.fixed:
            raise Unfit(
                f"the chart's own Secret also has {', '.join(sorted(set(binding.fixed)))}, which no value alone gives",
                "make an ExternalSecret with all of its keys by hand, and name it in " + binding.existing,
            )
        needs: list[str] = []
        for path in binding.keys:
            if path in moving or (path in binding.optional and not self._value(jobs[0], path)):
                continue
            site = next((site for site in source.sites if ".".join(map(str, site.steps)) == path), None)
            movable = site is not None and site.slot.targets and not site.slot.value.empty()
            needs.append(site.slot.pointer if site is not None and movable else "")
        if "" in needs:
            raise Unfit(
                "the chart's own Secret also has a key of a value that this file does not set to a text",
                "set all of them in this file, or make the Secret by hand and name it in " + binding.existing,
            )
        if needs:
            raise Unfit(
                "the existing Secret takes the place of the whole one that the chart makes",
                "move its other values along",
                tuple(needs),
            )
        there = node_at(root, binding.existing)
        if there is None:
            there = node_at(self.values.root(self.values.default(jobs[0].folder)) or root, binding.existing)
        if there is not None and _text(there):
            raise Unfit(
                f"{binding.existing} names a Secret already, so the chart does not read this value",
                "take the value out of the file, and rotate it",
            )

    def _value(self, job: Job, path: str) -> str | None:
        return self.values.lookup(job.folder, job.source.path)(path)

    def _check_others(self, jobs: Sequence[Job]) -> None:
        """Raises `Unfit` when another values file of the chart sets one of the values, and is not changed along."""
        binding, source, folder = jobs[0].binding, jobs[0].source, jobs[0].folder
        if source.path != self.values.default(folder):
            return
        for other in self.values.overlays(folder, source.path):
            root = self.values.root(other)
            own = {path for path in binding.keys if root is not None and _text(node_at(root, path) or _EMPTY)}
            named = root is not None and _text(node_at(root, binding.existing) or _EMPTY)
            moving = self.jobs.get((other, folder, binding.existing), ())
            if own and not named and own != {".".join(map(str, job.site.steps)) for job in moving}:
                raise Unfit(
                    f"{other} sets another value here, which the chart would not read any more",
                    f"move the values of {other} along",
                )

    def _check_schema(self, jobs: Sequence[Job]) -> None:
        """Raises `Unfit` when the chart's schema would refuse the edited values."""
        folder, binding = jobs[0].folder, jobs[0].binding
        path = f"{folder}/values.schema.json" if folder else "values.schema.json"
        data = self.request.files.get(path)
        if data is None:
            return
        paths = [".".join(map(str, job.site.steps)) for job in jobs]
        if not admits(data, binding.existing, paths):
            raise Unfit(
                f"{path} may refuse an empty text in place of the value, or {binding.existing}",
                "let the schema admit both, then plan again",
            )

    def _name(self, path: str, folder: str, binding: Binding) -> str:
        """A name for the Secret: the chart's, what the values file is for, and `-keyvault`; numbered if it is taken."""
        home = f"{folder}/Chart.yaml" if folder else "Chart.yaml"
        base = _chart_name(self.request.files.get(home, b"")) or folder.rpartition("/")[2] or "release"
        stem = re.sub(r"(?i)(?:\.gotmpl|\.ya?ml)+\Z", "", path.rpartition("/")[2])
        suffix = re.sub(r"(?i)\A(?:values[._-]?)|[._-]?values\Z", "", stem)
        label = re.sub(r"[^a-z0-9-]+", "-", f"{base}-{suffix}".lower()).strip("-")[:200]
        if len({item.existing for item in self.values.bindings(folder, path)}) > 1:
            steps = binding.existing.lower().split(".")
            label += "-" + re.sub(r"[^a-z0-9]+", "-", "-".join(steps[:-1] or steps)).strip("-")
        name, number = f"{label}-keyvault", 2
        while name in self.taken:
            name, number = f"{label}-keyvault-{number}", number + 1
        return name

    def _named(self, source: Source, root: Map, existing: str, name: str) -> list[Edit]:
        """The edit that names the Secret in the values file. Raises `Unfit`."""
        editor = Editor(source.path, source.data)
        *above, last = existing.split(".")
        owner: Node | None = node_at(root, ".".join(above)) if above else root
        pair = next(((k, v) for k, v in _pairs(owner) if isinstance(k, Scalar) and k.text == last), None)
        if pair is not None:
            key, value = pair
            if not isinstance(value, Scalar) or value.anchor or _text(value):
                raise Unfit(f"{existing} is not written as a text of its own", "write it as an empty text")
            if value.style in ("single", "double"):
                editor.edit(value.span, name)
            else:
                editor.fill(key, value, quoted(name))
            return editor.edits
        if isinstance(owner, Map) and owner.pairs and not owner.flow:
            editor.block_lines(owner.pairs[0][0], [f"{last}: {quoted(name)}"])
        elif isinstance(owner, Map) and owner.flow:
            editor.flow_pair(owner, f"{last}: {quoted(name)}")
        elif owner is None and above and node_at(root, above[0]) is None and not root.flow and root.pairs:
            lines = [f"{'  ' * depth}{step}:" for depth, step in enumerate(above)]
            editor.block_lines(root.pairs[0][0], [*lines, f"{'  ' * len(above)}{last}: {quoted(name)}"])
        else:
            raise Unfit(f"the file has no place for {existing}", f"write {existing} with an empty text into the file")
        return editor.edits

    # --- all of them -------------------------------------------------------------------------------------------------

    def _free_path(self, stem: str) -> str:
        place, number = f"{stem}.yaml", 2
        while place in self.request.files:
            place, number = f"{stem}-{number}.yaml", number + 1
        return place

    def companions(self) -> list[Companion]:
        """The objects, one file beside each values file, with the store that they need."""
        made: list[Companion] = []
        stores, said = self.vaults.companions(lambda paths: [[path] for path in dict.fromkeys(paths)], lambda paths: "")
        by_path: dict[str, list[bytes]] = {}
        alone: dict[str, list[bytes]] = {}
        for companion, paths in stores:
            for path in paths:
                # A release does not own what other releases of its namespace need, too: no template for the store.
                home = self.values.project.chart_of(path) or "" if path not in self.objects else ""
                held = by_path.setdefault(path, []) if path in self.objects else alone.setdefault(home, [])
                held.append(companion.content)
        for folder, contents in alone.items():
            place = self._free_path(f"{folder}/secret-store" if folder else "secret-store")
            note = f"apply {place} to the namespace of the release before the release is installed or upgraded"
            made.append(Companion(place, b"---\n".join(dict.fromkeys(contents)), note))
            self.notes[note] = None
        for path, trees in self.objects.items():
            folder = folder_of(path)
            first = trees[0]
            assert isinstance(first, dict)  # noqa: S101 - made above
            stem = f"{folder}/" * bool(folder) + str(first["metadata"]["name"])
            place = self._free_path(stem)
            texts = [each.decode() for each in dict.fromkeys(by_path.get(path, ()))]
            texts += [block(tree, 0, Style()) + "\n" for tree in trees if isinstance(tree, dict)]
            note = f"apply {place} to the namespace of the release before the release is installed or upgraded"
            made.append(Companion(place, "---\n".join(texts).encode(), note))
            self.notes[note] = None
        if self.objects or alone:
            said = [re.sub(r"the store of \S+ reads", "the store reads", text) for text in said]
            self.notes.update(dict.fromkeys((*said, *self.vaults.operators())))
        return made


_EMPTY = Scalar("", Span(0, 0), Span(0, 0), "plain", ("yaml-plain",))


def _blank(job: Job) -> Edit:
    scalar, data = job.site.scalar, job.source.data
    if scalar.style in ("single", "double"):
        return Edit(job.source.path, scalar.span, b"")
    return Edit(job.source.path, Span(scalar.literal.start, stops(data, scalar)), b'""')


def _pairs(node: Node | None) -> Sequence[tuple[Node, Node]]:
    return node.pairs if isinstance(node, Map) else ()


def _thing(path: str, name: str, namespace: str) -> Object:
    root = Map((), 0, 0, False)
    return Object(path, "v1", "Secret", name, namespace, name, root, Document(root, 0, 0))


def _chart_name(data: bytes) -> str:
    match = re.search(rb"^name:[ \t]*[\"']?([A-Za-z0-9-]+)", data, re.MULTILINE)
    return match[1].decode() if match else ""
