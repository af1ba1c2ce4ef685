"""The tables of the benchmarks in docs/benchmarks.md, each between markers with its script's name."""

from __future__ import annotations

from pathlib import Path

__all__ = ["put"]


def put(page: Path, script: str, text: str) -> None:
    """Puts the table of this script (`benchmarks/NAME.py`) between its markers of a page."""
    begin, end = f"<!-- {script} -->", f"<!-- end of {script} -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    _, found, after = rest.partition(end)
    assert found, f"{page} has no markers for {script}"
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")
