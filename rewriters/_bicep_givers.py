"""Who gives a parameter of a template its value, and how each of them is made to take it from the vault.

Sources: Microsoft Learn, "Create parameters files for Bicep deployment", "Use Azure Key Vault to pass a secret as a
parameter during Bicep deployment"; Azure/bicep, AzNamespaceType.cs (`az.getSecret`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rewriters._api import Companion, Edit, Reference, Request, Unreadable
from rewriters._azure_identity import No
from rewriters._bicep_edit import Editor, quoted
from rewriters._bicep_facts import File, Resource
from rewriters._bicep_project import Ambiguous, Project
from rewriters._bicep_tokens import literal_text
from rewriters._bicep_tree import Branches, Object, Text
from rewriters._json import read
from rewriters._json_edit import Editor as JsonEditor
from rewriters._yaml import Map, follow

__all__ = ["Givers", "Step"]

_VAULTS = "microsoft.keyvault/vaults"
_VAULTS_VERSION = "2023-07-01"
_PUBLIC = ".vault.azure.net"
Step = Callable[[], None]
"""One change, made once everything that an assignment needs is known to be possible."""


class Givers:
    """Collects the edits of all files of a tree."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.project = Project(request.files)
        self.editors: dict[str, Editor] = {}
        self.json: dict[str, tuple[JsonEditor, Map]] = {}
        self.made: dict[str, dict[str, str]] = {}
        self.given_to: dict[tuple[str, str], Reference] = {}
        self.vaults: dict[tuple[str, str], str] = {}
        self.notes: dict[str, None] = {}

    def editor(self, file: File) -> Editor:
        return self.editors.setdefault(file.path, Editor(file))

    def assign(self, parameters: File, name: str, reference: Reference) -> None:
        self.editor(parameters).assign(name, self.call(reference))

    def edits(self) -> tuple[Edit, ...]:
        edits = [edit for editor in self.editors.values() for edit in editor.edits]
        return (*edits, *(edit for editor, _ in self.json.values() for edit in editor.edits()))

    def location(self, reference: Reference) -> tuple[str, str]:
        """Subscription and resource group of the reference's vault."""
        host = reference.vault_url.partition("://")[2].partition("/")[0].partition(":")[0]
        if not host.lower().endswith(_PUBLIC):
            raise No(
                "a deployment names a vault without its cloud, so that it cannot be told which one is meant",
                "write az.getSecret by hand, and deploy into the cloud of the vault",
            )
        try:
            found = self.project.vault(reference.vault_name, self.request.settings.vault_id)
        except Ambiguous:
            raise No(
                f"files name several subscriptions or resource groups for the vault {reference.vault_name}",
                f"say which one is meant: {_vault_id(reference)}",
            ) from None
        if found is None:
            raise No(
                f"nothing says in which subscription and resource group the vault {reference.vault_name} is, "
                "which a deployment has to name",
                f"give its resource id: {_vault_id(reference)}",
            )
        return found

    def call(self, reference: Reference) -> str:
        """`az.getSecret(...)`."""
        parts = [*self.location(reference), reference.vault_name, reference.name]
        parts += [reference.version] * bool(reference.version)
        return f"az.getSecret({', '.join(map(quoted, parts))})"

    def provide(self, file: File, name: str, reference: Reference) -> list[Step]:
        """Everyone who uses the template and does not set this parameter gets it from the vault."""
        users = self.project.users(file.path)
        steps: list[Step] = [lambda: self.note_vault(reference)]
        base = file.path.rpartition("/")[2].encode()
        for path in users.broken:
            if base in self.request.files[path]:
                raise No(f"{path} may use the file, and cannot be read", "mend it, then run this again")
        if not users.any():
            return [*steps, self.companion(file, name, reference)]
        for parameters in users.parameters:
            if not self.project.sets(parameters, name):
                steps.append(
                    self.once(
                        (parameters.path, name),
                        reference,
                        partial(self.assign, parameters, name, reference),
                    )
                )
        for path in users.json:
            steps += self.in_json(path, name, reference)
        for caller, resource in users.calls:
            steps += self.in_call(caller, resource, name, reference)
        return steps

    def once(self, place: tuple[str, str], reference: Reference, step: Step) -> Step:
        def work() -> None:
            if place not in self.given_to:
                self.given_to[place] = reference
                step()

        return work

    def companion(self, file: File, name: str, reference: Reference) -> Step:
        path = file.path[: -len(".bicep")] + ".bicepparam"
        if path in self.request.files and path not in self.made:
            raise No(
                f"{path} is there, and is no parameter file of {file.path} that this reads",
                f"have it say using './{file.path.rpartition('/')[2]}'",
            )

        def work() -> None:
            self.made.setdefault(path, {})[name] = self.call(reference)

        return work

    def companions(self) -> list[Companion]:
        made: list[Companion] = []
        for path, values in self.made.items():
            template = path[: -len("param")]
            file = self.project.file(template)
            data = file.data if file is not None else b""
            end = "\r\n" if b"\r\n" in data else "\n"
            lines = [
                f"using './{template.rpartition('/')[2]}'",
                "",
                *(f"param {name} = {call}" for name, call in values.items()),
            ]
            made.append(
                Companion(
                    path,
                    "".join(line + end for line in lines).encode(),
                    f"Deploy {template} with it: --parameters {path}.",
                )
            )
            missing = [
                item.statement.name
                for item in (file.declared if file is not None else ())
                if item.statement.kind == "param"
                and item.value is None
                and not item.type.endswith("?")
                and item.statement.name not in values
            ]
            if missing:
                told = ", ".join(missing)
                self.note(f"{path}: it gives no value to {told}. Set them there, or on the command line.")
        return made

    def in_json(self, path: str, name: str, reference: Reference) -> list[Step]:
        """A JSON parameter file."""
        try:
            root = read(self.request.files[path])
        except Unreadable:
            raise No(f"{path} may set the parameter, and cannot be read", "mend it, then run this again") from None
        found = root.get("parameters") if isinstance(root, Map) else None
        parameters = follow(found) if found is not None else None
        if not isinstance(parameters, Map):
            raise No(f"{path} may set the parameter, and has no map of parameters", "mend it, then run this again")
        if any(key.lower() == name.lower() for key in parameters.entries()):
            return []
        subscription, group = self.location(reference)
        vault = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/"
        held: dict[str, object] = {"keyVault": {"id": vault + reference.vault_name}, "secretName": reference.name}
        if reference.version:
            held["secretVersion"] = reference.version
        value = {"reference": held}

        def work() -> None:
            # The same map for all that comes to the file, since its editor tells maps apart by what they are.
            editor, owner = self.json.setdefault(path, (JsonEditor(path, self.request.files[path]), parameters))
            editor.add(owner, name, value)

        return [self.once((path, name), reference, work)]

    def in_call(self, caller: File, resource: Resource, name: str, reference: Reference) -> list[Step]:
        """A call of the template as a module."""
        if resource.body is None:
            raise No(
                f"{caller.path} uses the file as a module in a way that this does not read",
                "set the parameter there by hand",
            )
        params = resource.body.get("params")
        if params is None:
            raise No(
                f"{caller.path} calls the file as a module without any parameters",
                f"give the module {resource.symbol} there params with {name}",
            )
        if not isinstance(params, Object) or params.spreads:
            raise No(
                f"{caller.path} gives the module its parameters in a way that this does not read",
                "set the parameter there by hand",
            )
        if params.get(name) is not None:
            return []
        return [
            self.once(
                (f"{caller.path}#{resource.symbol}", name),
                reference,
                lambda: self.editor(caller).add(params, name, self.secret_of(caller, resource, reference)),
            )
        ]

    def secret_of(self, file: File, near: Resource, reference: Reference) -> str:
        """`kv.getSecret('name')`, the vault declared where it is not."""
        parts = [reference.name, *([reference.version] if reference.version else [])]
        return f"{self.vault_symbol(file, near, reference)}.getSecret({', '.join(map(quoted, parts))})"

    def vault_symbol(self, file: File, near: Resource, reference: Reference) -> str:
        known = self.vaults.get((file.path, reference.vault_name.lower()))
        if known is None:
            known = next((resource.symbol for resource in file.resources if _is_vault(file, resource, reference)), None)
        if known is None:
            editor = self.editor(file)
            known = editor.fresh("keyVault")
            subscription, group = self.location(reference)
            lines = [
                f"resource {known} 'Microsoft.KeyVault/vaults@{_VAULTS_VERSION}' existing = {{",
                f"  name: {quoted(reference.vault_name)}",
                f"  scope: resourceGroup({quoted(subscription)}, {quoted(group)})",
                "}",
            ]
            item = next(item for item in file.declared if item.statement is near.statement)
            editor.before(item, editor.newline.join(lines))
        self.vaults[file.path, reference.vault_name.lower()] = known
        return known

    # --- notes -------------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        self.notes[text] = None

    def note_vault(self, reference: Reference) -> None:
        self.note(
            f"The vault {reference.vault_name} has to allow template deployments (az keyvault update --name "
            f"{reference.vault_name} --enabled-for-template-deployment true), and whoever deploys needs the action "
            "Microsoft.KeyVault/vaults/deploy/action on it."
        )

    def note_shown(self, file: File, name: str) -> None:
        for item in file.declared:
            if item.statement.kind == "output" and any(
                token.kind == "id" and token.text == name
                for token in item.statement.tokens[item.statement.keyword + 2 :]
            ):
                self.note(
                    f"{file.path}: the output {item.statement.name} shows {name} to whoever can read the deployment."
                )


def _vault_id(reference: Reference) -> str:
    return (
        f"--vault-id /subscriptions/.../resourceGroups/.../providers/Microsoft.KeyVault/vaults/{reference.vault_name}"
    )


def _is_vault(file: File, resource: Resource, reference: Reference) -> bool:
    kind = resource.type.partition("@")[0].lower()
    if kind != _VAULTS or resource.parent is not None or resource.body is None:
        return False
    value = next(item.value for item in file.declared if item.statement is resource.statement)
    name = resource.body.get("name")
    if isinstance(value, Branches) or not isinstance(name, Text) or len(name.pieces) != 1:
        return False
    try:
        return literal_text(file.data, name.pieces[0]).lower() == reference.vault_name.lower()
    except Unreadable:
        return False
