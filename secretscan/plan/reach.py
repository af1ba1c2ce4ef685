"""Files that a person left out keep every byte: a place whose move would reach into one of them stays too.

A platform ties places to other files: an image's variable to the Compose service that has to set it, a Secret to the
workloads and kustomizations that use it, everything that reads variables to the script that fetches them. Rewriters
do not say which place an edit is for, so they are asked again for ever fewer places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rewriters import Requirement, Rewrite, fetch
from secretscan.plan.candidates import Candidate
from secretscan.plan.choices import TAKE_IN
from secretscan.plan.work import Work

__all__ = ["drop_reaching"]

_Ask = Callable[[str, Sequence[Candidate], tuple[Requirement, ...]], Rewrite]
_Cause = Candidate | Requirement

_MOST = 100
"""How often one rewriter is asked in one round. Then places that were not told apart stay together."""


def drop_reaching(work: Work, requires: tuple[Requirement, ...], ask: _Ask) -> bool:
    """Takes out places for whose sake the last answers would change or make a file that was left out; whether there
    were any."""
    spared = set(work.choices.without_paths)
    again = False
    for name, rewrite in work.rewrites.items() if spared else ():
        if not _reached(work, rewrite, spared):
            continue
        # In the order of their files, since a place that cannot move without its neighbours is only seen with them.
        items = sorted((item for item in work.open if item.slot.platform == name), key=lambda item: item.where)
        for causes, path in _Search(work, name, spared, ask).causes((*items, *requires)):
            again |= _drop(work, causes, path)
    return again


class _Search:
    """Tells which places and requirements have one rewriter reach files that were left out."""

    def __init__(self, work: Work, name: str, spared: set[str], ask: _Ask) -> None:
        self._work = work
        self._name = name
        self._spared = spared
        self._ask = ask
        self._left = _MOST

    def causes(self, among: tuple[_Cause, ...]) -> list[tuple[tuple[_Cause, ...], str]]:
        """Groups, each with the first file that it reaches; of one member, unless only several together reach it."""
        self._left -= 1
        items = [cause for cause in among if isinstance(cause, Candidate)]
        needs = tuple(cause for cause in among if isinstance(cause, Requirement))
        path = _reached(self._work, self._ask(self._name, items, needs), self._spared)
        if not path:
            return []
        if len(among) == 1 or self._left <= 0:
            return [(among, path)]
        half = len(among) // 2
        return self.causes(among[:half]) + self.causes(among[half:]) or [(among, path)]


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
