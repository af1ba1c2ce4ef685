"""The references of an azd environment's variables, and the reasons for which others stay.

Sources: Azure/azure-dev, docs/using-environment-secrets.md; keyvault.go (`akvs://`, three parts, no version, the name
of a vault in azd's own cloud); hooks_runner.go (`secrets`).
"""

from __future__ import annotations

import re
from collections import Counter

from rewriters._aci_edit import Editor
from rewriters._api import Assignment, Edit, Files, Reference, Refusal, Request, Rewrite, Span
from rewriters._azd_env import COMPOSED, Variable, variables
from rewriters._azd_project import Hook, Parameters, Project, environments, names_in, projects
from rewriters._azd_read import HELD, SCRIPT
from rewriters._azure_identity import No, whole_text
from rewriters._yaml import Map, Node, Seq

__all__ = ["rewrite"]

_GONE = ("this place is not in the file any more", "scan the file again")
_OWN = re.compile(
    r"(?:AZURE_(?:ENV_NAME|LOCATION|SUBSCRIPTION_ID|TENANT_ID|PRINCIPAL_ID|PRINCIPAL_TYPE|RESOURCE_GROUP"
    r"|CONTAINER_REGISTRY_ENDPOINT|AKS_CLUSTER_NAME)|SERVICE_.*_(?:IMAGE_NAME|RESOURCE_EXISTS))\Z"
)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_OF_VAULT = re.compile(r"akvs://(?P<subscription>[0-9a-fA-F-]{36})/(?P<vault>[A-Za-z0-9-]+)/[0-9A-Za-z-]+\Z")
_IN_JSON = re.compile(rb'["\\\x00-\x1f]')


def rewrite(request: Request) -> Rewrite:
    work = _Work(request)
    for item in sorted(request.assignments, key=lambda item: (item.slot.path, item.slot.span)):
        try:
            work.take(item)
        except No as no:
            work.refusals.append(Refusal(item.slot.path, item.slot.pointer, no.reason, no.alternative, no.needs))
    work.hooks()
    edits = sorted(work.edits, key=lambda edit: (edit.path, edit.span))
    return Rewrite(edits=tuple(edits), refusals=tuple(work.refusals), notes=tuple(work.notes))


class _Work:
    """One rewrite."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.files: Files = request.files
        self.edits: list[Edit] = []
        self.refusals: list[Refusal] = []
        self.notes: dict[str, None] = {}
        self._projects: dict[str, Project] | None = None
        self._parameters: dict[str, Parameters] = {}
        self._variables: dict[str, tuple[Variable, ...]] = {}
        self._indexed: dict[str, tuple[dict[Span, Variable], Counter[str]]] = {}
        self._filled: list[str] | None = None
        self._roots = {path: root for path, root, _ in environments(request.files)}
        self._known: dict[str, str] | None = None
        self._mapped: dict[int, tuple[Project, Hook, dict[str, None]]] = {}

    def take(self, item: Assignment) -> None:
        slot, reference = item.slot, item.reference
        if slot.path.endswith(".json"):
            raise No(slot.reason, _config(slot.key, slot.reason))
        if not slot.path.endswith("/.env"):
            raise No(slot.reason, _text(slot.key, slot.reason, reference))
        by_span, count = self._index(slot.path)
        variable = by_span.get(slot.span)
        if variable is None:
            raise No(*_GONE)
        if variable.odd:
            again = f"set it anew with azd env set {variable.key}, which writes it in azd's own way, then move it"
            raise No(variable.odd, _OTHER_VARIABLE if variable.odd == COMPOSED else again)
        if count[variable.key] > 1:
            raise No(f"the file sets {variable.key} several times, and the last one counts", "delete the others")
        if not variable.value:
            raise No("the value is empty", "leave it")
        whole_text(item)
        if _OWN.match(variable.key):
            raise No("azd itself takes this variable, as it stands", "leave it: it names a place, and opens none")
        project = self.project(self._roots[slot.path])
        hooks = self._readers(project, variable)
        text = self._text_of(reference, slot.path)
        self.edits.append(Edit(slot.path, variable.span, text.encode()))
        for hook in hooks:
            if project.path:
                self._mapped.setdefault(id(hook.node), (project, hook, {}))[2].setdefault(variable.key)
        self._say(slot.path, project, hooks)

    def variables(self, path: str) -> tuple[Variable, ...]:
        if path not in self._variables:
            self._variables[path] = tuple(variables(self.files[path]))
        return self._variables[path]

    def _index(self, path: str) -> tuple[dict[Span, Variable], Counter[str]]:
        if path not in self._indexed:
            found = self.variables(path)
            self._indexed[path] = {one.span: one for one in found}, Counter(one.key for one in found)
        return self._indexed[path]

    def project(self, root: str) -> Project:
        if self._projects is None:
            self._projects = projects(self.files)
        return self._projects[root]

    def parameters(self, project: Project) -> Parameters:
        if project.root not in self._parameters:
            self._parameters[project.root] = Parameters(project, self.files)
        return self._parameters[project.root]

    # --- who takes a variable ----------------------------------------------------------------------------------------

    def _readers(self, project: Project, variable: Variable) -> list[Hook]:
        """The hooks that need the variable under `secrets`. Raises `No` when someone would be handed the reference's
        text, or nobody is seen to take the variable."""
        key = variable.key
        if project.terraform:
            raise No(
                "azd hands Terraform the text of a reference",
                f"read the secret in Terraform (azurerm_key_vault_secret), and take {key} out of the environment",
            )
        for pointer, text in project.texts:
            if key in names_in(text):
                raise No(
                    f"{pointer} of {project.path} takes this variable, and azd hands on a reference there as its text",
                    "have the infrastructure give the service the secret (a secret of a container app, a setting of "
                    "App Service that refers to the vault), and take the variable out there",
                )
        template = self._template(key)
        if template:
            raise No(
                f"{template} is filled with this variable, and would hold the text of a reference",
                "have the cluster read the vault there (External Secrets, Secrets Store CSI)",
            )
        resolved = self._parameters_take(project, variable)
        hooks = [hook for hook in project.hooks if hook.may_take(key)]
        mapped = any(key in hook.given().values() for hook in project.hooks)
        if not resolved and not hooks and not mapped:
            raise No(
                "nothing that is seen here would resolve a reference: no parameter of the infrastructure takes this "
                "variable, and no hook",
                f'give a @secure() parameter the value "${{{key}}}" in main.parameters.json, then move it; or run '
                "azd env set-secret where only azd exec takes it, which reads the vault",
            )
        return [hook for hook in hooks if key not in hook.given()]

    def _parameters_take(self, project: Project, variable: Variable) -> bool:
        key = variable.key
        found = self.parameters(project)
        output = found.output(key)
        if output:
            raise No(
                f"azd writes this variable from an output of {output} after each deployment",
                "take the output out (outputs of a deployment stay in its history), and read the value where it is "
                "needed from the vault",
            )
        if found.broken:
            raise No(f"{found.broken} cannot be read, so nobody knows what takes the variable", "correct it first")
        takers = [item for item in found.all if key in names_in(item.text)]
        instead = found.given_by_file()
        if instead and key.encode() in self.files[instead]:
            raise No(
                f"{instead} takes this variable, and azd resolves no reference for it",
                f"write az.getSecret(...) there, and take {key} out of the environment",
            )
        resolved = False
        for item in takers if not instead else ():
            how = found.taking(item, key)
            if how == "resolved" and _IN_JSON.search(variable.value):
                raise No(
                    f"azd puts the value into {item.path} as it stands, where a quote, a backslash or a line break "
                    f"is not what it is: the parameter {item.name} is handed something else today",
                    "store in the vault what the parameter is to be, with azd env set-secret",
                )
            if how is not None and how != "resolved":
                raise No(*_TAKES[how](item.name, item.path, f"{item.module}.bicep"))
            resolved |= how == "resolved"
        return resolved

    def _template(self, key: str) -> str:
        """A manifest that azd fills with the variable."""
        if self._filled is None:
            self._filled = [path for path, data in sorted(self.files.items()) if b".Env." in data]
        wanted = re.compile(rb"\.Env\." + re.escape(key.encode()) + rb"(?![A-Za-z0-9_])")
        return next((path for path in self._filled if wanted.search(self.files[path])), "")

    # --- the reference -----------------------------------------------------------------------------------------------

    def _text_of(self, reference: Reference, path: str) -> str:
        if reference.version:
            raise No("akvs:// names no version of a secret", "move it without a version")
        if reference.vault_url.lower() != f"https://{reference.vault_name}.vault.azure.net".lower():
            raise No(
                "akvs:// names a vault of azd's own cloud only, which this one need not be in",
                "set it with azd env set-secret",
            )
        return f"akvs://{self._subscription(reference, path)}/{reference.vault_name}/{reference.name}"

    def _subscription(self, reference: Reference, path: str) -> str:
        given = self.request.settings.vault_id
        match = re.match(r"/subscriptions/([^/]+)/.*/vaults/([^/]+)\Z", given, re.IGNORECASE)
        if match is not None and match[2].lower() == reference.vault_name.lower() and _GUID.match(match[1]):
            return match[1]
        known = self._subscriptions().get(reference.vault_name.lower())
        if known is not None:
            return known
        for one in self.variables(path):
            text = one.value.decode("utf-8", "replace")
            if one.key == "AZURE_SUBSCRIPTION_ID" and _GUID.match(text):
                self.notes.setdefault(
                    f"{path}: the references name the subscription of the environment, as nothing says which one "
                    f"{reference.vault_name} is in; say it with --vault-id if it is another."
                )
                return text
        raise No(
            "akvs:// names the subscription of the vault, which nothing says here",
            f"say it with --vault-id (az keyvault show --name {reference.vault_name} --query id)",
        )

    def _subscriptions(self) -> dict[str, str]:
        """Those that references which are there already name, by vault."""
        if self._known is None:
            self._known = {}
            for path in self._roots:
                for one in self.variables(path):
                    match = _OF_VAULT.match(one.value.decode("utf-8", "replace"))
                    if match is not None:
                        self._known.setdefault(match["vault"].lower(), match["subscription"])
        return self._known

    def _say(self, path: str, project: Project, hooks: list[Hook]) -> None:
        self.notes.setdefault(
            f"{path}: azd 1.12 or later reads the vault as who is signed in, who needs the role Key Vault Secrets User "
            "on the secrets; so does the principal of a pipeline."
        )
        self.notes.setdefault(
            f"{path}: azd env get-values, and builds of services, are handed the text of the references; azd exec is "
            "handed the values. azd pipeline config keeps the references for what azure.yaml names under "
            "pipeline.variables, and copies the values of what it names under pipeline.secrets."
        )
        if hooks and project.path:
            self.notes.setdefault(
                f"{project.path}: in an environment without a variable that moved, the hooks are handed its name from "
                "now on; set it there, too."
            )

    # --- hooks -------------------------------------------------------------------------------------------------------

    def hooks(self) -> None:
        """Names the moved variables under the `secrets` of the hooks that may take them."""
        editors: dict[str, Editor] = {}
        for project, hook, names in self._mapped.values():
            editor = editors.setdefault(project.path, Editor(project.path, self.files[project.path]))
            _name(editor, hook, list(names))
        for editor in editors.values():
            self.edits += editor.edits


def _name(editor: Editor, hook: Hook, names: list[str]) -> None:
    there = hook.secrets
    if there is not None and there.pairs:
        if there.flow:
            _into(editor, there, ", ".join(f"{name}: {name}" for name in names))
        else:
            column = editor.column(there.pairs[0][0].start)
            editor.append_lines(_last(there), column, [f"{name}: {name}" for name in names])
        return
    inline = "secrets: {" + ", ".join(f"{name}: {name}" for name in names) + "}"
    entry = hook.node.entries().get("secrets")
    if entry is not None and (there is None or there.flow):
        key, value = entry
        if there is not None:
            _into(editor, there, inline[len("secrets: {") : -1])
        else:
            editor.fill(key, value, inline[len("secrets: ") :])
    elif hook.node.flow:
        _into(editor, hook.node, inline)
    else:
        column = editor.column(hook.node.pairs[0][0].start)
        editor.append_lines(_last(hook.node), column, ["secrets:", *(f"  {name}: {name}" for name in names)])


def _into(editor: Editor, node: Map, text: str) -> None:
    """A pair in front of those of a map in braces."""
    first = node.pairs[0][0].start if node.pairs else node.start
    if node.pairs and b"\n" not in editor.data[node.start : first]:
        editor.edit(Span(first, first), f"{text}, ")
    else:
        editor.flow_pair(node, text)


def _last(node: Node) -> Node:
    """The node with which a map in lines ends."""
    while isinstance(node, Map | Seq) and not node.flow:
        inner = node.pairs[-1][1] if isinstance(node, Map) and node.pairs else None
        inner = node.items[-1] if isinstance(node, Seq) and node.items else inner
        if inner is None:
            break
        node = inner
    return node


# --- what cannot be -------------------------------------------------------------------------------------------------

_OTHER_VARIABLE = "move the variable that holds the secret instead"


def _open(name: str, path: str, module: str) -> tuple[str, str]:
    return (
        f"the parameter {name} is no @secure() one, and azd resolves references for those only",
        f"write @secure() above param {name} in {module}, then move it",
    )


def _inside(name: str, path: str, module: str) -> tuple[str, str]:
    return (
        f"{path} puts this variable into a longer text, where azd would leave the text of a reference",
        f"give a @secure() parameter of its own the value, and put the text for {name} together in {module}",
    )


def _typed(name: str, path: str, module: str) -> tuple[str, str]:
    return (
        f"the parameter {name} is no text, and azd resolves references for texts only",
        f"give a @secure() parameter of the type string the value, and make {name} of it in {module}",
    )


def _unseen(name: str, path: str, module: str) -> tuple[str, str]:
    return (
        f"{module} is not among the files or cannot be read, and has to say that the parameter {name} is @secure()",
        "scan the whole folder of the project",
    )


_TAKES = {"open": _open, "inside": _inside, "typed": _typed, "unseen": _unseen}


def _config(key: str, reason: str) -> str:
    if reason == HELD:
        return "set the parameter through the environment (azd env set-secret) to have it in the vault"
    variable = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|\W", "_", key).upper() or "NAME"
    return (
        f'write "${{{variable}}}" for the parameter in main.parameters.json, mark it @secure(), run azd env set-secret '
        f"{variable}, and take the value out here (azd env config unset)"
    )


def _text(key: str, reason: str, reference: Reference) -> str:
    if reason == SCRIPT:
        return (
            f"take it from a variable there, set that one with azd env set-secret {reference.variable}, and name it "
            f"under secrets of the hook ({reference.variable}: {reference.variable})"
        )
    return (
        "have the infrastructure give the service the secret (a secret of a container app, a setting of App Service "
        "that refers to the vault), and take it out here"
    )
