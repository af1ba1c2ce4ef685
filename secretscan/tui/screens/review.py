"""The first screen: what was found, where, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, ClassVar, Final, get_args

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Input, Static

from secretscan import api
from secretscan.errors import SecretscanError, printable
from secretscan.model import Sighting
from secretscan.review.inspect import Inspection
from secretscan.review.query import ALL, Facet, parse, toggled
from secretscan.review.table import Table
from secretscan.review.view import Group, Row, Sort, View
from secretscan.tui.actions import BY_NAME, bindings, shown
from secretscan.tui.copies import copies
from secretscan.tui.jobs import Job
from secretscan.tui.reading import Reading
from secretscan.tui.screens.base import AppScreen, at_home
from secretscan.tui.widgets.detail import Detail
from secretscan.tui.widgets.facets import Facets
from secretscan.tui.widgets.findings import STATES, Findings
from secretscan.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from secretscan.inventory.marks import Mark, Marks

__all__ = ["ReviewScreen"]

_REFRESH_S: Final = 0.25
"""Seconds between two drawings of the list while findings stream in."""
_DETAIL_S: Final = 0.05
"""Seconds that the cursor rests before its detail is read: longer than a held key takes to come again."""
_GROUPS: Final[tuple[Group, ...]] = get_args(Group)
_SORTS: Final[tuple[Sort, ...]] = get_args(Sort)

_STATES: Final = {
    "open": "stands here in plain",
    "stored": "stands here in plain, and a run stored it in the vault",
    "migrated": "a reference stands here now",
    "gone": "was here once, and is not any more",
    "false-alarm": "marked as a false alarm",
    "accepted": "marked as accepted",
    "placeholder": "marked as a placeholder",
}
"""What each state means."""


class ReviewScreen(AppScreen[None]):
    """Findings, facets, detail. Everything in it is value-free; the files' lines come masked."""

    SCOPE: ClassVar[str] = "review"
    ABOUT: ClassVar[str] = (
        "Every credential that was found, one line for each distinct value, with all its places below. Type / to "
        "filter, m to mark what is no leak, M to move the rest into a vault."
    )
    WORDS: ClassVar[tuple[tuple[str, str], ...]] = (
        *((STATES[state][0], text) for state, text in _STATES.items()),
        ("strong", "no list of guesses holds it"),
        ("weak", "real, but on every list of guesses"),
        ("placeh", "a placeholder such as 'changeme'"),
    )
    """What stands in the columns, for the help."""
    BINDINGS = bindings("review")

    def __init__(self) -> None:
        super().__init__()
        self.reading = Reading(self, self)
        self.group: Group = "secret"
        self.sort: Sort = "place"
        self.toggled: dict[Group, frozenset[str]] = {}
        self.status = ""
        self.zoomed = False
        self.marks: Marks | None = None
        self._offered = False
        self._columns = ""
        self._any_found = False
        self._ungrouped: list[Group] = []
        self._detail_timer: Timer | None = None
        self._inspect: Job[Inspection] | None = None
        self._jump = ""
        self._flaws: tuple[str, ...] = ()
        self._inspected: tuple[Sighting, ...] = ()
        self._marked: list[tuple[tuple[Mark, ...], tuple[Mark, ...]]] = []
        """Each marking of this session, and what was said of the same before it."""

    def body(self) -> ComposeResult:
        with Horizontal(id="filter-line"):
            yield Static(f"Filter {self._filter_key()}", id="filter-sign", markup=False)
            yield Input(placeholder="e.g. kind:token platform:aci !weak path:deploy/", id="filter", compact=True)
            yield Static(id="counts", markup=False)
        with Container(id="panes"):
            yield Facets()
            with Vertical(id="middle"):
                yield Static(id="columns", classes="columns", markup=False)
                yield Findings()
            with Vertical(id="detail-pane"):
                yield Detail()
        yield Static(id="status", classes="status", markup=False)

    def _filter_key(self) -> str:
        keys = self.review.keymap_shown.get("review.filter", BY_NAME["review.filter"].keys)
        return shown(keys.partition(",")[0].strip())

    @property
    def findings(self) -> Findings:
        return self.query_one(Findings)

    @property
    def table(self) -> Table:
        return self.reading.table

    @property
    def drawn(self) -> bool:
        """Whether the first rows have been on the screen."""
        return self.reading.drawn

    @property
    def detail(self) -> Detail:
        return self.query_one(Detail)

    # arriving

    def on_mount(self) -> None:
        self.findings.focus()
        self._load_marks()
        self.set_interval(_REFRESH_S, self._redraw_if_fresh)
        self.reading.start()

    def start_over(self) -> None:
        """Forgets the list and reads everything again."""
        self.findings.clear_selected()
        self.reading.start()
        self._load_marks()

    def first_rows(self) -> None:
        self._redraw_if_fresh()
        self.call_after_refresh(self.reading.set_drawn)

    def read_so_far(self, status: str) -> None:
        self.status = status
        self._show_status()

    def _show_status(self) -> None:
        waits = self.review.migration.waiting()
        self.query_one("#status", Static).update(
            printable(f"{self.status}; {waits}" if waits and self.status else waits or self.status), layout=False
        )

    def read_all(self) -> None:
        self._redraw_if_fresh()
        if not self._offered:
            from secretscan.tui.screens.runs import offer_unfinished

            self._offered = True
            offer_unfinished(self.review)

    def noted(self, text: str) -> None:
        self.notify(printable(text), severity="warning", timeout=10)

    def failed(self, error: SecretscanError) -> None:
        self.review.show_error(error)

    def action_rescan(self) -> None:
        self.reading.scan()

    # drawing

    def _redraw_if_fresh(self) -> None:
        if self.reading.fresh and self.is_current:
            self.reading.fresh = False
            with self.reading.resting():
                self.redraw()
            self._ungrouped = [group for group in _GROUPS if group != self.group]
        elif self._ungrouped:  # while nobody waits, so that nobody has to
            self.table.select(ALL, self._ungrouped.pop(), self.sort)

    def redraw(self, *, keep: bool = True) -> None:
        """The list anew from table, filter, group and order; the cursor stays on what it was on."""
        with self.app.batch_update():
            self._redraw(keep=keep)

    def _redraw(self, *, keep: bool) -> None:
        found = self.findings
        row = found.row if keep else None
        if found.table is not self.table and self.marks is not None:
            self.table.set_marks(self.marks, date.today())  # it began anew since they were read
        query = parse(self.query_one("#filter", Input).value)
        view = self.table.select(query, self.group, self.sort, self.toggled.get(self.group, frozenset()))
        cursor = 0 if row is None else self._line_of(row, view)
        empty = "  nothing matches the filter; Esc clears it" if len(self.table) else self._nothing()
        found.update(self.table, view, cursor, empty)
        if self._any_found != bool(len(self.table)):
            self._any_found = not self._any_found
            self.refresh_bindings()
        self.query_one(Facets).update(view, self.query_one("#filter", Input).value)
        self._flaws = query.flaws
        self._show_counts()
        self.title_line(f"secretscan  {at_home(self.review.root)}   by {self.group}, sorted by {self.sort}")
        self._show_columns()
        self._detail_soon()

    def on_resize(self) -> None:
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self._show_columns()
        self._detail_soon()  # as many lines as there is room for

    def _show_columns(self) -> None:
        if (columns := self.findings.columns()) != self._columns:
            self._columns = columns
            self.query_one("#columns", Static).update(columns, layout=False)

    def _nothing(self) -> str:
        if self.reading.scanning:
            return "  nothing found yet"
        return "  nothing found" if not self.reading.skipped_count else "  nothing found in what could be read"

    def _line_of(self, row: Row, view: View) -> int:
        """Where a row that is shown stands in another view: where it stood, if it is not in there any more."""
        found = self.findings
        at = view.find(row.key, -1 if row.head or found.table is not self.table else row.index)
        if at is None:
            return found.cursor
        if row.head or found.table is self.table:
            return at
        (place,) = found.sightings((row.index,))
        for index in view.under(at):
            other = self.table[index]
            if _told_apart(other) == _told_apart(place):
                return view.find(row.key, index) or 0
        return at

    def _show_counts(self) -> None:
        view = self.findings.view
        if view is None:
            return
        shown = f"{_many(view.secrets, 'secret')}, {_many(view.places, 'place')}"
        if view.places != len(self.table):
            shown += f" of {len(self.table)}"
        if self.findings.selected_count:
            shown += f", {self.findings.selected_count} selected"
        text = printable("; ".join(self._flaws)) if self._flaws else shown
        self.query_one("#counts", Static).update(text, layout=False)

    def on_screen_resume(self) -> None:
        self._show_status()
        if self.findings.table is not None:
            self.redraw()

    # the detail

    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows is self.findings:
            self._detail_soon()

    def _detail_soon(self) -> None:
        if self._detail_timer is not None:
            self._detail_timer.stop()
        self._detail_timer = self.set_timer(_DETAIL_S, self._read_detail)

    def current(self) -> tuple[Sighting, ...]:
        """The places that the cursor's row is about; of a place by itself, that one alone."""
        return self.findings.sightings(self.findings.places)

    def _read_detail(self) -> None:
        row = self.findings.row
        if row is None or (row.head and self.group == "platform"):
            self._inspected = ()
            self.detail.show_inspection((f"{row.key}: {_many(row.count, 'place')}",) if row is not None else (), None)
            return
        here = self.findings.sightings(self.findings.places[:_MOST_SHOWN])
        total = len(self.findings.places)
        self._inspected = here
        if self._inspect is not None:
            self._inspect.cancel()
        root, around, known = self.review.root, 2 if self.detail.size.height < _LOW else 4, self.table.strong
        job: Job[Inspection] = Job(
            self,
            "inspect",
            lambda listener, cancellation: api.inspect(
                root, here, around=around, known=known, cancellation=cancellation
            ),
            lambda result: self._show_detail(here, total, result),
            lambda failure: self._show_detail(here, total, None, failure.error.what),
        )
        self._inspect = job.start()

    def _show_detail(self, here: Sequence[Sighting], total: int, result: Inspection | None, problem: str = "") -> None:
        if here is not self._inspected:
            return  # the cursor has gone on
        head = (*self._head(here, total), *((problem,) if problem else ()))
        self.detail.show_inspection(head, result, [item.state for item in here])

    def _head(self, here: Sequence[Sighting], total: int) -> Iterator[str]:
        first = here[0]
        more = f", the first {len(here)} shown" if total > len(here) else ""
        if self.group == "file" and self.findings.row is not None and self.findings.row.head:
            yield f"{first.path}: {_many(total, 'place')}{more}"
            return
        what = first.key or first.pointer or first.rule
        yield f"{first.strength} {first.kind} {what}, secret {first.secret[:8]}, {_many(total, 'place')}{more}"
        if first.name:
            yield f"in the vault as {first.name}"
        mark = self.marks.of(first.secret, first.path, date.today()) if self.marks is not None else None
        if mark is not None:
            owner = f", owner {mark.owner}" if mark.owner else ""
            until = f", until {mark.until}" if mark.until else ""
            # Somebody may have written the file by hand: a reason that quotes the value is not repeated here.
            said = "what is said of it is not shown" if api.mark_fault((mark,)) else f"{mark.reason}{owner}"
            yield f"marked as {mark.kind.replace('-', ' ')}: {said}{until}"

    def action_next_place(self) -> None:
        self.detail.step(1)

    def action_previous_place(self) -> None:
        self.detail.step(-1)

    def action_zoom(self) -> None:
        self.zoomed = not self.zoomed
        # A class would have every widget below it styled anew, for a key that a person waits for.
        for other in (self.query_one("#middle"), self.query_one(Facets)):
            if self.zoomed:
                other.styles.display = "none"
            else:
                other.styles.clear_rule("display")
        pane = self.query_one("#detail-pane")
        if self.zoomed:
            styles = pane.styles
            styles.display, styles.width, styles.height, styles.border_left = "block", "1fr", "1fr", ("none", "black")
        else:
            for rule in ("display", "width", "height", "border_left"):
                pane.styles.clear_rule(rule)
        pane.refresh(layout=True)
        (self.detail if self.zoomed else self.findings).focus()

    # the list

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        row = self.findings.row
        if event.rows is not self.findings or row is None:
            return
        if row.head:
            self.toggled[self.group] = self.toggled.get(self.group, frozenset()) ^ {row.key}
            shown = self.findings
            assert shown.view is not None and shown.table is not None  # noqa: S101 - a row is of a view
            shown.update(shown.table, shown.view.toggle(row.key))
        else:
            self.detail.focus()

    def action_select(self) -> None:
        self.findings.toggle_selected(self.findings.places)
        self.findings.cursor += 1
        self._show_counts()

    def action_select_all(self) -> None:
        if self.findings.view is not None:
            self.findings.toggle_selected(self.findings.view.order)
            self._show_counts()

    def chosen(self) -> tuple[Sighting, ...]:
        """The selected places, or those of the cursor's row."""
        if self.findings.selected_count:
            return self.findings.sightings(self.findings.selected)
        return self.current()

    # finding

    def action_filter(self) -> None:
        self.query_one("#filter", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self.redraw(keep=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            self.findings.focus()

    def action_clear(self) -> None:
        if self.zoomed:
            self.action_zoom()
        elif self.focused is not self.findings:
            self.findings.focus()
        elif self.findings.selected_count:
            self.findings.clear_selected()
            self._show_counts()
        elif self.query_one("#filter", Input).value:
            self.query_one("#filter", Input).value = ""

    def action_facets(self) -> None:
        from secretscan.tui.screens.facets import FacetDialog

        view = self.findings.view
        if view is not None:
            self.app.push_screen(FacetDialog(view, self.query_one("#filter", Input).value), self._facet_chosen)

    def _facet_chosen(self, chosen: tuple[Facet, str] | None) -> None:
        if chosen is not None:
            field = self.query_one("#filter", Input)
            field.value = toggled(field.value, *chosen)

    def on_facets_chosen(self, event: Facets.Chosen) -> None:
        self._facet_chosen((event.facet, event.value))

    def action_group(self) -> None:
        self.group = _GROUPS[(_GROUPS.index(self.group) + 1) % len(_GROUPS)]
        self.redraw(keep=False)

    def action_sort(self) -> None:
        from secretscan.tui.screens.dialogs import Choose

        def sorted_by(index: int | None) -> None:
            if index is not None:
                self.sort = _SORTS[index]
                self.redraw()

        options = [(name, note) for name, note in zip(_SORTS, _SORT_NOTES, strict=True)]
        self.app.push_screen(Choose("Sort by", options, _SORTS.index(self.sort)), sorted_by)

    def action_jump(self) -> None:
        from secretscan.tui.screens.dialogs import AskLine

        def jump(text: str | None) -> None:
            view = self.findings.view
            if not text or view is None:
                return
            self._jump = text.lower()
            order = [*range(self.findings.cursor + 1, len(view)), *range(self.findings.cursor + 1)]
            for index in order:
                (item,) = self.findings.sightings((view[index].index,))
                names = (item.name, item.key, item.pointer, item.path, item.secret)
                if any(name.lower().startswith(self._jump) for name in names):
                    self.findings.cursor = index
                    return
            self.notify("no row begins so")

        self.app.push_screen(AskLine("Jump to what begins with", self._jump), jump)

    def action_skipped(self) -> None:
        from secretscan.tui.screens.dialogs import ReadDialog

        self.app.push_screen(
            ReadDialog(f"Not read, or not fully: {self.reading.skipped_count}", list(self.reading.skipped_lines()))
        )

    # marking

    def _load_marks(self) -> None:
        try:
            self._show_marks(api.marks(self.review.root))
        except SecretscanError as error:
            self.review.show_error(error)

    def _show_marks(self, marks: Marks) -> None:
        self.marks = marks
        self.table.set_marks(marks, date.today())

    def action_mark(self) -> None:
        from secretscan.tui.screens.mark import MarkDialog

        here = self.chosen()
        if here:
            self.app.push_screen(MarkDialog(here, whole=self.group == "secret"), self._mark)

    def _mark(self, marks: tuple[Mark, ...] | None) -> None:
        if not marks:
            return
        about = {(mark.secret, mark.path) for mark in marks}
        try:
            said = {(mark.secret, mark.path): mark for mark in api.marks(self.review.root).entries}
            before = tuple(mark for subject, mark in said.items() if subject in about)
            self._show_marks(api.mark(self.review.root, marks))
        except SecretscanError as error:
            self.review.show_error(error)
            return
        self._marked.append((marks, before))
        self.findings.clear_selected()
        self.redraw()

    def action_unmark(self) -> None:
        marks, before = self._marked[-1]
        try:
            self._show_marks(api.unmark(self.review.root, marks))
            if before:
                self._show_marks(api.mark(self.review.root, before))
        except SecretscanError as error:
            self.review.show_error(error)
            return
        self._marked.pop()
        self.redraw()

    # going on

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "show_value":
            return self.review.options.allow_reveal
        if action == "unmark":
            return True if self._marked else None
        if action == "skipped":
            return True if self.reading.skipped_count else None
        if action in ("mark", "copy"):
            return True if len(self.table) else None
        if action == "migrate":
            return True if len(self.table) or self.review.migration.running is not None else None
        return True

    def why_not(self, action: str) -> str:
        return {
            "unmark": "no marking of this session to take back",
            "skipped": "nothing was skipped",
            "mark": "nothing was found that could be marked",
            "copy": "nothing was found that could be copied",
            "migrate": "nothing was found that could move into a vault",
        }.get(action, "")

    def action_migrate(self) -> None:
        self.review.migration.enter(self.review)

    def action_runs(self) -> None:
        from secretscan.tui.screens.runs import RunsScreen

        self.app.push_screen(RunsScreen())

    def action_show_value(self) -> None:
        from secretscan.tui.screens.reveal import RevealDialog

        here = self.current()
        row = self.findings.row
        if here and row is not None and (not row.head or self.group == "secret"):
            self.app.push_screen(RevealDialog(self.review.root, here[0]))

    def action_copy(self) -> None:
        from secretscan.tui.screens.dialogs import Choose

        here = self.chosen()
        if not here:
            return
        kinds = copies(here)

        def copy(index: int | None) -> None:
            if index is not None:
                label, text = kinds[index]
                self.review.copy_text(text, label)

        options = [(label, text.splitlines()[0]) for label, text in kinds]
        self.app.push_screen(Choose("Copy", options), copy)


_LOW: Final = 12
"""Rows of a detail below which fewer lines around a place are shown."""
_MOST_SHOWN: Final = 20
"""Places of one secret whose lines are read for the detail."""

_SORT_NOTES: Final = (
    "path and line",
    "strong ones first",
    "passwords, tokens, keys",
    "name in the vault, or key",
    "those with the most places first",
)


def _told_apart(item: Sighting) -> tuple[str, str, str, str, int]:
    """What a place is told from all others by, in any table."""
    return item.secret, item.source, item.path, item.pointer, item.ordinal


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
