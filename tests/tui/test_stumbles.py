"""What somebody stumbled over who had only the footer and the help to go by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input
from tui.conftest import Local
from tui.harness import opened, plain
from tui.tour import to_step

from secretscan.tui.config import Config
from secretscan.vault.server import WRITES, Faults, Throttle

pytestmark = pytest.mark.slow  # the quick suite has the keys, the screens and a whole migration


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


async def test_the_help_is_read_page_by_page_and_explains_the_words(shop: Path) -> None:
    for size in ((80, 24), (40, 24)):
        async with opened(shop, size=size) as session:
            await session.on("ReviewScreen")
            await session.press("question_mark")
            await session.on("HelpScreen")
            assert "Enter Open" not in plain(session.text)
            read, before = plain(session.text), ""
            while session.text != before:
                before = session.text
                await session.press("pagedown")
                read += " " + plain(session.text)
            for sentence in (
                "Select the row, or all of its group, for marking and copying",
                "stands here in plain, and a run stored it in the vault",
                "The names are in docs/terminal.md.",
            ):
                assert sentence in read, size
            await session.press("home", "down")
            assert "Every credential" not in session.text


async def test_a_mark_that_lacks_something_leads_to_it(shop: Path) -> None:
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        await session.press("m")
        await session.on("MarkDialog")
        assert "Mark 1 secret, wherever it stands" in session.text
        await session.press("down", "ctrl+s")
        assert "not saved: it has no reason" in session.text
        await session.type("sample")
        await session.press("ctrl+s")
        assert "not saved: " in session.text
        await session.type("me")
        await session.press("ctrl+s")
        await session.until("accept")
        entry = json.loads((shop / ".secretscan-ignore").read_text().splitlines()[-1])
        assert (entry["reason"], entry["owner"]) == ("sample", "me")


async def test_facets_begin_on_a_value_and_say_which_is_in_the_filter(shop: Path) -> None:
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        await session.press("f")
        await session.on("FacetDialog")
        await session.until("> open")
        await session.press("down")  # over the title of the next facet
        await session.until("> password")
        await session.press("enter")
        await session.until("kind:password")
        await session.press("f")
        await session.on("FacetDialog")
        await session.until("*password")


async def test_the_filter_names_the_key_that_it_has(shop: Path) -> None:
    async with opened(shop, config=Config(keys=(("review.filter", "ctrl+f"),))) as session:
        await session.on("ReviewScreen")
        assert "Filter ^f" in session.text
        assert "Filter /" not in session.text


async def test_the_review_says_that_a_migration_waits(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session:
        await session.on("ReviewScreen")
        await to_step(session, "names")
        await session.press("ctrl+l")
        await session.on("ReviewScreen")
        assert "6 files read; a migration waits at Names: M goes on with it" in session.text


async def test_what_an_undo_did_is_all_in_sight(shop: Path, local: Local) -> None:
    async with opened(shop, **local.options) as session:
        await session.on("ReviewScreen")
        await to_step(session, "run")
        await session.until("The run is done")
        await to_step(session, "result")
        await session.press("U")
        await session.on("UndoScreen")
        assert "> restore" in session.text
        await session.press("ctrl+g")
        await session.on("SignInDialog")
        await session.press("ctrl+g")
        await session.until("Esc goes back")
        await session.settled()
        for path in (".env", "compose.yaml", "api/fetch-secrets.sh"):
            assert any(
                line.split()[:1] in (["restored"], ["removed"]) and path in line for line in session.text.splitlines()
            )
        await session.press("escape", "escape")
        await session.on("ReviewScreen")
        await session.press("r")
        await session.on("RunsScreen")
        await session.until("> 20")
