"""The edits of a container group: references, what they lead to, and what they need.

Sources: Azure REST API specification, Microsoft.ContainerInstance: `SecretReference` (name, identity,
secretReferenceUri) is in 2024-10-01-preview and in 2025-09-01, and in no stable version before; azure-cli,
`az container create --file`, which loads the YAML with PyYAML (a bare date is then no text) and takes the API version
from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rewriters._aci_edit import quoted
from rewriters._aci_read import ALTERNATIVES, BECOMES, ENVIRONMENT, PROFILE, SECRET_VOLUME, Group, Site, read
from rewriters._api import Assignment, Reference, Refusal, Request, Requirement, Rewrite, Span, Unreadable
from rewriters._azure_identity import IdentityEditor, No, aliases, maps, secret_uri, whole_text
from rewriters._yaml import Map, Scalar, Seq, follow, line_indent, stops
from rewriters.aci import claims

__all__ = ["rewrite"]

VERSION = "2025-09-01"
_PREVIEW = "2024-10-01"


def rewrite(request: Request) -> Rewrite:
    """Carries out the assignments, and says which requirements the files fulfil."""
    by_path: dict[str, list[Assignment]] = {}
    for item in request.assignments:
        by_path.setdefault(item.slot.path, []).append(item)
    if request.requirements:
        for path, data in request.files.items():
            if path not in by_path and claims(path, data[:4096]):
                by_path[path] = []
    files: list[_File] = []
    for path, items in by_path.items():
        try:
            group = read(path, request.files[path])
        except Unreadable as error:
            if items:
                raise ValueError(f"{path} is assigned, and cannot be read: {error.reason}") from None
            continue
        files.append(_File(path, group, request.settings.identity))
        files[-1].work(items)
    given = {pair for file in files for pair in file.provided()}
    return Rewrite(
        edits=tuple(edit for file in files for edit in file.edits),
        refusals=tuple(refusal for file in files for refusal in file.refusals),
        provides=tuple(need for need in request.requirements if _fulfilled(need, given)),
        notes=tuple(dict.fromkeys(note for file in files for note in file.notes)),
    )


def _fulfilled(need: Requirement, given: set[tuple[str, str]]) -> bool:
    return need.kind == "runtime-variable" and (need.name, secret_uri(need.reference).lower()) in given


class _File(IdentityEditor):
    """One container group and what becomes of it."""

    def __init__(self, path: str, group: Group, identity: str) -> None:
        super().__init__(path, group.data, group.root, identity)
        self.group = group
        self.refusals: list[Refusal] = []
        self.notes: list[str] = []
        self.known = dict(self.entries())
        self.added: dict[Reference, str] = {}
        self.set: dict[int, Reference] = {}

    def work(self, items: list[Assignment]) -> None:
        """Fills the lists."""
        sites = {site.slot.pointer: site for site in self.group.sites}
        todo = [(item, sites[item.slot.pointer]) for item in items if item.slot.pointer in sites]
        left: list[tuple[Assignment, Site]] = []
        for item, site in todo:
            try:
                self.possible(item, site)
                left.append((item, site))
            except No as no:
                self.refuse(item, no)
        while True:
            moving = {id(site.slot) for _, site in left}
            kept: list[tuple[Assignment, Site]] = []
            for item, site in left:
                try:
                    self.together(site, moving)
                    kept.append((item, site))
                except No as no:
                    self.refuse(item, no)
            if len(kept) == len(left):
                break
            left = kept
        if not left:
            return
        renamed: set[int] = set()
        for item, site in left:
            self.refer(item, site, renamed)
        self.add_references()
        self.add_identity()
        self.raise_version()
        self.notes.append(
            f"{self.path}: before the group is created, the identity {self.identity} needs the role "
            "Key Vault Secrets User for the secrets."
        )
        sku = self.group.properties.get("sku")
        if isinstance(sku, Scalar) and sku.text.lower() == "confidential":
            self.notes.append(
                f"{self.path}: the confidential computing policy names environment variables; generate it anew "
                "(az confcom acipolicygen)."
            )

    def refuse(self, item: Assignment, no: No) -> None:
        self.refusals.append(Refusal(self.path, item.slot.pointer, no.reason, no.alternative, no.needs))

    # --- what is possible --------------------------------------------------------------------------------------------

    def possible(self, item: Assignment, site: Site) -> None:
        """Raises `No` for a site that cannot become a reference by itself."""
        if self.group.profile:
            raise No(PROFILE, "set the value in the container groups that use the profile")
        if not site.kind:
            raise No(site.slot.reason, ALTERNATIVES[site.refused])
        whole_text(item)
        if site.key is None or site.owner is None:
            raise No("the place has no property that could be renamed", ALTERNATIVES[""])
        names = [key.text for key, _ in site.owner.pairs if isinstance(key, Scalar)]
        if site.kind == ENVIRONMENT and len([name for name in names if name in _ENVIRONMENT_VALUES]) > 1:
            raise No("the variable has its value twice", "leave one of value and secureValue, then run this again")
        if BECOMES[site.kind] in names and site.kind != SECRET_VOLUME:
            raise No("the reference property stands beside the value already", "delete the value")
        expected = sum(1 for alias in aliases(self.group.root) if alias.target is site.value)
        if expected != len(site.aliases) or any(kind in ("", SECRET_VOLUME) for kind, _, _ in site.aliases):
            raise No(
                "the value is also used by alias, at a place that takes no reference",
                "write that place out, then run this again",
            )
        if site.kind == SECRET_VOLUME and site.aliases:
            raise No("the value is also used by alias", "write that place out, then run this again")
        self.find_identity({identity for _, identity in self.known.values()})

    def together(self, site: Site, moving: set[int]) -> None:
        """The files of a secret volume move all together, or none of them."""
        if site.kind != SECRET_VOLUME or site.owner is None:
            return
        others = [other for other in self.group.sites if other.owner is site.owner]
        missing = tuple(other.slot.pointer for other in others if id(other.slot) not in moving)
        if len(others) != len(site.owner.pairs):
            raise No("a file of the volume is no plain text", "write its value out, then run this again")
        if missing:
            raise No(
                "a volume holds either values or references, and other files of it stay",
                "move all files of the volume, or give this one a volume of its own",
                missing,
            )

    # --- references --------------------------------------------------------------------------------------------------

    def refer(self, item: Assignment, site: Site, renamed: set[int]) -> None:
        name = self.entry(item.reference)
        self.put(site.value, name)
        key = site.volume_key if site.kind == SECRET_VOLUME else site.key
        if key is not None and id(key) not in renamed:
            renamed.add(id(key))
            self.edit(key.span, BECOMES[site.kind])
        for kind, alias_key, alias in site.aliases:
            self.edit(alias_key.span, BECOMES[kind])
            self.edit(Span(alias.start, alias.end), quoted(name))
        self.set[id(site.value)] = item.reference

    def entries(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Name to URI and identity of the file's secretReferences."""
        found = self.group.properties.get("secretReferences")
        for item in found.items if isinstance(found, Seq) else ():
            item = follow(item)
            if isinstance(item, Map):
                parts = [item.get(key) for key in ("name", "secretReferenceUri", "identity")]
                name, uri, identity = (part.text if isinstance(part, Scalar) else "" for part in parts)
                yield name, (uri, identity)

    def entry(self, reference: Reference) -> str:
        """The name of the entry that leads to a secret; a new one unless there is one."""
        if reference in self.added:
            return self.added[reference]
        for name, (uri, _) in self.known.items():
            if uri.rstrip("/").lower() == secret_uri(reference).lower():
                return name
        name, number = reference.name, 1
        while name in self.known or name in self.added.values():
            number += 1
            name = f"{reference.name}-{number}"
        self.added[reference] = name
        return name

    def add_references(self) -> None:
        if not self.added:
            return
        found = self.group.properties.get("secretReferences")
        entries = [(name, secret_uri(reference)) for reference, name in self.added.items()]
        inline = ", ".join(
            f'{{"name": "{name}", "identity": "{self.identity}", "secretReferenceUri": "{uri}"}}'
            for name, uri in entries
        )
        if isinstance(found, Seq) and found.flow:
            at = found.items[-1].end if found.items else found.end - 1
            self.edit(Span(at, at), ", " * bool(found.items) + inline)
            return
        if isinstance(found, Seq):
            self.append_lines(found, self.column(found.start), list(self.lines(entries)))
            return
        properties = self.group.properties
        if found is not None:
            pair = next(
                pair for pair in properties.pairs if isinstance(pair[0], Scalar) and pair[0].text == "secretReferences"
            )
            if isinstance(found, Scalar) and len(found.literal):
                self.edit(found.literal, f"[{inline}]")
            else:
                self.edit(Span(pair[0].end + 1, pair[0].end + 1), f" [{inline}]")
            return
        if properties.flow:
            self.flow_pair(properties, f'"secretReferences": [{inline}]')
            return
        nested = self.nested()
        self.block_lines(
            properties.pairs[0][0], ["secretReferences:", *(nested + line for line in self.lines(entries))]
        )

    def lines(self, entries: list[tuple[str, str]]) -> Iterator[str]:
        for name, uri in entries:
            yield f"- name: {quoted(name)}"
            yield f"  identity: {self.identity}"
            yield f"  secretReferenceUri: {uri}"

    def nested(self) -> str:
        """By how much the file indents a list below its key."""
        for key, value in self.group.properties.pairs:
            if isinstance(value, Seq) and not value.flow:
                shift = line_indent(self.data, value.start) - line_indent(self.data, key.start)
                return " " * max(shift, 0)
        return ""

    # --- version ------------------------------------------------------------------------------------------------------

    def raise_version(self) -> None:
        """An API version that knows the references, as a text."""
        root = self.group.root
        found = root.get("apiVersion")
        if not isinstance(found, Scalar):
            if root.flow:
                self.flow_pair(root, f'"apiVersion": "{VERSION}"')
            else:
                self.block_lines(root.pairs[0][0], [f"apiVersion: '{VERSION}'"])
            return
        text = found.text
        knows = text[:10] >= (_PREVIEW if text.endswith("-preview") else VERSION)
        bare = found.style == "plain" and not found.tag and not text.endswith("-preview")
        if knows and not bare:
            return
        text = text if knows else VERSION
        if found.style in ("single", "double") and found.start == found.literal.start:
            self.edit(found.span, text)
        else:
            self.edit(Span(found.start, stops(self.data, found)), f"'{text}'")

    # --- requirements ------------------------------------------------------------------------------------------------

    def provided(self) -> Iterator[tuple[str, str]]:
        """The environment variables that the containers take from a secret: name and the secret's URI."""
        for site in self.group.sites:
            if site.kind == ENVIRONMENT and id(site.value) in self.set:
                yield site.slot.key, secret_uri(self.set[id(site.value)]).lower()
        for kind in ("containers", "initContainers"):
            for item in maps(self.group.properties.get(kind)):
                properties = item.get("properties")
                variables = properties.get("environmentVariables") if isinstance(properties, Map) else None
                for variable in maps(variables):
                    name, reference = variable.get("name"), variable.get("secureValueReference")
                    if isinstance(name, Scalar) and isinstance(reference, Scalar) and reference.text in self.known:
                        yield name.text, self.known[reference.text][0].rstrip("/").lower()


_ENVIRONMENT_VALUES = ("value", "secureValue", "secureValueReference")
