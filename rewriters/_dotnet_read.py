"""A configuration file of .NET as the places in it, whichever of its formats it has.

Sources: "Configuration in ASP.NET Core" (flat names of JSON); "Safe storage of app secrets in development";
launchSettings.json of the JSON schema store; .NET Framework configuration file schema; NuGet, nuget.config reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rewriters import _api
from rewriters._api import Slot, Unreadable
from rewriters._dotnet_names import is_app_setting, variable
from rewriters._dotnet_xml import Found
from rewriters._dotnet_xml import found as xml_found
from rewriters._json import read as read_json
from rewriters._yaml import Map, Node, Scalar, Seq
from rewriters.plaintext import Plaintext

__all__ = ["ENCRYPTED", "REFERENCE", "TOKEN", "Kind", "Site", "read"]

MAX_SITES = 50_000

REFERENCE = "App Service resolves a reference in its settings, and not in this file"
TOKEN = "a step of the release writes it here"
ENCRYPTED = "it is encrypted already"

_REASONS = {
    "setting": "the application reads this file itself and knows no reference to a vault: ",
    "secrets": "user secrets are plain text and take no reference to a vault: ",
    "launch": "development tools read this file, and know no vault: keep the value in user secrets",
    "tools": "development tools read this file, and know no vault",
    "appSettings": "this section takes no reference to a vault: ",
    "connectionStrings": "this section takes no reference to a vault: ",
    "builder": "a configuration builder fills this section; what stands here holds where the vault has nothing",
    "variable": "a variable of web.config takes no reference: set it where the application runs",
    "arguments": "the arguments of a program take no reference",
    "iis": "IIS reads this section itself and knows no reference to a vault",
    "feed": "NuGet knows no vault: write a variable here, %NAME%",
}
_APP_SERVICE = re.compile(r"(?i)\s*@Microsoft\.(?:KeyVault|AppConfiguration)\(.*\)\s*\Z", re.DOTALL)
_TOKEN = re.compile(r"#\{[^{}]+\}#?\Z|__[A-Za-z]\w*__\Z|\$\([\w.-]+\)\Z|\$\{\w+\}\Z|%\w+%\Z")
_WORDS = frozenset(("true", "false", "null"))

Kind = str
"""Which kind of place: `setting`, `secrets`, `launch`, or one of XML's (`_dotnet_xml`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot; `name` is the setting's, the variable's or the attribute's, by `kind`."""

    slot: Slot
    name: str
    kind: Kind


def read(path: str, data: bytes) -> tuple[Site, ...]:
    """In the order of their spans. Raises `Unreadable`."""
    name = path.rsplit("/", 1)[-1].lower()
    if name.endswith(".config"):
        items = xml_found(data)
    elif name == "launchsettings.json":
        items = _launch(data)
    else:
        items = _settings(data, "secrets" if name == "secrets.json" else "setting")
    count: dict[str, int] = {}
    sites: list[Site] = []
    for item in items:
        if len(sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        many = count[item.pointer] = count.get(item.pointer, 0) + 1
        pointer = item.pointer if many == 1 else f"{item.pointer}~{many}"
        slot = Slot(
            "dotnet", path, pointer, item.key, Plaintext(item.text.encode("utf-8", "surrogatepass")), item.span,
            item.literal, item.encoding, item.place, (), _reason(item),
        )  # fmt: skip
        sites.append(Site(slot, item.name, item.kind))
    return tuple(sorted(sites, key=lambda site: (site.slot.span, site.slot.pointer)))


def _reason(item: Found) -> str:
    if item.kind == "encrypted":
        return ENCRYPTED
    if _APP_SERVICE.match(item.text):
        return REFERENCE
    if _TOKEN.match(item.text.strip()):
        return TOKEN
    said = _REASONS.get(item.kind, "this attribute takes no reference to a vault")
    if item.kind in ("setting", "secrets"):
        sets = variable(item.name)
        return said + (f"set {sets} in its environment instead" if sets else "add a provider for the vault in its code")
    if item.kind in ("appSettings", "connectionStrings"):
        what = "setting" if item.kind == "appSettings" else "connection string"
        return (
            said
            + (f"set {item.name} as a {what} of App Service, or " * is_app_setting(item.name))
            + "add a configuration builder"
        )
    return said


# --- JSON -------------------------------------------------------------------------------------------------------------


def _settings(data: bytes, kind: Kind) -> Iterator[Found]:
    for steps, node, beside in _leaves(data):
        name = ":".join(map(str, steps))
        # A pair of `Name` and `Value` says what it is by the name.
        key = f"{':'.join(map(str, steps[:-1]))}:{beside}" if beside else name
        yield Found(
            name or "(root)", key, name, kind, "config", node.text, node.span, node.literal, node.encoding
        )  # fmt: skip


def _launch(data: bytes) -> Iterator[Found]:
    for steps, node, _ in _leaves(data):
        name = str(steps[-1]) if steps else ""
        pointer = ":".join(map(str, steps)) or "(root)"
        place: _api.Place = "other"
        if len(steps) > 2 and str(steps[0]) == "profiles" and str(steps[2]) == "environmentVariables":
            place = "env"
        elif name in ("commandLineArgs", "dockerfileRunArguments", "containerRunArguments"):
            place = "arg"
        kind = {"env": "launch", "arg": "arguments"}.get(place, "tools")
        key = "" if place == "arg" else name
        yield Found(pointer, key, name, kind, place, node.text, node.span, node.literal, node.encoding)


def _leaves(data: bytes) -> Iterator[tuple[tuple[str | int, ...], Scalar, str]]:
    """Each text and number under its steps, and the name beside it where it is the value of a pair."""
    root = read_json(data)
    if not isinstance(root, Map):
        raise Unreadable("not a map of settings", 1)
    todo: list[tuple[tuple[str | int, ...], Node, str]] = [((), root, "")]
    while todo:
        steps, node, beside = todo.pop()
        if isinstance(node, Map):
            named = {key.text.lower(): value for key, value in node.pairs if isinstance(key, Scalar)}
            label = next((one.text for one in map(named.get, ("name", "key")) if isinstance(one, Scalar)), "")
            for key, value in reversed(node.pairs):
                if isinstance(key, Scalar):
                    todo.append(((*steps, key.text), value, label if key.text.lower() == "value" else ""))
        elif isinstance(node, Seq):
            todo += reversed([((*steps, index), item, "") for index, item in enumerate(node.items)])
        elif isinstance(node, Scalar) and node.text not in _WORDS:
            yield steps, node, beside
