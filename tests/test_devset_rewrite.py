"""Every promise of rewriting, over real deployment files: all platforms, a repository's folder at a time.

The files are not part of the project; without them these tests are skipped, by name. What is refused is counted and
said at the end of the run.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import rewriters
from rewriters import Assignment, Reference, Rewrite, Slot, splice
from rewriters.check import Report, check_together
from secretscan import api
from secretscan.detect.survey import Root, Survey, survey
from secretscan.inventory.ids import Ids
from secretscan.plan.candidates import Candidate, candidates, carried
from secretscan.vault.server import EmbeddedVault

REAL = Path(__file__).parents[2] / "shared" / "devset" / "real"
FOLDERS = sorted(folder.name for folder in REAL.iterdir() if folder.is_dir()) if REAL.is_dir() else ["real"]
VAULT = "https://devset.vault.azure.net"
IDS = Ids(b"a key of the tests, for names only")

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the real deployment files, ../shared/devset, are not here")

Told = Callable[[str, object], None]


@pytest.fixture(scope="module")
def read() -> Callable[[str], Survey]:
    """Scans a repository's folder, once."""
    known: dict[str, Survey] = {}

    def of(name: str) -> Survey:
        if name not in known:
            known[name] = survey(Root(REAL / name))
        return known[name]

    return of


@pytest.mark.parametrize("name", FOLDERS)
def test_nothing_to_do_changes_nothing(name: str, read: Callable[[str], Survey], record_property: Told) -> None:
    found = read(name)
    for path, data in found.claimed.items():
        for rewriter in rewriters.claimants(path, data[: rewriters.HEAD]):
            rewrite = rewriter.rewrite(rewriters.Request({path: data}, ()))
            assert rewrite == Rewrite()
            assert splice(data, rewrite.edits) is data
    report = check_together(found.claimed)
    assert not report.broken, _shown(report)
    assert report.after == found.claimed
    record_property("devset claimed files", len(found.claimed))
    record_property("devset unreadable files", len(report.unreadable))


@pytest.mark.parametrize("name", FOLDERS)
def test_everything_found_moves_and_comes_back(name: str, read: Callable[[str], Survey], record_property: Told) -> None:
    found = read(name)
    places, stay = candidates(found.findings, IDS, placeholders=True)
    places, report = _settled(found, places)
    assert not report.broken, _shown(report)
    assert not report.not_undoable, report.not_undoable
    record_property("devset platforms of a folder that prove nothing", len(report.unproven))
    refused = Counter(refusal.reason for rewrite in report.rewrites.values() for refusal in rewrite.refusals)
    record_property("devset places assigned", len(places))
    record_property("devset places moved", len(places) - refused.total())
    record_property("devset places refused", refused.total())
    record_property("devset places that take no reference", len(stay))
    for reason, count in refused.items():
        record_property(f"devset refused: {reason}", count)
    for item in stay:
        record_property(f"devset stays: {item.reason}", 1)


def _settled(found: Survey, places: list[Candidate]) -> tuple[list[Candidate], Report]:
    """Assigns everything; what a place needs to move along is assigned, too, while that makes a difference."""
    for _ in range(10):
        report = check_together(found.claimed, [_assignment(item) for item in places])
        assigned = {item.where for item in places}
        slots = {(slot.path, slot.pointer): slot for held in found.slots.values() for slot in held}
        more: dict[tuple[str, str], Slot] = {}
        for rewrite in report.rewrites.values():
            for refusal in rewrite.refusals:
                for pointer in refusal.needs:
                    slot = slots.get((refusal.path, pointer))
                    if slot is not None and slot.targets and not slot.value.empty():
                        more[refusal.path, pointer] = slot
        wanted = [slot for where, slot in more.items() if where not in assigned]
        if not wanted:
            break
        places = [*places, *(carried(slot, 0, IDS) for slot in wanted)]
    return places, report


def _assignment(item: Candidate) -> Assignment:
    return Assignment(item.slot, Reference(VAULT, f"s-{item.id}"), item.part)


def _shown(report: Report) -> str:
    return "\n".join(map(str, report.broken))


BOM = b"\xef\xbb\xbf"
VARIANTS: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda data: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "byte order mark": lambda data: BOM + data.removeprefix(BOM),
    "no last line break": lambda data: data.rstrip(b"\r\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", FOLDERS)
def test_everything_found_moves_in_other_spellings_of_the_files(name: str, variant: str, tmp_path: Path) -> None:
    for file in (REAL / name).rglob("*"):
        if file.is_file():
            copy = tmp_path / file.relative_to(REAL / name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(VARIANTS[variant](file.read_bytes()))
    found = survey(Root(tmp_path))
    places, _ = candidates(found.findings, IDS, placeholders=True)
    _, report = _settled(found, places)
    assert not report.broken, _shown(report)
    assert not report.not_undoable, report.not_undoable


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_the_whole_loop(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Told) -> None:
    """Scan, plan, apply, prove and undo against the embedded vault, on a copy."""
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / name
    shutil.copytree(REAL / name, root, copy_function=shutil.copyfile)
    before = _contents(root)
    scan = api.scan([str(root)])
    assert scan.outcome in (api.Outcome.CLEAN, api.Outcome.LEAKS, api.Outcome.INCOMPLETE)
    with EmbeddedVault(("devset",)) as server:
        url = server.azure_url("devset")
        with server.client() as vault:
            plan = api.plan([str(root)], url, vault).plan
            record_property("devset loop: files rewritten", len(plan.files))
            record_property("devset loop: places moved", len(plan.moves))
            record_property("devset loop: places left", len(plan.left))
            if not plan.moves:
                assert not plan.files
                return
            done = api.apply(plan, vault)
            assert done.proof.holds, (done.proof.differences, done.proof.leftovers)
            changed = {path for path, data in _contents(root).items() if before.get(path) != data}
            assert changed == {file.path for file in plan.files} | {item.path for item in plan.companions}
            assert not api.plan([str(root)], url, vault).plan.files
            undone = api.undo(root, done.run, vault)
            assert not undone.kept
            assert _contents(root) == before


def _contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".secretscan" not in path.parts
    }
