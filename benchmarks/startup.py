"""What starting costs: CPU time of `--help` and of `scan` of an empty folder, above the bare interpreter.

    python benchmarks/startup.py [RUNS]

All three run in turn, so that a busy machine slows them alike; CPU time is user plus system, of the process alone.
Exits 1 when the median is over the budget. The first run of each does not count: it writes byte code, which goes to a
temporary folder, so that what is measured is an installed program whatever the environment says about byte code.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

RUNS = 101
"""Enough that a stretch of seconds in which a shared machine is slow does not decide the median."""


@dataclass(slots=True)
class Case:
    """A command line and its budget in milliseconds of CPU above the bare interpreter."""

    name: str
    argv: list[str]
    budget: float
    times: list[float] = field(default_factory=list)


def cpu_milliseconds(argv: list[str], folder: str) -> float:
    """User and system time of one process."""
    to_null = [
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"HOME": folder, "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
    child = os.posix_spawn(sys.executable, [sys.executable, *argv], environment, file_actions=to_null)
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: python {' '.join(argv)}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty")
        empty.mkdir()
        cases = [
            Case("bare interpreter", ["-c", "pass"], 0),
            Case("--help", ["-m", "secretscan", "--help"], 25),
            Case("scan of an empty folder", ["-m", "secretscan", "scan", str(empty)], 50),
        ]
        for turn in range(runs + 1):
            for case in cases:
                taken = cpu_milliseconds(case.argv, folder)
                if turn:
                    case.times.append(taken)
    bare = cases[0]
    base, lowest = statistics.median(bare.times), min(bare.times)
    print(f"| {'CPU ms, ' + str(runs) + ' runs in turn':<28} | median |    min | above bare | min above | budget |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    over = False
    for case in cases:
        median, least = statistics.median(case.times), min(case.times)
        above = median - base
        over |= case is not bare and above > case.budget
        budget = "" if case is bare else f"{case.budget:.0f}"
        print(
            f"| {case.name:<28} | {median:6.1f} | {least:6.1f} | {above:10.1f} | {least - lowest:9.1f} | {budget:>6} |"
        )
    if over:
        print("over the budget", file=sys.stderr)
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
