"""Parts of a text are found where `locate` finds them, also when there are very many."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from rewriters import Span, by_name
from rewriters._encode import Undecodable, decode, locate
from rewriters._parts import Parts

CHAINS = ("yaml-plain", "yaml-double", "yaml-single", "yaml-literal:2:clip", "yaml-folded:2:strip", "url", "base64")


@given(
    st.sampled_from(CHAINS),
    st.text("aé \\\"'n%41\n  ", max_size=30),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_parts_are_where_locate_finds_them(name: str, text: str, start: int, size: int) -> None:
    raw = text.encode()
    try:
        value = decode((name,), raw)
    except Undecodable:
        return
    part = Span(min(start, len(value)), min(start + size, len(value)))
    parts = Parts((name,), raw)
    assert parts.locate(part) == locate((name,), raw, part)
    assert parts.locate(part) == locate((name,), raw, part)


def test_a_command_of_very_many_words_takes_little_time() -> None:
    words = " ".join(f"--password=Qx7Rk2Lm{number}" for number in range(10_000))
    data = f"services:\n  a:\n    image: x\n    command: >\n      {words}\n".encode()
    began = time.process_time()
    assert len(by_name("compose").slots("compose.yaml", data)) == 10_001
    assert time.process_time() - began < 20  # minutes, when each word is looked for from the start
