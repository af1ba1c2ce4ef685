"""How the screens look: every one of a tour against a file with the text that it should show.

The text is the same in all themes, since no state is told by colour alone. Of the terminal's own palette and of
`NO_COLOR` it is asserted besides that no other colour is sent.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.color import ColorType
from tui.conftest import Local, settle
from tui.harness import BY_SIZE, Session, compare, opened, segments
from tui.tour import tour


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose path is the same everywhere, as paths are on screen. One test at a time has it."""
    folder = Path("/tmp/secretscan-screens")
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        settle(folder, monkeypatch)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def colours(session: Session) -> set[ColorType]:
    """The kinds of colours on screen."""
    styles = [piece.style for line in segments(session.app) for piece in line if piece.style is not None]
    return {colour.type for style in styles for colour in (style.color, style.bgcolor) if colour is not None}


@BY_SIZE
async def test_the_screens(shop: Path, steady: None, local: Local, size: tuple[int, int], update_screens: bool) -> None:
    """In a theme with colours, and each of them in the terminal's own palette, too."""
    wrong: list[str] = []
    async with opened(shop, size=size, allow_reveal=True, **local.options) as session:
        async for name in tour(session):
            for theme in ("textual-dark", "ansi-dark"):
                session.app.theme = theme
                await session.drawn()
                try:
                    kept = update_screens and theme == "textual-dark"
                    compare(session.text, f"{name}-{size[0]}x{size[1]}", update=kept)
                except AssertionError as error:
                    wrong.append(f"{name}, {theme}: {error}")
                if name != "palette":  # the toolkit's own, which mixes its colours
                    assert colours(session) <= _KINDS[theme], f"{name}, {theme}: {colours(session)}"
            session.app.theme = "textual-dark"
    assert not wrong, "\n\n".join(wrong)


_KINDS = {
    "textual-dark": {ColorType.TRUECOLOR, ColorType.DEFAULT},
    "ansi-dark": {ColorType.STANDARD, ColorType.DEFAULT},
}


@pytest.mark.slow
@BY_SIZE
async def test_the_screens_without_colours(
    shop: Path, steady: None, local: Local, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    wrong: list[str] = []
    async with opened(shop, size=size, allow_reveal=True, **local.options) as session:
        async for name in tour(session):
            try:
                compare(session.text, f"{name}-{size[0]}x{size[1]}", update=False)
            except AssertionError as error:
                wrong.append(f"{name}: {error}")
            assert is_grey(session), name
    assert not wrong, "\n\n".join(wrong)


def is_grey(session: Session) -> bool:
    """Whether everything on screen is in shades of grey."""
    for line in segments(session.app):
        for piece in line:
            for colour in (piece.style.color, piece.style.bgcolor) if piece.style else ():
                if colour is not None and colour.triplet is not None and len(set(colour.triplet)) != 1:
                    return False
    return True
