"""The change that a person may make instead of each value of .NET's configuration.

Sources: "Azure Key Vault configuration provider in ASP.NET Core"; "Use Key Vault references" of App Service and of App
Configuration; "Safe storage of app secrets in development"; Microsoft.Configuration.ConfigurationBuilders (its readme);
"Consuming packages from authenticated feeds" of NuGet.
"""

from __future__ import annotations

from rewriters._api import Reference, Refusal, Request, Rewrite
from rewriters._dotnet_names import is_app_setting, secret_name, setting, variable
from rewriters._dotnet_read import ENCRYPTED, REFERENCE, TOKEN, Site, read

__all__ = ["refuse"]

_GONE = "this place is not in the file any more"
_KNOWN = {
    ENCRYPTED: "decrypt it by hand and store it in the vault; who can read the machine's key can read it here",
    TOKEN: "move the value where the release takes it from, to a variable that is read from the vault",
    REFERENCE: "move the reference to a setting of the app itself, and take the text out here",
}
_PROVIDER = "Azure.Extensions.AspNetCore.Configuration.Secrets"
_BUILDERS = "Microsoft.Configuration.ConfigurationBuilders.Azure"


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
        if site is None:
            refusals.append(Refusal(slot.path, slot.pointer, _GONE, "scan the file again"))
            continue
        reason = site.slot.reason
        alternative = _KNOWN.get(reason) or "; or ".join(_changes(site, item.reference))
        refusals.append(Refusal(slot.path, slot.pointer, reason, alternative))
    return Rewrite(refusals=tuple(refusals))


def _changes(site: Site, reference: Reference) -> list[str]:
    make = {
        "setting": _setting, "secrets": _secrets, "launch": _launch, "appSettings": _section,
        "connectionStrings": _section, "variable": _variable, "feed": _feed, "builder": _builder,
        "arguments": _arguments, "tools": _arguments, "iis": _iis,
    }.get(site.kind)  # fmt: skip
    return make(site.name, site.kind, reference) if make is not None else _other(reference)


def _address(reference: Reference) -> str:
    return f"{reference.vault_url}/secrets/{reference.name}" + (f"/{reference.version}" if reference.version else "")


def _setting(name: str, kind: str, reference: Reference) -> list[str]:
    changes: list[str] = []
    if kind == "setting" and name.startswith("Parameters:"):
        parameter = name.partition(":")[2]
        changes.append(
            f'in an AppHost of Aspire, say AddParameter("{parameter}", secret: true), take the value out here, and run '
            f'dotnet user-secrets set "{name}" (who deploys is asked for it)'
        )
    if variable(name):
        changes.append(
            f"take the value out, and set the variable {variable(name)} from the secret where the application runs (on "
            f"App Service: a setting with @Microsoft.KeyVault(SecretUri={_address(reference)}))"
        )
    changes.append(_provided(name, reference))
    changes.append(
        f"keep {name} in App Configuration as a reference to {_address(reference)}, and call ConfigureKeyVault"
    )
    return changes


def _provided(name: str, reference: Reference) -> str:
    secret = secret_name(name)
    call = f'AddAzureKeyVault(new Uri("{reference.vault_url}/"), new DefaultAzureCredential())'
    if not secret:
        return f"add {_PROVIDER}, and call {call} with a KeyVaultSecretManager that gives the secret this name"
    stored = "" if reference.name.lower() == secret.lower() else f" and store the secret as {secret}"
    return f"add {_PROVIDER}, call {call}{stored}, and take the value out here"


def _secrets(name: str, kind: str, reference: Reference) -> list[str]:
    return [
        "leave it on the developer's machine, outside of the repository",
        f"{_provided(name, reference)}: it reads the vault as the developer who is signed in",
    ]


def _launch(name: str, kind: str, reference: Reference) -> list[str]:
    return [
        f'take it out here, and run: dotnet user-secrets set "{setting(name)}"',
        _provided(setting(name), reference),
    ]


def _section(name: str, kind: str, reference: Reference) -> list[str]:
    what = "setting" if kind == "appSettings" else "connection string"
    builder = f"add {_BUILDERS} with a builder for {reference.vault_name}, and configBuilders on {kind}"
    if secret_name(name) and ":" not in name:
        stored = "" if reference.name.lower() == name.lower() else f", store the secret as {name}"
        builder += f"{stored}, and leave a meaningless text here"
    else:
        builder += " in the mode Expand, and write ${" + reference.name + "} here"
    changes = [f"{builder} (.NET Framework 4.7.1 and later)"]
    if is_app_setting(name):
        changes.insert(
            0,
            f"set {name} as a {what} of App Service with @Microsoft.KeyVault(SecretUri={_address(reference)}), which "
            "wins over this file (.NET Framework), and leave a meaningless text here",
        )
    return changes


def _variable(name: str, kind: str, reference: Reference) -> list[str]:
    return [
        f"take it out here, and set {name} from the secret where the application runs",
        _provided(setting(name), reference),
    ]


def _feed(name: str, kind: str, reference: Reference) -> list[str]:
    return [
        f"write %{reference.variable}% here, and set that variable from the secret before restoring packages",
        "sign in with a credential provider, and take the entry out",
    ]


def _arguments(name: str, kind: str, reference: Reference) -> list[str]:
    return ["have the program read it from its configuration, which a variable of the environment or a vault can set"]


def _iis(name: str, kind: str, reference: Reference) -> list[str]:
    return ["take an identity that needs no password", "have the application read it from its own settings"]


def _builder(name: str, kind: str, reference: Reference) -> list[str]:
    return [f"store the secret as the builder asks for it ({name}), and leave a meaningless text here"]


def _other(reference: Reference) -> list[str]:
    return [
        f"add {_BUILDERS} with a builder in the mode Expand on this section, and write ${{{reference.name}}} here "
        "(.NET Framework 4.7.1 and later; a name with dashes needs a tokenPattern)",
        "encrypt the section with aspnet_regiis -pe",
        "take an identity that needs no password",
    ]
