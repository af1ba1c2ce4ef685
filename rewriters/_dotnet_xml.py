"""The places of an XML configuration file: `web.config`, `app.config`, files of one section, `nuget.config`.

Sources: .NET Framework configuration file schema (appSettings, connectionStrings, applicationSettings, system.net,
system.web); "Configuration builders for ASP.NET"; ASP.NET Core Module (`environmentVariables`); NuGet, nuget.config
reference (`packageSourceCredentials`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Place, Span, Unreadable
from rewriters._xml import Attribute, Element, Text, read
from rewriters._yaml import join

__all__ = ["Found", "found"]

MAX_FOUND = 50_000
_IDENTITY = ("name", "key", "path")
_NOT_VALUES = frozenset(
    ("name", "key", "type", "assembly", "namespace", "publicKeyToken", "culture", "verb",
     "modules", "resourceType", "preCondition", "configProtectionProvider", "configBuilders", "xmlns", "Algorithm",
     "serializeAs", "providerName", "processPath")
)  # fmt: skip
_PREFIXES = ("xmlns:", "xdt:", "xsi:", "xml:")
"""Namespaces, transformations and types of the schema."""
_SKIPPED = frozenset(("runtime", "configSections", "system.codedom"))
_PAIRS = ("value", "connectionString")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A place. `kind`: `setting` and `secrets` of JSON, `launch` and `tools` of launchSettings.json; of XML
    `appSettings`, `connectionStrings`, `builder`, `variable`, `arguments`, `iis`, `feed`, `encrypted`, or empty. `name`
    is that of the setting, the variable or the attribute."""

    pointer: str
    key: str
    name: str
    kind: str
    place: Place
    text: str
    span: Span
    literal: Span
    encoding: tuple[str, ...]


def found(data: bytes) -> Iterator[Found]:
    """In the order of the document. Raises `Unreadable`."""
    root = read(data)
    todo: list[tuple[Element, tuple[str, ...], tuple[Element, ...]]] = [(root, (), ())]
    if root.name != "configuration":
        todo = [(root, (root.name,), ())]
    number = 0
    while todo:
        element, steps, above = todo.pop()
        parents = (*above, element)
        for place, name, source in _places(element, above):
            number += 1
            if number > MAX_FOUND:
                raise Unreadable(f"more than {MAX_FOUND} values")
            yield _found(parents, steps, place, name, source)
        for child in reversed(element.children):
            if child.name not in _SKIPPED or above:
                todo.append((child, (*steps, *_step(child)), parents))


def _step(element: Element) -> tuple[str, ...]:
    """An element's steps in a pointer: its name and, of one among others of this name, what tells it apart."""
    label = next((element.get(name) for name in _IDENTITY if element.get(name)), "")
    if not label:
        return (element.name,)
    return (label,) if element.name == "add" else (element.name, label)


def _places(element: Element, above: tuple[Element, ...]) -> Iterator[tuple[Place, str, Attribute | Text]]:
    """Each place of one element with the name that says what it holds."""
    label = next((element.get(name) for name in _IDENTITY[:2] if element.get(name)), "")
    for attribute in element.attributes:
        if attribute.name in _NOT_VALUES or attribute.name.startswith(_PREFIXES):
            continue
        pair = attribute.name in _PAIRS
        if pair and label:
            place: Place = "env" if element.name == "environmentVariable" else "config"
            yield place, label, attribute
        elif attribute.name == "arguments":
            yield "arg", "", attribute
        else:
            yield "config", attribute.name, attribute
    for text in element.texts:
        setting = above[-1] if above and element.name == "value" else element
        yield "config", setting.get("name") or setting.name, text


def _found(
    parents: tuple[Element, ...], steps: tuple[str, ...], place: Place, name: str, source: Attribute | Text
) -> Found:
    names = [element.name for element in parents]
    own = isinstance(source, Attribute) and source.name not in _PAIRS
    pointer = join(*steps, source.name) if own and isinstance(source, Attribute) else join(*steps)
    section = next((element for element in parents if element.name in ("appSettings", "connectionStrings")), None)
    # A key of a machine says less by its own name than with the element's.
    key = f"{names[-1]}.{name}" if own and name.lower() in ("validationkey", "decryptionkey") else name
    kind = ""
    if any(element.get("configProtectionProvider") for element in parents) or "EncryptedData" in names:
        kind = "encrypted"
    elif any(element.get("configBuilders") for element in parents):
        kind = "builder"
    elif "packageSourceCredentials" in names or "apikeys" in names:
        kind = "encrypted" if "apikeys" in names or name.lower() == "password" else "feed"
    elif section is not None and not own:
        kind = section.name
    elif names[-1] == "environmentVariable":
        kind = "variable"
    elif place == "arg":
        kind = "arguments"
    elif names[1:2] in (["system.webServer"], ["system.applicationHost"], ["system.ftpServer"]):
        kind = "iis"
    return Found(
        pointer or _name(source), key, name, kind, place, source.value, source.span, source.literal,
        source.encoding,
    )  # fmt: skip


def _name(source: Attribute | Text) -> str:
    return source.name if isinstance(source, Attribute) else "(text)"
