"""Whole migrations by keyboard alone, from the first finding to the proof and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tui.conftest import Local
from tui.harness import BY_SIZE, opened
from tui.tour import to_step

from secretscan import api
from secretscan.inventory.ids import load_ids

REAL = Path(__file__).parents[3] / "shared" / "devset" / "real"


def contents(root: Path) -> dict[str, bytes]:
    """All files but those of our own folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".secretscan", ".git"} & set(path.relative_to(root).parts)
    }


async def migrate_and_undo(root: Path, local: Local, size: tuple[int, int], least: int) -> None:
    """By keys alone: into the vault with proof, and back. At least so many places move."""
    before = contents(root)
    found = api.scan([str(root)], record=False).found
    async with opened(root, size=size, **local.options) as session:
        await session.on("ReviewScreen")
        await to_step(session, "confirm")
        assert contents(root) == before, "something was written before the start"
        assert not local.server.stored()
        assert local.url in session.text
        draft = session.app.migration.draft
        assert draft is not None
        plan = draft.plan
        assert len(plan.moves) >= least
        await to_step(session, "run")
        await session.until("The run is done, and its proof holds", 120)
        await to_step(session, "result")
        assert "PROVED" in session.text
        after = contents(root)
        assert {path for path in before if after.get(path) != before[path]} >= {file.path for file in plan.files}
        ids = load_ids()
        stored = {each.name: ids.secret(each.values[-1]) for each in local.server.stored()}
        assert stored == {secret.name: secret.id for secret in plan.secrets}
        left = {(each.path, each.secret) for each in plan.left}
        again = api.scan([str(root)], record=False).found
        assert len(again) <= len(found) - least
        assert {(item.finding.location.path, item.secret) for item in again} <= left
        await session.press("U")
        await session.on("UndoScreen")
        await session.press("ctrl+g")
        await session.on("SignInDialog")
        await session.press("ctrl+g")
        await session.until("Esc goes back", 60)
        await session.press("escape")
        await session.on("ResultScreen")
        await session.press("escape")
        await session.on("ReviewScreen")
        assert contents(root) == before, "the originals are not back"
        await session.press("q")
        await session.until(lambda: session.app.return_value == 0)


@BY_SIZE
async def test_the_shop(shop: Path, local: Local, size: tuple[int, int]) -> None:
    await migrate_and_undo(shop, local, size, 10)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="the real deployment files, ../shared/devset, are not here")
async def test_a_real_repository(home: Path, local: Local) -> None:
    root = Path(shutil.copytree(REAL / "OWASP__crAPI", home / "crapi"))
    await migrate_and_undo(root, local, (80, 24), 30)
