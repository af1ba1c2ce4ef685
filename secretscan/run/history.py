"""When a run was made and how far it is, by its plan and its journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from secretscan.plan.document import Plan
from secretscan.run.folder import state_of
from secretscan.run.journal import LAST_MOMENT, Entry

__all__ = ["made", "progress"]


def made(plan: Plan, entries: Sequence[Entry]) -> float:
    """When the run began, in seconds since 1970; when its plan was made, if it has not; 0 if that says nothing."""
    if entries:
        return entries[0].at
    try:
        moment = datetime.fromisoformat(plan.made).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
    return moment if 0 <= moment < LAST_MOMENT else 0.0


def progress(plan: Plan, entries: Sequence[Entry]) -> tuple[int, int]:
    """How many steps are done, and of how many: a value stored, a file made or rewritten, the proof. Of a run that is
    being undone, or was, the steps of the undo: a file restored, a made file removed."""
    state = state_of(entries)
    rewritten, companions = ({item.path for item in group} for group in (plan.files, plan.companions))
    if state.startswith("und"):
        total = len(rewritten) + len(companions)
        undone = [entry for entry in entries[_began(entries) :] if entry.step in ("restored", "removed")]
        done = {entry.subject for entry in undone} & (rewritten | companions)
        return (total if state == "undone" else len(done)), total
    wanted = {("stored", secret.id) for secret in plan.secrets} | {("proved", "")}
    wanted |= {("created", path) for path in companions} | {("rewritten", path) for path in rewritten}
    done_steps = {(entry.step, entry.subject) for entry in entries}
    return len(wanted & done_steps), len(wanted)


def _began(entries: Sequence[Entry]) -> int:
    return next(at for at, entry in enumerate(entries) if entry.step == "undo-begin")
