"""The edits of container apps, jobs and storages: references, the secrets that they lead to, and who reads them.

Sources: Azure REST API specification, Microsoft.App, 2025-07-01: `Secret` (name, keyVaultUrl, identity; in stable
versions from 2023-05-01), `EnvironmentVar`, `ScaleRuleAuth`, `AzureFileProperties`; azure-cli 2.91, which takes its own
API version, whatever the file says, and on an update sends the deployed value of every secret along.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from rewriters import _containerapps_dapr as dapr
from rewriters._aci_edit import quoted
from rewriters._api import Assignment, Reference, Refusal, Request, Requirement, Rewrite, Span, Unreadable
from rewriters._azure_identity import (
    SAY_IDENTITY,
    IdentityEditor,
    No,
    aliases,
    is_identity,
    maps,
    secret_uri,
    whole_text,
)
from rewriters._containerapps_read import (
    ALTERNATIVES,
    SCALE,
    SECRET,
    STORAGE,
    VARIABLE,
    Manifest,
    Site,
    not_rendered,
    read,
    text_at,
)
from rewriters._yaml import Map, Scalar, Seq, stops
from rewriters.containerapps import claims

__all__ = ["rewrite"]

_FIRST, _FIRST_PREVIEW, _VERSION = "2023-05-01", "2022-11-01", "2025-07-01"
_LONGEST_NAME = 63
"""Of a secret's name. Newer messages of the service allow 253, older ones 63."""
_IN_BRACES = re.compile(r"[\w./()-]+\Z")


def rewrite(request: Request) -> Rewrite:
    """Carries out the assignments, and says which requirements the files fulfil."""
    by_path: dict[str, list[Assignment]] = {}
    for item in request.assignments:
        by_path.setdefault(item.slot.path, []).append(item)
    if request.requirements:
        for path, data in request.files.items():
            if path not in by_path and claims(path, data[:4096]):
                by_path[path] = []
    files: list[Resource] = []
    components: list[tuple[str, Manifest, list[Assignment]]] = []
    for path, items in by_path.items():
        try:
            manifest = read(path, request.files[path])
        except Unreadable as error:
            if items:
                raise ValueError(f"{path} is assigned, and cannot be read: {error.reason}") from None
            continue
        if manifest.resource == "dapr":
            components.append((path, manifest, items))
        else:
            files.append(Resource(path, manifest, request.settings.identity))
            files[-1].work(items)
    stores = dapr.rewrite(request, components)
    given = {pair for file in files for pair in file.provided()}
    return Rewrite(
        edits=(*(edit for file in files for edit in file.edits), *stores.edits),
        companions=stores.companions,
        refusals=(*(refusal for file in files for refusal in file.refusals), *stores.refusals),
        provides=tuple(need for need in request.requirements if _fulfilled(need, given)),
        notes=tuple(dict.fromkeys((*(note for file in files for note in file.notes), *stores.notes))),
    )


def _fulfilled(need: Requirement, given: set[tuple[str, str]]) -> bool:
    return need.kind == "runtime-variable" and (need.name, secret_uri(need.reference).lower()) in given


class Resource(IdentityEditor):
    """One file and what becomes of it."""

    what = "app"
    before = ("properties", "configuration", "template")

    def __init__(self, path: str, manifest: Manifest, identity: str) -> None:
        super().__init__(path, manifest.data, manifest.root, identity)
        self.manifest = manifest
        self.refusals: list[Refusal] = []
        self.notes: list[str] = []
        self.known = {text_at(entry, "name"): entry for entry in maps(self._secrets())}
        self.used = Counter(id(alias.target) for alias in aliases(manifest.root))
        self.names: dict[str, str] = {}
        self.taken = {name.lower() for name in self.known}
        self.vaulted: dict[str, str] = {}
        for name, entry in self.known.items():
            if name:
                self.vaulted.setdefault(text_at(entry, "keyVaultUrl").rstrip("/").lower(), name)
        self.counts: dict[int, Counter[str]] = {}
        self.added: dict[str, str] = {}
        self.set: dict[int, Reference] = {}

    def _configuration(self) -> Map | None:
        # The command moves what stands at the top over what is under properties.
        for part in (self.root, self.manifest.body):
            found = part.get("configuration")
            if isinstance(found, Map):
                return found
        return None

    def _secrets(self) -> Seq | None:
        configuration = self._configuration()
        found = configuration.get("secrets") if configuration is not None else None
        return found if isinstance(found, Seq) else None

    def work(self, items: list[Assignment]) -> None:
        """Fills the lists."""
        sites = {site.slot.pointer: site for site in self.manifest.sites}
        todo: list[tuple[Assignment, Site]] = []
        for item in items:
            try:
                self.possible(item, sites[item.slot.pointer])
                todo.append((item, sites[item.slot.pointer]))
            except No as no:
                self.refusals.append(Refusal(self.path, item.slot.pointer, no.reason, no.alternative, no.needs))
        if not todo:
            return
        # A secret that stays under its name is what variables of the same value then use.
        todo.sort(key=lambda pair: pair[1].kind != SECRET)
        rules: dict[int, list[tuple[Reference, Site]]] = {}
        for item, site in todo:
            if site.kind == SECRET:
                self.refer_secret(item.reference, site)
            elif site.kind == STORAGE:
                self.refer_storage(item.reference, site)
            elif site.kind == VARIABLE:
                self.refer_variable(item.reference, site)
            else:
                rules.setdefault(id(site.owner), []).append((item.reference, site))
        for moving in rules.values():
            self.refer_parameters(moving)
        self.add_secrets()
        if self.manifest.resource == "app":
            if self.identity.lower() != "system":
                self.add_identity()
            self.say_app({site.kind for _, site in todo})
        else:
            self.notes.append(
                f"{self.path}: the environment itself needs the identity {self.identity} "
                "(az containerapp env identity assign), and the identity the role Key Vault Secrets User for the "
                f"secret, before the storage is made; accountKeyVaultProperties needs API version {_VERSION}."
            )
        self.raise_version()

    def say_app(self, kinds: set[str]) -> None:
        reader = f"the identity {self.identity}"
        if self.identity.lower() == "system":
            reader = "its system-assigned identity, which is there once the app is,"
        self.notes.append(
            f"{self.path}: before the app is created or updated, {reader} needs the role Key Vault Secrets User for "
            "the secrets, and a firewall of the vault has to admit the environment."
        )
        if SECRET in kinds:
            self.notes.append(
                f"{self.path}: when the app exists, az containerapp update --yaml sends the deployed value of a secret "
                "beside its new keyVaultUrl, and which of them wins is not documented: look at the result (az "
                "containerapp secret list), or give the app its references before, by the same command's "
                "NAME=keyvaultref:URL,identityref:IDENTITY."
            )
        if SCALE in kinds:
            self.notes.append(
                f"{self.path}: a parameter of a scale rule moved from metadata to auth; some scalers read a parameter "
                "from one of the two only (https://keda.sh/docs/scalers)."
            )
        template = self.manifest.body.get("template") or self.root.get("template")
        volumes = template.get("volumes") if isinstance(template, Map) else None
        for volume in maps(volumes):
            listed = volume.get("secrets")
            if self.added and text_at(volume, "storageType").lower() == "secret" and not isinstance(listed, Seq):
                self.notes.append(
                    f"{self.path}: the volume {text_at(volume, 'name')} holds all secrets of the app, the new ones too."
                )

    # --- what is possible --------------------------------------------------------------------------------------------

    def possible(self, item: Assignment, site: Site) -> None:
        """Raises `No` for a site that cannot become a reference."""
        if not site.kind:
            raise No(site.slot.reason, ALTERNATIVES[site.refused])
        whole_text(item)
        not_rendered(item)
        names = self.counts.get(id(site.owner))
        if names is None:
            names = Counter(key.text for key, _ in site.owner.pairs if isinstance(key, Scalar))
            self.counts[id(site.owner)] = names
        beside = {
            VARIABLE: ("secretRef",),
            SECRET: ("keyVaultUrl", "identity"),
            STORAGE: ("accountKeyVaultProperties",),
        }
        if any(name in names for name in beside.get(site.kind, ())):
            raise No("the reference property stands beside the value already", "delete the value")
        if names[site.key.text] > 1:
            raise No("the value stands there twice", "leave one of them, then run this again")
        if site.kind == SECRET and not text_at(site.owner, "name"):
            raise No("the secret has no name", "give it a name, then run this again")
        expected = self.used[id(site.value)]
        if expected and (site.kind != VARIABLE or any(kind != VARIABLE for kind, _, _ in site.aliases)):
            raise No("the value is also used by alias", "write that place out, then run this again")
        if expected != len(site.aliases):
            raise No(
                "the value is also used by alias, at a place that takes no reference",
                "write that place out, then run this again",
            )
        if site.kind == SCALE:
            self.possible_parameter(site)
        if site.kind == STORAGE:
            self.identity = self.wanted_identity
            if not is_identity(self.identity):
                raise No("nothing says which identity of the environment reads the vault", SAY_IDENTITY)
        else:
            self.choose_identity()

    def possible_parameter(self, site: Site) -> None:
        if any(text_at(entry, "triggerParameter") == site.key.text for entry in maps(site.body.get("auth"))):
            raise No("the parameter is given by auth already", "delete the value")
        if self.used[id(site.owner)] or self.used[id(site.body)]:
            raise No("the rule is also used by alias", "write the rule out, then run this again")
        found = site.body.entries().get("auth")
        shaped = found is None or (isinstance(found[1], Seq) and (found[1].flow or bool(found[1].items)))
        led = site.body.flow or any(self.leads(key) for key, _ in site.body.pairs)
        lined = site.owner.flow or self.leads(site.key)
        if not (shaped and led and lined):
            raise No("the rule is written in a form that takes no other property", "write it in lines, then try again")

    def choose_identity(self) -> None:
        readers = {text_at(entry, "identity") for entry in self.known.values() if text_at(entry, "keyVaultUrl")}
        if not self.wanted_identity and len(readers) == 1 and next(iter(readers)).lower() == "system":
            self.identity = next(iter(readers))
            return
        assigned = self.identities()[1]
        there = assigned.entries() if assigned is not None else {}
        lower = {reader.lower() for reader in readers}
        self.find_identity({name for name in there if name.lower() in lower})

    # --- references --------------------------------------------------------------------------------------------------

    def refer_secret(self, reference: Reference, site: Site) -> None:
        """The secret keeps its name, so that all that name it stay."""
        uri = secret_uri(reference)
        self.put_plain(site.value, uri)
        quote = '"' if site.key.style == "double" else ""
        if site.owner.flow:
            reader = self.identity if not quote and _IN_BRACES.match(self.identity) else f'"{self.identity}"'
            self.edit(site.key.literal, f"{quote}identity{quote}: {reader}, {quote}keyVaultUrl{quote}")
        else:
            lead = self.newline + " " * self.column(site.key.start)
            self.edit(site.key.literal, f"identity: {self.identity}{lead}{quote}keyVaultUrl{quote}")
        self.names.setdefault(uri.lower(), text_at(site.owner, "name"))

    def refer_variable(self, reference: Reference, site: Site) -> None:
        name = self.entry(reference)
        self.put(site.value, name)
        for key in dict.fromkeys((site.key, *(key for _, key, _ in site.aliases if key is not None))):
            self.edit(key.span, "secretRef")
        for _, _, alias in site.aliases:
            self.edit(Span(alias.start, alias.end), quoted(name))
        self.set[id(site.value)] = reference

    def refer_storage(self, reference: Reference, site: Site) -> None:
        uri = secret_uri(reference)
        name = "accountKeyVaultProperties"
        if site.owner.flow:
            self.edit(site.key.span, name)
            inline = f'{{"keyVaultUrl": "{uri}", "identity": "{self.identity}"}}'
            self.edit(Span(site.value.start, stops(self.data, site.value)), inline)
            return
        at = self.column(site.key.start)
        step = at - self.column(self.manifest.body.entries()["azureFile"][0].start)
        lead = self.newline + " " * (at + max(step, 2))
        self.edit(
            Span(site.key.literal.start, stops(self.data, site.value)),
            f"{name}:{lead}keyVaultUrl: {uri}{lead}identity: {self.identity}",
        )

    def refer_parameters(self, moving: list[tuple[Reference, Site]]) -> None:
        """Parameters of a scale rule: out of its metadata, into its auth."""
        owner, body = moving[0][1].owner, moving[0][1].body
        leaving = {id(site.key) for _, site in moving}
        entries = [(self.entry(reference), site.slot.key) for reference, site in moving]
        inline = ", ".join(f'{{"secretRef": "{name}", "triggerParameter": "{key}"}}' for name, key in entries)
        gone = {index for index, (key, _) in enumerate(owner.pairs) if id(key) in leaving}
        self.cut(owner, body.entries()["metadata"][0], gone)
        found = body.get("auth")
        lines = [
            line
            for name, key in entries
            for line in (f"- secretRef: {quoted(name)}", f"  triggerParameter: {quoted(key)}")
        ]
        if isinstance(found, Seq) and not found.flow:
            self.append_lines(found, self.column(found.start), lines)
        elif isinstance(found, Seq):
            self.flow_item(found, inline)
        elif body.flow:
            self.flow_pair(body, f'"auth": [{inline}]')
        else:
            keys = [key for key, _ in body.pairs if self.leads(key)]
            before = next((key for key in keys if isinstance(key, Scalar) and key.text == "metadata"), keys[0])
            self.block_lines(before, ["auth:", *lines])

    def put_plain(self, node: Scalar, text: str) -> None:
        """Another text for a scalar: a URL, which needs no quotes of its own."""
        if node.style in ("single", "double") and node.start == node.literal.start:
            self.edit(node.span, text)
        else:
            self.edit(Span(node.start, stops(self.data, node)), text)

    # --- the app's secrets -------------------------------------------------------------------------------------------

    def entry(self, reference: Reference) -> str:
        """The name of the app's secret that leads to a vault's; a new one unless there is one."""
        uri = secret_uri(reference)
        if uri.lower() not in self.names:
            there = self.vaulted.get(uri.lower())
            if there is not None:
                self.names[uri.lower()] = there
                return there
            base = name = reference.name.lower()[:_LONGEST_NAME].strip("-") or "secret"
            number = 1
            while name in self.taken:
                number += 1
                name = f"{base[: _LONGEST_NAME - 1 - len(str(number))].rstrip('-')}-{number}"
            self.taken.add(name)
            self.names[uri.lower()] = name
            self.added[name] = uri
        return self.names[uri.lower()]

    def add_secrets(self) -> None:
        if not self.added:
            return
        inline = ", ".join(
            f'{{"name": "{name}", "keyVaultUrl": "{uri}", "identity": "{self.identity}"}}'
            for name, uri in self.added.items()
        )
        found = self._secrets()
        configuration = self._configuration()
        if found is not None and found.flow:
            self.flow_item(found, inline)
        elif found is not None:
            self.append_lines(found, self.column(found.start), list(self.lines()))
        elif configuration is None:
            self.new_configuration(inline)
        elif "secrets" in configuration.entries():
            self.fill(*configuration.entries()["secrets"], f"[{inline}]")
        elif configuration.flow:
            self.flow_pair(configuration, f'"secrets": [{inline}]')
        else:
            nested = self.nested()
            self.block_lines(configuration.pairs[0][0], ["secrets:", *(nested + line for line in self.lines())])

    def new_configuration(self, inline: str) -> None:
        for part in (self.root, self.manifest.body):
            found = part.entries().get("configuration")
            if found is not None:
                self.fill(*found, f'{{"secrets": [{inline}]}}')
                return
        holder = self.root if "template" in self.root.entries() else self.manifest.body
        if holder.flow:
            self.flow_pair(holder, f'"configuration": {{"secrets": [{inline}]}}')
            return
        nested = self.nested()
        lines = ["configuration:", "  secrets:", *(f"  {nested}{line}" for line in self.lines())]
        self.block_lines(holder.entries()["template"][0], lines)

    def lines(self) -> Iterator[str]:
        for name, uri in self.added.items():
            yield f"- name: {quoted(name)}"
            yield f"  keyVaultUrl: {uri}"
            yield f"  identity: {self.identity}"

    def nested(self) -> str:
        """By how much the file indents a list below its key."""
        template = self.root.get("template") or self.manifest.body.get("template")
        for part in (self._configuration(), template):
            for key, value in part.pairs if isinstance(part, Map) else ():
                if isinstance(value, Seq) and not value.flow:
                    return " " * max(self.column(value.start) - self.column(key.start), 0)
        return ""

    def raise_version(self) -> None:
        """An API version that knows the references, where the file names one."""
        found = self.root.get("apiVersion")
        if not isinstance(found, Scalar) or not re.match(r"\d{4}-\d\d-\d\d", found.text):
            return
        least = _VERSION if self.manifest.resource == "storage" else _FIRST
        if found.text.endswith("-preview") and self.manifest.resource != "storage":
            least = _FIRST_PREVIEW
        if found.text[:10] < least:
            self.put(found, _VERSION)

    # --- requirements ------------------------------------------------------------------------------------------------

    def provided(self) -> Iterator[tuple[str, str]]:
        """The environment variables that the containers take from a secret: name and the secret's URI."""
        uris = {name: text_at(entry, "keyVaultUrl").rstrip("/").lower() for name, entry in self.known.items()}
        uris |= {name: uri for uri, name in self.names.items()}
        for site in self.manifest.sites:
            if site.kind == VARIABLE and id(site.value) in self.set:
                yield site.slot.key, secret_uri(self.set[id(site.value)]).lower()
        template = self.root.get("template") or self.manifest.body.get("template")
        for kind in ("containers", "initContainers"):
            for container in maps(template.get(kind) if isinstance(template, Map) else None):
                for variable in maps(container.get("env")):
                    name, secret = text_at(variable, "name"), text_at(variable, "secretRef")
                    if name and uris.get(secret):
                        yield name, uris[secret]
