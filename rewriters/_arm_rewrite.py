"""The edits of templates and parameter files: which assignments are possible, and what each becomes.

Source: Azure Resource Manager, "Use Azure Key Vault to pass a secure parameter value during deployment".
"""

from __future__ import annotations

from collections.abc import Mapping

from rewriters._api import Assignment, Files, Refusal, Request, Rewrite, Unreadable
from rewriters._arm_apps import Apps
from rewriters._arm_deploy import Deployments
from rewriters._arm_kinds import ALTERNATIVES, HIDDEN, REASONS, SETTING
from rewriters._arm_pairs import beside, template_of
from rewriters._arm_read import Document, Site, read
from rewriters._arm_text import child, pairs
from rewriters._azure_identity import No, whole_text
from rewriters._yaml import Map, Scalar
from rewriters.arm import claims

__all__ = ["rewrite"]


def rewrite(request: Request) -> Rewrite:
    """Carries out the assignments."""
    assigned: dict[str, list[Assignment]] = {}
    for item in request.assignments:
        assigned.setdefault(item.slot.path, []).append(item)
    if not assigned:
        return Rewrite()
    documents = _documents(assigned, request.files)
    work = Deployments(request.files, request.settings, documents, _owners(documents))
    apps = Apps(work)
    refusals: list[Refusal] = []
    todo: list[tuple[Assignment, Site]] = []
    for path, items in assigned.items():
        sites = {site.slot.pointer: site for site in documents[path].sites}
        todo += ((item, sites[item.slot.pointer]) for item in items if item.slot.pointer in sites)
    # Parameters first: what they feed can be used by the other places.
    for item, site in sorted(todo, key=lambda each: each[1].parameter is None):
        try:
            _possible(item, site)
            _carry_out(work, apps, item, site)
        except No as no:
            refusals.append(Refusal(item.slot.path, item.slot.pointer, no.reason, no.alternative))
    apps.finish()
    companions = tuple(work.companions())
    return Rewrite(
        edits=tuple(edit for editor in work.editors() for edit in editor.edits()),
        companions=companions,
        refusals=tuple(refusals),
        notes=tuple(work.notes),
    )


def _documents(assigned: Mapping[str, object], files: Files) -> dict[str, Document]:
    """The assigned files, and those near them that can be read."""
    found: dict[str, Document] = {}
    wanted = {path for item in assigned for path in beside(item, files)} | set(assigned)
    for path in sorted(wanted):
        data = files[path]
        if not claims(path, data[:4096]):
            continue
        try:
            found[path] = read(path, data)
        except Unreadable as error:
            if path in assigned:
                raise ValueError(f"{path} is assigned, and cannot be read: {error.reason}") from None
    return found


def _owners(documents: dict[str, Document]) -> dict[str, str]:
    """The template of each parameter file."""
    names = {
        path: _names(document.scope.parameters) for path, document in documents.items() if document.scope is not None
    }
    return {
        path: template_of(path, names, _names(document.values))
        for path, document in documents.items()
        if document.scope is None
    }


def _names(node: Map | None) -> frozenset[str]:
    return frozenset(key.text.lower() for _, key, _ in pairs(node))


def _possible(item: Assignment, site: Site) -> None:
    if not site.kind:
        raise No(site.slot.reason, ALTERNATIVES[site.refused])
    whole_text(item)
    if site.scope is not None and site.node.text.startswith("[[") and not site.node.text.endswith("]"):
        raise No(
            "whether Azure takes the first bracket of this text for an escape is not documented",
            "write the text in another way, then run this again",
        )


def _carry_out(work: Deployments, apps: Apps, item: Assignment, site: Site) -> None:
    if site.parameter is not None:
        name, entry = site.parameter
        if item.slot.pointer.lower().rpartition(".")[2].startswith("defaultvalue"):
            work.drop_default(site, name, entry, item.reference)
        else:
            work.refer(site, name, entry, item.reference)
        return
    if apps.app(site, item.reference):
        return
    template = work.template(site)
    text = apps.setting(site, item.reference) if site.kind == SETTING else None
    if text is None:
        if site.scope is not None and site.scope.outer:
            raise No(REASONS["outer"], ALTERNATIVES["outer"])
        text = f"[parameters('{work.parameter(site, item.reference)}')]"
    template.replace(site, text)
    if site.kind == HIDDEN and isinstance(site.owner, Map) and child(site.owner, "secureValue") is None:
        key = site.owner.pairs[site.index][0]
        if isinstance(key, Scalar):
            template.rename(key, "secureValue")
