"""What can be said of slots, edits and assignments by looking at them alone; `rewriters.check` runs the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rewriters._api import Assignment, Edit, Reference, Rewrite, Rewriter, Slot, Span
from rewriters._encode import Undecodable, decode, encode
from rewriters.plaintext import Plaintext

__all__ = ["by_path", "edit_problems", "hits", "is_refused", "misplaced", "named", "slot_problems", "stored", "word_in"]


def stored(assignments: Iterable[Assignment]) -> dict[Reference, Plaintext]:
    result: dict[Reference, Plaintext] = {}
    for item in assignments:
        value = item.slot.value
        if item.part is not None:
            value = Plaintext(value.reveal()[item.part.start : item.part.end])
        if result.setdefault(item.reference, value) != value:
            raise ValueError(f"{item.reference.name} is asked to stand for two values")
    return result


def named(item: Assignment) -> tuple[bytes, ...]:
    texts = (item.slot.key, item.slot.pointer, item.slot.path, item.reference.name, item.reference.vault_url)
    return tuple(text.encode("utf-8", "surrogatepass") for text in texts)


def is_refused(rewrites: Mapping[str, Rewrite], item: Assignment) -> bool:
    return any(
        (refusal.path, refusal.pointer) == (item.slot.path, item.slot.pointer)
        for rewrite in rewrites.values()
        for refusal in rewrite.refusals
    )


def by_path(rewrites: Mapping[str, Rewrite]) -> dict[str, list[Edit]]:
    result: dict[str, list[Edit]] = {}
    for rewrite in rewrites.values():
        for edit in rewrite.edits:
            result.setdefault(edit.path, []).append(edit)
    return result


def misplaced(rewrite: Rewrite) -> Iterator[str]:
    """Paths of companions that are made more than once, or outside of the root."""
    for path, count in Counter(companion.path for companion in rewrite.companions).items():
        if count > 1 or path.startswith("/") or ".." in path.split("/"):
            yield path


def hits(edit: Span, place: Span) -> bool:
    """Whether an edit changes this place; an empty place is changed by what is inserted at it."""
    return edit.touches(place) or edit.start <= place.start == place.end <= edit.end


def slot_problems(rewriter: Rewriter, path: str, data: bytes, slots: Sequence[Slot]) -> Iterator[tuple[Slot, str]]:
    pointers = Counter(slot.pointer for slot in slots)
    for before, slot in zip((None, *slots), slots, strict=False):
        if slot.platform != rewriter.NAME or slot.path != path:
            yield slot, "names another platform or path"
        if pointers[slot.pointer] > 1 or not slot.pointer:
            yield slot, "the pointer is empty, or that of several slots"
        if before is not None and slot.span.start < before.span.start:
            yield slot, "not in the order of the spans"
        if not 0 <= slot.span.start <= slot.span.end <= len(data) or not slot.literal.covers(slot.span):
            yield slot, "the span is outside of the file or of the literal"
            continue
        if not slot.targets and not slot.reason:
            yield slot, "takes no reference and does not say why"
        try:
            value = Plaintext(decode(slot.encoding, data[slot.span.start : slot.span.end]))
        except Undecodable:
            yield slot, "its encoding does not decode the file's bytes"
            continue
        if value != slot.value:
            yield slot, "its encoding decodes to another value"


def edit_problems(data: bytes, edit: Edit) -> Iterator[str]:
    """What makes an edit wider than it must be, or foreign to its file."""
    old, new = data[edit.span.start : edit.span.end], edit.replacement
    if old == new:
        yield "replaces by the same"
        return
    if edit.span.start < 3 and data.startswith(b"\xef\xbb\xbf") and len(edit.span):
        yield "touches the byte order mark"
    was, now = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if min(len(was), len(now)) > 2 and (was[:2] == now[:2] or was[-2:] == now[-2:]):
        yield "repeats lines that stay as they are"
    breaks, crlf = data.count(b"\n"), data.count(b"\r\n")
    if b"\n" in new and breaks and crlf in (0, breaks):
        wrong = b"\r\n" in new if crlf == 0 else new.count(b"\n") != new.count(b"\r\n")
        if wrong:
            yield "brings line breaks that are not the file's"


def word_in(text: bytes, value: Plaintext) -> bool:
    """Whether a value stands in a text as a word of its own: plain, base64 or URL-encoded, and not as a part of a
    name (`postgres` in `postgres-password`). Under four bytes it would be punctuation or syntax by chance."""
    raw = value.reveal()
    if len(raw) < 4:
        return False
    forms = {encode(chain, raw) for chain in ((), ("base64",), ("url",))}
    return any(re.search(rb"(?<![\w-])" + re.escape(form) + rb"(?![\w-])", text) for form in forms if form)
