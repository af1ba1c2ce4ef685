"""One reading of a tree: every finding, every claimed file with its bytes, and all that was not read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from secretscan.errors import UsageError
from secretscan.events import Cancellation, Listener, Progress, silent
from secretscan.model import Finding, Unscanned

if TYPE_CHECKING:
    from rewriters import Slot
    from secretscan.sources.file import SourceFile

MAX_CONTEXT = 1024 * 1024

Heard = Callable[[str, tuple[Finding, ...], tuple[Unscanned, ...]], None]
"""Called for each file that was read, and each path that was not, with what was found and what was not read."""

__all__ = ["Root", "Survey", "common_root", "survey"]


@dataclass(frozen=True, slots=True)
class Root:
    """The folder that paths are relative to, and the targets within it (`""` is all of it)."""

    folder: Path
    targets: tuple[str, ...] = ("",)

    def covers(self, path: str) -> bool:
        """Whether a path below the folder belongs to the targets."""
        return any(not target or path == target or path.startswith(f"{target}/") for target in self.targets)


@dataclass(frozen=True, slots=True)
class Survey:
    """What one reading of a tree gave. `claimed` are the files of the platforms, whole, and those that
    belong to them (`rewriters.CONTEXT`); `slots` their places."""

    root: Root
    findings: tuple[Finding, ...]
    claimed: dict[str, bytes] = field(repr=False)
    slots: dict[str, tuple[Slot, ...]] = field(repr=False)
    unscanned: tuple[Unscanned, ...] = ()
    files: int = 0
    bytes: int = 0
    paths: tuple[str, ...] = field(default=(), repr=False)
    """Every path that was read."""

    @property
    def complete(self) -> bool:
        return not self.unscanned


def common_root(targets: tuple[str, ...]) -> Root:
    """The root of some targets: the folder itself for one folder, else the deepest folder that holds them all.

    Raises `UsageError` for a target that is not there, and when they share nothing but the file system's root.
    """
    places: list[Path] = []
    for target in targets or (".",):
        place = Path(target)
        if not place.exists():
            why = "it is a link that leads nowhere" if place.is_symlink() else "there is no file or folder of that name"
            raise UsageError("cannot scan the target", where=target, why=why, next_step="check the path")
        places.append(place.resolve())
    folders = [place if place.is_dir() else place.parent for place in places]
    folder = Path(os.path.commonpath(folders))
    if len(places) > 1 and folder == Path(folder.anchor):
        raise UsageError(
            "the targets have no folder in common", where=" ".join(targets), next_step="scan them one at a time"
        )
    return Root(folder, tuple("" if place == folder else place.relative_to(folder).as_posix() for place in places))


def survey(
    root: Root,
    listener: Listener = silent,
    cancellation: Cancellation | None = None,
    heard: Heard | None = None,
) -> Survey:
    """Reads the tree. Raises `Cancelled` between two files."""
    from secretscan.sources.tree import walk

    findings: list[Finding] = []
    claimed: dict[str, bytes] = {}
    slots: dict[str, tuple[Slot, ...]] = {}
    unscanned: list[Unscanned] = []
    paths: list[str] = []
    size = 0
    detector = None
    for item in walk(root.folder, root.targets):
        if cancellation is not None:
            cancellation.check()
        if isinstance(item, Unscanned):
            unscanned.append(item)
            if heard is not None:
                heard(item.path, (), (item,))
            continue
        if detector is None:
            from rewriters import CONTEXT
            from secretscan.detect.scan import Detector

            detector = Detector()
        listener(Progress("scan", len(paths), 0, item.path))
        result = detector.scan(item, "tree")
        findings += result.findings
        unscanned += result.unscanned
        if heard is not None:
            heard(item.path, result.findings, result.unscanned)
        if result.data is not None:
            claimed[item.path] = result.data
            slots[item.path] = result.slots
        elif item.path.rpartition("/")[2] in CONTEXT:
            data = _context(item)
            if data is not None:
                claimed[item.path] = data
        paths.append(item.path)
        size += item.size
    listener(Progress("scan", len(paths), len(paths)))
    return Survey(root, tuple(findings), claimed, slots, tuple(unscanned), len(paths), size, tuple(paths))


def _context(file: SourceFile) -> bytes | None:
    """The bytes of a small file that rewriters look into; the detector has named it already if it cannot be read."""
    try:
        with file.open() as handle:
            data = handle.read(MAX_CONTEXT + 1)
    except OSError:
        return None
    return data if len(data) <= MAX_CONTEXT else None
