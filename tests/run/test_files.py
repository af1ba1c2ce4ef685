"""Files are replaced whole, keep what they had, and stay when they are not what was planned on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from secretscan.errors import ChangedSince, UsageError
from secretscan.run import files


def test_keeps_mode_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    path.write_bytes(b"old")
    path.chmod(0o640)
    files.replace(tmp_path, "a.env", b"new", lambda data: data == b"old")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o7777 == 0o640
    assert os.listdir(tmp_path) == ["a.env"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_keeps_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    path.write_bytes(b"old")
    os.chown(path, 1234, 4321)
    files.replace(tmp_path, "a.env", b"new", lambda data: True)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def test_a_changed_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(ChangedSince):
        files.replace(tmp_path, "a", b"new", lambda data: data == b"old")
    assert (tmp_path / "a").read_bytes() == b"other"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("path", ["../a", "/etc/a", "b/../../a", "", "a\0b"])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError):
        files.inside(tmp_path / "root", path)


def test_no_link_leads_out(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError):
        files.inside(tmp_path / "root", "link/a")
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "root" / "a").symlink_to(tmp_path / "a")
    with pytest.raises(ChangedSince):
        files.read(tmp_path / "root", "a")


def test_a_new_file_never_replaces_another(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"theirs")
    with pytest.raises(ChangedSince):
        files.create(tmp_path, "a", b"ours", executable=False, was=None)
    assert (tmp_path / "a").read_bytes() == b"theirs"
    files.create(tmp_path, "a", b"ours", executable=False, was=b"theirs")
    assert (tmp_path / "a").read_bytes() == b"ours"
    files.create(tmp_path, "a", b"ours", executable=False, was=None)


def test_drafts_of_a_crash_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".a.env.0123abcd.secretscan").write_bytes(b"half")
    (tmp_path / ".b.env.0123abcd.secretscan").write_bytes(b"not ours to judge")
    files.sweep(tmp_path, "a.env")
    assert os.listdir(tmp_path) == [".b.env.0123abcd.secretscan"]
