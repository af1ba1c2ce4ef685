"""The fourth step: every change as a diff, to be accepted or refused by file or by secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.timer import Timer
from textual.widgets import Static

from secretscan.errors import printable
from secretscan.model import Unscanned
from secretscan.tui.actions import bindings
from secretscan.tui.migration import Step
from secretscan.tui.screens.base import Dialog
from secretscan.tui.screens.wizard import WizardScreen, key_of, many
from secretscan.tui.widgets.lines import Lines, Para
from secretscan.tui.widgets.rows import Piece, Rows, fit

if TYPE_CHECKING:
    from secretscan.plan.build import Draft
    from secretscan.plan.document import Left, Plan
    from secretscan.plan.saved import Saved

__all__ = ["LeftDialog", "PreviewScreen"]

_REST_S: Final = 0.8
"""Seconds after the last refusal before the plan is made anew."""


@dataclass(frozen=True, slots=True)
class Row:
    """A file or a secret: `key` is its path or id, `what` in a word what happens, `count` how many places."""

    key: str
    label: str
    what: str
    count: int
    refused: bool
    paths: tuple[str, ...]


class Changes(Rows):
    """The list; Enter goes into the diff."""

    BINDINGS = key_of("preview.diff")

    def action_diff(self) -> None:
        self.action_choose()


class LeftDialog(Dialog[None]):
    """What stays as it is: where, why, and what to do instead."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = "These places keep what they hold. Each says why, and the nearest honest alternative."

    def __init__(self, plan: Plan, unscanned: tuple[Unscanned, ...] = ()) -> None:
        super().__init__()
        self.plan = plan
        self.unscanned = unscanned

    def body(self) -> ComposeResult:
        places = len(self.plan.left)
        with Vertical(classes="box tall wide"):
            yield Static(f"Stays as it is: {many(places, 'place')}", classes="heading", markup=False)
            yield Lines(list(self._entries()), empty="nothing: everything that was found moves")

    def _entries(self) -> Iterator[list[Para]]:
        for left in self.plan.left:
            entry = [Para(_place(left), "heading"), Para(left.reason, label="  why: ")]
            if left.alternative:
                entry.append(Para(left.alternative, label="  do:  "))
            yield [*entry, Para("")]
        if self.unscanned:
            yield [Para("Could not be read, so the plan says nothing of it", "heading")]
        for item in self.unscanned:
            yield [Para(f"{item.path}: {item.reason}", label="  ")]


def _place(left: Left) -> str:
    return f"{left.path}:{left.line}  {left.pointer or left.key}".rstrip()


class PreviewScreen(WizardScreen):
    """Files or secrets on one side, the masked diff on the other."""

    STEP: ClassVar[Step] = "preview"
    SCOPE: ClassVar[str] = "preview"
    ABOUT: ClassVar[str] = (
        "Everything that would change, with values masked as ***. Space refuses a file, or with g a secret; what "
        "depends on it then stays, too, and i says why. Nothing has been changed yet."
    )
    BINDINGS = [*bindings("wizard"), *bindings("preview")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.by_secret = False
        self.rows: tuple[Row, ...] = ()
        self._timer: Timer | None = None

    def content(self) -> ComposeResult:
        with Container(id="sides"):
            with Vertical(id="changes-side"):
                yield Static(id="columns", classes="columns", markup=False)
                yield Changes(self._paint, id="changes", empty="  nothing changes; i lists what stays, and why")
            with Vertical(id="diff-side"):
                yield Lines(id="diff")

    def on_mount(self) -> None:
        self.query_one(Changes).focus()
        self._show()

    @property
    def draft(self) -> Draft:
        assert self.migration.draft is not None  # noqa: S101 - this step comes after planning
        return self.migration.draft

    @property
    def drafted(self) -> Plan:
        return self.draft.plan

    # the list

    def _show(self) -> None:
        here = self._row
        self.rows = tuple(self._in_order())
        keys = [row.key for row in self.rows]
        cursor = keys.index(here.key) if here is not None and here.key in keys else None
        self.query_one(Changes).show(len(self.rows), cursor)
        self._show_columns()
        self._show_diff()
        self._sum_up()
        self.refresh_bindings()

    def _in_order(self) -> list[Row]:
        """What is refused stays where it stood."""
        if self.by_secret:
            order = {id_: number for number, id_ in enumerate(self.migration.secrets)}
            return sorted(self._secrets(), key=lambda row: order.get(row.key, len(order)))
        return sorted(self._files(), key=lambda row: (row.what in ("new file", "extended"), row.key))

    def _sum_up(self) -> None:
        plan = self.drafted
        text = f"{many(len(plan.moves), 'place')} of {many(len(plan.secrets), 'secret')} move"
        text += f"; {many(len(plan.files), 'file')} change, {len(plan.companions)} made"
        self.say(f"{text}; {many(len(plan.left), 'place stays', 'places stay')} (i)" if plan.left else text)

    def _files(self) -> Iterator[Row]:
        plan, refused = self.drafted, self.migration.saved.choices.without_paths
        moves: dict[str, int] = {}
        for move in plan.moves:
            moves[move.path] = moves.get(move.path, 0) + 1
        made = {each.path: "new file" if each.was is None else "extended" for each in plan.companions}
        for diff in self.draft.diffs:
            yield Row(
                diff.path,
                diff.path,
                made.get(diff.path, "changes"),
                moves.get(diff.path, 0),
                diff.path in refused,
                (diff.path,),
            )
        there = {diff.path for diff in self.draft.diffs}
        for path in refused:
            if path not in there:
                yield Row(path, path, "stays", sum(left.path == path for left in plan.left), True, ())

    def _secrets(self) -> Iterator[Row]:
        plan, refused = self.drafted, self.migration.saved.choices.without_secrets
        places: dict[str, list[str]] = {}
        for move in plan.moves:
            places.setdefault(move.secret, []).append(move.path)
        for secret in plan.secrets:
            what = "there" if secret.action == "adopt" else "new"
            here = places.get(secret.id, [])
            yield Row(secret.id, secret.name, what, len(here), secret.id in refused, tuple(dict.fromkeys(here)))
        there = {secret.id for secret in plan.secrets}
        for id_ in refused:
            left = [each for each in plan.left if each.secret == id_]
            if id_ not in there and left:
                known = self.migration.secrets.get(id_)
                name = known.name if known else left[0].key or left[0].pointer or id_[:8]
                yield Row(id_, name, "stays", len(left), True, ())

    def _paint(self, index: int, width: int) -> list[Piece]:
        row = self.rows[index]
        cursor = ">" if index == self.query_one(Changes).cursor else " "
        style = "muted" if row.refused else ""
        what = "refused" if row.refused else row.what
        good = "good" if what in ("new file", "there") else ""
        return [
            (f"{cursor} ", "accent"),
            ("[ ] " if row.refused else "[x] ", style),
            (fit(printable(row.label), max(8, width - 22), middle=not self.by_secret) + " ", style),
            (fit(what, 9), style or good),
            (f"{row.count:>5} " if row.count else "", "muted"),
        ]

    def _show_columns(self) -> None:
        width = self.query_one(Changes).size.width or self.size.width
        title = "secret" if self.by_secret else "file"
        self.query_one("#columns", Static).update(f"      {fit(title, max(8, width - 22))} {fit('', 9)}places")

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_columns)

    @property
    def _row(self) -> Row | None:
        cursor = self.query_one(Changes).cursor
        return self.rows[cursor] if cursor < len(self.rows) else None

    # the diff

    @on(Rows.Moved, "#changes")
    def _show_diff(self) -> None:
        row = self._row
        self.query_one("#diff", Lines).update_entries(self._diff(row) if row is not None else [])

    def _diff(self, row: Row) -> Iterator[list[Para]]:
        wanted = [diff for diff in self.draft.diffs if diff.path in row.paths]
        if not wanted:
            for left in self.drafted.left:
                if row.key in (left.path, left.secret):
                    yield [Para(_place(left), "heading"), Para(left.reason, label="  ")]
            return
        notes = {each.path: each.note for each in self.drafted.companions}
        for diff in wanted:
            yield [Para(diff.path, "heading")]
            if notes.get(diff.path):
                yield [Para(notes[diff.path], "muted")]
            for line in diff.text.splitlines():
                yield [_line(line)]

    @on(Rows.Chosen, "#changes")
    def action_diff(self) -> None:
        self.query_one("#diff").focus()

    def on_descendant_focus(self) -> None:
        # What is read gets the room, where there is little.
        self.query_one("#sides").set_class(self.focused is self.query_one("#diff"), "reading")

    def action_back(self) -> None:
        """Out of the diff first."""
        if self.focused is self.query_one("#diff") and not self.busy:
            self.query_one(Changes).focus()
        else:
            super().action_back()

    # choices

    def action_refuse(self) -> None:
        row = self._row
        if row is None:
            return
        choices = self.migration.saved.choices
        if self.by_secret:
            secrets = set(choices.without_secrets) ^ {row.key}
            choices = replace(choices, without_secrets=tuple(sorted(secrets)))
        else:
            paths = set(choices.without_paths) ^ {row.key}
            choices = replace(choices, without_paths=tuple(sorted(paths)))
        if self.busy and self.job is not None:
            self.job.cancel()
        self.migration.choose(choices=choices)
        self._show()
        self.say("the plan is made anew in a moment…")
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_REST_S, self._plan_again)

    def _plan_again(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        before = {_place(left) for left in self.drafted.left}

        def taken(made: tuple[Saved, Draft]) -> None:
            self.migration.take_plan(made)
            self._show()
            more = [left for left in self.drafted.left if _place(left) not in before]
            if more:
                self.say(f"{many(len(more), 'more place stays', 'more places stay')} now; i says which, and why")

        self.work("planning", self.migration.make_plan, taken)

    def action_by(self) -> None:
        self.by_secret = not self.by_secret
        self._show()

    def action_left(self) -> None:
        self.app.push_screen(LeftDialog(self.drafted, self.draft.unscanned))

    def action_copy(self) -> None:
        row = self._row
        if row is not None:
            self.review.copy_text(printable(row.label), "the name" if self.by_secret else "the path")

    def may_go_on(self) -> bool:
        return bool(self.drafted.moves) or not self.migration.planned

    def why_not(self, action: str) -> str:
        return "nothing is left that would move" if action == "next" and not self.busy else ""

    def action_next(self) -> None:
        """On with what was looked at; what was not planned anew yet is shown first."""
        if self.migration.planned:
            self.go("preflight")
        else:
            self._plan_again()


def _line(text: str) -> Para:
    sign, rest = text[:1], text[1:]
    style = {"+": "added", "-": "removed", "@": "accent"}.get(sign, "")
    if sign == "@":
        return Para(text, "muted", exact=True)
    return Para(rest, style, label=f"{sign or ' '} ", label_style=style, exact=True)
