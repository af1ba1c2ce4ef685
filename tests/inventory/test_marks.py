"""The ignore file: read as data, changed line by line, merged by taking both sides.

`marks/<case>/` holds a file (`ignore`) and what it says (`case.toml`).
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import subprocess
import threading
import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretscan.detect.survey import common_root, survey
from secretscan.errors import UsageError
from secretscan.inventory import marks as module
from secretscan.inventory.folder import IGNORE_FILE
from secretscan.inventory.marks import KINDS, MAX_FLAWS, Mark, MarkKind, Marks, add, load_marks, remove

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
TODAY = date(2026, 11, 25)
CASES = sorted((Path(__file__).parent / "marks").iterdir())


def mark(digit: str = "a", path: str = "", kind: MarkKind = "false-alarm", **more: str) -> Mark:
    return Mark(kind, digit * 32, path, **{"reason": "an example", "key": KEY, **more})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path, tmp_path: Path) -> None:
    says = tomllib.loads((case / "case.toml").read_text("utf-8"))
    shutil.copy(case / "ignore", tmp_path / IGNORE_FILE)
    read = load_marks(tmp_path, KEY)
    assert read.entries == tuple(Mark(**entry, key=KEY) for entry in says.get("entry", ()))
    assert read.foreign == says.get("foreign", 0)
    assert read.flawed == len(read.flaws)
    expected = says.get("flaws", [])
    assert [flaw.line for flaw in read.flaws] == [line for line, _ in expected]
    for flaw, (_, reason) in zip(read.flaws, expected, strict=True):
        assert reason in str(flaw)
        assert str(flaw).isprintable()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_change_of_a_case_leaves_its_lines_alone(case: Path, tmp_path: Path) -> None:
    data = (case / "ignore").read_bytes()
    (tmp_path / IGNORE_FILE).write_bytes(data)
    new = mark("c")
    add(tmp_path, [new])
    changed = (tmp_path / IGNORE_FILE).read_bytes()
    end = b"\r\n" if b"\r\n" in data else b"\n"
    assert changed.startswith(data if data.endswith(b"\n") else data + end)
    assert changed.count(b"\n", len(data)) == (1 if data.endswith(b"\n") else 2)
    assert changed.endswith(b"}" + end)
    assert new in load_marks(tmp_path, KEY).entries
    remove(tmp_path, [new])
    assert (tmp_path / IGNORE_FILE).read_bytes() == (data if data.endswith(b"\n") else data + end)


# What may stand in a file: comments, noise, entries of ours and of others.
PATHS = st.sampled_from(["", "a.env", "b/c.yaml", "caf\udce9.env", "naïve.env"])
TEXTS = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != "")
MARKS = st.builds(
    Mark,
    st.sampled_from(KINDS),
    st.sampled_from(["a" * 32, "b" * 32, "c" * 32]),
    PATHS,
    TEXTS,
    TEXTS,
    st.sampled_from(["", "2026-11-24", "2026-11-25", "2099-12-31"]),
    st.just(KEY),
)
NOISE = st.one_of(
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"", b"# a comment", b"{}", b"\r", b"\xef\xbb\xbf", b"<<<<<<< ours"]),
    st.sampled_from("ab").map(lambda digit: line_of(mark(digit, key=OTHER))),
)


def line_of(entry: Mark) -> bytes:
    with TemporaryDirectory() as folder:
        add(Path(folder), [entry])
        return (Path(folder) / IGNORE_FILE).read_bytes().splitlines()[-1]


def test_an_entry_takes_one_line(tmp_path: Path) -> None:
    odd = mark(reason="a\nb\r\u2028\u0085c\x1b[2J\u202e", path="x\ny")
    add(tmp_path, [odd])
    data = (tmp_path / IGNORE_FILE).read_bytes()
    assert data.count(b"\n") == 2
    assert len(data.decode().splitlines()) == 2
    assert all(line.isprintable() for line in data.decode().splitlines())
    assert load_marks(tmp_path, KEY).entries == (odd,)


@given(st.lists(st.one_of(NOISE, MARKS)), st.lists(MARKS, max_size=4), st.booleans())
def test_other_lines_stay_byte_for_byte(old: list[bytes | Mark], new: list[Mark], closed: bool) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        lines = [line if isinstance(line, bytes) else line_of(line) for line in old]
        data = b"\n".join(lines) + (b"\n" if closed else b"")
        (root / IGNORE_FILE).write_bytes(data)
        before = load_marks(root, KEY)
        add(root, new)
        after = load_marks(root, KEY)
        said = {(item.secret, item.path) for item in new}
        # Every entry about something else is as it was, and of what is new the last word counts.
        assert [item for item in after.entries if (item.secret, item.path) not in said] == [
            item for item in before.entries if (item.secret, item.path) not in said
        ]
        last = {(item.secret, item.path): item for item in new}
        assert {(item.secret, item.path): item for item in after.entries if (item.secret, item.path) in said} == last
        assert (after.foreign, after.flawed) == (before.foreign, before.flawed)

        def untouched(text: bytes) -> list[bytes]:
            mine = {line_of(item) for item in (*before.entries, *new) if (item.secret, item.path) in said}
            return [line for line in text.split(b"\n") if line.rstrip(b"\r") not in mine and line.strip()]

        now = (root / IGNORE_FILE).read_bytes()
        header = [module._HEADER.rstrip(b"\n")] if not data and new else []
        # Only a last line without an end gets one before more lines follow.
        assert untouched(now) in (header + untouched(data), header + untouched(data + b"\r" * (not closed)))
        add(root, new)
        assert (root / IGNORE_FILE).read_bytes() == now
        if not said & {(item.secret, item.path) for item in before.entries}:
            remove(root, new)
            left = (root / IGNORE_FILE).read_bytes() if (root / IGNORE_FILE).exists() else b""
            assert left in (data, data + b"\n", data + b"\r\n")


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
@given(st.lists(MARKS, max_size=3), st.lists(MARKS, max_size=3), st.lists(MARKS, max_size=3))
def test_git_takes_both_sides(base: list[Mark], ours: list[Mark], theirs: list[Mark]) -> None:
    with TemporaryDirectory() as folder:
        roots = [Path(folder, name) for name in ("ours", "base", "theirs")]
        for root, more in zip(roots, (ours, [], theirs), strict=True):
            root.mkdir()
            add(root, base)
            add(root, more)
        if not any((root / IGNORE_FILE).exists() for root in roots):
            return
        for root in roots:
            (root / IGNORE_FILE).touch()
        done = subprocess.run(
            ["git", "merge-file", "--union", *(str(root / IGNORE_FILE) for root in roots)],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        merged, left, right = (load_marks(root, KEY) for root in (roots[0], roots[0], roots[2]))
        assert merged.flawed == 0
        for item in (*ours, *theirs):
            said = merged.of(item.secret, item.path, date(2026, 11, 24))
            assert said is not None
        assert set(merged.entries) >= {item for item in right.entries if item not in base}
        assert left == merged


def test_the_ignore_file_is_no_finding(tmp_path: Path) -> None:
    """Ids and fingerprints look generated; their names keep scanners from taking them for credentials."""
    add(
        tmp_path,
        [
            Mark(
                "accepted",
                secrets.token_hex(16),
                "deploy/token.env",
                "a password",
                "ops",
                "2027-01-31",
                secrets.token_hex(8),
            )
            for _ in range(2000)
        ],
    )
    read = survey(common_root((str(tmp_path),)))
    assert (read.files, read.findings, read.unscanned) == (1, (), ())


def test_a_mark_holds_on_its_last_day(tmp_path: Path) -> None:
    add(tmp_path, [mark(until=TODAY.isoformat()), mark("b")])
    read = load_marks(tmp_path, KEY)
    assert read.of("a" * 32, "x", TODAY) == mark(until="2026-11-25")
    assert read.of("a" * 32, "x", TODAY + timedelta(days=1)) is None
    assert read.expired(TODAY) == ()
    assert read.expired(TODAY + timedelta(days=1)) == (mark(until="2026-11-25"),)


def test_the_file_comes_before_everywhere_and_the_last_before_the_first() -> None:
    everywhere, here = mark(), mark(path="a.env", kind="placeholder")
    read = Marks((here, everywhere))
    assert read.of("a" * 32, "a.env", TODAY) == here
    assert read.of("a" * 32, "b.env", TODAY) == everywhere
    assert read.of("b" * 32, "a.env", TODAY) is None
    older, newer = mark(reason="older"), mark(reason="newer")
    assert Marks((older, newer)).of("a" * 32, "", TODAY) == newer
    over = mark(reason="newer", until="2026-11-24")
    assert Marks((older, over)).of("a" * 32, "", TODAY) == older


def test_a_name_that_is_not_utf_8_is_found_in_both_of_its_forms(tmp_path: Path) -> None:
    """A finding has its bytes as lone surrogates, the inventory as escapes."""
    add(tmp_path, [mark(path="caf\udce9.env")])
    read = load_marks(tmp_path, KEY)
    assert read.of("a" * 32, "caf\udce9.env", TODAY)
    assert read.of("a" * 32, "caf\\udce9.env", TODAY)


def test_a_new_word_takes_the_line_of_the_old_one(tmp_path: Path) -> None:
    add(tmp_path, [mark("a"), mark("b"), mark("c")])
    add(tmp_path, [mark("b", kind="accepted", owner="ops")])
    kinds = [(item.secret[0], item.kind) for item in load_marks(tmp_path, KEY).entries]
    assert kinds == [("a", "false-alarm"), ("b", "accepted"), ("c", "false-alarm")]


def test_removing_needs_the_very_entry(tmp_path: Path) -> None:
    add(tmp_path, [mark("a"), mark("b", key=OTHER)])
    before = (tmp_path / IGNORE_FILE).read_bytes()
    remove(tmp_path, [mark("a", reason="another"), mark("a", path="x"), mark("b")])
    assert (tmp_path / IGNORE_FILE).read_bytes() == before


def test_a_file_of_ours_in_which_nothing_is_left_goes(tmp_path: Path) -> None:
    add(tmp_path, [mark("a")])
    remove(tmp_path, [mark("a")])
    assert not list(tmp_path.iterdir())
    (tmp_path / IGNORE_FILE).write_text("# kept by a person\n")
    add(tmp_path, [mark("a")])
    remove(tmp_path, [mark("a")])
    assert (tmp_path / IGNORE_FILE).read_text() == "# kept by a person\n"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (mark(reason=" "), "no reason"),
        (mark(kind="accepted"), "no owner"),
        (mark("A"), "32 hexadecimal"),
        (mark(key=""), "16 hexadecimal"),
        (mark(until="tomorrow"), "not a date"),
        (mark(reason="x" * 9000), "longer"),
    ],
)
def test_what_cannot_be_an_entry_is_refused_whole(wrong: Mark, why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=why):
        add(tmp_path, [mark("b"), wrong])
    assert not list(tmp_path.iterdir())


def test_mode_is_kept_and_a_new_file_is_for_all(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        add(tmp_path, [mark("a")])
    finally:
        os.umask(mask)
    place = tmp_path / IGNORE_FILE
    assert stat.S_IMODE(place.stat().st_mode) == 0o644
    place.chmod(0o664)
    add(tmp_path, [mark("b")])
    assert stat.S_IMODE(place.stat().st_mode) == 0o664
    assert [path.name for path in tmp_path.iterdir()] == [IGNORE_FILE]


def test_marks_of_many_at_once_are_all_kept(tmp_path: Path) -> None:
    workers = [threading.Thread(target=add, args=(tmp_path, [mark(digit)])) for digit in "0123456789abcdef"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(item.secret[0] for item in load_marks(tmp_path, KEY).entries) == list("0123456789abcdef")


def link(place: Path) -> None:
    target = place.parent.parent / "outside"
    target.write_text(json.dumps({"mark": "false-alarm", "id": "a" * 32, "reason": "x", "made-under": KEY}) + "\n")
    place.symlink_to(target)


def huge(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(module.MAX_BYTES + 1)


HOSTILE: list[tuple[Callable[[Path], object], str]] = [
    (link, "link"),
    (lambda place: place.symlink_to("/dev/zero"), "link"),
    (os.mkfifo, "not a plain file"),
    (Path.mkdir, "not a plain file"),
    (huge, "too large"),
    (lambda place: place.write_bytes(b"\n" * (module.MAX_LINES + 1)), "lines"),
]


@pytest.mark.parametrize(("hostile", "why"), HOSTILE)
def test_a_file_that_is_no_plain_file_marks_nothing(
    hostile: Callable[[Path], object], why: str, tmp_path: Path
) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    place = root / IGNORE_FILE
    hostile(place)
    read = load_marks(root, KEY)
    assert (read.entries, read.flawed) == ((), 1)
    assert why in str(read.flaws[0])
    outside = (tmp_path / "outside").read_bytes() if (tmp_path / "outside").exists() else b""
    kind = stat.S_IFMT(place.lstat().st_mode)
    with pytest.raises(UsageError) as caught:
        add(root, [mark("a")])
    assert caught.value.next_step
    with pytest.raises(UsageError):
        remove(root, [mark("b")] * (not stat.S_ISREG(kind)) or [mark("a")])
    assert stat.S_IFMT(place.lstat().st_mode) == kind
    assert ((tmp_path / "outside").read_bytes() if (tmp_path / "outside").exists() else b"") == outside
    assert [path.name for path in root.iterdir()] == [IGNORE_FILE]


def test_flaws_are_bounded(tmp_path: Path) -> None:
    (tmp_path / IGNORE_FILE).write_bytes(b"x\n" * 50_000)
    read = load_marks(tmp_path, KEY)
    assert (read.flawed, len(read.flaws)) == (50_000, MAX_FLAWS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_takes_no_file_is_a_message(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="cannot be changed"):
            add(tmp_path, [mark("a")])
    finally:
        tmp_path.chmod(0o700)
