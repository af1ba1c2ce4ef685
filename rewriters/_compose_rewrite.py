"""The edits that put references into one Compose file.

Sources: Compose specification, interpolation, secrets, build; Compose documentation: a secret from the environment
needs Compose 2.6, build secrets 2.5; Compose refuses such a secret in a `read_only` service.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from rewriters import fetch
from rewriters._api import Assignment, Edit, Files, Reference, Refusal, Requirement, Span
from rewriters._compose_files import EnvEntry, file_name
from rewriters._compose_interpolate import required, substitutions, varies
from rewriters._compose_layout import Entry, Layout, own, own_pair
from rewriters._compose_project import Variables, folder_of, inside
from rewriters._compose_slots import ALTERNATIVES
from rewriters._compose_swarm import MAX_BYTES, Kind, external_name, kind_of, recorded
from rewriters._encode import decode, locate
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["FileRewrite"]

_COMMENT = re.compile(rb"[|>][0-9+-]*[ \t]+(#[^\r\n]*)")


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
class FileRewrite:
    """One file's edits, refusals and fulfilled requirements."""

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

    # --- assignments -------------------------------------------------------------------------------------------------

    def assign(self, item: Assignment) -> None:
        """Carry out one assignment or refuse it."""
        refused = self._assign(item)
        if refused is not None:
            self.refusals.append(Refusal(self.path, item.slot.pointer, *refused))

    def _assign(self, item: Assignment) -> tuple[str, str] | None:
        slot = item.slot
        scalar, flow = self._scalar_of(slot.span)
        if scalar is None or any(slot.span.touches(span) for span in self._taken):
            return "this place was moved already, or is not in the file any more", "scan the file again"
        if not slot.targets:
            if slot.place == "build":
                return (
                    slot.reason,
                    "list it below `build: secrets:` and mount it in the Dockerfile, then take it out of here",
                )
            return slot.reason, ALTERNATIVES.get(slot.reason, "do that, then move the value")
        if b"\0" in slot.value.reveal():
            return "an environment variable cannot hold a NUL byte", "mount it as a file that a fetch step writes"
        raw = self.data[slot.span.start : slot.span.end]
        text = decode(slot.encoding[:-1], raw)
        span = slot.span
        if item.part is None:
            if varies(text):
                return (
                    "the value is put together from variables, only literal text can move",
                    "move the default, or the literal part of the value",
                )
        else:
            inner = locate(("dollar",), text, item.part)
            found = locate(slot.encoding, raw, item.part)
            if inner is None or found is None:
                return "this part of the value has no bytes of its own", "write the value on one line, then move it"
            if any(inner.touches(other.span) for other in substitutions(text)):
                return "this part of the value is a variable", "move the default inside of it"
            span = Span(span.start + found.start, span.start + found.end)
        whole = self.data[scalar.span.start : scalar.span.end]
        if flow and scalar.style == "plain" and span != scalar.span and re.search(rb"[\"\\\\]", whole):
            return (
                "the text needs quotes there, in which its backslashes mean something else",
                "write it in double quotes",
            )
        entry = self._entries.get(scalar.literal.start)
        if item.part is None and entry is not None and self._as_file(item, entry):
            self._taken.append(slot.span)
            return None
        name = self.variables.name(self.folder, item.reference)
        reference = required(name, self.variables.script(self.folder))
        self._taken.append(span)
        self._put(scalar, flow, span, reference)
        if item.part is None:
            self._moved[slot.span.start] = item.reference
        if entry is not None and item.part is None:
            self._set.add((entry.service, entry.key, item.reference))
        return None

    def _scalar_of(self, span: Span) -> tuple[Scalar | None, bool]:
        at = bisect_right(self._starts, span.start) - 1
        scalar, flow = self._scalars[self._starts[at]] if at >= 0 else (None, False)
        return (scalar, flow) if scalar is not None and scalar.span.covers(span) else (None, False)

    def _put(self, scalar: Scalar, flow: bool, span: Span, text: bytes) -> None:
        """`text` in place of these bytes of the scalar, in its quoting."""
        edits = self._layouts[0]
        if scalar.style in ("literal", "folded") and span == scalar.span:
            comment = _COMMENT.match(self.data, scalar.literal.start, scalar.span.start)
            text += b" " + comment[1] if comment else b""
            if self.data[scalar.literal.end - 1 : scalar.literal.end] == b"\n":
                text += edits.eol
            edits.replace(scalar.literal, text)
        elif scalar.style == "plain" and flow:
            if span == scalar.span:
                edits.replace(span, b'"' + text + b'"')
                return
            edits.replace(span, text)
            self._quoted[scalar.literal.start] = scalar
        else:
            edits.replace(span, text)

    # --- files instead of variables ----------------------------------------------------------------------------------

    def _as_file(self, item: Assignment, entry: EnvEntry) -> bool:
        """Hand the value over as a secret's file, where the image is known to read one."""
        if item.slot.value.reveal().endswith((b"\n", b"\r")):
            return False  # these images drop what ends the file
        name = file_name(entry, self.path, self.files, self._kind)
        if not name:
            return False
        layout = self._layouts[0]
        known = self.variables.known(self.folder).values()
        swarm = ""
        if self._kind:
            ours = item.reference in fetch.variables(self.folder, self.files).values()
            swarm = external_name(item.reference, layout.document.root, self.files, ours=ours)
        if self._kind and (not swarm or len(item.slot.value.reveal()) > MAX_BYTES):
            return False
        if not layout.can_grow(entry.body, "secrets", (Seq,)) or item.slot.span.start != entry.value_start(self.data):
            return False
        same = {other for other in known if other.name == item.reference.name} - {item.reference}
        if swarm and (same or item.reference.name in self.ambiguous):
            return False  # of two secrets of one name, the swarm's would not say which it is
        variable = self.variables.name(self.folder, item.reference)
        secret = self._secret(item.reference.name, variable, swarm)
        if not secret:
            return False
        at = entry.key_node.span.end if entry.key_node is not None else item.slot.span.start - 1
        layout.replace(Span(at, at), name[len(entry.key) :].encode())
        layout.replace(item.slot.span, b"/run/secrets/" + secret.encode())
        self._list_secret(entry, secret)
        if not swarm:
            self.notes[f"{self.path}: a secret from the environment needs Docker Compose 2.6 or newer."] = None
        self._set.add((entry.service, entry.key, item.reference))
        return True

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

    def _list_secret(self, entry: EnvEntry, secret: str) -> None:
        pair = own_pair(entry.body, "secrets")
        node = own(pair[1]) if pair else None
        listed = {item.text for item in node.items if isinstance(item, Scalar)} if isinstance(node, Seq) else set()
        if secret not in listed:
            below = entry.environment
            self._layouts[0].add(entry.body, "secrets", Entry(secret.encode()), listed=True, below=below)

    # --- what Dockerfiles need ---------------------------------------------------------------------------------------

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
