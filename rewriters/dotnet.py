""".NET: `appsettings.json`, user secrets, `launchSettings.json`, and XML configuration. Reported, never rewritten.
https://learn.microsoft.com/aspnet/core/fundamentals/configuration/

The application reads these files by itself. What takes a value's place (a variable, a provider in its code, a setting
of App Service) depends on where it runs, so a person decides; each place says what it would be called there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "dotnet"

_JSON = re.compile(r"(?i)(?:^|/)(?:appsettings(?:\.[^/]+)?|launchsettings)\.json\Z")
_SECRETS = re.compile(r"(?i)(?:^|/)secrets\.json\Z")
_FLAT = re.compile(rb'"[A-Za-z][\w.-]*:[\w.:-]+"\s*:|"ConnectionStrings"\s*:')
_ROOT = re.compile(
    rb"(?:\s|<\?xml\b[^>]*\?>|<!--(?:[^-]|-(?!->))*+-->)*+"
    rb"<(?:configuration|connectionStrings|appSettings)(?=[\s>/])"
)
_OTHERS = re.compile(
    rb'"auths"\s*:\s*\{|"\$schema"\s*:\s*"[^"]*/deployment(?:Template|Parameters)\.json|"(?:cpus|mem)"\s*:\s*[\d.]'
)
"""Registries, templates of Azure, applications of Marathon; lists of settings are App Service's."""
_WIDE = (b"\xff\xfe", b"\xfe\xff")


def claims(path: str, head: bytes) -> bool:
    """By the name; user secrets also by the folder or their flat names, XML by its root."""
    lower = path.lower()
    if not lower.endswith((".json", ".config")):
        return False
    if head.startswith(_WIDE):
        head = head[2:].replace(b"\0", b"")  # is said to be unreadable, not passed over
    elif b"\0" in head:
        return False
    text = head.removeprefix(b"\xef\xbb\xbf")
    if lower.endswith(".config"):
        return _ROOT.match(text) is not None
    if _SECRETS.search(path):
        if "/usersecrets/" not in f"/{lower}" and not _FLAT.search(text):
            return False
    elif not _JSON.search(path):
        return False
    from rewriters._appservice_claims import is_list
    from rewriters._k8s_claims import claims as of_kubernetes

    return _OTHERS.search(head) is None and not of_kubernetes(path, head) and not is_list(head)


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every text and number of JSON, every attribute and text of XML that may hold a value. Raises `Unreadable`."""
    from rewriters._dotnet_read import read

    return tuple(site.slot for site in read(path, data))


def rewrite(request: Request) -> Rewrite:
    """Refuses everything, with the change that a person may make."""
    from rewriters._dotnet_answer import refuse

    return refuse(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What the files hold, read with `json` and ElementTree."""
    from rewriters._dotnet_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])})
