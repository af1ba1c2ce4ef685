"""Files of environment variables, `KEY=value` line by line.
Compose documentation, "Use environment variables" (env file syntax): https://docs.docker.com/compose/how-tos/environment-variables/

What becomes of a value depends on who reads the file. Compose substitutes variables in `.env` and in env files, so
there the value becomes `${NAME:?...}`. Other readers do not all do so: there the line becomes a comment, and the
variable keeps its name and is set by the fetch script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rewriters import _dotenv_envrc as envrc
from rewriters import fetch
from rewriters._api import (
    Address,
    Assignment,
    Delivery,
    Edit,
    Files,
    Lookup,
    Reference,
    Refusal,
    Request,
    Rewrite,
    Slot,
    Span,
    Variable,
)
from rewriters._compose_environment import Environment
from rewriters._compose_interpolate import required, substitutions, varies
from rewriters._compose_project import Variables, folder_of
from rewriters._dotenv_packed import Packed
from rewriters._dotenv_read import (
    ENCRYPTED,
    Statement,
    escaped_dollars,
    raw_lines,
    statements,
    text_of,
    unescaped,
    values,
)
from rewriters._dotenv_read import claims as _claims
from rewriters._dotenv_readers import Context, Readers, is_example, of_wrangler
from rewriters._encode import locate
from rewriters._unsplit import unsplit
from rewriters.plaintext import Plaintext

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "dotenv"
TARGETS = ("interpolation", "fetch-script")

_DECRYPT = "leave it; its key (DOTENV_PRIVATE_KEY) is what to keep in the vault, or decrypt the file (dotenvx decrypt)"
_MOVED = "# {key} is read from the vault by {script} (secret {name})"
_COMMENT = re.compile(
    rb"^(?:\xef\xbb\xbf)?[ \t\v\f\r]*# (?P<key>[A-Za-z0-9_.\[\]-]+) is read from the vault by ", re.MULTILINE
)


def claims(path: str, head: bytes) -> bool:
    """Files of variables by their names, and direnv's script that sets some."""
    return _claims(path, head) or envrc.claims(path, head)


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Each variable's value. Raises `Unreadable`."""
    if envrc.claims(path, data[:4096]):
        return envrc.slots(path, data)
    found: list[Slot] = []
    count: dict[str, int] = {}
    for statement in statements(data):
        count[statement.key] = count.get(statement.key, 0) + 1
        many = count[statement.key]
        pointer = statement.key if many == 1 else f"{statement.key}~{many}"
        reason = statement.odd
        found.append(
            Slot(
                NAME,
                path,
                pointer,
                statement.key,
                Plaintext(text_of(data, statement)),
                statement.span,
                statement.literal,
                statement.encoding,
                "env",
                () if reason else TARGETS,
                reason,
                # Only Compose substitutes; for other readers a part is refused, and a caller moves the whole value.
                not reason and statement.quote != "'" and (bool(statement.quote) or not statement.export),
            )
        )
    return tuple(found)


# --- rewriting --------------------------------------------------------------------------------------------------------


def rewrite(request: Request) -> Rewrite:
    return unsplit(request, _rewrite)


def _rewrite(request: Request) -> Rewrite:
    if not request.assignments:
        return Rewrite()
    work = _Work(request)
    by_path: dict[str, list[Assignment]] = {}
    for item in request.assignments:
        by_path.setdefault(item.slot.path, []).append(item)
    for path, assignments in by_path.items():
        if envrc.claims(path, request.files[path][:4096]):
            for item in assignments:
                work.refuse(item, item.slot.reason, envrc.alternative(item.slot, item.reference))
        else:
            work.file(path, assignments)
    edits, stay = work.packed.settled()
    for item, reason, alternative in stay:
        work.refuse(item, reason, alternative)
    variables = [Variable(folder, name, reference) for (folder, name), reference in work.variables.given.items()]
    return Rewrite(
        edits=(*work.edits, *edits),
        refusals=tuple(work.refusals),
        requires=tuple(work.packed.wanted),
        variables=tuple(sorted(variables)),
        notes=tuple(work.variables.notes),
    )


def _place(item: Assignment, statement: Statement, data: bytes) -> Span | None:
    """The bytes of the assigned value, or part; `None` for a part that has none of its own or belongs to a variable."""
    if item.part is None:
        return statement.span
    raw = statement.raw(data)
    found = None if statement.quote == "'" else locate(item.slot.encoding, raw, item.part)
    if found is None or any(found.touches(other.span) for other in substitutions(escaped_dollars(data, statement))):
        return None
    return Span(statement.span.start + found.start, statement.span.start + found.end)


class _Work:
    """One rewrite."""

    def __init__(self, request: Request) -> None:
        files = self.files = request.files
        self.packed = Packed(request)
        self.variables = Variables(files)
        self.context = Context(files)
        self.edits: list[Edit] = []
        self.refusals: list[Refusal] = []

    def refuse(self, item: Assignment, reason: str, alternative: str) -> None:
        self.refusals.append(Refusal(item.slot.path, item.slot.pointer, reason, alternative))

    def file(self, path: str, assignments: list[Assignment]) -> None:
        data = self.files[path]
        readers = self.context.readers(path)
        by_span = {statement.span: statement for statement in statements(data)}
        keys = [statement.key for statement in by_span.values()]
        taken: list[Span] = []
        for item in sorted(assignments, key=lambda item: item.slot.span):
            statement = by_span.get(item.slot.span)
            place = None if statement is None else _place(item, statement, data)
            if statement is None or (place is not None and any(place.touches(span) for span in taken)):
                self.refuse(item, "this place was moved already, or is not in the file any more", "scan the file again")
                continue
            raw = statement.raw(data)
            single = keys.count(statement.key) == 1
            if statement.odd:
                plain = "write the value as plain text in double quotes, then move it"
                self.refuse(item, statement.odd, _DECRYPT if statement.odd == ENCRYPTED else plain)
            elif readers.raw:
                self.refuse(
                    item,
                    "a Compose file reads it with `format: raw`, which substitutes no variables",
                    "take `format: raw` out there, or write the variable's name alone: then the environment of the "
                    "command gives the value",
                )
            elif readers.packs:
                why = self.packed.refused(item, statement, readers, single=single)
                if why is not None:
                    self.refuse(item, *why)
            elif readers.unclear and not readers.folders and statement.key not in readers.beside:
                self.refuse(
                    item,
                    f"{readers.unclear} names its env files by a variable, so it may read this file",
                    "write the file's name there, or a default (`${NAME:-.env}`)",
                )
            elif b"\0" in item.slot.value.reveal():
                self.refuse(
                    item, "an environment variable cannot hold a NUL byte", "read it from the vault in the program"
                )
            elif statement.quote != "'" and varies(unescaped(data, statement)) and item.part is None:
                self.refuse(
                    item, "the value is put together from variables", "move the variable that holds the secret instead"
                )
            elif readers.docker and (readers.folders or readers.beside):
                self.refuse(
                    item,
                    f"{readers.docker} gives this file to docker run, which substitutes nothing; Compose reads it too",
                    "give each of them a file of its own",
                )
            elif readers.folders or statement.key in readers.beside:
                if place is None:
                    self.refuse(item, "this part of the value cannot be replaced alone", "move the whole value")
                elif self.compose(item, statement, place, readers, single):
                    taken.append(place)
            elif readers.docker:
                if self.docker(item, statement, data, readers):
                    taken.append(statement.literal)
            elif self.other(item, statement, raw, single):
                taken.append(statement.literal)

    def compose(self, item: Assignment, statement: Statement, span: Span, readers: Readers, single: bool) -> bool:
        path = item.slot.path
        own = folder_of(path)
        folders = list(dict.fromkeys((*readers.folders, *((own,) if statement.key in readers.beside else ()))))
        free = statement.key if single and statement.key in readers.beside and not readers.folders else ""
        names = {folder: self.variables.name(folder, item.reference, free) for folder in folders}
        if len(set(names.values())) > 1:
            for folder, name in names.items():
                self.variables.given.pop((folder, name), None)
            self.refuse(
                item,
                "Compose files of several folders read it, and the secret's variable has another name in each",
                "give the secret another name in the vault",
            )
            return False
        text = required(next(iter(names.values())), self.variables.script(folders[0]))
        if item.part is None and (statement.quote == "'" or (statement.export and not statement.quote)):
            text, span = b'"' + text + b'"', statement.literal
        self.edits.append(Edit(path, span, text))
        return True

    def docker(self, item: Assignment, statement: Statement, data: bytes, readers: Readers) -> bool:
        """`docker run --env-file` takes a name without a value from the environment of the command."""
        path, key = item.slot.path, statement.key
        stop = data.find(b"\n", statement.span.end)
        rest = data[statement.span.end : stop if stop >= 0 else len(data)].removesuffix(b"\r")
        if statement.quote or statement.raw(data)[:1] in (b'"', b"'"):
            self.refuse(
                item,
                f"{readers.docker} gives this file to docker run, and some versions of that keep the quotes",
                "take the quotes away, then move it",
            )
        elif item.part is not None:
            self.refuse(item, "docker run substitutes no variables in this file", "move the whole value as one secret")
        elif b"$" in statement.raw(data):
            self.refuse(item, "readers of such files take `$` differently", "read it from the vault in the program")
        elif rest or statement.sign != "=" or statement.export or data[: statement.literal.start][-1:] in b" \t":
            self.refuse(
                item,
                "docker run takes the rest of the line as it stands, or does not take the line at all",
                "write the line as KEY=value, without blanks, then move it",
            )
        elif not self.variables.take(folder_of(path), key, item.reference, key * (path.rsplit("/", 1)[-1] == ".env")):
            self.refuse(
                item,
                f"the fetch script cannot set {key} in this folder: it has another meaning or another secret there",
                "move this file to a folder of its own, or rename the variable",
            )
        else:
            sign = data.rindex(b"=", 0, statement.literal.start)
            self.edits.append(Edit(path, Span(sign, statement.literal.end), b""))
            script = self.variables.script(folder_of(path))
            self.variables.notes[
                f"{path}: start what runs docker through {script}, which sets the variables that it now only names."
            ] = None
            return True
        return False

    def other(self, item: Assignment, statement: Statement, raw: bytes, single: bool) -> bool:
        path, key = item.slot.path, statement.key
        free = key if path.rsplit("/", 1)[-1] == ".env" else ""
        if is_example(path):
            self.refuse(
                item,
                "this file is an example that people copy, and no program reads it",
                f"leave {key} empty here, or write what is to be put there, and rotate the value if it is a real one",
            )
        elif of_wrangler(path):
            self.refuse(
                item,
                "wrangler takes the secrets of a Worker from this file when it runs one here, and a variable of the "
                "environment need not reach it",
                f"keep a value for {key} here that opens nothing of worth; the deployed Worker has its own (wrangler "
                "secret put)",
            )
        elif item.part is not None:
            self.refuse(
                item,
                "whoever reads this file need not substitute variables in it",
                "move the whole value as one secret",
            )
        elif not single:
            self.refuse(item, f"the file sets {key} several times", "delete all but one of them")
        elif b"$" in raw and statement.quote != "'":
            self.refuse(
                item, "readers of such files take `$` differently", "put the value in single quotes, then move it"
            )
        elif not self.variables.take(folder_of(path), key, item.reference, free):
            self.refuse(
                item,
                f"the fetch script cannot set {key} in this folder: it has another meaning or another secret there",
                "move this file to a folder of its own, or rename the variable",
            )
        else:
            script = self.variables.script(folder_of(path))
            text = _MOVED.format(key=key, script=script, name=item.reference.name)
            self.edits.append(Edit(path, Span(statement.start, statement.literal.end), text.encode()))
            self.variables.notes[
                f"{path}: start what reads this file through {script}, which sets the variables that are now comments. "
                "Where docker run --env-file reads it, put the name alone in place of each comment."
            ] = None
            return True
        return False


# --- what the readers get --------------------------------------------------------------------------------------------


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """Each variable of each file, as its reader gets it; a comment that a rewrite left, as the fetch script sets it."""
    found: list[Delivery] = []
    context = Context(files)
    for path, data in sorted(files.items()):
        if envrc.claims(path, data[:4096]):
            given = dict(envrc.values(data))
        elif _claims(path, data[:4096]):
            given = dict(_values(path, data, files, context, lookup))
        else:
            continue
        found += [Delivery(Address(path, path, "env", key), Plaintext(value)) for key, value in sorted(given.items())]
    return tuple(found)


def _values(path: str, data: bytes, files: Files, context: Context, lookup: Lookup) -> Iterator[tuple[str, bytes]]:
    own = fetch.variables(folder_of(path), files)
    readers = context.readers(path)
    if readers.packs and readers.packed_only:
        return  # what it holds is handed over as a Secret, by the kustomization
    if readers.docker and not readers.folders and not readers.beside:
        yield from raw_lines(data)
        names = {line.strip() for line in data.decode("utf-8-sig", "replace").splitlines()}
        yield from ((key, lookup(reference).reveal()) for key, reference in own.items() if key in names)
        return
    references: dict[str, Reference] = {}
    for folder in (*readers.folders, folder_of(path)):
        for name, reference in fetch.variables(folder, files).items():
            references.setdefault(name, reference)
    outside = Environment(references, lookup)
    for match in _COMMENT.finditer(data):
        key = match["key"].decode()
        if key in own:
            yield key, lookup(own[key]).reveal()
    yield from values(data, outside.value)
