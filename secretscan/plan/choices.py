"""What a person chose for a plan: names in the vault, and which secrets and files stay out of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EMPTY", "TAKE_IN", "Choices"]

TAKE_IN = "take it in again, or move it by hand, then rotate the value"
"""The alternative for what stays since somebody chose so."""


@dataclass(frozen=True, slots=True)
class Choices:
    """`names` are pairs of a secret's id and the name that it is to have, exactly. No place of the secrets
    `without_secrets` moves, nor any text that holds one of them; no byte of the files `without_paths` changes, be they
    there already or files that the plan would make.

    Choices for what is not found any more mean nothing and do no harm.
    """

    names: tuple[tuple[str, str], ...] = ()
    without_secrets: tuple[str, ...] = ()
    without_paths: tuple[str, ...] = ()


EMPTY = Choices()
