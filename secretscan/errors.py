"""Errors for people: what is the matter, where, why, and what to do next.

    SecretscanError
    ├── UsageError            the command line or an argument of a use case makes no sense           2
    ├── ConfigurationError    a setting, a missing sign-in, or a vault URL that cannot be right      2
    ├── ChangedSince          a file is not any more what was planned on                             3
    ├── JournalBroken         the journal of a run cannot be read or written                         3
    ├── InventoryBroken       the inventory cannot be read or written                                3
    ├── Cancelled             someone asked to stop                                                  3
    └── VaultError            the vault did not do what was asked                                    3
        ├── VaultRefused      it answered, and the answer is no: role, firewall, policy, disabled
        ├── VaultUnreachable  no answer: name, network, TLS, time
        ├── VaultThrottled    too many requests, and waiting did not help within the time allowed
        ├── VaultConflict     the name is taken: deleted but recoverable, or held by another value
        └── SecretNotFound    the vault does not hold what a reference names; also a LookupError

The number is the exit status (docs/design.md): 2 when nothing was tried, since the input has to change; 3 when work was
started and is not complete, so that the same command can go on. Outcomes that a use case expects are types of their
own, not errors. No error ever holds a value of a credential; texts from outside are escaped by `printable`.
"""

from __future__ import annotations

import os
from typing import ClassVar

__all__ = [
    "Cancelled",
    "ChangedSince",
    "ConfigurationError",
    "InventoryBroken",
    "JournalBroken",
    "SecretNotFound",
    "SecretscanError",
    "UsageError",
    "VaultConflict",
    "VaultError",
    "VaultRefused",
    "VaultThrottled",
    "VaultUnreachable",
    "printable",
    "unforeseen",
]

LONGEST = 2000
"""Characters of one field of an error that are kept: a message is read by a person."""


def printable(text: str, longest: int = LONGEST) -> str:
    """The text with everything that a terminal would act upon, or that would hide or reorder text, as an escape.

    That is all of Unicode's "other" and "separator" characters but the space: control characters, direction
    overrides, line separators, lone surrogates of undecodable file names.
    """
    if len(text) > longest:
        text = text[:longest] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8, as os.fsdecode carries it
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class SecretscanError(Exception):
    """Base of everything that a driver shows as a message instead of a traceback.

    `what` is the matter, lower case and without a full stop; `where` is a path, a URL or a secret's name in the vault;
    `why` is the cause as far as known; `next_step` says what to do, with the command where there is one.
    """

    exit_status: ClassVar[int] = 3

    def __init__(self, what: str, where: str = "", why: str = "", next_step: str = "") -> None:
        self.what = printable(what)
        self.where = printable(where)
        self.why = printable(why)
        self.next_step = printable(next_step)
        super().__init__(self.what, self.where, self.why, self.next_step)

    def __str__(self) -> str:
        """One line: place, matter, cause."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}: {self.why}" if self.why else head

    def lines(self) -> tuple[str, ...]:
        """The message as a person reads it on standard error: the matter first, then cause and hint, if known."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return (
            head,
            *((f"why: {self.why}",) if self.why else ()),
            *((f"next: {self.next_step}",) if self.next_step else ()),
        )


class UsageError(SecretscanError):
    """The command line, or an argument of a use case, makes no sense."""

    exit_status = 2


class ConfigurationError(SecretscanError):
    """A setting cannot be right, or what the chosen settings need is missing (a sign-in, an environment variable)."""

    exit_status = 2


class ChangedSince(SecretscanError):
    """A file is not any more what was planned on, so it is left alone."""


class JournalBroken(SecretscanError):
    """The journal of a run cannot be read or written."""


class InventoryBroken(SecretscanError):
    """The inventory cannot be read or written."""


class Cancelled(SecretscanError):
    """Someone asked to stop, and the work stopped between two steps."""


class VaultError(SecretscanError):
    """The vault did not do what was asked."""


class VaultRefused(VaultError):
    """The vault answered, and the answer is no. Repeating the request does not help before something is changed."""


class VaultUnreachable(VaultError):
    """No answer from the vault: its name, the network, TLS, or time. Whether a write took place may be unknown."""


class VaultThrottled(VaultError):
    """Too many requests in the service's eyes, for longer than we were willing to wait."""


class VaultConflict(VaultError):
    """The name cannot take the value now: it is deleted but recoverable, being deleted, or holds another value."""


class SecretNotFound(VaultError, LookupError):
    """The vault does not hold the secret, or the version, that a reference names."""


def unforeseen(error: BaseException) -> SecretscanError:
    """An exception that is none of ours, as a message: what the system did not let us do (mostly a full disk), or a
    mistake of ours with where in the code it is. Its own text is left out of the latter, as it may quote a value."""
    if isinstance(error, OSError):
        return SecretscanError(
            "cannot be read or written",
            where=os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "standard output",
            why=error.strerror or type(error).__name__,
            next_step="make room or mend the permissions, then give the same command again",
        )
    place = error.__traceback__
    stack: list[str] = []
    while place is not None:
        code = place.tb_frame.f_code
        stack.append(f"{os.path.basename(code.co_filename)}:{place.tb_lineno}")  # noqa: PTH119
        place = place.tb_next
    return SecretscanError(
        f"internal error ({type(error).__name__})",
        why="in " + " > ".join(stack[-8:]),
        next_step="this is a bug of secretscan: please report it with the line above, which holds no value",
    )
