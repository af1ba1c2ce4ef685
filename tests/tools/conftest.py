"""Where the platforms' own tools are, and the vault that rewritten files are resolved from.

`SECRETSCAN_TOOLS` names the folder that `make test-tools` builds them in. Without it every test here is skipped, by
name: the tools take minutes to build. With `SECRETSCAN_TOOLS_REQUIRED` a tool that is missing is a failure.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tools.bench import Bench, program
from tools.cluster import Cluster
from tools.cluster import cluster as start_cluster

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


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A port that nobody listens on, a new one each time."""
    given: set[int] = set()

    def choose() -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if port not in given:
                given.add(port)
                return port

    return choose


@pytest.fixture(scope="session")
def tools() -> Callable[[str], str]:
    """The path of a program. Skips the test when it is not built."""
    return partial(program, Path(TOOLS))


@pytest.fixture(scope="session")
def cluster(
    tools: Callable[[str], str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """An API server that knows the kinds of External Secrets and of the Secrets Store driver."""
    with start_cluster(tools("apiserver"), tmp_path_factory.mktemp("cluster"), free_port) as running:
        for file in sorted((Path(TOOLS) / "crds").glob("*.yaml")):
            running.kubectl("apply", "--server-side", "-f", file)
        running.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A skip is a failure where the tools are required."""
    report = yield
    if item.path.is_relative_to(HERE) and report.skipped and os.environ.get("SECRETSCAN_TOOLS_REQUIRED"):
        report.outcome = "failed"
        report.longrepr = f"skipped, though the tools are required: {report.longrepr}"
    return report
