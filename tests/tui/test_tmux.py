"""The application in a real terminal, by keyboard alone: a test presses keys and reads the screen, as a person does."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tui.conftest import Local
from tui.harness import SIZES
from tui.terminal import NOT_THERE, RESTORED, Terminal, missing
from tui.test_migration import REAL, contents

from secretscan import api
from secretscan.vault.server import Faults, WriteLimit

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing(), reason=NOT_THERE)]
BY_SIZE = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def secretscan(*words: str) -> list[str]:
    return [sys.executable, "-m", "secretscan", *words]


def review(root: Path, local: Local) -> list[str]:
    return secretscan("review", str(root), "--vault", local.url, "--local", str(local.descriptor))


def to_confirm(terminal: Terminal) -> None:
    """From the vault's step to the last one before the run, with what is filled in."""
    for step in ("References", "Names", "Preview", "Checks", "Confirm"):
        terminal.press("ctrl+n")
        terminal.until(lambda screen, step=step: f"[{step}]" in screen)  # type: ignore[misc]
        terminal.until(lambda screen: " ^n Next" in screen or " ^g Start" in screen)
        if step == "References":
            terminal.until("^n reads the files")
        if step == "Checks":
            terminal.until("nothing stands in the way")


def migrate(terminal: Terminal) -> None:
    """From the vault's step to the result."""
    to_confirm(terminal)
    terminal.press("ctrl+g")
    terminal.until("The run is done, and its proof holds", 120)
    terminal.press("ctrl+n")
    terminal.until("PROVED")


def quit_restored(terminal: Terminal) -> None:
    terminal.press("q")
    assert terminal.ended() == 0
    assert terminal.modes() == RESTORED


@BY_SIZE
def test_the_demo_shop(tmp_path: Path, home: Path, size: tuple[int, int]) -> None:
    """`secretscan demo --review`: into the embedded vault of the demo and back, and out."""
    with Terminal(secretscan("demo", "--review"), tmp_path / "terminal", size=size) as terminal:
        terminal.until("6 files read")
        terminal.until("5 secrets, 10 places")
        terminal.press("M")
        terminal.until("The vault answers")
        migrate(terminal)
        terminal.press("U")
        terminal.until("original bytes back")
        terminal.press("ctrl+g")  # the vault is this program's own: there is nobody to sign in as
        terminal.until("Esc goes back")
        terminal.press("escape")
        terminal.until("UNDONE")
        terminal.press("escape")
        terminal.until("5 secrets, 10 places")
        quit_restored(terminal)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real deployment files, ../shared/devset, are not here")
@BY_SIZE
def test_a_real_repository(tmp_path: Path, home: Path, local: Local, size: tuple[int, int]) -> None:
    root = Path(shutil.copytree(REAL / "OWASP__crAPI", home / "crapi"))
    before = contents(root)
    with Terminal(review(root, local), tmp_path / "terminal", size=size) as terminal:
        terminal.until("files read")
        terminal.press("M")
        terminal.until("[Vault]")
        migrate(terminal)
        assert contents(root) != before
        assert len(local.server.stored()) > 1
        terminal.press("escape")
        terminal.until("files read")
        terminal.press("r")
        terminal.until("Runs of")
        terminal.until("done")
        terminal.press("U")
        terminal.until("original bytes back")
        terminal.press("ctrl+g")
        terminal.until("Sign in to undo")
        terminal.press("ctrl+g")
        terminal.until("Esc goes back")
        assert contents(root) == before
        terminal.press("escape")
        terminal.until("undone")
        terminal.press("escape")
        terminal.until("files read")
        quit_restored(terminal)


def test_what_is_copied_is_on_the_clipboard(tmp_path: Path, shop: Path) -> None:
    with Terminal(secretscan("review", str(shop)), tmp_path / "terminal") as terminal:
        terminal.until("files read")
        terminal.press("y")
        terminal.until("secret ids")
        terminal.press("enter")
        terminal.until(lambda screen: "secret ids " not in screen)
        terminal.wait_for(lambda: len(terminal.clipboard.strip()) == 32)
        quit_restored(terminal)


def test_the_mouse_works(tmp_path: Path, shop: Path) -> None:
    with Terminal(secretscan("review", str(shop)), tmp_path / "terminal") as terminal:
        terminal.until("5 secrets, 10 places")
        terminal.click("NPM_TOKEN")
        terminal.until(lambda screen: "> ▸ open   strong token" in screen)
        terminal.click("Group")
        terminal.until("by file")
        quit_restored(terminal)


def test_any_size_will_do(tmp_path: Path, shop: Path) -> None:
    """Resized while it runs, down to forty columns and a few rows, and back."""
    with Terminal(secretscan("review", str(shop)), tmp_path / "terminal") as terminal:
        terminal.until("5 secrets, 10 places")
        terminal.until("6 files read")
        terminal.until("DATABASE_URL=postgresql://shop:***@db:5432/shop")
        before = terminal.at_rest()
        for width, height in ((40, 24), (40, 10), (20, 6), (200, 60), (80, 24)):
            terminal.resize(width, height)
            terminal.until(lambda screen, width=width: "6 files" in screen and _widest(screen) <= width)  # type: ignore[misc]
        terminal.until(lambda screen: screen == before)
        quit_restored(terminal)


def _widest(screen: str) -> int:
    return max(map(len, screen.splitlines()))


# In the middle of a run


@pytest.fixture
def faults() -> Faults:
    """A vault that takes two values and then none for some seconds: a run is in its middle for as long."""
    return Faults(write_limit=WriteLimit(count=2, seconds=4, retry_after=1))


@pytest.fixture
def under_way(tmp_path: Path, shop: Path, local: Local) -> Iterator[Terminal]:
    """A terminal in which a run is in its middle."""
    with Terminal(review(shop, local), tmp_path / "terminal") as terminal:
        terminal.until("files read")
        terminal.press("M")
        terminal.until("[Vault]")
        to_confirm(terminal)
        terminal.press("ctrl+g")
        terminal.wait_for(lambda: len(local.server.stored()) == 2)
        yield terminal


def gone_on_with(tmp_path: Path, shop: Path, local: Local) -> None:
    """The next start offers the run; it is gone on with, and its proof holds."""
    with Terminal(review(shop, local), tmp_path / "again") as terminal:
        terminal.until("A run was interrupted")
        terminal.press("enter")
        terminal.until("Sign in")
        terminal.press("ctrl+g")
        terminal.until("The run is done, and its proof holds", 120)
        terminal.press("ctrl+n")
        terminal.until("PROVED")
        terminal.press("escape")
        terminal.until("files read")
        quit_restored(terminal)
    assert not api.scan([str(shop)], record=False).found


def states(root: Path) -> list[str]:
    return [run.state for run in api.run_history(root)]


def test_the_first_interrupt_stops_between_two_steps(under_way: Terminal, shop: Path) -> None:
    before = contents(shop)
    under_way.press("ctrl+c")
    under_way.until("stopped between two steps, as asked")
    assert states(shop) == ["unfinished"]
    assert contents(shop) == before
    under_way.press("ctrl+g")
    under_way.until("The run is done, and its proof holds", 120)
    under_way.press("ctrl+n")
    under_way.until("PROVED")
    quit_restored(under_way)


def test_the_second_interrupt_ends_at_once(under_way: Terminal, tmp_path: Path, shop: Path, local: Local) -> None:
    before = contents(shop)
    under_way.press("ctrl+c", "ctrl+c")
    assert under_way.ended() == 130
    assert under_way.modes() == RESTORED
    assert states(shop) == ["unfinished"]
    assert contents(shop) == before
    gone_on_with(tmp_path, shop, local)


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM], ids=lambda how: how.name)
def test_a_request_to_end(under_way: Terminal, tmp_path: Path, shop: Path, local: Local, how: signal.Signals) -> None:
    before = contents(shop)
    under_way.kill(how)
    assert under_way.ended() == 3
    assert under_way.modes() == RESTORED
    assert states(shop) == ["unfinished"]
    assert contents(shop) == before
    gone_on_with(tmp_path, shop, local)


def test_a_terminal_that_goes_away(under_way: Terminal, tmp_path: Path, shop: Path, local: Local) -> None:
    pid = under_way.pid
    under_way.hang_up()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "the application goes on without its terminal"
        time.sleep(0.05)
    assert states(shop) == ["unfinished"]
    gone_on_with(tmp_path, shop, local)


def test_a_signal_to_go_on_without_a_stop_before_it_changes_nothing(tmp_path: Path, shop: Path) -> None:
    """A closing terminal sends one. Every key must still arrive, and the end must come."""
    with Terminal(secretscan("review", str(shop)), tmp_path / "terminal") as terminal:
        terminal.until("files read")
        terminal.kill(signal.SIGCONT)
        terminal.kill(signal.SIGCONT)
        for _ in range(10):
            terminal.press("question_mark")
            terminal.until(" Esc Close")
            terminal.press("escape")
            terminal.until(" Enter Open")
        quit_restored(terminal)


def test_a_suspension_ends_where_it_began(tmp_path: Path, shop: Path) -> None:
    with Terminal(secretscan("review", str(shop)), tmp_path / "terminal") as terminal:
        terminal.until("files read")
        before = terminal.at_rest()
        terminal.kill(signal.SIGTSTP)
        terminal.wait_for(lambda: Path(f"/proc/{terminal.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        terminal.kill(signal.SIGCONT)
        terminal.until(lambda screen: screen == before)
        quit_restored(terminal)


def test_a_second_application_at_the_same_run_is_told(
    under_way: Terminal, tmp_path: Path, shop: Path, local: Local
) -> None:
    with Terminal(review(shop, local), tmp_path / "second") as second:
        second.until("A run was interrupted")
        second.press("enter")
        second.until("Sign in")
        second.press("ctrl+g")
        second.until("not finished")
        second.press("ctrl+l")
        second.until("files read")
        quit_restored(second)
    under_way.until("The run is done, and its proof holds", 120)
    under_way.press("ctrl+n")
    under_way.until("PROVED")
    quit_restored(under_way)
