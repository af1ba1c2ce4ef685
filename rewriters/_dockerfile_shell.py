"""The words of a POSIX shell command line, with the quoting that holds at each byte, and what some of them mean.

No shell: enough of its grammar (POSIX.1-2017, volume 3, section 2) to say where a word begins and ends, in which quotes
a byte stands, and which command and option a word belongs to. Nothing is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from posixpath import basename

__all__ = ["BARE", "COMMENT", "DOUBLE", "SINGLE", "SPECIAL", "Command", "Shell", "Word", "lex", "named", "value_codec"]

BARE, SINGLE, DOUBLE, COMMENT, SPECIAL = range(5)
"""How a byte is quoted: not at all, in single quotes, in double quotes, inside of a comment, or in `$'...'`."""

MAX_DEPTH = 30
_ORDINARY = re.compile(rb"[A-Za-z0-9_./:=@%+,~^-]+")
"""What has no meaning of its own to a shell, outside of quotes or inside."""
"""Deeper nesting of substitutions is read as plain text: every level holds the text of the levels in it."""

ESCAPABLE = b'"$\\`'
"""What a backslash escapes between double quotes."""


@dataclass(slots=True)
class Command:
    """One simple command: its words as ranges of the text, whether it redirects its output to a file, and whether its
    output goes to the next command."""

    words: list[tuple[int, int]] = field(default_factory=list)
    redirects: bool = False
    piped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Shell:
    """A command line: its simple commands in the order in which they begin, and the quoting of each byte."""

    text: bytes = field(repr=False)
    start: int
    commands: tuple[Command, ...]
    quoting: bytes
    left_open: bool = False
    """Whether a quote has no end."""

    def context(self, start: int, end: int) -> int | None:
        """The quoting that holds over the whole range; `None` when it changes within."""
        kinds = set(self.quoting[start - self.start : end - self.start])
        return kinds.pop() if len(kinds) == 1 else None


@dataclass(frozen=True, slots=True)
class Word:
    """A value in a command: the name that says what it is, its range as written (quotes included), its command.

    `quote` is the quote that encloses more than the value, as in `"KEY=value"`.
    """

    key: str
    start: int
    end: int
    command: Command
    quote: bytes = b""


class _Frame:
    """A list of commands that is being read: the line itself, `$(...)`, `(...)` or a pair of backticks."""

    def __init__(self, closer: bytes) -> None:
        self.closer = closer
        self.command = Command()
        self.word = -1


class _Lexer:
    def __init__(self, text: bytes, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end
        self.quoting = bytearray(end - start)
        self.commands: list[Command] = []
        self.stack: list[_Frame | bytes] = []
        self.frames: list[_Frame] = []
        self.left_open = False

    def push(self, closer: bytes) -> None:
        frame = _Frame(closer)
        self.commands.append(frame.command)
        self.frames.append(frame)
        self.stack.append(frame)

    def finish_word(self, frame: _Frame, at: int) -> None:
        if frame.word >= 0:
            frame.command.words.append((frame.word, at))
            frame.word = -1

    def finish_command(self, frame: _Frame, at: int) -> None:
        self.finish_word(frame, at)
        frame.command = Command()
        self.commands.append(frame.command)

    def mark(self, start: int, end: int, kind: int) -> None:
        end = min(end, self.end)
        self.quoting[start - self.start : end - self.start] = bytes((kind,)) * (end - start)

    def run(self) -> Shell:
        self.push(b"")
        at = self.start
        while at < self.end:
            top = self.stack[-1]
            at = self.quoted(top, at) if isinstance(top, bytes) else self.bare(top, at)
        for frame in self.frames:
            self.finish_word(frame, self.end)
        commands = tuple(command for command in self.commands if command.words)
        left_open = self.left_open or b'"' in self.stack
        return Shell(self.text, self.start, commands, bytes(self.quoting), left_open)

    def opened(self, at: int) -> int:
        """What a dollar sign or a backtick opens; how many bytes that is, 0 for nothing."""
        two = self.text[at : at + 2]
        if len(self.stack) >= MAX_DEPTH:
            return 0
        if two == b"$(":
            self.push(b")")
            return 2
        if two == b"${":
            self.stack.append(b"}")
            return 2
        if two[:1] == b"`":
            self.push(b"`")
            return 1
        return 0

    def quoted(self, closer: bytes, at: int) -> int:
        """Between double quotes, or between the braces of an expansion."""
        kind = DOUBLE if b'"' in self.stack else BARE
        run = _ORDINARY.match(self.text, at, self.end)
        if run is not None:
            self.mark(at, run.end(), kind)
            return run.end()
        char = self.text[at : at + 1]
        if char == b"\\":
            self.mark(at, at + 2, kind)
            return at + 2
        self.mark(at, at + 1, kind)
        if char == closer:
            self.stack.pop()
            return at + 1
        if char == b'"':
            self.stack.append(b'"')
            return at + 1
        opened = self.opened(at)
        self.mark(at, at + opened, kind)
        return at + (opened or 1)

    def bare(self, frame: _Frame, at: int) -> int:
        run = _ORDINARY.match(self.text, at, self.end)
        if run is not None:
            if frame.word < 0:
                frame.word = at
            return run.end()
        char = self.text[at : at + 1]
        if char == frame.closer:
            self.finish_word(frame, at)
            self.frames.pop()
            self.stack.pop()
            return at + 1
        if char in b" \t\r\v\f":
            self.finish_word(frame, at)
            return at + 1
        if char == b"#" and frame.word < 0:
            found = self.text.find(b"\n", at, self.end)
            stop = self.end if found < 0 else found
            self.mark(at, stop, COMMENT)
            return stop
        if char in b"\n;&|":
            if char == b"|" and self.text[at : at + 2] != b"||":
                frame.command.piped = True
            self.finish_command(frame, at)
            return at + (2 if self.text[at : at + 2] in (b"||", b"&&") else 1)
        if char in b"()":
            self.finish_command(frame, at)
            if char == b"(" and len(self.stack) < MAX_DEPTH:
                self.push(b")")
            return at + 1
        if char in b"<>":
            if self.text[frame.word : at].isdigit():
                frame.word = -1
            self.finish_word(frame, at)
            frame.command.redirects |= char == b">"
            return at + (2 if self.text[at + 1 : at + 2] in (b"&", b"|") else 1)
        if frame.word < 0:
            frame.word = at
        if char == b"\\":
            return at + 2
        if char == b'"':
            self.mark(at, at + 1, DOUBLE)
            self.stack.append(b'"')
            return at + 1
        special = self.text[at : at + 2] == b"$'"
        if char == b"'" or special:
            close = re.compile(rb"(?:\\.|[^'\\])*'" if special else rb"[^']*'", re.DOTALL)
            match = close.match(self.text, at + 1 + special, self.end)
            stop = match.end() if match else self.end
            self.left_open |= match is None
            self.mark(at, stop, SPECIAL if special else SINGLE)
            return stop
        return at + (self.opened(at) or 1)


def lex(text: bytes, start: int, end: int) -> Shell:
    """Reads a command line; never fails: what is left open ends at the end."""
    return _Lexer(text, start, end).run()


# --- what words mean --------------------------------------------------------------------------------------------------

_ASSIGNMENT = re.compile(rb"(?:-[a-zA-Z](?=[A-Za-z_]{2})|-{0,2})(?:[^\s='\"]*[/:])?([A-Za-z_][\w.-]*)=(?!=*\Z)")
_LONG = re.compile(rb"--([A-Za-z][\w.-]+)\Z")
_HEADER = re.compile(rb"([A-Za-z][\w-]*):[ ]*(?:(?i:basic|bearer|token|apikey)[ ]+)?")
_USER = re.compile(rb"[^:\s]+:")
_URL = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://")
_NOT_A_NAME = bytes(byte if (chr(byte).isalnum() and byte < 128) or byte in b"_-" else 32 for byte in range(256))
_WRAPPERS = frozenset(("sudo", "env", "exec", "command", "time", "nohup", "export", "then", "do", "else", "if", "!"))
_LOGINS = "sshpass docker podman buildah helm nerdctl skopeo twine mongo mongosh mongodump az oc svn cf jfrog ibmcloud"
_PASSWORD_OPTIONS: dict[str, frozenset[str]] = {
    "-p": frozenset(_LOGINS.split()),
    "-P": frozenset(("sqlcmd", "bcp", "unzip", "isql", "osql")),
    "-a": frozenset(("redis-cli",)),
    "-w": frozenset(("ldapsearch", "ldapadd", "ldapmodify", "ldappasswd")),
}
_ATTACHED = {"-p": ("mysql", "mysqladmin", "mysqldump", "mariadb", "mariadb-dump", "mariadb-admin", "7z", "rar")}
_USER_OPTIONS = {"-u": ("curl",), "--user": ("curl", "http", "https"), "--proxy-user": ("curl",), "-U": ("curl",)}
_HEADER_OPTIONS = frozenset(("-H", "--header"))


def _unquoted(text: bytes, start: int, end: int) -> tuple[int, int, bytes]:
    """The inside of a word that is quoted as a whole, and its quote."""
    quote = text[start : start + 1]
    if quote in (b"'", b'"') and end - start > 1 and text.find(quote, start + 1, end) == end - 1:
        return start + 1, end - 1, quote
    return start, end, b""


def named(shell: Shell) -> Iterator[Word]:
    """The values of a command line that a name says something about, and its URLs."""
    for index, command in enumerate(shell.commands):
        following = shell.commands[index + 1] if command.piped and index + 1 < len(shell.commands) else None
        yield from _command(shell.text, command, following)


def _program(text: bytes, words: list[tuple[int, int]]) -> tuple[int, str]:
    """Where the program's name stands among the words, and its last segment."""
    for index, (start, end) in enumerate(words):
        word = text[start:end]
        if (b"=" in word and not word.startswith(b"-")) or word.startswith(b"-"):
            continue
        name = basename(word.decode("utf-8", "replace").strip("\"'"))
        if name not in _WRAPPERS:
            return index, name
    return len(words), ""


def _command(text: bytes, command: Command, following: Command | None) -> Iterator[Word]:
    words = command.words
    first, program = _program(text, words)
    skip = -1
    for index, word in enumerate(words):
        if index <= skip:
            continue
        after = words[index + 1] if index + 1 < len(words) else None
        found = list(_valued(text, program, word, after, command))
        if found:
            skip = index + 1 if any(item.start >= word[1] for item in found) else index
            yield from found
        elif _URL.match(text[slice(*_unquoted(text, *word)[:2])]):
            yield Word("", *word, command)
    yield from _settings(text, first, program, command)
    if following is None or program not in ("echo", "printf") or len(words) <= first + 1:
        return
    if any(text[slice(*word)] == b"--password-stdin" for word in following.words):
        yield Word("password", *words[-1], command)
    elif _program(text, following.words)[1] == "chpasswd":
        start, end, quote = _unquoted(text, *words[-1])
        user = _USER.match(text, start, end)
        if user:
            yield Word("password", user.end(), end, command, quote)


def _valued(
    text: bytes, program: str, word: tuple[int, int], after: tuple[int, int] | None, command: Command
) -> Iterator[Word]:
    start, end, quote = _unquoted(text, *word)
    raw = text[start:end]
    option = raw.decode("utf-8", "replace")
    if after is not None and (program in _USER_OPTIONS.get(option, ()) or option in _HEADER_OPTIONS):
        inside, stop, quote = _unquoted(text, *after)
        name = (_USER if option not in _HEADER_OPTIONS else _HEADER).match(text, inside, stop)
        if name is not None:
            key = "password" if option not in _HEADER_OPTIONS else name[1].decode()
            yield Word(key, name.end(), stop, command, quote)
        return
    if after is not None and program in _PASSWORD_OPTIONS.get(option, ()):
        yield Word("password", *after, command)
        return
    if program in _ATTACHED.get(option[:2], ()) and len(raw) > 2:
        yield Word("password", start + 2, end, command, quote)
        return
    match = _ASSIGNMENT.match(text, start, end)
    if match is not None and not _URL.match(raw):
        user = _USER.match(text, match.end(), end) if "--" + match[1].decode() in _USER_OPTIONS else None
        if user is not None:
            yield Word("password", user.end(), end, command, quote)
            return
        value = match.end()
        # KEY="value": the quotes belong to the value; "KEY=value": they do not.
        yield Word(match[1].decode(), value, end if quote else word[1], command, quote)
        return
    long = _LONG.match(raw)
    if long is not None and after is not None and text[after[0] : after[0] + 1] != b"-":
        yield Word(long[1].decode(), *after, command)


def _settings(text: bytes, first: int, program: str, command: Command) -> Iterator[Word]:
    """`npm config set KEY VALUE`, `git config KEY VALUE`, `composer config KEY VALUE` and their kind."""
    rest = [word for word in command.words[first + 1 :] if text[word[0] : word[0] + 1] != b"-"]
    if len(rest) < 3 or text[slice(*rest[0])] != b"config":
        return
    rest = rest[2:] if text[slice(*rest[1])] in (b"set", b"add") else rest[1:]
    if len(rest) == 2 and b"=" not in text[slice(*rest[0])]:
        start, end, _ = _unquoted(text, *rest[0])
        name = text[start:end][-80:].translate(_NOT_A_NAME).rpartition(b" ")[2]
        if name and not _URL.match(text[slice(*_unquoted(text, *rest[1])[:2])]):
            yield Word(name.decode(), *rest[1], command)


# --- values -----------------------------------------------------------------------------------------------------------


def value_codec(raw: bytes, mark: bytes, chosen: bytes, quote: bytes = b"") -> tuple[int, int, str]:
    """How a word's value is written: the range of `raw` without enclosing quotes, and the codec of that range.

    `mark` is the escape character and `chosen` what it escapes between double quotes; `quote` says that the whole
    stands in that quote already.
    """
    if not quote and raw[:1] in (b"'", b'"') and len(raw) > 1:
        closing = _closing(raw, mark)
        if closing == len(raw) - 1:
            return 1, closing, _escapes(raw[1:closing], mark, chosen, raw[:1])
    if quote or not (b"'" in raw or b'"' in raw):
        return 0, len(raw), _escapes(raw, mark, chosen, quote)
    return 0, len(raw), f"word:{(mark + chosen).decode()}"


def _closing(raw: bytes, mark: bytes) -> int:
    """Where the quote that `raw` begins with is closed; -1 if nowhere."""
    at = 1
    while at < len(raw):
        char = raw[at : at + 1]
        if char == mark and raw[:1] == b'"':
            at += 2
            continue
        if char == raw[:1]:
            return at
        at += 1
    return -1


def _escapes(raw: bytes, mark: bytes, chosen: bytes, quote: bytes) -> str:
    if quote == b"'" or mark not in raw:
        return "raw"
    escaped = {match[1] for match in re.finditer(re.escape(mark) + b"(.?)", raw, re.DOTALL)}
    if quote:
        escaped = {char for char in escaped if char and char in chosen + b"\n"}
        if not escaped:
            return "raw"
    # Letters and digits are never written escaped again, and a chain must not tell of a value.
    if any(not char or char >= b"\x80" or char.isalnum() for char in escaped):
        return f"word:{(mark + chosen).decode()}" if not quote else "raw"
    return f"escape:{mark.decode()}" + b"".join(sorted(escaped)).decode()
