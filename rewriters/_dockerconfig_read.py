"""The places of a docker client's configuration that can hold a value, and why none of them takes a reference.

Sources: docker/cli, `cli/config/configfile/file.go` (`auth` is base64 of a name, a colon and a password; `proxies`;
`HttpHeaders`; `credsStore`, `credHelpers`) and `cli/config/types/authconfig.go`; docker login reference.
"""

from __future__ import annotations

from dataclasses import dataclass

from rewriters._api import Place, Refusal, Request, Rewrite, Slot, Unreadable
from rewriters._encode import Undecodable, decode
from rewriters._json import read
from rewriters._yaml import Map, Node, Scalar, Seq, join
from rewriters.plaintext import Plaintext

__all__ = ["refuse", "slots"]

MAX_SLOTS = 50_000


@dataclass(frozen=True, slots=True)
class _Why:
    """Why a place takes no reference, and what to do instead."""

    reason: str
    alternative: str


_WHYS: dict[str, _Why] = {
    "password": _Why(
        "the docker client reads a password from this file or a credential helper, not from a vault: use a helper, or "
        "docker login --password-stdin",
        "take the entry out, and name a helper in credHelpers (acr-env for Azure Container Registry), or sign in where "
        "images are pulled: az acr login --name REGISTRY; or az keyvault secret show --id ID --query value --output "
        "tsv | docker login REGISTRY --username NAME --password-stdin",
    ),
    "token": _Why(
        "a token of a sign-in is written by the docker client, and read from this file or a helper: sign out here",
        "take the entry out (docker logout REGISTRY), and sign in where images are pulled: az acr login --name "
        "REGISTRY, or a helper in credHelpers",
    ),
    "proxy": _Why(
        "the docker client hands the address of a proxy on as it stands",
        "take the entry out, and have the command that builds or starts containers set the variable from the vault "
        "(--build-arg HTTPS_PROXY, --env HTTPS_PROXY), or use a proxy that asks for no password",
    ),
    "header": _Why(
        "the docker client sends a header as it stands",
        "take the header out, and sign in with a credential helper",
    ),
    "": _Why("the docker client takes this text as it stands", "take it out, and sign in with a credential helper"),
}
_SKIPPED = frozenset(("credsStore", "credHelpers", "detachKeys", "currentContext", "stackOrchestrator"))


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """All places, in the order of the file. Raises `Unreadable`."""
    return tuple(slot for slot, _ in _places(path, data))


def refuse(request: Request) -> Rewrite:
    """Every assignment is refused."""
    whys: dict[str, dict[str, _Why]] = {}
    refusals: list[Refusal] = []
    for item in request.assignments:
        path, pointer = item.slot.path, item.slot.pointer
        if path not in whys:
            whys[path] = {slot.pointer: why for slot, why in _places(path, request.files[path])}
        why = whys[path][pointer]
        refusals.append(Refusal(path, pointer, why.reason, why.alternative))
    return Rewrite(refusals=tuple(refusals))


def _places(path: str, data: bytes) -> list[tuple[Slot, _Why]]:
    root = read(data)
    if not isinstance(root, Map):
        raise Unreadable("it is no configuration of docker: there is no map in it")
    finder = _Finder(path, data)
    finder.file(root)
    return sorted(finder.found, key=lambda pair: pair[0].span)


class _Finder:
    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        self.found: list[tuple[Slot, _Why]] = []
        self.pointers: dict[str, int] = {}

    def file(self, root: Map) -> None:
        known = {"auths", "proxies", "HttpHeaders", "credsStore", "credHelpers"}
        if known.isdisjoint(root.entries()) and "dockercfg" in self.path.rpartition("/")[2].lower():
            self.registries((), root)  # the old form
            return
        for key, value in _pairs(root):
            name = key.text
            if name == "auths":
                self.registries((name,), value)
            elif name == "proxies":
                for host, proxy in _pairs(value):
                    self.any((name, host.text), proxy, "proxy")
            elif name == "HttpHeaders":
                for header, text in _pairs(value):
                    if isinstance(text, Scalar):
                        self.slot((name, header.text), header.text, text, "config", "header")
            elif name not in _SKIPPED and not name.endswith("Format"):
                self.any((name,), value, "")

    def registries(self, where: tuple[str, ...], node: Node) -> None:
        for registry, entry in _pairs(node):
            for key, value in _pairs(entry):
                at, name = (*where, registry.text, key.text), key.text
                if not isinstance(value, Scalar):
                    self.any(at, value, "")
                elif name == "auth":
                    self.auth(at, value)
                elif name == "password":
                    self.slot(at, name, value, "registry", "password")
                elif name in ("identitytoken", "registrytoken"):
                    self.slot(at, name, value, "registry", "token")
                else:
                    self.slot(at, name, value, "other", "")

    def auth(self, where: tuple[str, ...], node: Scalar) -> None:
        """The password behind a name: the chain says the name, so that the value is the password alone."""
        raw = self.data[node.span.start : node.span.end]
        chain = (*node.encoding, "base64")
        try:
            name, colon, _ = decode(chain, raw).partition(b":")
            chain = (*chain, f"after:{name.decode()}:") if colon else chain
            value, key = decode(chain, raw), "password" if colon else "auth"
        except (Undecodable, UnicodeDecodeError):
            self.slot(where, "auth", node, "registry", "password")
            return
        self.slot(where, key, node, "registry", "password", encoding=chain, value=value)

    def any(self, where: tuple[str, ...], node: Node, why: str) -> None:
        """Every text, however deep."""
        todo: list[tuple[tuple[str | int, ...], str, Node]] = [(where, where[-1], node)]
        while todo:
            at, name, value = todo.pop()
            if isinstance(value, Map):
                todo += [((*at, key.text), key.text, inner) for key, inner in _pairs(value)]
            elif isinstance(value, Seq):
                todo += [((*at, index), name, item) for index, item in enumerate(value.items)]
            elif isinstance(value, Scalar):
                self.slot(at, name, value, "other", why)

    def slot(
        self, where: tuple[str | int, ...], key: str, node: Scalar, place: Place, why: str, *,
        encoding: tuple[str, ...] = (), value: bytes = b"",
    ) -> None:  # fmt: skip
        if node.style != "double":
            return
        if len(self.found) >= MAX_SLOTS:
            raise Unreadable(f"more than {MAX_SLOTS} values")
        pointer = join(*where)
        count = self.pointers[pointer] = self.pointers.get(pointer, 0) + 1
        if count > 1:
            pointer = f"{pointer}#{count}"
        text = value if encoding else node.text.encode("utf-8", "surrogatepass")
        slot = Slot(
            "dockerconfig",
            self.path,
            pointer,
            key,
            Plaintext(text),
            node.span,
            node.literal,
            encoding or node.encoding,
            place,
            (),
            _WHYS[why].reason,
        )
        self.found.append((slot, _WHYS[why]))


def _pairs(node: Node) -> list[tuple[Scalar, Node]]:
    if not isinstance(node, Map):
        return []
    return [(key, value) for key, value in node.pairs if isinstance(key, Scalar)]
