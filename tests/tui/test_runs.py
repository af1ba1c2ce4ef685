"""Earlier runs in the terminal application: listed, gone on with, taken back; and one value shown for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from tui.conftest import Local
from tui.harness import Session, opened, plain

from rewriters import Reference
from secretscan import api
from secretscan.errors import Cancelled, VaultUnreachable
from secretscan.events import Cancellation, Event, StepDone
from secretscan.model import Sighting
from secretscan.run import folder
from secretscan.tui.app import ReviewApp
from secretscan.tui.screens import reveal
from secretscan.tui.screens.help import HelpScreen
from secretscan.tui.screens.reveal import RevealDialog
from secretscan.tui.screens.runs import RunsScreen, offer_unfinished

pytestmark = pytest.mark.slow  # the quick suite has the keys, the screens and a whole migration

SIZES = ((80, 24), (160, 50), (40, 24))


@pytest.fixture
def on_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application opens on the runs, so that no scan is waited for."""
    monkeypatch.setattr(ReviewApp, "first_screen", lambda self: RunsScreen())


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".secretscan" not in path.parts
    }


def stop_at(number: int) -> tuple[Callable[[Event], None], Cancellation]:
    """A listener that stops the work after so many steps."""
    cancellation = Cancellation()
    steps: list[StepDone] = []

    def hear(event: Event) -> None:
        if isinstance(event, StepDone):
            steps.append(event)
            if len(steps) >= number:
                cancellation.cancel()

    return hear, cancellation


def run_shop(root: Path, local: Local, steps: int = 0) -> str:
    """Moves the shop into the vault, or takes only so many steps of that; the run's id."""
    before = set(folder.run_ids(root))
    with local.server.client() as vault:
        plan = api.plan([str(root)], local.url, vault).plan
        if steps:
            hear, cancellation = stop_at(steps)
            with pytest.raises(Cancelled):
                api.apply(plan, vault, listener=hear, cancellation=cancellation)
        else:
            assert api.apply(plan, vault).proof.holds
    (made,) = set(folder.run_ids(root)) - before
    return made


def slow_down(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lets a use case rest after each step, so that there is time to press a key."""
    real = getattr(api, name)

    def slow(*args: Any, listener: Callable[[Event], None], **rest: Any) -> Any:
        def hear(event: Event) -> None:
            listener(event)
            if isinstance(event, StepDone):
                time.sleep(0.2)

        return real(*args, listener=hear, **rest)

    monkeypatch.setattr(api, name, slow)


async def sign_in(session: Session) -> None:
    """Takes what the dialog proposes: the descriptor that the options name."""
    await session.on("SignInDialog")
    await session.press("ctrl+g")


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_is_listed_previewed_and_taken_back(
    shop: Path, local: Local, on_runs: None, size: tuple[int, int]
) -> None:
    before = contents(shop)
    run = run_shop(shop, local)
    async with opened(shop, size=size, **local.options) as session:
        await session.on("RunsScreen")
        assert run in session.text and "done" in session.text
        await session.press("U")
        await session.on("UndoScreen")
        assert "5 files get their original bytes back; 3 made files are removed; the vault is not changed." in plain(
            session.text
        )
        assert "restore .env" in plain(session.text)
        assert "***" in session.text
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("Undone: 5 files have their original bytes")
        assert contents(shop) == before
        assert len(local.server.stored()) == 5
        await session.press("escape")
        await session.on("RunsScreen")
        await session.until("↶ undone")


async def test_an_interrupted_run_is_offered_and_gone_on_with(shop: Path, local: Local, on_runs: None) -> None:
    run = run_shop(shop, local, steps=3)
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        offer_unfinished(session.app)
        await session.on("ResumeDialog")
        assert "3 of 14 steps are done" in plain(session.text)
        assert local.url in session.text
        await session.press("enter")
        await sign_in(session)
        await session.until("its proof holds")
        await session.press("ctrl+n")
        await session.on("ResultScreen")
        assert "PROVED 27 deliveries are the same" in plain(session.text)
        await session.press("escape")
        await session.on("RunsScreen")
        await session.until("✓ done")
    assert api.run_details(shop, run).status.state == "done"


async def test_the_start_offers_it_and_the_review_is_brought_up_to_date(shop: Path, local: Local) -> None:
    api.scan([str(shop)])
    run_shop(shop, local, steps=3)
    async with opened(shop, **local.options) as session:
        await session.on("ResumeDialog")
        await session.press("enter")
        await sign_in(session)
        await session.until("its proof holds")
        await session.press("ctrl+n")
        await session.on("ResultScreen")
        assert "PROVED 27 deliveries are the same" in plain(session.text)
        await session.press("escape")
        await session.on("ReviewScreen")
        await session.until("moved")
        await session.press("r")
        await session.on("RunsScreen")
        await session.press("U")
        await session.on("UndoScreen")
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("Undone: 5 files")
        await session.press("escape", "escape")
        await session.on("ReviewScreen")
        await session.until(lambda: " stored " in plain(session.text) and " moved " not in plain(session.text))


async def test_a_run_that_is_gone_on_with_can_be_left_and_looked_at_again(
    shop: Path, local: Local, on_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_shop(shop, local, steps=3)
    slow_down(monkeypatch, "resume")
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        await session.press("R")
        await sign_in(session)
        await session.until(lambda: session.screen == "RunScreen")
        await session.press("ctrl+l")
        await session.until("It is under way: R shows it.")
        assert session.app.busy
        await session.press("U", "p")
        assert session.screen == "RunsScreen"
        await session.press("R")
        await session.until("its proof holds")


async def test_a_run_is_proved_again(shop: Path, local: Local, on_runs: None) -> None:
    run = run_shop(shop, local)
    after = contents(shop)
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        await session.press("p")
        await sign_in(session)
        await session.until("Proved: 27 deliveries are the same")
        with local.server.client() as vault:
            for entry in api.run_details(shop, run).entries:
                if entry.step == "stored":
                    vault.delete(Reference(local.url, entry.name, entry.version))
        await session.press("ctrl+r")
        await session.on("ErrorDialog")
        await session.press("escape")
        await session.until("Not proved, and not refuted")
        await session.press("escape")
        await session.on("RunsScreen")
    assert contents(shop) == after


async def test_later_shows_nothing_and_signs_in_nowhere(shop: Path, local: Local, on_runs: None) -> None:
    run_shop(shop, local, steps=3)
    asked = len(local.server.requests)
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        offer_unfinished(session.app)
        await session.on("ResumeDialog")
        await session.press("escape")
        await session.on("RunsScreen")
    assert len(local.server.requests) == asked


async def test_a_run_of_somebody_else_is_not_offered_and_cannot_be_gone_on_with(
    shop: Path, local: Local, on_runs: None
) -> None:
    """A checkout can bring a run along that names the vault of whoever made it."""
    run = run_shop(shop, local, steps=3)
    plan = shop / ".secretscan" / "runs" / run / "plan.json"
    plan.write_text(plan.read_text().replace(local.url, "https://theirs.vault.azure.net"))
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        offer_unfinished(session.app)
        await session.settled()
        assert session.screen == "RunsScreen"
        await session.until("the plan was changed after it was made")
        await session.press("R")
        await session.on("ErrorDialog")


async def test_damaged_runs_are_listed_and_said(shop: Path, local: Local, on_runs: None) -> None:
    whole = run_shop(shop, local)
    runs = shop / ".secretscan" / "runs"
    for name, cut in (("20200101-000000-aaaa", "plan.json"), ("20200101-000001-bbbb", "journal.jsonl")):
        (runs / name).mkdir()
        for file in ("plan.json", "journal.jsonl"):
            data = (runs / whole / file).read_bytes()
            (runs / name / file).write_bytes(data[:-40] + b"\n" if file == cut else data)
    async with opened(shop, size=(160, 50), **local.options) as session:
        await session.on("RunsScreen")
        assert "3 runs, 2 damaged" in session.text
        for _ in range(2):
            await session.press("down")
            await session.settled()
            assert "next: " in session.text
            await session.press("R", "U", "p", "y")
            await session.settled()
            assert session.screen == "RunsScreen"


async def test_files_that_changed_are_kept_and_can_be_mended(shop: Path, local: Local, on_runs: None) -> None:
    before = contents(shop)
    run_shop(shop, local)
    changed, rewritten = shop / ".env", (shop / ".env").read_bytes()
    changed.write_bytes(rewritten + b"# mine\n")
    (shop / "compose.yaml").unlink()
    async with opened(shop, size=(160, 50), **local.options) as session:
        await session.on("RunsScreen")
        await session.press("U")
        await session.on("UndoScreen")
        assert "! keep: changed .env" in plain(session.text)
        assert "! gone compose.yaml" in plain(session.text)
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("Not all undone: 3 files have their original bytes")
        assert changed.read_bytes() == rewritten + b"# mine\n"
        changed.write_bytes(rewritten)
        (shop / "compose.yaml").write_bytes(before["compose.yaml"])
        await session.press("ctrl+r")
        await session.settled()
        assert "1 file gets its original bytes back; 3 made files are removed" in plain(session.text)
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("Undone: 5 files have their original bytes")
    assert contents(shop) == before


async def test_what_the_run_stored_is_deleted_only_when_asked(shop: Path, local: Local, on_runs: None) -> None:
    run_shop(shop, local)
    async with opened(shop, size=(160, 50), **local.options) as session:
        await session.on("RunsScreen")
        await session.press("U")
        await session.on("UndoScreen")
        assert "keep shop-db-password" in plain(session.text)
        await session.press("d")
        await session.settled()
        assert "5 secrets are deleted from the vault" in session.text
        assert "! delete shop-db-password" in plain(session.text)
        await session.press("d", "d", "ctrl+g")
        await session.on("SignInDialog")
        assert "delete 5 secrets" in session.text
        await session.press("ctrl+g")
        await session.until("5 secrets deleted, recoverable for a time")


async def test_a_vault_that_has_ended_is_said_and_the_screen_stays_of_use(
    shop: Path, local: Local, on_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_shop(shop, local)
    rewritten = contents(shop)
    local.descriptor.rename(local.descriptor.with_suffix(".away"))
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        await session.press("U")
        await session.on("UndoScreen")
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("the embedded vault may have ended")
        local.descriptor.with_suffix(".away").rename(local.descriptor)
        with monkeypatch.context() as patch:
            patch.setattr(api, "undo", _no_answer)
            await session.press("ctrl+g")
            await session.on("ErrorDialog")
        assert "the vault does not answer" in plain(session.text)
        await session.press("escape")
        await session.until("Not finished. Start again once the trouble is over")
        assert contents(shop) == rewritten
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("Undone: 5 files have their original bytes")


def _no_answer(*_: object, **__: object) -> None:
    raise VaultUnreachable("the vault does not answer", where="https://shop.vault.azure.net", next_step="try again")


async def test_an_undo_can_be_stopped_between_two_files_and_gone_on_with(
    shop: Path, local: Local, on_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(shop)
    run_shop(shop, local)
    slow_down(monkeypatch, "undo")
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        await session.press("U")
        await session.on("UndoScreen")
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("restored k8s/database.yaml")
        await session.press("escape")
        assert session.screen == "UndoScreen"
        await session.press("x")
        await session.until("Stopped between two files")
        await session.press("escape")
        await session.on("RunsScreen")
        await session.until("undo unfinished")
        await session.press("R")
        await session.on("UndoScreen")
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("Undone: 5 files have their original bytes")
    assert contents(shop) == before


async def test_names_of_files_and_of_the_folder_are_escaped(shop: Path, local: Local, on_runs: None) -> None:
    """Escape sequences and direction overrides in names must not reach the terminal."""
    evil = shop / "\x1b[31m\u202eevil" / ".env"
    evil.parent.mkdir()
    evil.write_text("API_TOKEN='c0rrect-h0rse-Batt3ry-staple'\n")
    root = shop.rename(shop.with_name("shop\x1b[2J"))
    run_shop(root, local)
    async with opened(root, size=(160, 50), frames=True, **local.options) as session:
        await session.on("RunsScreen")
        assert "\\x1b[31m\\u202eevil/.env" in session.text
        await session.press("U")
        await session.on("UndoScreen")
        assert "\\x1b[31m\\u202eevil/.env" in session.text
        await session.press("ctrl+g")
        await sign_in(session)
        await session.until("Undone: 6 files have their original bytes")
    assert not any("\x1b" in frame or "\u202e" in frame for frame in session.said.frames)


async def test_another_process_at_work_is_said_and_nothing_is_changed(shop: Path, local: Local, on_runs: None) -> None:
    run_shop(shop, local)
    rewritten = contents(shop)
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        with folder.alone(shop):
            await session.press("U")
            await session.on("UndoScreen")
            await session.press("ctrl+g")
            await sign_in(session)
            await session.on("ErrorDialog")
            assert "another process works on this folder" in plain(session.text)
            await session.press("escape")
            await session.on("UndoScreen")
        assert contents(shop) == rewritten


async def test_everything_can_be_clicked(shop: Path, local: Local, on_runs: None) -> None:
    before = contents(shop)
    run_shop(shop, local, steps=1)
    run = run_shop(shop, local)
    async with opened(shop, size=(160, 50), **local.options) as session:
        await session.on("RunsScreen")
        await click(session, "1/14")
        await session.until("state Unfinished")
        await click(session, "done  ")
        await session.until(f"run {run}")
        await click(session, "U Undo")
        await session.on("UndoScreen")
        await click(session, "compose.yaml")
        await session.until("+ POSTGRES_PASSWORD: ***")
        await click(session, "^g Undo")
        await session.on("SignInDialog")
        await click(session, "Sign in   ")
        await session.until("Undone: 5 files have their original bytes")
        await click(session, "Esc Back")
        await session.on("RunsScreen")
    assert contents(shop) == before


async def click(session: Session, text: str) -> None:
    """Clicks on the last place of a text on screen."""
    lines = session.text.split("\n")
    y = max(number for number, line in enumerate(lines) if text in line)
    await session.pilot.click(offset=(lines[y].rindex(text) + 1, y))


async def test_the_commands_that_are_copied_hold_the_run(shop: Path, local: Local, on_runs: None) -> None:
    run = run_shop(shop, local, steps=1)
    async with opened(shop, **local.options) as session:
        await session.on("RunsScreen")
        for index in range(4):
            await session.press("y")
            await session.on("Choose")
            await session.press(*["down"] * index, "enter")
            await session.on("RunsScreen")
    assert session.said.copied == [
        run,
        f"secretscan undo {run} --root {shop}",
        f"secretscan apply --resume {run} --root {shop}",
        local.url,
    ]


# revealing


VALUE = "correct-horse-Batt3ry"
HOSTILE = "first\x1b[31m\u202eline"


def planted(root: Path, value: str = VALUE) -> Sighting:
    """A value in a file of its own, as the scan that finds it says."""
    root.mkdir(exist_ok=True)
    (root / ".env").write_text(f"DB_PASSWORD='{value}'\n")
    api.scan([str(root)])
    return next(item for batch in api.sightings(root) for item in batch if item.key == "DB_PASSWORD")


async def asked(session: Session, sighting: Sighting) -> None:
    await session.on("RunsScreen")
    session.app.push_screen(RevealDialog(session.app.root, sighting))
    await session.on("RevealDialog")


async def shown(session: Session, sighting: Sighting, text: str = VALUE) -> None:
    await asked(session, sighting)
    assert text not in session.text
    await session.press("enter")
    await session.until(lambda: text in session.text)


@pytest.mark.parametrize("size", SIZES)
async def test_a_value_is_shown_after_it_was_journaled_and_hides_by_itself(
    home: Path, on_runs: None, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(reveal, "SECONDS", 2)
    sighting = planted(home / "tree")
    journal = home / "tree" / ".secretscan" / "reveals.jsonl"
    async with opened(home / "tree", size=size, allow_reveal=True) as session:
        await asked(session, sighting)
        assert not journal.exists()
        await session.press("enter")
        await session.until(lambda: VALUE in session.text)
        assert json.loads(journal.read_text())["secret"] == sighting.secret
        assert "Hidden in 2 seconds" in plain(session.text)
        await session.until("Hidden in 1 second,")
        await session.until(lambda: session.screen == "RunsScreen")
        assert VALUE not in session.text
    assert not session.said.copied
    assert VALUE not in "".join(session.said.messages)


def _blur(session: Session) -> None:
    session.app.post_message(events.AppBlur())


async def _resize(session: Session) -> None:
    await session.pilot.resize_terminal(100, 30)


HIDERS: dict[str, Callable[[Session], Any]] = {
    "escape": lambda session: session.press("escape"),
    "enter": lambda session: session.press("enter"),
    "any other key": lambda session: session.press("x"),
    "ctrl+c": lambda session: session.press("ctrl+c"),
    "ctrl+p": lambda session: session.press("ctrl+p"),
    "a click": lambda session: session.pilot.click(offset=(1, 1)),
    "another focus": _blur,
    "another size": _resize,
    "another screen": lambda session: session.app.push_screen(HelpScreen(session.app.screen)),
}


@pytest.mark.parametrize("how", HIDERS)
async def test_a_shown_value_goes_at_the_first_occasion(home: Path, on_runs: None, how: str) -> None:
    sighting = planted(home / "tree")
    async with opened(home / "tree", allow_reveal=True) as session:
        await shown(session, sighting)
        done = HIDERS[how](session)
        if done is not None:
            await done
        await session.until(lambda: VALUE not in session.text)
        if session.screen == "HelpScreen":
            await session.press("escape")
        await session.on("RunsScreen")
        assert not any(isinstance(screen, RevealDialog) for screen in session.app.screen_stack)


@pytest.mark.parametrize("allowed", [False, True])
async def test_the_key_works_only_where_it_was_allowed(home: Path, allowed: bool) -> None:
    planted(home / "tree")
    async with opened(home / "tree", allow_reveal=allowed) as session:
        await session.on("ReviewScreen")
        await session.press("v")
        await session.on("RevealDialog" if allowed else "ReviewScreen")
        await session.press("enter")
        if allowed:
            await session.until(lambda: VALUE in session.text)
        else:
            await session.settled()
            assert VALUE not in session.text


async def test_nothing_is_shown_without_the_question_or_without_the_journal(home: Path, on_runs: None) -> None:
    sighting = planted(home / "tree")
    journal = home / "tree" / ".secretscan" / "reveals.jsonl"
    async with opened(home / "tree", frames=True, allow_reveal=True) as session:
        await asked(session, sighting)
        await session.press("escape")
        await session.on("RunsScreen")
        assert not journal.exists()
        journal.mkdir()
        await asked(session, sighting)
        await session.press("enter")
        await session.on("ErrorDialog")
        await session.press("escape")
        await session.on("RunsScreen")
        journal.rmdir()
        (home / "tree" / ".env").write_text("DB_PASSWORD='another-L0ng-value'\n")
        await asked(session, sighting)
        await session.press("enter")
        await session.on("ErrorDialog")
        assert "no longer where it was found" in plain(session.text)
    assert not any(VALUE in frame for frame in session.said.frames)


async def test_a_shown_value_cannot_be_selected(home: Path, on_runs: None) -> None:
    sighting = planted(home / "tree")
    async with opened(home / "tree", allow_reveal=True) as session:
        await shown(session, sighting)
        session.app.screen.text_select_all()
        assert VALUE not in (session.app.screen.get_selected_text() or "")


async def test_control_characters_of_a_value_are_escaped(home: Path, on_runs: None) -> None:
    assert list(reveal._folded(HOSTILE + "\nsecond", 80)) == ["first\\x1b[31m\\u202eline", "second"]
    assert list(reveal._folded("abcdef", 4)) == ["abcd", "ef"]
