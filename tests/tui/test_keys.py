"""Every action of every screen, by its key: each does something that can be seen, or is asserted not to be open.

`Keys` fails for an action of the scope that the test does not press, and `test_no_scope_is_left_out` for a scope
without a test.
"""

from __future__ import annotations

from pathlib import Path

from tui.harness import Keys, opened

from secretscan.tui.actions import SCOPES, in_scope
from secretscan.tui.widgets.detail import Detail
from secretscan.tui.widgets.rows import Rows

IGNORE = ".secretscan-ignore"


async def test_keys_of_app(shop: Path) -> None:
    async with opened(shop) as session, Keys(session, "app") as key:
        await session.on("ReviewScreen")
        for each in ("question_mark", "f1"):
            await key("help", "Every credential that was found", each)
            await session.press("escape")
            await session.on("ReviewScreen")
        await key("palette", lambda: session.screen == "CommandPalette")
        await session.press("escape")
        await session.on("ReviewScreen")
        theme = session.app.theme
        await key("theme", lambda: session.app.theme != theme)
        await key("interrupt", lambda: any("once more" in each for each in session.said.messages))
        await key("quit", lambda: session.app.return_value == 0)


async def test_the_second_interrupt_ends(shop: Path) -> None:
    async with opened(shop) as session:
        await session.on("ReviewScreen")
        await session.press("ctrl+c")
        await session.press("ctrl+c")
        assert session.app.return_value == 130


async def test_keys_of_list(shop: Path) -> None:
    async with opened(shop, size=(80, 24)) as session, Keys(session, "list") as key:
        await session.on("ReviewScreen")
        rows = session.app.screen.query_one("#findings", Rows)
        for down, up in (("down", "up"), ("j", "k")):
            await key("cursor-down", lambda: rows.cursor == 1, down)
            await key("cursor-up", lambda: rows.cursor == 0, up)
        await key("last", lambda: rows.cursor == rows.count - 1 > 0)
        await key("first", lambda: rows.cursor == 0)
        await session.press("g")  # by file: more rows than there is room for
        await session.until("by file")
        page = rows.scrollable_content_region.height - 1
        assert rows.count > page > 0
        for down, up in (("pagedown", "pageup"), ("ctrl+d", "ctrl+u")):
            await key("page-down", lambda: rows.cursor == page, down)
            await key("page-up", lambda: rows.cursor == 0, up)
        unfolded = rows.count
        await key("choose", lambda: rows.count < unfolded)


async def test_keys_of_review(shop: Path) -> None:
    async with opened(shop, size=(100, 40)) as session, Keys(session, "review") as key:
        await session.on("ReviewScreen")
        screen = session.app.screen
        detail = screen.query_one(Detail)
        focused = lambda: screen.focused and screen.focused.id  # noqa: E731
        await key("select", "4 selected")
        await session.press("up")
        await key("clear", lambda: "selected" not in session.text)
        await key("select-all", "10 selected")
        await session.press("a")
        await key("facets", lambda: session.screen == "FacetDialog")
        await session.press("escape")
        await key("group", "by file, sorted by place")
        await session.press("g", "g")
        await session.until("by secret")
        await key("sort", lambda: "Sort by" in session.text)
        await session.press("down", "enter")
        await session.until("sorted by strength")
        await session.press("s", "up", "enter")
        await session.until("sorted by place")
        await key("jump", "Jump to what begins with")
        await session.type("npm")
        await session.press("enter")
        await session.until(lambda: "> ▸ open   strong token" in session.text)
        await session.press("home")
        await session.settled()
        line = detail.cursor
        await key("next-place", lambda: detail.cursor != line)
        line = detail.cursor
        await key("previous-place", lambda: detail.cursor != line)
        await key("zoom", lambda: not screen.query_one("#middle").region and focused() == "detail")
        await session.press("escape")
        await key("filter", lambda: focused() == "filter")
        await session.type("kind:token")
        await session.press("enter")
        await session.until("1 secret, 1 place of 10")
        await key("mark", lambda: session.screen == "MarkDialog")
        await session.press("tab")
        await session.type("sample")
        await session.press("ctrl+s")
        await session.until(lambda: (shop / IGNORE).exists() and session.screen == "ReviewScreen")
        await session.until("false")
        await key("unmark", lambda: not (shop / IGNORE).exists() or "sample" not in (shop / IGNORE).read_text())
        await session.press("escape")
        await key("copy", lambda: session.screen == "Choose")
        await session.press("enter")
        await session.until(lambda: len(session.said.copied) == 1)
        await key.disabled("skipped")
        await key.disabled("show-value")
        (shop / "new.env").write_text("OTHER_TOKEN=kW8rTq2pLz5vXn4mBc7d\n")
        await key("rescan", "6 secrets, 11 places")
        await session.settled()
        await key("runs", lambda: session.screen == "RunsScreen")
        await session.press("escape")
        await session.on("ReviewScreen")
        await key("migrate", lambda: session.screen != "ReviewScreen")


async def test_what_was_skipped_is_listed(shop: Path) -> None:
    (shop / "compose.override.yaml").write_text("services:\n  db:\n   environment: {DB_PASSWORD: kW8rTq2pLz5v\n")
    async with opened(shop) as session, Keys(session, "review") as key:
        await session.on("ReviewScreen")
        await key("skipped", "Not read, or not fully: 1")
        assert "compose.override.yaml" in session.text
        key.left.clear()


async def test_keys_of_mark(shop: Path) -> None:
    async with opened(shop) as session, Keys(session, "mark") as key:
        await session.on("ReviewScreen")
        await session.press("m")
        await session.on("MarkDialog")
        await key("save", "reason")  # the reason is missing, and it says so
        await session.press("escape")
        await session.on("ReviewScreen")
        assert not (shop / IGNORE).exists()


async def test_keys_of_dialog(shop: Path) -> None:
    async with opened(shop) as session, Keys(session, "dialog") as key:
        await session.on("ReviewScreen")
        for opens in ("question_mark", "f", "s", "colon", "m", "y"):
            await session.press(opens)
            await session.until(lambda: session.screen != "ReviewScreen")
            await key("close", lambda: session.screen == "ReviewScreen")


def test_no_scope_is_left_out() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_keys*.py"))
    acting = {scope for scope in SCOPES if any(in_scope(scope))}
    assert {scope for scope in SCOPES if f'Keys(session, "{scope}")' in tests} == acting
