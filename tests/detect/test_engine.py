"""Both engines find the same; where the compiled triggers are kept is not believed blindly."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secretscan.detect import engine, store
from secretscan.detect.ruleset import load
from secretscan.errors import ConfigurationError

TRIGGERS = tuple(rule.triggers for rule in load())
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_PIECES = st.sampled_from(
    [each.encode() for rule in load() for each in (*rule.examples, *rule.negatives)]
    + [
        b"password",
        b"=",
        b": ",
        b"\n",
        b" ",
        b"://a:b@c",
        b"TOKEN",
        b"key_",
        b'"',
        b"'",
        b"--",
        b"@db:54",
        b"\0",
        b"\xff",
    ]
)


def _engine(monkeypatch: pytest.MonkeyPatch, name: str) -> engine.Engine:
    monkeypatch.setenv(engine.ENGINE_VARIABLE, name)
    made = engine.make(TRIGGERS)
    assert made.name == name
    return made


@QUIET
@given(pieces=st.lists(st.one_of(_PIECES, st.binary(max_size=12)), max_size=20))
def test_engines_find_the_same(pieces: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"".join(pieces)
    assert _engine(monkeypatch, "hyperscan").find(data) == _engine(monkeypatch, "re").find(data)


def test_ignored_rules_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"DB_PASSWORD=x sk_live_ ghp_"
    for name in ("hyperscan", "re"):
        made = _engine(monkeypatch, name)
        every = {rule for _, rule in made.find(data)}
        assert len(every) > 2
        assert {rule for _, rule in made.find(data, {min(every)})} == every - {min(every)}


def test_several_threads_may_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen reads a file again while a scan is under way."""
    made = _engine(monkeypatch, "hyperscan")
    data = b"DB_PASSWORD=x sk_live_ ghp_ filler\n" * 2000
    expected = made.find(data)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(made.find, [data] * 16))


def test_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENGINE_VARIABLE, "fast")
    with pytest.raises(ConfigurationError, match="names no engine"):
        engine.make(TRIGGERS)
    monkeypatch.setenv(engine.ENGINE_VARIABLE, "hyperscan")
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    with pytest.raises(ConfigurationError, match="not installed"):
        engine.make(TRIGGERS)


def test_re_takes_over_where_hyperscan_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engine.ENGINE_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    assert engine.make(TRIGGERS).name == "re"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "secretscan"


def test_store_is_the_users_alone(cache: Path) -> None:
    store.write("a", b"compiled")
    assert store.read("a") == b"compiled"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert [stat.S_IMODE(entry.stat().st_mode) for entry in cache.iterdir()] == [0o600]


def test_store_that_others_can_write_is_not_believed(cache: Path) -> None:
    store.write("a", b"compiled")
    cache.chmod(0o770)
    assert store.read("a") is None
    store.write("b", b"compiled")
    cache.chmod(0o700)
    assert store.read("b") is None
    (cache / "a").chmod(0o660)
    assert store.read("a") is None


def test_without_a_home_nothing_is_kept_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what Python does for a user whom nobody knows
    monkeypatch.chdir(tmp_path)
    store.write("a", b"compiled")
    assert store.read("a") is None
    assert list(tmp_path.iterdir()) == []


def test_store_that_is_a_link_is_not_believed(cache: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    cache.symlink_to(elsewhere)
    store.write("a", b"compiled")
    assert store.read("a") is None
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_damaged_store_is_not_used(cache: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    want = _engine(monkeypatch, "hyperscan").find(b"DB_PASSWORD=1")
    (file,) = cache.iterdir()
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes({"cut": bytes(data[:100]), "changed": bytes(data), "empty": b""}[damage])
    assert _engine(monkeypatch, "hyperscan").find(b"DB_PASSWORD=1") == want


def test_what_hyperscan_cannot_load_is_compiled_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    want = _engine(monkeypatch, "hyperscan").find(b"DB_PASSWORD=1")
    (file,) = cache.iterdir()
    store.write(file.name, b"not a database")
    assert _engine(monkeypatch, "hyperscan").find(b"DB_PASSWORD=1") == want


def test_no_home_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert _engine(monkeypatch, "hyperscan").find(b"DB_PASSWORD=1")


_LIGHT = """
import sys
from secretscan.sources.tree import walk
from secretscan.detect.scan import Detector
detector = Detector()
for file in walk(sys.argv[1]):
    detector.scan(file)
heavy = {"azure", "textual", "ruamel", "detect_secrets", "rich", "asyncio", "requests"} & set(sys.modules)
assert not heavy, heavy
"""


def test_a_tree_without_candidates_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here\n")
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: nginx\n")
    done = subprocess.run(
        [sys.executable, "-c", _LIGHT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
