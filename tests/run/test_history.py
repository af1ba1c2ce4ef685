"""The history of runs: when, how far, every step with its time; and runs that a checkout brings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secretscan import api
from secretscan.errors import Cancelled, JournalBroken, SecretscanError
from secretscan.events import Cancellation, Event, StepDone
from secretscan.run.folder import begin


def stopping(what: str) -> tuple[Callable[[Event], None], Cancellation]:
    """A listener that asks to stop after the first such step."""
    cancellation = Cancellation()

    def hear(event: Event) -> None:
        if isinstance(event, StepDone) and event.what == what:
            cancellation.cancel()

    return hear, cancellation


def test_a_run_from_its_plan_to_its_undo(shop: Path, local: Any) -> None:
    assert api.run_history(shop) == ()
    started = time.time()
    plan = api.plan([str(shop)], local.url, local.vault).plan
    total = len(plan.secrets) + len(plan.companions) + len(plan.files) + 1

    def now() -> api.RunStatus:
        (run,) = api.run_history(shop)
        assert run == api.status(shop).runs[0] == api.run_details(shop, run.id).status
        assert (run.vault_url, run.secrets, run.files) == (local.url, len(plan.secrets), len(plan.files))
        assert run.moves == len(plan.moves)
        assert started - 1 <= run.made <= time.time()
        assert run.trouble == ""
        return run

    for what, steps in (("stored", 1), ("created", len(plan.secrets) + 1), ("rewritten", total - len(plan.files))):
        hear, cancellation = stopping(what)
        with pytest.raises(Cancelled):
            api.apply(plan, local.vault, listener=hear, cancellation=cancellation)
        assert (now().state, now().steps_done, now().steps_total) == ("unfinished", steps, total)
    made = now().made
    api.apply(plan, local.vault)
    assert (now().state, now().steps_done, now().steps_total) == ("done", total, total)
    assert now().made == made
    back = len(plan.files) + len(plan.companions)
    hear, cancellation = stopping("restored")
    with pytest.raises(Cancelled):
        api.undo(shop, now().id, local.vault, listener=hear, cancellation=cancellation)
    assert (now().state, now().steps_done, now().steps_total) == ("undo unfinished", 1, back)
    api.undo(shop, now().id, local.vault)
    assert (now().state, now().steps_done, now().steps_total) == ("undone", back, back)

    details = api.run_details(shop, now().id[:10])
    assert details.plan == plan
    assert [entry.step for entry in details.entries][:3] == ["begin", "store-intent", "stored"]
    assert details.entries[-1].step == "undone"
    times = [entry.at for entry in details.entries]
    assert times == sorted(times)
    assert started - 1 <= times[0] <= times[-1] <= time.time()
    assert {entry.name for entry in details.entries if entry.step == "stored"} == {item.name for item in plan.secrets}


def test_an_undo_that_keeps_files_says_how_many(shop: Path, local: Any) -> None:
    plan = api.plan([str(shop)], local.url, local.vault).plan
    run = api.apply(plan, local.vault).run
    (shop / plan.files[0].path).unlink()
    api.undo(shop, run, local.vault)
    (found,) = api.run_history(shop)
    assert (found.state, found.steps_done) == ("undo unfinished", len(plan.files) - 1)


def test_a_run_that_has_not_begun_is_as_old_as_its_plan(shop: Path) -> None:
    plan = api.plan([str(shop)], "https://shop.vault.azure.net", None).plan
    run = begin(shop, plan)
    (found,) = api.run_history(shop)
    assert (found.id, found.state, found.steps_done) == (run.id, "unfinished", 0)
    assert abs(found.made - time.time()) < 60


def test_the_oldest_comes_first(shop: Path, local: Any) -> None:
    plan = api.plan([str(shop)], local.url, local.vault).plan
    first = api.apply(plan, local.vault).run
    api.undo(shop, first, local.vault)
    runs = shop / ".secretscan" / "runs"
    (runs / first).rename(runs / "20200101-000000-abcd")
    second = api.apply(plan, local.vault).run
    assert [(run.id, run.state) for run in api.run_history(shop)] == [
        ("20200101-000000-abcd", "undone"),
        (second, "done"),
    ]


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps({"seq": at, "chain": "0" * 64, **record}) + "\n" for at, record in enumerate(records))


STEP = {"at": 1.0, "step": "begin", "subject": "", "name": "", "version": "", "made": False}
JOURNALS = {
    "a step that there is not": lines({**STEP, "step": "\x1b[2J"}),
    "a time that is none": lines({**STEP, "at": "now"}),
    "a time that is no date": lines({**STEP, "at": 1e300}),
    "no number": lines({**STEP, "at": float("nan")}),
    "a list for a text": lines({**STEP, "subject": []}),
    "a text for a truth value": lines({**STEP, "made": "yes"}),
    "a field too much": lines({**STEP, "more": 1}),
    "no object": "[]\n",
    "nested for ever": "[" * 100_000 + "\n",
}


@pytest.mark.parametrize("journal", JOURNALS)
def test_a_journal_that_is_not_ours_is_damaged(journal: str, shop: Path) -> None:
    plan = api.plan([str(shop)], "https://shop.vault.azure.net", None).plan
    run = begin(shop, plan)
    run.journal.write_text(JOURNALS[journal])
    (found,) = api.run_history(shop)
    assert found.state == "damaged"
    assert "damaged" in found.trouble
    assert found.trouble.isprintable()
    assert found == api.status(shop).runs[0]
    for use in (api.run_details, api.preview_undo):
        with pytest.raises(JournalBroken):
            use(shop, run.id)


def test_a_journal_as_it_must_be_is_read(shop: Path) -> None:
    """The journals above are damaged by what is named, and by nothing else."""
    run = begin(shop, api.plan([str(shop)], "https://shop.vault.azure.net", None).plan)
    run.journal.write_text(lines(STEP))
    assert [entry.at for entry in api.run_details(shop, run.id).entries] == [1.0]


@pytest.mark.parametrize("made", ["", "yesterday", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "\x1b[2J"])
def test_a_plan_that_was_made_at_no_time(made: str, shop: Path) -> None:
    run = begin(shop, api.plan([str(shop)], "https://shop.vault.azure.net", None).plan)
    file = run.folder / "plan.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "made": made}))
    (found,) = api.run_history(shop)
    assert found.made == 0
    with pytest.raises(SecretscanError, match="changed"):
        api.run_details(shop, run.id)


def test_a_name_that_leads_elsewhere_is_no_run(shop: Path) -> None:
    for name in ("../runs", "/", "", "."):
        with pytest.raises(SecretscanError):
            api.run_details(shop, name)
