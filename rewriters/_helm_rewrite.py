"""The edits that put references into values files and helmfiles.

What may stand there depends on who reads the file: vals, which helmfile and helm-secrets run, looks up `ref+` texts;
Helm alone would hand them to the templates as they are.
"""

from __future__ import annotations

from collections import Counter

from rewriters import _encode
from rewriters._api import Assignment, Edit, Refusal, Request, Rewrite, Span, Unreadable
from rewriters._helm_existing import Existing, Values
from rewriters._helm_files import is_template_text, role
from rewriters._helm_literals import Literals
from rewriters._helm_project import Project
from rewriters._helm_read import ACTION, KEYED, OTHER, SOPS, STATE, Site, Source, is_typed, read
from rewriters._helm_vals import MOST, has_references, text
from rewriters._k8s_vault import Unfit
from rewriters._unsplit import unsplit
from rewriters._yaml import stops

__all__ = ["rewrite"]


def rewrite(request: Request) -> Rewrite:
    """The answer to a request. Never raises for what a file holds: what cannot be done is refused."""
    return unsplit(request, lambda each: _Rewriting(each).answer() if each.assignments else Rewrite())


_ALTERNATIVES = {
    ACTION: "keep the value out of the text: let the template read it from a Secret",
    STATE: "keep the reference here and look it up where it is used: {{ .Values.NAME | fetchSecretValue }}",
    OTHER: 'read it from the environment: {{ requiredEnv "NAME" }} in a helmfile.yaml.gotmpl',
    SOPS: "replace it with `sops edit`, or leave it: the file holds no plaintext",
    KEYED: "move the value that it leads to",
}
_PLAIN = (
    "plain Helm would hand a reference to the templates as it is: no helmfile of the files names this one, and "
    "nothing in it is looked up by vals yet"
)
_DEFAULT = (
    "Helm itself reads the values.yaml of a chart, without vals: a reference would reach the templates as it is, "
    "unless a helmfile names the file as values of a release"
)
_INSTEAD = (
    "let the chart take the name of an existing Secret (existingSecret) that External Secrets fills, or deploy with "
    "helmfile or helm-secrets, where ref+azurekeyvault://VAULT/NAME is looked up"
)


class _Rewriting:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.project = Project(request.files)
        self.existing = Existing(request, Values(self.project))
        self.literals = Literals(request, self.existing.vaults, self.project)
        self.sources: dict[str, Source] = {}
        self.edits: list[Edit] = []
        self.refusals: list[Refusal] = []
        self.notes: dict[str, None] = {}

    def answer(self) -> Rewrite:
        parts = Counter((item.slot.path, item.slot.pointer) for item in self.request.assignments)
        for item in self.request.assignments:
            try:
                if self.project.roles.get(item.slot.path) == "template":
                    self.literals.add(item)
                    continue
                source, site = self._site(item)
                if self._is_taken_over(item, source, site):
                    continue
                self._check_vals(source, site)
                if parts[item.slot.path, item.slot.pointer] > MOST:
                    raise Unfit(f"vals looks up no more than {MOST} references in one text", "move the text as a whole")
                self.edits.append(_as_reference(source, site, item))
                self._say(item)
            except Unfit as problem:
                self._refuse(item, problem)
        for jobs in self.existing.jobs.values():
            try:
                self.existing.make(jobs)
            except Unfit as problem:
                for job in jobs:
                    self._refuse(job.assignment, problem)
        self.literals.make()
        self.refusals += self.literals.refusals
        companions = self.existing.companions()
        edits = sorted([*self.edits, *self.existing.edits, *self.literals.edits], key=_place)
        notes = dict.fromkeys((*self.notes, *self.existing.notes, *self.literals.notes))
        return Rewrite(tuple(edits), tuple(companions), tuple(self.refusals), notes=tuple(notes))

    def _refuse(self, item: Assignment, problem: Unfit) -> None:
        self.refusals.append(
            Refusal(item.slot.path, item.slot.pointer, problem.reason, problem.alternative, problem.needs)
        )

    def _is_taken_over(self, item: Assignment, source: Source, site: Site) -> bool:
        """Whether the value goes into an existing Secret: where its chart proves that, unless the repository has vals
        look up the file and nothing that makes Secrets."""
        if role(source.path, source.data[:4096]) != "values" or is_template_text(source.path):
            return False
        job = self.existing.find(item, source, site)
        if job is None or has_references(source.mask.data):
            return False
        if self.project.looked_up(source.path) and not self.existing.has_operator:
            return False
        self.existing.add(job)
        return True

    def _source(self, path: str) -> Source:
        if path not in self.sources:
            data = self.request.files.get(path)
            if data is None:
                raise Unfit("the file is not there any more", "scan again")
            try:
                self.sources[path] = read(path, data)
            except Unreadable as error:
                raise Unfit(error.reason, "correct the file, then plan again") from None
        return self.sources[path]

    def _site(self, item: Assignment) -> tuple[Source, Site]:
        slot = item.slot
        source = self._source(slot.path)
        site = next((site for site in source.sites if site.slot.pointer == slot.pointer), None)
        if site is None or site.slot.span != slot.span:
            raise Unfit("the file does not hold this place any more", "scan again")
        if not site.slot.targets:
            reason = site.slot.reason
            raise Unfit(reason, _ALTERNATIVES.get(reason, "take the value out by hand"))
        if source.repeated and _repeats(source, site):
            raise Unfit("the key stands twice in its map", "remove the one that does not count, then plan again")
        return source, site

    def _check_vals(self, source: Source, site: Site) -> None:
        """Raises `Unfit` unless vals reads this file."""
        path = source.path
        if is_typed(site.scalar):
            raise Unfit(
                "Helm may take this text for a number, a truth value or a date, and a vault gives back a text",
                "put it in quotes, then plan again",
            )
        if role(path, source.data[:4096]) == "helmfile":
            return
        ways = {naming.how for naming in self.project.named(path)}
        if "state" in ways:
            raise Unfit(STATE, _ALTERNATIVES[STATE])
        if "release" in ways or has_references(source.mask.data):
            return
        reason = _DEFAULT if self.project.is_default(path) else _PLAIN
        charts = self.existing.values.folders(path)
        if any(self.existing.values.chart(folder) is not None for folder in charts):
            reason += "; and the templates of its chart do not prove that an existing Secret takes the place of it"
        raise Unfit(reason, _INSTEAD)

    def _say(self, item: Assignment) -> None:
        reference = item.reference
        self.notes[
            "vals reads the vault as whoever runs helmfile or helm-secrets: that identity needs the role Key Vault "
            f"Secrets User on {reference.vault_url}/secrets/{reference.name}"
        ] = None
        self.notes["the looked-up values stand in the release's Secret in the cluster, as all of Helm's values do"] = (
            None
        )
        ways = {naming.how for naming in self.project.named(item.slot.path)}
        if "release" not in ways and self.project.roles.get(item.slot.path) != "helmfile":
            self.notes[
                f"{item.slot.path} has references already, so it is taken to be read by vals "
                "(helm secrets --backend vals): with plain Helm they would stay as they are"
            ] = None


def _place(edit: Edit) -> tuple[str, Span]:
    return edit.path, edit.span


def _repeats(source: Source, site: Site) -> bool:
    """Whether another place has this one's path."""
    return sum(other.steps == site.steps for other in source.sites) > 1


def _as_reference(source: Source, site: Site, item: Assignment) -> Edit:
    """The edit that puts a reference in the place of a text, or of a part of it."""
    data, slot, scalar = source.data, site.slot, site.scalar
    if item.part is not None:
        raw = data[slot.span.start : slot.span.end]
        found = _encode.locate(slot.encoding, raw, item.part)
        if found is None:
            raise Unfit("this part of the value has no text of its own here", "write the value in plain quotes")
        span = Span(slot.span.start + found.start, slot.span.start + found.end)
        return Edit(source.path, span, text(item.reference, inside=True, like=data).encode())
    made = text(item.reference, inside=False, like=data)
    if scalar.style in ("single", "double"):
        return Edit(source.path, scalar.span, made.encode())
    if site.flow:
        made = f'"{made}"'
    return Edit(source.path, Span(scalar.literal.start, stops(data, scalar)), made.encode())
