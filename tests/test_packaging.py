"""What is installed: the wheel's contents, and locks that agree and name no registry but the public one."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_both_packages_and_what_they_read(wheel: set[str]) -> None:
    for package in ("rewriters", "secretscan"):
        files = (path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*") if path.is_file())
        assert {name for name in files if "__pycache__" not in name} <= wheel
        assert f"{package}/py.typed" in wheel
    shop = ROOT / "fixtures" / "shop"
    for path in shop.rglob("*"):
        assert path.is_dir() or f"secretscan/_shop/{path.relative_to(shop).as_posix()}" in wheel


def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {"rewriters", "secretscan"}


def locked() -> set[tuple[str, str]]:
    packages = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    return {(entry["name"], entry["version"]) for entry in packages if "registry" in entry["source"]}


def test_the_two_locks_agree() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    listed = set(re.findall(r"^([a-z0-9.-]+)==([^ ]+)", text, re.MULTILINE))
    assert listed == locked(), "run make lock"
    entries = re.split(r"\n(?=[a-z])", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_locks_name_the_public_registry_only() -> None:
    text = (ROOT / "uv.lock").read_text("utf-8") + (ROOT / "requirements.lock").read_text("utf-8")
    assert set(re.findall(r"https?://([^/\"]+)", text)) == {"pypi.org", "files.pythonhosted.org"}


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"]]
    for group in project["dependency-groups"].values():
        wanted += [entry for entry in group if isinstance(entry, str)]
    names = {re.split(r"[<>=;\[ ]", entry)[0].lower().replace(".", "-").replace("_", "-") for entry in wanted}
    assert names <= {name for name, _ in locked()}
