"""The edits of a pipeline: variables for values, tasks that read the vault, and environments that name the variables.

Sources: Microsoft Learn, "Set secret variables" (never in the environment by themselves);
microsoft/azure-pipelines-agent, `Variables.cs` and `StepsRunner.cs` (variables are put into each other anew before each
step, and what holds a secret is one) and `VarUtil.cs` (a variable's name in the environment).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Assignment, Reference, Refusal, Request, Rewrite, Settings, Span, Unreadable
from rewriters._azurepipelines_read import ALTERNATIVES, SCRIPTS, Job, Pipeline, Step, read, task_of
from rewriters._azurepipelines_vault import ALL, connection_of, readings, task_lines
from rewriters._ci_sites import No, Site, pairs, shaped
from rewriters._ci_steps import Put, StepEditor, is_text
from rewriters._unsplit import unsplit
from rewriters._yaml import Map, Scalar

__all__ = ["env_name", "rewrite"]

_BLOCKED = re.compile(r"(?:AGENT|BUILD|SYSTEM|TF|ENDPOINT|INPUT|SECRET|PATH|SECUREFILE|VSO|VSTS|TASK)(?:_|\Z)", re.I)
_LINES = "write the steps as a list in lines, then run this again"


def env_name(name: str) -> str:
    """A variable's name in the environment of a step."""
    return name.replace(".", "_").replace(" ", "_").upper()


def rewrite(request: Request) -> Rewrite:
    """Carries out the assignments, file by file."""
    return unsplit(request, _rewrite)


def _rewrite(request: Request) -> Rewrite:
    by_path: dict[str, list[Assignment]] = {}
    for item in request.assignments:
        by_path.setdefault(item.slot.path, []).append(item)
    files: list[_File] = []
    for path, items in by_path.items():
        try:
            pipeline = read(path, request.files[path])
        except Unreadable as error:
            raise ValueError(f"{path} is assigned, and cannot be read: {error.reason}") from None
        files.append(_File(path, pipeline, request.settings))
        files[-1].work(items)
    return Rewrite(
        edits=tuple(edit for file in files for edit in file.edits),
        refusals=tuple(refusal for file in files for refusal in file.refusals),
        notes=tuple(dict.fromkeys(note for file in files for note in file.notes)),
    )


@dataclass(slots=True)
class _Need:
    """What the steps of a job take: each secret, with the first step that does."""

    job: Job
    first: dict[Reference, int] = field(default_factory=dict)


class _File(StepEditor):
    """One file and what becomes of it."""

    MARK = "$("
    BLOCKED = _BLOCKED

    def __init__(self, path: str, pipeline: Pipeline, settings: Settings) -> None:
        super().__init__(path, pipeline.data, pipeline.root)
        self.pipeline, self.settings = pipeline, settings
        self.refusals: list[Refusal] = []
        self.notes: list[str] = []
        self.needs: dict[int, _Need] = {}
        self.exported: dict[int, tuple[Step, dict[str, str]]] = {}

    def work(self, items: list[Assignment]) -> None:
        """Fills the lists."""
        sites = {site.slot.pointer: site for site in self.pipeline.sites}
        for item in items:
            try:
                site = sites.get(item.slot.pointer)
                if site is None:
                    raise No("this place is not in the file any more", "scan the file again")
                self.accept(item, site)
            except No as no:
                self.refusals.append(no.refusal(item.slot))
        for need in self.needs.values():
            self.supply(need)
        for put in self.puts:
            self.put_in(put)
        self.give_environments()
        self.finish()
        if self.needs:
            self.notes.append(
                f"{self.path}: whom the service connection {self.connection()} signs in as needs the role Key Vault "
                "Secrets User for the secrets; the task also asks for the right to list them if it reads all."
            )

    # --- what is possible --------------------------------------------------------------------------------------------

    def accept(self, item: Assignment, site: Site) -> None:
        """Notes what has to be done; raises `No`."""
        if not item.slot.targets:
            raise No(site.slot.reason, ALTERNATIVES.get(site.role, ALTERNATIVES["other"]))
        value = item.slot.value.reveal()
        if b"\0" in value or b"\r" in value or not is_text(value):
            raise No(
                "the value does not pass through a variable unchanged: it is no text, or has carriage returns",
                "store the value base64-encoded, and have the step decode it",
            )
        if item.reference.version:
            raise No("the task that reads the vault takes no version", "refer to the current version")
        if self.pipeline.collector.shared(site.node):
            raise No("the value is also used by alias", "write it out there, then run this again")
        whole = site.node.text if site.script is None else ""
        if item.part is None and any(mark in whole for mark in ("$(", "${{", "$[")):
            raise No("the value is put together by an expression", "move what the expression reads")
        moved = value[item.part.start : item.part.end] if item.part is not None and site.script is None else value
        if site.script is None and b"$(" in moved:
            raise No("the agent would put variables into the value", "move what it names")
        if not item.reference.vault_url.lower().endswith(".vault.azure.net"):
            raise No(
                "the task is given the vault's name only, and the cloud of the service connection is not known",
                "read the secret in a step that signs in to that cloud",
            )
        if not self.connection():
            raise No(
                "no service connection to Azure is known, with which the pipeline reads the vault",
                "give its name with --service-connection",
            )
        if site.role == "variable":
            put, jobs = self.accept_variable(item, site), _reached(site)
        else:
            put = self.in_text(item, site) if site.script is None else self.in_script(item, site)
            jobs = [site.context.job]
            if task_of(site.context.step.node) == "azurekeyvault":
                raise No("the step is one that reads a vault", "name the secret there by hand")
        for job in jobs:
            self.ready(job, item.reference, self.step_index(site))
        if site.role == "variable":
            self.export(site, jobs)
        for job in jobs:
            first = self.needs.setdefault(id(job), _Need(job)).first
            first[item.reference] = min(self.step_index(site), first.get(item.reference, self.step_index(site)))
        self.puts.append(put)

    def step_index(self, site: Site) -> int:
        return site.context.step.index if site.context.step is not None else 0

    def ready(self, job: Job, reference: Reference, first: int) -> None:
        """Raises `No` where no task can be put in front, or another variable has the secret's name."""
        seq = job.seq
        if seq is None or seq.flow or self.pipeline.collector.shared(seq) or not seq.items:
            raise No("the job's steps are not written out in lines, so none can be put in front", _LINES)
        if any(item.start < seq.start for item in seq.items):
            raise No("the job's steps are written elsewhere", _LINES)
        if any(reference.name.lower() in scope.names for scope in job.scopes):
            raise No(
                "a variable of the pipeline has the secret's name, and would be taken for it",
                "give the secret another name in the vault",
            )
        needed = self.needs.get(id(job))
        if any(
            other.name.lower() == reference.name.lower() and other != reference
            for other in (needed.first if needed is not None else ())
        ):
            raise No("two vaults have a secret of this name for one job", "give one of them another name")
        for each in readings(job):
            names = {name.lower() for name in each.names}
            if each.vault != reference.vault_name.lower() and {reference.name.lower(), ALL} & names:
                raise No(
                    "the job reads a secret of this name from another vault",
                    "give the secret another name in the vault",
                )

    def accept_variable(self, item: Assignment, site: Site) -> Put:
        """A variable stays, and leads to the secret's: all jobs within its reach have to read that first."""
        name, scope = site.slot.key, site.context.scope
        pattern = re.compile(rf"variables\s*(?:\.\s*{re.escape(name)}\b|\[\s*'{re.escape(name)}'\s*\])", re.IGNORECASE)
        if pattern.search(self.data.decode("utf-8", "replace")):
            raise No(
                "an expression takes the variable when the pipeline is compiled, or before the first step",
                "keep it as a secret variable of the pipeline, or have the expression's place read `$(NAME)`",
            )
        if scope.open or not _reached(site):
            raise No(
                "jobs or variables in the reach of this one are written in a template, and could not be given it",
                "keep it as a variable of a group that is linked to the vault",
            )
        if sum(key.text.lower() == "value" or key.text.lower() == name.lower() for key, _ in pairs(site.owner)) > 1:
            raise No("the variable is set twice", "delete one, then run this again")
        for job in _reached(site):
            if not job.plain or any(shaped(step.node, "template") is not None for step in job.steps):
                raise No(
                    "steps in the reach of the variable are written in a template, and could not be given it",
                    "keep it as a variable of a group that is linked to the vault",
                )
        return self.in_text(item, site)

    def export(self, site: Site, jobs: list[Job]) -> None:
        """A secret variable is in no environment by itself: each step that could read it there gets it by its `env`."""
        name = env_name(site.slot.key)
        given: list[Step] = []
        for job in jobs:
            for step in job.steps:
                node = step.node
                kind = next((key.text for key, _ in pairs(node) if key.text in (*SCRIPTS, "task")), "")
                if not kind or node is None or task_of(node) == "azurekeyvault":
                    continue
                environment = shaped(node, "env")
                if name in {key.text.upper() for key, _ in pairs(environment)}:
                    continue
                if node.flow or not (environment is None or (isinstance(environment, Map) and environment.pairs)):
                    raise No(
                        "the environment of a step that could read the variable cannot be added to",
                        "write the steps in lines, without an empty `env`",
                    )
                given.append(step)
        for step in given:
            self.exported.setdefault(id(step), (step, {}))[1][name] = f"$({site.slot.key})"

    def reach(self, site: Site) -> Iterator[str]:
        for scope in site.context.job.scopes:
            yield from (env_name(name) for name in scope.names)

    # --- the edits ---------------------------------------------------------------------------------------------------

    def expression(self, put: Put) -> str:
        return f"$({put.item.reference.name})"

    def give_environments(self) -> None:
        """What scripts take, and what was in the environment by itself before."""
        for put in self.puts:
            if put.name:
                step = put.site.context.step
                self.exported.setdefault(id(step), (step, {}))[1][put.name] = self.expression(put)
        for step, given in self.exported.values():
            assert step.node is not None  # noqa: S101 - asked when it was accepted
            self.environment(step.node, given)

    def new_environment(self, owner: Map, lines: list[str]) -> None:
        """Behind what the step runs: its first key tells what it is."""
        last = owner.pairs[-1]
        if isinstance(last[1], Scalar) and last[1].style in ("literal", "folded"):
            at = 1 if len(owner.pairs) > 1 else 0
            if at:
                self.pair_before(owner, at, lines)
                return
        self.pair_behind(last[1], self._pad(owner), lines)

    def _pad(self, owner: Map) -> int:
        return self.column(owner.pairs[-1][0].start)

    def connection(self) -> str:
        """The service connection: as chosen, else the one that the file's own tasks sign in with."""
        if self.settings.service_connection:
            return self.settings.service_connection
        named = (connection_of(step.node) for job in self.pipeline.jobs for step in job.steps)
        return next((name for name in named if name), "")

    def supply(self, need: _Need) -> None:
        """Puts tasks in front, one for each vault, or adds to those of before."""
        by_vault: dict[str, list[Reference]] = {}
        for reference in need.first:
            by_vault.setdefault(reference.vault_url, []).append(reference)
        for references in by_vault.values():
            first = min(need.first[reference] for reference in references)
            there = next(
                (
                    each
                    for each in readings(need.job)
                    if each.certain
                    and each.vault == references[0].vault_name.lower()
                    # A variable of the job is in reach of its steps from the first one on.
                    and (each.step.index < first or each.step.index == 0)
                ),
                None,
            )
            if there is None:
                assert need.job.seq is not None  # noqa: S101 - asked when it was accepted
                lines = task_lines(self.connection(), references, self.style.step)
                self.items_before(need.job.seq, first, [lines])
                continue
            known = {name.lower() for name in there.names}
            more = [reference.name for reference in references if not {ALL, reference.name.lower()} & known]
            if more and there.filter is not None:
                node = there.filter
                at = node.span.end if node.style in ("plain", "single", "double") else 0
                if at:
                    self.edit(Span(at, at), "".join(f",{name}" for name in more))
                else:
                    self.express(node, ",".join((*there.names, *more)), flow=False)


def _reached(site: Site) -> list[Job]:
    """The jobs that see a variable: none of their own, or of a stage, has its name."""
    name, scope = site.slot.key.lower(), site.context.scope
    return [
        job for job in scope.jobs if not any(name in inner.names for inner in job.scopes[job.scopes.index(scope) + 1 :])
    ]
