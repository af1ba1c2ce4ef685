"""Planning takes time that goes with the size of the tree: four times the files, about four times the work."""

from __future__ import annotations

import cProfile
import pstats
import secrets
from pathlib import Path

import pytest

from secretscan import api
from secretscan.events import Event


def work(root: Path, folders: int) -> int:
    """How many calls one plan makes for so many folders with a Compose file each."""
    for at in range(folders):
        (root / f"s{at}").mkdir(parents=True)
        lines = "".join(f"      P{n}_PASSWORD: Kq{secrets.token_hex(12)}\n" for n in range(5))
        (root / f"s{at}" / "compose.yaml").write_text(
            f"services:\n  db:\n    image: postgres\n    environment:\n{lines}"
        )
    counted = cProfile.Profile()

    def hear(event: Event) -> None:
        if event.stage == "plan":
            counted.enable()

    draft = api.plan([str(root)], "https://shop.vault.azure.net", None, listener=hear)
    counted.disable()
    assert len(draft.plan.secrets) == folders * 5
    return int(pstats.Stats(counted).total_calls)  # type: ignore[attr-defined]


def test_planning_is_linear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    work(tmp_path / "warm", 1)
    assert work(tmp_path / "large", 80) < 5 * work(tmp_path / "small", 20)
