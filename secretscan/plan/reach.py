"""Files that a person left out keep every byte: a place whose move would reach into one of them stays too.

A platform ties places to other files: an image's variable to the Compose service that has to set it, a Secret to the
workloads and kustomizations that use it, everything that reads variables to the script that fetches them. Rewriters
do not say which place an edit is for, so they are asked again for ever fewer places.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from rewriters import Requirement, Rewrite, fetch
from secretscan.plan.candidates import Candidate
from secretscan.plan.choices import TAKE_IN
from secretscan.plan.work import Work

__all__ = ["drop_reaching"]

_Ask = Callable[[str, Sequence[Candidate], tuple[Requirement, ...]], Rewrite]
_Cause = Candidate | Requirement

_MOST = 60
"""How often one rewriter is asked in one round. Then places that were not told apart yet stay together."""


def drop_reaching(work: Work, requires: tuple[Requirement, ...], ask: _Ask) -> bool:
    """Takes out places for whose sake the last answers would change or make a file that was left out; whether there
    were any."""
    spared = set(work.choices.without_paths)
    again = False
    for name, rewrite in work.rewrites.items() if spared else ():
        path = _reached(work, rewrite, spared)
        if not path:
            continue

        def reached(among: tuple[_Cause, ...], name: str = name) -> str:
            items = [cause for cause in among if isinstance(cause, Candidate)]
            needs = tuple(cause for cause in among if isinstance(cause, Requirement))
            return _reached(work, ask(name, items, needs), spared)

        # In the order of their files, since a place that cannot move without its neighbours is only seen with them.
        items = sorted((item for item in work.open if item.slot.platform == name), key=lambda item: item.where)
        for causes, file in _causes(reached, (*items, *requires), path):
            again |= _drop(work, causes, file)
    return again


def _causes(
    reached: Callable[[tuple[_Cause, ...]], str], among: tuple[_Cause, ...], path: str
) -> list[tuple[tuple[_Cause, ...], str]]:
    """Groups, each with the file that it reaches; of one member, unless only several together reach it.

    The largest ones are split first, so that few are together that need not be when there is no end to asking.
    """
    found: list[tuple[tuple[_Cause, ...], str]] = []
    open_ = deque([(among, path)])
    asked = 0
    while open_:
        group, path = open_.popleft()
        parts: list[tuple[tuple[_Cause, ...], str]] = []
        if len(group) > 1 and asked < _MOST:
            half = len(group) // 2
            parts = [(part, file) for part in (group[:half], group[half:]) if (file := reached(part))]
            asked += 2
        open_.extend(parts)
        if not parts:
            found.append((group, path))
    return found


def _reached(work: Work, rewrite: Rewrite, spared: set[str]) -> str:
    """The first of these files that the answer would change or make, or `""`."""
    paths = {edit.path for edit in rewrite.edits} | {companion.path for companion in rewrite.companions}
    folders = {variable.folder for variable in rewrite.variables}
    paths |= {fetch.path_for(folder, work.survey.claimed) for folder in folders}
    return min(paths & spared, default="")


def _drop(work: Work, causes: tuple[_Cause, ...], path: str) -> bool:
    needs = [cause for cause in causes if isinstance(cause, Requirement)]
    places = {cause.where for cause in causes if isinstance(cause, Candidate)}
    with_others = " together with others" if len(causes) > 1 else ""
    verb = "would change" if path in work.survey.claimed else "needs the new file"
    return work.drop(
        lambda item: item.where in places or any(work.is_for(item, need) for need in needs),
        f"moving it{with_others} {verb} {path}, which you left out",
        TAKE_IN.replace("it", "that file", 1),
    )
