"""Spans, lines and values are right whatever the file's size and charset, and hostile files cost little."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewriters import Span
from secretscan.detect import scan as scan_module
from secretscan.detect.lines import Lines, transcode
from secretscan.detect.ruleset import load
from secretscan.detect.scan import Covered, Detector, FileScan
from secretscan.detect.text import MOST_FOUND

Expand = Callable[[str], str]
Scan = Callable[[str, bytes | str], FileScan]
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

EXAMPLES = [text for rule in load() for text in rule.examples if rule.id != "code-literal"]
FILLERS = st.sampled_from(["\n", " ", "x" * 37 + "\n", "y = 1\n" * 40, "é\n", "z" * 700])


def _facts(result: FileScan) -> list[tuple[object, ...]]:
    return [(found.rule, found.kind, found.strength, found.location, found.value.reveal()) for found in result.findings]


@QUIET
@given(parts=st.lists(st.one_of(st.sampled_from(EXAMPLES), FILLERS), max_size=25))
def test_windows_give_what_the_whole_file_gives(
    parts: list[str], scan: Scan, expand: Expand, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "".join(expand(part) for part in parts).encode()
    with monkeypatch.context() as patch:
        whole = scan("settings.ini", data)
        patch.setattr(scan_module, "MOST_WHOLE", 64)
        patch.setattr(scan_module, "WINDOW", 256)
        windows = scan("settings.ini", data)
    assert _facts(windows) == _facts(whole)


@QUIET
@given(parts=st.lists(st.one_of(st.sampled_from(EXAMPLES), FILLERS), max_size=10))
def test_spans_hold_the_value(parts: list[str], scan: Scan, expand: Expand) -> None:
    data = "\n".join(expand(part) for part in parts).encode()
    for found in scan("settings.ini", data).findings:
        place = found.location
        assert data[place.span.start : place.span.end] == found.value.reveal()
        assert data.count(b"\n", 0, place.span.start) == place.line - 1
        assert place.span.start - (data.rfind(b"\n", 0, place.span.start) + 1) == place.column - 1
        assert data.count(b"\n", 0, place.span.end) == place.end_line - 1


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_gives_offsets_of_the_file(codec: str, scan: Scan, expand: Expand) -> None:
    value = expand("{alnum:20}")
    before = "größe=1 \U0001f600\nDB_PASSWORD="
    bom = "\ufeff".encode(codec)
    data = bom + (before + value + "\n").encode(codec)
    (found,) = scan("settings.ini", data).findings
    assert found.value.reveal() == value.encode()
    span = found.location.span
    assert data[span.start : span.end].decode(codec) == value
    assert (found.location.line, found.location.column) == (2, len("DB_PASSWORD=") * 2 + 1)


@QUIET
@given(st.text(), st.sampled_from(["utf-16-le", "utf-16-be"]), st.data())
def test_transcoding_has_a_way_back(text: str, codec: str, data: st.DataObject) -> None:
    raw = "\ufeff".encode(codec) + text.encode(codec, "surrogatepass")
    wide = transcode(raw)
    assert wide is not None
    at = data.draw(st.integers(0, len(text)))
    offset = len(text[:at].encode("utf-8", "surrogatepass"))
    assert raw[wide.original(offset) :].decode(codec, "surrogatepass") == text[at:]


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"\xff\xfe\x00\xd8A", b"\xfe\xff\xdc"])
def test_broken_utf16_is_no_obstacle(raw: bytes, scan: Scan) -> None:
    scan("a.ini", raw)


def test_latin1_is_scanned_as_bytes(scan: Scan, expand: Expand) -> None:
    value = expand("{alnum:10}é{alnum:10}").encode("latin-1")
    (found,) = scan("a.ini", b"# caf\xe9\npassword=" + value + b"\r\n").findings
    assert found.value.reveal() == value
    assert (found.location.line, found.location.column) == (2, 10)


@dataclass(frozen=True)
class Endless:
    """A file of one line that is made while it is read."""

    path: str
    size: int
    tail: bytes

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Zeros(self.size, self.tail))


class _Zeros(io.RawIOBase):
    def __init__(self, size: int, tail: bytes) -> None:
        self._left, self._tail = size, tail

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._left:
            size = min(len(view), self._left)
            view[:size] = b"z" * size
            self._left -= size
            return size
        size = min(len(view), len(self._tail))
        view[:size] = self._tail[:size]
        self._tail = self._tail[size:]
        return size


def test_one_line_without_end(expand: Expand) -> None:
    import tracemalloc

    size = 40 << 20
    tail = expand(" DB_PASSWORD=x ghp_{alnum:36}").encode()
    detector = Detector()
    detector.scan(Endless("warm.txt", 10, b""))
    tracemalloc.start()
    try:
        result = detector.scan(Endless("a.txt", size, tail))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    (found,) = result.findings
    assert found.rule == "github-token"
    assert found.location.span.end == size + len(tail)
    assert (found.location.line, found.location.end_column) == (1, size + len(tail) + 1)
    assert peak < 32 << 20


def test_a_claimed_file_that_is_too_large_is_named(scan: Scan, expand: Expand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "MOST_WHOLE", 64)
    result = scan("compose.yaml", expand("services:\n  db:\n    environment:\n      TOKEN: ghp_{alnum:36}\n"))
    assert [found.rule for found in result.findings] == ["github-token"]
    assert [(item.path, item.partial) for item in result.unscanned] == [("compose.yaml", True)]
    assert result.data is None


def test_a_list_of_examples_is_cut_and_said(scan: Scan, expand: Expand) -> None:
    result = scan("many.ini", "".join(expand(f"A{n}_PASSWORD={{alnum:20}}\n") for n in range(MOST_FOUND + 50)))
    assert len(result.findings) == MOST_FOUND
    (item,) = result.unscanned
    assert item.partial
    assert "assignment" in item.reason


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 100_000,
        b"password=" * 12_000,
        b"password" + b":" * 200_000,
        b"://a:" + b"b" * 300_000 + b"@",
        b"-----BEGIN PRIVATE KEY-----" * 8_000,
        b'{"a":' * 50_000,
        b"key" + b"_" * 300_000 + b"=x",
        b"--password " * 12_000,
        b"eyJ" + b"a." * 100_000 + b".eyJ",
        b"Server=" * 10_000 + b";Password=",
    ],
    ids=lambda data: data[:12].decode("latin-1"),
)
@pytest.mark.parametrize("path", ["a.txt", "compose.yaml", "Dockerfile", ".env"])
def test_hostile_text_ends(data: bytes, path: str, scan: Scan) -> None:
    import time

    start = time.process_time()
    scan(path, data)
    assert time.process_time() - start < 10


def test_binary_files_are_searched_for_certain_forms_only(scan: Scan, expand: Expand) -> None:
    data = b"\x7fELF\0\0" + expand("DB_PASSWORD={alnum:20}\0ghp_{alnum:36}\0").encode()
    assert [found.rule for found in scan("program", data).findings] == ["github-token"]


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"])
def test_compressed_files_are_named(magic: bytes, scan: Scan) -> None:
    (item,) = scan("backup", magic + b"\0" * 40).unscanned
    assert item.partial
    assert "compressed" in item.reason


def test_a_file_that_cannot_be_opened_is_named() -> None:
    class Closed:
        path, size = "closed", 1

        def open(self) -> BinaryIO:
            raise PermissionError(13, "Permission denied")

    result = Detector().scan(Closed())
    (item,) = result.unscanned
    assert (item.path, item.partial) == ("closed", False)
    assert "permission denied" in item.reason


def test_lines_count_from_one() -> None:
    lines = Lines(b"a\n\nbc")
    assert [lines.place(at) for at in range(5)] == [(1, 1), (1, 2), (2, 1), (3, 1), (3, 2)]
    assert Lines(b"x\ny", 10, 100, 90).place(102) == (12, 1)
    assert Lines(b"x\ny", 10, 100, 90).place(100) == (11, 11)


@QUIET
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=8),
    st.tuples(st.integers(0, 30), st.integers(1, 6)),
)
def test_covered_is_what_touches(spans: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    made = [Span(start, start + size) for start, size in spans]
    one = Span(asked[0], asked[0] + asked[1])
    assert Covered(made).touch(one) == any(span.touches(one) for span in made if span)
