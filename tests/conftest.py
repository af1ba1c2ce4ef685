"""What all tests share: how much Hypothesis tries, no network beyond this machine, and tests that are coroutines."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_LOOPBACK = ("127.0.0.1", "::1", "localhost", "")


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails: nothing is sent but to servers that the test started."""
    connect = socket.socket.connect

    def checked(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK:
            raise AssertionError(f"a test connects to {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-screens",
        action="store_true",
        help="write the screens of the terminal application anew, to tests/tui/screens and docs/terminal.md",
    )
    parser.addoption(
        "--update-pages", action="store_true", help="write the cases anew that the pages in docs/platforms show"
    )


@pytest.fixture
def update_pages(request: pytest.FixtureRequest) -> bool:
    """Whether pages are written rather than compared."""
    return bool(request.config.getoption("--update-pages"))


@pytest.fixture
def update_screens(request: pytest.FixtureRequest) -> bool:
    """Whether screens are written rather than compared."""
    return bool(request.config.getoption("--update-screens"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Adds up what tests over many real files counted, so that nothing they left out stays unsaid."""
    counts: dict[str, int] = {}
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties:
            if isinstance(value, int) and report.when == "call":
                counts[name] = counts.get(name, 0) + value
    if counts:
        terminalreporter.section("counted")
        for name, value in sorted(counts.items()):
            terminalreporter.write_line(f"{value:6} {name}")
