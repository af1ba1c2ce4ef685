"""Who reads a file of variables, as far as the other files of a tree tell.

Sources: Compose specification, `env_file`; Kustomize reference, generators; docker/cli, `docker run --env-file` and
pkg/kvfile; containers.dev, `runArgs`; Cloudflare, "Environment variables and secrets" of local
development.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rewriters._api import Files, Unreadable
from rewriters._compose_project import EnvFile, env_files, folder_of, inside, used_by
from rewriters._compose_project import claims as compose_claims
from rewriters._dotenv_kustomize import Pack, packed

__all__ = ["Context", "Readers", "is_example", "of_wrangler"]

_EXAMPLE = re.compile(r"(?i)(?:^|[._-])(?:example|examples|sample|samples|template|tmpl|tpl|dist|skeleton)(?:[._-]|\Z)")
_RUN = re.compile(
    rb"\b(?:docker|podman)[ \t]+(?:container[ \t]+)?(?:run|create)\b(?P<words>(?:[^\n\\;&|]|\\\r?\n|\\.)*+)", re.DOTALL
)
_OPTION = re.compile(rb"--env-file(?:=|[ \t]+(?:\\\r?\n[ \t]*)?)[\"']?([^\s\"'\\;&|]+)")
_ARGUMENT = re.compile(rb"\"--env-file(?:\"\s*,\s*\"|=)([^\"\\]+)\"")
_CONTAINER = re.compile(r"(?:^|/)\.?devcontainer\.json\Z")
_WORKFLOW = re.compile(
    r"(?P<root>(?:.*/)?)(?:\.github/(?:workflows/[^/]+|actions/.*)|\.gitlab-ci|\.gitlab/ci/[^/]+|azure-pipelines[^/]*)\.ya?ml\Z"
)
_WORKSPACE = "${localWorkspaceFolder}/"


def is_example(path: str) -> bool:
    """Whether the file's name says that it is to be copied, not read: `.env.example`."""
    return _EXAMPLE.search(path.rsplit("/", 1)[-1]) is not None


def of_wrangler(path: str) -> bool:
    """Whether the file holds the secrets of a Worker of Cloudflare for its development."""
    return path.rsplit("/", 1)[-1].startswith(".dev.vars")


@dataclass(frozen=True, slots=True)
class Readers:
    """Who reads a file: folders of the Compose files that name it as an env file, whether one reads it raw, whether
    Compose files beside it take their variables from it (and which), the generators of kustomizations that pack it, a
    Compose file that may read it, depending on the environment of the command, and a file that gives it to
    `docker run`."""

    folders: tuple[str, ...]
    raw: bool
    beside: frozenset[str]
    packs: tuple[Pack, ...]
    unclear: str
    docker: str

    @property
    def kustomization(self) -> str:
        """The first kustomization that packs the file."""
        return self.packs[0].kustomization if self.packs else ""

    @property
    def packed_only(self) -> bool:
        """Whether nobody is known to read the file but kustomizations, which make Secrets of it."""
        alone = not (self.folders or self.beside or self.docker or self.unclear)
        return alone and all(pack.generator == "secretGenerator" and not pack.whole for pack in self.packs)


class Context:
    """What all files of a root say about who reads which file of variables, looked through once."""

    def __init__(self, files: Files) -> None:
        self._packed = packed(files)
        self._naming: dict[str, list[tuple[str, EnvFile]]] = {}
        self._unclear: list[str] = []
        self._used: dict[str, set[str]] = {}
        self._docker: dict[str, str] = {}
        for path, data in sorted(files.items()):
            for name in _given_to_docker(path, data):
                self._docker.setdefault(name, path)
            if compose_claims(path, data[:4096]):
                try:
                    named, used = env_files(path, data), used_by(data)
                except Unreadable:
                    continue
                for one in named:
                    if one.path is None:
                        self._unclear.append(path)
                    else:
                        self._naming.setdefault(one.path, []).append((path, one))
                self._used.setdefault(folder_of(path), set()).update(used)

    def readers(self, path: str) -> Readers:
        naming = self._naming.get(path, ())
        beside = self._used.get(folder_of(path), ()) if path.rsplit("/", 1)[-1] == ".env" else ()
        below = (other for other in self._unclear if f"/{path}".startswith(f"/{folder_of(other)}/".replace("//", "/")))
        return Readers(
            folders=tuple(dict.fromkeys(folder_of(other) for other, _ in naming)),
            raw=any(named.raw for _, named in naming),
            beside=frozenset(beside),
            packs=self._packed.get(path, ()),
            unclear=next(below, ""),
            docker=self._docker.get(path, ""),
        )


def _given_to_docker(path: str, data: bytes) -> Iterator[str]:
    """The files that a development container or a pipeline gives to `docker run --env-file`."""
    if b"--env-file" not in data:
        return
    if _CONTAINER.search(path):
        root = path.rpartition("/")[0]
        root = root[: root.rindex(".devcontainer")].rstrip("/") if ".devcontainer" in root else root
        found = _ARGUMENT.findall(data)
    elif workflow := _WORKFLOW.match(path):
        root = workflow["root"].rstrip("/")
        found = [name for run in _RUN.finditer(data) for name in _OPTION.findall(run["words"])]
    else:
        return
    for name in found:
        text = name.decode("utf-8", "replace").removeprefix(_WORKSPACE)
        place = inside(root, text)
        if place is not None:
            yield place
