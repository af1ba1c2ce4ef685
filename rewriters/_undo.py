"""The text that an edit replaces, as pieces: what may be kept, and holes where values stood.

A journal keeps these pieces instead of the text. Undo puts the values, read back from the vault, into the holes. It
gives the original bytes when each hole's encoding reproduces what stood there; `flaw` says whether that is so and
whether the kept pieces are free of the values.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rewriters._api import Edit, Slot, Span
from rewriters._encode import Undecodable, encode, locate, partial
from rewriters.plaintext import Plaintext

__all__ = ["Hole", "Template", "Text", "flaw", "hole", "holes", "render", "spellings", "template", "traces"]


@dataclass(frozen=True, slots=True)
class Text:
    """Bytes of the file that hold no known value."""

    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hole:
    """Where a value stands: its span in the file before, the chain that writes it there, and whose value it is."""

    span: Span
    encoding: tuple[str, ...]
    key: str


Template = tuple[Text | Hole, ...]

_IN_TEXT: tuple[tuple[str, ...], ...] = ((), ("url",), ("base64",))
"""How a value may stand inside a longer text."""


def hole(data: bytes, slot: Slot, key: str, part: Span | None = None) -> Hole | None:
    """The hole for a slot's value, or for `part` of it; `None` when that part has no bytes of its own in the file."""
    if part is None:
        return Hole(slot.span, slot.encoding, key)
    raw = data[slot.span.start : slot.span.end]
    found = locate(slot.encoding, raw, part)
    if found is None:
        return None
    span = Span(slot.span.start + found.start, slot.span.start + found.end)
    return Hole(span, slot.encoding if span == slot.span else partial(slot.encoding), key)


def holes(data: bytes, slots: Iterable[Slot], values: Mapping[str, Plaintext]) -> tuple[Hole, ...]:
    """Every place of these slots that holds one of the values, whole or as a part; longer places come first.

    Places may overlap (a password inside a connection string, both known). Give the slots that an edit touches.
    """
    known = [(key, value.reveal()) for key, value in values.items() if not value.empty()]
    found: dict[Span, Hole] = {}
    for slot in slots:
        text = slot.value.reveal()
        for key, value in known:
            if text == value:
                found.setdefault(slot.span, Hole(slot.span, slot.encoding, key))
                continue
            for chain in _IN_TEXT:
                written = encode(chain, value)
                at = text.find(written)
                while at >= 0:
                    place = hole(data, slot, key, Span(at, at + len(written)))
                    if place is not None:
                        found.setdefault(place.span, Hole(place.span, (*place.encoding, *chain), key))
                    at = text.find(written, at + len(written))
    return tuple(sorted(found.values(), key=lambda item: (-len(item.span), item.span)))


def template(data: bytes, edit: Edit, candidates: Sequence[Hole]) -> Template:
    """The bytes that `edit` replaces, as texts and holes in order.

    Of holes that overlap the one given first is taken; holes that reach out of the edit's span are left out.
    """
    taken: list[Hole] = []
    for candidate in candidates:
        inside = len(candidate.span) and edit.span.covers(candidate.span)
        if inside and not any(candidate.span.touches(other.span) for other in taken):
            taken.append(candidate)
    pieces: list[Text | Hole] = []
    at = edit.span.start
    for item in sorted(taken, key=lambda item: item.span):
        if at < item.span.start:
            pieces.append(Text(data[at : item.span.start]))
        pieces.append(item)
        at = item.span.end
    if at < edit.span.end:
        pieces.append(Text(data[at : edit.span.end]))
    return tuple(pieces)


def render(pieces: Template, values: Callable[[str], Plaintext]) -> bytes:
    """The original bytes. Raises `rewriters._encode.Undecodable` when a value cannot be written in its encoding, and
    what `values` raises."""
    return b"".join(
        piece.content if isinstance(piece, Text) else encode(piece.encoding, values(piece.key).reveal())
        for piece in pieces
    )


def flaw(data: bytes, edit: Edit, pieces: Template, values: Mapping[str, Plaintext]) -> str:
    """Why `pieces` must not, or cannot, stand for the replaced text; empty when undo gives the original bytes.

    Values too short or too plain to be told from other text (under 8 bytes; under 16 of lower-case letters only) are
    not searched for in the kept texts.
    """
    try:
        if render(pieces, values.__getitem__) != data[edit.span.start : edit.span.end]:
            return "the value is not written in the canonical form of its encoding"
    except (Undecodable, KeyError):
        return "the value cannot be written in its encoding"
    kept = b"\n".join(piece.content for piece in pieces if isinstance(piece, Text))
    if kept and any(form in kept for value in values.values() for form in traces(value)):
        return "the replaced text holds the value at a place that is not known"
    return ""


def traces(value: Plaintext) -> tuple[bytes, ...]:
    """What to search for to find a value in a text: the value in plain, base64, URL-encoded and JSON-escaped.

    Empty for values that stand in ordinary text by chance (under 8 bytes; under 16 of lower-case letters
    only).
    """
    raw = value.reveal()
    if len(raw) < 8 or (len(raw) < 16 and raw.isalpha() and raw.islower()):
        return ()
    coded = base64.b64encode(raw).rstrip(b"=")
    # The last digit also carries bits of what may follow.
    return tuple({raw, coded[: len(raw) * 8 // 6], encode(("url",), raw), encode(("json-string",), raw)})


def spellings(value: Plaintext) -> tuple[bytes, ...]:
    """What to hide from a reader: all that is a trace of the value, and what a person could read it from besides, which
    is base64 of a text that it is a part of, in either alphabet, hexadecimal digits, and other ways to escape it."""
    found = set(traces(value))
    if not found:
        return ()
    raw = value.reveal()
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + raw)
        inner = coded[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    escaped = json.dumps(raw.decode("utf-8", "surrogateescape"))[1:-1]
    found |= {raw.hex().encode(), raw.hex().upper().encode(), escaped.encode()}
    found.add(re.sub(rb"%[0-9A-F]{2}", lambda match: match[0].lower(), encode(("url",), raw)))
    return tuple(found)
