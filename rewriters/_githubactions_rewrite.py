"""The edits of a workflow: expressions and variables for values, and the steps that read the vault.

Source: GitHub documentation, "Contexts" (where `steps` and `env` may be used).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rewriters import fetch
from rewriters._api import Assignment, Refusal, Request, Rewrite, Settings, Unreadable
from rewriters._ci_sites import No, Site, pairs, shaped
from rewriters._ci_steps import Put, is_text
from rewriters._githubactions_fetch import fetched
from rewriters._githubactions_read import ALTERNATIVES, Job, Workflow, login_step, read, texts
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


class _File(Steps):
    """One file and what becomes of it."""

    MARK = "${{"
    BLOCKED = _BLOCKED

    def __init__(self, path: str, workflow: Workflow, settings: Settings) -> None:
        super().__init__(path, workflow, settings)
        self.refusals: list[Refusal] = []

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
        self.give_environments()
        self.finish()
        if self.needs:
            self.tell()

    # --- what is possible --------------------------------------------------------------------------------------------

    def accept(self, item: Assignment, site: Site) -> None:
        """Notes what has to be done; raises `No`."""
        if not item.slot.targets:
            raise No(site.slot.reason, ALTERNATIVES.get(site.role, SECRET))
        value = item.slot.value.reveal()
        if b"\0" in value or b"\r" in value or not is_text(value):
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
        put = self.in_text(item, site) if site.script is None else self.in_script(item, site)
        self.puts.append(put)
        need = self.need(job)
        need.outputs[item.reference] = min(step.index, need.outputs.get(item.reference, step.index))

    def reach(self, site: Site) -> Iterator[str]:
        for node in (self.workflow.root, site.context.job.node):
            yield from (key.text for key, _ in pairs(shaped(node, "env")))

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
        self.puts.append(Put(item, site))

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

    def put_in(self, put: Put) -> None:
        site = put.site
        if site.role not in ("workflow-env", "job-env"):
            super().put_in(put)
            return
        owner = site.owner
        assert isinstance(owner, Map) and site.key is not None  # noqa: S101 - asked when it was accepted
        parent = site.context.job.node if site.context.job is not None else self.workflow.root
        at = next(number for number, (_, value) in enumerate(parent.pairs) if value is owner)
        index = next(number for number, (key, _) in enumerate(owner.pairs) if key is site.key)
        self.remove(owner, index, (parent, at))

    def expression(self, put: Put) -> str:
        need = self.needs[id(put.site.context.job)]
        return f"${{{{ steps.{need.id}.outputs.{need.names[put.item.reference]} }}}}"

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
