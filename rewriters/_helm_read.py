"""The places of values files and helmfiles.

Sources: Helm documentation, "Values Files"; helmfile, `pkg/state/state.go` (references are looked up in
`values`, `set` and `setString` of releases, and nowhere else).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Place, Slot, Unreadable
from rewriters._helm_files import NAME, is_template_text, role
from rewriters._helm_mask import Masked, masked, shown
from rewriters._options import option, setting
from rewriters._yaml import Alias, Map, Node, Scalar, Seq, documents, join
from rewriters.plaintext import Plaintext

__all__ = ["TARGETS", "Site", "Source", "Steps", "is_typed", "read"]

TARGETS = ("existing-secret", "vals")
MAX_SLOTS = 50_000

Steps = tuple[str | int, ...]

_TYPED = re.compile(
    r"(?i:true|false|null|~|yes|no|on|off|y|n)\Z"
    r"|[-+]?(?:0[bo])?[0-9][0-9_]*\Z|[-+]?0x[0-9a-fA-F_]+\Z|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z"
    r"|[-+]?(?:[0-9][0-9_]*)?\.?[0-9_]+(?:[eE][-+]?[0-9]+)?\Z|[-+]?[0-9][0-9_]*\.(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?\.(?i:inf)\Z|\.(?i:nan)\Z|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?\Z"
)
"""Plain scalars that some reader of YAML takes for something else than a text."""

SOPS = "the file is encrypted with sops, whose check of the whole file any change would break"
ACTION = "the text holds a template action, so it is not what a workload gets"
STATE = "helmfile gives these values to its own templates, and looks no reference up in them"
OTHER = "helmfile looks references up in the values and set of releases only"
KEYED = "the text is a key, a path or a name, not a value"


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot, and what rewriting needs of its surroundings: its path, the scalar, the map or list around it."""

    slot: Slot
    steps: Steps
    scalar: Scalar
    owner: Map | Seq
    flow: bool


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A file as it was read. `repeated`: some key stands twice in one map; `shared`: what aliases stand for."""

    path: str
    data: bytes = field(repr=False)
    mask: Masked = field(repr=False)
    roots: tuple[Node, ...] = field(repr=False)
    sites: tuple[Site, ...] = field(repr=False)
    repeated: bool
    shared: tuple[Scalar | Map | Seq, ...] = field(repr=False)
    encrypted: bool = False

    def is_shared(self, scalar: Scalar) -> bool:
        """Whether an alias stands for this text, or for a map or list that it is in."""
        return any(node.start <= scalar.span.start and scalar.span.end <= node.end for node in self.shared)


def is_typed(scalar: Scalar) -> bool:
    """Whether the text may be a number, a truth value or a date to Helm."""
    if scalar.tag:
        return not scalar.tag.endswith(":str") and scalar.tag != "!"
    return scalar.style == "plain" and _TYPED.match(scalar.text) is not None


def read(path: str, data: bytes) -> Source:
    """The places of a values file or a helmfile. Raises `Unreadable`."""
    what = role(path, data[:4096])
    rendered = is_template_text(path) or (what == "helmfile" and b"{{" in data)
    mask = masked(data) if rendered else Masked(data, ())
    reader = _Reader(path, data, mask)
    roots = tuple(document.root for document in documents(mask.data))
    for number, root in enumerate(roots):
        before: Steps = (f"#{number + 1}",) if number else ()
        if what == "helmfile":
            reader.helmfile(root, before)
        elif isinstance(root, Map):
            reader.encrypted |= _encrypted(root)
            reader.values(root, before, SOPS if reader.encrypted else "")
    reader.sites.sort(key=lambda site: (site.slot.span, site.slot.literal))
    return Source(
        path, data, mask, roots, tuple(reader.sites), reader.repeated, tuple(reader.shared.values()), reader.encrypted
    )


def _encrypted(root: Map) -> bool:
    sops = root.get("sops")
    return isinstance(sops, Map) and "mac" in sops.entries()


class _Reader:
    """Walks the nodes with a stack of its own. Aliases are not followed: a value has one place."""

    def __init__(self, path: str, data: bytes, mask: Masked) -> None:
        self.path, self.data, self.mask = path, data, mask
        self.sites: list[Site] = []
        self.repeated = False
        self.encrypted = False
        self.shared: dict[int, Scalar | Map | Seq] = {}
        self.seen: Counter[str] = Counter()

    def values(self, root: Node, before: Steps, reason: str) -> None:
        """All texts below a node, as Helm's values."""
        todo: list[tuple[Node, Steps, Map | Seq | None, bool, str]] = [(root, before, None, False, "")]
        while todo:
            node, steps, owner, flow, key = todo.pop()
            if isinstance(node, Alias):
                self.shared[id(node.target)] = node.target
            elif isinstance(node, Scalar):
                if owner is not None:
                    self._site(node, steps, owner, flow, key, reason)
            elif isinstance(node, Map):
                todo += reversed(list(self._pairs(node, steps, flow)))
            else:
                todo += reversed([(i, s, node, flow or node.flow, k) for s, i, k in _labelled(node, steps)])

    def _pairs(self, node: Map, steps: Steps, flow: bool) -> Iterator[tuple[Node, Steps, Map, bool, str]]:
        names = [key.text for key, _ in node.pairs if isinstance(key, Scalar) and key.text != "<<"]
        self.repeated |= len(set(names)) < len(names)
        label = (name_of(node, "name") or name_of(node, "key")) if "value" in names else ""
        for key, value in node.pairs:
            if isinstance(key, Map) and key.flow:
                raise Unreadable("it is a template: the text before rendering is no YAML", self._line(key.start))
            if isinstance(key, Scalar):
                name = label if key.text == "value" and label else key.text
                yield value, (*steps, key.text), node, flow or node.flow, name

    def _line(self, offset: int) -> int:
        return self.data.count(b"\n", 0, offset) + 1

    def _site(self, item: Scalar, steps: Steps, owner: Map | Seq, flow: bool, key: str, reason: str) -> None:
        if (not item.text and not item.literal) or item.text.startswith("ENC[") or len(self.sites) >= MAX_SLOTS:
            return
        if item.style == "plain" and item.text.lower() in ("null", "~", "true", "false"):
            return
        value, encoding = item.text.encode(), item.encoding
        if self.mask.touches(item.literal):
            raw = self.data[item.span.start : item.span.end]
            value, encoding, reason = raw, ("raw",), ACTION
        elif b"{{" in value and not reason:
            reason = ACTION
        pointer = shown(join(*steps)) if steps else "#"
        self.seen[pointer] += 1
        if self.seen[pointer] > 1:
            self.repeated = True
            pointer += f"#{self.seen[pointer]}"
        slot = Slot(
            NAME, self.path, pointer, key, Plaintext(value), item.span, item.literal,
            encoding, _place(steps), () if reason else TARGETS, reason, not reason,
        )  # fmt: skip
        self.sites.append(Site(slot, steps, item, owner, flow))

    # --- helmfile ----------------------------------------------------------------------------------------------------

    def helmfile(self, root: Node, before: Steps) -> None:
        """The values that helmfile hands to Helm, and all other texts with the reason why they take no reference."""
        if not isinstance(root, Map):
            return
        for value, steps, owner, flow, key in self._pairs(root, before, False):
            name = steps[-1]
            if name == "releases" and isinstance(value, Seq):
                for inner, item, _ in _labelled(value, steps):
                    self._release(item, inner, value)
            elif name == "templates" and isinstance(value, Map):
                for item, inner, _, _, _ in self._pairs(value, steps, value.flow):
                    self._release(item, inner, value)
            elif isinstance(value, Scalar):
                self._site(value, steps, owner, flow, key, OTHER)
            else:
                self.values(value, steps, STATE if name in ("values", "environments") else OTHER)

    def _release(self, node: Node, steps: Steps, owner: Map | Seq) -> None:
        if not isinstance(node, Map):
            self.values(node, steps, OTHER)
            return
        for value, inner, around, flow, key in self._pairs(node, steps, owner.flow):
            name = inner[-1]
            if name in ("values", "valuesTemplate") and isinstance(value, Seq):
                for index, item in enumerate(value.items):
                    if isinstance(item, Scalar):
                        self._site(item, (*inner, index), value, flow or value.flow, str(name), KEYED)
                    else:
                        self.values(item, (*inner, index), "")
            elif name in ("set", "setString", "setTemplate") and isinstance(value, Seq):
                for label, item, _ in _labelled(value, inner):
                    self._set(item, label)
            elif isinstance(value, Scalar):
                self._site(value, inner, around, flow, key, OTHER)
            else:
                self.values(value, inner, OTHER)

    def _set(self, node: Node, steps: Steps) -> None:
        """An item of `set`: its `value` or `values`, named by the last step of its `name`."""
        if not isinstance(node, Map):
            self.values(node, steps, OTHER)
            return
        called = re.split(r"[.\[\]]", name_of(node, "name"))[-1]
        for value, inner, around, flow, key in self._pairs(node, steps, node.flow):
            if isinstance(value, Scalar):
                given = key if key == "name" else called
                self._site(value, inner, around, flow, given, "" if inner[-1] == "value" else KEYED)
            else:
                self.values(value, inner, "" if inner[-1] == "values" else OTHER)


def name_of(node: Map, key: str) -> str:
    """The text under a key of the map itself, among its first ones: lists of aliases ask the same map often."""
    for name, value in node.pairs[:32]:
        if isinstance(name, Scalar) and name.text == key:
            return value.text if isinstance(value, Scalar) else ""
    return ""


def _labelled(node: Seq, steps: Steps) -> list[tuple[Steps, Node, str]]:
    """The items of a list with their paths and keys: by `name` where each has one of its own, else by number."""
    names: list[str] = []
    for item in node.items:
        target = item.target if isinstance(item, Alias) else item
        names.append(name_of(target, "name") if isinstance(target, Map) else "")
    unique = all(names) and len(set(names)) == len(names)
    last = next((step for step in reversed(steps) if isinstance(step, str)), "")
    found: list[tuple[Steps, Node, str]] = []
    flag = ""
    for index, item in enumerate(node.items):
        key = last
        if isinstance(item, Scalar):
            alone, given = option(item.text), setting(item.text)
            key = alone or (given[0] if given and item.text.startswith("-") else flag or (given[0] if given else last))
            flag = alone
        found.append(((*steps, names[index] if unique else index), item, key))
    return found


_ENV = re.compile(r"(?i)(?:extra|additional|pod|common|container)?_?env(?:s|ironment|vars?|variables)?\Z")
_ARGS = frozenset(("args", "command", "extraargs", "extraflags", "flags"))


def _place(steps: Steps) -> Place:
    texts = [step for step in steps if isinstance(step, str)]
    inner = texts[:-1]
    if any(_ENV.match(step) for step in inner) and "valueFrom" not in texts:
        return "env"
    if isinstance(steps[-1] if steps else "", int) and texts and texts[-1].lower() in _ARGS:
        return "arg"
    return "config"
