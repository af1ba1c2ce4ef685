"""What azd hands on of its environments: variables read a letter at a time, JSON with `json`, YAML with ruamel.yaml.

Sources: joho/godotenv 1.5.1, parser.go; Azure/azure-dev, exec.go, hooks_runner.go, bicep_provider.go, keyvault.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from rewriters._api import Address, Delivery, Files, Lookup, Reference, Unreadable
from rewriters._azd_again import Hook, hooks, texts
from rewriters._azd_project import Parameters, Project, environments, may_take, projects
from rewriters._json import read as read_json
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 100_000
_KEY = re.compile(r"(?:export[ \t]+)?([A-Za-z0-9_.\[\]-]+)[ \t]*[=:][ \t\v\f]*")
_EXPANDED = re.compile(r"\\?\$\(?\{?([A-Z0-9_]+)?\}?")
_AKVS = re.compile(r"akvs://[^/]+/([^/]+)/([^/]+)\Z")
_OF_APP = re.compile(
    r"@Microsoft\.KeyVault\(\s*SecretUri=(https://[^/\s]+)/secrets/([^/\s)]+)(?:/([^/\s)]*))?/?\s*\)\Z", re.I
)
_USE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(?::?[-=])([^{}]*))?\}")


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """For each environment. Raises `Unreadable`."""
    found: dict[Address, Plaintext] = {}

    def hand(path: str, subject: str, channel: Any, name: str, value: str) -> None:
        found[Address(path, subject, channel, name)] = Plaintext(value.encode("utf-8", "surrogateescape"))
        if len(found) > MAX_DELIVERIES:
            raise Unreadable(f"more than {MAX_DELIVERIES} values")

    known = projects(files)
    again: dict[str, tuple[tuple[Hook, ...], tuple[tuple[str, str], ...]]] = {}
    for path, root, name in environments(files):
        values = dict(_variables(files[path]))
        for key, value in values.items():
            hand(path, f"{path}#azd exec", "env", key, _resolved(value, lookup, app=True))
        project = known[root]
        for where, parameter, value in _parameters(project, files, values, lookup):
            hand(path, f"{where}#{name}", "object", parameter, value)
        if not project.path:
            continue
        if project.path not in again:
            again[project.path] = tuple(hooks(files[project.path])), tuple(texts(files[project.path]))
        for hook in again[project.path][0]:
            for key, value in _handed(hook, values, lookup):
                hand(project.path, f"{project.path}#{hook.name}#{name}", "env", key, value)
        for pointer, text in again[project.path][1]:
            hand(project.path, f"{project.path}#{name}", "object", pointer, _substituted(text, values))
    for path, data in sorted(files.items()):
        if re.search(r"(?:^|/)\.azure/[^/]+/config\.json\Z", path):
            for pointer, value in _settings(data):
                hand(path, path, "object", pointer, value)
    return tuple(Delivery(address, value) for address, value in found.items())


def _resolved(value: str, lookup: Lookup, *, app: bool = False) -> str:
    match = _AKVS.match(value)
    if match is not None:
        reference = Reference(f"https://{match[1]}.vault.azure.net", match[2])
    else:
        match = _OF_APP.match(value) if app else None
        if match is None:
            return value
        reference = Reference(match[1], match[2], match[3] or "")
    return lookup(reference).reveal().decode("utf-8", "surrogateescape")


def _handed(hook: Hook, values: dict[str, str], lookup: Lookup) -> Iterator[tuple[str, str]]:
    """What a hook's script may take of the environment, and what `secrets` adds."""
    given = {
        name: _resolved(values[source], lookup) if source in values else source for name, source in hook.given.items()
    }
    taken = {key: value for key, value in values.items() if may_take(hook.script, key)}
    yield from {**taken, **given}.items()


def _parameters(
    project: Project, files: Files, values: dict[str, str], lookup: Lookup
) -> Iterator[tuple[str, str, str]]:
    found = Parameters(project, files)
    if found.given_by_file():
        return
    for item in found.all:
        how = found.taking(item, item.whole)
        if how is None:
            continue
        try:
            whole = json.loads(_substituted(item.text, values), strict=False)
        except (ValueError, RecursionError):
            continue  # azd gives up there
        value = whole.get("value") if isinstance(whole, dict) else None
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        yield item.path, item.name, _resolved(text, lookup) if how == "resolved" else text


def _substituted(text: str, values: dict[str, str]) -> str:
    """`${NAME}` and `${NAME:-default}`; a variable of the machine stays as it is written."""

    def one(match: re.Match[str]) -> str:
        if match[2] is None:
            return values.get(match[1], match[0])
        return values.get(match[1]) or match[2]

    return _USE.sub(one, text)


def _settings(data: bytes) -> Iterator[tuple[str, str]]:
    read_json(data)  # bounds the depth before a reader that recurses
    try:
        root = json.loads(data.decode("utf-8-sig"), strict=False)
    except (ValueError, RecursionError):
        raise Unreadable("the standard library cannot read it as JSON") from None
    todo: list[tuple[str, Any]] = [("", root)]
    while todo:
        name, node = todo.pop()
        if isinstance(node, dict):
            todo += ((f"{name}.{key}" if name else key, value) for key, value in node.items())
        elif isinstance(node, list):
            todo += ((f"{name}.{index}", item) for index, item in enumerate(node))
        else:
            yield name or "(root)", node if isinstance(node, str) else json.dumps(node)


# --- variables ------------------------------------------------------------------------------------------------------


def _variables(data: bytes) -> Iterator[tuple[str, str]]:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    known: dict[str, str] = {}
    at = 0
    while at < len(text):
        while at < len(text) and text[at].isspace():
            at += 1
        match = None if text[at : at + 1] == "#" else _KEY.match(text, at)
        if match is None:
            at = _line(text, at)
            continue
        value, at = _value(text, match.end(), known)
        known[match[1]] = value
        yield match[1], value


def _line(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _value(text: str, at: int, known: dict[str, str]) -> tuple[str, int]:
    """A value, and where it ends."""
    quote = text[at : at + 1]
    if quote in ("'", '"') and quote:
        end = at + 1
        while end < len(text) and (text[end] != quote or text[end - 1] == "\\"):
            end += 1
        if end < len(text):
            inner = text[at:end].strip(quote)
            return (inner if quote == "'" else _expanded(_unescaped(inner), known)), _line(text, end)
    end = _line(text, at)
    line = text[at:end]
    for index in range(len(line) - 1, 0, -1):
        if line[index] == "#" and line[index - 1] in " \t\v\f\r":
            line = line[:index]
            break
    return _expanded(line.strip(" \t\v\f\r"), known), end


def _unescaped(text: str) -> str:
    text = re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[0]), text)
    return re.sub(r"\\([^$])", r"\1", text)


def _expanded(text: str, known: dict[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        if match[0].startswith("\\"):
            return match[0][1:]
        return known.get(match[1], match[0]) if match[1] else match[0]

    return _EXPANDED.sub(one, text)
