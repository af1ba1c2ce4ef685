"""The edits of a workflow: expressions and variables for values, and the steps that read the vault.

Source: GitHub documentation, "Contexts" (where `steps` and `env` may be used).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rewriters import fetch
from rewriters._api import Assignment, Edit, Reference, Refusal, Request, Rewrite, Settings, Span, Unreadable
from rewriters._ci_script import Unplaceable
from rewriters._ci_sites import No, Site, pairs, shaped
from rewriters._githubactions_fetch import fetched
from rewriters._githubactions_read import ALTERNATIVES, Job, Step, Workflow, login_step, read, texts
from rewriters._githubactions_steps import SECRET, Steps, run_of
from rewriters._unsplit import unsplit
from rewriters._yaml import Map

__all__ = ["rewrite"]

_BLOCKED = re.compile(r"(?:GITHUB|RUNNER|ACTIONS)_|NODE_OPTIONS\Z|CI\Z", re.IGNORECASE)


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
            workflow = read(path, request.files[path])
        except Unreadable as error:
            raise ValueError(f"{path} is assigned, and cannot be read: {error.reason}") from None
        files.append(_File(path, workflow, request.settings))
        files[-1].work(items)
    return Rewrite(
        edits=tuple(edit for file in files for edit in file.edits),
        refusals=tuple(refusal for file in files for refusal in file.refusals),
        notes=tuple(dict.fromkeys(note for file in files for note in file.notes)),
    )


@dataclass(frozen=True, slots=True)
class _Put:
    """An accepted assignment: an expression for the scalar or a part of it, or a variable in a script (`name`)."""

    item: Assignment
    site: Site
    span: Span | None = None
    text: bytes = b""
    name: str = ""


class _File(Steps):
    """One file and what becomes of it."""

    def __init__(self, path: str, workflow: Workflow, settings: Settings) -> None:
        super().__init__(path, workflow, settings)
        self.refusals: list[Refusal] = []
        self.puts: list[_Put] = []
        self.variables: dict[tuple[int, Reference], str] = {}

    def work(self, items: list[Assignment]) -> None:
        """Fills the lists."""
        sites = {site.slot.pointer: site for site in self.workflow.sites}
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
        for step, names in self.step_variables().items():
            self.step_environment(step, names)
        self.finish()
        if self.needs:
            self.tell()

    # --- what is possible --------------------------------------------------------------------------------------------

    def accept(self, item: Assignment, site: Site) -> None:
        """Notes what has to be done; raises `No`."""
        if not item.slot.targets:
            raise No(site.slot.reason, ALTERNATIVES.get(site.role, SECRET))
        value = item.slot.value.reveal()
        if b"\0" in value or b"\r" in value or not _is_text(value):
            raise No(
                "the value does not pass through a step unchanged: it is no text, or has carriage returns",
                "store the value base64-encoded, and have the step decode it",
            )
        if self.workflow.collector.shared(site.node):
            raise No("the value is also used by alias", "write it out there, then run this again")
        if site.script is None and "${{" in site.node.text and item.part is None:
            raise No("the value is put together by an expression", "move what the expression reads")
        if site.role in ("workflow-env", "job-env"):
            self.accept_variable(item, site)
            return
        job, step = site.context.job, site.context.step
        if login_step(step.node):
            raise No("the step signs in to Azure, which has to be done before anything can be read", SECRET)
        if list(fetched(run_of(step))):
            raise No("the step is the one that reads the vault", "take the value out by hand")
        self.ready(job, step.index)
        put = self.in_text(item, site) if site.script is None else self.in_script(item, site, step)
        self.puts.append(put)
        need = self.need(job)
        need.outputs[item.reference] = min(step.index, need.outputs.get(item.reference, step.index))

    def in_text(self, item: Assignment, site: Site) -> _Put:
        if item.part is None:
            return _Put(item, site)
        span = self.located(site.node, item.part)
        if span is None:
            raise No("this part of the text has no bytes of its own", "write the text on one line, or move all of it")
        if site.flow and site.node.style == "plain":
            raise No("an expression needs quotes in braces", "quote the text, then run this again")
        return _Put(item, site, span)

    def in_script(self, item: Assignment, site: Site, step: Step) -> _Put:
        assert site.script is not None  # noqa: S101 - asked by the caller
        owner = step.node
        environment = shaped(owner, "env")
        if (
            owner is None
            or owner.flow
            or not (environment is None or (isinstance(environment, Map) and environment.pairs))
        ):
            raise No("the step's environment cannot be added to", "write the step in lines, without an empty `env`")
        if "${{" in item.slot.value.reveal().decode():
            raise No("the value is put together by an expression", "move what the expression reads")
        name = self.variables.get((id(step), item.reference)) or self.free(site, item.reference, owner)
        try:
            span, text = site.script.replacement(name, site.word, item.part)
        except Unplaceable as error:
            raise No(str(error), error.alternative) from None
        if any(put.span is not None and put.span.touches(span) for put in self.puts if put.site.node is site.node):
            raise No("another value that moves stands in the same text", "run this again for the rest")
        self.variables[id(step), item.reference] = name
        return _Put(item, site, span, text, name)

    def free(self, site: Site, reference: Reference, owner: Map) -> str:
        """A variable's name that nothing in the step's reach uses."""
        taken = {
            key.text
            for node in (self.workflow.root, site.context.job.node, owner)
            for key, _ in pairs(shaped(node, "env"))
        }
        taken |= {name for (step, _), name in self.variables.items() if step == id(site.context.step)}
        said = set(re.findall(r"\w+", site.node.text))
        plain = reference.variable if reference.variable[:1].isalpha() else f"SECRET_{reference.variable}"
        options = (plain, f"VAULT_{plain}", *(f"VAULT_{plain}_{number}" for number in range(2, 99)))
        for name in options:
            if name not in taken and name not in said and name not in fetch.RESERVED and not _BLOCKED.match(name):
                return name
        raise No("no name is free for the variable", "rename the step's variables")

    def accept_variable(self, item: Assignment, site: Site) -> None:
        """A variable of the job or the workflow: it has to reach all steps that it reached before."""
        name = site.slot.key
        if item.part is not None:
            raise No("the job's environment can name no step's output", "move the whole text")
        if _BLOCKED.match(name) or not fetch.is_variable(name):
            raise No("a step cannot set this variable for the steps after it", SECRET)
        owner = site.owner
        if not isinstance(owner, Map) or [key.text for key, _ in pairs(owner)].count(name) > 1:
            raise No("the variable is set twice", "delete one, then run this again")
        if site.context.job is not None:
            jobs = [site.context.job]
        else:
            jobs = list(self.jobs_of(name))
            if not jobs:
                raise No("no job of the file has steps that could read it", "take the variable out")
        for job in jobs:
            self.ready(job, 0)
            for part in ("services", "container", "defaults"):
                if any(_names(text, name) for text in texts(shaped(job.node, part))):
                    raise No(
                        f"the job's `{part}` takes the variable, which is put together before the first step",
                        SECRET + " there",
                    )
        for job in jobs:
            known = self.need(job).variables
            if known.setdefault(name, item.reference) != item.reference:
                known[name] = item.reference
        self.puts.append(_Put(item, site))

    def jobs_of(self, name: str) -> Iterator[Job]:
        """The jobs whose steps see a variable of the workflow: they have steps, and no variable of that name."""
        if any(not isinstance(value, Map) for _, value in pairs(shaped(self.workflow.root, "jobs"))):
            raise No("a job is written by alias", "write the job out, then run this again")
        for job in self.workflow.jobs:
            own = shaped(job.node, "env")
            if own is not None and not isinstance(own, Map):
                raise No("a job's environment is written by alias or expression", "write it out, then run this again")
            if shaped(job.node, "uses") is None and name not in {key.text for key, _ in pairs(own)}:
                yield job

    # --- in the places -----------------------------------------------------------------------------------------------

    def put_in(self, put: _Put) -> None:
        site = put.site
        if site.role in ("workflow-env", "job-env"):
            owner = site.owner
            assert isinstance(owner, Map) and site.key is not None  # noqa: S101 - asked when it was accepted
            parent = site.context.job.node if site.context.job is not None else self.workflow.root
            at = next(number for number, (_, value) in enumerate(parent.pairs) if value is owner)
            index = next(number for number, (key, _) in enumerate(owner.pairs) if key is site.key)
            self.remove(owner, index, (parent, at))
        elif put.name and put.span is not None:
            self.edits.append(Edit(self.path, put.span, put.text))
        elif put.span is not None:
            self.edit(put.span, self.expression(put))
        else:
            self.express(site.node, self.expression(put), flow=site.flow)

    def expression(self, put: _Put) -> str:
        need = self.needs[id(put.site.context.job)]
        return f"${{{{ steps.{need.id}.outputs.{need.names[put.item.reference]} }}}}"

    def step_variables(self) -> dict[int, list[_Put]]:
        """The values that scripts take through the environment of their step, by step."""
        found: dict[int, list[_Put]] = {}
        for put in self.puts:
            names = found.setdefault(id(put.site.context.step), []) if put.name else []
            if put.name not in {other.name for other in names}:
                names.append(put)
        return found

    def step_environment(self, _: int, puts: list[_Put]) -> None:
        owner = puts[0].site.context.step.node
        environment = shaped(owner, "env")
        pairs_ = [f"{put.name}: {self.expression(put)}" for put in puts]
        if isinstance(environment, Map) and environment.flow:
            self.flow_pair(environment, ", ".join(f"{put.name}: '{self.expression(put)}'" for put in puts))
        elif isinstance(environment, Map):
            self.pair_before(environment, 0, pairs_)
        else:
            at = next(number for number, (key, _) in enumerate(owner.pairs) if key is puts[0].site.key)
            self.pair_before(owner, at, ["env:", *(" " * self.style.step + pair for pair in pairs_)])

    def tell(self) -> None:
        """What people have to see to."""
        if self.workflow.action:
            self.notes.append(f"{self.path}: workflows that use the action need the permission `id-token: write`.")
        triggers = set(texts(shaped(self.workflow.root, "on"))) | set(texts(shaped(self.workflow.root, "true")))
        self.notes.append(
            f"{self.path}: whom the workflow signs in as needs the role Key Vault Secrets User for the secrets, and a "
            "federated credential whose subject is the repository's branch or environment."
        )
        if "pull_request" in triggers:
            self.notes.append(f"{self.path}: pull requests from forks can neither sign in nor read the secrets.")
        if "workflow_call" in triggers:
            self.notes.append(f"{self.path}: workflows that call this one need the permission `id-token: write`.")


def _names(text: str, name: str) -> bool:
    """Whether an expression takes a variable of the environment, or may take any."""
    return re.search(rf"\benv\s*(?:\.\s*{re.escape(name)}\b|\[|\s*\))", text, re.IGNORECASE) is not None


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
