"""A file's bytes before and after its planned edits, each rendered from the other side.

Forward, an edit's replacement is spliced in. Backward, the replaced text is rendered from its pieces, with the values
coming from the vault. Both check the keyed digest of the whole file, so a wrong byte is never written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rewriters import Edit, Plaintext, Span, after_spans, splice
from rewriters._encode import Undecodable, decode, encode
from secretscan.errors import ChangedSince
from secretscan.inventory.ids import Ids
from secretscan.plan.document import Origin, Piece, PlannedEdit, PlannedFile

__all__ = ["after", "before", "is_after", "is_before", "piece_bytes", "rewritten", "to_bytes", "to_text", "value_at"]

Values = Callable[[str], Plaintext]
"""The value of a secret by its id."""


def to_text(data: bytes) -> str:
    """Bytes as a plan holds them: text, with what is not UTF-8 kept as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """The reverse of `to_text`."""
    return text.encode("utf-8", "surrogateescape")


def piece_bytes(pieces: Sequence[Piece], values: Values) -> bytes:
    """The text that an edit replaced, with the values put in."""
    return b"".join(
        encode(piece.encoding, values(piece.secret).reveal()) if piece.secret else to_bytes(piece.text)
        for piece in pieces
    )


def value_at(data: bytes, origin: Origin) -> Plaintext | None:
    """The value that stands at this place, if one can stand there."""
    if not 0 <= origin.start <= origin.end <= len(data):
        return None
    try:
        return Plaintext(decode(origin.encoding, data[origin.start : origin.end]))
    except (Undecodable, ValueError):
        return None


def is_before(file: PlannedFile, data: bytes, ids: Ids) -> bool:
    return ids.file(data) == file.before


def is_after(file: PlannedFile, data: bytes, ids: Ids) -> bool:
    return ids.file(data) == file.after


def _edits(file: PlannedFile) -> list[Edit]:
    return [Edit(file.path, edit.span, to_bytes(edit.replacement)) for edit in file.edits]


def after(file: PlannedFile, data: bytes, ids: Ids) -> bytes:
    """The rewritten file. Raises `ChangedSince` when `data` is not the file that was planned on."""
    if is_before(file, data, ids):
        result = splice(data, _edits(file))
        if is_after(file, result, ids):
            return result
    raise ChangedSince("a file has changed since it was planned on", where=file.path, next_step="plan again")


def rewritten(file: PlannedFile, size: int) -> list[tuple[PlannedEdit, Span]]:
    """Each edit with the place of its replacement in the rewritten file, which has so many bytes."""
    # Positions in the rewritten file follow from the edits alone; the size only bounds them.
    was = size - sum(len(to_bytes(edit.replacement)) - len(edit.span) for edit in file.edits)
    planned = sorted(file.edits, key=lambda item: (item.start, item.end))
    return [(each, span) for each, (_, span) in zip(planned, after_spans(_edits(file), was), strict=True)]


def before(file: PlannedFile, data: bytes, values: Values, ids: Ids) -> bytes:
    """The original file. Raises `ChangedSince` when `data` is not the rewritten file, or the vault's values no longer
    give the original."""
    if not is_after(file, data, ids):
        raise ChangedSince("a file has changed since it was rewritten", where=file.path, next_step="undo it by hand")
    places = rewritten(file, len(data))
    result = splice(data, [Edit(file.path, span, piece_bytes(edit.before, values)) for edit, span in places])
    if not is_before(file, result, ids):
        raise ChangedSince(
            "the original cannot be rendered again",
            where=file.path,
            why="the vault holds another value than the one that was moved",
            next_step="the journal names the version that was stored; check that it is still there",
        )
    return result
