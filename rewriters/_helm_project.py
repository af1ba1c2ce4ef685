"""What the given files say of each other: charts and their values files, and what helmfiles name.

Sources: Helm documentation, "Values Files" (order of values); helmfile, `pkg/state/state.go`
(`prepareReleaseValuesEntries`, `RenderReleaseValuesFileToBytes`) and `pkg/state/envvals_loader.go`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rewriters._api import Files, Span, Unreadable
from rewriters._compose_project import folder_of, inside
from rewriters._helm_files import role
from rewriters._helm_mask import Masked, masked
from rewriters._yaml import Map, Node, Scalar, Seq, documents, follow

__all__ = ["Naming", "Project", "Release"]

_NO_PATH = re.compile(r"\A[a-z0-9+]+(?:\+[a-z]+)?::?/|://")


@dataclass(frozen=True, slots=True)
class Naming:
    """A helmfile names files: as values of a release, as values of its own state, or as encrypted ones."""

    helmfile: str
    how: str
    pattern: re.Pattern[str]
    order: int = 0


@dataclass(frozen=True, slots=True)
class Release:
    """A release of a helmfile: its chart as written, and where its values files are named, in order."""

    helmfile: str
    name: str
    chart: str
    namespace: str
    values: tuple[Naming, ...] = field(repr=False)


class Project:
    """The charts and helmfiles of the given files."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.roles = {path: role(path, data[:4096]) for path, data in files.items()}
        self.charts = {folder_of(path) for path in files if path.rpartition("/")[2] == "Chart.yaml"}
        self.namings: list[Naming] = []
        self.releases: list[Release] = []
        for path in sorted(path for path, what in self.roles.items() if what == "helmfile"):
            try:
                self._helmfile(path, files[path])
            except Unreadable:
                continue  # named by whoever asked for its slots

    def chart_of(self, path: str) -> str | None:
        """The folder of the chart whose values file this is by its place: beside `Chart.yaml`, or below it."""
        folder = folder_of(path)
        while folder not in self.charts:
            if not folder:
                return None
            folder = folder_of(folder)
        return folder

    def is_default(self, path: str) -> bool:
        """Whether Helm itself reads this file with its chart."""
        return path.rpartition("/")[2] == "values.yaml" and folder_of(path) in self.charts

    def named(self, path: str) -> list[Naming]:
        """How helmfiles name a file."""
        return [naming for naming in self.namings if naming.pattern.fullmatch(path)]

    def looked_up(self, path: str) -> bool:
        """Whether helmfile looks up the references of a values file."""
        ways = {naming.how for naming in self.named(path)}
        return "release" in ways and "state" not in ways

    # --- helmfiles ---------------------------------------------------------------------------------------------------

    def _helmfile(self, path: str, data: bytes) -> None:
        mask = masked(data)
        for document in documents(mask.data):
            root = document.root
            if not isinstance(root, Map):
                continue
            reader = _Helmfile(path, data, mask)
            self.namings += reader.paths(root.get("values"), "state", "")
            environments = root.get("environments")
            for environment in _values(environments):
                if isinstance(environment, Map):
                    self.namings += reader.paths(environment.get("values"), "state", "")
                    self.namings += reader.paths(environment.get("secrets"), "encrypted", "")
            for item in [*_items(root.get("releases")), *_values(root.get("templates"))]:
                if isinstance(item, Map):
                    release = reader.release(item)
                    self.releases.append(release)
                    self.namings += release.values
                    self.namings += reader.paths(item.get("secrets"), "encrypted", "")

    def chart_folder(self, release: Release) -> str | None:
        """The folder of a release's chart, when it is one of the given files'."""
        if not release.chart.startswith((".", "/")):
            return None
        folder = inside(folder_of(release.helmfile), release.chart)
        return folder if folder in self.charts else None


class _Helmfile:
    def __init__(self, path: str, data: bytes, mask: Masked) -> None:
        self.path, self.data, self.mask = path, data, mask

    def release(self, node: Map) -> Release:
        prefix = self._text(node.get("valuesPathPrefix"))
        values = [
            *self.paths(node.get("values"), "release", prefix),
            *self.paths(node.get("valuesTemplate"), "release", prefix),
        ]
        name, chart, namespace = (self._text(node.get(key)) for key in ("name", "chart", "namespace"))
        return Release(self.path, name, chart, "" if "{{" in namespace else namespace, tuple(values))

    def _text(self, node: Node | None) -> str:
        """A text as it stands in the file, actions included."""
        if not isinstance(node, Scalar):
            return ""
        if not self.mask.touches(node.literal):
            return node.text
        return self.data[node.span.start : node.span.end].decode("utf-8", "replace")

    def paths(self, node: Node | None, how: str, prefix: str) -> Iterator[Naming]:
        """The files that a list names; actions and wildcards stand for anything between two slashes."""
        for order, item in enumerate(_items(node)):
            text = self._text(item) if isinstance(item, Scalar) else ""
            if not text or _NO_PATH.search(text):
                continue
            spans = masked(text.encode()).actions if "{{" in text else ()
            plain, at = prefix if "{{" not in prefix else "", 0
            raw = text.encode()
            for span in (*spans, Span(len(raw), len(raw))):
                plain += raw[at : span.start].decode() + ("*" if len(span) else "")
                at = span.end
            place = inside(folder_of(self.path), plain)
            if place:
                pattern = "".join("[^/]*" if char == "*" else re.escape(char) for char in re.sub(r"\*+", "*", place))
                yield Naming(self.path, how, re.compile(pattern), order)


def _items(node: Node | None) -> list[Scalar | Map | Seq]:
    return [follow(item) for item in node.items] if isinstance(node, Seq) else []


def _values(node: Node | None) -> list[Scalar | Map | Seq]:
    return [follow(value) for _, value in node.pairs] if isinstance(node, Map) else []
