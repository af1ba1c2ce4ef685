"""What `secretscan review` costs on 50,000 findings, against a Textual application that shows one word.

    python benchmarks/review.py [--places 50000] [--rounds 5] [--table FILE]

A tree with that many findings is written to a temporary folder and scanned once. Then both applications are started in
turn, each in a process and a pseudo-terminal of its own, so that a busy machine slows them alike. CPU time is that of
the whole process, all threads, from its first instruction. A key costs what the process spends until it has drawn the
answer; `with its detail` is all until the screen has rested, with the reading of the file. A key that is held down
comes thirty times a second and pays for everything. For the stalls a tree without an inventory is opened, and a clock
in the interface's own loop says how late it was called while the scan's findings streamed in; the empty application
has the same scan running beside it.

Exits 1 when a figure is over its budget. The first run of each does not count: it writes byte code.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _page import put

if TYPE_CHECKING:
    from textual.app import App

PLACES = 50_000
SIZE = (140, 45)
FIRST_SCREEN_MS = 250.0
"""CPU until findings can be read, above the empty application's first screen."""
KEY_MS = 20.0
"""CPU of any key."""
FILTER_MS = 30.0
"""CPU of a letter in the filter."""
MEMORY_MB = 100.0
"""Resident memory at its highest, of the whole process."""
STALL_MS = 150.0
"""The longest that the interface does not answer while a scan streams in, wall clock."""

KEYS = (
    *("down", "up", "pagedown", "pageup", "end", "home", "enter", "down", "n", "space", "a", "a"),
    *("z", "z", "g", "g", "g"),
)
"""The keys of the review screen that do something with the list. Enter unfolds a group, g groups anew."""
FILTERS = ("kind:token", "deploy/12", "!weak", "platform:kubernetes secret-7")
_PER_FILE = 20
_REST_S = 0.12
"""Seconds without a frame after which the screen rests: the detail is read 50 ms after the cursor moved."""


# The tree


def write_tree(root: Path, places: int) -> None:
    """Manifests with so many findings, about three places for each distinct value; the same ones in every run."""
    drawn = random.Random(4)  # noqa: S311 - made-up values, the same in every run
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
    values = ["".join(drawn.choices(letters, k=28)) for _ in range(max(1, places // 3))]
    for number in range(0, places, _PER_FILE):
        folder = root / f"deploy/{number // _PER_FILE % 100}"
        folder.mkdir(parents=True, exist_ok=True)
        here = [(at, drawn.choice(values)) for at in range(number, min(places, number + _PER_FILE))]
        if number // _PER_FILE % 3 == 0:
            text = "".join(f"SERVICE_{at}_{('TOKEN', 'PASSWORD')[at % 2]}={value}\n" for at, value in here)
            (folder / f"{number}.env").write_text(text)
        elif number // _PER_FILE % 3 == 1:
            text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: secret\nstringData:\n"
            text += "".join(f"  service-{at}-{('token', 'password')[at % 2]}: {value}\n" for at, value in here)
            (folder / f"secret-{number}.yaml").write_text(text)
        else:
            text = "services:\n  app:\n    image: registry.example/app:1\n    environment:\n"
            text += "".join(f"      SERVICE_{at}_{('TOKEN', 'PASSWORD')[at % 2]}: {value}\n" for at, value in here)
            (folder / f"compose-{number}.yaml").write_text(text)


# In the child: one application that measures itself


class Meter:
    """CPU of this process at the frames that it draws."""

    def __init__(self) -> None:
        self.result: dict[str, Any] = {}
        self.frame_at = time.monotonic()
        self.answered: float | None = None
        self.answers: Callable[[], bool] = bool
        self.gaps: list[float] = []

    def frame(self, readable: bool) -> None:
        self.frame_at = time.monotonic()
        if self.answered is None and self.answers():
            self.answered = time.process_time()
        if readable and "first" not in self.result:
            self.result["first"] = time.process_time() * 1000

    async def rested(self) -> None:
        while time.monotonic() - self.frame_at < _REST_S:
            await asyncio.sleep(0.02)

    async def press(self, app: App[Any], key: str, answers: Callable[[], bool] = lambda: True) -> tuple[float, float]:
        """What a key costs, in milliseconds of CPU: until the first picture that `answers` it, and until the screen
        rests; the second less what resting costs."""
        self.answers = answers
        resting = time.process_time()
        await asyncio.sleep(_REST_S)
        resting = (time.process_time() - resting) / _REST_S
        before, since = time.process_time(), time.monotonic()
        self.frame_at, self.answered = since, None
        app.simulate_key(key)
        await self.rested()
        answered = (self.answered or time.process_time()) - before
        spent = time.process_time() - before - resting * (time.monotonic() - since)
        return answered * 1000, max(answered, spent) * 1000

    async def hold(self, app: App[Any], key: str, times: int = 60) -> float:
        """What each time costs of a key that is held down, in milliseconds of CPU."""
        before = time.process_time()
        for _ in range(times):
            app.simulate_key(key)
            await asyncio.sleep(1 / 30)
        return (time.process_time() - before) * 1000 / times

    async def watch(self) -> None:
        """How late this loop calls, for as long as it is watched."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            self.gaps.append((time.perf_counter() - before - 0.005) * 1000)


def child(what: str, root: str, output: str) -> None:
    meter = Meter()
    asked = _EMPTY if what.startswith("empty") else _REVIEW
    app = asked(meter, root, what)
    asyncio.run(app.run_async())
    if app._exception is not None:
        raise app._exception
    Path(output).write_text(json.dumps(meter.result))


def _EMPTY(meter: Meter, root: str, what: str) -> App[Any]:  # noqa: N802
    from textual.app import App, ComposeResult
    from textual.widgets import Static

    class Empty(App[None]):
        def compose(self) -> ComposeResult:
            yield Static("ready")

        def on_key(self) -> None:
            self.query_one(Static).update(f"ready {time.monotonic()}")

        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            meter.frame(readable=bool(screen.query(Static)))

        async def on_ready(self) -> None:
            self.run_worker(self.measure())

        async def measure(self) -> None:
            await meter.rested()
            if what == "empty-stream":
                from secretscan import api

                watching = asyncio.create_task(meter.watch())
                await asyncio.to_thread(api.scan, [root])
                watching.cancel()
                meter.result["gaps"] = sorted(meter.gaps)[-20:]
            else:
                # A key that changes something, as one that does nothing draws nothing.
                meter.result["keys"] = {"x": [await meter.press(self, "x") for _ in range(5)]}
            self.exit()

    return Empty()


def _REVIEW(meter: Meter, root: str, what: str) -> App[Any]:  # noqa: N802
    from secretscan import api
    from secretscan.tui.app import Options, ReviewApp
    from secretscan.tui.migration import Migration
    from secretscan.tui.start import collect_rarely
    from secretscan.tui.widgets.findings import Findings

    collect_rarely()
    options = Options(targets=(root,), scan=what == "review-stream")
    folder = api.root_of(options.targets)

    class Measured(ReviewApp):
        CSS_PATH = ReviewApp.CSS_PATH

        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            found = screen.query("#findings")
            meter.frame(readable=bool(found) and found.first().count > 0)

        async def on_ready(self) -> None:
            self.run_worker(self.measure())

        async def until(self, text: str) -> None:
            while text not in self.screen.status:  # type: ignore[attr-defined]
                await asyncio.sleep(0.05)

        async def measure(self) -> None:
            if what == "review-stream":
                watching = asyncio.create_task(meter.watch())
                started = time.monotonic()
                await self.until("files read")
                meter.result["seconds"] = time.monotonic() - started
                watching.cancel()
                meter.result["gaps"] = sorted(meter.gaps)[-20:]
                meter.result["places"] = len(self.screen.table)  # type: ignore[attr-defined]
                self.exit(0)
                return
            await self.until("known from the inventory")
            meter.result["loaded"] = time.process_time() * 1000
            meter.result["places"] = len(self.screen.table)  # type: ignore[attr-defined]
            await meter.rested()
            keys: dict[str, list[tuple[float, float]]] = {}
            drawn = 0
            update = Findings.update

            def counted(found: Findings, *rest: Any) -> None:
                nonlocal drawn
                update(found, *rest)
                drawn += 1

            Findings.update = counted  # type: ignore[method-assign]

            def another_list() -> Callable[[], bool]:
                before = drawn
                return lambda: drawn > before

            for key in KEYS:
                answers = another_list() if key in ("g", "enter") else lambda: True
                keys.setdefault(key, []).append(await meter.press(self, key, answers))
            meter.result["keys"] = keys
            meter.result["held"] = await meter.hold(self, "down")
            await meter.rested()
            letters: dict[str, list[tuple[float, float]]] = {}
            await meter.press(self, "slash")
            for text in FILTERS:
                spent = [await meter.press(self, _NAMES.get(letter, letter), another_list()) for letter in text]
                letters[text] = spent
                self.screen.query_one("#filter").value = ""  # type: ignore[attr-defined]
                await asyncio.sleep(0.05)
                await meter.rested()
            meter.result["filters"] = letters
            self.exit(0)

    return Measured(folder, options, Migration(folder, options))


_NAMES = {":": "colon", "/": "slash", "!": "exclamation_mark", " ": "space", "-": "minus"}


# In the parent


@dataclass(frozen=True, slots=True)
class Ran:
    """What a child said of itself, with the highest memory that it had."""

    result: dict[str, Any]
    memory_mb: float


def in_terminal(what: str, root: Path, folder: Path) -> Ran:
    """Runs one application in a pseudo-terminal that reads all that it draws."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    output = folder / "result.json"
    output.unlink(missing_ok=True)
    # Byte code is kept, whatever the environment says: what is measured is an installed program.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "HOME": str(folder),
        "SECRETSCAN_STATE_DIR": str(folder / "state"),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
    }
    errors = folder / "errors"
    with errors.open("wb") as stderr:
        running = subprocess.Popen(
            [sys.executable, __file__, "--child", what, str(root), str(output)],
            stdin=theirs,
            stdout=theirs,
            stderr=stderr,
            env=environment,
            start_new_session=True,
        )
    os.close(theirs)
    reader = threading.Thread(target=_drain, args=(ours,), daemon=True)
    reader.start()
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    reader.join(5)
    os.close(ours)
    if running.returncode or not output.exists():
        raise SystemExit(f"failed: {what}\n{errors.read_text('utf-8', 'replace')}")
    return Ran(json.loads(output.read_text()), usage.ru_maxrss / 1024)


def _drain(terminal: int) -> None:
    while True:
        try:
            if not os.read(terminal, 65536):
                return
        except OSError:
            return


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `budget` is 0 for what has none."""

    name: str
    unit: str
    ours: float
    empty: float | None
    judged: float
    budget: float

    @property
    def over(self) -> bool:
        return bool(self.budget) and self.judged > self.budget


def figures(empty: list[Ran], review: list[Ran], streams: list[Ran], bare: list[Ran]) -> Iterator[Figure]:
    def median(runs: list[Ran], *path: str) -> float:
        return statistics.median(float(_at(run.result, path)) for run in runs)

    first, floor = median(review, "first"), median(empty, "first")
    yield Figure("first screen that can be read", "ms CPU", first, floor, first - floor, FIRST_SCREEN_MS)
    yield Figure("all findings loaded", "ms CPU", median(review, "loaded"), floor, 0, 0)
    key_floor, rest_floor = (
        statistics.median(each[n] for run in empty for each in run.result["keys"]["x"]) for n in (0, 1)
    )
    for key in dict.fromkeys(KEYS):
        answered, rested = (
            statistics.median(statistics.median(each[n] for each in run.result["keys"][key]) for run in review)
            for n in (0, 1)
        )
        yield Figure(f"key {key}", "ms CPU", answered, key_floor, answered, KEY_MS)
        yield Figure(f"key {key} with its detail", "ms CPU", rested, rest_floor, 0, 0)
    held = median(review, "held")
    yield Figure("key down held down, each", "ms CPU", held, None, held, KEY_MS)
    letters = [
        statistics.median(run.result["filters"][text][at][0] for run in review)
        for text in FILTERS
        for at in range(len(text))
    ]
    dearest = max(letters)
    middle = statistics.median(letters)
    yield Figure("a letter in the filter", "ms CPU", middle, key_floor, middle, FILTER_MS)
    yield Figure("the dearest letter in the filter", "ms CPU", dearest, key_floor, 0, 0)
    memory = max(run.memory_mb for run in review)
    yield Figure("memory", "MB", memory, max(run.memory_mb for run in empty), memory, MEMORY_MB)
    stall = statistics.median(run.result["gaps"][-1] for run in streams)
    stall_floor = statistics.median(run.result["gaps"][-1] for run in bare)
    yield Figure("longest stall while a scan streams in", "ms", stall, stall_floor, stall, STALL_MS)
    late = statistics.median(run.result["gaps"][0] for run in streams)
    yield Figure("the twentieth longest", "ms", late, statistics.median(run.result["gaps"][0] for run in bare), 0, 0)
    memory = max(run.memory_mb for run in streams)
    yield Figure("memory after a scan", "MB", memory, max(run.memory_mb for run in bare), 0, 0)


def _at(result: dict[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        result = result[name]
    return result


def table(all_figures: list[Figure], places: int, rounds: int) -> Iterator[str]:
    name = f"{places:,} findings, {SIZE[0]}x{SIZE[1]}, median of {rounds}"
    yield f"| {name:<40} | unit   | review |  empty | judged | budget |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for each in all_figures:
        empty = f"{each.empty:.1f}" if each.empty is not None else ""
        judged, budget = (f"{each.judged:.1f}", f"{each.budget:.0f}") if each.budget else ("", "")
        yield f"| {each.name:<40} | {each.unit:<6} | {each.ours:6.1f} | {empty:>6} | {judged:>6} | {budget:>6} |"


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:5])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=PLACES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--table", metavar="FILE", help="put the table between the markers of this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        tree, fresh = folder / "tree", folder / "fresh"
        write_tree(tree, options.places)
        shutil.copytree(tree, fresh)
        runs: dict[str, list[Ran]] = {"empty": [], "review": [], "empty-stream": [], "review-stream": []}
        in_terminal("empty-stream", tree, folder)  # this makes the inventory, with the product's own scan
        for turn in range(options.rounds + 1):
            for what, done in runs.items():
                streams = what.endswith("-stream")
                if streams:
                    if turn > max(1, options.rounds // 2):
                        continue
                    shutil.rmtree(fresh / ".secretscan", ignore_errors=True)
                ran = in_terminal(what, fresh if streams else tree, folder)
                found = ran.result.get("places", options.places)
                assert abs(found - options.places) <= options.places // 50, f"{what} shows {found} places"
                if turn:
                    done.append(ran)
    listed = list(figures(runs["empty"], runs["review"], runs["review-stream"], runs["empty-stream"]))
    text = "\n".join(table(listed, options.places, options.rounds))
    print(text)
    if options.table:
        put(Path(options.table), "benchmarks/review.py", text)
    over = [each.name for each in listed if each.over]
    if over:
        print(f"over the budget: {', '.join(over)}", file=sys.stderr)
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
