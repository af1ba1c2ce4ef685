"""Codecs: what they write reads back, what they locate is there, and hostile texts cost no more than their size."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import unquote_to_bytes

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from rewriters import Span
from rewriters._encode import SYNTAX, Undecodable, decode, encode, locate, partial, reproduces

NAMES = [
    "raw",
    "base64",
    "base64:76",
    "base64:64n",
    "url",
    "url:/:",
    "json-string",
    "dollar",
    'escape:\\"\\$`',
    'escape-c:"\\',
    "word:\\$",
    "yaml-plain",
    "yaml-single",
    "yaml-double",
    "yaml-literal:2:strip",
    "yaml-literal:4:clip",
    "yaml-literal:1:keep",
    "yaml-literal:3:clip:crlf",
    "yaml-lines:2",
    "yaml-lines:2:crlf",
]
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(str.encode)
awkward = st.lists(
    st.sampled_from(
        ["a", "B", "é", "\n", "\r\n", " ", "  ", "\t", "'", '"', "\\", "$", "%", "%41", "\u2028", "\x85", "😀"]
    ),
    max_size=14,
).map(lambda parts: "".join(parts).encode())
values = st.one_of(text, awkward)


def written(chain: tuple[str, ...], value: bytes) -> bytes | None:
    try:
        return encode(chain, value)
    except Undecodable:
        return None


@pytest.mark.parametrize("name", NAMES)
@given(value=values)
def test_what_is_written_reads_back(name: str, value: bytes) -> None:
    raw = written((name,), value)
    if raw is not None:
        assert decode((name,), raw) == value
        assert reproduces((name,), raw)


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple), values)
def test_chains_read_back(chain: tuple[str, ...], value: bytes) -> None:
    raw = written(chain, value)
    if raw is not None:
        assert decode(chain, raw) == value


@given(st.sampled_from(NAMES), awkward, st.data())
def test_a_part_is_located_where_it_stands(name: str, raw: bytes, data: st.DataObject) -> None:
    """Putting the located bytes aside leaves the rest of the value, and decoding them alone gives the part."""
    try:
        value = decode((name,), raw)
    except Undecodable:
        return
    start = data.draw(st.integers(0, len(value)))
    part = Span(start, data.draw(st.integers(start, len(value))))
    found = locate((name,), raw, part)
    if found is None or name.startswith(("base64", "word")):
        return
    assert 0 <= found.start <= found.end <= len(raw)
    if name.startswith("yaml-l"):
        return  # blocks have lines that are indented: the test below
    inside = decode(partial((name,)), raw[found.start : found.end])
    assert inside == value[part.start : part.end]


@given(st.sampled_from([("yaml-literal:2:clip", "yaml-lines:2"), ("yaml-literal:4:strip", "yaml-lines:4")]), st.data())
def test_a_part_of_a_block_is_written_as_it_stood(codecs: tuple[str, str], data: st.DataObject) -> None:
    whole, lines = codecs
    words = st.lists(st.sampled_from(["key", "x=1", "-----", "a b"]), min_size=1, max_size=4).map("\n".join)
    before, part, after = data.draw(words), data.draw(words), data.draw(words)
    value = f"{before} {part} {after}\n".encode()
    value = value if whole.endswith("clip") else value[:-1]
    raw = encode((whole,), value)
    span = Span(len(before) + 1, len(before) + 1 + len(part))
    found = locate((whole,), raw, span)
    assert found is not None
    assert partial((whole,)) == (lines,)
    assert encode((lines,), part.encode()) == raw[found.start : found.end]


@pytest.mark.parametrize(
    "chain", [("yaml-double", "url"), ("yaml-single", "dollar"), ("json-string",), ("yaml-double", "json-string")]
)
@given(before=values, part=values.filter(len), after=values)
def test_a_written_part_is_located(chain: tuple[str, ...], before: bytes, part: bytes, after: bytes) -> None:
    raws = [written(chain, piece) for piece in (before, part, after)]
    if None in raws or any(piece != piece.strip() or b"\xc2\x85" in piece for piece in (before, part, after)):
        return
    raw = b"".join(piece for piece in raws if piece is not None)
    if decode(chain, raw) != before + part + after:
        return  # the pieces read differently next to one another
    found = locate(chain, raw, Span(len(before), len(before) + len(part)))
    assert found == Span(len(raws[0] or b""), len(raw) - len(raws[2] or b""))


@given(text)
def test_json_strings_are_those_of_the_library(value: bytes) -> None:
    raw = json.dumps(value.decode())[1:-1].encode()
    assert decode(("json-string",), raw) == value
    assert json.loads(b'"' + encode(("json-string",), value) + b'"') == value.decode()


@given(st.binary(max_size=40))
def test_url_and_base64_are_those_of_the_library(value: bytes) -> None:
    assert unquote_to_bytes(encode(("url",), value)) == value
    assert base64.b64decode(encode(("base64",), value)) == value


@given(values)
@example(b"a\xe2\x80\xa8b")
def test_written_yaml_is_read_by_libyaml(value: bytes) -> None:
    if any(code < 32 and code not in (9, 10, 13) for code in value) or b"\xef\xbb\xbf" in value:
        return
    for name, before, after in (("yaml-single", b"'", b"'"), ("yaml-double", b'"', b'"')):
        raw = written((name,), value)
        if raw is None:
            continue
        try:
            read = yaml.load(before + raw + after, Loader=yaml.CBaseLoader)  # noqa: S506
        except yaml.YAMLError:
            continue  # a character that LibYAML takes in no form
        assert read.encode() == value


@pytest.mark.parametrize(
    "name", ["yaml-plain", "yaml-single", "yaml-double", "json-string", "word:\\$", "yaml-lines:2"]
)
@pytest.mark.parametrize("unit", [b" ", b"\t", b"\n", b"\\", b" \n", b"\\\n ", b"'", b'"', b"% ", b"\\u00e9"])
def test_time_is_linear(name: str, unit: bytes) -> None:
    raw = b"a" + unit * 60_000 + b"z"
    begin = time.process_time()
    decode((name,), raw)
    assert time.process_time() - begin < 1.5


def test_layers_of_syntax_are_codecs() -> None:
    with pytest.raises(ValueError, match="unknown encoding"):
        decode(("rot13",), b"a")
    assert {name.partition(":")[0] for name in NAMES} - SYNTAX == {"base64", "url", "json-string"}


@pytest.mark.parametrize(
    ("chain", "raw"),
    [
        (("base64",), b"a"),
        (("base64",), b"\xff\xff"),
        (("yaml-double",), b"\\UFFFFFFFF"),
        (("yaml-folded:2:clip",), b"\xff"),
    ],
)
def test_what_does_not_decode_says_so_without_quoting(chain: tuple[str, ...], raw: bytes) -> None:
    with pytest.raises(Undecodable) as failure:
        decode(chain, raw)
    assert raw.decode("latin-1") not in str(failure.value).split()
    assert not reproduces(chain, raw)
