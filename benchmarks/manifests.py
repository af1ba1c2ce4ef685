"""What reading and planning cost on large trees: `slots` against LibYAML, and a plan over ten thousand places.

    python benchmarks/manifests.py [--files 10000] [--places 10000] [--rounds 5] [--table FILE]

`slots`: the YAML manifests of `fixtures/` are copied into folders of a temporary tree until it has that many. Each
round reads every file from disk twice, once to load it with LibYAML (`yaml.load_all` with `CSafeLoader`, what a program
does that only wants the data) and once to find its places with the rewriter that claims it; CPU time of this process,
in turn, the median of the rounds. What LibYAML takes for its nodes alone, with no data made of them, is listed beside.

`plan`: manifests of four kinds with that many places, a quarter as many distinct values, planned by the command as one
does, in a process of its own with the vault left out; its CPU and wall time, and its highest resident memory.

Exits 1 when a figure is over its budget.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from _page import put

import rewriters

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SLOTS_TIMES = 2.0
"""CPU of `slots`, as a multiple of loading the same files with LibYAML."""
PLAN_S = 60.0
PLAN_MIB = 500.0
IDENTITY = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `budget` is 0 when it is listed only."""

    name: str
    value: float
    unit: str
    budget: float = 0

    @property
    def over(self) -> bool:
        return bool(self.budget) and self.value > self.budget


# --- slots -----------------------------------------------------------------------------------------------------------

Claimed = tuple[Path, str, rewriters.Rewriter]
"""A file, its path from the root as a rewriter gets it, and the rewriter that claims it."""


def write_manifests(root: Path, count: int) -> list[Claimed]:
    """That many YAML manifests, copied from the fixtures, each with the rewriter that claims it."""
    originals: list[tuple[str, bytes, rewriters.Rewriter]] = []
    for path in sorted(FIXTURES.glob("*/*/in/**/*")):
        if path.suffix not in (".yaml", ".yml") or not path.is_file():
            continue
        data = path.read_bytes()
        inner = path.relative_to(FIXTURES).as_posix().split("/in/", 1)[1]
        for rewriter in rewriters.claimants(inner, data[: rewriters.HEAD]):
            try:
                rewriter.slots(inner, data)
                loaded(data)
            except (rewriters.Unreadable, yaml.YAMLError, ValueError):
                continue  # the cases of broken files
            originals.append((inner, data, rewriter))
    made: list[Claimed] = []
    for number in range(count):
        inner, data, rewriter = originals[number % len(originals)]
        name = f"team{number % 100}/app{number}/{inner}"
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        made.append((path, name, rewriter))
    return made


def loaded(data: bytes) -> None:
    for _ in yaml.load_all(data, Loader=yaml.CSafeLoader):
        pass


def composed(data: bytes) -> None:
    for _ in yaml.compose_all(data, Loader=yaml.CSafeLoader):
        pass


def cpu_ms(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1000


def reading(root: Path, count: int, rounds: int) -> Iterable[Figure]:
    claimed = write_manifests(root, count)
    size = sum(path.stat().st_size for path, _, _ in claimed)

    def slots() -> None:
        for path, name, rewriter in claimed:
            rewriter.slots(name, path.read_bytes())

    def plain(read: Callable[[bytes], None]) -> None:
        for path, _, _ in claimed:
            read(path.read_bytes())

    times: dict[str, list[float]] = {"load": [], "compose": [], "slots": []}
    for turn in range(rounds + 1):
        taken = {
            "load": cpu_ms(lambda: plain(loaded)),
            "compose": cpu_ms(lambda: plain(composed)),
            "slots": cpu_ms(slots),
        }
        for name, each in taken.items() if turn else ():
            times[name].append(each)
    load, compose, ours = (statistics.median(times[name]) for name in ("load", "compose", "slots"))
    yield Figure(f"{count:,} manifests, {size / 1e6:.1f} MB, loaded by LibYAML", load, "ms CPU")
    yield Figure("the same, LibYAML's nodes alone", compose, "ms CPU")
    yield Figure("the same, `slots`", ours, "ms CPU")
    yield Figure("`slots` against loading", ours / load, "times", SLOTS_TIMES)
    yield Figure("`slots` against the nodes alone", ours / compose, "times")


# --- plan ------------------------------------------------------------------------------------------------------------

_COMPOSE = "services:\n  app:\n    image: shop/app:1\n    environment:\n      MODE: production\n      API_TOKEN: {}\n"
_SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app{}\n  namespace: team{}\nstringData:\n  password: {}\n"
_GROUP = """\
apiVersion: '2021-10-01'
location: westeurope
name: app{}
type: Microsoft.ContainerInstance/containerGroups
properties:
  osType: Linux
  containers:
  - name: app
    properties:
      image: shop/app:1
      environmentVariables:
      - name: API_TOKEN
        secureValue: {}
      resources: {{requests: {{cpu: 1, memoryInGB: 1}}}}
"""


def write_places(root: Path, count: int) -> None:
    """Manifests with so many places, four for each distinct value; the same ones in every run."""
    drawn = random.Random(5)  # noqa: S311 - made-up values, the same in every run
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
    values = ["".join(drawn.choices(letters, k=28)) for _ in range(max(1, count // 4))]
    for number in range(count):
        folder = root / f"team{number % 100}/app{number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        value = values[number % len(values)]
        match number % 4:
            case 0:
                (folder / "compose.yaml").write_text(_COMPOSE.format(value))
            case 1:
                (folder / "secret.yaml").write_text(_SECRET.format(number, number % 100, value))
            case 2:
                (folder / "group.yaml").write_text(_GROUP.format(number, value))
            case _:
                (folder / "compose.yaml").write_text(_COMPOSE.format("${API_TOKEN}"))
                (folder / ".env").write_text(f"MODE=production\nAPI_TOKEN={value}\n")


def planning(root: Path, state: Path, count: int) -> Iterable[Figure]:
    write_places(root, count)
    words = [sys.executable, "-m", "secretscan", "plan", str(root), "--offline", "--identity", IDENTITY]
    words += ["--vault", "https://shop.vault.azure.net", "--output", str(state / "plan.json")]
    environment = {**os.environ, "SECRETSCAN_STATE_DIR": str(state)}
    output = [
        (os.POSIX_SPAWN_OPEN, handle, str(state / f"out{handle}"), os.O_CREAT | os.O_WRONLY, 0o600) for handle in (1, 2)
    ]
    begin = time.monotonic()
    child = os.posix_spawn(sys.executable, words, environment, file_actions=output)
    _, status, usage = os.wait4(child, 0)
    wall = time.monotonic() - begin
    said = (state / "out2").read_text()
    assert os.waitstatus_to_exitcode(status) == 0, said
    assert f"{count} places can move" in said, said
    yield Figure(f"a plan over {count:,} places, wall clock", wall, "s", PLAN_S)
    yield Figure("the same, CPU", usage.ru_utime + usage.ru_stime, "s")
    yield Figure("the same, memory", usage.ru_maxrss / 1024, "MiB", PLAN_MIB)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--places", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--table", metavar="FILE", help="put the table between the markers of this file")
    options = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        for name in ("places", "state", "manifests"):
            (folder / name).mkdir()
        # The plan first: a process starts with its parent's peak of memory as its own, and this one grows later.
        figures += planning(folder / "places", folder / "state", options.places)
        shutil.rmtree(folder / "places")
        figures += reading(folder / "manifests", options.files, options.rounds)
    lines = [f"| {'what':<52} |   figure | unit   | budget |", "| --- | ---: | --- | ---: |"]
    for each in figures:
        budget = f"{each.budget:.0f}" if each.budget else ""
        lines.append(f"| {each.name:<52} | {each.value:8.1f} | {each.unit:<6} | {budget:>6} |")
    text = "\n".join(lines)
    print(text)
    if options.table:
        put(Path(options.table), "benchmarks/manifests.py", text)
    over = [each.name for each in figures if each.over]
    if over:
        print(f"over the budget: {', '.join(over)}", file=sys.stderr)
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
