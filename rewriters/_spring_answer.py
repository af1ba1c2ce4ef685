"""The change that a person may make instead of each value of Spring's configuration.

Sources: Spring Boot, "Externalized Configuration" (variables of the environment win over files); Spring Cloud Azure,
"Secret management" (spring-cloud-azure-starter-keyvault-secrets; it lists the vault's secrets and gets each).
"""

from __future__ import annotations

from rewriters._api import Reference, Refusal, Request, Rewrite, Slot
from rewriters._spring_names import is_quarkus, opens_the_vault, read_early, secret_name, variable
from rewriters._spring_read import BUILD, ENCRYPTED, REFERENCE, Site, read

__all__ = ["refuse"]

_GONE = "this place is not in the file any more"


def refuse(request: Request) -> Rewrite:
    """Every assignment, each with its change."""
    sites: dict[str, dict[str, Site]] = {}
    refusals: list[Refusal] = []
    for item in request.assignments:
        slot = item.slot
        if slot.path not in sites:
            data = request.files.get(slot.path, b"")
            sites[slot.path] = {site.slot.pointer: site for site in read(slot.path, data)}
        site = sites[slot.path].get(slot.pointer)
        reason, alternative = (_GONE, "scan the file again") if site is None else _answer(site, item.reference)
        refusals.append(Refusal(slot.path, slot.pointer, reason, alternative))
    return Rewrite(refusals=tuple(refusals))


def _answer(site: Site, reference: Reference) -> tuple[str, str]:
    slot, name = site.slot, site.name
    if slot.reason == BUILD:
        return BUILD, "move the value where the build takes it from, or write ${VARIABLE} here"
    if slot.reason == ENCRYPTED:
        return ENCRYPTED, "store the plain text in the vault by hand, then write ${VARIABLE} here"
    if slot.reason == REFERENCE:
        return REFERENCE, "move the value where it is set"
    if opens_the_vault(name):
        return (
            "it is what the application signs in to Azure with, so it cannot come from a vault",
            "give the workload a managed identity (spring.cloud.azure.credential.managed-identity-enabled: true), and "
            "take the property out",
        )
    return slot.reason, "; or ".join(_changes(site, slot, reference))


def _changes(site: Site, slot: Slot, reference: Reference) -> list[str]:
    name = site.name
    where = f" where the profile {site.profile} is active" if site.profile else ""
    placeholder = "${" + reference.variable + "}"
    if slot.pointer.rpartition(":")[2].startswith("default"):
        changes = [f"take the default out, and have the platform set the variable from the secret{where}"]
    else:
        changes = [f"write {placeholder} here, and have the platform set that variable from the secret{where}"]
    sets = variable(name)
    if sets and sets != reference.variable:
        changes.append(f"take the property out, and have the platform set {sets}, which stands for it{where}")
    secret = secret_name(name)
    if secret and not is_quarkus(name) and not read_early(slot.path, name):
        stored = "" if reference.name.lower() == secret else f"store the secret as {secret}, "
        changes.append(
            f"add spring-cloud-azure-starter-keyvault-secrets with spring.cloud.azure.keyvault.secret."
            f"property-sources[0].endpoint: {reference.vault_url}/, {stored}and take the property out (the "
            "application's identity lists and reads all secrets of the vault)"
        )
    return changes
