"""Several parts of one place move all together, or none of them: a refusal names the place, not the part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from rewriters._api import Refusal, Request, Rewrite

__all__ = ["unsplit"]


def unsplit(request: Request, answer: Callable[[Request], Rewrite]) -> Rewrite:
    """The answer to a request in which no place is both edited and refused: asked again without such places."""
    refusals: list[Refusal] = []
    while True:
        result = answer(request)
        parts = Counter((item.slot.path, item.slot.pointer) for item in request.assignments)
        split = {(no.path, no.pointer) for no in result.refusals if parts[no.path, no.pointer] > 1}
        if not split:
            return replace(result, refusals=(*refusals, *result.refusals))
        refusals += (no for no in result.refusals if (no.path, no.pointer) in split)
        left = (item for item in request.assignments if (item.slot.path, item.slot.pointer) not in split)
        request = replace(request, assignments=tuple(left))
