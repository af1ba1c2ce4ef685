"""What the images of a Compose file's services need: variables when they run, secrets when they are built.

Source: Compose specification, build; Compose documentation: build secrets need Compose 2.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from rewriters._api import Requirement
from rewriters._compose_interpolate import required, substitutions
from rewriters._compose_layout import Entry, own, own_pair
from rewriters._compose_project import inside
from rewriters._compose_work import Work
from rewriters._yaml import Map, Scalar, Seq, follow

__all__ = ["Requirements"]


def _inherited(services: dict[str, Map], name: str) -> set[str]:
    """Services that get this entry by a merge from another of these, or are that one by an alias."""
    first: dict[int, str] = {}
    for service, body in services.items():
        pair = own_pair(body, name)
        if pair is not None:
            first.setdefault(id(pair[1]), service)
    nodes = {service: body.entries().get(name, (None, None))[1] for service, body in services.items()}
    return {service for service, node in nodes.items() if first.get(id(node), service) != service}


@dataclass(slots=True)
class Requirements(Work):
    """Fulfils what other platforms' files require."""

    def builders(self, dockerfile: str) -> dict[str, Map]:
        """The services that build their image from this Dockerfile."""
        found: dict[str, Map] = {}
        for name, body in self._services.items():
            build = body.entries().get("build", (None, None))[1]
            context, file, inline = build, None, None
            if isinstance(build, Map):
                context, file, inline = build.get("context"), build.get("dockerfile"), build.get("dockerfile_inline")
            text = context.text if isinstance(context, Scalar) else "." if isinstance(build, Map) else None
            if text is None or inline is not None:
                continue
            folder = inside(self.folder, text)
            named = file.text if isinstance(file, Scalar) else "Dockerfile"
            if folder is not None and inside(folder, named) == dockerfile:
                found[name] = body
        return found

    def require(self, need: Requirement) -> None:
        """Fulfil a requirement in every service that builds from that Dockerfile, or in none."""
        builders = self.builders(need.path)
        if not builders:
            return
        fulfil = self._variable if need.kind == "runtime-variable" else self._build_secret
        if fulfil(need, builders):
            self.provided[need] = None
        else:
            self.notes[f"{self.path}: {need.name} could not be added for the image of {need.path}; set it by hand."] = (
                None
            )

    def _variable(self, need: Requirement, builders: dict[str, Map]) -> bool:
        layout = self._layouts[0]
        missing: dict[str, Map] = {}
        known = self.variables.known(self.folder)
        inherited = _inherited(builders, "environment")
        for name, body in builders.items():
            if (name, need.name, need.reference) in self._set or name in inherited:
                continue
            current = self._current(body, need.name)
            if current is not None:
                given, at = current
                used = list(substitutions(given.encode()))
                whole = len(used) == 1 and len(used[0].span) == len(given.encode())
                if whole and known.get(used[0].name) == need.reference:
                    continue
                if self._moved.get(at) == need.reference:
                    continue
                return False
            if not layout.can_grow(body, "environment", (Map, Seq)):
                return False
            missing[name] = body
        variable = self.variables.name(self.folder, need.reference)
        reference = required(variable, self.variables.script(self.folder))
        for name, body in missing.items():
            pair = own_pair(body, "environment")
            node = own(pair[1]) if pair else None
            listed = isinstance(node, Seq)
            flow = isinstance(node, Map | Seq) and node.flow
            text = need.name.encode() + (b"=" if listed else b": ")
            text += b'"' + reference + b'"' if flow and not listed else reference
            below = own_pair(body, "build")
            after = below[1] if below else body.pairs[-1][1]
            layout.add(body, "environment", Entry(text, plain=False), listed=listed, below=after)
            self._set.add((name, need.name, need.reference))
        return True

    @staticmethod
    def _current(body: Map, name: str) -> tuple[str, int] | None:
        """The value that a service's file gives a variable, its own or merged, and where that begins; an empty text
        for one that is handed through."""
        environment = body.entries().get("environment", (None, None))[1]
        if isinstance(environment, Map):
            value = environment.get(name)
            if isinstance(value, Scalar):
                return value.text, value.span.start
            return None if value is None else ("", -1)
        if isinstance(environment, Seq):
            for item in map(follow, environment.items):
                if isinstance(item, Scalar) and item.text.partition("=")[0] == name:
                    return item.text.partition("=")[2], item.span.start + len(name.encode()) + 1
        return None

    def _build_secret(self, need: Requirement, builders: dict[str, Map]) -> bool:
        if self._kind == "stack":
            return False  # a swarm builds nothing, and refuses a file with a secret from the environment
        layout = self._layouts[0]
        inherited = _inherited(builders, "build")
        builders = {name: body for name, body in builders.items() if name not in inherited}
        for body in builders.values():
            pair = own_pair(body, "build")
            node = own(pair[1]) if pair else None
            if isinstance(node, Map) and layout.can_grow(node, "secrets", (Seq,)):
                continue
            plain_line = pair is not None and isinstance(node, Scalar) and node.style in ("plain", "single", "double")
            if not plain_line or layout.column(pair[0].start if pair else 0) is None:
                return False
        known = self._known_secrets()
        if known is None:
            return False
        if need.name in known and self.variables.known(self.folder).get(known[need.name]) != need.reference:
            return False
        variable = known.get(need.name) or self.variables.name(self.folder, need.reference)
        secret = self._secret(need.name, variable)
        for body in builders.values():
            pair = own_pair(body, "build")
            node = own(pair[1]) if pair else None
            if isinstance(node, Map):
                there = own_pair(node, "secrets")
                seq = own(there[1]) if there else None
                listed = (
                    {item.text for item in seq.items if isinstance(item, Scalar)} if isinstance(seq, Seq) else set()
                )
                if secret not in listed:
                    layout.add(node, "secrets", Entry(secret.encode()), listed=True, below=node)
            elif pair is not None and isinstance(node, Scalar):
                self._lengthen(pair[0], node, secret)
        self.notes[f"{self.path}: a build secret from the environment needs Docker Compose 2.6 or newer."] = None
        return True

    def _lengthen(self, key: Scalar, context: Scalar, secret: str) -> None:
        """`build: PATH` in its long form, with the secret."""
        if context.literal.start in self._long:
            self._long[context.literal.start][1].append(secret)
        else:
            self._long[context.literal.start] = (key, [secret], context)
