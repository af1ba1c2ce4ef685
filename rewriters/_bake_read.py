"""Where the values of a Bake file stand, and what can become of each place.

Source: Docker documents, Bake file reference: `variable`; `target` with `args`, `labels`, `secret`, `cache-to`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rewriters import _api
from rewriters._api import Slot, Unreadable
from rewriters._hcl import opens as opens_template
from rewriters._hcl import read as read_hcl
from rewriters._hcl_places import MAX_PLACES, Place, places, pointer_of, unique
from rewriters._json import read as read_json
from rewriters._yaml import Map, Node, Scalar, Seq
from rewriters.plaintext import Plaintext

__all__ = ["REASONS", "Kind", "Site", "folder_of", "read"]

Kind = Literal["", "default", "text", "argument"]

TARGETS: dict[str, tuple[str, ...]] = {
    "default": ("fetch-script",),
    "text": ("fetch-script",),
    "argument": ("build-secret",),
}
REASONS: dict[str, tuple[str, str]] = {
    "argument": (
        "a build argument stays in the image's history, wherever its value comes from",
        "mount it in the Dockerfile (RUN --mount=type=secret), list it in the target's secret, and delete the argument",
    ),
    "label": ("a label is part of the image, which everybody who pulls it can read", "delete the label"),
    "inline": (
        "it is a Dockerfile, whose instructions stay in the image",
        "put the Dockerfile into a file of its own, with a secret mount",
    ),
    "secret": ("it names where a secret comes from, and holds none", "nothing needs to be done"),
    "nested": ("it is a part of a variable that holds more", "give the secret a variable of its own"),
    "constant": ("Bake takes no variable here", "delete the value"),
    "template": ("the value is put together from others here", "move the variable that holds the secret instead"),
}


@dataclass(frozen=True, slots=True)
class Site:
    """A place with its slot; `place` in HCL, `owner` with the pair's `index` in JSON; `target` that of an argument."""

    slot: Slot
    kind: Kind
    refused: str
    words: tuple[str, ...]
    template: bool
    place: Place | None = None
    owner: Map | None = None
    index: int = 0


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def read(path: str, data: bytes) -> list[Site]:
    """In the order of their spans. Raises `Unreadable`."""
    found = _json_sites(path, data) if path.lower().endswith(".json") else _hcl_sites(path, data)
    return sorted(found, key=lambda site: (site.slot.span, site.slot.pointer))


def _classed(words: tuple[str, ...]) -> tuple[Kind, str]:
    """By the kind of the block, its label, the attribute, and the keys in it."""
    if words[0] == "variable" and len(words) > 2 and words[2] == "default":
        return ("default", "") if len(words) == 3 else ("", "nested")
    if words[0] != "target" or len(words) < 3:
        return "", "constant"
    name = words[2]
    if name == "args":
        return "argument", ""
    if name in ("labels", "annotations"):
        return "", "label"
    if name == "dockerfile-inline":
        return "", "inline"
    if name == "secret":
        return "", "secret"
    return ("", "constant") if name in ("name", "inherits", "description", "matrix") else ("text", "")


def _site(
    path: str,
    pointer: str,
    key: str,
    words: tuple[str, ...],
    value: bytes,
    where: Place | Scalar,
    odd: str,
    opens: bool,
) -> Site:
    kind, refused = _classed(words)
    text = where.text if isinstance(where, Place) else where
    if opens and kind == "default":
        kind, refused = "", "template"
    reason = odd or (REASONS[refused][0] if not kind else "")
    place: _api.Place = "env" if kind == "default" else "build" if words[2:3] == ("args",) else "config"
    slot = Slot(
        "bake", path, pointer, key, Plaintext(value), text.span, text.literal, text.encoding, place,
        () if odd else TARGETS.get(kind, ()), reason, kind == "text" and not odd,
    )  # fmt: skip
    return Site(slot, "" if odd else kind, refused, words, opens, where if isinstance(where, Place) else None)


def _hcl_sites(path: str, data: bytes) -> Iterator[Site]:
    for place in places(read_hcl(data)):
        outer = place.blocks[0] if place.blocks else None
        inner = tuple(step for block in place.blocks[1:] for step in (block.kind, *block.labels))
        words = (outer.kind, *outer.labels, *inner) if outer is not None else ()
        words = (*words, place.attribute.name, *place.path)
        yield _site(path, place.pointer, place.key, words, place.text.text, place, place.text.odd, place.text.template)


def _json_sites(path: str, data: bytes) -> Iterator[Site]:
    root = read_json(data)
    if not isinstance(root, Map):
        raise Unreadable("the document is no object")
    seen: Counter[str] = Counter()
    todo: list[tuple[Node, tuple[str, ...], Map | None, int]] = [(root, (), None, 0)]
    count = 0
    while todo:
        node, steps, owner, index = todo.pop()
        if isinstance(node, Map):
            pairs = enumerate(node.pairs)
            todo += ((item, (*steps, key.text), node, at) for at, (key, item) in pairs if isinstance(key, Scalar))
        elif isinstance(node, Seq):
            todo += ((item, (*steps, str(at)), None, 0) for at, item in enumerate(node.items))
        elif isinstance(node, Scalar) and node.style == "double" and len(steps) > 1:
            count += 1
            if count > MAX_PLACES:
                raise Unreadable(f"more than {MAX_PLACES} texts")
            opens = opens_template(node.text.encode("utf-8", "surrogatepass"))
            encoding = node.encoding if opens else (*node.encoding, "hcl-text")
            value = node.text if opens else node.text.replace("$${", "${").replace("%%{", "%{")
            scalar = Scalar(value, node.span, node.literal, node.style, encoding, start=node.start)
            named = [step for step in steps if not step.isdigit()]
            key = named[1] if named[0] == "variable" and len(named) > 1 else named[-1]
            raw = value.encode("utf-8", "surrogatepass")
            site = _site(path, unique(pointer_of(steps), seen), key, steps, raw, scalar, "", opens)
            yield Site(site.slot, site.kind, site.refused, steps, opens, None, owner, index)
