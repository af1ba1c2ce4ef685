"""The places of a Dockerfile that can hold a value: slots, and what rewriting has to know of each.

Shell text is searched for the words that a name says something about (`--password=...`, `KEY=... command`,
`curl -u user:...`); the whole command is a place as well, so that whatever else is found in it belongs to one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import basename
from typing import Literal

from rewriters._api import Place as Kind
from rewriters._api import Slot, Span
from rewriters._dockerfile_flow import Definition, Flow, Step, flow
from rewriters._dockerfile_keys import holds_key
from rewriters._dockerfile_read import Heredoc, Text, json_items, read, words
from rewriters._dockerfile_shell import ESCAPABLE, SPECIAL, Shell, Word, lex, named, value_codec
from rewriters._encode import decode
from rewriters.plaintext import Plaintext

__all__ = ["Place", "places", "script_of"]

BUILD: Literal["build-secret"] = "build-secret"
RUN_TIME: Literal["runtime-variable"] = "runtime-variable"

LABEL = "a label is stored in the image's configuration, where everybody who can pull the image reads it"
ONBUILD = "ONBUILD runs in the builds of other images, which this file cannot ask for a secret"
URL = "ADD and COPY are carried out by the builder, which takes no secret for them"
COPIED = "the builder writes this text into an image layer and takes no secret for it"
TAKEN = "this file goes into an image layer as it is, where everybody who can pull the image reads it"
EXEC = "the exec form starts the program without a shell, so nothing puts a variable's value there"
FOREIGN = "the shell of this stage is not a POSIX shell, whose quoting this rewriter does not know"
QUOTED = "the here-document's name is quoted, so the shell puts no variable's value there"
UNKNOWN = "the here-document is run by a program whose variables this rewriter does not know"


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A slot and where it comes from.

    `definition` for a pair of ENV or ARG. For texts that a shell reads: `text`, `shell` (`None` for the lines of a
    here-document that is data), the `word` as written, and the enclosing `quote`; `word` is `None` for the whole text.
    `inner` is the range of the text that the slot's value stands in.
    """

    slot: Slot
    step: Step
    definition: Definition | None = None
    text: Text | None = None
    shell: Shell | None = None
    word: tuple[int, int] | None = None
    inner: tuple[int, int] | None = None
    quote: bytes = b""
    redirects: bool = False


@dataclass(frozen=True, slots=True)
class _Manner:
    """What may stand at a place."""

    kind: Kind
    targets: tuple[str, ...] = ()
    reason: str = ""


def places(path: str, data: bytes) -> tuple[Flow, tuple[Place, ...]]:
    """The places of a file in the order of their spans. Raises `Unreadable`."""
    return _Finder(path, data).find()


def script_of(text: bytes, items: tuple[tuple[int, int], ...]) -> tuple[int, int] | None:
    """The script of an exec form that starts a shell for it: `["sh", "-c", "..."]`."""
    if len(items) < 3:
        return None
    program, option = (text[slice(*item)].decode("utf-8", "replace") for item in items[:2])
    if basename(program) in ("sh", "bash", "ash", "dash") and re.fullmatch(r"-[a-z]*c", option):
        return items[2]
    return None


def _step_name(name: str) -> str:
    """One step of a pointer; it never holds a separator, and not more of a file than a name's length."""
    return re.sub(r"[^\w/:@+-]", "_", name)[:80] or "_"


_LINE = re.compile(
    rb"(?m)^[ \t]*(?:export[ \t]+)?[\"']?(?:[^\s=\"'#]*[/:])?([A-Za-z_][\w.-]*)[\"']?[ \t]*[=:][ \t]*"
    rb"(?:\"([^\"\n]*)\"[ \t,]*\r?$|'([^'\n]*)'[ \t,]*\r?$|([^\s\"'][^\r\n]*))"
)


class _Finder:
    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        self.flow = flow(read(data))
        self.escape = self.flow.file.escape
        self.found: list[Place] = []
        self.definitions = {id(item.pair): item for item in self.flow.definitions}

    def find(self) -> tuple[Flow, tuple[Place, ...]]:
        for step in self.flow.steps:
            keyword = step.instruction.keyword
            if keyword in ("ENV", "ARG", "LABEL"):
                self.pairs(step)
            elif keyword in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"):
                self.command(step)
            elif keyword in ("ADD", "COPY"):
                self.copied(step)
        self.found.sort(key=lambda place: (place.slot.span.start, -place.slot.span.end))
        return self.flow, tuple(self.unique())

    def unique(self) -> Iterator[Place]:
        """A number behind all pointers but the first that are the same."""
        from dataclasses import replace

        seen: Counter[str] = Counter()
        for place in self.found:
            pointer = place.slot.pointer
            seen[pointer] += 1
            if seen[pointer] == 1:
                yield place
            else:
                yield replace(place, slot=replace(place.slot, pointer=f"{pointer}#{seen[pointer]}"))

    def pointer(self, step: Step, *names: str | int) -> str:
        keyword = ("ONBUILD." if step.instruction.onbuild else "") + step.instruction.keyword
        return ".".join((_step_name(step.stage.label), keyword, *(_step_name(str(name)) for name in names)))

    def slot(
        self, text: Text, within: tuple[int, int], outer: tuple[int, int], codec: str, names: tuple[str, str],
        manner: _Manner, *, interpolates: bool = False,
    ) -> Slot:  # fmt: skip
        """A slot for a range of a text; `outer` also holds its quotes, `names` are pointer and key."""
        span, literal = text.span(*within), text.span(*outer)
        raw = self.data[span.start : span.end]
        needed = {"dockerfile-line": b"\n", "json-string": b"\\"}
        chain = [name for name in text.chain if needed[name.partition(":")[0]] in raw]
        if codec != "raw":
            chain.append(codec)
        encoding = tuple(chain) or ("raw",)
        value = Plaintext(decode(encoding, raw))
        literal = Span(min(literal.start, span.start), max(literal.end, span.end))
        return Slot(
            "dockerfile", self.path, names[0], names[1], value, span, literal, encoding, manner.kind,
            manner.targets, manner.reason, interpolates,
        )  # fmt: skip

    # --- pairs -------------------------------------------------------------------------------------------------------

    def pairs(self, step: Step) -> None:
        text = step.instruction.text
        for pair in step.pairs:
            if pair.value is None:
                continue
            start, end = pair.value
            codec_at = value_codec(text.value[start:end], self.escape, b'"$' + self.escape)
            key = pair.name.decode("utf-8", "replace").strip("\"'")
            definition = self.definitions.get(id(pair)) if not step.instruction.onbuild else None
            slot = self.slot(
                text,
                (start + codec_at[0], start + codec_at[1]),
                (start, end),
                codec_at[2],
                (self.pointer(step, key), key),
                self.manner(step, definition),
            )
            self.found.append(Place(slot, step, definition))

    def manner(self, step: Step, definition: Definition | None) -> _Manner:
        kinds: dict[str, Kind] = {"ENV": "env", "ARG": "build"}
        kind = kinds.get(step.instruction.keyword, "other")
        if step.instruction.onbuild:
            return _Manner(kind, (), ONBUILD)
        if definition is None:
            return _Manner(kind, (), LABEL)
        built = not definition.runs or any(use.kind == "run" for use in definition.uses)
        return _Manner(kind, ((RUN_TIME,) if definition.runs else ()) + ((BUILD,) if built else ()))

    # --- commands ----------------------------------------------------------------------------------------------------

    def command(self, step: Step) -> None:
        instruction = step.instruction
        text, (start, end) = instruction.text, instruction.rest
        if instruction.keyword == "HEALTHCHECK":
            match = re.compile(rb"CMD\s+", re.IGNORECASE).match(text.value, start, end)
            if match is None:
                return
            start = match.end()
        if start >= end:
            return
        kind: Kind = "build" if instruction.keyword == "RUN" else "arg"
        target = BUILD if instruction.keyword == "RUN" else RUN_TIME
        names: tuple[int, ...] = (step.number,) if instruction.keyword == "RUN" or step.number else ()
        items = json_items(text.value, start, end)
        refused = ONBUILD if instruction.onbuild else ""
        if items is not None:
            self.exec_form(step, items, names, _Manner(kind, () if refused else (target,), refused))
            return
        refused = refused or ("" if step.posix else FOREIGN)
        manner = _Manner(kind, () if refused else (target,), refused)
        self.shell_text(step, text, (start, end), names, manner)
        for number, heredoc in enumerate(instruction.heredocs):
            self.heredoc(step, heredoc, (*names, number), manner)

    def exec_form(
        self, step: Step, items: tuple[tuple[int, int], ...], names: tuple[int, ...], manner: _Manner
    ) -> None:
        text = step.instruction.text
        script = script_of(text.value, items)
        for index, (start, end) in enumerate(items):
            where = (*names, index)
            if (start, end) == script:
                self.shell_text(step, text.inner(start, end, "json-string"), None, where, manner)
                continue
            key, value = "", start
            option = re.compile(rb"-{0,2}(?:[^\s=\"\\]*[/:])?([A-Za-z_][\w.-]*)=(?!=*\Z)").match(text.value, start, end)
            before = text.value[slice(*items[index - 1])] if index else b""
            if option is not None:
                key, value = option[1].decode(), option.end()
            elif re.fullmatch(rb"--[A-Za-z][\w.-]+", before) and text.value[start : start + 1] != b"-":
                key = before[2:].decode()
            refused = _Manner(manner.kind, (), manner.reason or EXEC)
            pointer = self.pointer(step, *where, *((key,) if option is not None else ()))
            slot = self.slot(text, (value, end), (start - 1, end + 1), "raw", (pointer, key), refused)
            self.found.append(Place(slot, step))

    def shell_text(
        self, step: Step, text: Text, within: tuple[int, int] | None, names: tuple[str | int, ...], manner: _Manner
    ) -> None:
        start, end = within or (0, len(text.value))
        shell = lex(text.value, start, end)
        open_to = bool(manner.targets)
        redirects = any(command.redirects for command in shell.commands) or b"tee " in text.value[start:end]
        whole = self.slot(
            text, (start, end), (start, end), "raw", (self.pointer(step, *names), ""), manner, interpolates=open_to
        )
        self.found.append(Place(whole, step, None, text, shell, None, (start, end), b"", redirects))
        if not step.posix and within is not None:
            return
        for word in named(shell):
            if word.start < word.end and SPECIAL not in shell.quoting[word.start - start : word.end - start]:
                self.word(step, text, shell, word, names, manner, redirects)

    def word(
        self, step: Step, text: Text, shell: Shell, word: Word, names: tuple[str | int, ...], manner: _Manner,
        redirects: bool,
    ) -> None:  # fmt: skip
        raw = text.value[word.start : word.end]
        begin, stop, codec = value_codec(raw, b"\\", ESCAPABLE, word.quote)
        within = (word.start + begin, word.start + stop)
        pointer = self.pointer(step, *names, word.key or "url")
        slot = self.slot(
            text, within, (word.start, word.end), codec, (pointer, word.key), manner, interpolates=bool(manner.targets)
        )
        self.found.append(Place(slot, step, None, text, shell, (word.start, word.end), within, word.quote, redirects))

    # --- here-documents and copies -----------------------------------------------------------------------------------

    def heredoc(self, step: Step, heredoc: Heredoc, names: tuple[str | int, ...], manner: _Manner) -> None:
        body = heredoc.body
        content = self.data[body.start : body.end]
        if not content:
            return
        where = (*names[:-1], "heredoc", names[-1])
        text = Text(content, ((0, body.start, body.end, True),), ())
        args = step.instruction.args
        alone = re.fullmatch(rb"\d*<<-?\s*\S+", args) is not None
        shebang = content.startswith(b"#!")
        interpreter = (
            basename(content[2 : content.find(b"\n")].split()[-1].decode("utf-8", "replace")) if shebang else ""
        )
        if alone and interpreter in ("", "sh", "bash", "ash", "dash", "ksh", "zsh"):
            self.shell_text(step, text, (0, len(content)), where, manner)
            return
        refused = manner.reason or (UNKNOWN if alone else "" if heredoc.expand else QUOTED)
        self.lines(step, text, where, _Manner("config", () if refused else manner.targets, refused), "")

    def lines(self, step: Step, text: Text, names: tuple[str | int, ...], manner: _Manner, key: str) -> None:
        """A text that is data: as a whole, and its `KEY=value` lines."""
        takes = bool(manner.targets)
        all_of_it = (0, len(text.value))
        whole = self.slot(
            text, all_of_it, all_of_it, "raw", (self.pointer(step, *names), key), manner, interpolates=takes
        )
        self.found.append(Place(whole, step, None, text, inner=all_of_it, redirects=True))
        for match in _LINE.finditer(text.value):
            group = next(index for index in (2, 3, 4) if match[index] is not None)
            name = match[1].decode()
            value = outer = match.span(group)
            if group == 4:
                value = outer = (value[0], value[0] + len(match[4].rstrip(b" \t,")))
            else:
                outer = (value[0] - 1, value[1] + 1)
            pointer = self.pointer(step, *names, name)
            slot = self.slot(text, value, outer, "raw", (pointer, name), manner, interpolates=takes)
            self.found.append(Place(slot, step, None, text, None, value, value, redirects=True))

    def copied(self, step: Step) -> None:
        instruction = step.instruction
        text = instruction.text
        refused = ONBUILD if instruction.onbuild else ""
        items = json_items(text.value, *instruction.rest)
        found = list(items if items is not None else words(text.value, self.escape, *instruction.rest))
        for index, (start, end) in enumerate(found):
            if (
                items is None
                and text.value[start] in b"\"'"
                and text.value[start] == text.value[end - 1]
                and end > start + 2
            ):
                start, end = start + 1, end - 1
            url = b"://" in text.value[start:end]
            key = "" if url else text.value[start:end].decode("utf-8", "replace")
            if url or (index < len(found) - 1 and holds_key(key)):
                pointer = self.pointer(step, step.number, index)
                manner = _Manner("other", (), refused or URL) if url else _Manner("file", (), TAKEN)
                slot = self.slot(text, (start, end), (start, end), "raw", (pointer, key), manner)
                self.found.append(Place(slot, step))
        target = text.value[slice(*found[-1])].decode("utf-8", "replace") if found else ""
        for number, heredoc in enumerate(instruction.heredocs):
            body = heredoc.body
            if not len(body):
                continue
            inner = Text(self.data[body.start : body.end], ((0, body.start, body.end, True),), ())
            name = basename(target) or heredoc.name.decode("utf-8", "replace")
            self.lines(step, inner, (step.number, number), _Manner("config", (), refused or COPIED), name)
