"""The one type in which a credential's value travels.

A found value exists only inside `Plaintext`. Nothing printable derives from it: `repr`, `str`, `format`, pickling,
copying into a container that sorts or hashes, and the messages of comparison errors all show nothing of it. The only
way out is `reveal()`, and a test holds the list of modules that may call it (design, promise 1).
"""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, final

__all__ = ["Plaintext"]

_SHOWN = "Plaintext(***)"


@final
class Plaintext:
    """Bytes that cannot show themselves.

    Equality is by value and takes the same time for any two values of one length. Instances are not hashable: a value
    is identified by its keyed id (`secretscan.inventory.ids`), never by itself.
    """

    __slots__ = ("__value",)
    __value: bytes

    def __init__(self, value: bytes) -> None:
        if not isinstance(value, bytes):
            raise TypeError("Plaintext takes bytes")
        object.__setattr__(self, "_Plaintext__value", value)

    def reveal(self) -> bytes:
        """The bytes themselves. Callers are listed in `tests/test_promises`; a new one needs a reason there."""
        return self.__value

    def empty(self) -> bool:
        """Whether there is nothing in it: the one property that may be known of a value without revealing it."""
        return not self.__value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plaintext):
            return NotImplemented
        return hmac.compare_digest(self.__value, other.__value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return _SHOWN

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return _SHOWN

    def __bool__(self) -> NoReturn:
        raise TypeError("a Plaintext has no truth value: ask empty()")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Plaintext cannot be pickled or copied")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Plaintext cannot be changed")
