"""What a person chose for a plan: names in the vault, what stays out of it, and how the rest moves."""

from __future__ import annotations

from dataclasses import dataclass

from secretscan.plan.share import Share

__all__ = ["EMPTY", "TAKE_IN", "Choices"]

TAKE_IN = "take it in again, or move it by hand, then rotate the value"
"""The alternative for what stays since somebody chose so."""


@dataclass(frozen=True, slots=True)
class Choices:
    """`names` are pairs of a secret's id and the name that it is to have, exactly. No place of the secrets
    `without_secrets` moves, nor any text that holds one of them; no byte of the files `without_paths` changes, be they
    there already or files that the plan would make.

    `pinned` references name the version that the run stores; else they lead to whatever is current. With `whole_texts`
    a connection string moves as one secret, also where the platform could put it together from its parts.

    With a `share` that knows the plan's vault, only files move whose values go there.

    Choices for what is not found any more mean nothing and do no harm.
    """

    names: tuple[tuple[str, str], ...] = ()
    without_secrets: tuple[str, ...] = ()
    without_paths: tuple[str, ...] = ()
    pinned: bool = False
    whole_texts: bool = False
    share: Share | None = None


EMPTY = Choices()
