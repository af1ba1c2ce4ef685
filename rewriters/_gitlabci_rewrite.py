"""The edits of a pipeline of GitLab: secrets of jobs, the token that the runner signs in with, and the vault's URL.

Source: GitLab documentation, "Use Azure Key Vault secrets in GitLab CI/CD" and "CI/CD YAML syntax reference"
(`secrets`, `id_tokens`, `extends`: maps are merged, lists replaced).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters import fetch
from rewriters._api import Assignment, Edit, Reference, Refusal, Request, Rewrite, Settings, Unreadable
from rewriters._ci_edit import CiEditor
from rewriters._ci_script import Unplaceable
from rewriters._ci_sites import No, Site, pairs, shaped
from rewriters._ci_steps import is_text
from rewriters._gitlabci_read import ALTERNATIVES, Job, Pipeline, read, texts
from rewriters._unsplit import unsplit
from rewriters._yaml import Map, Scalar

__all__ = ["AUDIENCE", "SERVER", "TOKEN", "rewrite"]

SERVER, TOKEN, AUDIENCE = "AZURE_KEY_VAULT_SERVER_URL", "AZURE_JWT", "https://gitlab.com"
_BLOCKED = re.compile(r"(?:CI|GITLAB|FF|RUNNER|AZURE)_|(?:CI|GITLAB_CI|SHELL)\Z", re.IGNORECASE)
_READS = ("script", "before_script", "after_script", "variables", "secrets", "id_tokens")
"""Keys of a job whose texts may name a secret's variable: all others are put together before the runner has read it."""
_KEEP = "keep it as a masked, protected variable of the project"


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
    """The secrets that a job is given, by variable."""

    job: Job
    vault: str
    secrets: dict[str, Reference] = field(default_factory=dict)
    gone: list[Site] = field(default_factory=list)


class _File(CiEditor):
    def __init__(self, path: str, pipeline: Pipeline, settings: Settings) -> None:
        super().__init__(path, pipeline.data, pipeline.root)
        self.pipeline, self.settings = pipeline, settings
        self.refusals: list[Refusal] = []
        self.notes: list[str] = []
        self.needs: dict[int, _Need] = {}
        self.taken_out: list[Site] = []

    def work(self, items: list[Assignment]) -> None:
        """Fills the lists."""
        sites = {site.slot.pointer: site for site in self.pipeline.sites}
        # Variables first: a script takes the secret by the name that it has already.
        order = sorted(items, key=lambda item: item.slot.place != "env")
        for item in order:
            try:
                site = sites.get(item.slot.pointer)
                if site is None:
                    raise No("this place is not in the file any more", "scan the file again")
                self.accept(item, site)
            except No as no:
                self.refusals.append(no.refusal(item.slot))
        self.give()
        self.finish()
        if self.needs:
            self.tell()

    # --- what is possible --------------------------------------------------------------------------------------------

    def accept(self, item: Assignment, site: Site) -> None:
        """Notes what has to be done; raises `No`."""
        if not item.slot.targets:
            raise No(site.slot.reason, ALTERNATIVES.get(site.role, ALTERNATIVES["other"]))
        value = item.slot.value.reveal()
        moved = value[item.part.start : item.part.end] if item.part is not None else value
        if b"\0" in value or b"\r" in value or not is_text(value):
            raise No(
                "the value does not pass through a variable unchanged: it is no text, or has carriage returns",
                "store the value base64-encoded, and have the script decode it",
            )
        if b"$" in moved:
            raise No(
                "GitLab puts variables in where a value has a dollar sign, and whether in a secret's is not known",
                "give the secret a value without one",
            )
        if self.pipeline.collector.shared(site.node):
            raise No("the value is also used by alias", "write it out there, then run this again")
        if site.role == "variable":
            self.accept_variable(item, site)
        else:
            self.accept_script(item, site)

    def accept_variable(self, item: Assignment, site: Site) -> None:
        """A variable goes, and a secret of every job that it reached has its name."""
        name = site.slot.key
        if not fetch.is_variable(name) or _BLOCKED.match(name):
            raise No("a secret cannot set this variable", _KEEP)
        if not isinstance(site.owner, Map) or [key.text for key, _ in pairs(site.owner)].count(name) > 1:
            raise No("the variable is set twice", "delete one, then run this again")
        if site.context is None:
            jobs = self.all_jobs(name)
        else:
            jobs = [site.context]
            self.check_heirs(site.context, name)
        self.check_uses(name, site)
        self.join(jobs, name, item.reference, site)

    def all_jobs(self, name: str) -> list[Job]:
        """The jobs that a variable of the file reaches. Raises `No` when there may be others."""
        if self.pipeline.includes or not self.pipeline.path.rpartition("/")[2].startswith(".gitlab-ci."):
            raise No("jobs of other files have the variable, too", f"move it into the jobs that use it, or {_KEEP}")
        if shaped(self.pipeline.root, "default", "inherit") is not None:
            raise No("what jobs inherit is said by a default", "move the variable into the jobs that use it")
        found = [job for job in self.pipeline.jobs if not job.hidden]
        for job in found:
            if shaped(job.node, "trigger") is not None or shaped(job.node, "inherit") is not None:
                raise No(
                    f"the job {job.name} hands variables on, or says itself which it inherits",
                    "move the variable into the jobs that use it",
                )
        mine = [job for job in found if name not in self.variables_of(job)]
        if not mine:
            raise No("no job of the file has the variable", "take it out")
        return mine

    def check_heirs(self, job: Job, name: str) -> None:
        for other in self.heirs(job):
            if name in other.variables:
                raise No(
                    f"the job {other.name} extends this one and has a variable of this name, which would be hidden",
                    "give one of them another name",
                )

    def heirs(self, job: Job) -> list[Job]:
        """The jobs that extend this one, however far."""
        names, found = {job.name}, list[Job]()
        while True:
            more = [other for other in self.pipeline.jobs if other not in found and names & set(other.extends)]
            if not more:
                return found
            found += more
            names |= {other.name for other in more}

    def ancestors(self, job: Job) -> list[Job]:
        """The jobs that this one extends, however far."""
        by_name = {other.name: other for other in self.pipeline.jobs}
        found: list[Job] = []
        todo = list(job.extends)
        while todo:
            other = by_name.get(todo.pop())
            if other is not None and other not in found:
                found.append(other)
                todo += other.extends
        return found

    def variables_of(self, job: Job) -> set[str]:
        return {name for each in (job, *self.ancestors(job)) for name in each.variables}

    def check_uses(self, name: str, site: Site) -> None:
        """Raises `No` if something takes the variable that is put together before the runner has read a secret."""
        uses = re.compile(rf"\$\{{?{re.escape(name)}\b|%{re.escape(name)}%|\[[^\]]*\b{re.escape(name)}\b")
        for key, value in pairs(self.pipeline.root):
            parts = [(key.text, value)]
            if isinstance(value, Map) and any(job.node is value for job in self.pipeline.jobs):
                parts = [(inner.text, content) for inner, content in pairs(value)]
            for part, content in parts:
                if part in ("script", "before_script", "after_script"):
                    continue
                if any(uses.search(text) for text in texts(content)):
                    raise No(f"`{part}` takes the variable, which is put together before a secret is read", _KEEP)
        if "!reference" in self.data.decode("utf-8", "replace") and any(name == text for text in self.referenced()):
            raise No("the variable is taken by !reference", "write it out there, then run this again")

    def referenced(self) -> Iterator[str]:
        """What `!reference` tags name."""
        for found in re.finditer(rb"!reference\s*\[([^\]]*)\]", self.data):
            for text in found[1].decode("utf-8", "replace").split(","):
                yield text.strip(" \t\r\n'\"")

    def accept_script(self, item: Assignment, site: Site) -> None:
        job: Job = site.context
        assert site.script is not None  # noqa: S101 - all places but variables are scripts
        need = self.needs.get(id(job))
        known = need.secrets if need is not None else {}
        name = next((name for name, reference in known.items() if reference == item.reference), "")
        name = name or self.existing(job, item.reference) or self.free(job, item.reference, site)
        try:
            span, text = site.script.replacement(name, site.word, item.part)
        except Unplaceable as error:
            raise No(str(error), error.alternative) from None
        if any(edit.span.touches(span) for edit in self.edits):
            raise No("another value that moves stands in the same text", "run this again for the rest")
        self.join([job], name, item.reference, None)
        self.edits.append(Edit(self.path, span, text))

    def free(self, job: Job, reference: Reference, site: Site) -> str:
        """A variable's name that nothing in the file uses."""
        said = set(re.findall(r"\w+", self.data.decode("utf-8", "replace")))
        plain = reference.variable if reference.variable[:1].isalpha() else f"SECRET_{reference.variable}"
        given = {name for need in self.needs.values() for name in need.secrets}
        for name in (plain, f"VAULT_{plain}", *(f"VAULT_{plain}_{number}" for number in range(2, 99))):
            if name not in said and name not in given and name not in fetch.RESERVED and not _BLOCKED.match(name):
                return name
        raise No("no name is free for the variable", "rename the job's variables")

    def existing(self, job: Job, reference: Reference) -> str:
        """The variable of a secret of the job that is this one already."""
        if self.server(job) != reference.vault_url:
            return ""
        for key, value in pairs(shaped(job.node, "secrets")):
            said, version = shaped(value, "azure_key_vault", "name"), shaped(value, "azure_key_vault", "version")
            plain = shaped(value, "file")
            if (
                isinstance(said, Scalar)
                and said.text == reference.name
                and (version.text if isinstance(version, Scalar) else "") == reference.version
                and isinstance(plain, Scalar)
                and plain.text == "false"
            ):
                return key.text
        return ""

    def server(self, job: Job | None) -> str:
        """The vault that the job reads already, without a slash at the end."""
        owners = [each.node for each in (job, *self.ancestors(job))] if job is not None else []
        for owner in (*owners, self.pipeline.root):
            said = shaped(owner, "variables", SERVER)
            if isinstance(said, Scalar):
                return said.text.rstrip("/")
        return ""

    def join(self, jobs: list[Job], name: str, reference: Reference, site: Site | None) -> None:
        """The secret for these jobs, if each of them can have it. Raises `No`."""
        for job in jobs:
            if job.node.flow or not job.node.pairs or self.pipeline.collector.shared(job.node):
                raise No("the job is not written out in lines", "write it as a map in lines, then run this again")
            if any(key.text == "<<" for key, _ in pairs(job.node)) and any(
                shaped(job.node, key) is None for key in ("secrets", "id_tokens")
            ):
                raise No("the job merges another one", "write the job out, or let it extend the other one")
            if job.name in self.referenced():
                raise No("parts of the job are taken by !reference", "write them out there, then run this again")
            for key in ("secrets", "id_tokens", "variables"):
                said = shaped(job.node, key)
                if said is not None and (not isinstance(said, Map) or self.pipeline.collector.shared(said)):
                    raise No(f"the job's `{key}` are written elsewhere", "write them out, then run this again")
                if key != "variables" and isinstance(said, Map) and (said.flow or not said.pairs):
                    raise No(f"the job's `{key}` are not written out in lines", "write them in lines first")
            for other in (*self.heirs(job), *self.ancestors(job)):
                need = self.needs.get(id(other))
                if need is not None and (need.vault != reference.vault_url or name in need.secrets):
                    raise No(f"the job {other.name}, which shares it, has another secret", "write the jobs apart first")
            if name in {key.text for key, _ in pairs(shaped(job.node, "secrets"))} and site is not None:
                raise No("the job has a secret of this name already", "delete the variable")
            need = self.needs.get(id(job))
            reads = need.vault if need is not None else self.reads(job)
            if reads not in ("", reference.vault_url):
                raise No("the job reads another vault already, and can read one", "store the value in that vault")
        for job in jobs:
            need = self.needs.setdefault(id(job), _Need(job, reference.vault_url))
            need.secrets[name] = reference
        if site is not None:
            self.taken_out.append(site)

    def reads(self, job: Job) -> str:
        """The vault that secrets of the job come from as it is, or that it names itself."""
        used = any(shaped(value, "azure_key_vault") is not None for _, value in pairs(shaped(job.node, "secrets")))
        own = shaped(job.node, "variables", SERVER)
        return self.server(job) or "?" if used else own.text.rstrip("/") if isinstance(own, Scalar) else ""

    # --- the edits ---------------------------------------------------------------------------------------------------

    def give(self) -> None:
        """The variables go, and the jobs get their secrets, the token and the vault's URL."""
        served: set[int] = set()
        for site in self.taken_out:
            self.take_out(site, served)
        for need in self.needs.values():
            self.serve(need, served)

    def take_out(self, site: Site, served: set[int]) -> None:
        """A variable goes; the first one of a map makes room for the vault's URL where that is needed."""
        owner, job = site.owner, site.context
        assert isinstance(owner, Map) and site.key is not None  # noqa: S101 - asked when it was accepted
        index = next(at for at, (key, _) in enumerate(owner.pairs) if key is site.key)
        value = owner.pairs[index][1]
        need = self.needs.get(id(job)) if job is not None else next(iter(self.needs.values()), None)
        wanted = need is not None and self.server(job) != need.vault and id(owner) not in served
        if wanted and need is not None and isinstance(value, Scalar) and shaped(owner, SERVER) is None:
            served.add(id(owner))
            self.edit(site.key.literal, SERVER)
            self.express(value, need.vault, flow=owner.flow)
            return
        parent = job.node if job is not None else self.pipeline.root
        at = next(number for number, (_, content) in enumerate(parent.pairs) if content is owner)
        self.remove(owner, index, (parent, at))

    def serve(self, need: _Need, served: set[int]) -> None:
        job, step = need.job, " " * self.style.step
        secrets: list[str] = []
        known = {key.text for key, _ in pairs(shaped(job.node, "secrets"))}
        for name, reference in need.secrets.items():
            if name in known:
                continue
            version = [f"{step * 2}version: {reference.version}"] if reference.version else []
            secrets += [f"{name}:", f"{step}azure_key_vault:", f"{step * 2}name: {reference.name}", *version]
            secrets += [f"{step}token: ${self.token(job)}", f"{step}file: false"]
        blocks: list[tuple[str, list[str]]] = []
        variables = shaped(job.node, "variables")
        covered = self.server(job) == need.vault or any(
            id(owner) in served for owner in (variables, shaped(self.pipeline.root, "variables")) if owner is not None
        )
        if not covered:
            blocks.append(("variables", [f"{SERVER}: {need.vault}"]))
        if secrets:
            if shaped(job.node, "id_tokens", self.token(job)) is None and not self.inherited(job):
                blocks.append(("id_tokens", [f"{self.token(job)}:", f"{step}aud: {self.audience()}"]))
            blocks.append(("secrets", secrets))
        fresh: list[str] = []
        for key, lines in blocks:
            there = shaped(job.node, key)
            if isinstance(there, Map) and there.flow:
                self.flow_pair(there, lines[0])
            elif isinstance(there, Map) and there.pairs:
                self.pair_before(there, 0, lines)
            else:
                fresh += [f"{key}:", *(step + line for line in lines)]
        if fresh:
            names = [key.text for key, _ in pairs(job.node)]
            at = next((names.index(key) for key in ("before_script", "script") if key in names), 0)
            self.pair_before(job.node, at, fresh)

    def inherited(self, job: Job) -> bool:
        """Whether the token comes from a job that this one extends, or from the defaults."""
        owners = [*(other.node for other in self.ancestors(job)), shaped(self.pipeline.root, "default")]
        return any(shaped(owner, "id_tokens", self.token(job)) is not None for owner in owners)

    def token(self, job: Job) -> str:
        """The ID token that the job's secrets of before are read with, else ours."""
        for _, value in pairs(shaped(job.node, "secrets")):
            said = shaped(value, "token")
            if shaped(value, "azure_key_vault") is not None and isinstance(said, Scalar):
                return said.text.lstrip("$")
        return TOKEN

    def audience(self) -> str:
        """For whom the file's other tokens are, else GitLab's own address."""
        for owner in (shaped(self.pipeline.root, "default"), *(job.node for job in self.pipeline.jobs)):
            for _, value in pairs(shaped(owner, "id_tokens")):
                said = shaped(value, "aud")
                if isinstance(said, Scalar) and re.fullmatch(r"[\w:/.-]+", said.text):
                    return said.text
        return AUDIENCE

    def tell(self) -> None:
        """What people have to see to."""
        self.notes.append(
            f"{self.path}: secrets of jobs need GitLab Premium or Ultimate and a runner of version 16.6 or newer."
        )
        self.notes.append(
            f"{self.path}: the project needs the variables AZURE_CLIENT_ID and AZURE_TENANT_ID of an application whose "
            f"federated credential has the project as its subject and the audience {self.audience()}, and which has "
            "the role Key Vault Secrets User for the secrets."
        )
        self.notes.append(
            f"{self.path}: GitLab documents {SERVER} as a variable of the project; the file sets it, so try one job "
            "first."
        )
