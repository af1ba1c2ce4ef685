"""A chart's template as actions with what guards them, and what its expressions come to when some values are set.

Sources: Go `text/template` (actions, pipelines, truth), Sprig (`default`, `coalesce`, `empty`, `b64enc`), Helm's
`include`, `tpl` and `required`. Whatever else an expression does is not guessed: it comes to nothing known.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from rewriters._api import Span, Unreadable
from rewriters._helm_mask import Masked, masked

__all__ = ["Action", "Guard", "Result", "Template", "Templates", "path_of", "template"]

MAX_DEPTH = 6
MAX_WORDS = 200
MAX_STEPS = 200_000
"""Conditions asked of one chart; a chart of people asks some thousands."""

Guard = tuple[str, bool]
"""A condition, and whether the text stands where it holds or where it does not."""

Truth = Callable[[str], bool | None]
"""Whether the value at a path (`auth.password`) is set; `None` when that is not known."""


@dataclass(frozen=True, slots=True)
class Action:
    span: Span
    text: str
    control: bool
    define: str


@dataclass(frozen=True, slots=True)
class Result:
    """What an expression comes to: the value at a path of the values, or a fixed text, encoded so many times."""

    path: str = ""
    text: str = ""
    encoded: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A file of a chart. `defines` are the bodies of named templates."""

    path: str
    data: bytes = field(repr=False)
    mask: Masked = field(repr=False)
    actions: tuple[Action, ...]
    defines: dict[str, Span]
    _marks: tuple[int, ...]
    _guards: tuple[tuple[Guard, ...], ...]

    def guards(self, offset: int) -> tuple[Guard, ...]:
        """The conditions under which the text at an offset is rendered, the outermost first."""
        at = bisect_right(self._marks, offset) - 1
        return self._guards[at] if at >= 0 else ()


_WORD = re.compile(r"""\s*("(?:\\.|[^"\\])*"|`[^`]*`|\(|\)|\||,|[^\s()|"`,]+)""")
_CONTROL = re.compile(r"(if|with|range|define|block|else|end|break|continue)\b")
_VALUE = re.compile(r"\$?\.Values((?:\.[A-Za-z_]\w*)+)\Z")
_ASSIGNMENT = re.compile(r"\$\w+\s*(?:,\s*\$\w+\s*)?:?=")
_COMMENTS = re.compile(r"\{\{(?:-\s)?/\*.*?\*/(?:\s-)?\}\}", re.DOTALL)
_COMMENT = re.compile(r"/\*.*\*/\Z", re.DOTALL)


def template(path: str, data: bytes) -> Template:
    """Raises `Unreadable` where blocks do not end."""
    mask = masked(data)
    actions: list[Action] = []
    marks: list[int] = [0]
    guards: list[tuple[Guard, ...]] = [()]
    stack: list[tuple[str, tuple[Guard, ...]]] = []
    defines: dict[str, Span] = {}
    opened: list[tuple[str, int]] = []
    for span in mask.actions:
        text = data[span.start + 2 : span.end - 2].decode("utf-8", "replace")
        text = re.sub(r"\A-(?=\s)|(?<=\s)-\Z", "", text).strip()
        if _COMMENT.match(text) or text.startswith("/*"):
            continue
        found = _CONTROL.match(text)
        word, rest = (found[1], text[found.end() :].strip()) if found else ("", "")
        actions.append(Action(span, text, bool(word), opened[-1][0] if opened else ""))
        if word in ("if", "with"):
            stack.append((word, ((rest, True),)))
        elif word == "range":
            stack.append((word, (("", True),)))
        elif word in ("define", "block"):
            opened.append((rest.split('"')[1] if rest.count('"') > 1 else "", span.end))
            stack.append((word, ()))
        elif word == "else" and stack:
            kind, held = stack[-1]
            turned = tuple((cond, False) for cond, _ in held)
            again = re.match(r"(?:if|with)\b", rest)
            stack[-1] = (kind, (*turned, (rest[again.end() :].strip(), True)) if again else turned)
        elif word == "end":
            if not stack:
                raise Unreadable("an end without a beginning", data.count(b"\n", 0, span.start) + 1)
            kind, _ = stack.pop()
            if kind in ("define", "block"):
                name, begin = opened.pop()
                defines[name] = Span(begin, span.start)
        else:
            continue
        if len(stack) > 100:
            raise Unreadable("nested deeper than 100 levels", data.count(b"\n", 0, span.start) + 1)
        marks.append(span.end)
        guards.append(tuple(guard for _, held in stack for guard in held))
    if stack:
        raise Unreadable("a block of the template does not end", data.count(b"\n") + 1)
    return Template(path, data, mask, tuple(actions), defines, tuple(marks), tuple(guards))


def path_of(word: str) -> str:
    """`auth.password` of `.Values.auth.password`, else nothing."""
    match = _VALUE.match(word)
    return match[1][1:] if match else ""


_Node = str | list["_Node"]


@lru_cache(maxsize=4096)
def _parsed(text: str) -> list[list[_Node]] | None:
    """The stages of a pipeline; `None` for what is not understood."""
    words = _words(text)
    return _pipeline(words) if words else None


def _words(text: str) -> list[str] | None:
    words: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        match = _WORD.match(text, at)
        if match is None or len(words) >= MAX_WORDS:
            return None
        words.append(match[1])
        at = match.end()
    return words


def _pipeline(words: list[str]) -> list[list[_Node]] | None:
    """The commands of a pipeline, each its words, parentheses as lists of a pipeline's commands made one by `|`."""
    stages: list[list[_Node]] = [[]]
    stack: list[list[list[_Node]]] = []
    for word in words:
        if word == "(":
            stack.append(stages)
            stages = [[]]
        elif word == ")":
            if not stack:
                return None
            inner, stages = stages, stack.pop()
            stages[-1].append(["|", *[list(stage) for stage in inner]])
        elif word == "|":
            stages.append([])
        elif word == ",":
            return None
        else:
            stages[-1].append(word)
    return None if stack else stages


class Templates:
    """All templates of a chart, for asking what an expression comes to."""

    def __init__(self, templates: list[Template]) -> None:
        self.templates = templates
        self.budget = MAX_STEPS
        self.defines = {name: (item, span) for item in templates for name, span in item.defines.items()}

    # --- conditions --------------------------------------------------------------------------------------------------

    def rendered(self, guards: tuple[Guard, ...], truth: Truth, depth: int = 0) -> bool | None:
        """Whether text under these conditions is rendered; `None` when that is not known."""
        sure = True
        self.budget -= 1 + len(guards)
        if self.budget < 0:
            return None
        for condition, wanted in guards:
            found = self.holds(condition, truth, depth)
            if found is not None and found is not wanted:
                return False
            sure &= found is not None
        return True if sure else None

    def holds(self, condition: str, truth: Truth, depth: int = 0) -> bool | None:
        stages = _parsed(condition)
        return self._stages_hold(stages, truth, depth) if stages else None

    def _stages_hold(self, stages: list[list[_Node]], truth: Truth, depth: int) -> bool | None:
        if depth > MAX_DEPTH or not stages[0]:
            return None
        if len(stages) > 1:
            last = stages[-1]
            before = self._stages_hold(stages[:-1], truth, depth + 1)
            if last in (["not"], ["empty"]):
                return None if before is None else not before
            return None
        head, *rest = stages[0]
        if isinstance(head, list):
            return (
                self._stages_hold([s for s in head[1:] if isinstance(s, list)], truth, depth + 1) if not rest else None
            )
        if not rest:
            path = path_of(head)
            return truth(path) if path else {"true": True, "false": False}.get(head)
        each = [self._stages_hold([[item]], truth, depth + 1) for item in rest]
        if head in ("not", "empty") and len(rest) == 1:
            return None if each[0] is None else not each[0]
        if head == "and":
            return False if False in each else True if None not in each else None
        if head == "or":
            return True if True in each else False if None not in each else None
        if head in ("eq", "ne") and len(rest) == 2 and rest[1] == '""':
            return each[0] if head == "ne" or each[0] is None else not each[0]
        if head in ("include", "template") and isinstance(rest[0], str):
            return self._says(rest[0].strip('"'), truth, depth + 1)
        return None

    def _says(self, name: str, truth: Truth, depth: int) -> bool | None:
        """Whether a named template gives any text at all."""
        if name not in self.defines or depth > MAX_DEPTH:
            return None
        item, span = self.defines[name]
        sure = True
        for piece, guards in self._pieces(item, span):
            there = self.rendered(guards, truth, depth + 1)
            if there and not isinstance(piece, Action):
                return True
            if there and isinstance(piece, Action):
                words = _words(piece.text)
                if words in (["true"], ["1"]) or (words and words[0].startswith('"') and len(words[0]) > 2):
                    return True
            sure &= there is False
        return False if sure else None

    # --- expressions -------------------------------------------------------------------------------------------------

    def _pieces(self, item: Template, span: Span) -> Iterator[tuple[Action | str, tuple[Guard, ...]]]:
        """What stands in a region and gives text: actions that are no blocks, and text that is not blank; each with the
        conditions inside of the region."""
        outer = len(item.guards(span.start))
        at = span.start
        first = bisect_left(item.actions, span.start, key=lambda action: action.span.start)
        for action in islice(item.actions, first, None):
            if action.span.end > span.end:
                break
            yield from self._text(item, Span(at, action.span.start), outer)
            at = action.span.end
            if not action.control and not _ASSIGNMENT.match(action.text):
                yield action, item.guards(action.span.start)[outer:]
        yield from self._text(item, Span(at, span.end), outer)

    def _text(self, item: Template, span: Span, outer: int) -> Iterator[tuple[str, tuple[Guard, ...]]]:
        text = item.data[span.start : span.end].decode("utf-8", "replace")
        if "{{" in text:
            text = _COMMENTS.sub("", text)
        if text.strip():
            yield text.strip(), item.guards(span.start)[outer:]

    def region(self, item: Template, span: Span, truth: Truth, depth: int = 0) -> Result | None:
        """What a region comes to; `None` unless that is one value or one fixed text for sure."""
        found: list[Result | None] = []
        for piece, guards in self._pieces(item, span):
            there = self.rendered(guards, truth, depth)
            if there is False:
                continue
            if there is None:
                return None
            if isinstance(piece, Action):
                found.append(self.expression(piece.text, truth, depth + 1))
            elif piece not in ('""', "''", '"', "'"):
                found.append(Result(text=piece.strip("\"'")))
        return found[0] if len(found) == 1 else None

    def expression(self, text: str, truth: Truth, depth: int = 0) -> Result | None:
        stages = _parsed(text)
        return self._stages(stages, truth, depth) if stages else None

    def _stages(self, stages: list[list[_Node]], truth: Truth, depth: int) -> Result | None:
        if depth > MAX_DEPTH:
            return None
        result: Result | None = None
        for number, stage in enumerate(stages):
            if not stage or (number and not isinstance(stage[0], str)):
                return None
            result = self._first(stage, truth, depth) if not number else self._then(stage, result, truth, depth)
        return result

    def _first(self, stage: list[_Node], truth: Truth, depth: int) -> Result | None:
        head, *rest = stage
        if isinstance(head, list):
            return self._stages([s for s in head[1:] if isinstance(s, list)], truth, depth + 1) if not rest else None
        if not rest:
            path = path_of(head)
            if path:
                return Result(path=path)
            return Result(text=head[1:-1]) if head[0] in '"`' else None
        if head in ("include", "template") and isinstance(rest[0], str) and rest[1:] in (["."], ["$"]):
            name = rest[0].strip('"')
            if name not in self.defines:
                return None
            return self.region(*self.defines[name], truth, depth + 1)
        if head == "tpl" and len(rest) == 2 and rest[1] in (".", "$"):
            return self._first([rest[0]], truth, depth + 1)
        if head == "coalesce":
            for item in rest:
                found = self._first([item], truth, depth + 1)
                there = None if found is None else bool(found.text) if not found.path else truth(found.path)
                if there is not False:
                    return found if there else None
            return None
        last = self._first([rest[-1]], truth, depth + 1)
        return self._then([head, *rest[:-1]], last, truth, depth)

    def _then(self, stage: list[_Node], given: Result | None, truth: Truth, depth: int) -> Result | None:
        """What a command makes of the value piped into it."""
        head, *rest = stage
        if head == "default" and len(rest) == 1:
            there = None if given is None else bool(given.text) if not given.path else truth(given.path)
            return given if there else self._first(rest, truth, depth + 1) if there is False else None
        if given is None:
            return None
        if head in ("quote", "squote", "toString") and not rest:
            return given
        if head == "b64enc" and not rest:
            return Result(given.path, given.text, given.encoded + 1)
        if (head == "required" and len(rest) == 1) or (head == "printf" and rest == ['"%s"']):
            return given
        return None
