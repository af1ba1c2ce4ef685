"""The data of Secrets and ConfigMaps: what of it moves, and the edits that take it out or turn its object around."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rewriters._api import Edit, Reference, Span
from rewriters._k8s_objects import Manifest, Object, text_at
from rewriters._k8s_text import Style, Tree, block, column, flow_pairs, removals, stops, whole_lines, written_simply
from rewriters._k8s_vault import Entry, Unfit, strings
from rewriters._yaml import Map, Scalar

__all__ = ["REPEATED", "UNUSUAL", "Moves", "config_edits", "converted", "reduced"]

_WHOLE = frozenset(f"kubernetes.io/{kind}" for kind in ("tls", "ssh-auth", "dockercfg", "dockerconfigjson"))
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


REPEATED = ("a key stands twice in one map of a file", "remove the one that does not count, then plan again")
UNUSUAL = ("the text is written in an unusual way (? before a key)", "write it as key: value")


class Moves:
    """Which keys of a Secret move, and what stays. Raises `Unfit` where the text does not allow it."""

    def __init__(self, manifest: Manifest, thing: Object, references: Mapping[int, Reference]) -> None:
        self.manifest = manifest
        self.object = thing
        self.blocks: list[tuple[int, Scalar, Map]] = []
        for index, (key, value) in enumerate(thing.root.pairs):
            if isinstance(key, Scalar) and key.text in ("data", "stringData"):
                if isinstance(value, Map):
                    self.blocks.append((index, key, value))
                elif not (isinstance(value, Scalar) and not value.text):
                    raise Unfit("the Secret's data stands elsewhere, behind an alias", "write the data out")
        self.gone: dict[int, set[int]] = {}
        self.remaining: list[tuple[str, str]] = []
        chosen: dict[str, Reference] = {}
        if not all(written_simply(manifest.data, item) for item in (thing.root, *(item for _, _, item in self.blocks))):
            raise Unfit(*UNUSUAL)
        for index, key, value in self.blocks:
            for number, (name, item) in enumerate(value.pairs):
                if not isinstance(name, Scalar):
                    raise Unfit("the Secret's data has a key that is no text", "write the data out")
                if id(item) not in references:
                    self.remaining.append((key.text, name.text))
                    continue
                self.gone.setdefault(index, set()).add(number)
                if name.text not in chosen or key.text == "stringData":
                    chosen[name.text] = references[id(item)]
        self.entries = [Entry(name, reference) for name, reference in chosen.items()]
        self._anchors()
        # What stringData says wins over data: both texts of one key have to go.
        if any(name in chosen for _, name in self.remaining):
            raise Unfit("the key stands in data and in stringData", "move both along", self.siblings)
        metadata = thing.root.get("metadata")
        self.type = text_at(thing.root, "type")
        self.immutable = text_at(thing.root, "immutable") == "true"
        self.labels = strings(metadata.get("labels") if isinstance(metadata, Map) else None)
        notes = strings(metadata.get("annotations") if isinstance(metadata, Map) else None)
        self.annotations = {name: text for name, text in notes.items() if name != _APPLIED}

    def _anchors(self) -> None:
        """Nothing that goes may be what an alias elsewhere stands for."""
        gone: set[int] = set()
        for index, _, value in self.blocks:
            if not self.remaining:
                gone.add(id(value))
            gone |= {id(value.pairs[number][1]) for number in self.gone.get(index, ())}
        if any(id(alias.target) in gone for alias, _ in self.manifest.aliases):
            raise Unfit("the value has an anchor and is used in other places", "write the value out in each place")

    @property
    def siblings(self) -> tuple[str, ...]:
        """The pointers of the keys that stay."""
        names = {
            (site.pair[0].text, site.form): site
            for site in self.manifest.sites
            if site.object is self.object and site.pair
        }
        return tuple(
            names[name, form].slot.pointer  # type: ignore[index]
            for form, name in self.remaining
            if (name, form) in names
        )

    @property
    def whole_only(self) -> bool:
        """Whether the API refuses this Secret with some of its keys, or later changes to it."""
        return self.type in _WHOLE or self.immutable

    @property
    def shape(self) -> dict[str, Tree]:
        """What the Secret is beside its data, for the target of an ExternalSecret."""
        shape: dict[str, Tree] = {"immutable": True} if self.immutable else {}
        if self.type not in ("", "Opaque"):
            metadata: dict[str, Tree] = {}
            if self.labels:
                metadata["labels"] = self.labels
            if self.annotations:
                metadata["annotations"] = self.annotations
            shape["template"] = {"type": self.type} | ({"metadata": metadata} if metadata else {})
        return shape


def reduced(moves: Moves) -> list[Edit]:
    """The Secret without the keys that move."""
    manifest = moves.manifest
    return [
        edit
        for index, _, value in moves.blocks
        if moves.gone.get(index)
        for edit in removals(manifest.path, manifest.data, value, moves.gone[index])
    ]


def converted(
    moves: Moves, api: str, kind: str, spec: dict[str, Tree], data: Sequence[Tree] | None, style: Style
) -> list[Edit]:
    """The Secret turned into the object that makes it, in its place: `spec` stands where its data stood.

    `data`, if given, is a list at the end of `spec` with one item for each key, which stands where the key stood.
    """
    manifest, root = moves.manifest, moves.object.root
    path, text = manifest.path, manifest.data
    named = {key.text: value for key, value in root.pairs if isinstance(key, Scalar)}
    edits: list[Edit] = []
    for field, new in (("apiVersion", api), ("kind", kind)):
        label = named.get(field)
        if not isinstance(label, Scalar) or label.anchor:
            raise Unfit(f"the object's {field} is not written in place", "write it out")
        block_style = label.style in ("literal", "folded")
        span = Span(label.literal.start, stops(text, label)) if block_style else label.span
        edits.append(Edit(path, span, new.encode()))
    _, head, first = moves.blocks[0]
    gone = {i for i, (key, _) in enumerate(root.pairs) if isinstance(key, Scalar) and key.text in ("type", "immutable")}
    gone |= {
        i
        for i, (key, value) in enumerate(root.pairs)
        if isinstance(key, Scalar) and key.text in ("data", "stringData") and isinstance(value, Scalar)
    }
    if root.flow or first.flow:
        whole: dict[str, Tree] = spec | ({"data": list(data)} if data is not None else {})
        if root.flow:
            made = flow_pairs({"spec": whole}, text, head)
        else:
            made = block({"spec": whole}, column(text, head.start), style).lstrip(" ")
        edits.append(Edit(path, Span(head.start, first.end), made.encode()))
        gone |= {number for number, _, _ in moves.blocks[1:]}
        return edits + removals(path, text, root, gone)
    if gone:
        edits += removals(path, text, root, gone)
    if any(value.anchor or value.tag for _, _, value in moves.blocks):
        raise Unfit("the Secret's data has an anchor", "take the anchor out")
    edits += _spec_in_place(moves, spec, data, style)
    for number, key, value in moves.blocks[1:]:
        if value.flow:
            edits += removals(path, text, root, {number})
            continue
        colon = text.index(b":", key.end) + 1
        begin = text.rfind(b"\n", 0, key.start) + 1
        stop = text.find(b"\n", colon) + 1
        edits.append(Edit(path, Span(begin, stop), b""))
        edits += [Edit(path, whole_lines(text, *pair), b"") for pair in value.pairs]
    return edits


def _spec_in_place(moves: Moves, spec: dict[str, Tree], data: Sequence[Tree] | None, style: Style) -> list[Edit]:
    """The block `data:` of a Secret as `spec:`, comments between its keys kept."""
    path, text = moves.manifest.path, moves.manifest.data
    _, head, first = moves.blocks[0]
    here = column(text, head.start)
    colon = text.index(b":", head.end) + 1
    lines = block({"spec": spec}, here, style).lstrip(" ")
    if data is None:
        edits = [Edit(path, Span(head.start, colon), lines.encode())]
        return edits + [Edit(path, whole_lines(text, *pair), b"") for pair in first.pairs]
    lines += f"{style.newline}{' ' * (here + style.step)}data:"
    edits = [Edit(path, Span(head.start, colon), lines.encode())]
    by_key = {entry.key: item for entry, item in zip(moves.entries, data, strict=True)}
    stands = column(text, first.pairs[0][0].start)
    pad = max(stands, here + style.step + style.dash)
    last = len(first.pairs) - 1
    for number, (key, value) in enumerate(first.pairs):
        assert isinstance(key, Scalar)  # noqa: S101 - asked when the moves were made
        items = [by_key.pop(key.text)] if key.text in by_key else []
        if number == last:
            items += by_key.values()
        made = block({"": items}, 0, Style(style.step, pad, style.newline)).split(style.newline, 1)[1]
        span = Span(key.start, stops(text, value))
        edits.append(Edit(path, span, made[stands:].encode()))
    return edits


def config_edits(manifest: Manifest, thing: Object, scalars: Collection[int]) -> list[Edit]:
    """The ConfigMap without these values. Raises `Unfit` where the text does not allow it."""
    data = next((v for k, v in thing.root.pairs if isinstance(k, Scalar) and k.text == "data"), None)
    if not isinstance(data, Map):
        raise Unfit("the ConfigMap's data stands elsewhere, behind an alias", "write the data out")
    if not written_simply(manifest.data, data):
        raise Unfit(*UNUSUAL)
    gone = {number for number, (_, value) in enumerate(data.pairs) if id(value) in scalars}
    return removals(manifest.path, manifest.data, data, gone)
