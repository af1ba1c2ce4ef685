"""Generators of kustomizations whose Secret is made by an operator instead, in whole or in part.

What moves are literals, and variables of files that another rewriter reads: these come as requirements.
Source: Kustomize reference, `secretGenerator`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rewriters import _k8s_akv
from rewriters._api import Requirement
from rewriters._k8s_data import REPEATED
from rewriters._k8s_documents import apart
from rewriters._k8s_generated import Generator, hashed_name, without_generators
from rewriters._k8s_objects import Manifest, follow, text_at
from rewriters._k8s_text import Tree
from rewriters._k8s_vault import AKV, CSI, Unfit, same_namespace
from rewriters._k8s_work import ESO, Change, Job, Work
from rewriters._yaml import Map, Seq

__all__ = ["SecretGenerators"]

_NOBODY = Unfit(
    "no generator here is known to pack this file", "list it below envs of a secretGenerator, then plan again"
)


class SecretGenerators:
    """The generators out of which something moves. A variable moves out of all that pack its file, or out of none."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.provided: dict[Requirement, None] = {}
        self.unmet: dict[Requirement, Unfit] = {}
        self._jobs: dict[int, list[Job]] = {}
        self._needs: dict[int, list[Requirement]] = {}

    def move(self, jobs: Sequence[Job]) -> None:
        """Gathers the changes and the refusals. `jobs` are of literals that may move."""
        found: dict[int, Generator] = {}
        for job in jobs:
            entry = job.site.container
            assert entry is not None  # noqa: S101 - the reader gives it
            manifest = self.work.manifests[job.site.slot.path]
            each = found.setdefault(id(entry), self._of(manifest, entry))
            each.moved[id(job.site.scalar)] = job.assignment.reference
            self._jobs.setdefault(id(entry), []).append(job)
        self._gather(found)
        order = {path: index for index, path in enumerate(self.work.manifests)}
        open_ = sorted(found.values(), key=lambda each: (order[each.manifest.path], each.entry.start))
        while True:
            fit = [each for each in open_ if self._fits(each)]
            dropped = {need for each in open_ if each not in fit for need in self._needs.get(id(each.entry), ())}
            for each in fit:
                for need in dropped.intersection(self._needs.get(id(each.entry), ())):
                    self._needs[id(each.entry)].remove(need)
                    each.variables.pop(need.name, None)
            again = len(fit) < len(open_) and bool(dropped)
            open_ = [each for each in fit if each.moved or each.variables]
            if not again:
                break
        for each in open_:
            self.provided.update(dict.fromkeys(self._needs.get(id(each.entry), ())))
        self._carry_out(open_)

    def _of(self, manifest: Manifest, entry: Map) -> Generator:
        assert manifest.kustomization is not None  # noqa: S101 - the reader gives literals of kustomizations only
        return Generator(manifest, manifest.kustomization.root, entry, self.work.request.files)

    def _gather(self, found: dict[int, Generator]) -> None:
        """The generators that pack files of which a variable is required elsewhere."""
        needs = [need for need in self.work.request.requirements if need.kind == "generated-key"]
        every = list(self._all()) if needs else []
        for need in needs:
            packing = [each for each in every if each.packs(need.path)]
            if not packing:
                self.unmet[need] = _NOBODY
            filled = [each for each in packing if self._is_filled(each, need)]
            if packing and len(filled) == len(packing):
                self.provided[need] = None
            for each in packing:
                if each in filled:
                    continue
                mine = found.setdefault(id(each.entry), each)
                mine.variables[need.name] = need.reference
                self._needs.setdefault(id(each.entry), []).append(need)

    def _is_filled(self, each: Generator, need: Requirement) -> bool:
        """Whether an ExternalSecret of the files gives this key of the generated Secret the required secret."""
        for other in self.work.objects:
            spec = other.root.get("spec") if other.kind == "ExternalSecret" else None
            data = spec.get("data") if isinstance(spec, Map) else None
            if text_at(spec, "target", "name") == each.name and same_namespace(other.namespace, each.secret.namespace):
                for item in map(follow, data.items) if isinstance(data, Seq) else ():
                    given = text_at(item, "remoteRef", "key"), text_at(item, "remoteRef", "version")
                    if text_at(item, "secretKey") == need.name and given == (
                        need.reference.name,
                        need.reference.version,
                    ):
                        return True
        return False

    def _all(self) -> Iterator[Generator]:
        for manifest in self.work.manifests.values():
            listed = manifest.kustomization.root.get("secretGenerator") if manifest.kustomization else None
            for item in map(follow, listed.items) if isinstance(listed, Seq) else ():
                if isinstance(item, Map):
                    yield self._of(manifest, item)

    # --- whether it can be -------------------------------------------------------------------------------------------

    def _fits(self, each: Generator) -> bool:
        """Whether all of it can be done; else its literals are refused, and its variables not provided."""
        try:
            self._check(each)
        except Unfit as problem:
            for job in self._jobs.get(id(each.entry), ()):
                self.work.refuse(job.assignment, problem)
            self.unmet |= dict.fromkeys(self._needs.get(id(each.entry), ()), problem)
            return False
        return True

    def _check(self, each: Generator) -> None:
        """Raises `Unfit` for what cannot be."""
        manifest = each.manifest
        if manifest.repeated:
            raise Unfit(*REPEATED)
        if any(
            alias.target.start < each.entry.end and each.entry.start < alias.target.end for alias, _ in manifest.aliases
        ):
            raise Unfit("an alias stands for a text of this generator", "write the text out in each place")
        self.work.check_names(manifest.path)
        each.check()
        if self.work.vaults.target == CSI:
            raise Unfit("what a generator makes has no pod that the driver could be mounted in", ESO)
        self.work.check_untouched(each.secret)
        if self.work.vaults.target == AKV and each.shape:
            raise Unfit("akv2k8s does not make this Secret: it is immutable, typed or labelled", ESO)
        if each.hashed:
            pattern = hashed_name(each.name)
            for path, other in self.work.manifests.items():
                if pattern.search(other.data):
                    raise Unfit(
                        f"{path} names this Secret with the hash that the generator gave it, and the new one has none",
                        f"write {each.name} there, without the hash, then plan again",
                    )
        if each.whole:
            without_generators(manifest, {id(each.entry)})
        else:
            each.reduced()

    # --- what is done ------------------------------------------------------------------------------------------------

    def _carry_out(self, found: Sequence[Generator]) -> None:
        gone: dict[str, set[int]] = {}
        for each in found:
            if each.whole:
                gone.setdefault(each.manifest.path, set()).add(id(each.entry))
        removed = {path: without_generators(self.work.manifests[path], entries) for path, entries in gone.items()}
        for each in found:
            change = self._change(each)
            change.edits += removed.get(each.manifest.path, ())
            self.work.changes.append(change)

    def _change(self, each: Generator) -> Change:
        """The generator's Secret is made by an operator instead, or what stays of it gets a name that one knows."""
        thing, change, path = each.secret, Change(), each.manifest.path
        entries, trees = each.entries, list[Tree]()
        name = each.name if each.whole else self.work.free(thing)
        if self.work.vaults.target == AKV:
            for item in entries:
                spec = _k8s_akv.spec(item.reference, each.name, item.key)
                label = _k8s_akv.named(thing, each.name, item.key, self.work.objects, self.work.akv_names)
                self.work.akv(change, thing, label, spec)
        else:
            policy = "Owner" if each.whole else "Merge"
            self.work.external(change, thing, name, each.name, entries, policy, each.shape if each.whole else {})
        trees = [tree for _, tree in change.documents]
        change.documents = []
        if not each.whole:
            change.edits = each.reduced()
        folder = f"{path.rpartition('/')[0]}/" if "/" in path else ""
        change.files.append((apart(f"{folder}{each.name}-keyvault", trees, self.work.taken), [path]))
        change.notes += each.notes()
        return change
