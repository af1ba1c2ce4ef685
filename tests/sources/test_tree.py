"""A tree gives each regular file once, and names what it leaves out."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretscan.errors import UsageError
from secretscan.model import Unscanned
from secretscan.sources.tree import TreeFile, walk


def _files(root: Path, *targets: str) -> list[str]:
    return [item.path for item in walk(root, targets or ("",)) if isinstance(item, TreeFile)]


def _left_out(root: Path) -> dict[str, str]:
    return {item.path: item.reason for item in walk(root) if isinstance(item, Unscanned)}


def _write(root: Path, *paths: str) -> None:
    for path in paths:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path)


def test_files_in_order_with_their_content(tmp_path: Path) -> None:
    _write(tmp_path, "b/c.txt", "b/a/z", "a.txt", "b.txt", ".env", "node_modules/x/.npmrc")
    assert _files(tmp_path) == [".env", "a.txt", "b/a/z", "b/c.txt", "b.txt", "node_modules/x/.npmrc"]
    for item in walk(tmp_path):
        assert isinstance(item, TreeFile)
        with item.open() as file:
            assert file.read() == item.path.encode()
        assert item.size == len(item.path)


def test_own_state_and_version_control_are_left_out(tmp_path: Path) -> None:
    _write(tmp_path, ".git/config", ".secretscan/inventory.db", "sub/.git/x", "sub/y", "gitlab/.gitignore")
    assert _files(tmp_path) == ["gitlab/.gitignore", "sub/y"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    _write(outside, "secret")
    _write(root, "real/file", ".git/config")
    (root / "again").symlink_to("real")
    (root / "file").symlink_to("real/file")
    (root / "loop").symlink_to(".")
    (root / "self").symlink_to("self")
    (root / "gone").symlink_to("nowhere")
    (root / "out").symlink_to(outside)
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "history").symlink_to(".git/config")
    (root / "sibling").symlink_to("../root2")
    (tmp_path / "root2").mkdir()
    assert _files(root) == ["real/file"]
    left_out = _left_out(root)
    assert set(left_out) == {"self", "out", "passwd", "history", "sibling"}
    assert "leads out of" in left_out["out"]
    assert "too many levels" in left_out["self"]


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    _write(tmp_path, "real/a/file")
    (tmp_path / "root").symlink_to("real")
    (tmp_path / "real/b").symlink_to("a")
    assert _files(tmp_path / "root") == ["a/file"]
    assert _left_out(tmp_path / "root") == {}


def test_special_files_are_named_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket may not be long
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        left_out = _left_out(tmp_path)
    assert left_out["pipe"].startswith("a named pipe")
    assert left_out["socket"].startswith("a socket")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    _write(tmp_path, "closed/file", "open")
    (tmp_path / "closed").chmod(0)
    try:
        assert _files(tmp_path) == ["open"]
        assert "permission denied" in _left_out(tmp_path)["closed"]
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_file_that_became_something_else_is_not_opened(tmp_path: Path) -> None:
    _write(tmp_path, "a", "b")
    first, second = (item for item in walk(tmp_path) if isinstance(item, TreeFile))
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("b")
    with pytest.raises(OSError, match=r"."):
        first.open()
    (tmp_path / "b").unlink()
    os.mkfifo(tmp_path / "b")
    with pytest.raises(OSError, match="regular"):
        second.open()


def test_one_file_as_the_target(tmp_path: Path) -> None:
    _write(tmp_path, "deploy/compose.yaml")
    assert _files(tmp_path / "deploy/compose.yaml") == ["compose.yaml"]


def test_targets_below_a_root(tmp_path: Path) -> None:
    _write(tmp_path, "a/x", "a/b/y", "ab/z", "c", "d/e")
    assert _files(tmp_path, "a", "a/b", "c") == ["a/b/y", "a/x", "c"]
    assert _files(tmp_path, "a/b/y", "d") == ["a/b/y", "d/e"]
    assert _files(tmp_path, "", "a") == _files(tmp_path)


@pytest.mark.parametrize("target", ["missing", "pipe"])
def test_a_target_that_cannot_be_scanned(tmp_path: Path, target: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError) as raised:
        walk(tmp_path / target)
    assert raised.value.where.endswith(target)
    assert raised.value.why
    assert raised.value.next_step


def test_too_many_folders(tmp_path: Path) -> None:
    place = tmp_path
    for _ in range(205):
        place /= "d"
    place.mkdir(parents=True)
    (place / "file").write_bytes(b"")
    assert _files(tmp_path) == []
    (reason,) = _left_out(tmp_path).values()
    assert "folders deep" in reason


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9")).mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9/f")).write_bytes(b"1")
    (path,) = _files(tmp_path)
    assert os.fsencode(path) == b"\xe9/f"


_NAMES = st.text("abAB.-_ é", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))


@settings(max_examples=25, deadline=None)
@given(st.sets(st.lists(_NAMES, min_size=1, max_size=3).map("/".join), max_size=8))
def test_every_file_comes_once(tmp_path_factory: pytest.TempPathFactory, paths: set[str]) -> None:
    root = tmp_path_factory.mktemp("tree")
    written = set()
    for path in sorted(paths):
        try:
            _write(root, path)
            written.add(path)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            continue
    assert sorted(_files(root)) == sorted(written)
    assert _files(root) == _files(root)
