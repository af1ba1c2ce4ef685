"""The rewriters are used without `secretscan`, as docs/rewriters.md shows it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "rewriters.md"
COMPOSE = """\
services:
  db:
    image: postgres:16  # the version that production runs
    environment:
      POSTGRES_PASSWORD: "kX3-vQ9-made-up"
"""
ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "secretscan":
            raise ImportError("the rewriters need no secretscan")
sys.meta_path.insert(0, Blocked())
"""


def test_the_example_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    done = subprocess.run(
        [sys.executable, "-c", ALONE + example[1]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "compose.yaml").read_text()
    assert "made-up" not in text
    assert "environment: DB_PASSWORD" in text
    assert "# the version that production runs" in text
