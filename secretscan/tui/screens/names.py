"""The third step: under which name each secret is kept in the vault, and which stay out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from secretscan import api
from secretscan.errors import printable
from secretscan.tui.actions import bindings
from secretscan.tui.migration import Step
from secretscan.tui.screens.dialogs import AskLine
from secretscan.tui.screens.wizard import WizardScreen, key_of, many
from secretscan.tui.widgets.lines import Lines, Para
from secretscan.tui.widgets.rows import Piece, Rows, fit

if TYPE_CHECKING:
    from secretscan.plan.document import Plan

__all__ = ["NamesScreen"]


@dataclass(frozen=True, slots=True)
class Row:
    """A secret: `name` as it is chosen now, `state` what the vault has of it, `places` where it stands."""

    id: str
    name: str
    kind: str
    strength: str
    state: str
    out: bool
    places: tuple[str, ...]


class Names(Rows):
    """The list; Enter renames."""

    BINDINGS = key_of("names.edit")

    def action_edit(self) -> None:
        self.action_choose()


class Rename(AskLine):
    """A name with what is wrong with it, or what to know of it, while it is typed."""

    def __init__(self, title: str, value: str, check: Callable[[str], str], note: Callable[[str], str]) -> None:
        super().__init__(title, value, check)
        self.note = note

    def on_input_changed(self, event: Input.Changed) -> None:
        event.prevent_default()
        text = self.check(event.value) or self.note(event.value)
        self.query_one("#fault", Static).update(printable(text))


class NamesScreen(WizardScreen):
    """All secrets of the plan, and those left out."""

    STEP: ClassVar[Step] = "names"
    SCOPE: ClassVar[str] = "names"
    ABOUT: ClassVar[str] = (
        "The name that each secret gets in the vault. A name can be known outside of it, so none derives from a value. "
        "'new' is stored; 'there' means that the vault holds the equal value under this name already."
    )
    BINDINGS = [*bindings("wizard"), *bindings("names")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[Row, ...] = ()

    def content(self) -> ComposeResult:
        yield Static(id="columns", classes="columns", markup=False)
        yield Names(self._paint, id="names", empty="  nothing here can move: ^n shows what stays, and why")
        with Vertical(id="below"):
            yield Lines(id="places")

    def on_mount(self) -> None:
        self.query_one(Names).focus()
        self._show()

    @property
    def drafted(self) -> Plan:
        assert self.migration.draft is not None  # noqa: S101 - this step comes after planning
        return self.migration.draft.plan

    def _show(self) -> None:
        order = {id_: number for number, id_ in enumerate(self.migration.secrets)}
        self.rows = tuple(sorted(self._collect(), key=lambda row: order.get(row.id, len(order))))
        self.query_one(Names).show(len(self.rows))
        self._show_places()
        self._show_columns()
        out = sum(row.out for row in self.rows)
        there = sum(row.state == "there" and not row.out for row in self.rows)
        text = f"{many(len(self.rows) - out, 'secret')} to move"
        text += f", {there} of them in the vault already" if there else ""
        self.say(text + (f"; {out} left out" if out else ""))
        self.refresh_bindings()

    def _collect(self) -> Iterator[Row]:
        plan, choices = self.drafted, self.migration.saved.choices
        chosen = dict(choices.names)
        places: dict[str, list[str]] = {}
        for move in plan.moves:
            for secret in dict.fromkeys((move.secret, *move.covers)):
                places.setdefault(secret, []).append(f"{move.path}:{move.line}  {move.pointer or move.key}")
        for each in plan.secrets:
            name = chosen.get(each.id, each.name)
            state = "there" if each.action == "adopt" else "new"
            if name != each.name:
                state = "renamed"
            kind = f"{each.kind}, whole text" if each.whole_text else each.kind
            yield Row(
                each.id,
                name,
                kind,
                each.strength,
                state,
                each.id in choices.without_secrets,
                tuple(places.get(each.id, ())),
            )
        planned = {secret.id for secret in plan.secrets}
        for id_ in choices.without_secrets:
            left = [each for each in plan.left if each.secret == id_]
            if id_ not in planned and left:
                where = tuple(f"{each.path}:{each.line}  {each.pointer or each.key}" for each in left)
                known = self.migration.secrets.get(id_)
                name = chosen.get(id_) or (known.name if known else left[0].key or left[0].pointer or id_[:8])
                yield Row(id_, name, known.kind if known else "", left[0].strength, "", True, where)

    def _paint(self, index: int, width: int) -> list[Piece]:
        row = self.rows[index]
        cursor = ">" if index == self.query_one(Names).cursor else " "
        name, kind = _columns(width)
        style = "muted" if row.out else ""
        state = "left out" if row.out else row.state
        return [
            (f"{cursor} ", "accent"),
            ("[ ] " if row.out else "[x] ", style),
            (fit(printable(row.name), name) + " ", style or "heading"),
            (fit(state, 9), style or ("good" if row.state == "there" else "")),
            (fit(row.strength, 7) if kind else "", style or ("bad" if row.strength == "strong" else "")),
            (fit(row.kind, kind), style or "muted"),
            (f"{len(row.places):>6}", "muted"),
        ]

    def _show_columns(self) -> None:
        width = self.size.width
        name, kind = _columns(width)
        text = f"      {fit('name in the vault', name)} {fit('vault', 9)}"
        text += f"{'value'.ljust(7)}{'kind'.ljust(kind)}" if kind else ""
        self.query_one("#columns", Static).update(text + "places")

    def on_resize(self) -> None:
        self._show_columns()

    @on(Rows.Moved, "#names")
    def _show_places(self) -> None:
        row = self._row
        self.query_one("#places", Lines).update_entries(
            [[Para(place, exact=True)] for place in row.places] if row else []
        )

    @property
    def _row(self) -> Row | None:
        return self.rows[self.query_one(Names).cursor] if self.rows else None

    # actions

    @on(Rows.Chosen, "#names")
    def action_edit(self) -> None:
        row = self._row
        if row is None:
            return
        if row.out:
            self.notify("it is left out; space takes it in again")
            return
        plan = self._as_chosen()
        taken = self.migration.draft.taken if self.migration.draft else ()

        def check(text: str) -> str:
            return api.name_fault(plan, row.id, text) if text else ""

        def note(text: str) -> str:
            if not text:
                return "empty: a name is proposed anew"
            return api.name_fault(plan, row.id, text, taken) or "this name is free; Enter takes it"

        def renamed(text: str | None) -> None:
            if text is not None:
                self._rename(row, text)

        self.app.push_screen(Rename(f"Name in the vault for {row.name}", row.name, check, note), renamed)

    def _as_chosen(self) -> Plan:
        """The plan with the names that were chosen since it was made."""
        chosen = dict(self.migration.saved.choices.names)
        secrets = tuple(replace(each, name=chosen.get(each.id, each.name)) for each in self.drafted.secrets)
        return replace(self.drafted, secrets=secrets)

    def _rename(self, row: Row, name: str) -> None:
        choices = self.migration.saved.choices
        names = dict(choices.names)
        if not name:
            names.pop(row.id, None)
        elif name != row.name:
            names[row.id] = name
        self.migration.choose(choices=replace(choices, names=tuple(sorted(names.items()))))
        self._show()

    def action_leave_out(self) -> None:
        row = self._row
        if row is None:
            return
        choices = self.migration.saved.choices
        out = set(choices.without_secrets) ^ {row.id}
        self.migration.choose(choices=replace(choices, without_secrets=tuple(sorted(out))))
        self.query_one(Names).cursor += 1
        self._show()

    def action_next(self) -> None:
        self.plan("preview")


def _columns(width: int) -> tuple[int, int]:
    """Cells of the name, and of the kind (none in a narrow list)."""
    kind = 24 if width >= 110 else 18 if width >= 70 else 0
    return max(8, width - 6 - 1 - 9 - 6 - kind - (7 if kind else 0) - 1), kind
