"""What undoing a run would do, without doing it and without the vault: every value is masked.

Where the moved values stood is known from the plan. What else a text may hold is found as a scan finds it, in the
rewritten text and in the text to be restored, and a place of the one is masked in the other, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rewriters import Edit, Plaintext, Span, after_spans, splice
from secretscan.detect.scan import Detector
from secretscan.errors import ChangedSince, UsageError
from secretscan.events import Cancellation
from secretscan.inventory.ids import Ids
from secretscan.model import Finding
from secretscan.plan import render
from secretscan.plan.diff import MASK, masked_texts, shifted, union
from secretscan.plan.document import PlannedFile
from secretscan.prove.traces import Traces
from secretscan.run import files
from secretscan.run.folder import RunFolder, pins
from secretscan.run.standing import FileState, Kept, of_companion, of_file, owned
from secretscan.sources.file import HeldFile

__all__ = ["UndoFile", "UndoPreview", "preview_undo"]


@dataclass(frozen=True, slots=True)
class UndoFile:
    """What undo does with a rewritten file. `diff` are the lines of a unified diff from the first hunk on, masked and
    with control characters escaped: empty unless the file `restores`."""

    path: str
    state: FileState
    diff: str = ""


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """What undo does, as `Undone` will say it, if the vault still holds the values that the run stored.

    `files` are the rewritten files in the plan's order. `removes` are files that the run made, which go, or extended,
    which get their former text. `keeps` are the files that are left as they are, with the reasons. `secrets` are the
    names that go from the vault if that is asked for: none while a file is kept.
    """

    run: str
    files: tuple[UndoFile, ...]
    removes: tuple[str, ...]
    keeps: tuple[Kept, ...]
    secrets: tuple[str, ...]


def preview_undo(run: RunFolder, ids: Ids, cancellation: Cancellation) -> UndoPreview:
    """What `undo_run` does with the run as everything stands now. Raises `Cancelled`, and `JournalBroken` when the
    journal cannot be read."""
    entries = run.entries()
    pinned = pins(run, entries, ids)
    standings = {file.path: of_file(run, file, ids, pinned) for file in run.plan.files}
    keeps = [Kept(file.path, reason) for file in reversed(run.plan.files) if (reason := standings[file.path].reason)]
    removes: list[str] = []
    for companion in reversed(run.plan.companions):
        fate = of_companion(run, companion, pinned, needed=bool(keeps))
        if isinstance(fate, Kept):
            keeps.append(fate)
        elif fate == "remove":
            removes.append(companion.path)
    restores = {path: standing.data for path, standing in standings.items() if standing.state == "restores"}
    masks = _Masks(run, ids, restores, cancellation) if restores else None
    shown: list[UndoFile] = []
    for file in run.plan.files:
        cancellation.check()
        data = restores.get(file.path)
        diff = masks.diff(file, data) if masks is not None and data is not None else ""
        shown.append(UndoFile(file.path, standings[file.path].state, diff))
    secrets = [] if keeps else [item.secret.name for item in owned(run, entries) if not item.needed_by]
    return UndoPreview(run.id, tuple(shown), tuple(removes), tuple(keeps), tuple(secrets))


class _Masks:
    """What must not show in the files that would be restored."""

    def __init__(self, run: RunFolder, ids: Ids, texts: dict[str, bytes], cancellation: Cancellation) -> None:
        self._detector = Detector()
        self._found: dict[str, tuple[Finding, ...]] = {}
        known: dict[str, Plaintext] = {}
        # A value that stayed in one file may stand in the comment of another, where nothing finds it.
        for path in dict.fromkeys((*texts, *(left.path for left in run.plan.left))):
            cancellation.check()
            data: bytes | None = None
            with suppress(ChangedSince, UsageError):
                data = texts[path] if path in texts else files.read(run.root, path)
            if data is None:
                continue
            found = self._find(path, data)
            known |= {ids.secret(each.value): each.value for each in found if each.strength == "strong"}
            if path in texts:
                self._found[path] = found
        self._known = Traces.of(known)
        # The plan names the lines on which a moved value stands in text that no platform reads. Without the vault
        # nothing tells where in the line, unless the value was found by a scan just now.
        moved = {secret.id for secret in run.plan.secrets} | {part for move in run.plan.moves for part in move.covers}
        moved -= known.keys()
        self._unread: dict[str, dict[int, str]] = {}
        for left in run.plan.left:
            if not left.pointer and left.secret in moved:
                self._unread.setdefault(left.path, {})[left.line] = left.secret
        self._breaks: dict[str, int] = {}
        for piece in (piece for file in run.plan.files for edit in file.edits for piece in edit.before):
            if piece.secret:
                self._breaks[piece.secret] = max(self._breaks.get(piece.secret, 0), piece.text.count("\n"))

    def _find(self, path: str, data: bytes) -> tuple[Finding, ...]:
        return self._detector.scan(HeldFile(path, data), "tree").findings

    def diff(self, file: PlannedFile, data: bytes) -> str:
        """The masked diff from the rewritten file to its original."""
        backward: list[Edit] = []
        masked: list[list[Span]] = []
        for edit, span in render.rewritten(file, len(data)):
            text = b""
            masked.append([])
            for piece in edit.before:
                start = len(text)
                text += MASK + render.to_bytes(piece.text) if piece.secret else render.to_bytes(piece.text)
                if piece.secret:
                    masked[-1].append(Span(start, len(text)))
            backward.append(Edit(file.path, span, text))
        original = splice(data, backward)
        spans = [span for _, span in after_spans(backward, len(data))]
        forward = [
            Edit(file.path, span, data[edit.span.start : edit.span.end])
            for edit, span in zip(backward, spans, strict=True)
        ]
        holes = [
            Span(span.start + at.start, span.start + at.end)
            for span, inside in zip(spans, masked, strict=True)
            for at in inside
        ]
        now = union(finding.location.span for finding in self._found[file.path])
        was = union(
            (*(each.location.span for each in self._find(file.path, original)), *self._lines(file.path, original))
        )
        return masked_texts(
            file.path,
            (data, union((*now, *shifted(_outside(was, forward), forward)))),
            (original, union((*was, *holes, *shifted(_outside(now, backward), backward)))),
            self._known,
        ).text

    def _lines(self, path: str, original: bytes) -> Iterator[Span]:
        """The whole lines of which only the plan knows that they hold a moved value."""
        unread = self._unread.get(path)
        if not unread:
            return
        starts = [0, *(at + 1 for at, byte in enumerate(original) if byte == 10), len(original) + 1]
        for line, secret in unread.items():
            last = min(line + self._breaks.get(secret, 0), len(starts) - 1)
            if 0 < line <= last:
                yield Span(starts[line - 1], starts[last] - 1)


def _outside(spans: Iterable[Span], edits: Sequence[Edit]) -> list[Span]:
    """The parts of the places that no edit touches. Both are in the order of their places."""
    result: list[Span] = []
    at = 0
    for span in spans:
        start = span.start
        while at < len(edits) and edits[at].span.end <= span.start:
            at += 1
        while at < len(edits) and edits[at].span.start < span.end:
            if start < edits[at].span.start:
                result.append(Span(start, edits[at].span.start))
            start = max(start, edits[at].span.end)
            if edits[at].span.end > span.end:
                break  # it may reach into the next one, too
            at += 1
        if start < span.end:
            result.append(Span(start, span.end))
    return result
