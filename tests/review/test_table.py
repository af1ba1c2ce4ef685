"""The table against a naive one: what is selected, counted, grouped and sorted, and how it takes changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretscan.inventory.marks import Mark, Marks
from secretscan.model import Sighting
from secretscan.review.query import ALL, FACETS, FIXED, Facet, Query, parse
from secretscan.review.table import MORE, Group, Sort, Table
from secretscan.review.view import Row, View

TODAY = date(2030, 1, 1)
PATHS = ("compose.yaml", "deploy/app.yaml", "deploy/weak.env", "Ümlaut\x1b.env")
SECRETS = ("0a" * 16, "1b" * 16, "2c" * 16)
NAMES = {SECRETS[0]: "shop-db", SECRETS[1]: ""}


@st.composite
def sightings(draw: st.DrawFn, path: str = "", state: str = "") -> Sighting:
    secret = draw(st.sampled_from(SECRETS))
    return Sighting(
        secret=secret,
        rule=draw(st.sampled_from(["credential-by-name", "jwt"])),
        kind=draw(st.sampled_from(["password", "token", "odd kind"])),
        strength=draw(st.sampled_from(["strong", "weak", "placeholder"])),
        source=draw(st.sampled_from(["tree", "my image"])) if not path else "tree",
        path=path or draw(st.sampled_from(PATHS)),
        pointer=draw(st.sampled_from(["", "services.db.environment.PASSWORD"])),
        key=draw(st.sampled_from(["", "PASSWORD", "weak"])),
        platform=draw(st.sampled_from(["", "compose", "aci"])),
        encoding=draw(st.sampled_from([(), ("base64",)])),
        line=draw(st.integers(1, 3)),
        column=draw(st.integers(1, 2)),
        ordinal=draw(st.integers(0, 2)),
        state=state or draw(st.sampled_from(["present", "migrated", "gone"])),  # type: ignore[arg-type]
        reason=draw(st.sampled_from(["", "a label"])),
        name=NAMES.get(secret, ""),
    )


def place(sighting: Sighting) -> tuple[str, ...]:
    return sighting.secret, sighting.source, sighting.path, sighting.pointer, str(sighting.ordinal)


LISTS = st.lists(sightings(), max_size=12, unique_by=place)
WORDS = st.sampled_from(
    [
        *("kind:token", "kind:pass,token", "!kind:odd", "strength:weak", "!strength:strong", "weak", "placeholder"),
        *("!placeholder", "platform:none", "aci", "state:open", "state:s", "rewritable:no", "source:my", "!weak"),
        *("path:deploy/", "path:e,ü", "!path:compose", "key:pass", "name:shop", "rule:jwt", "secret:0a", "deploy"),
        *("!deploy", '"weak"', "db.env", "kind:nothing", "platform:zzz", "gone", "accepted"),
    ]
)
QUERIES = st.lists(WORDS, max_size=3).map(" ".join)


BOOKS = st.lists(
    st.builds(
        Mark,
        st.sampled_from(["accepted", "placeholder", "false-alarm"]),
        st.sampled_from(SECRETS),
        st.sampled_from(["", *PATHS]),
        until=st.sampled_from(["", "2029-12-31"]),
    ),
    max_size=3,
).map(lambda marks: Marks(tuple(marks)))


def facet_of(item: Sighting, facet: Facet, book: Marks) -> str:
    mark = book.of(item.secret, item.path, TODAY)
    if facet == "state":
        if item.state != "present":
            return item.state
        return mark.kind if mark else "stored" if item.name else "open"
    if facet == "rewritable":
        return "no" if item.reason else "yes"
    return str(getattr(item, facet)) or "none"


def holds(item: Sighting, query: Query, book: Marks, known: dict[Facet, list[str]], but: Facet | None = None) -> bool:
    """Whether the query holds, taken word by word, leaving out what it says of the facet `but` alone."""
    alternatives: dict[Facet, list[bool]] = {}
    for term in query.terms:
        facets = term.facets(known)
        if facets:
            if len(facets) == 1 and but in facets:
                continue
            hit = any(facet_of(item, facet, book) in values for facet, values in facets.items())
            if len(facets) == 1 and not term.negated:
                alternatives.setdefault(next(iter(facets)), []).append(hit)
                continue
        elif term.name:
            hit = any(value in str(getattr(item, term.name)).casefold() for value in term.values)
        else:
            fields = [item.path, item.pointer, item.key, item.name, item.rule]
            fields += [item.secret] if len(term.values[0]) >= 4 else []
            hit = any(term.values[0] in field.casefold() for field in fields)
        if hit == term.negated:
            return False
    return all(any(hits) for hits in alternatives.values())


def order_of(item: Sighting, sort: Sort) -> tuple[object, ...]:
    where = (item.path, item.line, item.column, item.pointer, item.secret, item.ordinal, item.source)
    if sort == "strength":
        return (FIXED["strength"].index(item.strength), *where)
    if sort == "kind":
        return (FIXED["kind"].index(item.kind) if item.kind in FIXED["kind"] else 99, *where)
    if sort == "name":
        return (not item.name, item.name, item.secret, *where)
    return where


def naive(
    items: list[Sighting], query: Query, group: Group, sort: Sort, book: Marks
) -> tuple[list[tuple[str, list[Sighting]]], dict[Facet, dict[str, int]]]:
    known = {facet: [facet_of(item, facet, book) for item in items] for facet in FACETS}
    groups: dict[str, list[Sighting]] = {}
    for item in sorted(items, key=lambda x: order_of(x, sort)):
        key = {"secret": item.secret, "file": item.path, "platform": item.platform or "none"}[group]
        places = groups.setdefault(key, [])
        if holds(item, query, book, known):
            places.append(item)
    listed = [(key, places) for key, places in groups.items() if places]
    if sort == "places":
        listed.sort(key=lambda each: -len(each[1]))
    counts = {
        facet: {
            value: sum(facet_of(x, facet, book) == value and holds(x, query, book, known, facet) for x in items)
            for value in known[facet]
        }
        for facet in FACETS
    }
    return listed, counts


def shown(table: Table, view: View) -> list[tuple[str, list[Sighting]]]:
    """The groups of a view with their places, read as a screen would read them."""
    listed: list[tuple[str, list[Sighting]]] = []
    for row in view.all(True):
        if row.head:
            listed.append((row.key, []))
        else:
            assert row.key == listed[-1][0]
            listed[-1][1].append(table[row.index])
    return listed


@given(LISTS, QUERIES, st.sampled_from(get_args(Group)), st.sampled_from(get_args(Sort)), BOOKS)
def test_selects_what_a_naive_table_selects(
    items: list[Sighting], text: str, group: Group, sort: Sort, book: Marks
) -> None:
    table = Table()
    table.extend(items)
    table.set_marks(book, TODAY)
    view = table.select(parse(text), group, sort)
    listed, counts = naive(items, parse(text), group, sort, book)
    assert shown(table, view) == listed
    assert {facet: dict(each) for facet, each in view.counts.items()} == counts
    places = [item for _, group_ in listed for item in group_]
    assert (view.places, view.groups) == (len(places), len(listed))
    assert view.secrets == len({item.secret for item in places})
    assert [table[index] for index in view.order] == places


def after_scans(items: list[Sighting], scans: list[tuple[str, list[Sighting]]]) -> list[Sighting]:
    """What the inventory would hold."""
    held = {place(item): item for item in items}
    for path, found in scans:
        there = {place(item) for item in found}
        for key, item in held.items():
            if item.path == path and item.source == "tree" and item.state == "present" and key not in there:
                held[key] = replace(item, state="gone")
        held |= {place(item): item for item in found}
    names = {item.secret: item.name for item in items}
    return [replace(item, name=names.get(item.secret, "")) for item in held.values()]


SCANS = st.lists(
    st.sampled_from(PATHS[:3]).flatmap(
        lambda path: st.tuples(
            st.just(path), st.lists(sightings(path=path, state="present"), max_size=4, unique_by=place)
        )
    ),
    max_size=4,
)


@given(LISTS, SCANS, BOOKS, st.data())
def test_a_scan_in_any_order_with_the_inventory_gives_what_the_inventory_gives(
    items: list[Sighting], scans: list[tuple[str, list[Sighting]]], book: Marks, data: st.DataObject
) -> None:
    expected = Table()
    expected.extend(after_scans(items, scans))
    expected.set_marks(book, TODAY)
    table = Table()
    steps: list[object] = [*scans]
    at = 0
    for cut in (*sorted(data.draw(st.lists(st.integers(0, len(items)), max_size=3))), len(items)):
        steps.insert(data.draw(st.integers(0, len(steps))), items[at:cut])
        at = cut
    steps.insert(data.draw(st.integers(0, len(steps))), book)
    for step in steps:
        if isinstance(step, Marks):
            table.set_marks(step, TODAY)
        elif isinstance(step, tuple):
            # A scan knows no names.
            table.replace(step[0], [replace(item, name="") for item in step[1]])
        else:
            table.extend(step)  # type: ignore[arg-type]
        if data.draw(st.booleans()):
            table.select(parse("weak"), "file", "name")
    for group in get_args(Group):
        for sort in get_args(Sort):
            seen, wanted = table.select(ALL, group, sort), expected.select(ALL, group, sort)
            assert shown(table, seen) == shown(expected, wanted)
            assert {facet: dict(each) for facet, each in seen.counts.items()} == {
                facet: dict(each) for facet, each in wanted.counts.items()
            }


def test_marks_can_be_taken_back() -> None:
    table = Table()
    table.extend([sighting(secret=SECRETS[0]), sighting(secret=SECRETS[1])])
    table.set_marks(Marks((Mark("accepted", SECRETS[0], "a.yaml"),)), TODAY)
    assert [table.value(index, "state") for index in (0, 1)] == ["accepted", "open"]
    table.set_marks(Marks(), TODAY)
    assert [table.value(index, "state") for index in (0, 1)] == ["open", "open"]


def sighting(**given: object) -> Sighting:
    place = Sighting(SECRETS[0], "jwt", "token", "strong", "tree", "a.yaml", "p", "K", "compose", (), 1, 1, 0)
    return replace(place, **given)  # type: ignore[arg-type]


@given(LISTS, st.sampled_from(get_args(Group)), st.booleans(), st.data())
def test_lines_of_groups_that_are_open_and_closed(
    items: list[Sighting], group: Group, opened: bool, data: st.DataObject
) -> None:
    table = Table()
    table.extend(items)
    view = table.select(ALL, group, opened=opened)
    keys = [row.key for row in view.all(False)]
    toggled = data.draw(st.lists(st.sampled_from(keys), max_size=4, unique=True)) if keys else []
    one_by_one = view
    for key in (*toggled, "in-no-view", "in-no-view"):
        one_by_one = one_by_one.toggle(key)
    view = view.toggle(*toggled)
    assert view.toggled == one_by_one.toggled == frozenset(toggled)
    assert list(view) == list(one_by_one)
    expected: list[Row] = []
    for key, places in shown(table, view):
        index = {place(table[at]): at for at in range(len(table))}
        ats = [index[place(item)] for item in places]
        is_open = (key in toggled) != opened
        expected.append(Row(True, key, ats[0], len(ats), is_open))
        expected += [Row(False, key, at, len(ats), True) for at in ats if is_open]
    assert list(view) == expected
    assert len(view) == len(expected)
    for line, row in enumerate(expected):
        assert view.find(row.key, -1 if row.head else row.index) == line
        members = [
            at
            for at in view.order
            if {"secret": table[at].secret, "file": table[at].path}.get(group, table[at].platform or "none") == row.key
        ]
        assert list(view.under(line)) == (members if row.head else [row.index])
    again = table.select(ALL, group, toggled=view.toggled, opened=view.opened)
    assert list(again) == expected
    with pytest.raises(IndexError):
        view[len(expected)]


def test_secrets_are_closed_and_files_open_at_first() -> None:
    table = Table()
    table.extend([sighting(), sighting(ordinal=1)])
    assert [row.open for row in table.select(ALL, "secret")] == [False]
    assert [row.head for row in table.select(ALL, "file")] == [True, False, False]


def test_what_is_not_in_view_is_not_found() -> None:
    table = Table()
    table.extend([sighting()])
    view = table.select(ALL, "file")
    assert view.find("b.yaml") is None
    assert view.find("a.yaml", 7) is None
    assert view.toggle("a.yaml").find("a.yaml", 0) == 0


def test_an_empty_table() -> None:
    view = Table().select(parse("weak !kind:token path:x"))
    assert (len(view), view.places, view.groups, view.secrets) == (0, 0, 0, 0)
    assert all(values == () for values in view.counts.values())


def test_more_values_than_a_byte_has_are_counted_together() -> None:
    table = Table()
    table.extend(sighting(source=f"image {at:03}", ordinal=at) for at in range(300))
    counts = dict(table.select().counts["source"])
    assert len(counts) == 255
    assert counts[MORE] == 46
    assert Counter(counts.values())[1] == 254
