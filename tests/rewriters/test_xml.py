"""The reader of XML: spans and encodings, compared with ElementTree; what it refuses."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Unreadable
from rewriters._encode import decode, encode, reproduces
from rewriters._xml import Element, read

# What XML 1.0 can hold, with all that has to be written in another way.
CHARS = st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"
) | st.sampled_from("\n\r\t&<>\"'$#:;[]{}😀é")
TEXTS = st.text(CHARS, max_size=20)
QUOTES = st.sampled_from("\"'")


def escaped(value: str, quote: str, numbers: bool) -> str:
    out = value.replace("&", "&amp;").replace("<", "&lt;").replace(quote, "&quot;" if quote == '"' else "&apos;")
    for char in "\t\n\r":
        out = out.replace(char, f"&#{ord(char)};" if numbers else f"&#x{ord(char):X};")
    return out


@given(
    st.lists(st.tuples(TEXTS, QUOTES, st.booleans()), max_size=4), TEXTS, st.booleans(), st.sampled_from([" ", "\n\t"])
)
def test_attributes_and_texts_are_those_of_elementtree(
    values: list[tuple[str, str, bool]], text: str, bom: bool, blank: str
) -> None:
    parts = [
        f"{blank}a{at}{blank}={quote}{escaped(value, quote, dec)}{quote}"
        for at, (value, quote, dec) in enumerate(values)
    ]
    body = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
    source = f"<!-- <x y='1'> --><root><item{''.join(parts)}>{body}</item><empty/><?pi a='b'?></root>"
    data = (b"\xef\xbb\xbf" if bom else b"") + source.encode()
    item = read(data).children[0]
    expected = ET.fromstring(data)[0]  # noqa: S314 - made here
    assert {each.name: each.value for each in item.attributes} == expected.attrib
    for attribute in item.attributes:
        raw = data[attribute.span.start : attribute.span.end]
        assert decode(attribute.encoding, raw) == attribute.value.encode()
        assert data[attribute.start :].startswith(attribute.name.encode())
        assert reproduces(attribute.encoding, raw)
    shown = "".join(each.value for each in item.texts)
    assert shown.strip() == (expected.text or "").strip()
    for each in item.texts:
        assert decode(each.encoding, data[each.span.start : each.span.end]) == each.value.encode()


def test_line_breaks_in_an_attribute_are_blanks() -> None:
    data = b"<a b='x\r\ny\tz\rw'/>"
    assert read(data).get("b") == ET.fromstring(data).get("b") == "x y z w"  # noqa: S314 - made here


def test_sections_and_comments_divide_a_text() -> None:
    data = b"<a>one <!-- no --> two <![CDATA[ th<r&ee\r\nfour ]]></a>"
    texts = read(data).texts
    assert [text.value for text in texts] == ["one", "two", "th<r&ee\nfour"]
    assert all(reproduces(text.encoding, data[text.span.start : text.span.end]) for text in texts)


@given(TEXTS)
def test_what_is_written_is_read_again(value: str) -> None:
    for codec in ('xml-attribute:"', "xml-attribute:'>d", "xml-text:", "xml-text:>c"):
        if "c" in codec.partition(":")[2] and "\r" in value:
            continue
        assert decode((codec,), encode((codec,), value.encode())) == value.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"text", b"<a>", b"<a></b>", b"<a/><b/>", b"<a b='1' b='2'/>", b"<a b='<'/>", b"<a>&unknown;</a>",
        b"<x:a/>", b"<a b=1/>", b"\xff<a/>", b"<a b='&#0;'/>", b"<a>" * 200 + b"</a>" * 200, b"<a>\x01</a>",
        "<a/>".encode("utf-16"), "<a/>".encode("utf-16-le"), b"<?xml version='1.0' encoding='utf-16'?><a/>",
        "<?xml version='1.0' encoding='latin-1'?><a b='é'/>".encode(),
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
    ],
)  # fmt: skip
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"<a>" + b"<b c='d'/>" * 20_000 + b"</a>", b"<a b='" + b"&#x" * 100_000 + b"'/>", b"<a " + b"b" * 200_000,
        b"<a>" + b"<" * 100_000, b"<a b='" + b"\t" * 100_000 + b"'/>", b"<a>" + b"<!--" * 50_000,
        b"<a " + b" " * 100_000 + b"x", b"<a>" + b"x&amp;" * 50_000 + b"</a>", b"<a>" + b"&" * 100_000,
    ],
    ids=range(9),
)  # fmt: skip
def test_hostile_files_cost_no_more_than_their_size(data: bytes) -> None:
    start = time.perf_counter()
    with suppress(Unreadable):
        assert isinstance(read(data), Element)
    assert time.perf_counter() - start < 3
