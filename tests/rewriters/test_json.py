"""The reader of JSON against Python's own, and its editor against the reader."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Unreadable, splice
from rewriters._encode import decode
from rewriters._json import read
from rewriters._json_edit import Editor
from rewriters._yaml import Map, Node, Scalar, Seq

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)
STYLES = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 1, 2, 4, "\t"]), "ensure_ascii": st.booleans()},
)


def plain(node: Node) -> Any:
    """The tree as Python's own reader would give it."""
    if isinstance(node, Map):
        return {key.text: plain(value) for key, value in node.pairs if isinstance(key, Scalar)}
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.text if node.style == "double" else json.loads(node.text)


def scalars(node: Node) -> list[Scalar]:
    if isinstance(node, Map):
        return [found for pair in node.pairs for part in pair for found in scalars(part)]
    if isinstance(node, Seq):
        return [found for item in node.items for found in scalars(item)]
    return [node] if isinstance(node, Scalar) else []


def written(value: Any, style: dict[str, Any], *, crlf: bool = False, bom: bool = False) -> bytes:
    text = json.dumps(value, **style)
    return b"\xef\xbb\xbf" * bom + (text.replace("\n", "\r\n") if crlf else text).encode()


@given(VALUES, STYLES, st.booleans(), st.booleans())
def test_it_reads_what_python_reads_and_spans_decode_to_the_texts(
    value: Any, style: dict[str, Any], crlf: bool, bom: bool
) -> None:
    data = written(value, style, crlf=crlf, bom=bom)
    root = read(data)
    assert plain(root) == value
    for scalar in scalars(root):
        assert decode(scalar.encoding, data[scalar.span.start : scalar.span.end]) == scalar.text.encode()


def test_comments_trailing_commas_and_strings_over_lines() -> None:
    data = b'// first\n{ /* a * b */ "a": [1, 2, /* , */ ], // "b": 1\n"b": "two\nlines", }\n// last'
    assert plain(read(data)) == {"a": [1, 2], "b": "two\nlines"}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1 2]", '{"a" 1}', '{"a":}', "{,}", "[,]", '{"a":1,,}', "{1:2}", "[1}", '"a', "1 2", "nul", "[1]]",
     '{"a":1 "b":2}', "// only", "[" * 101 + "]" * 101, '["\\ud800"]', "[truefalse]"],
)  # fmt: skip
def test_what_is_not_json_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(text.encode())
    assert "ud800" not in caught.value.reason


@given(st.binary(max_size=40) | st.text('{}[]:,"\\/*ab1 \n', max_size=40).map(str.encode))
def test_it_never_fails_otherwise(data: bytes) -> None:
    try:
        read(data)
    except Unreadable:
        return


@given(
    st.dictionaries(st.text(max_size=4), st.integers(0, 9), max_size=5),
    STYLES,
    st.booleans(),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.lists(st.tuples(st.text("xyz", min_size=5, max_size=9), VALUES), max_size=3, unique_by=lambda pair: pair[0]),
)
def test_pairs_come_and_go(
    value: dict[str, int], style: dict[str, Any], crlf: bool, going: list[bool], coming: list[tuple[str, Any]]
) -> None:
    data = written({"o": value}, style, crlf=crlf)
    root = read(data)
    assert isinstance(root, Map)
    owner = root.get("o")
    assert isinstance(owner, Map)
    editor = Editor("a.json", data)
    left = dict(value)
    for index, key in enumerate(value):
        if going[index]:
            editor.remove(owner, index)
            del left[key]
    for key, new in coming:
        editor.add(owner, key, new)
        left[key] = new
    done = splice(data, editor.edits())
    assert json.loads(done) == {"o": left}
    assert not re.search(rb"(?<!\r)\n", done) or not crlf or b"\r\n" not in data
    assert list(json.loads(done)["o"]) == list(left)


def test_the_style_of_the_file_is_kept() -> None:
    data = b'{\n\t"a": {},\n\t"b": [\n\t\t1 // one\n\t]\n}\n'
    root = read(data)
    assert isinstance(root, Map)
    editor = Editor("a.json", data)
    a, b = root.get("a"), root.get("b")
    assert isinstance(a, Map)
    assert isinstance(b, Seq)
    editor.add(a, "x", {"y": 1})
    editor.append(b, 2)
    editor.add(root, "c", "d")
    assert splice(data, editor.edits()) == (
        b'{\n\t"a": {\n\t\t"x": {\n\t\t\t"y": 1\n\t\t}\n\t},\n\t"b": [\n\t\t1,\n\t\t2 // one\n\t],\n\t"c": "d"\n}\n'
    )
