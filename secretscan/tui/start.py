"""Starting the application, and what has to happen after it has left the screen."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress

from secretscan import api
from secretscan.tui.app import Options, ReviewApp
from secretscan.tui.migration import Migration

__all__ = ["collect_rarely", "start"]


def collect_rarely() -> None:
    """Sets how often Python looks for garbage. It would go through all that is kept each time that a quarter was added:
    with 50,000 findings 200 ms in which nothing is drawn. What a scan makes is kept, so there is little to find."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 1000)


def start(options: Options, *, say: Callable[[str], None]) -> int:
    """Runs the application and returns the exit status. Raises `SecretscanError` for a target that is not there, and
    for a mistake of ours that ended it."""
    root = api.root_of(options.targets)
    migration = Migration(root, options)
    app = ReviewApp(root, options, migration)
    collect_rarely()
    lines: list[str] = []
    try:
        status = app.run()
    finally:
        if any(not job.ended for job in app.jobs):
            with suppress(OSError):  # a terminal that was closed hears nothing any more, and there is more to do
                say("ending after the step under way")
        app.wait_for_jobs()
        if not app.given_up:
            lines += migration.take_back()
        migration.close()
    if app.failure is not None:
        raise app.failure
    for line in (*lines, *migration.parting_words()):
        say(line)
    return 0 if status is None else status
