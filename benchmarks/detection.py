"""How well and how fast detection works: `python benchmarks/detection.py`.

Quality is measured on the labelled development set with its own scorer; without the set that part is skipped by name.
`--set DIR` says where it is, `--speed DIR` measures the speed on another tree, `--show N` lists misses and false finds.
Nothing of a value is printed.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from secretscan.detect.scan import Detector  # noqa: E402
from secretscan.sources.tree import TreeFile, walk  # noqa: E402

FORMATS = ("k8s", "compose", "env")
"""The development set's names for formats of the five platforms; it has no Dockerfile and no container group."""

GOAL = 0.9


@dataclass(frozen=True)
class Text:
    """A text as a file."""

    path: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


def scorer_input(tree: Path, keep: set[str] | None) -> str:
    """One line for each finding in the files to keep (all without `keep`), as the scorer reads them. Without the
    values: the scorer would only count how many are equal to the label's, and they would stand in a file."""
    detector = Detector()
    lines = []
    for item in walk(tree):
        if isinstance(item, TreeFile) and (keep is None or item.path in keep):
            for found in detector.scan(item).findings:
                place = found.location
                row = {"file": f"real/{place.path}", "line": place.line, "end_line": place.end_line, "rule": found.rule}
                lines.append(json.dumps(row))
    return "".join(f"{line}\n" for line in lines)


def filtered(folder: Path, formats: tuple[str, ...]) -> tuple[set[str], dict[str, str]]:
    """The paths of these formats; and the label files with their rows alone."""
    with (folder / "files.csv").open(encoding="utf-8", newline="") as handle:
        files = [row for row in csv.DictReader(handle) if row["format"] in formats]
    wanted = {(row["corpus"], row["file"]) for row in files}
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as handle:
        labels = [row for row in csv.DictReader(handle) if (row["corpus"], row["file"]) in wanted]
    texts = {}
    for name, rows in (("files.csv", files), ("labels.csv", labels)):
        out = io.StringIO()
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        texts[name] = out.getvalue()
    return {f"{corpus.replace('/', '__')}/{file}" for corpus, file in wanted}, texts


def quality(folder: Path, show: int) -> bool:
    """Prints the figures; says whether recall and precision reach the goal on the platforms' files."""
    keep, labels = filtered(folder, FORMATS)
    reached = False
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for file, text in labels.items():
            (work / file).write_text(text, "utf-8")
        for title, root, kept in (("the platforms' files", work, keep), ("all files of the set", folder, None)):
            findings = work / "findings.jsonl"
            findings.write_text(scorer_input(folder / "real", kept), "utf-8")
            command = [sys.executable, str(folder / "score.py"), str(findings), "--root", str(root)]
            print(f"== {title}\n")
            sys.stdout.flush()
            subprocess.run([*command, "--show", str(show)], check=True)
            print()
            if kept is not None:
                scored = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
                overall = json.loads(scored.stdout)["overall"]
                reached = min(overall["recall"], overall["precision"]) >= GOAL
    return reached


def examples(file: Path) -> None:
    """Vendor tokens in short texts. Each is read twice: as a piece of code, and as settings."""
    detector = Detector()
    found: Counter[tuple[str, str]] = Counter()
    rows: Counter[str] = Counter()
    for line in file.read_text("utf-8").splitlines():
        example = json.loads(line)
        rows[example["group"]] += 1
        for path in ("text.py", "text.conf"):
            found[example["group"], path] += bool(detector.scan(Text(path, example["text"].encode())).findings)
    print("== short texts: how many have a finding\n")
    print(f"{'group':16}{'texts':>6}{'as code':>10}{'as settings':>13}")
    for group, count in sorted(rows.items()):
        print(f"{group:16}{count:6}{found[group, 'text.py']:10}{found[group, 'text.conf']:13}")
    print()


def speed(tree: Path) -> None:
    """Seconds of processor time for reading a tree, after a first file that loads rules and engine."""
    detector = Detector()
    start = time.process_time()
    detector.scan(Text("first.txt", b"x"))
    loading = time.process_time() - start
    files = size = findings = 0
    start = time.process_time()
    for item in walk(tree):
        if isinstance(item, TreeFile):
            findings += len(detector.scan(item).findings)
            files, size = files + 1, size + item.size
    spent = time.process_time() - start
    print(f"== speed on {tree.name}: {files} files, {size / 1e6:.1f} MB, {findings} findings\n")
    print(f"rules and engine {loading:.3f} s; scan {spent:.2f} s CPU, {size / 1e6 / max(spent, 1e-9):.0f} MB/s")
    print(f"engine: {detector.engine}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--set", type=Path, default=ROOT.parent / "shared/devset", help="the development set")
    parser.add_argument("--speed", type=Path, help="a tree to measure the speed on (default: the set's, or this one)")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="list the first N misses and false finds")
    options = parser.parse_args()
    status = 0
    real = options.set / "real"
    if (options.set / "score.py").is_file():
        status = 0 if quality(options.set, options.show) else 1
        if (options.set / "examples.jsonl").is_file():
            examples(options.set / "examples.jsonl")
    else:
        print(f"skipped: quality, since there is no development set at {options.set} (--set says where it is)")
    speed(options.speed or (real if real.is_dir() else ROOT))
    return status


if __name__ == "__main__":
    sys.exit(main())
