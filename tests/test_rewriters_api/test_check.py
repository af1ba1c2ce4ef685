"""The checker itself: a small correct rewriter passes, and each promise that it breaks is told, without a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rewriters import (
    Address,
    Assignment,
    Companion,
    Delivery,
    Edit,
    Files,
    Lookup,
    Plaintext,
    Reference,
    Refusal,
    Request,
    Requirement,
    Rewrite,
    Slot,
    Span,
    Unreadable,
    Variable,
)
from rewriters.check import Promise, Report, check

VALUE = b"w9.Trumpet-Lagoon"
VAULT = "https://shop.vault.azure.net"
FILE = b"# lines\nuser=anna\npassword=" + VALUE + b"\nport=1\n"
MARK = b"vault:"


@dataclass(frozen=True)
class Lines:
    """`key=value` lines; a value `vault:NAME` is a reference. Each field is one thing to do wrong."""

    NAME = "lines"
    slots_fault: Callable[[Slot], Slot] = lambda slot: slot
    rewrite_fault: Callable[[Request, Rewrite], Rewrite] = lambda request, rewrite: rewrite
    effective_fault: Callable[[Delivery], Delivery | None] = lambda delivery: delivery
    breaks: bool = False

    def claims(self, path: str, head: bytes) -> bool:
        return path.endswith(".lines")

    def slots(self, path: str, data: bytes) -> tuple[Slot, ...]:
        if self.breaks and MARK in data:
            raise Unreadable("not lines any more", 2)
        result: list[Slot] = []
        at = 0
        for line in data.splitlines(keepends=True):
            key, sign, value = line.rstrip(b"\r\n").partition(b"=")
            start = at + len(key) + 1
            at += len(line)
            if sign:
                span = Span(start, start + len(value))
                name = key.decode()
                slot = Slot("lines", path, name, name, Plaintext(value), span, span, ("raw",), "env", ("vault",))
                result.append(self.slots_fault(slot))
        return tuple(result)

    def rewrite(self, request: Request) -> Rewrite:
        edits: list[Edit] = []
        for item in request.assignments:
            edits.append(Edit(item.slot.path, item.slot.span, MARK + item.reference.name.encode()))
        return self.rewrite_fault(request, Rewrite(tuple(edits)))

    def effective(self, files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
        result: list[Delivery] = []
        for path, data in files.items():
            for line in data.decode().splitlines() if self.claims(path, b"") else ():
                key, sign, text = line.partition("=")
                if sign:
                    named = text.startswith("vault:")
                    value = lookup(Reference(VAULT, text[6:])) if named else Plaintext(text.encode())
                    delivery = self.effective_fault(Delivery(Address(path, path, "env", key), value))
                    result += [delivery] if delivery is not None else []
        return tuple(result)


def run(rewriter: Any, **more: Any) -> Report:
    files = {"a.lines": FILE, "other.txt": b"kept"}
    slot = next(slot for slot in Lines().slots("a.lines", FILE) if slot.key == "password")
    return check(rewriter, files, [Assignment(slot, Reference(VAULT, "shop-password"))], **more)


def told(report: Report) -> set[Promise]:
    assert VALUE.decode() not in repr(report)
    return {item.promise for item in report.broken}


def edited(change: Callable[[Edit], Edit]) -> Callable[[Request, Rewrite], Rewrite]:
    return lambda request, rewrite: replace(rewrite, edits=tuple(change(edit) for edit in rewrite.edits))


def added(**more: Any) -> Callable[[Request, Rewrite], Rewrite]:
    return lambda request, rewrite: replace(rewrite, **more) if request.assignments else rewrite


def always(**more: Any) -> Callable[[Request, Rewrite], Rewrite]:
    return lambda request, rewrite: replace(rewrite, **more)


def test_a_correct_rewriter_breaks_nothing() -> None:
    report = run(Lines())
    assert told(report) == set()
    assert not report.not_undoable
    assert report.after == {"a.lines": FILE.replace(VALUE, b"vault:shop-password"), "other.txt": b"kept"}
    assert report.refused == 0


WHOLE = Edit("a.lines", Span(0, len(FILE)), FILE.replace(VALUE, b"vault:shop-password"))
REFUSAL = Refusal("a.lines", "password", "it is so", "do that")

FAULTS: dict[str, tuple[Promise, Lines]] = {
    "span beside the value": (
        "slots",
        Lines(slots_fault=lambda it: replace(it, span=Span(it.span.start, it.span.end - 1))),
    ),
    "encoding that does not decode": ("slots", Lines(slots_fault=lambda it: replace(it, encoding=("base64",)))),
    "one pointer for all": ("slots", Lines(slots_fault=lambda it: replace(it, pointer="password"))),
    "literal inside of the span": ("slots", Lines(slots_fault=lambda it: replace(it, literal=Span(0, 1)))),
    "no target and no reason": ("slots", Lines(slots_fault=lambda it: replace(it, targets=()))),
    "another platform's name": ("slots", Lines(slots_fault=lambda it: replace(it, platform="other"))),
    "edits when nothing is asked": ("no-op", Lines(rewrite_fault=always(edits=(WHOLE,)))),
    "notes when nothing is asked": ("no-op", Lines(rewrite_fault=always(notes=("hello",)))),
    "the file printed anew": ("edits", Lines(rewrite_fault=added(edits=(WHOLE,)))),
    "an edit outside": ("edits", Lines(rewrite_fault=edited(lambda it: replace(it, span=Span(5, 900))))),
    "an edit of another file": ("edits", Lines(rewrite_fault=edited(lambda it: replace(it, path="gone.lines")))),
    "edits that overlap": ("edits", Lines(rewrite_fault=lambda _, it: replace(it, edits=it.edits * 2))),
    "foreign line breaks": (
        "edits",
        Lines(rewrite_fault=edited(lambda it: replace(it, replacement=it.replacement + b"\r\n"))),
    ),
    "neither done nor refused": ("answers", Lines(rewrite_fault=added(edits=()))),
    "done and refused": ("answers", Lines(rewrite_fault=added(refusals=(REFUSAL,)))),
    "a refusal of something else": (
        "answers",
        Lines(rewrite_fault=added(refusals=(replace(REFUSAL, pointer="port"),))),
    ),
    "a refusal without alternative": (
        "answers",
        Lines(rewrite_fault=added(edits=(), refusals=(replace(REFUSAL, alternative=""),))),
    ),
    "provides what nobody required": (
        "answers",
        Lines(rewrite_fault=added(provides=(Requirement("runtime-variable", "D", "P", Reference(VAULT, "p")),))),
    ),
    "a result that cannot be read": ("parses", Lines(breaks=True)),
    "the value in a comment": (
        "gone",
        Lines(rewrite_fault=edited(lambda it: replace(it, replacement=it.replacement + b" # " + VALUE))),
    ),
    "the value in base64": (
        "gone",
        Lines(rewrite_fault=edited(lambda it: replace(it, replacement=it.replacement + b"dzkuVHJ1bXBldC1MYWdvb24="))),
    ),
    "the value in a companion": (
        "gone",
        Lines(rewrite_fault=added(companions=(Companion("b.txt", b"x " + VALUE, ""),))),
    ),
    "the value in a note": ("gone", Lines(rewrite_fault=added(notes=(f"was {VALUE.decode()}",)))),
    "an edit beside the value": (
        "gone",
        Lines(rewrite_fault=edited(lambda it: replace(it, span=Span(it.span.end, it.span.end), replacement=b""))),
    ),
    "the wrong reference": (
        "same",
        Lines(rewrite_fault=edited(lambda it: replace(it, replacement=b"vault:shop-user"))),
    ),
    "a variable lost": (
        "same",
        Lines(rewrite_fault=edited(lambda it: replace(it, span=Span(it.span.start - 9, it.span.end)))),
    ),
    "two values at one address": (
        "same",
        Lines(effective_fault=lambda it: replace(it, address=Address("a", "a", "env", "a"))),
    ),
    "a second run that goes on": (
        "stable",
        Lines(
            rewrite_fault=lambda request, it: replace(
                it, companions=(Companion("b.txt", b"y" * len(request.files), ""),)
            )
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_broken_promise_is_told(fault: str) -> None:
    promise, rewriter = FAULTS[fault]
    assert promise in told(run(rewriter))


def test_a_refusal_is_an_answer() -> None:
    report = run(Lines(rewrite_fault=added(edits=(), refusals=(REFUSAL,))))
    assert told(report) == set()
    assert report.refused == 1
    assert report.after["a.lines"] == FILE


def test_what_undo_cannot_give_back_is_listed() -> None:
    """The replaced text holds the value once more, at a place that no slot names."""
    doubled = FILE.replace(b"\nport", b"\n# was " + VALUE + b"\nport")
    slot = next(slot for slot in Lines().slots("a.lines", doubled) if slot.key == "password")
    wide = Lines(rewrite_fault=edited(lambda it: replace(it, span=Span(it.span.start, doubled.index(b"\nport")))))
    report = check(wide, {"a.lines": doubled}, [Assignment(slot, Reference(VAULT, "shop-password"))])
    assert told(report) == set()
    assert [item.pointer for item in report.not_undoable] == ["password"]
    assert VALUE.decode() not in repr(report.not_undoable)


def test_an_unreadable_file_takes_no_part() -> None:
    report = check(Lines(breaks=True), {"a.lines": FILE, "b.lines": b"x=vault:y\n"})
    assert report.unreadable == ("b.lines",)
    assert told(report) == set()


def test_variables_bring_the_fetch_script_along() -> None:
    wanted = Variable("", "SHOP_PASSWORD", Reference(VAULT, "shop-password"))
    report = run(Lines(rewrite_fault=added(variables=(wanted,))))
    assert told(report) == set()
    assert set(report.after) == {"a.lines", "other.txt", "fetch-secrets.sh"}


def test_one_name_cannot_stand_for_two_values() -> None:
    slots = Lines().slots("a.lines", FILE)
    with pytest.raises(ValueError, match="shop-password is asked to stand for two values"):
        check(Lines(), {"a.lines": FILE}, [Assignment(slot, Reference(VAULT, "shop-password")) for slot in slots])


@pytest.mark.parametrize(
    ("left", "broken"), [(b" # postgres", True), (b" # cG9zdGdyZXM=", True), (b" # postgres-password", False)]
)
def test_an_ordinary_word_is_searched_for_where_it_was_moved_from(left: bytes, broken: bool) -> None:
    weak = b"user=anna\npassword=postgres\n"
    rewriter = Lines(rewrite_fault=edited(lambda it: replace(it, replacement=it.replacement + left)))
    (slot,) = (slot for slot in rewriter.slots("a.lines", weak) if slot.key == "password")
    report = check(rewriter, {"a.lines": weak}, [Assignment(slot, Reference(VAULT, "db"))])
    assert ("gone" in {item.promise for item in report.broken}) == broken
