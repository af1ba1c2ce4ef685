"""A walk through every screen, by keyboard alone: what is looked at on the way is up to a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tui.harness import Session

__all__ = ["STEPS", "to_step", "tour"]

STEPS = {
    "vault": "VaultScreen",
    "targets": "TargetsScreen",
    "names": "NamesScreen",
    "preview": "PreviewScreen",
    "preflight": "PreflightScreen",
    "confirm": "ConfirmScreen",
    "run": "RunScreen",
    "result": "ResultScreen",
}
"""The steps of a migration, with the names of their screens."""


async def to_step(session: Session, step: str) -> None:
    """From the review, or a step before, to this step, with what is filled in already."""
    if session.screen == "ReviewScreen":
        await session.press("M")
        await session.on("VaultScreen")
    names = list(STEPS)
    at = list(STEPS.values()).index(session.screen)
    for name in names[at + 1 : names.index(step) + 1]:
        if name == "run":
            await session.press("ctrl+g")
        else:
            await session.press("ctrl+n")
        await session.on(STEPS[name])


async def tour(session: Session) -> AsyncIterator[str]:
    """Opens screen after screen; the name of each when it is open and at rest. Begins on the review of a folder that
    has something to move, with a vault at hand; ends on the review, with the run undone."""
    await session.on("ReviewScreen")
    yield "review"
    await session.press("question_mark")
    await session.on("HelpScreen")
    yield "help"
    await session.press("escape", "ctrl+p")
    await session.on("CommandPalette")
    yield "palette"
    await session.press("escape")
    await session.on("ReviewScreen")
    await session.press("end", "enter")
    await session.settled()
    yield "review-open"
    await session.press("enter", "home", "g")
    await session.settled()
    yield "review-by-file"
    await session.press("g")
    await session.settled()
    yield "review-by-platform"
    await session.press("g")
    await session.settled()
    await session.press("z")
    await session.settled()
    yield "review-zoomed"
    await session.press("z", "slash")
    await session.type("!platform:compose k8s")
    await session.settled()
    yield "review-filtered"
    for _ in range(25):
        await session.press("backspace")
    await session.type("plat:x")
    await session.settled()
    yield "review-filter-not-understood"
    await session.press("escape", "escape")
    await session.settled()
    for key, screen, name in (
        ("f", "FacetDialog", "facets"),
        ("s", "Choose", "sort"),
        ("colon", "AskLine", "jump"),
        ("y", "Choose", "copy"),
        ("m", "MarkDialog", "mark"),
    ):
        await session.press(key)
        await session.on(screen)
        yield name
        await session.press("escape")
        await session.on("ReviewScreen")
    await session.press("y", "enter")  # something on the clipboard
    await session.on("ReviewScreen")
    await session.press("v")
    await session.on("RevealDialog")
    yield "reveal-asks"
    await session.press("escape")
    await session.on("ReviewScreen")

    await to_step(session, "vault")
    await session.press("ctrl+y")
    await session.until("The vault answers")
    await session.settled()
    yield "vault"
    for step in ("targets", "names"):
        await to_step(session, step)
        yield step
    await session.press("enter")
    await session.on("Rename")
    await session.type("_x")
    await session.settled()
    yield "rename"
    await session.press("escape")
    await to_step(session, "preview")
    yield "preview"
    await session.press("i")
    await session.on("LeftDialog")
    yield "preview-what-stays"
    await session.press("escape")
    await session.on("PreviewScreen")
    await session.press("g")
    await session.settled()
    yield "preview-by-secret"
    for step in ("preflight", "confirm"):
        await to_step(session, step)
        yield step
    await to_step(session, "run")
    await session.until("The run is done")
    running = session.app.migration.running
    assert running is not None
    running.seconds = 1.0  # the one thing on screen that no clock of ours keeps the same
    await session.settled()
    yield "run"
    await to_step(session, "result")
    yield "result"
    await session.press("Y", "U")
    await session.on("UndoScreen")
    yield "undo"
    await session.press("d")
    await session.settled()
    yield "undo-and-delete"
    await session.press("d", "escape")
    await session.on("ResultScreen")
    await session.press("escape")
    await session.on("ReviewScreen")
    yield "review-moved"
    await session.press("r")
    await session.on("RunsScreen")
    yield "runs"
    await session.press("U")
    await session.on("UndoScreen")
    await session.press("ctrl+g")
    await session.on("SignInDialog")
    yield "sign-in"
    await session.press("ctrl+g")
    await session.until("Esc goes back")
    await session.settled()
    yield "undo-done"
    await session.press("escape")
    await session.on("RunsScreen")
    yield "runs-after"
    await session.press("escape")
    await session.on("ReviewScreen")
    yield "review-at-the-end"
