"""XML as a tree of elements that know the exact bytes of their attributes and texts.

Expat says whether a file is well-formed; the bytes are found by a scanner of our own, since expat does not say where an
attribute stands. A document type is refused, so there are no entities but the five of XML and numbers.

Source: Extensible Markup Language (XML) 1.0, fifth edition: 2.4 (texts), 2.7 (CDATA), 2.11 (line ends), 3.3.3 (values
of attributes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from rewriters._api import Span, Unreadable
from rewriters._encode import Undecodable, decode

__all__ = ["MAX_DEPTH", "Attribute", "Element", "Text", "read"]

MAX_DEPTH = 100
MAX_NODES = 500_000
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\0<", b"<\0", b"\0\0")
_DECLARED = re.compile(rb"<\?xml\s[^>]*?\sencoding\s*=\s*[\"']([^\"'>]+)[\"']")
_TAG = re.compile(
    rb"""<(?P<name>[^\s/>!?]+)(?P<attributes>(?:\s+[^\s=/>]+\s*=\s*(?:"[^"]*"|'[^']*'))*+)\s*+(?P<empty>/?)>"""
)
_ATTRIBUTE = re.compile(rb"""\s+(?P<name>[^\s=/>]+)\s*=\s*(?P<literal>"[^"]*"|'[^']*')""")
_ENTITIES = (("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"))


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """`span` is the content, `literal` that with quotes, `start` where the name begins. `encoding` decodes the span."""

    name: str
    value: str = field(repr=False)
    span: Span
    literal: Span
    start: int
    encoding: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A text between two marks, or a CDATA section's content, without blanks at its ends; never empty."""

    value: str = field(repr=False)
    span: Span
    literal: Span
    encoding: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """`name` is without prefix. `start` is that of the start tag, `opened` its end, `end` that of the element."""

    name: str
    attributes: tuple[Attribute, ...]
    children: tuple[Element, ...]
    texts: tuple[Text, ...]
    start: int
    opened: int
    end: int

    def attribute(self, name: str) -> Attribute | None:
        return next((item for item in self.attributes if item.name == name), None)

    def get(self, name: str) -> str:
        """An attribute's value; empty when it is not there."""
        found = self.attribute(name)
        return found.value if found is not None else ""

    def named(self, name: str) -> tuple[Element, ...]:
        return tuple(child for child in self.children if child.name == name)


class _Open:
    """An element that is being read."""

    __slots__ = ("attributes", "children", "name", "opened", "start", "texts")

    def __init__(self, name: str, attributes: tuple[Attribute, ...], start: int, opened: int) -> None:
        self.name, self.attributes, self.start, self.opened = name, attributes, start, opened
        self.children: list[Element] = []
        self.texts: list[Text] = []

    def closed(self, end: int) -> Element:
        children, texts = tuple(self.children), tuple(self.texts)
        return Element(self.name, self.attributes, children, texts, self.start, self.opened, end)


def read(data: bytes) -> Element:
    """The root element. Raises `Unreadable` for what is no UTF-8, not well-formed, too deep, or has a document type."""
    _check_encoding(data)
    _check_form(data)
    stack: list[_Open] = []
    root: Element | None = None
    at = data.find(b"<")
    nodes = 0
    while at >= 0:
        nodes += 1
        if nodes > MAX_NODES:
            raise Unreadable(f"more than {MAX_NODES} elements")
        done: Element | None = None
        if data.startswith(b"<!--", at):
            end = _after(data, b"-->", at + 4)
        elif data.startswith(b"<?", at):
            end = _after(data, b"?>", at + 2)
        elif data.startswith(b"<![CDATA[", at):
            end = _after(data, b"]]>", at + 9)
            if stack:
                _text(data, Span(at + 9, end - 3), Span(at, end), "xml-cdata", stack[-1].texts)
        elif data.startswith(b"</", at):
            end = _after(data, b">", at + 2)
            if not stack:
                raise _broken(data, at)
            done = stack.pop().closed(end)
        else:
            match = _TAG.match(data, at)
            if match is None:
                raise _broken(data, at)
            end = match.end()
            attributes = tuple(_attribute(data, each) for each in _ATTRIBUTE.finditer(data, *match.span("attributes")))
            nodes += len(attributes)
            opened = _Open(_local(match["name"]), attributes, at, end)
            if match["empty"]:
                done = opened.closed(end)
            else:
                stack.append(opened)
        if done is not None:
            if stack:
                stack[-1].children.append(done)
            else:
                root = done
        at = data.find(b"<", end)
        if stack and at > end:
            _text(data, Span(end, at), Span(end, at), "xml-text", stack[-1].texts)
    if root is None or stack:
        raise _broken(data, len(data))
    return root


def _check_encoding(data: bytes) -> None:
    if data.startswith(_WIDE):
        raise Unreadable("the file is UTF-16; save it as UTF-8 to have it rewritten")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("the file is not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None
    declared = _DECLARED.match(data.removeprefix(_BOM))
    if declared is None or declared[1].lower() in (b"utf-8", b"utf8", b"us-ascii"):
        return
    if declared[1].lower().startswith((b"utf-16", b"utf-32", b"ucs")):
        raise Unreadable("the file says that it is UTF-16, and is not", 1)
    if not data.isascii():
        raise Unreadable("the file says that it is not UTF-8; save it as UTF-8 to have it rewritten", 1)


class _Refused(Exception):
    """What is well-formed and not taken all the same."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _check_form(data: bytes) -> None:
    from xml.parsers import expat

    depth = 0

    def opened(name: str, attributes: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels")

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: Any) -> None:
        raise _Refused("it has a document type, which could define entities")

    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except _Refused as refused:
        raise Unreadable(refused.reason, parser.CurrentLineNumber) from None
    except expat.ExpatError as error:
        raise Unreadable("broken XML", error.lineno) from None


def _after(data: bytes, mark: bytes, start: int) -> int:
    found = data.find(mark, start)
    if found < 0:
        raise _broken(data, start)
    return found + len(mark)


def _broken(data: bytes, at: int) -> Unreadable:
    return Unreadable("broken XML", data.count(b"\n", 0, at) + 1)


def _local(name: bytes) -> str:
    return name.rpartition(b":")[2].decode()


def _attribute(data: bytes, match: re.Match[bytes]) -> Attribute:
    literal = Span(*match.span("literal"))
    span = Span(literal.start + 1, literal.end - 1)
    quote = data[literal.start : span.start].decode()
    encoding = (f"xml-attribute:{_flags(data[span.start : span.end], quote)}",)
    name = match["name"].decode()
    return Attribute(name, _decoded(data, span, encoding), span, literal, match.start("name"), encoding)


def _text(data: bytes, span: Span, literal: Span, codec: str, into: list[Text]) -> None:
    raw = data[span.start : span.end]
    start = span.start + len(raw) - len(raw.lstrip(b" \t\r\n"))
    end = span.start + len(raw.rstrip(b" \t\r\n"))
    if start >= end:
        return
    inner = Span(start, end)
    crlf = "c" if b"\r\n" in data[start:end] else ""
    flags = _flags(data[start:end], "") if codec == "xml-text" else ""
    encoding = (f"{codec}:{flags}{crlf}",)
    into.append(Text(_decoded(data, inner, encoding), inner, inner if codec == "xml-text" else literal, encoding))


def _flags(raw: bytes, quote: str) -> str:
    """How the file itself spells what can be spelt in several ways."""
    if b"&" not in raw:
        return quote
    text = raw.decode()
    named = "".join(char for entity, char in _ENTITIES if entity in text and char != quote)
    return quote + named + ("d" if "&#" in text and "&#x" not in text else "")


_PLAIN = re.compile(rb"[^&\t\r\n]*\Z")


def _decoded(data: bytes, span: Span, encoding: tuple[str, ...]) -> str:
    if _PLAIN.match(data[span.start : span.end]):
        return data[span.start : span.end].decode()
    try:
        return decode(encoding, data[span.start : span.end]).decode()
    except (Undecodable, UnicodeDecodeError):
        raise _broken(data, span.start) from None
