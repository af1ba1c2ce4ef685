"""The edits of Terraform files: references, the blocks that they lead to, and the variables of the fetch script.

Sources: azurerm documents: `azurerm_key_vault_secret` (data source; ephemeral, Terraform 1.10), `azurerm_resources`
(the id of a vault by its name, in the provider's subscription), `azurerm_container_app` (`key_vault_secret_id` and
`identity` together), `azurerm_linux_web_app` (`key_vault_reference_identity_id`); Terraform language: `sensitive`,
`TF_VAR_…`, for_each (takes no sensitive value); azurerm backend, `ARM_ACCESS_KEY`.
"""

from __future__ import annotations

import re

from rewriters import fetch
from rewriters._api import Assignment, Companion, Edit, Reference, Refusal, Request, Rewrite, Span, Unreadable, Variable
from rewriters._encode import locate
from rewriters._hcl import Block, apart
from rewriters._hcl_edit import Editor
from rewriters._json_edit import Editor as JsonEditor
from rewriters._terraform_apps import Apps
from rewriters._terraform_blocks import Blocks, No
from rewriters._terraform_module import Module, modules
from rewriters._terraform_read import BACKEND_VARIABLES, REASONS, Site, folder_of, is_variables, read

__all__ = ["rewrite"]

_AZURE_PROVIDERS = frozenset(("azurerm", "azapi", "azuread"))
_LOADED = re.compile(r"(?:^|/)(?:terraform\.tfvars|[^/]*\.auto\.tfvars)(?:\.json)?\Z", re.IGNORECASE)


def rewrite(request: Request) -> Rewrite:
    if not request.assignments:
        return Rewrite()
    return _Work(request).answer()


class _Work:
    def __init__(self, request: Request) -> None:
        self.files, self.request = request.files, request
        self.modules = modules(request.files)
        self.called = {folder for module in self.modules.values() for folder in module.called}
        self.refusals: list[Refusal] = []
        self.notes: dict[str, None] = {}
        self.editors: dict[str, Editor] = {}
        self.json: dict[str, JsonEditor] = {}
        self.more: list[Edit] = []
        self.blocks: dict[str, Blocks] = {}
        self.given: dict[tuple[str, str], Reference] = {}
        self.shown: set[tuple[str, int]] = set()
        self.apps = Apps(self.editor, request.settings.identity, self.notes)

    def answer(self) -> Rewrite:
        by_path: dict[str, list[Assignment]] = {}
        for item in self.request.assignments:
            by_path.setdefault(item.slot.path, []).append(item)
        # Files of values first: what they set, a default need not.
        for path in sorted(by_path, key=lambda path: (not is_variables(path), path)):
            self.file(path, by_path[path])
        for path, start in sorted(self.shown):
            self.mark(path, start)
        companions: list[Companion] = []
        for blocks in self.blocks.values():
            blocks.write(self.editor, companions, self.notes)
        edits = [edit for editor in self.editors.values() for edit in editor.done()]
        edits += [edit for editor in self.json.values() for edit in editor.edits()]
        variables = (Variable(folder, name, reference) for (folder, name), reference in self.given.items())
        return Rewrite(
            edits=(*edits, *self.more),
            companions=tuple(companions),
            refusals=tuple(self.refusals),
            variables=tuple(sorted(variables)),
            notes=tuple(self.notes),
        )

    def editor(self, path: str) -> Editor:
        if path not in self.editors:
            self.editors[path] = Editor(path, self.files[path])
        return self.editors[path]

    def file(self, path: str, items: list[Assignment]) -> None:
        try:
            sites = {site.slot.pointer: site for site in read(path, self.files[path])}
        except Unreadable as error:
            raise ValueError(f"{path} is assigned, and cannot be read: {error.reason}") from None
        taken: list[Span] = []
        for item in sorted(items, key=lambda item: (item.slot.span, item.part or Span(0, 0))):
            site = sites.get(item.slot.pointer)
            try:
                if site is None or site.slot.span != item.slot.span:
                    raise No("this place is not in the file any more", "scan the file again")
                span = self.span(item, site)
                if any(span.touches(other) or span == other for other in taken):
                    raise No("this place was moved already", "scan the file again")
                self.move(path, item, site, span)
                taken.append(span)
            except No as no:
                self.refusals.append(Refusal(path, item.slot.pointer, no.reason, no.alternative))

    def span(self, item: Assignment, site: Site) -> Span:
        """The bytes that go: the literal, or those of the part."""
        slot = site.slot
        if not site.kind:
            if site.refused:
                raise No(*REASONS[site.refused])
            raise No(slot.reason, "write the text in another way, then run this again")
        if b"\0" in slot.value.reveal():
            raise No("the value holds a NUL byte, which no text of Terraform can", "store it base64-encoded")
        if item.part is None or len(item.part) == len(slot.value.reveal()):
            if site.template:
                raise No(*REASONS["template"])
            return slot.literal
        if not slot.interpolates:
            raise No("a reference stands for a whole value here", "move the whole text as one secret")
        raw = self.files[slot.path][slot.span.start : slot.span.end]
        found = locate(slot.encoding, raw, item.part)
        if found is None or not apart(raw, found):
            raise No("this part of the text cannot be replaced alone", "move the whole text as one secret")
        return Span(slot.span.start + found.start, slot.span.start + found.end)

    def move(self, path: str, item: Assignment, site: Site, span: Span) -> None:
        if site.kind == "values":
            self.value(path, item, site)
        elif site.kind == "default":
            self.default(path, item, site)
        elif site.kind == "backend":
            self.backend(path, item, site)
        elif site.kind in ("app-secret", "app-env", "app-setting") and site.place is not None:
            self.apps.move(site.kind, path, item.reference, site.place)
        else:
            self.expression(path, item, site, span)

    # --- expressions ------------------------------------------------------------------------------------------------

    def expression(self, path: str, item: Assignment, site: Site, span: Span) -> None:
        module = self.modules[folder_of(path)]
        words = _words(site)
        kind = self.source(module, item.reference, site, words)
        names = _names(words)
        if names:
            outputs, iterated = module.shown(names)
            if iterated:
                raise No(*REASONS["each"])
        blocks = self.blocks_of(module)
        if kind == "variable":
            name = blocks.variable(item.reference, self.free(module.folder))
            self.take(module.folder, f"TF_VAR_{name}", item.reference)
            expression = f"var.{name}"
            self.notes[self.run(module.folder)] = None
        else:
            label = blocks.secret(kind, item.reference, path)
            expression = f"{kind}.azurerm_key_vault_secret.{label}.value"
            self.note(path, kind)
        if names:
            self.shown |= outputs
        if words[0] == "output" and words[2:3] == ("value",) and site.place is not None:
            self.shown_itself(path, site.place.blocks[0])
        whole = span == site.slot.literal
        if whole and site.place is not None:
            self.editor(path).put(span, expression)
        else:
            # In JSON an expression stands in a text.
            span = site.slot.span if whole else span
            self.more.append(Edit(path, span, f"${{{expression}}}".encode()))

    def source(self, module: Module, reference: Reference, site: Site, words: tuple[str, ...]) -> str:
        """`data`, `ephemeral` or `variable`. Raises `No` when there is none."""
        own = words[0] == "provider" and words[1:2] and words[1] in _AZURE_PROVIDERS
        itself = words[0] in ("resource", "data") and words[1:2] == ("azurerm_key_vault_secret",)
        name = site.place.blocks[0].body.text("name") if itself and site.place is not None else ""
        if name.lower() == reference.name.lower():
            raise No(
                "the block itself manages the secret of this name in the vault",
                "take the block out of the configuration (removed block), and read the secret with a data source",
            )
        if module.azurerm and not own:
            return "data" if site.kind == "data" else "ephemeral"
        if self.is_root(module):
            return "variable"
        raise No(
            "the module reads no vault, and others call it, so that no variable of the environment reaches it",
            "give it a variable with sensitive = true, and pass the secret where the module is called",
        )

    def is_root(self, module: Module) -> bool:
        return module.configured or (module.folder or ".") not in self.called

    def note(self, path: str, kind: str) -> None:
        if kind == "data":
            self.notes[
                f"{path}: what a data source reads is in Terraform's state in plain text; keep the state where few "
                "people can read it."
            ] = None
        else:
            self.notes[
                f"{path}: ephemeral resources need Terraform 1.10 or newer, and an azurerm provider that knows them."
            ] = None
        self.notes[
            f"{path}: whoever runs Terraform needs the role Key Vault Secrets User for the secrets, and Reader on the "
            "vault."
        ] = None

    def shown_itself(self, path: str, block: Block) -> None:
        if block.body.get("sensitive") is None:
            self.shown.add((path, block.span.start))

    def mark(self, path: str, start: int) -> None:
        module = self.modules[folder_of(path)]
        for block in module.bodies[path].of("output"):
            if block.span.start == start:
                editor, value = self.editor(path), block.body.get("value")
                if value is not None:
                    editor.open(block)
                    editor.after(block.body, value, [("sensitive", "true")])

    def blocks_of(self, module: Module) -> Blocks:
        if module.folder not in self.blocks:
            self.blocks[module.folder] = Blocks(module)
        return self.blocks[module.folder]

    # --- variables --------------------------------------------------------------------------------------------------

    def known(self, folder: str, name: str) -> Reference | None:
        return self.given.get((folder, name)) or fetch.variables(folder, self.files).get(name)

    def free(self, folder: str) -> dict[str, Reference]:
        """What the fetch script of the folder sets, with what it will set."""
        known = dict(fetch.variables(folder, self.files))
        known |= {name: reference for (other, name), reference in self.given.items() if other == folder}
        return known

    def take(self, folder: str, name: str, reference: Reference) -> None:
        if not fetch.is_variable(name):
            raise No(f"{name} is no name that a shell can set", "give the variable a name of letters, digits and _")
        known = self.known(folder, name)
        if known is not None and known != reference:
            raise No(
                f"the fetch script of this folder sets {name} to another secret",
                "give each environment's file of values a folder of its own",
            )
        self.given[folder, name] = reference

    def run(self, folder: str) -> str:
        path = fetch.path_for(folder, self.files)
        return f"{folder or 'the root folder'}: run Terraform through {path}, which sets the variables from the vault."

    def value(self, path: str, item: Assignment, site: Site) -> None:
        name = site.slot.pointer
        module = self.declaring(path, name)
        if module is not None and not module.reads_text(name):
            raise No(
                "the variable's type is no text, so that TF_VAR_… would be read as an expression",
                "declare it with type = string",
            )
        if path.count("/") and module is None and not any(folder_of(path).startswith(f) for f in self.modules):
            self.notes[f"{path}: no declaration of {name} was found; it has to be a variable of type string."] = None
        folder = folder_of(path)
        self.take(folder, f"TF_VAR_{name}", item.reference)
        self.notes[self.run(folder)] = None
        if site.place is None:
            if site.owner is not None:
                self.json_editor(path).remove(site.owner, site.index)
            return
        script = fetch.path_for(folder, self.files).rpartition("/")[2]
        self.editor(path).comment(site.place.body, site.place.attribute, f"# {name}: {script} sets TF_VAR_{name}")

    def declaring(self, path: str, name: str) -> Module | None:
        """The module nearest above that declares the variable."""
        folder = folder_of(path)
        while True:
            module = self.modules.get(folder)
            if module is not None and name in module.variables:
                return module
            if not folder:
                return None
            folder = folder_of(folder)

    def default(self, path: str, item: Assignment, site: Site) -> None:
        module = self.modules[folder_of(path)]
        name = site.place.blocks[0].labels[0] if site.place is not None else site.slot.key
        if not self.is_root(module):
            raise No(
                "other modules call this one, and a variable of the environment does not reach it",
                "pass the value where the module is called, and delete the default",
            )
        if not module.reads_text(name):
            raise No(
                "the variable's type is no text, so that TF_VAR_… would be read as an expression",
                "declare it with type = string",
            )
        outputs, iterated = module.shown({f"var.{name}"})
        if iterated:
            raise No(*REASONS["each"])
        if not self.set_by_file(module.folder, name):
            self.take(module.folder, f"TF_VAR_{name}", item.reference)
            self.notes[self.run(module.folder)] = None
        self.shown |= outputs
        if site.place is None:
            editor = self.json_editor(path)
            if site.owner is not None:
                editor.remove(site.owner, site.index)
                if site.owner.get("sensitive") is None:
                    editor.add(site.owner, "sensitive", True)
            return
        block, attribute = site.place.blocks[0], site.place.attribute
        marked = block.body.get("sensitive") is not None
        self.editor(path).instead(block.body, attribute, [] if marked else [("sensitive", "true")])

    def set_by_file(self, folder: str, name: str) -> bool:
        """Whether a file that Terraform always reads sets the variable, before or after this."""
        for path, data in self.files.items():
            if folder_of(path) != folder or not _LOADED.search(path):
                continue
            if (folder, f"TF_VAR_{name}") in self.given:
                return True
            try:
                if any(site.slot.pointer.partition(".")[0] == name for site in read(path, data)):
                    return True
            except Unreadable:
                continue
        return False

    def json_editor(self, path: str) -> JsonEditor:
        if path not in self.json:
            self.json[path] = JsonEditor(path, self.files[path])
        return self.json[path]

    def backend(self, path: str, item: Assignment, site: Site) -> None:
        folder = folder_of(path)
        name = site.slot.pointer.rpartition(".")[2]
        self.take(folder, BACKEND_VARIABLES[name], item.reference)
        self.notes[self.run(folder)] = None
        self.notes[
            f"{path}: the backend's {name} comes from {BACKEND_VARIABLES[name]}; terraform init asks to reconfigure."
        ] = None
        if site.place is not None:
            self.editor(path).instead(site.place.blocks[-1].body, site.place.attribute, [])
        elif site.owner is not None:
            self.json_editor(path).remove(site.owner, site.index)


def _words(site: Site) -> tuple[str, ...]:
    """Kind of the outermost block, its labels, and the attribute's name."""
    if site.place is not None:
        block = site.place.blocks[0]
        return (block.kind, *block.labels, site.place.attribute.name)
    return tuple(step.strip('"') for step in re.findall(r'"[^"]*"|[^.]+', site.slot.pointer))


def _names(words: tuple[str, ...]) -> set[str]:
    """What the configuration calls a place whose value becomes sensitive."""
    if words[0] == "locals" and len(words) > 1:
        return {f"local.{words[1]}"}
    if words[0] == "resource" and len(words) > 3:
        return {f"{words[1]}.{words[2]}.{words[3]}"}
    return set()
