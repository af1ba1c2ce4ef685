"""Where the platforms' own tools are, and the vault that rewritten files are resolved from.

`SECRETSCAN_TOOLS` names the folder that `make test-tools` builds them in. Without it every test here is skipped, by
name: the tools take minutes to build. With `SECRETSCAN_TOOLS_REQUIRED` a tool that is missing is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.bench import Bench

from secretscan.vault.server import EmbeddedVault

HERE = Path(__file__).parent
TOOLS = os.environ.get("SECRETSCAN_TOOLS", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        item.add_marker(pytest.mark.tools)
        if not TOOLS:
            name = item.path.stem.removeprefix("test_")
            item.add_marker(pytest.mark.skip(reason=f"{name}: the platforms' own tools are asked by make test-tools"))


@pytest.fixture(scope="session")
def vault() -> Iterator[EmbeddedVault]:
    with EmbeddedVault(("shop",)) as server:
        yield server
        assert not server.failures


@pytest.fixture
def bench(vault: EmbeddedVault, tmp_path: Path) -> Bench:
    return Bench(Path(TOOLS), vault, tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A skip is a failure where the tools are required."""
    report = yield
    if item.path.is_relative_to(HERE) and report.skipped and os.environ.get("SECRETSCAN_TOOLS_REQUIRED"):
        report.outcome = "failed"
        report.longrepr = f"skipped, though the tools are required: {report.longrepr}"
    return report
