"""What the expressions of an HCL file come to: a reader of its own, for the proof. It knows no spans.

Source: HCL native syntax specification. `rewriters._hcl` reads with tree-sitter; this one reads tokens and puts values
in, so that neither repeats a mistake of the other.

An expression that is no text, list, object, or name that the scope knows stays a text of its own: as it is written,
with what is known in it put in. So what a function or a condition comes to is compared by what it is made of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Union

from rewriters._api import Unreadable

__all__ = ["Evaluator", "Section", "Token", "Value", "Written", "parse", "plain", "template"]

MAX_DEPTH = 100
MAX_BYTES = 64 * 1024 * 1024
MAX_VALUE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """An expression that is not settled here, with what is known put in."""

    text: str


Value = Union[str, Written, "list[Value]", "dict[str, Value]"]
Part = Union[str, "tuple[Token, ...]"]


@dataclass(frozen=True, slots=True)
class Token:
    """`word`, `number`, `mark`, `break`; `text` with its parts, or a `group` with the tokens between its brackets."""

    kind: str
    text: str = ""
    parts: tuple[Part, ...] = ()
    inner: tuple[Token, ...] = ()


@dataclass(slots=True)
class Section:
    """A file or a block: attributes as tokens, and the blocks in it."""

    kind: str = ""
    labels: tuple[str, ...] = ()
    attributes: dict[str, tuple[Token, ...]] = field(default_factory=dict)
    blocks: list[Section] = field(default_factory=list)

    def of(self, kind: str) -> list[Section]:
        return [block for block in self.blocks if block.kind == kind]


_SKIP = re.compile(r"(?:[ \t\r]+|(?:#|//)[^\n]*|/\*(?:[^*]|\*(?!/))*+\*/)+")
_WORD = re.compile(r"[^\W\d][\w-]*")
_NUMBER = re.compile(r"\d[\d.]*(?:[eE][+-]?\d+)?")
_MARK = re.compile(r"\.\.\.|==|!=|<=|>=|&&|\|\||=>|::|[-+*/%!<>?:=,.&|]")
_HEREDOC = re.compile(r"<<(-?)[ \t]*([^\s]+)[ \t]*\r?\n")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_PLAIN = re.compile(r'[^"\\$%]+')
_NO_MARK = re.compile(r"[^$%]+")
_SHORT = {"n": "\n", "r": "\r", "t": "\t"}
_CLOSING = {"{": "}", "[": "]", "(": ")"}


def parse(data: bytes) -> Section:
    """The file's attributes and blocks. Raises `Unreadable`."""
    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("the file is not UTF-8 text") from None
    return _section("", (), _Tokens(source).all(), 0)


class _Tokens:
    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0

    def broken(self) -> Unreadable:
        return Unreadable("broken HCL", self.source.count("\n", 0, self.at) + 1)

    def all(self) -> tuple[Token, ...]:
        return self.until("", 0)

    def until(self, closing: str, depth: int) -> tuple[Token, ...]:
        """The tokens up to a closing bracket, which is taken too, or to the end."""
        if depth > MAX_DEPTH:
            raise Unreadable("nested too deep", self.source.count("\n", 0, self.at) + 1)
        found: list[Token] = []
        source = self.source
        while True:
            skipped = _SKIP.match(source, self.at)
            if skipped:
                self.at = skipped.end()
            if self.at >= len(source):
                if closing:
                    raise self.broken()
                return tuple(found)
            char = source[self.at]
            if char == closing:
                self.at += 1
                return tuple(found)
            if char == "~" and source.startswith("~}", self.at) and closing == "}":
                self.at += 2
                return (*found, Token("mark", "~"))
            found.append(self.one(char, depth))

    def one(self, char: str, depth: int) -> Token:
        source = self.source
        if char == "\n":
            self.at += 1
            return Token("break")
        if char in _CLOSING:
            self.at += 1
            return Token("group", char, inner=self.until(_CLOSING[char], depth + 1))
        if char == '"':
            self.at += 1
            return Token("text", parts=self.quoted(depth))
        heredoc = _HEREDOC.match(source, self.at)
        if heredoc:
            return self.heredoc(heredoc, depth)
        for kind, pattern in (("word", _WORD), ("number", _NUMBER), ("mark", _MARK)):
            match = pattern.match(source, self.at)
            if match:
                self.at = match.end()
                return Token(kind, match[0])
        raise self.broken()

    def quoted(self, depth: int) -> tuple[Part, ...]:
        parts: list[Part] = []
        text: list[str] = []
        source = self.source
        while self.at < len(source):
            char = source[self.at]
            plain = _PLAIN.match(source, self.at)
            if plain:
                text.append(plain[0])
                self.at = plain.end()
            elif char == '"':
                self.at += 1
                return (*parts, "".join(text))
            elif char == "\\":
                escape = _ESCAPE.match(source, self.at)
                if escape is None:
                    break
                text.append(_meant(escape))
                self.at = escape.end()
            else:
                self.special(char, parts, text, depth)
        raise self.broken()

    def special(self, char: str, parts: list[Part], text: list[str], depth: int) -> None:
        """A `$` or `%`: doubled before a brace it is one, single before a brace it opens a sequence."""
        source = self.source
        if source.startswith(char * 2 + "{", self.at):
            text.append(char + "{")
            self.at += 3
        elif source.startswith(char + "{", self.at):
            self.at += 2
            trim = source.startswith("~", self.at)
            self.at += trim
            inner = self.until("}", depth + 1)
            if char == "%" or trim or (inner and inner[-1] == Token("mark", "~")):
                inner = (Token("mark", char + "~" * trim), *inner)
            parts += ("".join(text), inner)
            text.clear()
        else:
            text.append(char)
            self.at += 1

    def heredoc(self, start: re.Match[str], depth: int) -> Token:
        """The text up to the line of the closing mark. Templates are read as those of a quoted text."""
        source = self.source
        end = re.compile(r"^[ \t]*" + re.escape(start[2]) + r"(?=\r?$)", re.MULTILINE).search(source, start.end())
        if end is None:
            raise self.broken()
        body = source[start.end() : end.start()]
        self.at = end.end()
        return Token("text", parts=template(_unindented(body) if start[1] else body, depth))


def template(text: str, depth: int = 0) -> tuple[Part, ...]:
    """The parts of a text without quotes: a heredoc's, or one of JSON. Raises `Unreadable`."""
    reader = _Tokens(text)
    parts: list[Part] = []
    said: list[str] = []
    while reader.at < len(text):
        found = _NO_MARK.match(text, reader.at)
        if found:
            said.append(found[0])
            reader.at = found.end()
        else:
            reader.special(text[reader.at], parts, said, depth)
    return (*parts, "".join(said))


def _meant(escape: re.Match[str]) -> str:
    digits = escape[1] or escape[2]
    if digits is None:
        return _SHORT.get(escape[3], escape[3])
    if int(digits, 16) > 0x10FFFF:
        raise Unreadable("an escape in a string names no character")
    return chr(int(digits, 16))


def _unindented(body: str) -> str:
    lines = body.split("\n")
    depths = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    depth = min(depths, default=0)
    return "\n".join(line[depth:] if line.strip() else line for line in lines)


def _section(kind: str, labels: tuple[str, ...], tokens: tuple[Token, ...], depth: int) -> Section:
    made = Section(kind, labels)
    if depth > MAX_DEPTH:
        raise Unreadable("nested too deep")
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "break":
            at += 1
            continue
        if token.kind not in ("word", "text"):
            raise Unreadable("broken HCL")
        after = at + 1
        if after < len(tokens) and tokens[after] in (Token("mark", "="), Token("mark", ":")):
            end = after + 1
            while end < len(tokens) and tokens[end].kind != "break":
                end += 1
            made.attributes[_label(token)] = tokens[after + 1 : end]
            at = end
            continue
        while after < len(tokens) and tokens[after].kind in ("word", "text"):
            after += 1
        if after == len(tokens) or tokens[after].kind != "group" or tokens[after].text != "{":
            raise Unreadable("broken HCL")
        names = tuple(map(_label, tokens[at + 1 : after]))
        made.blocks.append(_section(_label(token), names, tokens[after].inner, depth + 1))
        at = after + 1
    return made


def _label(token: Token) -> str:
    if token.kind == "text":
        return "".join(part for part in token.parts if isinstance(part, str))
    return token.text


def plain(value: Value) -> str:
    """The value as one text, for comparing."""
    return value if isinstance(value, str) else _shown(value)


def _shown(value: Value) -> str:
    if isinstance(value, Written):
        return value.text
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return "{" + ", ".join(f"{json.dumps(key)}: {_shown(item)}" for key, item in value.items()) + "}"


Resolve = Callable[[tuple[str, ...]], "Value | None"]


class Evaluator:
    """Values of expressions; `resolve` says what a name (`("var", "x")`) stands for, or nothing, and `settle` what a
    text comes to once it is handed over."""

    def __init__(self, resolve: Resolve, settle: Callable[[str], str] = str) -> None:
        self.resolve, self.settle = resolve, settle
        self.left = MAX_BYTES

    def value(self, tokens: tuple[Token, ...], depth: int = 0) -> Value:
        if depth > MAX_DEPTH:
            raise Unreadable("nested too deep")
        tokens = tuple(token for token in tokens if token.kind != "break")
        if len(tokens) == 1:
            token = tokens[0]
            if token.kind == "text":
                return self.text(token, depth)
            if token.kind == "group" and not _is_for(token):
                return self.group(token, depth)
        if tokens and tokens[0].kind == "word":
            steps, end = _steps(tokens, 0)
            found = self.resolve(steps) if steps and end == len(tokens) else None
            if found is not None:
                return found
        return Written(self.bound("".join(self.written(tokens, depth))))

    def bound(self, text: str) -> str:
        self.left -= len(text)
        if len(text) > MAX_VALUE or self.left < 0:
            raise Unreadable("its expressions come to more than can be held")
        return text

    def text(self, token: Token, depth: int) -> Value:
        found: list[str] = []
        for part in token.parts:
            if isinstance(part, str):
                found.append(part)
                continue
            value = self.value(part, depth + 1)
            if isinstance(value, Written) and not any(token.parts[index] for index in range(0, len(token.parts), 2)):
                return value
            found.append(value if isinstance(value, str) else f"${{{_shown(value)}}}")
        return self.settle(self.bound("".join(found)))

    def group(self, token: Token, depth: int) -> Value:
        if token.text == "(":
            return self.value(token.inner, depth + 1)
        if token.text == "[":
            return [self.value(item, depth + 1) for item in _split(token.inner, breaks=False)]
        made: dict[str, Value] = {}
        for item in _split(token.inner, breaks=True):
            at = next((index for index, part in enumerate(item) if part.kind == "mark" and part.text in "=:"), None)
            if at is None:
                return Written(self.bound("".join(self.written((token,), depth))))
            key = item[:at]
            bare = len(key) == 1 and key[0].kind == "word"
            name = key[0].text if bare else plain(self.value(key, depth + 1))
            made[name] = self.value(item[at + 1 :], depth + 1)
        return made

    def written(self, tokens: tuple[Token, ...], depth: int) -> Iterator[str]:
        """The tokens as text, with what is known in them put in."""
        if depth > MAX_DEPTH:
            raise Unreadable("nested too deep")
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.kind == "word":
                steps, end = _steps(tokens, at)
                found = self.resolve(steps) if steps else None
                if found is not None:
                    yield _shown(found) + " "
                    at = end
                    continue
            if token.kind == "text":
                yield _shown(self.text(token, depth + 1)) + " "
            elif token.kind == "group":
                if token.text == "{" and not _is_for(token):
                    yield _shown(self.group(token, depth + 1)) if depth < MAX_DEPTH - 1 else ""
                else:
                    yield f"{token.text}{''.join(self.written(token.inner, depth + 1))}{_CLOSING[token.text]} "
            elif token.kind != "break":
                yield f"{token.text} "
            at += 1


def _is_for(token: Token) -> bool:
    first = next((part for part in token.inner if part.kind != "break"), None)
    return first is not None and first == Token("word", "for")


def _steps(tokens: tuple[Token, ...], at: int) -> tuple[tuple[str, ...], int]:
    """The names of `a.b["c"][0]`, and where they end; nothing for the call of a function."""
    steps = [tokens[at].text]
    at += 1
    while at < len(tokens):
        token = tokens[at]
        if token == Token("mark", ".") and at + 1 < len(tokens) and tokens[at + 1].kind in ("word", "number"):
            steps.append(tokens[at + 1].text)
            at += 2
        elif token.kind == "group" and token.text == "[" and len(token.inner) == 1:
            inner = token.inner[0]
            if inner.kind not in ("text", "number") or any(not isinstance(part, str) for part in inner.parts):
                break
            steps.append(_label(inner))
            at += 1
        elif token.kind == "group" and token.text == "(":
            return (), at
        else:
            break
    return tuple(steps), at


def _split(tokens: tuple[Token, ...], *, breaks: bool) -> Iterator[tuple[Token, ...]]:
    """What stands between commas, and between lines for an object."""
    item: list[Token] = []
    for token in tokens:
        if token == Token("mark", ",") or (token.kind == "break" and breaks):
            if item:
                yield tuple(item)
            item = []
        elif token.kind != "break":
            item.append(token)
    if item:
        yield tuple(item)
