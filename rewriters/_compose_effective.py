"""What Compose hands over, read with ruamel.yaml: environments, arguments, files, build arguments, and other texts.

Each file is taken on its own, as `docker compose -f FILE` in its folder. Scalars are taken as they are spelled.

Sources: Compose specification, merge keys, `extends`, `env_file`; Compose documentation, "Environment variables
precedence": the shell's variables win over `.env`, a service's `environment` over its env files, later files over
earlier ones.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from rewriters import fetch
from rewriters._api import Address, Delivery, Files, Lookup, Unreadable
from rewriters._compose_environment import Environment
from rewriters._compose_images import file_variable
from rewriters._compose_interpolate import defaults, substitute
from rewriters._compose_project import folder_of, inside
from rewriters._compose_swarm import recorded
from rewriters._dotenv_read import raw_lines, values
from rewriters.plaintext import Plaintext

__all__ = ["deliveries"]

MAX_NODES = 200_000
Channel = Literal["env", "file", "arg", "build", "registry", "object"]
_APART = frozenset(
    ("environment", "env_file", "command", "entrypoint", "secrets", "configs", "build", "extends", "healthcheck")
)


def deliveries(files: Files, lookup: Lookup, claims: Callable[[str, bytes], bool]) -> tuple[Delivery, ...]:
    found: dict[Address, bytes] = {}
    for path, data in sorted(files.items()):
        if claims(path, data):
            for address, value in _File(path, files, lookup).run():
                found.setdefault(address, value)
    return tuple(Delivery(address, Plaintext(value)) for address, value in sorted(found.items()))


def _load(data: bytes) -> list[Any]:
    """The documents as ruamel's nodes: nothing is constructed, aliases are shared nodes."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError, YAMLStreamError

    reader = YAML(typ="safe", pure=True)
    try:
        return [node for node in reader.compose_all(io.BytesIO(data)) if node is not None]
    except (YAMLError, YAMLStreamError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable("broken YAML", mark.line + 1 if mark else 0) from None


@dataclass(slots=True)
class _File:
    """One Compose file."""

    path: str
    files: Files
    lookup: Lookup
    outside: Environment = field(init=False)
    budget: int = MAX_NODES

    def run(self) -> Iterator[tuple[Address, bytes]]:
        folder = folder_of(self.path)
        self.outside = Environment(fetch.variables(folder, self.files), self.lookup)
        dotenv = self.files.get(f"{folder}/.env" if folder else ".env")
        if dotenv is not None:
            for name, value in list(values(dotenv, self.outside.value)):
                self.outside.add(name, value)
        for root in _load(self.files[self.path]):
            top = self.pairs(root)
            services = self.pairs(top.get("services"))
            for name in services:
                yield from self.service(name, services, top)
            for kind in top:
                if kind not in ("services", "secrets") and not kind.startswith("x-"):
                    yield from self.texts("object", kind, top[kind], kind)

    # --- nodes -------------------------------------------------------------------------------------------------------

    def spend(self) -> None:
        self.budget -= 1
        if self.budget < 0:
            raise Unreadable("aliases repeat too much")

    def pairs(self, node: Any) -> dict[str, Any]:
        """A map's entries with its merges; empty for anything else."""
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        todo: list[tuple[Any, bool]] = [(node, True)]
        seen: set[int] = set()
        while todo:
            current, mine = todo.pop(0)
            if getattr(current, "id", "") != "mapping" or id(current) in seen:
                continue
            seen.add(id(current))
            for key, value in current.value:
                self.spend()
                if key.id != "scalar":
                    continue
                if key.value == "<<" and key.style is None:
                    todo += [(item, False) for item in (value.value if value.id == "sequence" else [value])]
                elif mine:
                    own[key.value] = value
                else:
                    merged.setdefault(key.value, value)
        return {**merged, **own}

    def items(self, node: Any) -> list[Any]:
        return list(node.value) if getattr(node, "id", "") == "sequence" else []

    @staticmethod
    def plain(node: Any) -> str:
        """A scalar's text, empty for anything else."""
        return str(node.value) if getattr(node, "id", "") == "scalar" else ""

    def text(self, node: Any) -> bytes:
        """A scalar's text with its variables put in."""
        return self.put(self.plain(node))

    def put(self, text: str) -> bytes:
        return substitute(text.encode("utf-8", "surrogatepass"), self.outside.value)

    def keyed(self, node: Any) -> dict[str, bytes | None]:
        """A map or list of `KEY=value`; `None` for a key without one."""
        found: dict[str, bytes | None] = {}
        for key, value in self.pairs(node).items():
            bare = value.id == "scalar" and value.style is None and value.value in ("", "~", "null")
            found[key] = None if bare else self.text(value)
        for item in self.items(node):
            self.spend()
            key, sign, _ = self.plain(item).partition("=")
            found[key] = self.text(item).partition(b"=")[2] if sign else None
        return found

    def texts(self, channel: Channel, subject: str, node: Any, name: str) -> Iterator[tuple[Address, bytes]]:
        """Every text below a node."""
        todo: list[tuple[Any, str]] = [(node, name)]
        while todo:
            current, at = todo.pop()
            self.spend()
            if current.id == "scalar":
                yield Address(self.path, f"{self.path}#{subject}", channel, at), self.text(current)
            elif current.id == "sequence":
                todo += [(item, f"{at}.{index}") for index, item in enumerate(current.value)]
            else:
                todo += [(value, f"{at}.{key}") for key, value in self.pairs(current).items()]

    # --- services ----------------------------------------------------------------------------------------------------

    def inherited(self, name: str, services: dict[str, Any], seen: tuple[str, ...] = ()) -> dict[str, Any]:
        """The service's entries over those of the service of this file that it extends."""
        body = self.pairs(services.get(name))
        extends = body.get("extends")
        if extends is None or name in seen or len(seen) > 20:
            return body
        options = self.pairs(extends)
        base = self.plain(options["service"]) if "service" in options else self.plain(extends)
        if "file" in options or base not in services:
            return body
        below = self.inherited(base, services, (*seen, name))
        return {**below, **body}

    def environment(self, name: str, services: dict[str, Any], seen: tuple[str, ...] = ()) -> dict[str, bytes | None]:
        """The service's environment over that of the service that it extends."""
        body = self.pairs(services.get(name))
        own = self.keyed(body.get("environment"))
        options = self.pairs(body.get("extends"))
        base = self.plain(options["service"]) if "service" in options else self.plain(body.get("extends"))
        if base and "file" not in options and base in services and base not in seen and len(seen) <= 20:
            return {**self.environment(base, services, (*seen, name)), **own}
        return own

    def service(self, name: str, services: dict[str, Any], top: dict[str, Any]) -> Iterator[tuple[Address, bytes]]:
        body = self.inherited(name, services)
        subject = f"services/{name}"
        where = f"{self.path}#{subject}"
        environment = self.environment(name, services)
        variables = dict(self.env_files(body.get("env_file"), environment))
        for key, value in environment.items():
            given = self.outside.value(key) if value is None else value
            if given is not None:
                variables[key] = given
        mounts = dict(self.mounts(body.get("secrets"), top))
        for place, content in mounts.items():
            yield Address(self.path, where, "file", place), content
        image = self.plain(body.get("image"))
        for key, value in self.from_files(image, variables, mounts):
            yield Address(self.path, where, "env", key), value
        for key, value in variables.items():
            if not any(file_variable(image, key.removesuffix(end)) == key for end in ("__FILE", "_FILE")):
                yield Address(self.path, where, "env", key), value
        for key in ("command", "entrypoint", "healthcheck"):
            if key in body:
                yield from self.texts("arg", subject, body[key], key)
        yield from self.build(where, body.get("build"), top)
        for key, node in body.items():
            if key not in _APART:
                yield from self.texts("object", subject, node, key)

    def from_files(
        self, image: str, variables: dict[str, bytes], mounts: dict[str, bytes]
    ) -> Iterator[tuple[str, bytes]]:
        """Variables that the image sets from the file that `NAME_FILE` names, as its programs see them."""
        for key, place in variables.items():
            for end in ("__FILE", "_FILE"):
                name = key.removesuffix(end)
                content = mounts.get(place.decode("utf-8", "replace"))
                if name != key and file_variable(image, name) == key and content is not None:
                    yield name, content.rstrip(b"\n")

    def env_files(self, node: Any, environment: dict[str, bytes | None]) -> Iterator[tuple[str, bytes]]:
        known = self.outside.over(environment)
        for item in self.items(node) or ([node] if node is not None else []):
            options = self.pairs(item)
            named = defaults(self.text(options.get("path", item)))
            place = inside(folder_of(self.path), (named or b"$").decode("utf-8", "replace"))
            data = self.files.get(place) if place is not None else None
            if data is None:
                continue
            if self.plain(options.get("format")) == "raw":
                yield from raw_lines(data)
            else:
                yield from values(data, known)

    def mounts(self, node: Any, top: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
        """Path in the container to content, of secrets that come from a variable or from a file of these files."""
        for source, target in self.listed(node):
            content = self.content(source, top)
            if content is not None:
                yield (target if target.startswith("/") else f"/run/secrets/{target}"), content

    def listed(self, node: Any) -> Iterator[tuple[str, str]]:
        for item in self.items(node):
            options = self.pairs(item)
            source = self.plain(options.get("source", item))
            yield source, self.plain(options.get("target")) or source

    def content(self, name: str, top: dict[str, Any]) -> bytes | None:
        secret = self.pairs(self.pairs(top.get("secrets")).get(name))
        if "environment" in secret:
            return self.outside.value(self.plain(secret["environment"]))
        if "external" in secret:
            made = recorded(self.plain(secret.get("name")), fetch.variables(folder_of(self.path), self.files).items())
            return self.outside.value(made[0]) if made else None
        place = inside(folder_of(self.path), self.plain(secret.get("file"))) if "file" in secret else None
        return self.files.get(place) if place is not None else None

    def build(self, where: str, node: Any, top: dict[str, Any]) -> Iterator[tuple[Address, bytes]]:
        if node is None:
            return
        options = self.pairs(node)
        for key, value in self.keyed(options.get("args")).items():
            given = self.outside.value(key) if value is None else value
            if given is not None:
                yield Address(self.path, where, "build", key), given
        for source, target in self.listed(options.get("secrets")):
            content = self.content(source, top)
            if content is not None:
                yield Address(self.path, where, "build", target), content
        for key, part in options.items():
            if key not in ("args", "secrets", "context"):
                yield from self.texts("object", where.partition("#")[2], part, f"build.{key}")
        context = options.get("context") if options else node
        if context is not None:
            yield Address(self.path, where, "object", "build.context"), self.text(context)
