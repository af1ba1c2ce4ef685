"""What a checkout can bring, and what happens at the wrong moment: nothing of it acts, and keys mean what is shown."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sqlite3
import sys
import threading
import time
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from textual import events
from tui.conftest import Local
from tui.harness import Session, opened, plain
from tui.terminal import NOT_THERE, RESTORED, Terminal, missing

from secretscan import api
from secretscan.inventory.marks import Mark
from secretscan.tui.config import read_config
from secretscan.tui.screens import reveal
from secretscan.tui.screens.mark import MarkDialog
from secretscan.tui.screens.review import ReviewScreen
from secretscan.tui.widgets.rows import Rows
from secretscan.vault.choice import VaultChoice

pytestmark = pytest.mark.slow  # the quick suite has the keys, the screens and a whole migration

EVIL = "\x1b]0;own\x07\x1b[31m\u202e[@click=app.quit]z[/]\u200b\x9b5n\n"
"""A title for the terminal, a colour, an override of the direction, markup, and a request for an answer."""


def acting(text: str) -> set[str]:
    """The characters of a screen that a terminal would act upon, or that would hide or turn text."""
    return {char for char in text if not char.isprintable()} - {"\n"}


def review(session: Session) -> ReviewScreen:
    found = session.app.screen
    assert isinstance(found, ReviewScreen)
    return found


# what a checkout brings


def forge(root: Path, table: Literal["secret", "occurrence"], **values: str) -> None:
    """An inventory as this user would have made it, with other texts: who knows the fingerprint of the key (it stands
    in every ignore file) can write one."""
    api.scan((str(root),))
    with sqlite3.connect(root / ".secretscan" / "inventory.db") as db:
        for name, value in values.items():
            db.execute(f"UPDATE {table} SET {name} = ?", (value,))  # noqa: S608
    db.close()


async def test_texts_of_a_forged_inventory_reach_the_terminal_escaped(shop: Path) -> None:
    forge(shop, "secret", name=f"n{EVIL}")
    forge(shop, "occurrence", key=f"k{EVIL}", reason=f"r{EVIL}", pointer=f"p{EVIL}")
    async with opened(shop, size=(160, 50), scan=False, frames=True, notifications=True) as session:
        await session.on("ReviewScreen")
        for key in ("enter", "down", "g", "down", "g", "n", "f", "escape", "m", "escape", "y", "escape"):
            await session.press(key)
            await session.settled()
        assert "z[/]" in "".join(session.said.frames)
        assert not acting("".join(session.said.frames))


@pytest.mark.parametrize(
    ("table", "column"),
    [("secret", "kind"), ("secret", "strength"), ("occurrence", "rule"), ("occurrence", "platform")],
)
async def test_words_of_an_inventory_that_are_none_of_ours_are_not_believed(
    shop: Path, table: Literal["secret", "occurrence"], column: str
) -> None:
    """They would go into the filter when somebody chose them."""
    forge(shop, table, **{column: f"token{EVIL}"})
    async with opened(shop, size=(160, 50), scan=False, frames=True) as session:
        await session.until("the inventory cannot be used")
        assert not acting("".join(session.said.frames))


async def test_an_encoding_of_an_inventory_that_is_none_of_ours_is_not_believed(shop: Path) -> None:
    forge(shop, "occurrence", encoding=json.dumps([f"base64{EVIL}"]))
    async with opened(shop, scan=False, frames=True) as session:
        await session.until("the inventory cannot be used")
        assert not acting("".join(session.said.frames))


async def test_a_list_escapes_what_its_painter_forgot(shop: Path) -> None:
    async with opened(shop, scan=False) as session:
        await session.on("ReviewScreen")
        rows = Rows(lambda index, _: [(f"{index}{EVIL}", "")], count=2)
        await session.app.screen.mount(rows)
        await session.until("0\\x1b]0;own")
        assert not acting(session.text)


def hostile_tree(root: Path) -> None:
    """Values in files whose names and keys would do something."""
    name = EVIL.replace("/", "∕")
    (root / f"d{name}").mkdir(parents=True)
    password = "Kq" + secrets.token_urlsafe(18)
    (root / f"d{name}" / f"c{name}.env").write_text(f"API_TOKEN={secrets.token_hex(24)}\nDB_PASSWORD={password}\n")
    (root / f"x{name}.json").write_text(json.dumps({f"password{EVIL}": secrets.token_hex(20)}))
    (root / f"notes{name}.txt").write_text(f"{EVIL} password={password} {EVIL}\n")
    os.link(root / f"x{name}.json", root / f"y{name}.json")
    (root / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n"
        f"  {json.dumps(f'pass{EVIL}word')}: {secrets.token_hex(24)}\n  password: {secrets.token_hex(20)}\n"
    )
    (root / "compose.yaml").write_text(
        "services:\n  db:\n    image: postgres:16\n    environment:\n"
        f"      POSTGRES_PASSWORD: {password}\n      DATABASE_URL: postgres://app:{secrets.token_hex(10)}@db/app\n"
    )


async def test_nothing_of_hostile_names_is_acted_upon_in_a_whole_migration(home: Path, local: Local) -> None:
    root = home / f"r{EVIL}".replace("/", "∕").replace("\n", "")
    hostile_tree(root)
    async with opened(root, size=(100, 40), frames=True, notifications=True, **local.options) as session:
        await session.on("ReviewScreen")
        for key in ("enter", "down", "down", "n", "y", "enter", "a", "g", "g", "i", "escape", "escape", "escape"):
            await session.press(key)
            await session.settled()
        await session.press("M")
        await session.on("VaultScreen")
        for screen in ("TargetsScreen", "NamesScreen"):
            await session.press("ctrl+n")
            await session.on(screen)
        await session.press("space", "enter", "space", "enter", "escape", "ctrl+n")
        await session.on("PreviewScreen")
        for key in ("down", "down", "enter", "pagedown", "escape", "g", "down", "i", "pagedown", "escape", "y"):
            await session.press(key)
            await session.settled()
        for screen in ("PreflightScreen", "ConfirmScreen"):
            await session.press("ctrl+n")
            await session.on(screen)
        await session.press("ctrl+g")
        await session.until("The run is done")
        await session.press("ctrl+n")
        await session.on("ResultScreen")
        await session.press("y", "Y", "i", "escape", "U")
        await session.on("UndoScreen")
        await session.press("down", "down", "enter", "down", "escape", "d")
        await session.settled()
        assert not acting("".join(session.said.frames))
        assert not acting("".join((*session.said.messages, *session.said.copied)))


async def test_a_name_that_nobody_chose_yet_is_escaped_when_a_migration_is_taken_up_again(
    home: Path, local: Local
) -> None:
    root = home / "r"
    hostile_tree(root)
    for _ in range(2):
        async with opened(root, size=(100, 40), frames=True, **local.options) as session:
            await session.on("ReviewScreen")
            await session.press("M")
            await session.on("VaultScreen")
            for screen in ("TargetsScreen", "NamesScreen"):
                await session.press("ctrl+n")
                await session.on(screen)
            await session.press("space", "space", "space", "space")
            await session.settled()
            await session.press("ctrl+n")
            await session.on("PreviewScreen")
            await session.press("escape", "down", "g", "down")
            await session.settled()
            assert not acting("".join(session.said.frames))


# messages, the configuration, the descriptor


async def test_a_message_is_text_and_no_markup(shop: Path) -> None:
    async with opened(shop, notifications=True, scan=False) as session:
        await session.on("ReviewScreen")
        for text in ("a closing [/x]", "press [@click=app.quit]here[/]", "\x1b]0;own\x07"):
            session.app.screen.notify(text)
        await session.until("[@click=app.quit]here[/]")
        assert "a closing [/x]" in plain(session.text)
        assert not acting(session.text)


async def test_a_paste_brings_nothing_that_acts(shop: Path) -> None:
    async with opened(shop, scan=False) as session:
        await session.on("ReviewScreen")
        await session.press("slash")
        session.app.post_message(events.Paste(f"path:{EVIL}\nsecond line"))
        await session.until("path:]0;own")
        assert not acting(session.text)


@pytest.mark.parametrize("theme", ["['x']", "{ a = 1 }", "3", "'none such'"])
def test_a_theme_that_is_none_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, theme: str) -> None:
    (home / "c.toml").write_text(f"[review]\ntheme = {theme}\n")
    monkeypatch.setenv("SECRETSCAN_CONFIG", str(home / "c.toml"))
    found = read_config()
    assert found.theme == ""
    assert "there is no theme" in found.notes[0]


@pytest.mark.parametrize("key", ["'", "[/]", "x')[/][@click=app.quit]", "f,,g", "a b", "ctrl+", "\\u001b"])
def test_a_key_that_is_none_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The footer is made of them."""
    (home / "c.toml").write_text(f'[review.keys]\n"review.filter" = "{key}"\n"review.sort" = "ctrl+f, F3 ,slash"\n')
    monkeypatch.setenv("SECRETSCAN_CONFIG", str(home / "c.toml"))
    found = read_config()
    assert "no key is called" in found.notes[0]
    assert found.keys == (("review.sort", "ctrl+f, F3 ,slash"),)


def test_a_pipe_as_a_descriptor_does_not_keep_the_typist_waiting(home: Path) -> None:
    os.mkfifo(home / "vault.json")
    said: list[object] = []
    typing = threading.Thread(target=lambda: said.append(VaultChoice("", "local", str(home / "vault.json")).fault()))
    typing.daemon = True
    typing.start()
    typing.join(5)
    assert said
    assert "no embedded vault's descriptor" in str(said[0])


@pytest.mark.parametrize("name", ["a\nreboot.env", "a\\nreboot.env", "a\x1b\rreboot.env"])
async def test_a_path_that_is_copied_is_one_line(home: Path, local: Local, name: str) -> None:
    """A terminal that takes a line break for Enter would run what stands before it."""
    root = home / "r"
    root.mkdir()
    (root / name).write_text(f"API_TOKEN={secrets.token_hex(24)}\nDB_PASSWORD={secrets.token_hex(24)}\n")
    async with opened(root, **local.options) as session:
        await session.on("ReviewScreen")
        await session.press("a")
        for row in range(5):
            await session.press("y", *["down"] * row, "enter")
            await session.settled()
        ids, places, paths = session.said.copied[:3]
        assert [len(text.split("\n")) for text in (ids, places, paths)] == [2, 2, 1]
        assert all("reboot.env" in line for line in (places + "\n" + paths).split("\n"))
        await session.press("escape", "M")
        await session.on("VaultScreen")
        for screen in ("TargetsScreen", "NamesScreen", "PreviewScreen"):
            await session.press("ctrl+n")
            await session.on(screen)
        await session.press("home", "y")
        assert "\n" not in session.said.copied[-1]


# the wrong moment


async def test_a_key_pressed_while_the_list_starts_over_is_about_the_row_in_sight(shop: Path) -> None:
    api.scan((str(shop),))
    async with opened(shop, scan=False) as session:
        await session.on("ReviewScreen")
        await session.press("down", "down")
        screen = review(session)
        before = screen.current()
        screen.start_over()
        assert screen.current() == before
        screen.action_mark()
        await session.on("MarkDialog")
        dialog = session.app.screen
        assert isinstance(dialog, MarkDialog)
        assert dialog.places == before


async def test_a_selection_does_not_go_over_to_another_list(shop: Path) -> None:
    """Work of ours may end while somebody selects: the list begins anew, in another order."""
    api.scan((str(shop),))
    (shop / "aaa.env").write_text("".join(f"KEY_{at}_TOKEN={secrets.token_hex(24)}\n" for at in range(20)))
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        screen = review(session)
        await session.press("down", "space")
        (chosen,) = {item.secret for item in screen.chosen()}
        screen.reading.start()
        await session.settled()
        assert screen.findings.selected_count == 0 or {item.secret for item in screen.chosen()} == {chosen}


async def test_marks_hold_in_a_list_that_began_anew_during_a_scan(shop: Path) -> None:
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        screen = review(session)
        marked = screen.current()[0].secret
        screen._mark((api_mark(marked),))
        screen.action_rescan()
        assert screen.reading.scanning
        screen.start_over()
        await session.settled()
        states = {
            screen.table.value(at, "state") for at in range(len(screen.table)) if screen.table[at].secret == marked
        }
        assert states == {"false-alarm"}


def api_mark(secret: str, kind: str = "false-alarm", reason: str = "a test's value", owner: str = "") -> object:
    from secretscan.inventory.marks import Mark

    return Mark(kind, secret, reason=reason, owner=owner)  # type: ignore[arg-type]


async def test_the_cursor_stays_on_its_place_when_the_list_starts_over(shop: Path) -> None:
    api.scan((str(shop),))
    async with opened(shop, scan=False) as session:
        await session.on("ReviewScreen")
        await session.press("g", "end")
        screen = review(session)
        before = screen.current()
        shutil.copy(shop / "compose.yaml", shop / "aaa.yaml")
        api.scan((str(shop),))
        screen.start_over()
        await session.settled()
        assert screen.current() == before


async def test_taking_a_mark_back_brings_back_what_was_said_before_it(shop: Path) -> None:
    api.scan((str(shop),))
    async with opened(shop, scan=False) as session:
        await session.on("ReviewScreen")
        screen = review(session)
        secret = screen.current()[0].secret
        api.mark(shop, [api_mark(secret, "accepted", "agreed on in June", "the database team")])  # type: ignore[list-item]
        screen._mark((api_mark(secret),))  # type: ignore[arg-type]
        assert [each.kind for each in api.marks(shop).entries] == ["false-alarm"]
        await session.press("u")
        await session.settled()
        (mark,) = api.marks(shop).entries
        assert (mark.kind, mark.owner) == ("accepted", "the database team")
        assert screen.marks is not None
        assert screen.marks.of(secret, "any", date.today()) == mark


# a value in sight


async def shown(session: Session, value: str) -> None:
    await session.on("ReviewScreen")
    await session.press("v")
    await session.on("RevealDialog")
    await session.press("enter")
    await session.until(lambda: value in session.text)


@pytest.fixture
def one_value(home: Path) -> tuple[Path, str]:
    root, value = home / "r", secrets.token_hex(24)
    root.mkdir()
    (root / ".env").write_text(f"API_TOKEN={value}\n")
    return root, value


async def test_a_value_is_hidden_from_who_comes_back_to_a_stopped_process(
    one_value: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not even drawn once more: the first thing that happens then is that the screen is drawn anew."""
    root, value = one_value
    async with opened(root, frames=True, allow_reveal=True) as session:
        await shown(session, value)
        real = reveal._now
        monkeypatch.setattr(reveal, "_now", lambda: real() + 60)
        session.app.screen.refresh()
        assert value not in session.text
        await session.until(lambda: session.screen == "ReviewScreen")


async def test_a_value_is_hidden_when_the_application_is_resumed(one_value: tuple[Path, str]) -> None:
    root, value = one_value
    async with opened(root, allow_reveal=True) as session:
        await shown(session, value)
        session.app.app_resume_signal.publish(session.app)
        assert value not in session.text
        await session.until(lambda: session.screen == "ReviewScreen")


async def test_a_value_is_hidden_from_a_mouse_that_would_drag_over_it(one_value: tuple[Path, str]) -> None:
    root, value = one_value
    async with opened(root, allow_reveal=True) as session:
        await shown(session, value)
        await session.pilot.mouse_down(reveal.Shown)
        await session.until(lambda: session.screen == "ReviewScreen")
        assert value not in session.text


# the embedded vault's end


async def move_into_the_embedded_vault(session: Session) -> None:
    await session.on("ReviewScreen")
    await session.press("M")
    await session.on("VaultScreen")
    await session.press("ctrl+o")
    await session.until("The vault answers")
    for screen in ("TargetsScreen", "NamesScreen", "PreviewScreen", "PreflightScreen", "ConfirmScreen"):
        await session.press("ctrl+n")
        await session.on(screen)
    await session.press("ctrl+g")
    await session.until("The run is done")


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".secretscan" not in path.parts
    }


async def test_the_first_interrupt_asks_when_the_embedded_vault_holds_what_was_moved(shop: Path) -> None:
    async with opened(shop) as session:
        await move_into_the_embedded_vault(session)
        await session.press("ctrl+c")
        await session.on("QuitDialog")
        assert "lost for ever" in plain(session.text)


async def test_what_was_moved_into_the_embedded_vault_is_taken_back_when_nobody_can_be_asked(shop: Path) -> None:
    before = contents(shop)
    async with opened(shop) as session:
        await move_into_the_embedded_vault(session)
        assert contents(shop) != before
        (said,) = session.app.migration.take_back()
        assert "was taken back: 5 files restored" in said
        assert not tuple(session.app.migration.take_back())
    assert contents(shop) == before


@pytest.mark.skipif(missing(), reason=NOT_THERE)
@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "closed"])
def test_an_end_from_outside_takes_back_what_the_embedded_vault_would_forget(
    tmp_path: Path, shop: Path, how: str
) -> None:
    before = contents(shop)
    with Terminal([sys.executable, "-m", "secretscan", "review", str(shop)], tmp_path / "terminal") as terminal:
        terminal.until("files read")
        terminal.press("M")
        terminal.until("Name a vault")
        terminal.press("ctrl+o")
        terminal.until("The vault answers")
        for text in ("^n reads the files", "[Names]", "[Preview]", "nothing stands in the way", "[Confirm]"):
            terminal.press("ctrl+n")
            terminal.until(text)
        terminal.press("ctrl+g")
        terminal.until("The run is done")
        assert contents(shop) != before
        if how == "closed":
            process = Path(f"/proc/{terminal.pid}")
            terminal.hang_up()
            deadline = time.monotonic() + 60
            while process.exists():
                assert time.monotonic() < deadline, "the application goes on without its terminal"
                time.sleep(0.1)
        else:
            terminal.kill(getattr(signal, how))
            assert terminal.ended() == 3
            assert "was taken back" in terminal.screen
            assert terminal.modes() == RESTORED
    assert contents(shop) == before


async def test_a_reason_that_quotes_the_value_is_not_shown(shop: Path) -> None:
    """Whoever wrote the ignore file by hand may have put the value into it."""
    found = api.scan([str(shop)], record=False).found[0]
    value = found.finding.value.reveal().decode()
    api.mark(shop, [Mark("false-alarm", found.secret, reason="QUOTE")])
    file = shop / ".secretscan-ignore"
    file.write_text(file.read_text().replace("QUOTE", f"only {value} in a test"))
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        await session.until("what is said of it is not shown")
        assert value not in session.text


# an undo that was killed


async def test_an_undo_that_was_killed_before_its_last_word_can_be_finished(shop: Path, local: Local) -> None:
    """All files have their original bytes, and only the journal does not say so yet."""
    before = contents(shop)
    with local.server.client() as vault:
        run = api.apply(api.plan([str(shop)], local.url, vault).plan, vault).run
        api.undo(shop, run, vault)
    journal = shop / ".secretscan" / "runs" / run / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    async with opened(shop, **local.options) as session:
        await session.on("ResumeDialog")
        await session.press("enter")
        await session.on("UndoScreen")
        await session.until("nothing is left to restore")
        await session.press("ctrl+g")
        await session.on("SignInDialog")
        await session.press("ctrl+g")
        await session.until("Undone:")
    assert [each.state for each in api.run_history(shop)] == ["undone"]
    assert contents(shop) == before
