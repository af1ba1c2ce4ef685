"""The steps that sign in and read the vault: where they stand in a job, what they read, and what they need.

Sources: azure/login, README; GitHub documentation, "Permissions of the GITHUB_TOKEN", "Configuring OpenID Connect in
Azure".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Reference, Settings, Span
from rewriters._ci_sites import No, pairs, shaped
from rewriters._ci_steps import StepEditor
from rewriters._githubactions_fetch import Fetched, fetched, line, script
from rewriters._githubactions_read import Job, Step, Workflow, login_step
from rewriters._k8s_text import column
from rewriters._yaml import Map, Node, Scalar

__all__ = ["SECRET", "Need", "Steps", "run_of"]

_SIGN_IN = ("client-id", "tenant-id", "subscription-id", "creds", "environment", "allow-no-subscriptions", "audience")
_GIVEN = re.compile(r"\$\{\{ *(?:secrets|vars)\.\w+ *\}\}|[0-9a-fA-F-]{36}|true|false|[A-Za-z]{5,20}")
SECRET = "keep it as a secret of the repository, which a person makes, and write `${{ secrets.NAME }}`"


@dataclass(slots=True)
class Need:
    """What the steps of a job take: variables for all of them, and outputs for some."""

    job: Job
    variables: dict[str, Reference] = field(default_factory=dict)
    outputs: dict[Reference, int] = field(default_factory=dict)
    names: dict[Reference, str] = field(default_factory=dict)
    id: str = ""

    @property
    def first(self) -> int:
        """The step that the values have to be read before."""
        return 0 if self.variables else min(self.outputs.values(), default=0)


class Steps(StepEditor):
    """The edits of one file, and the steps that its jobs are given."""

    def __init__(self, path: str, workflow: Workflow, settings: Settings) -> None:
        super().__init__(path, workflow.data, workflow.root)
        self.workflow, self.settings = workflow, settings
        self.notes: list[str] = []
        self.needs: dict[int, Need] = {}
        self.permitted: set[int] = set()

    def ready(self, job: Job, first: int) -> None:
        """Raises `No` where no step can be put in front."""
        seq = job.seq
        if not job.plain or seq is None or seq.flow or self.workflow.collector.shared(seq):
            raise No(
                "the job's steps are not written out in lines, so none can be put in front",
                "write the steps as a list in lines, then run this again",
            )
        if job.action:
            if self.login(job, first) is None:
                raise No(
                    "an action has no permission and no secrets of its own to sign in to Azure with",
                    "make it an input of the action, and have the workflow that uses it pass the value",
                )
            return
        container = shaped(job.node, "container")
        image = shaped(container, "image") if isinstance(container, Map) else container
        if container is not None and not (isinstance(image, Scalar) and "azure-cli" in image.text):
            raise No(
                "the job runs in a container of its own, whose image need not have the Azure CLI",
                f"run the job on the runner itself, or {SECRET}",
            )
        login = self.login(job, first)
        if login is None or not self.with_password(job, login):
            owner, permissions = self.permissions(job)
            known = permissions.get("id-token") if isinstance(permissions, Map) else None
            if owner is not None and not (
                (
                    isinstance(permissions, Map)
                    and (permissions.pairs or permissions.flow)
                    and (known is None or isinstance(known, Scalar))
                )
                or (isinstance(permissions, Scalar) and permissions.text == "write-all")
            ):
                raise No(
                    "the job's permissions are given as a whole, and do not let it sign in to Azure",
                    "list the permissions one by one, with `id-token: write`",
                )

    def need(self, job: Job) -> Need:
        return self.needs.setdefault(id(job), Need(job))

    # --- signing in and reading --------------------------------------------------------------------------------------

    def login(self, job: Job, first: int) -> int | None:
        """The last step before `first` that signs in for certain; for the first step, also that step itself."""
        found = None
        for step in job.steps[: max(first, 1)]:
            if login_step(step.node) and shaped(step.node, "if") is None:
                found = step.index
        return found

    def with_password(self, job: Job, index: int) -> bool:
        return shaped(job.steps[index].node, "with", "creds") is not None

    def existing(self, job: Job, first: int) -> Step | None:
        """The step of an earlier run that reads the vault, if it stands early enough."""
        for step in job.steps:
            ours = bool(list(fetched(run_of(step))))
            if ours and (step.index < first or not first):
                return step
            if not first and not ours and not login_step(step.node):
                return None
        return None

    def supply(self, need: Need) -> None:
        """Puts the steps in front, or adds to one of ours."""
        job, first = need.job, need.first
        there = self.existing(job, first)
        known = list(fetched(run_of(there))) if there is not None else []
        wanted = [Fetched("ENV", name, reference) for name, reference in need.variables.items()]
        used = {item.name for item in known if item.kind == "OUTPUT"}
        for reference in need.outputs:
            name = next((item.name for item in known if item.kind == "OUTPUT" and item.reference == reference), "")
            if not name:
                plain = reference.name if reference.name[:1].isalpha() else f"s-{reference.name}"
                options = (plain, *(f"{plain}-{number}" for number in range(2, 1000)))
                name = next(option for option in options if option not in used)
                wanted.append(Fetched("OUTPUT", name, reference))
            used.add(name)
            need.names[reference] = name
        wanted = [item for item in wanted if item not in known]
        if there is not None:
            said = shaped(there.node, "id")
            need.id = said.text if isinstance(said, Scalar) else ""
            self.extend(there, wanted)
            return
        ids = {node.text for step in job.steps if isinstance(node := shaped(step.node, "id"), Scalar)}
        need.id = next(name for name in ("key-vault", *(f"key-vault-{n}" for n in range(2, 9999))) if name not in ids)
        login = self.login(job, first)
        nested = " " * self.style.step
        items = [] if login is not None else [list(self.login_lines(nested))]
        lines = ["name: Read secrets from Azure Key Vault", f"id: {need.id}", "shell: bash"]
        if any(
            shaped(owner, "defaults", "run", "working-directory") is not None
            for owner in (job.node, self.workflow.root)
        ):
            lines.append("working-directory: ${{ github.workspace }}")
        lines += ["run: |", *(nested + text for text in script(wanted))]
        assert job.seq is not None  # noqa: S101 - asked when it was accepted
        self.items_before(job.seq, first if login is None else login + 1, [*items, lines])
        if not job.action and (login is None or not self.with_password(job, login)):
            self.permit(job)

    def login_lines(self, nested: str) -> Iterator[str]:
        """A step that signs in as the file's own do, else with variables of the repository."""
        for job in self.workflow.jobs:
            for step in job.steps:
                given = {
                    key.text: value.text for key, value in pairs(shaped(step.node, "with")) if isinstance(value, Scalar)
                }
                version = login_step(step.node)
                if version and given.keys() <= set(_SIGN_IN) and all(_GIVEN.fullmatch(text) for text in given.values()):
                    if "creds" in given and "${{" not in given["creds"]:
                        continue
                    yield from ("name: Sign in to Azure", f"uses: azure/login@{version}", "with:")
                    yield from (f"{nested}{name}: {text}" for name, text in given.items())
                    return
        yield from ("name: Sign in to Azure", "uses: azure/login@v2", "with:")
        names = [
            name
            for name, given in (
                ("AZURE_CLIENT_ID", self.settings.client_id),
                ("AZURE_TENANT_ID", self.settings.tenant_id),
            )
            if not given
        ]
        names.append("AZURE_SUBSCRIPTION_ID")
        yield f"{nested}client-id: {self.settings.client_id or '${{ vars.AZURE_CLIENT_ID }}'}"
        yield f"{nested}tenant-id: {self.settings.tenant_id or '${{ vars.AZURE_TENANT_ID }}'}"
        yield f"{nested}subscription-id: ${{{{ vars.AZURE_SUBSCRIPTION_ID }}}}"
        self.notes.append(
            f"{self.path}: the repository needs the variables {', '.join(names)} (a person sets them in its settings)."
        )

    def extend(self, step: Step, wanted: list[Fetched]) -> None:
        run = shaped(step.node, "run")
        if not wanted or not isinstance(run, Scalar):
            return
        calls = list(re.finditer(rb"(?m)^([ \t]*)fetch \"[^\r\n]*", self.data[run.span.start : run.span.end]))
        at = run.span.start + (calls[-1].end() if calls else len(run.span))
        pad = calls[-1][1].decode() if calls else ""
        self.edit(Span(at, at), "".join(f"{self.newline}{pad}{line(item)}" for item in wanted))

    def permissions(self, job: Job) -> tuple[Map | None, Node | None]:
        """The map that says what the job's token may do, and what it says."""
        for owner in (job.node, self.workflow.root):
            said = shaped(owner, "permissions")
            if said is not None:
                return owner, said
        return None, None

    def permit(self, job: Job) -> None:
        """`id-token: write` for the job."""
        owner, permissions = self.permissions(job)
        if owner is None:
            lines = [
                "permissions:",
                " " * self.style.step + "contents: read",
                " " * self.style.step + "id-token: write",
            ]
            keys = [key.text if isinstance(key, Scalar) else "" for key, _ in job.node.pairs]
            at = keys.index("runs-on") if "runs-on" in keys else keys.index("steps")
            if keys[at] == "runs-on":
                self.pair_behind(job.node.pairs[at][1], column(self.data, job.node.pairs[at][0].start), lines)
            else:
                self.pair_before(job.node, at, lines)
            self.notes.append(
                f"{self.path}: the job {job.name} had the default permissions and now has `contents: read` and "
                "`id-token: write` only; add to its `permissions` what its steps do besides with GITHUB_TOKEN."
            )
            return
        if not isinstance(permissions, Map) or id(permissions) in self.permitted:
            return
        self.permitted.add(id(permissions))
        known = permissions.get("id-token")
        if isinstance(known, Scalar):
            if known.text != "write":
                self.express(known, "write", flow=permissions.flow)
        elif permissions.flow:
            self.flow_pair(permissions, "id-token: write")
        else:
            self.pair_behind(permissions, column(self.data, permissions.pairs[0][0].start), ["id-token: write"])


def run_of(step: Step) -> str:
    run = shaped(step.node, "run")
    return run.text if isinstance(run, Scalar) else ""
