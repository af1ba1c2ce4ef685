"""What is being settled while a plan is made: the places that are still to move, and those that stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from rewriters import Edit, Plaintext, Reference, Requirement, Rewrite, Settings
from secretscan.detect.survey import Survey
from secretscan.inventory.ids import Ids
from secretscan.plan.candidates import Candidate, left_for
from secretscan.plan.choices import TAKE_IN, Choices
from secretscan.plan.choose import Names
from secretscan.plan.document import Left

__all__ = ["Work"]


@dataclass(slots=True)
class Work:
    """`open` may move, `left` stays; `rewrites` is what the rewriters last answered.

    `standing` are pairs of file and secret: what is known to stay there, be it as a part of a text that stays.
    `left_out` are the places out of which a person took something.
    """

    survey: Survey
    settings: Settings
    vault_url: str
    ids: Ids
    names: Names
    open: list[Candidate]
    left: list[Left]
    choices: Choices
    rewrites: dict[str, Rewrite] = field(default_factory=dict)
    standing: set[tuple[str, str]] = field(default_factory=set)
    left_out: set[tuple[str, str]] = field(default_factory=set)

    def drop(self, gone: Callable[[Candidate], bool], reason: str, alternative: str) -> bool:
        """Takes places out; whether there were any."""
        stay: list[Candidate] = []
        out: list[Candidate] = []
        for item in self.open:
            (out if gone(item) else stay).append(item)
        self.leave(out, reason, alternative)
        self.open = stay
        return bool(out)

    def leave(self, items: Iterable[Candidate], reason: str, alternative: str) -> None:
        """Lists places with those that stay."""
        for item in items:
            self.left.append(left_for(item, reason, alternative))
            self.standing.update((item.slot.path, id_) for id_ in (item.id, *item.covers))

    def heed_choices(self) -> None:
        """Takes out what a person chose to leave out. It is listed as the secret by which it was chosen."""
        secrets, paths = set(self.choices.without_secrets), set(self.choices.without_paths)
        stay: list[Candidate] = []
        for item in self.open:
            by = next((id_ for id_ in (item.id, *item.covers) if id_ in secrets), "")
            if by or item.slot.path in paths:
                self.leave((replace(item, id=by or item.id),), "left out as you chose", TAKE_IN)
                self.standing.add((item.slot.path, item.id))
                self.left_out.add(item.where)
            else:
                stay.append(item)
        self.open = stay

    def reference(self, secret: str) -> Reference:
        named = self.names[secret]
        version = (named.version or self.ids.stand_in(secret)) if self.choices.pinned else ""
        return Reference(self.vault_url, named.name, version)

    def is_for(self, item: Candidate, need: Requirement) -> bool:
        """Whether the requirement comes from this place."""
        return item.slot.path == need.path and self.names[item.id].name == need.reference.name

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
