"""docs/terminal.md shows the screens that other tests compare, and the keys of the table."""

from __future__ import annotations

import re
from pathlib import Path

from secretscan.tui.actions import keys_table

ROOT = Path(__file__).resolve().parents[2]
TOUR = ROOT / "docs" / "terminal.md"
SCREENS = Path(__file__).with_name("screens")

_SCREEN = re.compile(r"<!-- screen (?P<name>[\w-]+) -->\n.*?<!-- /screen -->", re.DOTALL)
_KEYS = re.compile(r"<!-- keys -->\n.*?<!-- /keys -->", re.DOTALL)


def rendered(page: str) -> str:
    """The page with every screen and the keys as they are now."""

    def screen(match: re.Match[str]) -> str:
        text = (SCREENS / f"{match['name']}.txt").read_text("utf-8")
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        return f"<!-- screen {match['name']} -->\n```text\n{lines}\n```\n<!-- /screen -->"

    page = _SCREEN.sub(screen, page)
    return _KEYS.sub(lambda _: f"<!-- keys -->\n{keys_table()}<!-- /keys -->", page)


def test_the_tour_shows_what_is_there(update_screens: bool) -> None:
    page = TOUR.read_text("utf-8")
    now = rendered(page)
    if update_screens:
        TOUR.write_text(now, "utf-8")
        return
    assert page == now, "pytest --update-screens tests/tui takes over what has changed"


def test_every_screen_of_the_tour_is_compared() -> None:
    named = {match["name"] for match in _SCREEN.finditer(TOUR.read_text("utf-8"))}
    assert named
    assert named <= {path.stem for path in SCREENS.glob("*.txt")}
