"""Values made up from a seed, and files that are not on disk."""

from __future__ import annotations

import base64
import io
import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import pytest

from secretscan.detect.scan import Detector, FileScan

_GENERATOR = re.compile(r"\{(alnum|letters|lower|upper|word|digits|hex|b64|b64url|uuid)(?::(\d+))?\}")
_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "letters": string.ascii_letters,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "word": string.ascii_lowercase,
    "digits": string.digits,
    "hex": "0123456789abcdef",
}


def expand_with(text: str, seed: int) -> str:
    """The text with its generators (`{alnum:20}`: so many characters; `{b64:32}`: so many bytes) carried out."""
    source = random.Random(f"{seed} {text}")  # noqa: S311 - made-up values have to be the same in every run

    def made(match: re.Match[str]) -> str:
        kind, size = match[1], int(match[2] or 0)
        if kind == "uuid":
            return "-".join("".join(source.choices("0123456789abcdef", k=part)) for part in (8, 4, 4, 4, 12))
        if kind == "b64":
            return base64.b64encode(source.randbytes(size)).decode()
        if kind == "b64url":
            return base64.urlsafe_b64encode(source.randbytes(size)).decode().rstrip("=")
        return "".join(source.choices(_ALPHABETS[kind], k=size))

    return _GENERATOR.sub(made, text)


@dataclass(frozen=True)
class Memory:
    """A file of a source that is only in memory."""

    path: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


Scan = Callable[[str, bytes | str], FileScan]


@pytest.fixture
def expand() -> Callable[[str], str]:
    return lambda text: expand_with(text, 1)


@pytest.fixture
def scan() -> Scan:
    """What a detector says of a file with this path and content."""
    detector = Detector()

    def of(path: str, data: bytes | str) -> FileScan:
        return detector.scan(Memory(path, data.encode() if isinstance(data, str) else data))

    return of


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
