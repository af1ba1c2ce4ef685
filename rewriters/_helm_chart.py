"""What the templates of a chart prove: that a value names an existing Secret, and which of its keys stand for which
values.

A chart that makes a Secret of its values unless `existingSecret` is set, and whose pods read the one or the other, is
given the values through a Secret of that name just as well. All of that is read from the templates here; what they do
not show is not believed. Source: Helm documentation, "Chart Template Guide" and "Best Practices".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from rewriters._api import Files, Span, Unreadable
from rewriters._helm_template import Action, Guard, Result, Template, Templates, Truth, template
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["Binding", "Chart", "chart"]

_CANDIDATE = re.compile(r"(?i)(?:existing\w*|\w*existing_?secret\w*|\w*secret_?(?:name|ref)|secret)\Z")
_NOT = re.compile(r"(?i)(?:keys?|annotations|labels|enabled)\Z")
_PATH = re.compile(r"(?<![\w.])\$?\.Values((?:\.[A-Za-z_]\w*)*)(?![\w])")
_READS = re.compile(rb"secretKeyRef|secretRef|secretName|imagePullSecrets")
MAX_TEMPLATES = 500
MAX_CANDIDATES = 20
MAX_ENTRIES = 200
MAX_MENTIONS = 20_000
_INCLUDE = re.compile(r'\b(?:include|template)\s+"([^"]*)"')

Lookup = Callable[[str], str | None]
"""The text of a value by its path, empty for what is not set or false; `None` for what is no text."""


@dataclass(frozen=True, slots=True)
class Binding:
    """`existing` is the path of the value that names a Secret; `keys` says for the path of each value that the chart's
    own Secret is made of, in which keys of the existing one it is read. `fixed` are keys with other content;
    `optional` values make no key when they are not set."""

    existing: str
    keys: dict[str, tuple[str, ...]]
    fixed: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Use:
    """A place of a pod that reads a Secret: the region of its name, and of the key where it reads one; the variable."""

    item: Template
    name: Span
    key: Span | None
    variable: str


@dataclass(frozen=True, slots=True)
class _Made:
    """A Secret that the chart makes: where it stands, the region of its name, its entries (block, key, value)."""

    item: Template
    start: int
    name: Span | None
    entries: tuple[tuple[str, Scalar, Node], ...] = field(repr=False)


class Chart:
    """The templates of one chart."""

    def __init__(self, files: list[Template], unreadable: list[str]) -> None:
        self.all = Templates(files)
        self.unreadable = unreadable
        self.uses: list[_Use] = []
        self.made: list[_Made] = []
        for item in files:
            try:
                roots = [document.root for document in documents(item.mask.data)] if _is_yaml(item.path) else []
            except Unreadable:
                if _READS.search(item.data):
                    self.unreadable.append(item.path)
                continue
            for root in roots:
                self._document(item, root)
        self.mentions: dict[str, list[tuple[Template, Action]]] = {}
        self.includes: dict[str, list[tuple[Template, Action]]] = {}
        self._index()
        self.candidates = self._candidates() if sum(map(len, self.mentions.values())) < MAX_MENTIONS else []

    def _document(self, item: Template, root: Node) -> None:
        todo: list[tuple[Node, str, str]] = [(root, "", "")]
        if isinstance(root, Map) and _text(root.get("kind")) == "Secret":
            entries = [
                (block, key, follow(value))
                for block in ("data", "stringData")
                for data in [root.get(block)]
                if isinstance(data, Map)
                for key, value in data.pairs
                if isinstance(key, Scalar)
            ]
            metadata = root.get("metadata")
            name = metadata.get("name") if isinstance(metadata, Map) else None
            kind = root.entries()["kind"][0]
            span = name.literal if isinstance(name, Scalar) else None
            self.made.append(_Made(item, kind.start, span, tuple(entries)))
        while todo:
            node, under, variable = todo.pop()
            if isinstance(node, Seq):
                todo += [(each, under, "") for each in node.items]
            elif isinstance(node, Map):
                names = [(key, value) for key, value in node.pairs if isinstance(key, Scalar)]
                label = next((value for key, value in names if key.text == "name"), None)
                if isinstance(label, Scalar) and any(key.text == "valueFrom" for key, _ in names):
                    variable = _raw(item, label.literal)
                wanted = {
                    "secretKeyRef": "name",
                    "secretRef": "name",
                    "imagePullSecrets": "name",
                    "secret": "secretName",
                }
                field_name = wanted.get(under, "")
                keys = [value.literal for key, value in names if key.text == "key" and isinstance(value, Scalar)]
                spans: list[Span | None] = [*keys] if under == "secretKeyRef" and keys else [None]
                for key, value in names:
                    if key.text == field_name and isinstance(value, Scalar):
                        self.uses += [_Use(item, value.literal, span, variable) for span in spans]
                todo += [(value, key.text, variable) for key, value in names]

    def _index(self) -> None:
        """Which actions speak of which values, and of which named templates."""
        for item in self.all.templates:
            for action in item.actions:
                for path in {match[1][1:] for match in _PATH.finditer(action.text)}:
                    self.mentions.setdefault(path, []).append((item, action))
                for match in _INCLUDE.finditer(action.text):
                    self.includes.setdefault(match[1], []).append((item, action))

    def _candidates(self) -> list[str]:
        found: list[str] = []
        for path in self.mentions:
            steps = ["", *path.split(".")]
            last = steps[-2] if steps[-1] == "name" and "xisting" in steps[-2] else steps[-1]
            if _CANDIDATE.match(last) and not _NOT.search(last):
                found.append(path)
        return found[:MAX_CANDIDATES]

    # --- proof -------------------------------------------------------------------------------------------------------

    def bindings(self, values: Lookup) -> list[Binding]:
        """What is proven when the values are these."""
        found = [self._binding(existing, made, values) for existing in self.candidates for made in self.made]
        return [item for item in found if item is not None]

    def _binding(self, existing: str, made: _Made, values: Lookup) -> Binding | None:
        if self.unreadable or len(made.entries) > MAX_ENTRIES:
            return None
        item = made.item
        named = frozenset(path for _, _, value in made.entries for path in _first_path(item, value))
        given, now = _truth(existing, True, values), _truth(existing, False, values)
        # What a value's own place hangs on must not change when it is taken out.
        own = _truth(existing, False, values, named)
        if self.all.rendered(item.guards(made.start), own) is False:
            return None
        filled: dict[str, list[str]] = {}
        fixed: list[str] = []
        optional: set[str] = set()
        for block, key, value in made.entries:
            if item.mask.touches(key.literal) or not isinstance(value, Scalar):
                return None
            if self.all.rendered(item.guards(key.start), given) is not False:
                continue
            here = self.all.region(item, value.literal, own)
            if here is not None and here.path and here.encoded == (block == "data"):
                filled.setdefault(here.path, []).append(key.text)
                if self.all.rendered(item.guards(key.start), now) is False:
                    optional.add(here.path)
            elif self.all.rendered(item.guards(key.start), now) is not False:
                fixed.append(key.text)
        gone = [*fixed, *(name for names in filled.values() for name in names)]
        read = self._read(made, gone, existing, given, own, values) if filled else None
        if not read or any(self._elsewhere(path, existing, given) for path in filled):
            return None
        keys = {
            path: tuple(dict.fromkeys(new for name in names for new in read.get(name, (name,))))
            for path, names in filled.items()
        }
        return Binding(existing, keys, tuple(fixed), frozenset(optional))

    def _read(
        self, made: _Made, gone: list[str], existing: str, given: Truth, own: Truth, values: Lookup
    ) -> dict[str, tuple[str, ...]] | None:
        """The keys of the existing Secret that pods read in place of those of the chart's own; `None` when some of them
        would still read that."""
        name = _raw(made.item, made.name) if made.name else ""
        found: dict[str, dict[str, None]] = {}
        for use in self.uses:
            guards = use.item.guards(use.name.start)
            if self.all.rendered(guards, given) is False:
                continue
            chosen = self.all.region(use.item, use.name, given)
            if chosen != Result(path=existing):
                # Pods that would look for what is not made any more, as far as the name says so.
                if chosen is None and (not name or _raw(use.item, use.name) == name):
                    key = self._key(use, given, values) if use.key else ""
                    if not key or key in gone:
                        return None
                continue
            if use.key is not None and self.all.rendered(use.item.guards(use.key.start), given) is False:
                continue
            if use.key is None:
                for key in gone:
                    found.setdefault(key, {})[key] = None
                continue
            after, before = (self._key(use, truth, values) for truth in (given, own))
            if not after:
                return None
            if not before:
                before = self._instead(use, name, own, values)
            if before:
                found.setdefault(before, {})[after] = None
        return {key: tuple(names) for key, names in found.items()}

    def _instead(self, use: _Use, name: str, own: Truth, values: Lookup) -> str:
        """The key that a variable is read from where the chart's own Secret is there, in a branch of its own."""
        same = [
            self._key(other, own, values)
            for other in self.uses
            if (other.item.path, other.variable) == (use.item.path, use.variable) and other.key and use.variable
            if _raw(other.item, other.name) == name and self.all.rendered(other.item.guards(other.name.start), own)
        ]
        return same[0] if len(set(same)) == 1 else ""

    def _key(self, use: _Use, truth: Truth, values: Lookup) -> str:
        assert use.key is not None  # noqa: S101 - asked by the caller
        if self.all.rendered(use.item.guards(use.key.start), truth) is False:
            return ""
        found = self.all.region(use.item, use.key, truth)
        if found is None or found.encoded:
            return ""
        return (values(found.path) or "") if found.path else found.text

    def _elsewhere(self, path: str, existing: str, given: Truth) -> bool:
        """Whether a value, or a map that it is in, is used where the existing Secret does not switch that off."""
        above = {path, *(path[: match.start()] for match in re.finditer(r"\.", path)), ""}
        found = [each for name in above for each in self.mentions.get(name, ())]
        return not self._all_off(found, path, given, frozenset())

    def _all_off(self, found: list[tuple[Template, Action]], path: str, given: Truth, seen: frozenset[str]) -> bool:
        for item, action in found:
            self.all.budget -= 1
            if self.all.budget < 0:
                return False
            if self.all.rendered(_around(item, action), given) is False:
                continue
            if action.control and self._is_same(_condition(action.text), path, given):
                continue
            name = action.define
            if not name or name in seen or len(seen) > MAX_CANDIDATES:
                return False
            if not self._all_off(self.includes.get(name, []), path, given, seen | {name}):
                return False
        return True

    def _is_same(self, condition: str, path: str, given: Truth) -> bool:
        """Whether a condition comes to the same with and without a value."""
        with_it = self.all.holds(condition, lambda each: True if each == path else given(each))
        return with_it is not None and with_it is self.all.holds(
            condition, lambda each: False if each == path else given(each)
        )


def _first_path(item: Template, value: Node) -> list[str]:
    """The value that an entry is made of, by its first mention."""
    if not isinstance(value, Scalar):
        return []
    text = item.data[value.literal.start : value.literal.end].decode("utf-8", "replace")
    match = _PATH.search(text)
    return [match[1][1:]] if match else []


def _truth(existing: str, there: bool, values: Lookup, named: frozenset[str] = frozenset()) -> Truth:
    """What is set: the existing Secret's name or not, some values for sure, the others as they are."""

    def truth(path: str) -> bool | None:
        if path == existing:
            return there
        if path in named:
            return True
        value = values(path)
        return None if value is None else bool(value)

    return truth


def _around(item: Template, action: Action) -> tuple[Guard, ...]:
    """The conditions under which an action is evaluated: that of `else if` is when those before it do not hold."""
    if re.match(r"else\s+(?:if|with)\b", action.text):
        return item.guards(action.span.end)[:-1]
    return item.guards(action.span.start)


def _condition(text: str) -> str:
    return re.sub(r"\A(?:else\s+)?(?:if|with)\b", "", text).strip()


def _is_yaml(path: str) -> bool:
    return path.lower().endswith((".yaml", ".yml"))


def _raw(item: Template, span: Span) -> str:
    return " ".join(item.data[span.start : span.end].decode("utf-8", "replace").split())


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""


def chart(folder: str, files: Files) -> Chart | None:
    """The chart in a folder, `None` without templates."""
    prefix = f"{folder}/templates/" if folder else "templates/"
    found: list[Template] = []
    unreadable: list[str] = []
    for path in sorted(files):
        if path.startswith(prefix) and (_is_yaml(path) or path.endswith(".tpl")) and len(found) < MAX_TEMPLATES:
            try:
                found.append(template(path, files[path]))
            except Unreadable:
                unreadable.append(path)
    return Chart(found, unreadable) if found else None
