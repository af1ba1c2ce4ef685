"""Every folder of `fixtures/<platform>/` through its rewriter, and through all of its promises.

The format of a case is in `docs/architecture.md`. A new case is a new folder and no code.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

import rewriters
from rewriters import Assignment, Reference, Requirement, Rewriter, Settings, Slot, Span, claimants
from rewriters.check import check

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
VAULT = "https://shop.vault.azure.net"
CASES = sorted(
    folder
    for platform in rewriters.names()
    if (FIXTURES / platform).is_dir()
    for folder in (FIXTURES / platform).iterdir()
    if folder.is_dir()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    path: str
    pointer: str
    name: str
    part: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    path: str
    pointer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    kind: Any
    path: str
    name: str
    secret: str

    def requirement(self) -> Requirement:
        return Requirement(self.kind, self.path, self.name, Reference(VAULT, self.secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`case.toml`: each key of it is a field here, so that a misspelt one fails."""

    description: str
    source: str
    settings: Settings
    move: tuple[Move, ...] = ()
    refused: tuple[Refused, ...] = ()
    requires: tuple[Required, ...] = ()
    requires_out: tuple[Required, ...] = ()
    provides: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def load(file: Path) -> Case:
    table = tomllib.loads(file.read_text("utf-8"))
    for key, kind in (("move", Move), ("refused", Refused), ("requires", Required), ("requires_out", Required)):
        table[key] = tuple(kind(**entry) for entry in table.get(key, ()))
    table["settings"] = Settings(**table.get("settings", {}))
    for key in ("provides", "notes"):
        table[key] = tuple(table.get(key, ()))
    return Case(**table)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def slot_of(rewriter: Rewriter, files: dict[str, bytes], move: Move) -> Slot:
    data = files[move.path]
    assert rewriter.claims(move.path, data[: rewriters.HEAD]), f"{move.path} is not claimed"
    slots = rewriter.slots(move.path, data)
    found = [slot for slot in slots if slot.pointer == move.pointer]
    assert found, f"no slot {move.pointer} among {[slot.pointer for slot in slots]}"
    return found[0]


def assignment(rewriter: Rewriter, files: dict[str, bytes], move: Move) -> Assignment:
    slot = slot_of(rewriter, files, move)
    part = None
    if move.part:
        text = move.part.encode()
        at = slot.value.reveal().find(text)
        assert at >= 0, f"{move.pointer} does not hold its part"
        part = Span(at, at + len(text))
    return Assignment(slot, Reference(VAULT, move.name, move.version), part)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_case(folder: Path) -> None:
    case = load(folder / "case.toml")
    assert case.description and case.source
    others = {entry.name for entry in folder.iterdir()} - {"case.toml", "in", "out"}
    assert not others, "a case has case.toml, in/ and out/ only"
    rewriter = rewriters.by_name(folder.parent.name)
    files = tree(folder / "in")
    expected = tree(folder / "out") if (folder / "out").is_dir() else {}
    assert files, "a case has files"
    assert all(files.get(path) != data for path, data in expected.items()), "out/ holds only what differs"

    report = check(
        rewriter,
        files,
        [assignment(rewriter, files, move) for move in case.move],
        settings=case.settings,
        requirements=[need.requirement() for need in case.requires],
    )

    rewrite = report.rewrites[rewriter.NAME]
    refusals = sorted((refusal.path, refusal.pointer) for refusal in rewrite.refusals)
    assert refusals == sorted((item.path, item.pointer) for item in case.refused)
    for refused in case.refused:
        reasons = [
            item.reason for item in rewrite.refusals if (item.path, item.pointer) == (refused.path, refused.pointer)
        ]
        assert all(refused.reason in reason for reason in reasons), reasons
    changed = {path: data for path, data in report.after.items() if files.get(path) != data}
    assert sorted(changed) == sorted(expected)
    for path, data in changed.items():
        assert data == expected[path], path
    assert not report.broken, "\n".join(map(str, report.broken))
    assert not report.not_undoable, report.not_undoable
    assert not report.unproven or not case.move, report.unproven
    assert {item.requirement() for item in case.requires_out} == set(rewrite.requires)
    assert sorted(case.provides) == sorted({need.name for need in rewrite.provides})
    for note in case.notes:
        assert any(note in said for said in rewrite.notes), rewrite.notes


@pytest.mark.parametrize("platform", rewriters.names())
def test_every_platform_has_cases_and_a_page(platform: str) -> None:
    mine = [folder for folder in CASES if folder.parent.name == platform]
    assert any(not load(folder / "case.toml").move for folder in mine), "no case in which nothing changes"
    assert any(load(folder / "case.toml").move for folder in mine), "no case in which something moves"
    assert (ROOT / "docs" / "platforms" / f"{platform}.md").is_file()


def test_every_folder_of_cases_belongs_to_a_platform() -> None:
    folders = {folder.parent.parent.name for folder in FIXTURES.glob("*/*/case.toml")}
    assert folders <= set(rewriters.names())


def test_a_case_is_claimed_by_its_platform() -> None:
    for folder in CASES:
        files = tree(folder / "in")
        claimed = [
            path
            for path, data in files.items()
            if folder.parent.name in {rewriter.NAME for rewriter in claimants(path, data[: rewriters.HEAD])}
        ]
        assert claimed or not load(folder / "case.toml").move, folder.name


def test_the_fields_of_a_case_are_those_of_the_document() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for field in fields(Case):
        assert field.name in document
