"""The keys of a migration's screens, of runs, undo, proof and a revealed value: each does something to be seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui.conftest import Local
from tui.harness import Keys, Session, opened, plain
from tui.tour import to_step

from secretscan.vault.server import WRITES, Faults, Throttle

pytestmark = pytest.mark.slow


async def on_step(session: Session, step: str) -> None:
    await session.on("ReviewScreen")
    await to_step(session, step)


async def test_keys_of_wizard(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session, Keys(session, "wizard") as key:
        await on_step(session, "vault")
        await key("next", lambda: session.screen == "TargetsScreen")
        await session.on("TargetsScreen")
        await key("back", lambda: session.screen == "VaultScreen")
        await session.on("VaultScreen")
        await key("leave", lambda: session.screen == "ReviewScreen")


async def test_keys_of_vault(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session, Keys(session, "vault") as key:
        await on_step(session, "vault")
        await key("check", "The vault answers")
        await key("try", "trial-")
        await session.until("The vault answers")
        await key("fresh", lambda: "trial-" not in session.text)


async def test_keys_of_names(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session, Keys(session, "names") as key:
        await on_step(session, "names")
        await key("edit", lambda: session.screen == "Rename")
        await session.press("escape")
        await session.on("NamesScreen")
        await key("leave-out", "4 secrets to move")


async def test_keys_of_preview(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session, Keys(session, "preview") as key:
        await on_step(session, "preview")
        await key("copy", lambda: bool(session.said.copied))
        await key("diff", lambda: getattr(session.app.focused, "id", "") != "changes")
        await session.press("tab")
        await key("left", lambda: session.screen == "LeftDialog")
        await session.press("escape")
        await session.on("PreviewScreen")
        await key("by", "shop-session-secret")
        await session.press("home")
        await key("refuse", "[ ]")
        await session.settled()


async def test_keys_of_preflight(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session, Keys(session, "preflight") as key:
        await on_step(session, "preflight")
        (shop / ".env").write_text("CHANGED=yes\n")
        await key("again", "STOP")


async def test_keys_of_confirm(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session, Keys(session, "confirm") as key:
        await on_step(session, "confirm")
        await key("start", lambda: session.screen == "RunScreen")
        await session.until("The run is done")


class TestRun:
    """A run that is slow enough to be stopped."""

    @pytest.fixture
    def faults(self) -> Faults:
        return Faults(rules=(Throttle(on=WRITES, skip=1, times=1, retry_after=2),))

    async def test_keys_of_run(self, shop: Path, local: Local) -> None:
        async with opened(shop, **local.options) as session, Keys(session, "run") as key:
            await on_step(session, "confirm")
            await session.press("ctrl+g")
            await session.until("stored")
            await key(
                "cancel", lambda: "stop" in plain(session.text).lower().replace("x stop", "").replace("^c stop", "")
            )
            await session.until(
                lambda: session.app.migration.running is not None and session.app.migration.running.stopped
            )
            await key("resume", "The run is done")


async def test_keys_of_result(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session, Keys(session, "result") as key:
        await on_step(session, "run")
        await session.until("The run is done")
        await to_step(session, "result")
        await key("copy-all", lambda: bool(session.said.copied))
        await session.press("end")
        await key("copy", lambda: len(session.said.copied) > 1)
        await key.disabled("left")  # everything moved
        await key("undo", lambda: session.screen == "UndoScreen")
        await session.on("UndoScreen")
        await session.press("escape")
        await session.on("ResultScreen")
        await key("close", lambda: session.screen == "ReviewScreen")


async def migrated(session: Session) -> None:
    """The runs of a folder that was migrated."""
    await on_step(session, "run")
    await session.until("The run is done")
    await to_step(session, "result")
    await session.press("escape")
    await session.on("ReviewScreen")
    await session.press("r")
    await session.on("RunsScreen")


async def test_keys_of_runs_prove_signin_and_undo(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session:
        await migrated(session)
        async with Keys(session, "runs") as runs:
            await runs.disabled("resume")  # there is nothing to go on with: it is done
            await runs("copy", lambda: session.screen == "Choose")
            await session.press("escape")
            await session.on("RunsScreen")
            await runs("prove", lambda: session.screen == "SignInDialog")
            async with Keys(session, "signin") as signin:
                await session.on("SignInDialog")
                await signin("go", lambda: session.screen == "ProveScreen")
            async with Keys(session, "prove") as prove:
                await session.until("27 deliveries")
                await prove.disabled("cancel")
                (shop / "new.yaml").write_text("a: 1\n")
                looked = len(session.jobs)
                await prove("again", lambda: len(session.jobs) > looked)
                await session.settled()
                await prove("close", lambda: session.screen == "RunsScreen")
            await session.on("RunsScreen")
            await runs("undo", lambda: session.screen == "UndoScreen")
            async with Keys(session, "undo") as undo:
                await session.on("UndoScreen")
                await undo.disabled("cancel")
                looked = len(session.jobs)
                await undo("again", lambda: len(session.jobs) > looked)
                await session.settled()
                await undo("delete", "5 secrets")
                await session.press("d")
                await undo("start", lambda: session.screen == "SignInDialog")
                await session.on("SignInDialog")
                await session.press("ctrl+g")
                await session.until("Esc goes back")
                await undo("close", lambda: session.screen == "RunsScreen")
            await session.on("RunsScreen")
            await runs("close", lambda: session.screen == "ReviewScreen")


async def test_keys_of_value(shop: Path) -> None:
    async with opened(shop, allow_reveal=True) as session, Keys(session, "value") as key:
        await session.on("ReviewScreen")
        await session.press("v")
        await session.on("RevealDialog")
        await key("show", (shop / ".secretscan" / "reveals.jsonl").exists)
        await key("close", lambda: session.screen == "ReviewScreen")
