"""Secret mounts of RUN: which are there, how one is put in, and whether the file's frontend knows them.

Sources: Dockerfile reference, `RUN --mount=type=secret` (id, env, required); Dockerfile 1.10 release notes (`env=`);
BuildKit, dockerfile2llb/convert_secrets.go (with `env=` and no `target=` there is no file).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rewriters._api import Span
from rewriters._dockerfile_flow import Step
from rewriters._dockerfile_read import Dockerfile

__all__ = ["No", "frontend", "host_variable", "insertion", "mounts", "newline"]

SYNTAX_LINE = b"# syntax=docker/dockerfile:1"
_MINIMUM = (1, 10)
_FRONTEND = re.compile(rb"(?:docker\.io/)?docker/dockerfile(-upstream)?(?::([\w.-]+))?\Z")
_VERSION = re.compile(rb"(\d+)(?:\.(\d+))?(?:\.\d+)?(?:-labs)?\Z")


class No(Exception):
    """Why an assignment cannot be carried out."""

    def __init__(self, reason: str, alternative: str, needs: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.alternative, self.needs = reason, alternative, needs


def host_variable(name: str) -> str:
    """The variable of the building machine's environment that carries the secret of this name."""
    from rewriters.fetch import RESERVED

    variable = name.upper().replace("-", "_")
    if variable[:1].isdigit():
        variable = "_" + variable
    return variable + "_SECRET" if variable in RESERVED else variable


def mounts(step: Step) -> Iterator[tuple[str, str]]:
    """Secret id and variable of the instruction's secret mounts; an empty variable for one that is a file."""
    for option in step.instruction.options:
        if not option.lower().startswith(b"--mount="):
            continue
        parts = [part.partition("=") for part in option[8:].decode("utf-8", "replace").split(",")]
        fields = {key.lower(): value for key, _, value in parts}
        if fields.get("type") == "secret":
            name = fields.get("source") or fields.get("src") or fields.get("id") or ""
            target = fields.get("target") or fields.get("dst") or fields.get("destination") or ""
            yield name or target.rsplit("/", 1)[-1], fields.get("env", "")


def newline(data: bytes) -> bytes:
    """The file's own line break: that of its first line."""
    at = data.find(b"\n")
    return b"\r\n" if at > 0 and data[at - 1] == 13 else b"\n"


def insertion(file: Dockerfile, step: Step, new: list[tuple[str, str]]) -> tuple[int, bytes]:
    """Where the mounts of these secret ids and variables go, and their text."""
    instruction = step.instruction
    at = instruction.text.span(*(instruction.flags[0] if instruction.flags else instruction.rest)).start
    line = file.data.rfind(b"\n", 0, at) + 1
    lead = file.data[line:at]
    if lead.strip() or not line:
        # On the line of the keyword: what follows goes to a line of its own, indented as the next one is.
        found = re.compile(rb"[^\n]*\n([ \t]+)(?![ \t#])").match(file.data, at, instruction.span.end)
        lead = found[1] if found and not instruction.heredocs else b"    "
    separator = b" " + file.escape + newline(file.data) + lead
    text = b"".join(
        f"--mount=type=secret,id={name},env={variable},required=true".encode() + separator for name, variable in new
    )
    return at, text


def frontend(file: Dockerfile) -> tuple[Span, bytes] | None:
    """The edit that has the file read by a frontend that knows `env=`; `None` when it is, raises `No` when it names
    one that may not."""
    span = file.syntax
    if span is None:
        top = file.top
        return Span(top, top), SYNTAX_LINE + newline(file.data)
    match = _FRONTEND.match(file.data[span.start : span.end])
    if match is None:
        raise No(
            "the file is built by a frontend of its own (the syntax directive), which may know no secret variables",
            "build with docker/dockerfile:1, or newer than 1.10, then run this again",
        )
    tag = match[2] or b"latest"
    version = _VERSION.match(tag)
    if match[1] or tag in (b"latest", b"labs", b"master") or (version and version[2] is None and int(version[1])):
        return None
    if version is None:
        raise No(
            "the syntax directive names a version that is no number",
            "build with docker/dockerfile:1, or newer than 1.10, then run this again",
        )
    if (int(version[1]), int(version[2])) < _MINIMUM:
        start = span.start + match.start(2)
        labs = b"-labs" if tag.endswith(b"-labs") else b""
        return Span(start, span.start + match.end(2)), b"1.10" + labs
    return None
