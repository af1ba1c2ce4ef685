"""Names for secrets in a vault: readable, legal, and never one name for two secrets.

A vault's names have 1 to 127 letters, digits and hyphens and are compared without case (Key Vault REST reference), so
`DB_PASSWORD`, `db.password` and `Db-Password` all ask for the same name. Ours are lower case and begin with a letter:
then the environment variable that carries a secret (`Reference.variable`) is a legal one, and two secrets never share
it either, as the names have no underscore that a hyphen could be mistaken for. A name can be known outside of the
vault, so nothing in it derives from the value: where names collide, the end tells them apart by a digest of the keys,
subjects and paths.

Names depend on what else there is only through collisions. So a name once given is passed in again (`keep`), which
makes it stay whatever is found later.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secretscan.plan.document import Plan

__all__ = ["Proposed", "Wanted", "fault", "name_fault", "propose"]

_CUT = 120
"""Longest name without the mark of a collision (a hyphen and six characters)."""

_LEGAL = re.compile(r"[0-9a-zA-Z-]{1,127}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[A-Za-z0-9]+")

_GENERIC = frozenset(
    (
        "auth", "connection", "connectionstring", "content", "credential", "credentials", "data", "default", "env",
        "environment", "key", "pass", "passwd", "password", "pat", "pwd", "secret", "secrets", "string", "token", "uri",
        "url", "user", "username", "value", "variable",
    )
)  # fmt: skip
"""Words that say nothing of what a secret is for."""

_LOCATORS = frozenset({"connection", "connectionstring", "dsn", "uri", "url"})
"""Words of keys whose value is a text around the secret rather than the secret itself."""

_PARTS = {"token": "token", "api-key": "key"}
"""What a secret is that is a part of such a text, by its kind; others are passwords."""

_VARIABLES = frozenset(
    (
        "ALL_PROXY", "BASHOPTS", "BASH_ENV", "BROWSER", "CDPATH", "CLASSPATH", "COLUMNS", "CURL_CA_BUNDLE", "DISPLAY",
        "EDITOR", "ENV", "EUID", "FPATH", "FTP_PROXY", "GCONV_PATH", "GLOBIGNORE", "HISTFILE", "HOME", "HOSTALIASES",
        "HOSTNAME", "HTTPS_PROXY", "HTTP_PROXY", "IFS", "INFOPATH", "JAVA_TOOL_OPTIONS", "LANG", "LANGUAGE", "LINENO",
        "LINES", "LOCPATH", "LOGNAME", "MAIL", "MALLOC_CHECK", "MANPATH", "NLSPATH", "NO_COLOR", "NO_PROXY", "OLDPWD",
        "OPTARG", "OPTIND", "PAGER", "PATH", "POSIXLY_CORRECT", "PPID", "PROMPT_COMMAND", "PS1", "PS2", "PS3", "PS4",
        "PWD", "RANDOM", "REPLY", "REQUESTS_CA_BUNDLE", "RES_OPTIONS", "SECONDS", "SHELL", "SHELLOPTS", "SHLVL",
        "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TEMP", "TERM", "TMP", "TMPDIR", "TZ", "TZDIR", "UID", "USER",
        "USERNAME", "VISUAL", "ZDOTDIR",
    )
)  # fmt: skip
"""Variables that shells, the dynamic loader and everyday programs act upon."""

_FAMILIES = (
    "ANSIBLE_", "ARM_", "AWS_", "AZURE_", "BASH_", "BUILDKIT_", "BUILDX_", "COMPOSE_", "CONTAINERD_", "DOCKER_",
    "DYLD_", "GIT_", "GOOGLE_APPLICATION_", "HELM_", "IDENTITY_", "KUBECONFIG", "KUBECTL_", "KUBERNETES_SERVICE_",
    "KUBE_", "KUSTOMIZE_", "LC_", "LD_", "MSI_", "NODE_EXTRA_", "NODE_OPTIONS", "NODE_PATH", "NODE_TLS_", "NPM_CONFIG_",
    "OPENSSL_", "PERL5", "PODMAN_", "PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONSTARTUP", "RUBYLIB", "RUBYOPT",
    "SECRETSCAN_", "SSH_", "SUDO_", "TF_", "XDG_", "ZSH_",
)  # fmt: skip
"""Beginnings of variables that configure the commands that deploy, and the tools that sign in to the vault."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A secret that needs a name: under which keys it was found, on which services or objects, in which files.

    `places` are the pairs of key and subject, and `part` says that it is a part of the text at one of them.
    """

    id: str
    keys: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    kind: str = ""
    places: tuple[tuple[str, str], ...] = ()
    part: bool = False


@dataclass(frozen=True, slots=True)
class Proposed:
    """The name for the secret `id`."""

    id: str
    name: str


def fault(name: str) -> str:
    """Why a person's choice cannot be a secret's name here, or `""`."""
    if not _LEGAL.fullmatch(name):
        return "a name has 1 to 127 letters, digits and hyphens"
    if not name[0].isalpha():
        return "it does not begin with a letter, so that no environment variable can be called by it"
    if name.endswith("-"):
        return "it ends with a hyphen"
    if _dangerous(name):
        return f"the environment variable {_variable(name)} has a meaning of its own"
    return ""


def name_fault(plan: Plan, secret: str, name: str, taken: Iterable[str] = ()) -> str:
    """What is to say, while a person types it, of `name` as the choice for the secret of this id; `""` if nothing.

    Without `taken` that is only what makes the name impossible in this plan. With the vault's names (`Draft.taken`) it
    also tells that the vault has the name, which is no fault if it holds the equal value: planning finds out.
    """
    if why := fault(name):
        return why
    folded = name.lower()
    own = next((each for each in plan.secrets if each.id == secret), None)
    if any(each.name.lower() == folded for each in plan.secrets if each is not own):
        return "another secret of this plan has this name"
    if own is not None and own.version and own.name.lower() == folded:
        return ""
    if any(each.lower() == folded for each in taken):
        return "the vault has this name already; its value is compared when you go on"
    return ""


def propose(
    wanted: Iterable[Wanted],
    *,
    prefix: str = "",
    existing: Iterable[str] = (),
    holds: Callable[[str, str], bool] = lambda id_, name: False,
    keep: Iterable[Proposed] = (),
) -> tuple[Proposed, ...]:
    """One name for each secret wanted, in their order, all different without regard to case.

    `prefix` begins the names (the project's). `existing` are the names that the vault has, deleted ones included; one
    of them is given only if `holds(id, name)` says that it is this secret's value which the vault holds there. `keep`
    are names given before: they are given again while they are legal and free; kept names of secrets that are not
    wanted stay out of the others' way.

    Raises `ValueError` if an id is wanted twice.
    """
    asked = tuple(wanted)
    if len({each.id for each in asked}) != len(asked):
        raise ValueError("a secret is wanted twice")
    choice = _Choice({name.lower(): name for name in existing}, holds)
    given: dict[str, str] = {}
    ids = {each.id for each in asked}
    kept = tuple(keep)
    for old in kept:
        if old.id not in ids:
            choice.used.add(old.name.lower())
    for old in sorted(kept, key=lambda each: each.id):
        if old.id in ids and old.id not in given and not fault(old.name) and choice.take(old.id, old.name):
            given[old.id] = old.name
    alike: Counter[tuple[tuple[str, ...], ...]] = Counter()
    for each in sorted((each for each in asked if each.id not in given), key=lambda each: (_facts(each), each.id)):
        facts = _facts(each)
        given[each.id] = next(n for n in _candidates(each, prefix, alike[facts]) if choice.take(each.id, n))
        alike[facts] += 1
    return tuple(Proposed(each.id, given[each.id]) for each in asked)


@dataclass(slots=True)
class _Choice:
    """The names that are gone already. `existing` maps the vault's names from lower case to how they are spelled."""

    existing: dict[str, str]
    holds: Callable[[str, str], bool]
    used: set[str] = field(default_factory=set)

    def take(self, id_: str, name: str) -> bool:
        """Takes the name for this secret, if nobody else has it."""
        folded = name.lower()
        if folded in self.used:
            return False
        if folded in self.existing and not self.holds(id_, self.existing[folded]):
            return False
        self.used.add(folded)
        return True


def _facts(each: Wanted) -> tuple[tuple[str, ...], ...]:
    """What is known of a secret, in an order of its own: decides who is served first when names collide. That is the
    place and not the id, since ids differ from user to user."""
    places = tuple(part for place in sorted(each.places) for part in place)
    known = tuple(sorted(each.paths)), tuple(sorted(each.subjects)), tuple(sorted(each.keys)), (each.kind,)
    return (*known, places, ("part",) if each.part else ())


def _candidates(each: Wanted, prefix: str, twin: int) -> Iterator[str]:
    """Names to try: the plain one, then with the folder or file that tells it apart, then with a mark, without end.

    `twin` counts those of whom the same is known and who were served before.
    """
    found = _best_key(each.keys, each.part)
    key = found or _words(each.kind) or ["secret"]
    if each.part and not _LOCATORS.isdisjoint(key):
        key = [word for word in key if word not in _LOCATORS | {"string"}] + [_PARTS.get(each.kind, "password")]
    own = tuple(subject for name, subject in each.places if subject and _words(name) == found)
    subject = _common_subject(each.subjects, key, own)
    base = _words(prefix)
    plain = _joined(base, subject, key)
    yield _fitted(plain, each)
    for path in _only(each.paths):
        folder, _, file = path.rpartition("/")
        yield _fitted(_joined(base, _words(folder.rpartition("/")[2]), subject, key), each)
        yield _fitted(_joined(base, _words(folder), _words(file.split(".", 1)[0]), subject, key), each)
    cut = "-".join(plain)[:100].strip("-")
    for attempt in count():
        yield _named(f"{cut}-{_mark(each, f'{twin} {attempt}', 6 + min(attempt, 10))}")


def _only(items: tuple[str, ...]) -> tuple[str, ...]:
    return items if len(items) == 1 else ()


def _words(text: str) -> list[str]:
    """The words of a key, a path or a name: split where a capital begins one and at all but letters and digits."""
    plain = unicodedata.normalize("NFKD", text[:1000])
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return [word.lower() for word in _WORD.findall(_HUMP.sub("-", plain))]


def _best_key(keys: Iterable[str], part: bool) -> list[str]:
    """The words of the key that says most: rather not a bare "password", nor the key of a text around the secret. A
    flag of one or two letters says nothing at all."""
    known = {tuple(words) for key in keys if (words := _words(key))}
    telling = [words for words in known if len("".join(words)) > 2 or not "".join(words).isalpha()]
    ranked = sorted(telling, key=lambda words: _rank(words, part))
    return list(ranked[0]) if ranked else []


def _rank(words: tuple[str, ...], part: bool) -> tuple[bool, bool, bool, bool, int, tuple[str, ...]]:
    """Where the secret is a part of a text, a bare "password" elsewhere still says more than the key of that text."""
    around = not _LOCATORS.isdisjoint(words)
    return part and around, _GENERIC.issuperset(words), around, words[-1] not in _GENERIC, len("-".join(words)), words


def _common_subject(subjects: Iterable[str], key: list[str], own: Iterable[str]) -> list[str]:
    """The words of the one subject; a secret of several belongs to none of them, unless its key says nothing alone:
    then to that of which the key is (`own`)."""
    known, owning = (sorted({tuple(words) for name in names if (words := _words(name))}) for names in (subjects, own))
    if len(known) == 1:
        return list(known[0])
    return list((owning or known)[0]) if known and _GENERIC.issuperset(key) else []


def _joined(*parts: list[str]) -> list[str]:
    """The parts one after the other, each without the words that the end of what is there says already."""
    words: list[str] = []
    for part in parts:
        overlap = next((n for n in range(min(len(words), len(part)), 0, -1) if words[-n:] == part[:n]), 0)
        words += part[overlap:]
    return words


def _fitted(words: list[str], each: Wanted) -> str:
    """The words as a name; a cut one ends with the mark, since the words that were cut off may be what differs."""
    name = _named("-".join(words))
    return name if len(name) <= _CUT else _named(f"{name[: _CUT - 8].strip('-')}-{_mark(each)}")


def _named(name: str) -> str:
    """The text as a legal name that makes a harmless variable."""
    if not name or not name[0].isalpha() or _dangerous(name):
        return f"secret-{name}".rstrip("-")
    return name


def _mark(each: Wanted, turn: str = "", length: int = 6) -> str:
    text = "\0".join("\1".join(part) for part in (*_facts(each), (turn,)))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _dangerous(name: str) -> bool:
    variable = _variable(name)
    return variable in _VARIABLES or variable.startswith(_FAMILIES)
