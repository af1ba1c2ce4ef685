"""The edits of Bicep files: references of parameter files, secure parameters, and who gives them their values.

Sources: Microsoft Learn, "Use Azure Key Vault to pass a secret as a parameter during Bicep deployment"; Azure/bicep,
FunctionPlacementValidatorVisitor.cs (BCP180, BCP351: where getSecret may stand), SecureParameterDefaultRule.cs.
"""

from __future__ import annotations

from rewriters._api import Assignment, Refusal, Request, Requirement, Rewrite, Span
from rewriters._azure_identity import No, is_text, secret_uri
from rewriters._bicep_edit import camel
from rewriters._bicep_facts import Declared, File, Resource, Site
from rewriters._bicep_givers import Step
from rewriters._bicep_native import NATIVE, Natives
from rewriters._bicep_paths import resolved
from rewriters._bicep_reasons import ALTERNATIVES
from rewriters._bicep_tree import value_at
from rewriters._undo import hole
from rewriters._unsplit import unsplit

__all__ = ["rewrite"]

_TEXTS = ("string", "string?", "sys.string", "sys.string?")


def rewrite(request: Request) -> Rewrite:
    """Carries out the assignments, all parts of one place or none."""
    if not request.assignments:
        return Rewrite()
    return unsplit(request, lambda asked: _Work(asked).answer())


class _Work(Natives):
    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.parameters: dict[tuple[str, str], str] = {}
        self.refusals: list[Refusal] = []
        self.handed: set[tuple[str, str]] = set()

    def answer(self) -> Rewrite:
        sites: dict[str, dict[str, Site]] = {}
        for item in self.request.assignments:
            file = self.project.file(item.slot.path)
            if file is None:
                raise ValueError(f"{item.slot.path} is assigned, and cannot be read")
            if file.path not in sites:
                sites[file.path] = {site.slot.pointer: site for site in file.sites}
            site = sites[file.path].get(item.slot.pointer)
            if site is None:
                raise ValueError(f"{item.slot.pointer} of {item.slot.path} is no place")
            try:
                steps = self.steps(item, site, file)
            except No as no:
                self.refusals.append(Refusal(item.slot.path, item.slot.pointer, no.reason, no.alternative))
                continue
            for step in steps:
                step()
            if site.role in ("aci-env", "app-env"):
                self.handed.add((site.slot.key, secret_uri(item.reference).lower()))
        self.finish()
        companions = tuple(self.companions())
        provides = tuple(need for need in self.request.requirements if self.provided(need))
        return Rewrite(self.edits(), companions, tuple(self.refusals), provides=provides, notes=tuple(self.notes))

    def provided(self, need: Requirement) -> bool:
        """Whether a container that was rewritten gets this variable."""
        return need.kind == "runtime-variable" and (need.name, secret_uri(need.reference).lower()) in self.handed

    # --- one assignment ----------------------------------------------------------------------------------------------

    def steps(self, item: Assignment, site: Site, file: File) -> list[Step]:
        """What is to be done, once all of it is known to be possible. Raises `No`."""
        if not site.slot.targets:
            raise No(site.slot.reason, ALTERNATIVES[site.refused])
        value = item.slot.value.reveal()
        if b"\0" in value or not is_text(value):
            raise No(
                "the value is no text that Key Vault can hold",
                "store it base64-encoded, and decode it where it is used",
            )
        if item.part is not None and not site.slot.interpolates:
            raise No("a reference stands for the whole text here", "move the whole text")
        if site.role in NATIVE:
            try:
                return self.native(item, site, file)
            except No as no:
                return self.instead(item, site, file, no)
        self.location(item.reference)
        if site.role == "given":
            return self.given(item, site, file)
        if site.role == "default":
            return self.default(item, site, file)
        if site.role == "var" and item.part is None:
            return self.variable(item, site, file)
        if site.role == "module" and item.part is None and not site.piece:
            steps = self.module(item, site, file)
            if steps is not None:
                return steps
        return self.inside(item, site, file)

    def instead(self, item: Assignment, site: Site, file: File, why: No) -> list[Step]:
        """A secure parameter, where the resource itself cannot refer to the vault. Raises `No` with both reasons."""
        try:
            self.location(item.reference)
            return self.inside(item, site, file)
        except No as no:
            raise No(f"{why.reason}; and {no.reason}", f"{why.alternative}; or {no.alternative}") from None

    def given(self, item: Assignment, site: Site, file: File) -> list[Step]:
        """A value of a parameter file."""
        name = site.declared.statement.name
        steps: list[Step] = []
        targets = self.project.templates(file)
        found = [(template, template.named("param", name)) for path in targets if (template := self.project.file(path))]
        for template, parameter in found:
            if parameter is not None:
                self.secure_type(parameter, template)
                steps.append(lambda template=template, parameter=parameter: self.editor(template).secure(parameter))  # type: ignore[misc]
        steps.append(lambda: self.editor(file).edit(site.literal, self.call(item.reference)))
        steps.append(lambda: self.note_vault(item.reference))
        if not any(parameter for _, parameter in found):
            steps.append(
                lambda: self.note(
                    f"{file.path}: the parameter {name} has to be @secure() in the template that it is for."
                )
            )
        return steps

    def secure_type(self, parameter: Declared, file: File) -> None:
        """Raises `No` where `@secure()` has no meaning."""
        kind = parameter.type.lower()
        if kind not in _TEXTS:
            raise No(
                f"the parameter {parameter.statement.name} of {file.path} is not of the type string",
                "declare the parameter as a string",
            )

    def default(self, item: Assignment, site: Site, file: File) -> list[Step]:
        """A default value of a template."""
        declared = site.declared
        name = declared.statement.name
        self.secure_type(declared, file)
        self.not_listed(site, file)
        steps = self.provide(file, name, item.reference)
        start = declared.statement.tokens[value_at(declared.statement) - 2].end
        steps.append(lambda: self.editor(file).secure(declared))
        steps.append(lambda: self.editor(file).edit(Span(start, site.literal.end), ""))
        steps.append(lambda: self.note_shown(file, name))
        return steps

    def not_listed(self, site: Site, file: File) -> None:
        for other in file.sites:
            if other.refused == "decorator" and other.declared is site.declared and other.slot.value == site.slot.value:
                raise No(
                    "a decorator of the parameter names the value", "take it out of the decorator, then run this again"
                )

    def variable(self, item: Assignment, site: Site, file: File) -> list[Step]:
        """A variable becomes a parameter of the same name, so that nothing that uses it changes."""
        statement = site.declared.statement
        if "export" in statement.decorators:
            raise No(
                "other files import this variable, and a parameter cannot be imported",
                "hand the value on as a parameter",
            )
        for other in file.declared:
            kind, heads = other.statement.kind, other.statement.decorators
            fixed = kind in ("func", "type") or "export" in heads
            if fixed and any(token.kind == "id" and token.text == statement.name for token in other.statement.tokens):
                raise No(
                    f"{other.statement.name} uses the variable, and cannot use a parameter",
                    "hand the value to it as an argument, from a @secure() parameter",
                )
        if site.declared.type not in ("", "string"):
            raise No("the variable is not of the type string", "declare it as a string")
        steps = self.provide(file, statement.name, item.reference)
        keyword, name = statement.tokens[statement.keyword : statement.keyword + 2]
        typed = statement.tokens[value_at(statement) - 2]
        editor = self.editor(file)
        head = f"@secure(){editor.newline}{editor.indent(keyword.start)}param"
        steps.append(lambda: editor.edit(Span(keyword.start, keyword.end), head))
        steps.append(lambda: editor.edit(Span(typed.end, site.literal.end), " string" * (typed is name)))
        steps.append(lambda: self.note_shown(file, statement.name))
        return steps

    def inside(self, item: Assignment, site: Site, file: File) -> list[Step]:
        """A text of an expression, or a part of it, becomes a secure parameter."""
        known = self.parameters.get((file.path, secret_uri(item.reference)))
        part = None if item.part is None else _place(file.data, site, item.part)
        editor = self.editor(file)
        steps: list[Step] = []
        if known is None:
            known = editor.fresh(camel(item.reference.name))
            name = known
            steps += self.provide(file, name, item.reference)
            self.parameters[file.path, secret_uri(item.reference)] = name
            steps.append(lambda: editor.declare(name))
        span, text = site.literal, known
        if part is not None or site.piece:
            span, text = part or site.slot.span, f"${{{known}}}"
        steps.append(lambda: editor.edit(span, text))
        return steps

    def module(self, item: Assignment, site: Site, file: File) -> list[Step] | None:
        """A parameter of a module: the vault's getSecret, where the module is there to be read; else nothing."""
        target = self.module_file(site.resource, file)
        parameter = target.named("param", site.slot.key) if target is not None else None
        if target is None or parameter is None or site.resource is None:
            return None
        if parameter.type.lower() not in _TEXTS:
            return None
        resource = site.resource
        return [
            lambda: self.editor(target).secure(parameter),
            lambda: self.editor(file).edit(site.literal, self.secret_of(file, resource, item.reference)),
            lambda: self.note_vault(item.reference),
        ]

    def module_file(self, resource: Resource | None, file: File) -> File | None:
        path = resolved(file.path, resource.type) if resource is not None else ""
        return self.project.file(path) if path else None


def _place(data: bytes, site: Site, part: Span) -> Span:
    found = hole(data, site.slot, "", part)
    if found is None:
        raise No("the part has no bytes of its own in the file", "move the whole text")
    return found.span
