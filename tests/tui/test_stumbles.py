"""What somebody stumbled over who had only the footer and the help to go by."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input
from tui.conftest import Local
from tui.harness import opened, plain
from tui.tour import to_step

from secretscan.vault.server import WRITES, Faults, Throttle


async def test_the_detail_gives_the_screen_back(shop: Path) -> None:
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        before = session.text
        for key in ("z", "escape"):
            await session.press("z")
            await session.settled()
            assert "first place" not in session.text
            await session.press(key)
            await session.settled()
            assert session.text == before, key


async def test_a_wider_terminal_shows_its_facets_and_a_narrower_one_its_columns(shop: Path) -> None:
    for size in ((160, 50), (40, 24)):
        async with opened(shop, size=size) as session:
            await session.on("ReviewScreen")
            expected = session.text
        async with opened(shop) as session:
            await session.on("ReviewScreen")
            await session.pilot.resize_terminal(*size)
            await session.settled()
            assert session.text == expected


async def test_a_key_that_does_nothing_now_says_why(home: Path) -> None:
    (folder := home / "empty").mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    async with opened(folder) as session:
        await session.on("ReviewScreen")
        assert "1 file read" in session.text
        for key, why in (
            ("u", "no marking of this session to take back"),
            ("i", "nothing was skipped"),
            ("m", "nothing was found that could be marked"),
            ("y", "nothing was found that could be copied"),
            ("M", "nothing was found that could move into a vault"),
        ):
            await session.press(key)
            assert session.said.messages[-1].strip() == why
            assert session.screen == "ReviewScreen"
        await session.press("slash", "u")
        assert session.said.messages[-1].strip() != "no marking of this session to take back"


async def test_nothing_found_is_not_said_of_what_could_not_be_read(home: Path) -> None:
    (folder := home / "half").mkdir()
    (folder / "compose.yaml").write_text("services:\n  db:\n   environment: {A: [\n")
    async with opened(folder) as session:
        await session.on("ReviewScreen")
        assert "nothing found in what could be read" in session.text


async def test_what_is_wrong_with_a_vault_is_said_below_its_field_and_what_was_typed_stays(
    shop: Path, local: Local
) -> None:
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        await session.press("M")
        await session.on("VaultScreen")
        await session.press("ctrl+n")
        assert "Name a vault, or press ^o" in session.said.messages[-1]
        await session.press("shift+tab", "end")  # the way to sign in: a local vault
        await session.until("An embedded vault needs no URL")
        lines = [line.strip() for line in session.text.splitlines()]
        at = next(n for n, line in enumerate(lines) if line.startswith("Descriptor"))
        assert lines[at + 1] == "the embedded vault is found by its descriptor; give its path"
        await session.press("ctrl+n")
        assert "give its path" in session.said.messages[-1]
        await session.press("tab")
        await session.type("~/vault.json")
        await session.until("Not asked yet")
        await session.press("escape")
        await session.on("ReviewScreen")
        await session.press("M")
        await session.on("VaultScreen")
        assert session.app.screen.query_one("#descriptor", Input).value == str(local.descriptor)
        assert "Not asked yet" in session.text
        await session.press("ctrl+n")
        await session.on("TargetsScreen")


@pytest.mark.slow
async def test_escape_leaves_a_run_that_is_done(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session:
        await session.on("ReviewScreen")
        await to_step(session, "confirm")
        assert "^g starts the run" in session.text
        await to_step(session, "run")
        await session.until("The run is done")
        await session.press("escape")
        await session.on("ReviewScreen")
        await session.press("M")
        await session.on("ResultScreen")


@pytest.mark.slow
class TestRunUnderWay:
    """A run that is slow enough to be looked at."""

    @pytest.fixture
    def faults(self) -> Faults:
        return Faults(rules=(Throttle(on=WRITES, skip=1, times=1, retry_after=2),))

    async def test_escape_says_why_it_does_not_leave(self, shop: Path, local: Local) -> None:
        async with opened(shop, **local.options) as session:
            await session.on("ReviewScreen")
            await to_step(session, "confirm")
            await session.press("ctrl+g")
            await session.until("stored")
            await session.press("escape")
            assert "x stops it" in session.said.messages[-1]
            assert session.screen == "RunScreen"
            await session.until("The run is done")


async def test_what_matters_stays_in_sight_on_a_small_terminal(shop: Path) -> None:
    async with opened(shop, size=(40, 24)) as session:
        await session.on("ReviewScreen")
        assert plain(session.text).split("files read ")[1].startswith("? Help q Quit Enter Open Space Select")
        await session.pilot.resize_terminal(20, 6)
        await session.settled()
        assert "6 files" in session.text
