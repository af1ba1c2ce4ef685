"""The pages of the platforms show cases of `fixtures/` as they are.

A page names a case between two marks; `pytest --update-pages tests/test_pages.py` makes from it what stands there:

    <!-- case: compose/part-of-url -->
    <!-- end of case -->
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path

import pytest

import rewriters
from rewriters import fetch

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "platforms").glob("*.md"))
_CASE = re.compile(r"(?P<begin><!-- case: (?P<case>[a-z0-9/-]+) -->\n).*?(?P<end><!-- end of case -->)", re.DOTALL)


def files(folder: Path) -> dict[str, str]:
    """The texts of a case; line ends and byte order marks are not shown."""
    return {
        file.relative_to(folder).as_posix(): file.read_text("utf-8-sig") for file in folder.rglob("*") if file.is_file()
    }


def shown(name: str) -> str:
    """A case as a page shows it: what it is, what changes in its files, what does not and why."""
    folder = ROOT / "fixtures" / name
    case = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    before, after = files(folder / "in"), files(folder / "out") if (folder / "out").is_dir() else {}
    text = f"{case['description'][0].upper()}{case['description'][1:]}:\n\n"
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if path.rpartition("/")[2] in fetch.NAMES:
            text += f"`{path}`, the fetch script, is {'made' if old is None else 'added to'}.\n\n"
        elif old is None and new is not None:
            text += f"`{path}`, made beside it:\n\n```\n{new.rstrip()}\n```\n\n"
        elif old is not None and new is not None:
            lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), path, path, n=3, lineterm=""))
            text += "```diff\n" + "\n".join(line for line in lines if not line.startswith("@@")) + "\n```\n\n"
    for refused in case.get("refused", ()):
        text += f"`{refused['pointer']}` of `{refused['path']}` stays: {refused['reason']}.\n\n"
    return text


def made(page: str) -> str:
    return _CASE.sub(lambda match: f"{match['begin']}\n{shown(match['case'])}{match['end']}", page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_its_cases_as_they_are(page: Path, update_pages: bool) -> None:
    text = page.read_text("utf-8")
    if update_pages:
        page.write_text(made(text), "utf-8")
        return
    assert text == made(text), "pytest --update-pages tests/test_pages.py takes over what has changed"


def test_every_platform_has_its_page_and_its_row() -> None:
    listed = re.findall(r"(?m)^\| \[([a-z0-9]+)\]\(\1\.md\) \|", (ROOT / "docs/platforms/README.md").read_text("utf-8"))
    assert listed == list(rewriters.names())
    assert {page.stem for page in PAGES} == {"README", *listed}
