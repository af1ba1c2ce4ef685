"""One Compose file while it is rewritten: its nodes, its secrets, and the edits gathered so far.

Sources: Compose specification, secrets; Compose documentation: a secret from the environment needs Compose 2.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rewriters._api import Edit, Files, Reference, Refusal, Requirement, Span
from rewriters._compose_files import EnvEntry
from rewriters._compose_layout import Entry, Layout, own, own_pair
from rewriters._compose_project import Variables, folder_of
from rewriters._compose_swarm import Kind, kind_of, recorded
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["Work"]


@dataclass(slots=True)
class Work:
    """One file as it was read, and what is to be done in it."""

    path: str
    data: bytes
    files: Files
    variables: Variables
    ambiguous: frozenset[str] = frozenset()
    """Names that more than one of the secrets that move has, of other vaults or versions."""
    refusals: list[Refusal] = field(default_factory=list)
    provided: dict[Requirement, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    _layouts: list[Layout] = field(default_factory=list)
    _scalars: dict[int, tuple[Scalar, bool]] = field(default_factory=dict)
    _starts: list[int] = field(default_factory=list)
    _entries: dict[int, EnvEntry] = field(default_factory=dict)
    _services: dict[str, Map] = field(default_factory=dict)
    _quoted: dict[int, Scalar] = field(default_factory=dict)
    _taken: list[Span] = field(default_factory=list)
    _set: set[tuple[str, str, Reference]] = field(default_factory=set)
    _moved: dict[int, Reference] = field(default_factory=dict)
    _secrets: dict[str, str] = field(default_factory=dict)
    _long: dict[int, tuple[Scalar, list[str], Scalar]] = field(default_factory=dict)
    _kind: Kind = ""

    def __post_init__(self) -> None:
        for document in documents(self.data):
            self._layouts.append(Layout(self.path, self.data, document))
            todo: list[tuple[Node, bool]] = [(document.root, False)]
            while todo:
                node, flow = todo.pop()
                if isinstance(node, Scalar):
                    self._scalars[node.literal.start] = (node, flow)
                elif isinstance(node, Map):
                    todo += [(part, flow or node.flow) for pair in node.pairs for part in pair]
                elif isinstance(node, Seq):
                    todo += [(item, flow or node.flow) for item in node.items]
        self._starts = sorted(self._scalars)
        if len(self._layouts) == 1:
            self._kind = kind_of(self.path, self._layouts[0].document.root)
            self._read_services(self._layouts[0].document.root)

    @property
    def folder(self) -> str:
        return folder_of(self.path)

    def _read_services(self, root: Node) -> None:
        pair = own_pair(root, "services") if isinstance(root, Map) else None
        services = own(pair[1]) if pair else None
        if not isinstance(services, Map) or services.flow:
            return
        for key, value in services.pairs:
            target = follow(value)
            if isinstance(key, Scalar) and isinstance(target, Map):
                self._services[key.text] = target
            body = own(value)
            if not isinstance(key, Scalar) or not isinstance(body, Map) or body.flow:
                continue
            found = own_pair(body, "environment")
            environment = own(found[1]) if found else None
            if isinstance(environment, Map):
                for name, item in environment.pairs:
                    scalar = own(item)
                    if isinstance(name, Scalar) and isinstance(scalar, Scalar):
                        entry = EnvEntry(key.text, body, environment, scalar, name, name.text)
                        self._entries[scalar.literal.start] = entry
            elif isinstance(environment, Seq):
                for item in environment.items:
                    scalar = own(item)
                    if isinstance(scalar, Scalar):
                        entry = EnvEntry(key.text, body, environment, scalar, None, scalar.text.partition("=")[0])
                        self._entries[scalar.literal.start] = entry

    # --- secrets -----------------------------------------------------------------------------------------------------

    def _known_secrets(self) -> dict[str, str] | None:
        """The file's top-level secrets with their variables, those to be made included; `None` when there is no room
        for more."""
        layout = self._layouts[0]
        root = layout.document.root
        if not isinstance(root, Map) or not layout.can_grow(root, "secrets", (Map,)):
            return None
        pair = own_pair(root, "secrets")
        there = own(pair[1]) if pair else None
        known = dict(self._secrets)
        if isinstance(there, Map):
            if there.flow:
                return None
            for key, value in there.entries().values():
                source = follow(value)
                found = source.get("environment") if isinstance(source, Map) else None
                known[key.text] = found.text if isinstance(found, Scalar) else self._recorded(source)
        return known

    def _recorded(self, source: Node) -> str:
        """The variable from which an external secret is made, if the folder's fetch script tells."""
        if self._kind != "stack" or not isinstance(source, Map) or source.get("external") is None:
            return ""
        name = source.get("name")
        made = recorded(name.text, self.variables.known(self.folder).items()) if isinstance(name, Scalar) else None
        return made[0] if made else ""

    def _secret(self, wanted: str, variable: str, swarm: str = "") -> str:
        """The top-level secret that reads this variable, made if need be; empty when the file has no room for it.
        `swarm` is the name of that of a swarm, which people make from the variable."""
        known = self._known_secrets()
        if known is None:
            return ""
        name, number = wanted, 1
        while known.get(name, variable) != variable:
            number += 1
            name = f"{wanted}-{number}"
        if name not in known:
            self._secrets[name] = variable
            layout = self._layouts[0]
            root = layout.document.root
            if isinstance(root, Map):
                source = ("external: true", f"name: {swarm}") if swarm else (f"environment: {variable}",)
                entry = Entry(f"{name}:".encode(), tuple(line.encode() for line in source))
                layout.add(root, "secrets", entry, listed=False, below=root)
            if swarm:
                self._say_how(variable, swarm)
        elif swarm and name not in self._secrets:
            self.notes[
                f"{self.path}: the swarm's secret that {name} names is taken for the one that {variable} holds; if it "
                "is older, make one with the next number, and name that in the file."
            ] = None
        return name

    def _say_how(self, variable: str, swarm: str) -> None:
        script = self.variables.script(self.folder)
        make = f"""printf %s "${variable}" | docker secret create {swarm} -"""
        self.notes[
            f"{self.path}: before the stack is deployed, make its secret on a manager of the swarm: "
            f"./{script} sh -c '{make}'; it never changes, so a new value needs the next number, there and in the file."
        ] = None
        self.notes[
            f"{self.path}: `docker compose` refuses external secrets, only `docker stack deploy` takes them."
        ] = None

    # --- end ---------------------------------------------------------------------------------------------------------

    def edits(self) -> list[Edit]:
        """All edits of the file."""
        if not self._layouts:
            return []
        layout = self._layouts[0]
        for key, secrets, context in self._long.values():
            pad = b" " * ((layout.column(key.start) or 0) + layout.step())
            colon = self.data.find(b":", key.end) + 1
            head = layout.eol + pad + b"context: "
            layout.replace(Span(colon, context.literal.start), head)
            deeper = pad + b" " * layout.step()
            layout.first(context.end, [pad + b"secrets:", *(deeper + b"- " + secret.encode() for secret in secrets)])
        for scalar in self._quoted.values():
            layout.replace(Span(scalar.literal.start, scalar.literal.start), b'"')
            layout.replace(Span(scalar.literal.end, scalar.literal.end), b'"')
        return layout.flush()
