"""Codecs between a decoded value and the bytes that stand for it in a file, and chains of them.

A chain lists codec names from the file inwards: `("yaml-double", "base64")`. A name may carry parameters after a
colon (`yaml-literal:4:clip`), so that a chain is all that is needed to write a value the way it stood: undo renders
a literal from the value and the chain alone. A codec may be canonical: decoding accepts every spelling, encoding gives
one. Whether the one is the file's own is asked with `reproduces`.

Sources: YAML 1.1 sections 5.7, 7.3 and 8.1 as LibYAML reads them; RFC 4648 (base64); RFC 3986 section 2.1; RFC 8259
section 7; the Compose specification, interpolation (`$$`); XML 1.0 sections 2.11, 3.3.3 and 4.6; HCL native syntax
specification, template expressions, and `flushHeredocTemplateParts` of HCL's parser (what `<<-` takes off each line);
Azure/bicep, Lexer.cs (`bicep`: the text between single quotes); java.util.Properties, `load` (`properties`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote_from_bytes

from rewriters._api import Span

__all__ = ["SYNTAX", "Undecodable", "cover", "decode", "encode", "locate", "partial", "reproduces", "units"]


class Undecodable(ValueError):
    """These bytes are not of that encoding, or this value cannot be written in it. The message names no byte."""


Units = Iterator[tuple[int, bytes, bool]]
"""Pieces of an encoded text in order: how many raw bytes, what they decode to, and whether that is the same bytes, so
that the piece can be divided anywhere."""


class Codec(Protocol):
    """One layer of a chain."""

    def decode(self, raw: bytes) -> bytes: ...
    def encode(self, value: bytes) -> bytes: ...
    def units(self, raw: bytes) -> Units | None: ...


class _Units:
    """A codec given by its pieces and its encoder: pieces decode on their own, so parts of a value have spans."""

    def __init__(self, units: Callable[[bytes], Units], encode: Callable[[bytes], bytes]) -> None:
        self._pieces = units
        self.encode = encode

    def units(self, raw: bytes) -> Units | None:
        return self._pieces(raw)

    def decode(self, raw: bytes) -> bytes:
        return b"".join(piece for _, piece, _ in self._pieces(raw))


class _Whole:
    """A codec in which parts of a value have no bytes of their own."""

    def __init__(self, decode: Callable[[bytes], bytes], encode: Callable[[bytes], bytes]) -> None:
        self.decode = decode
        self.encode = encode

    def units(self, raw: bytes) -> Units | None:
        return None


class _Words(_Whole):
    """A codec that changes nothing but blanks: words of a value have bytes of their own."""

    def units(self, raw: bytes) -> Units | None:
        value = self.decode(raw)
        if _WORD.findall(raw) != _WORD.findall(value):
            return None
        return self._pieces(raw, value, list(zip(_WORD.finditer(raw), _WORD.finditer(value), strict=True)))

    @staticmethod
    def _pieces(raw: bytes, value: bytes, words: list[tuple[re.Match[bytes], re.Match[bytes]]]) -> Units:
        at = value_at = 0
        for word, decoded in words:
            if word.start() > at or decoded.start() > value_at:
                yield word.start() - at, value[value_at : decoded.start()], False
            yield len(word[0]), word[0], True
            at, value_at = word.end(), decoded.end()
        if at < len(raw) or value_at < len(value):
            yield len(raw) - at, value[value_at:], False


_WORD = re.compile(rb"[^ \t\r\n]+")


def _tokens(pattern: re.Pattern[bytes], meaning: Callable[[re.Match[bytes]], bytes]) -> Callable[[bytes], Units]:
    """Pieces by a pattern for what is special; everything between stands for itself."""

    def units(raw: bytes) -> Units:
        at = 0
        for match in pattern.finditer(raw):
            if match.start() > at:
                yield match.start() - at, raw[at : match.start()], True
            piece = meaning(match)
            yield match.end() - match.start(), piece, piece == match[0]
            at = match.end()
        if at < len(raw):
            yield len(raw) - at, raw[at:], True

    return units


# --- base64 ----------------------------------------------------------------------------------------------------------


def _base64(parameter: str) -> Codec:
    """`base64`, or `base64:WIDTH` wrapped into lines of WIDTH, `base64:WIDTHn` with a line break at the end too."""
    tail = parameter.endswith("n")
    width = int(parameter.rstrip("n") or 0)

    def decode(raw: bytes) -> bytes:
        try:
            return base64.b64decode(raw.translate(None, b"\r\n"), validate=True)
        except binascii.Error:
            raise Undecodable("not base64") from None

    def encode(value: bytes) -> bytes:
        text = base64.b64encode(value)
        if width:
            text = b"\n".join(text[at : at + width] for at in range(0, len(text), width))
        return text + b"\n" * tail

    return _Whole(decode, encode)


# --- url, json, dollar, backslash -------------------------------------------------------------------------------------

_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def _url(safe: str) -> Codec:
    """Percent-encoding; `url:SAFE` names characters left alone beside the unreserved ones."""
    return _Units(
        _tokens(_PERCENT, lambda match: bytes.fromhex(match[1].decode())),
        lambda value: quote_from_bytes(value, safe).encode(),
    )


_JSON = re.compile(rb"\\(?:u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_JSON_SHORT = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}


def _json_meaning(match: re.Match[bytes]) -> bytes:
    body = match[0][1:]
    if body[:1] != b"u" or len(body) < 5:
        return _JSON_SHORT.get(body, body)
    units = [int(digits, 16) for digits in re.findall(rb"u([0-9A-Fa-f]{4})", body)]
    raw = b"".join(unit.to_bytes(2, "big") for unit in units)
    return raw.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")


def _json_encode(value: bytes) -> bytes:
    shorts = {0x22: b'\\"', 0x5C: b"\\\\"} | {decoded[0]: b"\\" + short for short, decoded in _JSON_SHORT.items()}
    return b"".join(shorts.get(byte) or (b"\\u%04x" % byte if byte < 32 else bytes((byte,))) for byte in value)


def _dollar(_: str) -> Codec:
    return _Units(_tokens(re.compile(rb"\$\$"), lambda match: b"$"), lambda value: value.replace(b"$", b"$$"))


def _escape(parameter: str) -> Codec:
    """`escape:XSET`: the character X before any character of SET stands for that character, elsewhere for itself.

    In SET, a newline stands for a removed line continuation and is never written.
    """
    mark, chosen = parameter[:1].encode(), parameter[1:].encode()
    pattern = re.compile(re.escape(mark) + b"([" + re.escape(chosen) + b"])")
    written = chosen.replace(b"\n", b"")
    special = re.compile(b"([" + re.escape(written) + b"])" if written else b"(?!)()")
    return _Units(
        _tokens(pattern, lambda match: match[1].replace(b"\n", b"")),
        lambda value: special.sub(lambda match: mark + match[1], value),
    )


def _escape_c(parameter: str) -> Codec:
    r"""`escape-c:SET`: as `escape` with a backslash, and `\n`, `\r`, `\t` for the control characters."""
    chosen = parameter.encode()
    names = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
    pattern = re.compile(rb"\\([nrt" + re.escape(chosen) + b"])")
    special = re.compile(rb"([\n\r\t" + re.escape(chosen) + b"])")
    written = {decoded: name for name, decoded in names.items()}
    return _Units(
        _tokens(pattern, lambda match: names.get(match[1], match[1])),
        lambda value: special.sub(lambda match: b"\\" + written.get(match[1], match[1]), value),
    )


def _dockerfile_line(parameter: str) -> Codec:
    """`dockerfile-line:X`: a Dockerfile's line continuations (X at the end of a line, with the comments and the empty
    lines that follow) stand for nothing. Never written."""
    mark = re.escape(parameter.encode())
    pattern = re.compile(rb"(?<!" + mark + rb")" + mark + rb"[ \t]*\r*\n(?:[ \t\v\f\r]*(?:#[^\n]*)?\n)*")
    return _Units(_tokens(pattern, lambda match: b""), _same)


_BICEP = re.compile(rb"\\(?:u\{([0-9A-Fa-f]{1,8})\}|([nrt\\'$]))|\\")
_BICEP_NAMES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _bicep_meaning(match: re.Match[bytes]) -> bytes:
    if match[1]:
        if int(match[1], 16) > 0x10FFFF:
            raise Undecodable("an escape names no character")
        return chr(int(match[1], 16)).encode("utf-8", "surrogatepass")
    if not match[2]:
        raise Undecodable("an escape that Bicep does not know")
    return _BICEP_NAMES.get(match[2], match[2])


def _bicep_encode(value: bytes) -> bytes:
    names = {decoded: name for name, decoded in _BICEP_NAMES.items()}
    return re.sub(rb"[\\'\n\r\t]|\$(?=\{)", lambda match: b"\\" + names.get(match[0], match[0]), value)


_PROPERTIES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}"
    rb"|(?:\r\n|[\r\n])[ \t\f]*|.|\Z)",
    re.DOTALL,
)
_PROPERTIES_SHORT = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"f": b"\f"}


def _properties_meaning(match: re.Match[bytes]) -> bytes:
    body = match[0][1:]
    if body[:1] in (b"\r", b"\n"):
        return b""
    if body[:1] == b"u":
        if len(body) < 5:
            raise Undecodable("an escape names no character")
        return _json_meaning(match)
    return _PROPERTIES_SHORT.get(body, body)


def _properties_encode(value: bytes) -> bytes:
    names = {decoded: name for name, decoded in _PROPERTIES_SHORT.items()}
    text = re.sub(rb"[\\\n\t\r\f]", lambda match: b"\\" + names.get(match[0], match[0]), value)
    return b"\\" + text if text.startswith(b" ") else text


_PLAIN_WORD = re.compile(rb"[\w@%+=:,./-]*\Z")


def _word(parameter: str) -> Codec:
    """`word:XSET`: a word in which quoted and bare stretches mix, as in `a'b c'"d"`.

    X escapes any character outside of quotes, and those of SET between double quotes; X and a line break stand for
    nothing. Only a word that needs no quotes has a canonical form.
    """
    mark, chosen = parameter[:1].encode(), parameter[1:].encode()

    def units(raw: bytes) -> Units:
        quote = b""
        at = 0
        while at < len(raw):
            char, after = raw[at : at + 1], raw[at + 1 : at + 2]
            if char == quote or (not quote and char in (b"'", b'"')):
                quote = b"" if quote else char
                yield 1, b"", False
            elif char == mark and quote != b"'" and (not quote or (after and after in chosen + b"\n")):
                yield 1 + len(after), after.replace(b"\n", b""), False
                at += len(after)
            else:
                yield 1, char, True
            at += 1

    def encode(value: bytes) -> bytes:
        if not _PLAIN_WORD.match(value):
            raise Undecodable("a word of mixed quoting has no canonical form")
        return value

    return _Units(units, encode)


# --- YAML ------------------------------------------------------------------------------------------------------------

_BREAK = rb"(?>\r\n|[\r\n]|\xc2\x85|\xe2\x80[\xa8\xa9])"
"""Line breaks of YAML 1.1, beside CR and LF: U+0085, and U+2028 and U+2029, which stay what they are."""
_BREAKS = re.compile(_BREAK)
_MORE_BREAKS = rb"(?:[ \t]*" + _BREAK + rb")*[ \t]*"
# A run of blanks without a break is a piece of its own: else each of its blanks would be tried as a beginning.
_FOLD = rb"[ \t]*" + _BREAK + _MORE_BREAKS + rb"|[ \t]+"


def _line_breaks(text: bytes) -> list[bytes]:
    return [found if len(found) == 3 else b"\n" for found in _BREAKS.findall(text)]


def _folded(match: re.Match[bytes]) -> bytes:
    """Line folding of flow scalars: one break is a space, each further one a line feed."""
    first, *others = _line_breaks(match[0]) or (b"",)
    if not first:
        return match[0]
    return b"".join(others) or b" " if first == b"\n" else first + b"".join(others)


def _flat(value: bytes) -> bytes:
    if _BREAKS.search(value):
        raise Undecodable("a line break has no canonical form in this YAML style")
    return value


_YAML_SINGLE = re.compile(rb"''|" + _FOLD)
_YAML_DOUBLE = re.compile(
    rb"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|" + _BREAK + _MORE_BREAKS + rb"|.)|" + _FOLD, re.DOTALL
)
_YAML_SHORT = {
    b"0": b"\0", b"a": b"\a", b"b": b"\b", b"t": b"\t", b"\t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f",
    b"r": b"\r", b"e": b"\x1b", b"N": b"\xc2\x85", b"_": b"\xc2\xa0", b"L": b"\xe2\x80\xa8", b"P": b"\xe2\x80\xa9",
}  # fmt: skip
_YAML_BREAK_NAMES = {b"\xc2\x85": b"\\N", b"\xe2\x80\xa8": b"\\L", b"\xe2\x80\xa9": b"\\P"}


def _yaml_double_meaning(match: re.Match[bytes]) -> bytes:
    text = match[0]
    if text[:1] != b"\\":
        return _folded(match)
    body = text[1:]
    breaks = _line_breaks(body)
    if breaks:
        return b"".join(breaks[1:])
    if body[:1] in (b"x", b"u", b"U") and len(body) > 1:
        try:
            return chr(int(body[1:], 16)).encode("utf-8", "surrogatepass")
        except (ValueError, OverflowError):
            raise Undecodable("an escape names no character") from None
    return _YAML_SHORT.get(body, body)


def _yaml_double_encode(value: bytes) -> bytes:
    shorts = {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t"}
    text = b"".join(shorts.get(byte) or (b"\\x%02x" % byte if byte < 32 else bytes((byte,))) for byte in value)
    return _BREAKS.sub(lambda match: _YAML_BREAK_NAMES[match[0]], text)


def _line_start(pad: bytes) -> bytes:
    """What begins a line of a block and is not part of the value: the indentation, or all of a shorter blank line."""
    return rb"(?:" + pad + rb"| *(?=" + _BREAK + rb"|\Z))"


def _join_lines(value: bytes, pad: bytes, newline: bytes) -> bytes:
    """The value's lines behind one another, all but the first indented."""
    if b"\r" in value or any(mark in value for mark in _YAML_BREAK_NAMES):
        raise Undecodable("a block cannot hold this line break")
    first, *others = value.split(b"\n")
    return newline.join((first, *(line and pad + line for line in others)))


def _block(parameter: str, folded: bool) -> Codec:
    """`yaml-literal:INDENT:CHOMP` and `yaml-folded:…`: raw bytes from the first line on; a third parameter `crlf`
    says that lines end that way.

    For `strip` and `clip` they end before the last content line's break; for `keep` after all breaks.
    """
    indent, chomp, *crlf = parameter.split(":")
    pad, newline = b" " * int(indent), b"\r\n" if crlf else b"\n"
    end = {"strip": b"", "clip": b"\n", "keep": b""}[chomp]
    pattern = re.compile(rb"\A" + _line_start(pad) + rb"|(" + _BREAK + rb")" + _line_start(pad))

    def units(raw: bytes) -> Units:
        yield from _tokens(pattern, lambda match: b"".join(_line_breaks(match[1] or b"")))(raw)
        if raw:
            yield 0, end, False

    def encode(value: bytes) -> bytes:
        if chomp != "keep":
            if end and not value.endswith(end):
                raise Undecodable("a clipped block ends in a line break")
            value = value[: len(value) - len(end)]
            if value.endswith(b"\n") or not value:
                raise Undecodable("this block cannot end in an empty line")
        text = _join_lines(value, pad, newline)
        return text if text.startswith(newline) or not text else pad + text

    if not folded:
        return _Units(units, encode)

    def decode(raw: bytes) -> bytes:
        import yaml

        if not raw:
            return b""
        # Indented by one and with an indicator, which can say no more than nine.
        header = b">1" + {"strip": b"-", "clip": b"", "keep": b"+"}[chomp] + b"\n"
        lines = pattern.sub(lambda match: (match[1] or b"") + b" ", raw)
        try:
            text = (header + lines + (b"" if chomp == "keep" else b"\n")).decode("utf-8")
            value = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - the base loader makes text only
        except (yaml.YAMLError, UnicodeError):
            raise Undecodable("not a folded block") from None
        return str(value).encode()

    def refuse(value: bytes) -> bytes:
        raise Undecodable("a folded block has no canonical form")

    return _Words(decode, refuse)


def _lines(parameter: str) -> Codec:
    """`yaml-lines:INDENT`: a part of a literal block, from anywhere in a line to anywhere in a line; a second
    parameter `crlf` as there."""
    indent, *crlf = parameter.split(":")
    pad, newline = b" " * int(indent), b"\r\n" if crlf else b"\n"
    pattern = re.compile(_BREAK + _line_start(pad))
    return _Units(
        _tokens(pattern, lambda match: b"".join(_line_breaks(match[0]))),
        lambda value: _join_lines(value, pad, newline),
    )


# --- XML -------------------------------------------------------------------------------------------------------------

_XML_REFERENCE = rb"&(?:amp|lt|gt|quot|apos|#0*[0-9]{1,7}|#x0*[0-9A-Fa-f]{1,6});"
_XML_TEXT = re.compile(_XML_REFERENCE + rb"|\r\n?")
_XML_ATTRIBUTE = re.compile(_XML_REFERENCE + rb"|\r\n?|[\n\t]")
_XML_NAMED = {b"&amp;": b"&", b"&lt;": b"<", b"&gt;": b">", b"&quot;": b'"', b"&apos;": b"'"}
_XML_NEVER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _xml_meaning(match: re.Match[bytes], line_break: bytes) -> bytes:
    text = match[0]
    if text[:1] != b"&":
        return line_break
    if text in _XML_NAMED:
        return _XML_NAMED[text]
    try:
        return chr(int(text[3:-1], 16) if text[2:3] == b"x" else int(text[2:-1])).encode()
    except (ValueError, OverflowError):
        raise Undecodable("a reference names no character") from None


def _xml(parameter: str, pattern: re.Pattern[bytes], line_break: bytes) -> Codec:
    """`xml-attribute:SET` and `xml-text:SET`: SET names the characters of `"'>` that are written as entities, `d` that
    numbers of characters are decimal, `c` that lines end in CRLF."""
    named = {char: entity for entity, char in _XML_NAMED.items() if char in b"&<" or char.decode() in parameter}
    numbered = b"\r" if line_break == b"\n" else b"\t\n\r"
    special = re.compile(b"[" + re.escape(b"".join(named)) + numbered + b"]")
    form = b"&#%d;" if "d" in parameter else b"&#x%X;"

    def encode(value: bytes) -> bytes:
        if _XML_NEVER.search(value):
            raise Undecodable("XML cannot hold this control character")
        text = special.sub(lambda match: named.get(match[0]) or form % match[0][0], value)
        return text.replace(b"\n", b"\r\n") if "c" in parameter else text

    return _Units(_tokens(pattern, lambda match: _xml_meaning(match, line_break)), encode)


def _xml_cdata(parameter: str) -> Codec:
    """`xml-cdata`, or `xml-cdata:c` with lines that end in CRLF."""

    def encode(value: bytes) -> bytes:
        if _XML_NEVER.search(value) or b"\r" in value or b"]]>" in value:
            raise Undecodable("a CDATA section cannot hold this")
        return value.replace(b"\n", b"\r\n") if parameter else value

    return _Units(_tokens(re.compile(rb"\r\n?"), lambda match: b"\n"), encode)


def _after(parameter: str) -> Codec:
    """`after:TEXT`: what stands behind TEXT, which is not part of the value (a user's name before a password)."""
    mark = parameter.encode("utf-8", "surrogateescape")

    def units(raw: bytes) -> Units:
        if not raw.startswith(mark):
            raise Undecodable("another text stands before the value")
        yield len(mark), b"", False
        if len(raw) > len(mark):
            yield len(raw) - len(mark), raw[len(mark) :], True

    return _Units(units, lambda value: mark + value)


# --- HCL -------------------------------------------------------------------------------------------------------------

_HCL_ESCAPE = rb"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)"
_HCL_MARK = rb"(?P<mark>[$%])(?P=mark)\{"
_HCL_SHORT = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_HCL_OPENS = re.compile(rb"[$%]\{")


def _hcl_meaning(match: re.Match[bytes]) -> bytes:
    text = match[0]
    if text[:1] != b"\\":
        return text[1:]
    body = text[1:]
    if len(body) == 1:
        return _HCL_SHORT.get(body, body)
    try:
        return chr(int(body[1:], 16)).encode("utf-8", "surrogatepass")
    except (ValueError, OverflowError):
        raise Undecodable("an escape names no character") from None


def _hcl_quote(value: bytes) -> bytes:
    shorts = {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t"}
    return b"".join(shorts.get(byte) or (b"\\u%04x" % byte if byte < 32 else bytes((byte,))) for byte in value)


def _hcl_double(value: bytes) -> bytes:
    return _HCL_OPENS.sub(lambda match: match[0][:1] + match[0], value)


def _hcl_heredoc(parameter: str, start: bytes = rb"(?m)^") -> Codec:
    """`hcl-heredoc:INDENT`: the lines of a `<<-` heredoc, each INDENT blanks deeper (`2t` for tabs). Lines of nothing
    but blanks keep them. `hcl-lines:INDENT`: a part of one, from anywhere in a line on."""
    pad = b"\t" * int(parameter[:-1]) if parameter.endswith("t") else b" " * int(parameter)
    pattern = re.compile(start + pad + rb"(?=[^\r\n]*\S)|" + _HCL_MARK)
    line = re.compile(start + rb"(?=[^\r\n]*\S)")
    return _Units(
        _tokens(pattern, lambda match: match[0][1:] if match["mark"] else b""),
        lambda value: line.sub(pad, _hcl_double(value)),
    )


def _same(value: bytes) -> bytes:
    return value


def _arm_units(raw: bytes) -> Units:
    """A text of an ARM template: `[[` at its beginning stands for one bracket when it ends with one."""
    if raw.startswith(b"[[") and raw.endswith(b"]"):
        yield 1, b"", False
        raw = raw[1:]
    if raw:
        yield len(raw), raw, True


_FACTORIES: dict[str, Callable[[str], Codec]] = {
    "arm": lambda _: _Units(_arm_units, lambda value: b"[" * (value.startswith(b"[") and value.endswith(b"]")) + value),
    "raw": lambda _: _Units(_tokens(re.compile(rb"(?!)"), lambda match: b""), _same),
    "base64": _base64,
    "url": _url,
    "json": lambda _: _Units(_tokens(_JSON, _json_meaning), _json_encode),
    "json-string": lambda _: _Units(_tokens(_JSON, _json_meaning), _json_encode),
    "dollar": _dollar,
    "escape": _escape,
    "escape-c": _escape_c,
    "dockerfile-line": _dockerfile_line,
    "word": _word,
    "properties": lambda _: _Units(_tokens(_PROPERTIES, _properties_meaning), _properties_encode),
    "bicep": lambda _: _Units(_tokens(_BICEP, _bicep_meaning), _bicep_encode),
    "hcl-string": lambda _: _Units(
        _tokens(re.compile(_HCL_ESCAPE + b"|" + _HCL_MARK, re.DOTALL), _hcl_meaning),
        lambda value: _hcl_double(_hcl_quote(value)),
    ),
    "hcl-template": lambda _: _Units(_tokens(re.compile(_HCL_ESCAPE, re.DOTALL), _hcl_meaning), _hcl_quote),
    "hcl-text": lambda _: _Units(_tokens(re.compile(_HCL_MARK), lambda match: match[0][1:]), _hcl_double),
    "hcl-heredoc": _hcl_heredoc,
    "hcl-lines": lambda parameter: _hcl_heredoc(parameter, rb"(?<=\n)"),
    "yaml-plain": lambda _: _Units(_tokens(re.compile(_FOLD), _folded), _flat),
    "yaml-single": lambda _: _Units(
        _tokens(_YAML_SINGLE, lambda match: b"'" if match[0] == b"''" else _folded(match)),
        lambda value: _flat(value).replace(b"'", b"''"),
    ),
    "yaml-double": lambda _: _Units(_tokens(_YAML_DOUBLE, _yaml_double_meaning), _yaml_double_encode),
    "yaml-literal": lambda parameter: _block(parameter, folded=False),
    "yaml-folded": lambda parameter: _block(parameter, folded=True),
    "yaml-lines": _lines,
    "xml-attribute": lambda parameter: _xml(parameter, _XML_ATTRIBUTE, b" "),
    "xml-text": lambda parameter: _xml(parameter, _XML_TEXT, b"\n"),
    "xml-cdata": _xml_cdata,
    "after": _after,
}

_HCL = ("hcl-string", "hcl-template", "hcl-text", "hcl-heredoc", "hcl-lines")
_XML = ("xml-attribute", "xml-text", "xml-cdata")
_YAML = ("yaml-plain", "yaml-single", "yaml-double", "yaml-literal", "yaml-folded", "yaml-lines")
SYNTAX = frozenset(
    (
        "raw",
        "dollar",
        "escape",
        "escape-c",
        "dockerfile-line",
        "word",
        "properties",
        "arm",
        "bicep",
        "json",
        "after",
        *_YAML,
        *_XML,
        *_HCL,
    )
)
"""Codecs that belong to a file's syntax; the others (`base64`, `url`, `json-string`) are worth telling a reader."""


@lru_cache(maxsize=256)
def _codec(name: str) -> Codec:
    kind, _, parameter = name.partition(":")
    if kind not in _FACTORIES:
        raise ValueError(f"unknown encoding {kind!r}")
    return _FACTORIES[kind](parameter)


def decode(chain: tuple[str, ...], raw: bytes) -> bytes:
    """The value that `raw` stands for. Raises `Undecodable`."""
    for name in chain:
        raw = _codec(name).decode(raw)
    return raw


def encode(chain: tuple[str, ...], value: bytes) -> bytes:
    """The bytes that stand for `value`, each codec in its canonical spelling. Raises `Undecodable`."""
    for name in reversed(chain):
        value = _codec(name).encode(value)
    return value


def reproduces(chain: tuple[str, ...], raw: bytes) -> bool:
    """Whether decoding `raw` and encoding the value again gives `raw`: the condition for undo."""
    try:
        return encode(chain, decode(chain, raw)) == raw
    except Undecodable:
        return False


def locate(chain: tuple[str, ...], raw: bytes, part: Span) -> Span | None:
    """The bytes of `raw` that stand for `part` of the decoded value; `None` when they cannot be told apart."""
    layers = [raw]
    for name in chain:
        layers.append(_codec(name).decode(layers[-1]))
    for name, text in zip(reversed(chain), reversed(layers[:-1]), strict=True):
        codec = _codec(name)
        if isinstance(codec, _Whole) and part == Span(0, len(codec.decode(text))):
            part = Span(0, len(text))
            continue
        pieces = codec.units(text)
        found = None if pieces is None else cover(pieces, part)
        if found is None:
            return None
        part = found
    return part


def units(name: str, raw: bytes) -> Units:
    """The pieces of a text in the codec `name`. Raises `ValueError` for a codec without pieces."""
    found = _codec(name).units(raw)
    if found is None:
        raise ValueError(f"{name} has no pieces")
    return found


def partial(chain: tuple[str, ...]) -> tuple[str, ...]:
    """The chain for a part, found by `locate`, of a value that stands in `chain`: blocks without their ends."""
    result: list[str] = []
    for name in chain:
        kind, *parameters = name.split(":")
        if kind == "yaml-literal":
            name = ":".join(("yaml-lines", parameters[0], *parameters[2:]))
        elif kind == "hcl-heredoc":
            name = ":".join(("hcl-lines", *parameters))
        elif kind == "yaml-folded":
            name = "yaml-plain"  # a part is of words, and a blank between two of them is written as one
        result.append(name)
    return tuple(result)


def cover(units: Units, part: Span) -> Span | None:
    """The raw range of the pieces that make up `part` exactly."""
    raw_at = value_at = 0
    start = end = -1
    for size, piece, plain in units:
        stop = value_at + len(piece)
        if start < 0 and value_at <= part.start < stop and (plain or value_at == part.start):
            start = raw_at + part.start - value_at
        if value_at < part.end <= stop and (plain or stop == part.end):
            end = raw_at + (part.end - value_at if plain else size)
            break
        raw_at, value_at = raw_at + size, stop
    return Span(start, end) if 0 <= start < end else None
