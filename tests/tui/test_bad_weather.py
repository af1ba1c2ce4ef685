"""Files that are gone, a vault that asks for patience, answers that never come: a clear state, and a way on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tui.conftest import Local
from tui.harness import opened
from tui.test_migration import contents
from tui.tour import to_step

from secretscan import api
from secretscan.vault.server import Drop, Fail, Faults, Operation, Throttle

pytestmark = pytest.mark.slow  # the quick suite has the keys, the screens and a whole migration

SETS = frozenset({Operation.SET})


async def test_a_file_that_vanished_is_said_in_the_detail_and_gone_after_a_scan(shop: Path) -> None:
    async with opened(shop, size=(100, 40)) as session:
        await session.on("ReviewScreen")
        await session.press("slash")
        await session.type("npm")
        await session.press("enter")
        await session.settled()
        (shop / "api" / "Dockerfile").unlink()
        await session.press("enter")
        await session.press("down")
        await session.until("the file is gone: scan again")
        await session.press("ctrl+r")
        await session.until("5 files read")
        await session.until(lambda: "gone" in session.text and "open" not in session.text)


async def test_a_file_that_changed_is_said_in_the_detail(shop: Path) -> None:
    async with opened(shop, size=(100, 40)) as session:
        await session.on("ReviewScreen")
        (shop / ".env").write_text("# nothing here any more\n")
        await session.press("down")
        await session.until("the file has changed since it was scanned: scan again")


async def test_a_folder_that_vanished_ends_nothing(shop: Path) -> None:
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        shutil.rmtree(shop)
        for key in ("ctrl+r", "down", "g", "m", "escape", "r", "escape", "M", "ctrl+l"):
            await session.press(key)
            await session.settled()
            if session.screen == "ErrorDialog":
                await session.press("escape")
        await session.settled()
        assert session.app.is_running and session.app.failure is None


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(rules=(Throttle(on=SETS, skip=1, times=2, retry_after=1),))),
        Faults(rules=(Fail(on=SETS, skip=1, times=1, status=503),)),
        Faults(rules=(Drop(on=SETS, skip=1, times=1, carried_out=True),)),
        Faults(rules=(Drop(on=SETS, skip=1, times=1, carried_out=False),)),
    ],
    ids=["throttled", "unavailable", "answer lost", "request lost"],
)
async def test_what_passes_by_itself_is_waited_for(shop: Path, faults: Faults, local: Local) -> None:
    """`faults` reaches the vault by itself."""
    async with opened(shop, **local.options) as session:
        await session.on("ReviewScreen")
        await to_step(session, "confirm")
        await session.press("ctrl+g")
        await session.until("The run is done, and its proof holds", 60)
    assert not api.scan([str(shop)], record=False).found


@pytest.mark.parametrize("faults", [Faults(rules=(Fail(on=SETS, skip=2, status=503, retry_after=1),))], ids=[""])
async def test_a_network_that_is_lost_in_mid_run_leaves_a_run_to_go_on_with(shop: Path, local: Local) -> None:
    before = contents(shop)
    async with opened(shop, **local.options) as session:
        await session.on("ReviewScreen")
        await to_step(session, "confirm")
        await session.press("ctrl+g")
        await session.until(lambda: len(local.server.stored()) == 2)
        local.server.close()
        await session.until("not finished", 120)
        await session.until("next:")
        assert contents(shop) == before
        await session.press("ctrl+l")
        await session.on("ReviewScreen")
        await session.press("r")
        await session.on("RunsScreen")
        await session.until("unfinished")
    assert [run.state for run in api.run_history(shop)] == ["unfinished"]
