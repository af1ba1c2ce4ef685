"""What looking through 50,000 places costs: `python benchmarks/review.py [PLACES]`, in CPU and memory.

The places go through a real inventory, as they do when the terminal application opens. Exits 1 when a filter is over
its budget, or the memory is.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rewriters import Plaintext, Span  # noqa: E402
from secretscan import api  # noqa: E402
from secretscan.inventory.ids import load_ids  # noqa: E402
from secretscan.inventory.store import Inventory  # noqa: E402
from secretscan.model import Finding, Kind, Location, Strength  # noqa: E402
from secretscan.review.query import parse  # noqa: E402
from secretscan.review.table import Group, Sort, Table  # noqa: E402

PLACES = 50_000
FILTER_MS = 30
MEMORY_MB = 40
"""What an empty Textual application leaves of 100 MB, with some room."""

RUNS = 7
QUERIES = (
    "",
    "a",
    "postgres",
    "nowhere",
    "kind:token",
    "!weak state:open",
    "path:deploy/team1 password",
    "name:shop path:e secret:a",
)


def findings(many: int) -> list[tuple[str, Finding]]:
    """A quarter as many secrets as places, in a tenth as many files; about as in a large repository."""
    chance = random.Random(7)  # noqa: S311
    secrets = [f"{chance.getrandbits(128):032x}" for _ in range(max(1, many // 4))]
    result: list[tuple[str, Finding]] = []
    for at in range(many):
        path = f"deploy/team{at // 10 % 40}/service-{at // 10}/compose.yaml"
        pointer = f"services.app{at % 13}.environment.POSTGRES_PASSWORD_{at % 997}"
        place = Location("tree", path, Span(0, 1), at % 400 + 1, 7, at % 400 + 1, 9, pointer, f"POSTGRES_{at % 997}")
        result.append(
            (
                chance.choice(secrets),
                Finding(
                    rule=chance.choice(["credential-by-name", "jwt", "secret-data"]),
                    kind=chance.choice(get_args(Kind)),
                    strength=chance.choice(get_args(Strength)),
                    confidence="high",
                    location=place,
                    value=Plaintext(b""),
                    reason="" if at % 4 else "a label cannot hold a reference",
                ),
            )
        )
    return result


def make(root: Path, many: int) -> None:
    found = findings(many)
    with Inventory(root, load_ids().fingerprint()) as store, store.changes():
        store.record(found, [])
        for at, secret in enumerate(sorted({secret for secret, _ in found})):
            if at % 3 == 0:
                url = "https://shop.vault.azure.net"
                store.stored(secret, "password", "strong", url, f"shop-service-{at}-db-password", "v1")


def megabytes() -> float:
    status = Path("/proc/self/status").read_text("ascii")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


def milliseconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def main() -> int:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else PLACES
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["SECRETSCAN_STATE_DIR"] = f"{folder}/state"
        # Made by another process, so that its memory is not counted.
        making = f"import sys; sys.path[:0] = {[str(ROOT / 'benchmarks'), str(ROOT)]!r}; import review, pathlib; "
        subprocess.run([sys.executable, "-c", f"{making}review.make(pathlib.Path({folder!r}), {many})"], check=True)
        return look(root)


def look(root: Path) -> int:
    table = Table()
    before = megabytes()
    first = milliseconds(lambda: table.extend(next(iter(api.sightings(root)))) or table.select())
    table = Table()

    def load() -> None:
        for batch in api.sightings(root):
            table.extend(batch)

    loading = milliseconds(load)
    sorting = {sort: milliseconds(lambda sort=sort: table.select(sort=sort)) for sort in get_args(Sort)}  # type: ignore[misc]
    print(f"{len(table)} places: {loading:.0f} ms to load, {first:.0f} ms to the first of them")
    print(", ".join(f"{taken:.0f} ms first by {sort}" for sort, taken in sorting.items()))
    print(
        f"| {'CPU ms, median of ' + str(RUNS):<28} | " + " | ".join(f"{group:>8}" for group in get_args(Group)) + " |"
    )
    print("| --- |" + " ---: |" * len(get_args(Group)))
    worst = 0.0
    for text in QUERIES:
        row = [
            statistics.median(milliseconds(lambda: table.select(parse(text), group)) for _ in range(RUNS))  # noqa: B023
            for group in get_args(Group)
        ]
        worst = max(worst, *row)
        print(f"| {text or '(everything)':<28} | " + " | ".join(f"{taken:8.1f}" for taken in row) + " |")
    view = table.select(group="file")
    toggling = statistics.median(milliseconds(lambda: view.toggle(view[0].key)) for _ in range(RUNS))
    used = megabytes() - before
    print(f"opening a group {toggling:.1f} ms; memory {used:.0f} MB")
    over = worst > FILTER_MS or used > MEMORY_MB
    if over:
        print(f"over the budget of {FILTER_MS} ms or {MEMORY_MB} MB", file=sys.stderr)
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
