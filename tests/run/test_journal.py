"""The journal: what is on disk, what a crash can do to it, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretscan.errors import JournalBroken
from secretscan.run.journal import Entry, Journal, entries

STEPS = [
    Entry("begin"),
    Entry("store-intent", "a1", "shop-db"),
    Entry("stored", "a1", "shop-db", "7f", True),
    Entry("done"),
]


def make(path: Path) -> bytes:
    with Journal(path) as journal:
        for step in STEPS:
            journal.append(step)
    return path.read_bytes()


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    make(tmp_path / "j")
    assert entries(tmp_path / "j") == STEPS
    with Journal(tmp_path / "j") as journal:
        assert journal.last("stored", "a1") == STEPS[2]
        assert journal.last("stored", "b2") is None


@given(cut=st.integers(min_value=0), more=st.binary(max_size=40).filter(lambda data: b"\n" not in data))
@settings(max_examples=60, deadline=None)
def test_a_torn_end_is_cut_off_and_the_rest_kept(
    tmp_path_factory: pytest.TempPathFactory, cut: int, more: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    data = make(path)
    kept = data[: cut % (len(data) + 1)]
    path.write_bytes(kept + more)
    whole = kept.count(b"\n")
    with Journal(path) as journal:
        assert journal.entries == STEPS[:whole]
        journal.append(Entry("proved"))
    assert entries(path) == [*STEPS[:whole], Entry("proved")]


@given(at=st.integers(min_value=0), byte=st.integers(min_value=0, max_value=255))
@settings(max_examples=80, deadline=None)
def test_a_changed_byte_is_noticed(tmp_path_factory: pytest.TempPathFactory, at: int, byte: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    data = bytearray(make(path))
    at %= len(data) - data.splitlines()[-1].__len__() - 1  # the last line has no successor that vouches for it
    if data[at] == byte:
        return
    data[at] = byte
    path.write_bytes(data)
    with pytest.raises(JournalBroken):
        entries(path)


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(JournalBroken, match="another process"):
        Journal(tmp_path / "j")


def test_is_for_its_owner_only(tmp_path: Path) -> None:
    make(tmp_path / "j")
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600
