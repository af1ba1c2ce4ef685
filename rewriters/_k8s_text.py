"""Text for Kubernetes manifests in the style of the file around it: block or flow, its indentation, its line breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rewriters._api import Edit, Span
from rewriters._yaml import Alias, Map, Node, Scalar, Seq, newline, stops

__all__ = [
    "Style",
    "Tree",
    "block",
    "column",
    "dash_of",
    "flow",
    "flow_pairs",
    "insertion",
    "led",
    "line_end",
    "removals",
    "stops",
    "style_of",
]

Tree = str | bool | Mapping[str, "Tree"] | Sequence["Tree"]


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is written: spaces for each level, spaces before a list's dash beyond its key, and line break."""

    step: int = 2
    dash: int = 0
    newline: str = "\n"


def column(data: bytes, offset: int) -> int:
    """How many bytes stand before this one on its line, byte order mark left out."""
    start = data.rfind(b"\n", 0, offset) + 1
    return offset - (start or (3 if data.startswith(b"\xef\xbb\xbf") else 0))


def style_of(data: bytes, root: Map) -> Style:
    """The style of an object, by its first nested map and its first list."""
    step = dash = -1
    todo: list[Map | Seq] = [root]
    while todo and (step < 0 or dash < 0):
        node = todo.pop(0)
        if isinstance(node, Seq):
            todo += [item for item in node.items if isinstance(item, Map | Seq)]
            continue
        for key, value in node.pairs:
            if isinstance(value, Map | Seq):
                todo.append(value)
            if node.flow or not isinstance(value, Map | Seq) or value.flow:
                continue
            here = column(data, _start(key))
            if isinstance(value, Seq) and dash < 0 and value.items:
                dash = column(data, dash_of(data, value, 0)) - here
            elif isinstance(value, Map) and step < 0 and value.pairs:
                step = column(data, _start(value.pairs[0][0])) - here
    return Style(step if 0 < step <= 8 else 2, dash if 0 <= dash <= 8 else 0, newline(data).decode())


def _start(node: Node) -> int:
    return node.start


def dash_of(data: bytes, seq: Seq, index: int) -> int:
    """Where the dash of an item of a block list stands."""
    begin = seq.items[index - 1].end if index else seq.start
    return data.rindex(b"-", min(begin, seq.items[index].start), seq.items[index].start)


_COLON = re.compile(rb"[ \t]*:")


def written_simply(data: bytes, owner: Map) -> bool:
    """Whether each key of a map is followed by its colon: not `? key`, and no key alone."""
    return all(_COLON.match(data, key.end) for key, _ in owner.pairs)


_PLAIN = re.compile(r"[./]?[A-Za-z_][\w./-]*\Z")
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
_TIME = re.compile(r"\d+h\d+m\d+s\Z")


def _scalar(text: str | bool) -> str:
    if isinstance(text, bool):
        return str(text).lower()
    if (_PLAIN.match(text) and text.lower() not in _WORDS) or _TIME.match(text) or text.startswith("https://"):
        return text
    return _double(text)


_PAIR = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")


def _double(text: Tree) -> str:
    """In double quotes, as YAML and JSON both read it: YAML knows no pairs of surrogates."""
    return _PAIR.sub(lambda pair: json.loads(f'"{pair[0]}"'), json.dumps(text))


def block(tree: Mapping[str, Tree], indent: int, style: Style) -> str:
    """The tree in block style, each line indented, without a line break at its end."""
    return style.newline.join(" " * indent + line for line in _lines(tree, style))


def _lines(tree: Tree, style: Style) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if isinstance(value, str) and "\n" in value:
                yield f"{_scalar(key)}: |"
                for line in value.splitlines():
                    yield " " * style.step + line
            elif isinstance(value, str | bool):
                yield f"{_scalar(key)}: {_scalar(value)}"
            elif not value:
                yield f"{_scalar(key)}: {{}}"
            else:
                yield f"{_scalar(key)}:"
                pad = " " * (style.step if isinstance(value, Mapping) else style.dash)
                for line in _lines(value, style):
                    yield pad + line
    elif isinstance(tree, str | bool):
        yield _scalar(tree)
    else:
        for item in tree:
            for number, line in enumerate(_lines(item, style)):
                yield ("- " if not number else "  ") + line


def flow(tree: Tree, quoted: bool) -> str:
    """The tree on one line, as YAML in braces or, `quoted`, as JSON."""
    if quoted:
        return _double(tree)
    if isinstance(tree, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {flow(value, quoted)}" for key, value in tree.items()) + "}"
    if isinstance(tree, str | bool):
        return _double(tree) if isinstance(tree, str) and "\n" in tree else _scalar(tree)
    return "[" + ", ".join(flow(item, quoted) for item in tree) + "]"


def flow_pairs(tree: Mapping[str, Tree], data: bytes, key: Scalar) -> str:
    """Pairs for a map in braces where this key stands: as JSON if it is quoted, on lines of their own if it is."""
    begin = data.rfind(b"\n", 0, key.start) + 1
    lead = data[begin : key.start]
    if key.style != "double" or not begin or lead.strip(b" \t") or not lead:
        return flow(tree, key.style == "double")[1:-1]
    return _pretty(tree, data, lead.decode())[1:-1].strip()


def _pretty(tree: Tree, data: bytes, lead: str) -> str:
    """JSON on lines, its first-level parts behind `lead`."""
    unit = _unit(data)
    outer = lead.removesuffix(unit)
    text = json.dumps(tree, ensure_ascii=False, indent=unit)
    return text.replace("\n", newline(data).decode() + outer)


def _unit(data: bytes) -> str:
    """One step of a JSON file's indentation: that of its first indented line."""
    found = re.search(rb"\n([ \t]+)[^ \t\r\n]", data)
    return found[1].decode() if found else "  "


def _last_leaf(node: Node) -> Node:
    while isinstance(node, Map | Seq) and not node.flow:
        node = node.pairs[-1][1] if isinstance(node, Map) else node.items[-1]
    return node


def removals(path: str, data: bytes, owner: Map, gone: Collection[int]) -> list[Edit]:
    """The edits that take these pairs, by number, out of a map. Comments on lines of their own stay."""
    pairs = owner.pairs
    if len(gone) == len(pairs):
        if owner.flow:
            return [Edit(path, Span(pairs[0][0].start, pairs[-1][1].end), b"")]
        edits = removals(path, data, owner, sorted(gone)[1:])
        first, last = pairs[0]
        return [Edit(path, Span(first.start, stops(data, last)), b"{}"), *edits]
    edits = []
    done = -1
    for index in sorted(gone):
        key, value = pairs[index]
        if index <= done:
            continue
        if owner.flow:
            after = any(other not in gone for other in range(index + 1, len(pairs)))
            span = Span(key.start, pairs[index + 1][0].start) if after else Span(pairs[index - 1][1].end, value.end)
        else:
            span = whole_lines(data, key, value)
            if data[span.start : key.start].strip(b" "):  # the first pair of a list's item shares the dash's line
                kept = next(other for other in range(index + 1, len(pairs)) if other not in gone)
                span, done = Span(key.start, pairs[kept][0].start), kept - 1
        edits.append(Edit(path, span, b""))
    return edits


def whole_lines(data: bytes, key: Node, value: Node) -> Span:
    """The lines of a pair in block style, a comment behind it included."""
    begin = data.rfind(b"\n", 0, key.start) + 1
    if not begin and data.startswith(b"\xef\xbb\xbf"):
        begin = 3
    if value.end > key.end and data[value.end - 1] in b"\r\n":
        return Span(begin, value.end)
    stop = data.find(b"\n", value.end)
    return Span(begin, len(data) if stop < 0 else stop + 1)


def line_end(data: bytes, node: Node) -> int:
    """The end of the line that a node ends on, before its line break."""
    at = data.find(b"\n", stops(data, node))
    at = len(data) if at < 0 else at
    return at - 1 if data[at - 1 : at] == b"\r" else at


_FIRST = frozenset(("name", "image", "imagePullPolicy", "initContainers"))


def _new_list(path: str, data: bytes, owner: Map, key: str, items: Sequence[Tree], style: Style, quoted: bool) -> Edit:
    """A list under a key that the map does not have yet: before the first key that is not one of the usual first."""
    names = [name.text if isinstance(name, Scalar) else "" for name, _ in owner.pairs]
    place = next((number for number, name in enumerate(names) if number and name not in _FIRST), 0)
    last = owner.pairs[-1]
    if owner.flow:
        first = owner.pairs[-1][0]
        lead = data[: first.start].rpartition(b"\n")[2]
        text = flow_pairs({key: items}, data, first) if isinstance(first, Scalar) else ""
        break_ = f",{style.newline}{lead.decode()}" if "\n" in text else ", "
        text = text or flow({key: items}, quoted)[1:-1]
        return Edit(path, Span(last[1].end, last[1].end), f"{break_}{text}".encode())
    pad = column(data, owner.pairs[0][0].start)
    leaf = _last_leaf(last[1])
    if not place and not (isinstance(leaf, Scalar) and leaf.style in ("literal", "folded")):
        at = line_end(data, last[1])
        return Edit(path, Span(at, at), (style.newline + block({key: items}, pad, style)).encode())
    at = owner.pairs[place][0].start
    text = block({key: items}, pad, style).lstrip(" ") + style.newline + " " * pad
    return Edit(path, Span(at, at), text.encode())


def led(path: str, data: bytes, owner: Map, key: str, items: Sequence[Tree], style: Style) -> list[Edit]:
    """As `insertion`, before the comments that lead the first item of a list in block style."""
    head, node = next(((name, value) for name, value in owner.pairs if getattr(name, "text", "") == key), (None, None))
    if isinstance(node, Seq) and isinstance(head, Scalar) and node.items and not node.flow:
        dash, at = dash_of(data, node, 0), line_end(data, head)
        between = data[at:dash].splitlines()
        if at < dash and all(not line.strip() or line.lstrip().startswith(b"#") for line in between):
            pad = " " * column(data, dash)
            text = "".join(f"{style.newline}{pad}{line}" for line in _lines(items, style))
            return [Edit(path, Span(at, at), text.encode())]
    return insertion(path, data, owner, key, items, style)


def insertion(path: str, data: bytes, owner: Map, key: str, items: Sequence[Tree], style: Style) -> list[Edit]:
    """The edit that puts items at the start of the list under a key of a map, which is made if need be; none when the
    map's text does not allow it."""
    own = {name.text: (name, value) for name, value in owner.pairs if isinstance(name, Scalar)}
    quoted = any(isinstance(name, Scalar) and name.style == "double" for name, _ in owner.pairs)
    if key not in own:
        return [_new_list(path, data, owner, key, items, style, quoted)] if owner.pairs else []
    node = own[key][1]
    seq = node.target if isinstance(node, Alias) else node
    if isinstance(seq, Seq) and seq.flow:
        at = data.index(b"[", seq.start) + 1
        first = seq.items[0].start if seq.items else at
        lead = data[at:first].rpartition(b"\n")
        if quoted and lead[1] and not lead[2].strip(b" \t"):
            text = _pretty(list(items), data, lead[2].decode())[1:-1].strip()
            return [Edit(path, Span(first, first), f"{text},{style.newline}{lead[2].decode()}".encode())]
        text = flow(items, quoted)[1:-1] + (", " if seq.items else "")
        return [Edit(path, Span(at, at), text.encode())]
    if isinstance(seq, Seq) and seq.items:
        at = dash_of(data, seq, 0)
        pad = column(data, at)
        lines = [" " * pad + line for line in _lines(items, style)]
        text = style.newline.join(lines).lstrip(" ") + style.newline + " " * pad
        return [Edit(path, Span(at, at), text.encode())]
    if isinstance(node, Scalar) and not node.text and not owner.flow and node.style == "plain":
        at = data.index(b":", own[key][0].end) + 1
        pad = column(data, own[key][0].start) + style.dash
        text = "".join(style.newline + " " * pad + line for line in _lines(items, style))
        return [Edit(path, Span(at, at), text.encode())]
    return []
