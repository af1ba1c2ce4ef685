"""The edits of Service Fabric manifests: addresses in the vault, and the types that say so.

Sources: "KeyVaultReference support for Azure-deployed Service Fabric applications" (a `KeyVaultReference` names a
version, a `ManagedKeyVaultReference` does not and has to be a parameter that is overridden where the application is
deployed); microsoft/service-fabric issue 1573 (only applications deployed through Azure Resource Manager).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rewriters._api import Assignment, Edit, Files, Reference, Refusal, Request, Requirement, Rewrite, Span, Unreadable
from rewriters._servicefabric_owners import Owners
from rewriters._servicefabric_read import (
    ALTERNATIVES,
    DEFAULT,
    PARAMETER,
    REASONS,
    SETTING,
    VARIABLE,
    Document,
    Site,
    address,
    is_reference_type,
    read,
)
from rewriters.servicefabric import claims

__all__ = ["rewrite"]

PINNED, MANAGED = "KeyVaultReference", "ManagedKeyVaultReference"
_NEEDS_VERSION = (
    "a KeyVaultReference names a version of the secret, and none is given",
    "pass the value as a parameter that a file of ApplicationParameters sets, where a reference needs no version; or "
    "name the version of the stored secret",
)


class _No(Exception):
    """Why an assignment cannot be carried out."""

    def __init__(self, reason: str, alternative: str, needs: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.alternative, self.needs = reason, alternative, needs


def rewrite(request: Request) -> Rewrite:
    """Carries out the assignments, and says which requirements the files fulfil."""
    if not request.assignments and not request.requirements:
        return Rewrite()
    work = _Work(request.files)
    work.take(request.assignments)
    return Rewrite(
        edits=tuple(work.edits),
        refusals=tuple(work.refusals),
        provides=tuple(need for need in request.requirements if work.provides(need)),
        notes=tuple(dict.fromkeys(work.notes)),
    )


@dataclass(slots=True)
class _Group:
    """The values of one parameter of one application: its default, and those of the environments."""

    manifest: Document
    name: str
    members: list[Site]
    asked: dict[int, Assignment] = field(default_factory=dict)


class _Work:
    def __init__(self, files: Files) -> None:
        self.files = files
        self.documents: dict[str, Document] = {}
        for path, data in files.items():
            if claims(path, data[:4096]):
                try:
                    self.documents[path] = read(path, data)
                except Unreadable:
                    continue
        self.manifests = {path for path, item in self.documents.items() if item.root.name == "ApplicationManifest"}
        self.owners = Owners(sorted(self.manifests))
        self.environments: dict[str, list[str]] = {}
        for path, item in self.documents.items():
            if item.root.name == "Application":
                self.environments.setdefault(self.owners.of(path), []).append(path)
        self.values: dict[str, dict[str, list[Site]]] = {}
        self.edits: list[Edit] = []
        self.refusals: list[Refusal] = []
        self.notes: list[str] = []
        self.retyped: set[int] = set()
        self.given: set[tuple[str, str, str]] = set()
        self.looked = False

    def take(self, assignments: tuple[Assignment, ...]) -> None:
        sites: dict[str, dict[str, Site]] = {}
        groups: dict[tuple[str, str], _Group] = {}
        for item in assignments:
            path = item.slot.path
            if path not in self.documents:
                raise ValueError(f"{path} is assigned, and cannot be read")
            if path not in sites:
                sites[path] = {site.slot.pointer: site for site in self.documents[path].sites}
            site = sites[path][item.slot.pointer]
            try:
                self.possible(item, site)
                if site.kind in (DEFAULT, PARAMETER):
                    group = self.group(site, groups)
                    group.asked[id(site)] = item
                else:
                    self.place(item, site)
            except _No as no:
                self.refuse(item, no)
        for group in groups.values():
            try:
                self.parameter(group)
            except _No as no:
                for site in group.members:
                    if asked := group.asked.get(id(site)):
                        self.refuse(asked, _No(no.reason, no.alternative, self.along(group, site, no.needs)))

    def refuse(self, item: Assignment, no: _No) -> None:
        self.refusals.append(Refusal(item.slot.path, item.slot.pointer, no.reason, no.alternative, no.needs))

    @staticmethod
    def possible(item: Assignment, site: Site) -> None:
        """Raises `_No` for a site that cannot become a reference whatever else moves."""
        if not item.slot.targets or not site.kind:
            raise _No(site.slot.reason, ALTERNATIVES[site.refused])
        if item.part is not None:
            raise _No("a reference stands for a whole value here", "move the whole text")

    # --- literals ----------------------------------------------------------------------------------------------------

    def place(self, item: Assignment, site: Site) -> None:
        """A variable, a setting or a password that is written where it is used."""
        if not item.reference.version:
            raise _No(*_NEEDS_VERSION)
        self.put(site, item.reference, PINNED)
        self.retype(site, PINNED)
        path = item.slot.path
        self.give(site, item.reference)
        self.precede(path if path in self.manifests else self.owners.of(path), path, PINNED)

    def give(self, site: Site, reference: Reference) -> None:
        if site.kind == VARIABLE:
            name = site.element.get("Name")
            self.given.add((name, reference.vault_url.rstrip("/").lower(), reference.name.lower()))

    # --- parameters --------------------------------------------------------------------------------------------------

    def group(self, site: Site, groups: dict[tuple[str, str], _Group]) -> _Group:
        """All values of the parameter that the site is one of. Raises `_No` when its application cannot be told."""
        path = site.slot.path
        owner = path if site.kind == DEFAULT else self.owners.of(path)
        if not owner:
            raise _No(
                "the parameter's application manifest is not here, or several could be meant",
                "scan the folder of the application, with ApplicationPackageRoot and ApplicationParameters in it",
            )
        name = site.element.get("Name").lower()
        if (owner, name) not in groups:
            groups[owner, name] = _Group(self.documents[owner], name, self.members(owner).get(name, []))
        return groups[owner, name]

    def members(self, owner: str) -> dict[str, list[Site]]:
        """The values of an application's parameters, by the name in lower case."""
        if owner not in self.values:
            found = self.values[owner] = {}
            for path in (owner, *self.environments.get(owner, ())):
                for site in self.documents[path].sites:
                    if site.kind in (DEFAULT, PARAMETER):
                        found.setdefault(site.element.get("Name").lower(), []).append(site)
        return self.values[owner]

    def parameter(self, group: _Group) -> None:
        """Moves all values of a parameter, or raises `_No`."""
        uses = group.manifest.uses.get(group.name, ())
        good = [site for site in uses if site is not None and site.kind]
        if not good:
            raise _No(REASONS["unused"], ALTERNATIVES["unused"])
        if len(good) != len(uses):
            raise _No(REASONS["reach"], ALTERNATIVES["reach"])
        versions = {bool(item.reference.version) for item in group.asked.values()}
        if len(versions) > 1:
            raise _No("some references of the parameter name a version and others do not", "name all versions, or none")
        kind = PINNED if versions == {True} else MANAGED
        wrong = [site for site in good if site.typed and site.typed.lower() != kind.lower()]
        if wrong:
            if all(is_reference_type(site.typed) for site in wrong):
                raise _No(f"a place that gets the parameter is of another type than {kind}", "change the type by hand")
            raise _No("a place that gets the parameter is encrypted, or of the secret store", ALTERNATIVES["typed"])
        for site in group.members:
            item = group.asked.get(id(site))
            if item is not None and address(_value(site)) is not None and any(use.typed for use in good):
                raise _No(REASONS["typed"], "move the secret that it names, if it is to be another one")
            if item is not None and site.kind == DEFAULT and kind == MANAGED:
                raise _No(*_NEEDS_VERSION)
            if item is None and not site.slot.value.empty():
                there = address(_value(site))
                if there is None or bool(there.version) != (kind == PINNED) or not all(use.typed for use in good):
                    raise _No(
                        "a place holds either values or references, and another value of the parameter stays: "
                        f"{site.slot.pointer} in {site.slot.path}",
                        "move all values of the parameter, or clear the ones that nobody needs",
                        (site.slot.path, site.slot.pointer),
                    )
        for site in group.members:
            if item := group.asked.get(id(site)):
                self.put(site, item.reference, kind)
                for use in good:
                    self.give(use, item.reference)
        for site in good:
            if not site.typed:
                self.retype(site, kind)
        self.precede(group.manifest.path, group.manifest.path, kind)
        self.parameter_notes(group, good, kind)

    def along(self, group: _Group, site: Site, needs: tuple[str, ...]) -> tuple[str, ...]:
        """The pointer that would have to move along, if it is of the same file."""
        return (needs[1],) if needs and needs[0] == site.slot.path else ()

    # --- edits -------------------------------------------------------------------------------------------------------

    def put(self, site: Site, reference: Reference, kind: str) -> None:
        uri = f"{reference.vault_url.rstrip('/')}/secrets/{reference.name}/"
        uri += reference.version if kind == PINNED else ""
        self.edits.append(Edit(site.slot.path, site.slot.span, uri.encode()))

    def retype(self, site: Site, kind: str) -> None:
        """Says of an element that its value is a reference, where it says so already or before the value."""
        if site.attribute is None or id(site.element) in self.retyped:
            return
        self.retyped.add(id(site.element))
        path, data = site.slot.path, self.files[site.slot.path]
        there = site.element.attribute("Type")
        if there is not None:
            self.edits.append(Edit(path, there.span, kind.encode()))
            return
        for name in ("IsEncrypted", "PasswordEncrypted"):
            flag = site.element.attribute(name)
            if flag is not None:
                quote = data[flag.literal.start : flag.span.start].decode()
                span = Span(flag.start, flag.literal.end)
                self.edits.append(Edit(path, span, f"Type={quote}{kind}{quote}".encode()))
                return
        at = site.attribute.start
        blank = _blank(data, at)
        quote = data[site.attribute.literal.start : site.attribute.span.start].decode()
        self.edits.append(Edit(path, Span(at, at), f"Type={quote}{kind}{quote}".encode() + blank))

    # --- what else is needed -----------------------------------------------------------------------------------------

    def precede(self, manifest: str, path: str, kind: str) -> None:
        where = manifest or path
        since = "9.0" if kind == MANAGED else "7.2 CU5"
        self.notes.append(
            f"{where}: references are resolved from Service Fabric {since} on, with the Central Secret Service "
            "enabled, and only for an application that is deployed through Azure Resource Manager with a managed "
            "identity; a local or standalone cluster cannot resolve them."
        )
        root = self.documents[manifest].root if manifest else None
        names = [
            identity.get("Name")
            for principals in (root.named("Principals") if root else ())
            for identities in principals.named("ManagedIdentities")
            for identity in identities.named("ManagedIdentity")
        ]
        bound = root is not None and all(
            any(policy.name == "IdentityBindingPolicy" for part in item.named("Policies") for policy in part.children)
            for item in root.named("ServiceManifestImport")
        )
        if not names:
            self.notes.append(
                f"{where}: the application declares no managed identity; add it to Principals/ManagedIdentities, and "
                "an IdentityBindingPolicy to the policies of each service that reads a secret."
            )
        elif not bound:
            self.notes.append(
                f"{where}: a service has no IdentityBindingPolicy; add it to the policies of each service that reads a "
                "secret."
            )
        self.notes.append(
            f"{where}: before the application is deployed, its identity needs the role Key Vault Secrets User for the "
            "secrets; take a user-assigned one, since a system-assigned one does not exist before."
        )

    def parameter_notes(self, group: _Group, uses: list[Site], kind: str) -> None:
        path = group.manifest.path
        name = next((site.element.get("Name") for site in group.members), group.name)
        if kind == MANAGED:
            self.notes.append(
                f"{path}: set the parameter {name} to the same address in the application's resource "
                "(properties.parameters), which a ManagedKeyVaultReference asks for, and set EnableSecretMonitoring of "
                "CentralSecretService to true in the cluster."
            )
        set_in = {site.slot.path for site in group.members if site.kind == PARAMETER}
        moved = any(site.kind == DEFAULT and id(site) in group.asked for site in group.members)
        without = [] if moved else sorted(set(self.environments.get(path, ())) - set_in)
        if without:
            self.notes.append(
                f"{path}: {', '.join(without)} leave the parameter {name} empty, which is no reference; such an "
                "environment needs a manifest of its own, or the address too."
            )
        if any(site.kind == SETTING for site in uses):
            self.notes.append(
                f"{path}: the documentation does not say whether a setting that is overridden needs the type "
                f"{kind} in Settings.xml too; try the first deployment in a test cluster."
            )

    def provides(self, need: Requirement) -> bool:
        """Whether a variable of a service leads to the secret."""
        if need.kind != "runtime-variable":
            return False
        wanted = need.name, need.reference.vault_url.rstrip("/").lower(), need.reference.name.lower()
        if wanted in self.given:
            return True
        if not self.looked:
            self.looked = True
            for document in self.documents.values():
                for site in document.sites:
                    there = address(_value(site)) if site.kind == VARIABLE and is_reference_type(site.typed) else None
                    if there is not None:
                        self.give(site, there)
        return wanted in self.given


def _value(site: Site) -> str:
    return site.attribute.value if site.attribute is not None else ""


def _blank(data: bytes, at: int) -> bytes:
    """The white space before an offset."""
    start = at
    while data[start - 1 : start].isspace():
        start -= 1
    return data[start:at]
