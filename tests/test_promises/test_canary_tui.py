"""Promise 1 in the terminal application: planted values, searched for in every picture that it draws, every message,
everything that it puts on the clipboard and every file that it writes, in every spelling.

The test fails for a screen that it does not open. The one place where a value is meant to be seen, the dialog that
shows one after it was asked to, is looked at apart: there the value is in sight, and nowhere else, nor afterwards.
"""

from __future__ import annotations

import importlib
import pkgutil
import secrets
from pathlib import Path
from typing import Any

import pytest
from test_promises.test_canary import plant, spellings, written
from textual.screen import Screen
from tui.conftest import Local, home, local
from tui.harness import Said, Session, opened
from tui.tour import to_step, tour

from secretscan.tui import screens
from secretscan.tui.screens.base import AppScreen, Dialog
from secretscan.tui.screens.reveal import RevealDialog
from secretscan.tui.screens.wizard import WizardScreen
from secretscan.vault.server import Deny, Faults, Operation

__all__ = ["home", "local"]  # fixtures of another folder

_BLANK = str.maketrans("", "", " \n│─╭╮╰╯")


def leaks(said: Said, values: list[str]) -> list[str]:
    """Where a value is, in any spelling, also when the width has broken it over two lines."""
    texts = {
        **{f"picture {number}": text for number, text in enumerate(said.frames)},
        **{f"message {number}": text for number, text in enumerate(said.messages)},
        **{f"clipboard {number}": text for number, text in enumerate(said.copied)},
    }
    forms = [form for value in values for form in spellings(value)]
    found: list[str] = []
    for where, text in texts.items():
        seen = (text.encode(), text.translate(_BLANK).encode())
        found += [f"{where}: {text}" for form in forms if any(form in each for each in seen)]
    return found


def all_screens() -> set[type[Screen[Any]]]:
    """Every screen that the package has."""
    names = [module.name for module in pkgutil.iter_modules(screens.__path__)]
    modules = [importlib.import_module(f"{screens.__name__}.{name}") for name in names]
    classes = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    return {each for each in classes if issubclass(each, AppScreen | Dialog)} - {AppScreen, Dialog, WizardScreen}


@pytest.fixture
def values() -> list[str]:
    return ["Kq" + secrets.token_urlsafe(18), 'p"ä/+&=%' + secrets.token_hex(10) + "\\<", secrets.token_hex(24)]


@pytest.fixture
def tree(home: Path, values: list[str]) -> Path:
    root = home / "tree"
    root.mkdir()
    plant(root, values)
    (root / "compose.override.yaml").write_text(f"services:\n  db:\n   environment: {{DB_PASSWORD: {values[0]}\n")
    return root


@pytest.fixture
def faults() -> Faults:
    """The vault refuses to store once, in the first run."""
    return Faults(rules=(Deny(on=frozenset({Operation.SET}), skip=2, times=1),))


async def rest_of_the_screens(session: Session, root: Path) -> None:
    """Those that a tour in good weather does not open."""
    await session.on("ReviewScreen")
    await to_step(session, "confirm")
    await session.press("ctrl+g")
    await session.on("RunScreen")
    await session.until("not finished")
    await session.press("ctrl+l")
    await session.on("ReviewScreen")
    await session.press("i")
    await session.on("ReadDialog")
    await session.press("escape")


@pytest.mark.slow
async def test_no_value_is_on_any_screen(tree: Path, home: Path, local: Local, values: list[str]) -> None:
    originals = written(tree)
    seen: set[type[Screen[Any]]] = set()
    found: list[str] = []

    def look(session: Session) -> None:
        seen.update(session.said.screens)
        found.extend(leaks(session.said, values))
        files = {path: data for path, data in written(home).items() if originals.get(path) != data}
        forms = [form for value in values for form in spellings(value)]
        found.extend(path for path, data in files.items() if any(form in data for form in forms))

    # A run that the vault refuses in the middle, and a session in which it is gone on with.
    async with opened(tree, frames=True, size=(100, 30), notifications=True, **local.options) as session:
        await rest_of_the_screens(session, tree)
        look(session)
    async with opened(tree, frames=True, notifications=True, **local.options) as session:
        await session.on("ResumeDialog")
        await session.press("enter")
        await session.on("SignInDialog")
        await session.press("ctrl+g")
        await session.until("The run is done")
        await session.press("ctrl+n")
        await session.on("ResultScreen")
        await session.press("Y", "escape")
        await session.on("ReviewScreen")
        await session.press("r")
        await session.on("RunsScreen")
        await session.press("p")
        await session.on("SignInDialog")
        await session.press("ctrl+g")
        await session.on("ProveScreen")
        await session.press("escape")
        await session.on("RunsScreen")
        await session.press("U")
        await session.on("UndoScreen")
        await session.press("ctrl+g")
        await session.on("SignInDialog")
        await session.press("ctrl+g")
        await session.until("Esc goes back")
        look(session)
    # All the others, at both sizes.
    for size in ((80, 24), (160, 50)):
        async with opened(
            tree, frames=True, size=size, notifications=True, allow_reveal=True, **local.options
        ) as session:
            async for _ in tour(session):
                pass
            look(session)
    # An embedded vault, which would be lost; and one that refuses the sign-in.
    async with opened(tree, frames=True, notifications=True) as session:
        await session.on("ReviewScreen")
        await session.press("M")
        await session.on("VaultScreen")
        await session.press("ctrl+o")
        await session.until("The vault answers")
        await to_step(session, "run")
        await session.until("The run is done")
        await session.press("ctrl+l")
        await session.on("ReviewScreen")
        await session.press("q")
        await session.on("QuitDialog")
        look(session)
    local.server.renew_token()  # the descriptor has the one that has run out
    async with opened(tree, frames=True, notifications=True, **local.options) as session:
        await session.until(lambda: session.screen in ("ReviewScreen", "ErrorDialog", "ResumeDialog"))
        await session.press("escape")
        await session.on("ReviewScreen")
        await session.press("M")
        await session.on("VaultScreen")
        await session.press("ctrl+y")
        await session.on("ErrorDialog")
        look(session)
    assert not found, found[0]
    assert all_screens() <= seen, f"never opened: {all_screens() - seen}"


async def test_a_value_that_is_asked_for_is_in_sight_there_only(tree: Path, values: list[str]) -> None:
    async with opened(tree, frames=True, notifications=True, allow_reveal=True) as session:
        await session.on("ReviewScreen")
        await session.press("v")
        await session.on("RevealDialog")
        before = len(session.said.frames)
        assert not leaks(session.said, values)
        await session.press("enter")
        await session.until(lambda: bool(leaks(session.said, values)))
        assert isinstance(session.app.screen, RevealDialog)
        await session.press("escape")
        await session.on("ReviewScreen")
        after = Said(frames=[session.text], messages=session.said.messages, copied=session.said.copied)
        assert not leaks(after, values)
        assert len(session.said.frames) > before


def test_the_search_finds_what_is_broken_over_lines(values: list[str]) -> None:
    for value in values:
        torn = f"│ the value is {value[:9]} │\n│ {value[9:]}      │"
        assert leaks(Said(frames=[torn]), values)
        assert leaks(Said(messages=[f"note: {value}"]), values)
        assert leaks(Said(copied=[value]), values)
    assert not leaks(Said(frames=["│ nothing │"], messages=["of"], copied=["interest"]), values)
