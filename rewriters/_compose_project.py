"""What surrounds a Compose file: the folder it is run in, its env files, the variables that are in use there.

Sources: Compose specification, `env_file`, interpolation; Compose documentation, "Environment variables precedence".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from rewriters import fetch
from rewriters._api import Files, Reference, Unreadable
from rewriters._compose_interpolate import defaults, names, substitute, varies
from rewriters._dotenv_read import claims as dotenv_claims
from rewriters._dotenv_read import statements
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow
from rewriters.plaintext import Plaintext

__all__ = ["EnvFile", "Passed", "Variables", "build_arguments", "claims", "env_files", "folder_of", "inside", "used_by"]

_FILE = re.compile(r"(?:docker-)?compose(?:[._-][^/]*)?\.ya?ml\Z", re.IGNORECASE)
_SERVICES = re.compile(
    rb"^services:[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?P<indent>[ ]+)[\"']?[A-Za-z0-9._-]+[\"']?:"
    rb"(?P<body>[ \t]*(?:\{[^\n]*|(?:&[^\s]+[ \t]*)?(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ ]+))",
    re.MULTILINE,
)
_TOOLS = ("AZURE_", "BUILDKIT_", "COMPOSE_", "DOCKER_")


def claims(path: str, head: bytes) -> bool:
    """Compose's own file names, and YAML whose first services have an image or a build of Compose's kind."""
    name = path.rsplit("/", 1)[-1]
    if _FILE.match(name):
        return True
    if not name.lower().endswith((".yml", ".yaml")) or name.lower().startswith("values"):
        return False
    match = _SERVICES.search(head)
    if match is None:
        return False
    if b"{" in match["body"]:
        return re.search(rb"[{,][ ]*(?:image|build):[ ]", match["body"]) is not None
    # The keys of a service stand one step deeper than its name; Helm values have an `image` that is a mapping.
    step = len(match["body"]) - len(match["body"].rstrip(b" "))
    key = re.compile(rb"^ {%d}(?:image:[ \t]+[^\s#]|build:|extends:)" % step, re.MULTILINE)
    return step > len(match["indent"]) and key.search(head, match.end("body") - step) is not None


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def inside(folder: str, relative: str) -> str | None:
    """That path from the root, or `None` when it leads out of it."""
    if relative.startswith(("/", "~")) or "\\" in relative or "$" in relative:
        return None
    path = posixpath.normpath(posixpath.join(folder, relative))
    if path == ".." or path.startswith("../"):
        return None
    return "" if path == "." else path


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file that services read variables from; no path when its name depends on the environment of the command.
    `raw`: without substitution (`format: raw`)."""

    path: str | None
    raw: bool


def _nodes(data: bytes) -> Iterator[Node]:
    for document in documents(data):
        todo: list[Node] = [document.root]
        while todo:
            node = todo.pop()
            yield node
            if isinstance(node, Map):
                todo += [part for pair in node.pairs for part in pair]
            elif isinstance(node, Seq):
                todo += node.items


def env_files(path: str, data: bytes) -> tuple[EnvFile, ...]:
    """All env files that a Compose file names. Raises `Unreadable`."""
    found: dict[EnvFile, None] = {}
    for node in _nodes(data):
        if not isinstance(node, Map):
            continue
        for key, value in node.pairs:
            if not isinstance(key, Scalar) or key.text != "env_file":
                continue
            target = follow(value)
            for item in map(follow, target.items) if isinstance(target, Seq) else (target,):
                raw = False
                if isinstance(item, Map):
                    entries = item.entries()
                    kind = entries.get("format", (None, None))[1]
                    raw = isinstance(kind, Scalar) and kind.text == "raw"
                    item = follow(entries["path"][1]) if "path" in entries else item
                if not isinstance(item, Scalar):
                    continue
                text = defaults(item.text.encode("utf-8", "surrogatepass"))
                if text is None:
                    found[EnvFile(None, raw)] = None
                elif (place := inside(folder_of(path), text.decode("utf-8", "replace"))) is not None:
                    found[EnvFile(place, raw)] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Passed:
    """A build argument that the Compose file `path` passes; no value when it depends on the environment there."""

    path: str
    value: Plaintext | None


def build_arguments(files: Files) -> dict[str, dict[str, list[Passed]]]:
    """For each Dockerfile the build arguments that Compose files pass to it, by name."""
    found: dict[str, dict[str, list[Passed]]] = {}
    for path, data in sorted(files.items()):
        if not claims(path, data[:4096]) or b"args" not in data:
            continue
        with suppress(Unreadable):
            for node in _nodes(data):
                for key, value in node.pairs if isinstance(node, Map) else ():
                    build = follow(value)
                    if isinstance(key, Scalar) and key.text == "build" and isinstance(build, Map):
                        place, arguments = _built(folder_of(path), build)
                        for name, text in arguments.items():
                            found.setdefault(place, {}).setdefault(name, []).append(Passed(path, _literal(text)))
    return found


def _built(folder: str, build: Map) -> tuple[str, dict[str, str]]:
    """The Dockerfile of a `build:`, and its arguments; one without a value as the variable that it is."""
    entries = {name: value for name, (_, value) in build.entries().items()}
    context, file, args = (entries.get(name) for name in ("context", "dockerfile", "args"))
    place = inside(folder, context.text if isinstance(context, Scalar) else ".")
    place = inside(place or "", file.text if isinstance(file, Scalar) else "Dockerfile")
    if isinstance(args, Map):
        values = {name: value for name, (_, value) in args.entries().items()}
        texts = {name: value.text if isinstance(value, Scalar) else "" for name, value in values.items()}
        return place or "", {name: text or f"${{{name}}}" for name, text in texts.items()}
    items = map(follow, args.items) if isinstance(args, Seq) else ()
    parts = [item.text.partition("=") for item in items if isinstance(item, Scalar)]
    return place or "", {name: text if sign else f"${{{name}}}" for name, sign, text in parts}


def _literal(text: str) -> Plaintext | None:
    raw = text.encode("utf-8", "surrogatepass")
    return None if varies(raw) else Plaintext(substitute(raw, lambda name: None))


def used_by(data: bytes) -> set[str]:
    """The variables that a Compose file reads from the environment of the command. Raises `Unreadable`."""
    found: set[str] = set()
    for node in _nodes(data):
        if isinstance(node, Scalar):
            if "$" in node.text:
                found.update(names(node.text.encode("utf-8", "surrogatepass")))
        elif isinstance(node, Map):
            for key, value in node.pairs:
                if isinstance(key, Scalar) and key.text in ("environment", "args"):
                    found.update(_passed(follow(value)))
    return found


def _passed(node: Scalar | Map | Seq) -> Iterator[str]:
    """Names without a value, which take it from outside; and that of a secret's `environment: NAME`."""
    if isinstance(node, Scalar):
        yield node.text
    elif isinstance(node, Seq):
        for item in map(follow, node.items):
            if isinstance(item, Scalar) and "=" not in item.text:
                yield item.text
    else:
        for key, value in node.pairs:
            if isinstance(key, Scalar) and isinstance(value, Scalar) and not value.text and value.style == "plain":
                yield key.text


@dataclass(slots=True)
class Variables:
    """Gives each secret its variable in each folder: the one that the fetch script has, else a free name.

    One for a rewrite; what it has given out is in `given`, and what people should know of it in `notes`.
    """

    files: Files
    given: dict[tuple[str, str], Reference] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    _here: dict[str, list[str]] = field(default_factory=dict)
    _used: dict[str, set[str]] = field(default_factory=dict)
    _kept: dict[str, set[str]] = field(default_factory=dict)
    _known: dict[str, dict[str, Reference]] = field(default_factory=dict)

    def known(self, folder: str) -> dict[str, Reference]:
        """The variables of the folder's fetch script, and those given out."""
        if folder not in self._known:
            self._known[folder] = dict(fetch.variables(folder, self.files))
        return self._known[folder]

    def _in(self, folder: str) -> list[str]:
        """The files of this folder."""
        if not self._here:
            for path in self.files:
                self._here.setdefault(folder_of(path), []).append(path)
        return self._here.get(folder, [])

    def used(self, folder: str) -> set[str]:
        """The variables that the folder's files give a meaning."""
        if folder not in self._used:
            found: set[str] = set()
            for path in self._in(folder):
                data = self.files[path]
                try:
                    if claims(path, data[:4096]):
                        found |= used_by(data)
                        for other in env_files(path, data):
                            found |= _substituted(self.files.get(other.path or "", b""))
                    elif path.rsplit("/", 1)[-1] == ".env":
                        found |= {statement.key for statement in statements(data)} | _substituted(data)
                except Unreadable:
                    continue
            self._used[folder] = found
        return self._used[folder]

    def kept(self, folder: str) -> set[str]:
        """The names that files of variables in this folder give to values: they keep them when those move."""
        if folder not in self._kept:
            self._kept[folder] = found = set()
            for path in self._in(folder):
                data = self.files[path]
                if dotenv_claims(path, data[:4096]):
                    with suppress(Unreadable):
                        found |= {statement.key for statement in statements(data)}
        return self._kept[folder]

    def name(self, folder: str, reference: Reference, free: str = "") -> str:
        """The variable for this secret. `free` may be taken although the files use it: its place is the secret's."""
        known = self.known(folder)
        for name, other in known.items():
            if other == reference:
                self.given[folder, name] = reference
                return name
        taken = self.used(folder) | self.kept(folder) | known.keys() | fetch.RESERVED
        wanted = reference.variable
        name, number = wanted, 1
        while (name in taken and name != free) or not fetch.is_variable(name) or name.startswith(_TOOLS):
            name = f"VAULT_{wanted}" if number == 1 else f"VAULT_{wanted}_{number}"
            number += 1
        if name != wanted:
            where = folder or "the root folder"
            self.notes[f"In {where} the variable of {reference.name} is {name}: {wanted} has a meaning there."] = None
        known[name] = reference
        self.given[folder, name] = reference
        return name

    def take(self, folder: str, name: str, reference: Reference, free: str = "") -> bool:
        """Take just this name; whether that is possible. `free` as in `name`."""
        known = self.known(folder)
        if known.get(name, reference) != reference or name in fetch.RESERVED or not fetch.is_variable(name):
            return False
        if name.startswith(_TOOLS) or (name in self.used(folder) and name not in known and name != free):
            return False
        known[name] = reference
        self.given[folder, name] = reference
        return True

    def script(self, folder: str) -> str:
        """The fetch script's file name in this folder."""
        return fetch.path_for(folder, self.files).rsplit("/", 1)[-1]


def _substituted(data: bytes) -> set[str]:
    return {name for line in data.split(b"\n") if b"$" in line for name in names(line)}
