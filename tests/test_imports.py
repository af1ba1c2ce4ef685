"""Imports go one way, platforms know nothing of each other, and what every start pays for stays small."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rewriters
from secretscan.version import VERSION

ROOT = Path(__file__).parent.parent
HEAVY = ("azure", "textual", "ruamel", "detect_secrets", "rich", "asyncio", "requests")

_PROBE = """
import sys
from secretscan.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as stop:
    status = stop.code
print("status", status, file=sys.stderr)
print("modules", *sorted(sys.modules), file=sys.stderr)
"""


def loaded(*argv: str, cwd: Path) -> tuple[int, set[str]]:
    """The exit status of a command line in an interpreter of its own, and what it has imported at the end."""
    done = subprocess.run([sys.executable, "-c", _PROBE, *argv], cwd=cwd, capture_output=True, text=True, check=False)
    status, modules = done.stderr.strip().splitlines()[-2:]
    assert status.startswith("status ") and modules.startswith("modules "), done.stderr
    return int(status.split()[1].replace("None", "0")), set(modules.split()[1:])


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if name.split(".")[0] in HEAVY}


def test_import_contracts() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("argv", [("--help",), ("--version",), ("scan", "--help")])
def test_help_is_light(argv: tuple[str, ...], tmp_path: Path) -> None:
    status, modules = loaded(*argv, cwd=tmp_path)
    assert status == 0
    assert heavy(modules) == set()


def test_a_scan_without_candidates_is_light(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of interest\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.c").write_text("int main(void) { return 0; }\n")
    status, modules = loaded("scan", str(tmp_path), cwd=tmp_path)
    assert status == 0
    assert heavy(modules) == set()


def test_the_probe_sees_heavy_modules(tmp_path: Path) -> None:
    """The tests above can fail: a scan that has something to judge does load a plugin of detect-secrets."""
    (tmp_path / "bot.py").write_text(
        'telegram = "' + "7391846205:" + "AAF" + "x7Kq9TmWz3PbVn5RjYc2LdHs8GfUe4Ao" + '"\n'
    )
    status, modules = loaded("scan", str(tmp_path), cwd=tmp_path)
    assert status == 1
    assert "detect_secrets" in heavy(modules)


@pytest.mark.parametrize("platform", rewriters.names())
def test_a_platform_imports_no_other(platform: str) -> None:
    """Adding a platform is adding one file: what several need stands in a module with an underscore."""
    tree = ast.parse((ROOT / "rewriters" / f"{platform}.py").read_text("utf-8"))
    named: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "rewriters":
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named.add(node.module.removeprefix("rewriters."))
        elif isinstance(node, ast.Import):
            named |= {alias.name.removeprefix("rewriters.") for alias in node.names}
    assert named.isdisjoint(set(rewriters.names()) - {platform})


def test_the_version_is_that_of_the_package() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"] == VERSION
