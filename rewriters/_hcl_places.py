"""Every text of an HCL file, with the blocks, the attribute and the keys that lead to it, and its pointer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Unreadable
from rewriters._hcl import Attribute, Block, Body, Text, texts

__all__ = ["MAX_PLACES", "Place", "places", "pointer_of", "unique"]

MAX_PLACES = 100_000

_STEP = re.compile(r"[\w-]+\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """`blocks` from the outermost inwards; `path` the keys and numbers within the attribute's value; `key` the name
    that says what the text is."""

    blocks: tuple[Block, ...]
    body: Body
    attribute: Attribute
    path: tuple[str, ...]
    text: Text
    pointer: str
    key: str

    @property
    def block(self) -> Block | None:
        return self.blocks[-1] if self.blocks else None


def pointer_of(steps: tuple[str, ...]) -> str:
    """Steps with points between them; those that are no plain names in double quotes."""
    return ".".join(step if _STEP.match(step) else '"' + _clean(step) + '"' for step in steps)


def _clean(step: str) -> str:
    return "".join(char if char.isprintable() and char not in '"\\' else "_" for char in step[:200])


def unique(pointer: str, seen: Counter[str]) -> str:
    seen[pointer] += 1
    return pointer if seen[pointer] == 1 else f"{pointer}~{seen[pointer]}"


def places(body: Body) -> Iterator[Place]:
    """In no order; raises `Unreadable` when there are too many."""
    seen: Counter[str] = Counter()
    count = 0
    todo: list[tuple[Body, tuple[Block, ...], tuple[str, ...]]] = [(body, (), ())]
    while todo:
        current, blocks, steps = todo.pop()
        for attribute in current.attributes:
            for path, text in texts(attribute.value):
                count += 1
                if count > MAX_PLACES:
                    raise Unreadable(f"more than {MAX_PLACES} texts")
                own = (*steps, attribute.name, *path)
                pointer = unique(pointer_of(own), seen)
                yield Place(blocks, current, attribute, path, text, pointer, _key(attribute, path, steps))
        kinds = Counter(block.kind for block in current.blocks)
        at: Counter[str] = Counter()
        inner: list[tuple[Body, tuple[Block, ...], tuple[str, ...]]] = []
        for block in current.blocks:
            step = _block_steps(block, kinds[block.kind] > 1, at[block.kind], outermost=not blocks)
            at[block.kind] += 1
            inner.append((block.body, (*blocks, block), (*steps, *step)))
        todo += reversed(inner)


def _block_steps(block: Block, several: bool, index: int, *, outermost: bool) -> tuple[str, ...]:
    """A block's kind, and its labels; one without labels in a block by its name, or its number if it is not alone."""
    if block.labels:
        return (block.kind, *block.labels)
    name = block.body.text("name")
    if name and not outermost:
        return (block.kind, name)
    return (block.kind, str(index)) if several and not outermost else (block.kind,)


def _key(attribute: Attribute, path: tuple[str, ...], steps: tuple[str, ...]) -> str:
    """The last key that is no number and no function, else the attribute; for a `default` the variable."""
    for step in reversed(path):
        if not step.isdigit() and step not in _CALLS:
            return step
    if attribute.name == "default" and len(steps) > 1:
        return steps[-1]
    return attribute.name


_CALLS = frozenset(
    ("jsonencode", "yamlencode", "merge", "tomap", "tolist", "toset", "concat", "sensitive", "base64encode")
)
