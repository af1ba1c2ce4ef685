"""Values of a file of variables that a kustomization makes a Secret of: an operator fills the Secret's keys instead.

The file loses the line; what the kustomization needs for it is a `Requirement`, fulfilled by the rewriter of manifests,
which is asked beforehand: nothing is taken out here that no object there gives back.
Source: Kustomize, `api/kv`: a value is all of its line behind the `=`, quotes included.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rewriters._api import Assignment, Edit, Request, Requirement, Span
from rewriters._dotenv_kustomize import lines
from rewriters._dotenv_read import Statement
from rewriters._dotenv_readers import Readers

__all__ = ["Packed", "requirement"]


def requirement(item: Assignment, key: str) -> Requirement:
    return Requirement("generated-key", item.slot.path, key, item.reference)


@dataclass(slots=True)
class Packed:
    """The places of packed files that may move, in one request."""

    request: Request
    wanted: dict[Requirement, tuple[Assignment, Statement]] = field(default_factory=dict)

    def refused(
        self, item: Assignment, statement: Statement, readers: Readers, *, single: bool
    ) -> tuple[str, str] | None:
        """Why this value stays, and what to do; what may move is kept for `settled`."""
        data, key = self.request.files[item.slot.path], statement.key
        whole = next((pack for pack in readers.packs if pack.whole), None)
        config = next((pack for pack in readers.packs if pack.generator != "secretGenerator"), None)
        if whole is not None:
            return (
                f"{whole.kustomization} packs this file as a whole (files), and a reference in it would stay as text",
                "list the file below envs of a secretGenerator, so that each variable is a key of its own",
            )
        if config is not None:
            return (
                f"{config.kustomization} packs this file into a ConfigMap, and an operator fills Secrets",
                f"put {key} into a file that a secretGenerator lists below envs, let the pods read it from that "
                "Secret, then plan again",
            )
        if not readers.packed_only:
            return (
                f"{readers.kustomization} packs this file as it stands, and others read it too",
                "give each of them a file of its own",
            )
        if item.part is not None:
            return "Kustomize substitutes no variables in this file", "move the whole value as one secret"
        if not single:
            return f"the file sets {key} several times", "delete all but one of them"
        if [value for name, value in lines(data) if name == key.encode()] != [item.slot.value.reveal()]:
            return (
                "Kustomize takes all of the line behind the =, with quotes, comments and blanks",
                "write KEY=value without quotes and blanks, if they are not meant, then plan again",
            )
        self.wanted[requirement(item, key)] = (item, statement)
        return None

    def settled(self) -> tuple[list[Edit], list[tuple[Assignment, str, str]]]:
        """The edits of what moves, and what stays after all, as the kustomizations that pack it tell."""
        from rewriters._k8s_rewrite import unmet

        stay: list[tuple[Assignment, str, str]] = []
        while self.wanted:
            problems = unmet(replace(self.request, assignments=(), requirements=tuple(self.wanted)))
            for need, problem in problems.items():
                stay.append((self.wanted.pop(need)[0], problem.reason, problem.alternative))
            if not problems:
                break
        edits = [
            Edit(
                item.slot.path,
                Span(statement.start, statement.literal.end),
                f"# {statement.key} comes from the vault (secret {item.reference.name})".encode(),
            )
            for item, statement in self.wanted.values()
        ]
        return edits, stay
