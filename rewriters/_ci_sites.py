"""The places of a CI file that can hold a value: gathering them as slots, with what a rewrite has to know of each.

Shared by the platforms of CI files (`githubactions`, `azurepipelines`, `gitlabci`), which say what a place is for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from rewriters._api import Place, Refusal, Slot, Span, Unreadable
from rewriters._ci_script import Script, ScriptWord
from rewriters._compose_slots import respelled
from rewriters._yaml import Alias, Map, Node, Scalar, Seq, join
from rewriters.plaintext import Plaintext

__all__ = ["Collector", "Manner", "No", "Site", "pairs", "shaped"]

MAX_SITES = 50_000
TYPED = "YAML reads this as a number, a date or a truth value and hands it over spelled another way: quote it first"


class No(Exception):
    """Why an assignment cannot be carried out, and what to do instead."""

    def __init__(self, reason: str, alternative: str) -> None:
        super().__init__(reason)
        self.reason, self.alternative = reason, alternative

    def refusal(self, slot: Slot) -> Refusal:
        return Refusal(slot.path, slot.pointer, self.reason, self.alternative)


@dataclass(frozen=True, slots=True)
class Manner:
    """What may stand at a place: `role` is the platform's word for what it is."""

    role: str
    place: Place
    targets: tuple[str, ...] = ()
    reason: str = ""
    interpolates: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A slot and where it comes from: the scalar, the map that holds its pair, and the platform's `context`.

    `script` and `word` are set for what a shell reads; `word` is `None` for the script as a whole.
    """

    slot: Slot
    node: Scalar
    role: str
    context: Any
    owner: Map | Seq | None
    key: Scalar | None
    script: Script | None = None
    word: ScriptWord | None = None

    @property
    def flow(self) -> bool:
        """Whether it stands in brackets or braces."""
        return self.owner is not None and self.owner.flow


class Collector:
    """Gathers the sites of one file."""

    def __init__(self, platform: str, path: str, data: bytes, root: Node) -> None:
        self.platform, self.path, self.data = platform, path, data
        self._sites: list[Site] = []
        self._pointers: dict[str, int] = {}
        self._shared = _shared(root)
        self._starts = [span.start for span in self._shared]

    def sites(self) -> tuple[Site, ...]:
        """In the order of their spans."""
        return tuple(sorted(self._sites, key=lambda site: (site.slot.span.start, -site.slot.span.end)))

    def shared(self, node: Node) -> bool:
        """Whether a node stands in something that an alias or a merge uses at another place."""
        at = bisect_right(self._starts, node.start) - 1
        return at >= 0 and self._shared[at].end >= node.end

    def add(
        self, where: tuple[str | int, ...], name: str, node: Node, manner: Manner, *, context: Any = None,
        owner: Map | Seq | None = None, key: Scalar | None = None,
    ) -> None:  # fmt: skip
        """A scalar that is a value as a whole; nothing for other nodes."""
        if isinstance(node, Scalar):
            slot = self._slot(where, name, node, manner)
            self._keep(Site(slot, node, manner.role, context, owner, key))

    def script(
        self, where: tuple[str | int, ...], node: Node, manner: Manner, *, context: Any = None,
        owner: Map | Seq | None = None, key: Scalar | None = None, posix: bool = True,
    ) -> None:  # fmt: skip
        """A scalar that a shell reads: as a whole, and its words that a name says something about."""
        if not isinstance(node, Scalar):
            return
        script = Script.of(node, self.data, posix=posix)
        slot = self._slot(where, "", node, manner)
        self._keep(Site(slot, node, manner.role, context, owner, key, script))
        for word in script.words():
            inner = replace(
                slot,
                pointer=self._pointer((*where, word.key or "url")),
                key=word.key,
                value=Plaintext(word.value),
                span=word.span,
                literal=word.literal,
                encoding=word.encoding,
            )
            self._keep(Site(inner, node, manner.role, context, owner, key, script, word))

    def rest(
        self, where: tuple[str | int, ...], name: str, node: Node, manner: Manner, *, skip: frozenset[str] = frozenset()
    ) -> None:
        """Every text below a node, however deep, as the same kind of place."""
        todo: list[tuple[tuple[str | int, ...], str, Node]] = [(where, name, node)]
        while todo:
            at, key, value = todo.pop()
            if isinstance(value, Map):
                todo += [((*at, inner.text), inner.text, content) for inner, content in pairs(value)]
            elif isinstance(value, Seq):
                todo += [((*at, index), key, item) for index, item in enumerate(value.items)]
            elif key not in skip:
                self.add(at, key, value, manner)

    def _slot(self, where: tuple[str | int, ...], name: str, node: Scalar, manner: Manner) -> Slot:
        targets, reason = manner.targets, manner.reason
        if targets and respelled(node):
            targets, reason = (), TYPED
        return Slot(
            self.platform,
            self.path,
            self._pointer(where),
            name,
            Plaintext(node.text.encode("utf-8", "surrogatepass")),
            node.span,
            node.literal,
            node.encoding,
            manner.place,
            targets,
            reason,
            manner.interpolates and bool(targets),
        )

    def _pointer(self, where: tuple[str | int, ...]) -> str:
        pointer = join(*where)
        count = self._pointers[pointer] = self._pointers.get(pointer, 0) + 1
        return pointer if count == 1 else f"{pointer}#{count}"

    def _keep(self, site: Site) -> None:
        if len(self._sites) >= MAX_SITES:
            raise Unreadable(f"more than {MAX_SITES} values")
        self._sites.append(site)


def pairs(node: Node | None) -> Iterator[tuple[Scalar, Node]]:
    """The pairs of a map whose keys are texts, as they are written."""
    if isinstance(node, Map):
        for key, value in node.pairs:
            if isinstance(key, Scalar):
                yield key, value


def shaped(node: Node | None, *names: str) -> Node | None:
    """What stands under these keys, as it is written there."""
    for name in names:
        node = next((value for key, value in reversed(list(pairs(node))) if key.text == name), None)
    return node


def _shared(root: Node) -> list[Span]:
    """The nodes that aliases stand for, as spans that do not touch."""
    found: dict[int, Span] = {}
    todo: list[Node] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, Alias):
            found[id(node.target)] = Span(node.target.start, node.target.end)
        elif isinstance(node, Map):
            todo += (part for pair in node.pairs for part in pair)
        elif isinstance(node, Seq):
            todo += node.items
    spans: list[Span] = []
    for span in sorted(found.values(), key=lambda span: (span.start, -span.end)):
        if not spans or span.end > spans[-1].end:
            spans.append(span)
    return spans
