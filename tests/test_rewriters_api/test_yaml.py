"""YAML spans: what they hold decodes to what two other readers read, and hostile files cost no more than their size."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import ruamel.yaml
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Unreadable
from rewriters._encode import decode
from rewriters._yaml import Alias, Map, Node, Scalar, Seq, documents, follow, join, line_indent, newline, segment

BOM = b"\xef\xbb\xbf"


def scalars(data: bytes) -> list[Scalar]:
    """All scalars of a stream, aliases not followed, in the order of the file."""
    return sorted(_scalars(data), key=lambda node: node.span)


def _scalars(data: bytes) -> Iterator[Scalar]:
    stack: list[Node] = [document.root for document in documents(data)]
    while stack:
        node = stack.pop()
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, Map):
            stack += [child for pair in node.pairs for child in pair]
        elif isinstance(node, Seq):
            stack += node.items


def check(data: bytes) -> None:
    """Every scalar's span decodes to its text and lies in its literal; scalars do not overlap."""
    at = 0
    for node in scalars(data):
        assert decode(node.encoding, data[node.span.start : node.span.end]) == node.text.encode()
        assert node.literal.covers(node.span)
        assert at <= node.literal.start <= node.literal.end <= len(data)
        assert node.start <= node.literal.start
        quote = {"single": b"'", "double": b'"', "literal": b"|", "folded": b">"}.get(node.style, b"")
        assert data[node.literal.start :].startswith(quote)
        at = node.literal.end


def plain(value: object) -> object:
    """A PyYAML or ruamel tree as text, lists and pairs."""
    if isinstance(value, dict):
        return [(str(key), plain(item)) for key, item in value.items()]
    return [plain(item) for item in value] if isinstance(value, list) else str(value)


def ours(node: Node) -> object:
    node = follow(node)
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Seq):
        return [ours(item) for item in node.items]
    return [(ours(key), ours(value)) for key, value in node.pairs]


# --- documents that a writer of YAML would make -----------------------------------------------------------------------

line = st.text(st.sampled_from("abz 019 _:#-'\"\\{}[],&*!|>%@`$é😀\t"), max_size=12)
value = st.one_of(
    st.lists(line, min_size=1, max_size=5).map("\n".join),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=12),
)
tree = st.recursive(
    value,
    lambda child: st.one_of(
        st.lists(child, min_size=1, max_size=3),
        st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), child, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@given(
    tree,
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.sampled_from([None, True, False]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_spans_of_what_pyyaml_writes(
    content: object, style: str | None, flow: bool | None, line_break: str, bom: bool
) -> None:
    text = yaml.dump(
        {"root": content},
        Dumper=yaml.CSafeDumper,
        default_style=style,
        default_flow_style=flow,
        allow_unicode=True,
        line_break=line_break,
    )
    data = BOM * bom + text.encode()
    try:
        found = documents(data)
    except Unreadable as error:
        # A line break of YAML 1.1 alone inside a block: refused, never located wrongly.
        assert "located" in error.reason
        assert any(mark in text for mark in "\x85\u2028\u2029")
        return
    check(data)
    assert ours(found[0].root) == plain(yaml.load(text, Loader=yaml.CBaseLoader))  # noqa: S506


@st.composite
def block(draw: st.DrawFn) -> bytes:
    """A block scalar with any header, indentation and end, as a hand would write it."""
    indent = draw(st.integers(1, 5))
    style = draw(st.sampled_from("|>"))
    header = (
        style
        + draw(st.sampled_from(["", "-", "+", str(indent), f"{indent}-", f"+{indent}"]))
        + draw(st.sampled_from(["", " # note"]))
    )
    lines = draw(
        st.lists(st.sampled_from(["", " ", "a", "b: c", "  deeper", "# text", "é 😀", "end ", "\tt"]), max_size=6)
    )
    body = "".join(f"\n{' ' * indent + text if text.strip() else text}" for text in lines)
    tail = draw(
        st.sampled_from(["", "\n", "\n\n", "\n\n\n", "\nnext: 'x'\n", '\n\nnext: "y"\n', "\n# comment\nnext: z\n"])
    )
    text = f"key: {header}{body}{tail}"
    return draw(st.sampled_from([b"", BOM])) + draw(st.sampled_from([text, text.replace("\n", "\r\n")])).encode()


@given(block())
def test_blocks_of_every_header_and_end(data: bytes) -> None:
    try:
        documents(data)
    except Unreadable as error:
        assert "broken YAML" in error.reason
        return
    check(data)


@given(block())
def test_blocks_are_what_ruamel_reads(data: bytes) -> None:
    """A reader that shares no code with LibYAML."""
    try:
        found = documents(data)
        other = ruamel.yaml.YAML(typ="safe", pure=True).load(data.decode("utf-8-sig"))
    except (Unreadable, ruamel.yaml.error.YAMLError):
        return
    for (_, node), text in zip(
        found[0].root.pairs if isinstance(found[0].root, Map) else (), other.values(), strict=True
    ):
        assert isinstance(node, Scalar)
        assert node.text == (text or "")


BITS = [
    *(
        "a",
        "b: ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "\r\n  ",
        "\r",
        " ",
        "\t",
        "#x",
        "&a ",
        "*a",
        "!t ",
        "? ",
        "---\n",
        "...\n",
    ),
    *(
        "'",
        "''",
        '"',
        '\\"',
        "\\n",
        "\\\n",
        "\\x41",
        "\\ud800",
        "|\n  ",
        ">-\n   ",
        "|2+\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
    ),
    *("é", "\u2028", "\x85", "😀", "\ufeff"),
]
pieces = st.lists(st.sampled_from(BITS), max_size=14).map("".join)


@given(
    st.sampled_from(["", "k: ", "k: '", 'k: "', "k: |\n  ", "- >+\n   "]),
    pieces,
    st.sampled_from(["", "'", '"', "\n", "\nz: 1\n"]),
)
def test_anything_that_reads_is_located_exactly(before: str, middle: str, after: str) -> None:
    data = (before + middle + after).encode()
    try:
        documents(data)
    except Unreadable:
        return
    check(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        documents(data)
    except Unreadable as error:
        assert error.reason
        assert error.reason.isascii()
        assert error.line >= 0


# --- hand-written -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"k:   # none\nz: 1\n", b""),
        (b"k: !!str\n", b""),
        (b"k: &a value # c\n", b"value"),
        (b"k: !t &a 'it''s'\n", b"it''s"),
        (b"k: two\n  lines\n", b"two\n  lines"),
        (b"k: |\n  a\n\n  b\n\n\nz: 1\n", b"  a\n\n  b"),
        (b"k: |+\n  a\n\nz: 1\n", b"  a\n\n"),
        (b"k: |-\n  a", b"  a"),
        (b"k: |2\n    a\n  b\n", b"    a\n  b"),
        (b"k: |\r\n  a\r\n  b\r\n", b"  a\r\n  b"),
        (b"k: |\n", b""),
        (b'k: "\\u00e9 \\\n   x"\n', b"\\u00e9 \\\n   x"),
        (BOM + "k: é😀\n".encode(), "é😀".encode()),
        (b"{k: v, z: [1]}", b"v"),
    ],
)
def test_the_span_of_a_value(data: bytes, want: bytes) -> None:
    root = documents(data)[0].root
    assert isinstance(root, Map)
    node = root.pairs[0][1]
    assert isinstance(node, Scalar)
    assert data[node.span.start : node.span.end] == want
    check(data)


def test_an_alias_names_its_target() -> None:
    root = documents(b"a: &x 1\nb: *x\n")[0].root
    assert isinstance(root, Map)
    alias = root.pairs[1][1]
    assert isinstance(alias, Alias)
    assert follow(alias) is root.pairs[0][1]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("k: v\n".encode("utf-16"), "UTF-16"),
        ("k: é\n".encode("latin-1"), "not UTF-8"),
        (b"k: \xed\xa0\x80\n", "not UTF-8"),
        (b"k: [1\nz: 2\n", "broken YAML"),
        (b'k: "\\ud800"\n', "broken YAML"),
        (b"k: \x00\n", "broken YAML"),
        (b"k: *nobody\n", "alias"),
        (b"[" * 5000, "nesting depth"),
        (b"- " * 5000, "deeper"),
        (b"a: &a [*a]\n", "alias"),
        (b"%TAG ! tag:x,2000:\n%TAG ! tag:y,2000:\n--- a\n", "broken YAML"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, says: str) -> None:
    with pytest.raises(Unreadable) as failure:
        documents(data)
    assert says in failure.value.reason


def test_no_message_quotes_a_value() -> None:
    with pytest.raises(Unreadable) as failure:
        documents(b"password: 'kT9plumvQ4wZ\nother: [1\n")
    assert "plum" not in str(failure.value)


def test_alias_bombs_are_not_expanded() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 60))
    begin = time.process_time()
    assert len(documents(f"a0: &a0 [x]\n{levels}".encode())) == 1
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    "unit",
    [
        "- a\n",
        "k: 'x y'\n",
        " \n",
        "k: |\n  a\n\n",
        "- &a b\n- *a\n",
        "--- a\n",
        "- !t\n  # c\n  x\n",
        'k: "a  \n\n  b"\n',
        "- é\n",
    ],
)
def test_time_is_linear(unit: str) -> None:
    data = (unit * (100_000 // len(unit))).encode()
    begin = time.process_time()
    documents(data)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("blanks", [" " * 200_000, " \n" * 100_000, "\t" * 200_000])
@pytest.mark.parametrize(
    "shape", ["k: a{}b\n", "k: 'a{}b'\n", 'k: "a{}b"\n', "k: |\n  a{}b\n", "k: |\n{}\n  a\n", "k: !t{}\n"]
)
def test_runs_of_blanks_cost_their_length(shape: str, blanks: str) -> None:
    begin = time.process_time()
    try:
        documents(shape.format(blanks).encode())
    except Unreadable as error:
        assert error.reason
    assert time.process_time() - begin < 3


def test_pointers_read_back_one_way_only() -> None:
    assert join("services", "db", 0) == "services.db.0"
    assert join("a.b", 'q"', "") == '"a.b"."q\\"".""'
    assert len({segment(name) for name in ("a.b", "a", '"a.b"', "", "a\\", 'a"')}) == 6


def test_line_facts() -> None:
    assert newline(b"a\r\nb\n") == b"\r\n"
    assert newline(b"a\nb\r\n") == newline(b"") == b"\n"
    assert line_indent(b"a:\n   b: c\n", 8) == 3
    assert line_indent(BOM + b"  a: b\n", 6) == 2
