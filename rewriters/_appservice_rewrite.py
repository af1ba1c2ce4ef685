"""References in settings of App Service and Functions, and what they need.

Sources: Azure App Service, "Use Key Vault references as app settings"; Azure/azure-functions-core-tools,
KeyVaultReferencesManager.cs and StartHostAction.cs (`func start` resolves them since January 2022, as who is signed
in).
"""

from __future__ import annotations

import json

from rewriters._api import Assignment, Edit, Refusal, Request, Rewrite
from rewriters._app_settings import reference_text
from rewriters._appservice_read import EARLY, ENCRYPTED, HOST, REFERENCE, Site, read
from rewriters._azure_identity import No, whole_text

__all__ = ["rewrite"]

_ALTERNATIVES = {
    REFERENCE: "leave it, or move the value where the reference leads to",
    ENCRYPTED: 'run func settings decrypt, which leaves "IsEncrypted": false, then move it',
    EARLY: "make the content share by hand, set WEBSITE_SKIP_CONTENTSHARE_VALIDATION to 1, then move it",
    HOST: "take it out here",
}


def rewrite(request: Request) -> Rewrite:
    edits: list[Edit] = []
    refusals: list[Refusal] = []
    notes: dict[str, None] = {}
    sites: dict[str, dict[str, Site]] = {}
    for item in request.assignments:
        path = item.slot.path
        if path not in sites:
            sites[path] = {site.slot.pointer: site for site in read(path, request.files[path])}
        site = sites[path].get(item.slot.pointer)
        try:
            edits.append(_edit(item, site))
        except No as no:
            refusals.append(Refusal(path, item.slot.pointer, no.reason, no.alternative))
            continue
        for note in _LOCAL if site is not None and site.local else _LIST:
            notes.setdefault(f"{path}: {note}")
        if site is not None and not site.local and not item.reference.version:
            notes.setdefault(f"{path}: {_NEWEST}")
    return Rewrite(
        edits=tuple(sorted(edits, key=lambda edit: (edit.path, edit.span))),
        refusals=tuple(refusals),
        notes=tuple(notes),
    )


def _edit(item: Assignment, site: Site | None) -> Edit:
    slot = item.slot
    if site is None or site.slot.span != slot.span:
        raise No("this place is not in the file any more", "scan the file again")
    if site.slot.reason:
        raise No(site.slot.reason, _ALTERNATIVES[site.slot.reason])
    whole_text(item)
    text = reference_text(item.reference)
    if slot.span == slot.literal:  # a number
        return Edit(slot.path, slot.literal, json.dumps(text).encode())
    return Edit(slot.path, slot.span, text.encode())


_LOCAL = (
    "func start reads the vault as who is signed in (az login), who needs the role Key Vault Secrets User on the "
    "secrets; Core Tools from before 2022 hand the program the text of the reference, and so do all when they cannot "
    "read the secret.",
    "what else reads this file is handed the text of the references: func kubernetes deploy, a program that reads it "
    "itself.",
)
_LIST = (
    "the app that gets these settings needs an identity with the role Key Vault Secrets User on the secrets before "
    "they are set, its system-assigned one or that in keyVaultReferenceIdentity; until then it is handed the text of "
    "the references.",
    "a slot has an identity of its own, which needs the role too; mark a setting as slotSetting where slots have "
    "vaults of their own.",
)
_NEWEST = "App Service reads the newest version of a secret within 24 hours, after a change of the settings at once."
