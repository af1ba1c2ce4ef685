"""What is being settled while a plan is made: the places that are still to move, and those that stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rewriters import Edit, Plaintext, Reference, Rewrite, Settings
from secretscan.detect.survey import Survey
from secretscan.inventory.ids import Ids
from secretscan.plan.candidates import Candidate, left_for
from secretscan.plan.choose import Names
from secretscan.plan.document import Left

__all__ = ["Work"]


@dataclass(slots=True)
class Work:
    """`open` may move, `left` stays; `rewrites` is what the rewriters last answered."""

    survey: Survey
    settings: Settings
    vault_url: str
    ids: Ids
    names: Names
    open: list[Candidate]
    left: list[Left]
    rewrites: dict[str, Rewrite] = field(default_factory=dict)

    def drop(self, gone: Callable[[Candidate], bool], reason: str, alternative: str) -> bool:
        """Takes places out; whether there were any."""
        stay: list[Candidate] = []
        out: list[Candidate] = []
        for item in self.open:
            (out if gone(item) else stay).append(item)
        self.left += [left_for(item, reason, alternative) for item in out]
        self.open = stay
        return bool(out)

    def reference(self, secret: str) -> Reference:
        return Reference(self.vault_url, self.names[secret].name)

    def values(self) -> dict[str, Plaintext]:
        """What moves, by secret id."""
        return {item.id: item.value for item in self.open}

    def known(self) -> dict[str, Plaintext]:
        """What moves, and all strong values that stay: none of them may show in a plan or a preview."""
        found = (finding for finding in self.survey.findings if finding.strength == "strong")
        return {self.ids.secret(finding.value): finding.value for finding in found} | self.values()

    def edits(self) -> dict[str, list[Edit]]:
        """All edits by file, in the order of their places."""
        result: dict[str, list[Edit]] = {}
        for rewrite in self.rewrites.values():
            for edit in rewrite.edits:
                result.setdefault(edit.path, []).append(edit)
        return {path: sorted(each, key=lambda edit: (edit.span.start, edit.span.end)) for path, each in result.items()}
