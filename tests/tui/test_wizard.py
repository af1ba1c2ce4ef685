"""The migration as a person walks through it, by keys alone, with the embedded vault."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from secretscan import api
from secretscan.plan.choices import Choices
from secretscan.plan.saved import Saved
from secretscan.plan.share import Share
from secretscan.tui.app import Options, ReviewApp
from secretscan.tui.migration import Migration
from secretscan.tui.screens.base import AppScreen
from secretscan.tui.screens.confirm import ConfirmScreen
from secretscan.tui.screens.dialogs import ErrorDialog
from secretscan.tui.screens.preview import PreviewScreen
from secretscan.tui.screens.wizard import WizardScreen
from secretscan.vault.auth import read_descriptor
from secretscan.vault.server import EmbeddedVault
from secretscan.vault.server.faults import Deny, Faults, Rule, Throttle
from secretscan.vault.server.operations import Operation
from secretscan.vault.server.serve import describe

pytestmark = pytest.mark.slow  # the quick suite has the keys, the screens and a whole migration

SHOP = Path(__file__).parents[2] / "fixtures" / "shop"


FIRST = Saved()
"""What nobody has set."""


class Home(AppScreen[None]):
    """Stands for the review, from which a migration is entered and to which it comes back."""


class Walk:
    """The application on a copy of the shop, and what a test asks of it."""

    def __init__(self, app: ReviewApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def migration(self) -> Migration:
        return self.app.migration

    @property
    def step(self) -> str:
        """The step that is open, or `""`."""
        return self.app.screen.STEP if isinstance(self.app.screen, WizardScreen) else ""

    async def press(self, *keys: str) -> None:
        """Keys, each with all that it sets going."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for what goes on in another thread."""
        while not holds():
            await self.pilot.pause(0.02)

    async def settle(self) -> None:
        quiet = 0
        while quiet < 3:
            await self.pilot.pause(0.03)
            screen = self.app.screen
            busy = self.app.busy or (isinstance(screen, WizardScreen) and screen.busy)
            quiet = 0 if busy else quiet + 1

    async def enter(self) -> None:
        self.migration.enter(self.app)
        await self.settle()

    async def to(self, step: str) -> None:
        """From the first step to this one, with the vault of the options or else the embedded one."""
        await self.enter()
        if not self.migration.options.descriptor:
            await self.press("ctrl+o")
        while self.step != step:
            await self.press("ctrl+g" if self.step == "confirm" else "ctrl+n")

    def text(self) -> str:
        """What is on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def status(self) -> str:
        return str(self.app.screen.query_one("#status", Static).render())


Test = Callable[[Walk], Coroutine[object, object, None]]


class Walking(Protocol):
    """Runs a test inside of the application."""

    def __call__(
        self, test: Test, size: tuple[int, int] = (80, 24), descriptor: str = "", first: Saved = FIRST
    ) -> None: ...


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    shutil.copytree(SHOP, tmp_path / "shop")
    api.scan([str(tmp_path / "shop")])
    return tmp_path / "shop"


@pytest.fixture
def walking(root: Path) -> Walking:
    """Runs a test inside of the application, each time a new session on the same folder."""

    def walk(test: Test, size: tuple[int, int] = (80, 24), descriptor: str = "", first: Saved = FIRST) -> None:
        auth = "local" if descriptor else ""
        options = Options(targets=(str(root),), auth=auth, descriptor=descriptor, first=first)
        migration = Migration(root, options)
        app = ReviewApp(root, options, migration)
        app.first_screen = Home  # type: ignore[method-assign, assignment]

        async def session() -> None:
            async with app.run_test(size=size) as pilot:
                await pilot.pause()
                await test(Walk(app, pilot))

        try:
            asyncio.run(asyncio.wait_for(session(), 60))
        finally:
            migration.close()
        assert app.failure is None, app.failure

    return walk


@contextmanager
def served(folder: Path, *rules: Rule) -> Iterator[str]:
    """The descriptor of an embedded vault with these faults, at first another one than the application's own."""
    with EmbeddedVault(("served",), faults=Faults(rules)) as vault:
        path = folder / "vault.json"
        describe(path, vault)
        yield str(path)


def test_the_shop_moves_by_keys_alone_and_the_proof_holds(root: Path, walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("result")
        assert "PROVED" in walk.text()
        assert walk.migration.running is not None and walk.migration.running.done is not None
        assert walk.migration.running.done.proof.holds
        assert "lost for ever" in walk.migration.would_lose()
        await walk.press("escape")
        assert isinstance(walk.app.screen, Home)

    walking(test)
    assert not api.scan([str(root)], record=False).found


def test_a_refused_file_stays_as_it_is_and_the_effect_is_shown_before_going_on(root: Path, walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("preview")
        screen = walk.app.screen
        assert isinstance(screen, PreviewScreen)
        path = screen.rows[0].key
        await walk.press("space", "ctrl+n")
        assert walk.step == "preview", "the plan is made anew first"
        assert walk.migration.draft is not None
        assert path not in {file.path for file in walk.migration.draft.plan.files}
        assert "now; i says which" in walk.status()
        await walk.press("ctrl+n")
        assert walk.step == "preflight"

    walking(test)


def test_a_name_is_checked_as_it_is_typed_and_used_exactly(walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("names")
        await walk.press("enter", "end", "_")
        assert "letters, digits and hyphens" in walk.text()
        await walk.press("enter")
        assert walk.step == "", "a name that cannot be is not taken"
        await walk.press("backspace", "2", "enter")
        assert walk.step == "names"
        await walk.press("ctrl+n")
        assert walk.migration.draft is not None
        assert "shop-db-password2" in {secret.name for secret in walk.migration.draft.plan.secrets}

    walking(test)


def test_a_name_that_was_looked_at_stays_when_something_else_is_left_out(walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("names")
        assert walk.migration.draft is not None
        before = {secret.id: secret.name for secret in walk.migration.draft.plan.secrets}
        await walk.press("space", "ctrl+n")
        assert walk.step == "preview"
        after = {secret.id: secret.name for secret in walk.migration.draft.plan.secrets}
        assert len(after) < len(before)
        assert after.items() <= before.items()

    walking(test)


@pytest.mark.parametrize("step", ["vault", "targets", "names", "preview", "preflight"])
def test_each_step_can_be_left_and_entered_again(walking: Walking, step: str) -> None:
    async def test(walk: Walk) -> None:
        await walk.to(step)
        await walk.press("ctrl+l")
        assert isinstance(walk.app.screen, Home)
        await walk.enter()
        assert walk.step == step

    walking(test)


def test_choices_are_there_in_the_next_session(walking: Walking) -> None:
    async def first(walk: Walk) -> None:
        await walk.to("names")
        await walk.press("space", "ctrl+n")

    async def second(walk: Walk) -> None:
        await walk.enter()
        assert walk.step == "vault"
        assert "has ended" in walk.text()
        assert len(walk.migration.saved.choices.without_secrets) == 1

    walking(first)
    walking(second)


def test_damaged_choices_are_said_and_not_taken(root: Path, walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.enter()
        assert "begin afresh" in walk.text()
        assert not walk.migration.saved.vault_url

    (root / ".secretscan" / "review.json").write_text('{"vault_url": "https://elsewhere.example"}')
    walking(test)


def test_a_vault_that_refuses_in_mid_run_leaves_a_run_that_goes_on(
    root: Path, tmp_path: Path, walking: Walking
) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and ".secretscan" not in path.parts}

    async def test(walk: Walk) -> None:
        await walk.to("run")
        assert "not finished" in walk.text()
        assert "next:" in walk.text(), "what to do is said"
        assert "stored" in walk.text()
        assert all(path.read_bytes() == data for path, data in before.items()), "no file before all values"
        assert "a run is not finished" in " ".join(walk.migration.parting_words())
        await walk.press("ctrl+g")
        assert "its proof holds" in walk.text()

    with served(tmp_path, Deny(on=frozenset({Operation.SET}), skip=2, times=1)) as descriptor:
        walking(test, descriptor=descriptor)


def test_a_run_can_be_left_stopped_and_gone_on_with(tmp_path: Path, walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("confirm")
        await walk.pilot.press("ctrl+g")
        await walk.until(lambda: walk.step == "run")
        running = walk.migration.running
        assert running is not None
        await walk.until(lambda: len(running.steps) > 0)
        await walk.pilot.press("ctrl+l")
        await walk.until(lambda: isinstance(walk.app.screen, Home))
        assert running.active, "it goes on when nobody looks"
        walk.migration.enter(walk.app)
        await walk.until(lambda: walk.step == "run")
        await walk.pilot.press("x")
        await walk.until(lambda: running.stopped)
        await walk.until(lambda: "between two steps" in walk.text())
        await walk.press("ctrl+g")
        assert running.done is not None and running.done.proof.holds
        await walk.press("ctrl+n")
        assert walk.step == "result"

    slow = Throttle(on=frozenset({Operation.SET}), skip=1, times=1, retry_after=2)
    with served(tmp_path, slow) as descriptor:
        walking(test, descriptor=descriptor)


def test_a_file_that_changed_stops_the_checks_until_it_is_mended(root: Path, walking: Walking) -> None:
    env = root / ".env"

    async def test(walk: Walk) -> None:
        await walk.to("preview")
        before = env.read_bytes()
        env.write_bytes(before + b"# more\n")
        await walk.press("ctrl+n")
        assert "STOP" in walk.text()
        assert "has changed since" in walk.text()
        await walk.press("ctrl+n")
        assert walk.step == "preflight", "not on with a stop"
        env.write_bytes(before)
        await walk.press("ctrl+r", "ctrl+n")
        assert walk.step == "confirm"

    walking(test)


def test_a_vault_that_does_not_answer_is_said_and_another_can_be_chosen(tmp_path: Path, walking: Walking) -> None:
    with served(tmp_path) as descriptor:
        text = Path(descriptor).read_text()

    async def test(walk: Walk) -> None:
        await walk.enter()
        await walk.press("ctrl+n")
        assert walk.step == "vault", "a descriptor whose certificate is gone is a fault while it is typed"
        ca.write_text("not a certificate")
        await walk.press("ctrl+y")
        assert isinstance(walk.app.screen, ErrorDialog)
        await walk.press("escape", "ctrl+o", "ctrl+n")
        assert walk.step == "targets"

    ca = tmp_path / "ca.pem"
    descriptor = str(tmp_path / "vault.json")
    Path(descriptor).write_text(json.dumps({**json.loads(text), "ca_file": str(ca)}))
    Path(descriptor).chmod(0o600)
    walking(test, descriptor=descriptor)


def test_the_start_is_a_button_that_nothing_presses_by_itself(walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("confirm")
        await walk.press("enter", "ctrl+n", "space")
        assert isinstance(walk.app.screen, ConfirmScreen)
        assert walk.migration.running is None
        await walk.pilot.click("#start")
        await walk.settle()
        assert "its proof holds" in walk.text()

    walking(test)


@pytest.mark.parametrize("size", [(40, 24), (80, 24), (160, 50)])
def test_no_step_shows_a_value_or_fails_at_any_size(root: Path, walking: Walking, size: tuple[int, int]) -> None:
    async def test(walk: Walk) -> None:
        await walk.enter()
        await walk.press("ctrl+o")
        for key in ("ctrl+n", "ctrl+n", "ctrl+n", "i", "escape", "g", "ctrl+n", "ctrl+n", "ctrl+g", "ctrl+n"):
            await walk.press(key)
            text = walk.text().replace("\n", "")
            assert not [value for value in values if value in text]
        assert walk.step == "result"

    places = [item.finding.location for item in api.scan([str(root)], record=False).found]
    values = [(root / each.path).read_bytes()[each.span.start : each.span.end].decode() for each in places]
    assert len(values) > 5
    walking(test, size)


def test_the_work_of_a_step_can_be_stopped_and_begun_again(tmp_path: Path, walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("targets")
        await walk.pilot.press("ctrl+n")
        screen = walk.app.screen
        assert isinstance(screen, WizardScreen) and screen.busy, "the vault makes planning wait"
        await walk.pilot.press("escape")
        await walk.settle()
        assert walk.step == "targets"
        assert "stopped as asked" in walk.status()
        await walk.press("ctrl+n")
        assert walk.step == "names"

    slow = Throttle(on=frozenset({Operation.LIST}), times=1, retry_after=5)
    with served(tmp_path, slow) as descriptor:
        walking(test, descriptor=descriptor)


def test_a_step_that_ends_under_a_dialog_waits_for_it(walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("targets")
        await walk.pilot.press("ctrl+n", "f1")
        await walk.settle()
        assert walk.step == "", "the help stays open"
        await walk.press("escape")
        assert walk.step == "names"

    walking(test)


def test_nothing_to_move_says_so_and_goes_no_further(root: Path, walking: Walking) -> None:
    for path in [each for each in root.rglob("*") if each.is_file() and ".secretscan" not in each.parts]:
        path.unlink()
    (root / "compose.yaml").write_text("services: {}\n")
    api.scan([str(root)])

    async def test(walk: Walk) -> None:
        await walk.to("names")
        assert "nothing here can move" in walk.text()
        await walk.press("ctrl+n")
        assert "nothing changes" in walk.text()
        await walk.press("ctrl+n")
        assert walk.step == "preview"

    walking(test)


def test_names_from_a_hostile_tree_are_escaped(root: Path, walking: Walking) -> None:
    (root / "k\x1b[31m\u202e.env").write_text("API_KEY=9f8e7d6c5b4a39281706f5e4d3c2b1a0\n")
    api.scan([str(root)])

    async def test(walk: Walk) -> None:
        await walk.enter()
        await walk.press("ctrl+o")
        for key in ("ctrl+n", "ctrl+n", "ctrl+n", "i", "escape", "ctrl+n", "ctrl+n", "ctrl+g", "ctrl+n"):
            await walk.press(key)
            assert "\x1b" not in walk.text() and "\u202e" not in walk.text()
        assert walk.step == "result"

    walking(test, size=(160, 50))


def test_an_undone_run_is_not_called_proved(root: Path, walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("result")
        running = walk.migration.running
        assert running is not None and running.done is not None
        with walk.migration.choice.open() as vault:
            api.undo(root, running.done.run, vault)
        await walk.press("f1", "escape")
        assert "PROVED" not in walk.text()
        assert "UNDONE" in walk.text()
        assert not walk.migration.would_lose()

    walking(test)


def test_versions_and_whole_texts_are_chosen_with_the_references(root: Path, walking: Walking) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("targets")
        for name in ("versions", "texts"):
            walk.app.screen.query_one(f"#{name}").focus()
            await walk.press("down")
        await walk.press("ctrl+n")
        choices = walk.migration.saved.choices
        assert choices.pinned and choices.whole_texts
        assert walk.migration.draft is not None
        assert walk.migration.draft.plan.pinned

    walking(test)


def test_the_chosen_vault_gets_the_files_that_settings_give_it(root: Path, walking: Walking, tmp_path: Path) -> None:
    async def test(walk: Walk) -> None:
        await walk.to("names")
        assert walk.migration.draft is not None
        plan = walk.migration.draft.plan
        assert {move.path.split("/")[0] for move in plan.moves} == {"k8s"}
        assert {left.mark for left in plan.left if not left.path.startswith("k8s/")} >= {"other-vault"}

    with served(tmp_path) as descriptor:
        url = read_descriptor(Path(descriptor)).url
        share = Share("https://elsewhere.vault.azure.net", (("k8s/**", url),))
        walking(test, descriptor=descriptor, first=Saved(choices=Choices(share=share)))
