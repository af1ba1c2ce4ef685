"""What is left to do after a plan was carried out, each with its command where there is one.

Moving a value into a vault makes nothing safe by itself: what was readable is burnt until it is rotated, the workloads
need a role, new files have to be deployed, and what could not move still stands there. Facts: docs/vault.md and
docs/platforms; no command holds a value, and every word in it is quoted for a POSIX shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import TYPE_CHECKING, Literal

from rewriters import Reference, fetch
from secretscan.errors import UsageError, printable
from secretscan.plan import render
from secretscan.plan.document import Plan, PlannedCompanion, PlannedFile, PlannedSecret
from secretscan.vault.auth import vault_url
from secretscan.vault.choice import VaultChoice

if TYPE_CHECKING:
    from secretscan.run.apply import Applied

__all__ = ["IDENTITY", "READER", "FollowUp", "FollowUpKind", "aftermath", "readers"]

FollowUpKind = Literal["proof", "refused", "elsewhere", "grant", "apply", "rotate", "note", "undo"]

READER = "Key Vault Secrets User"
WHO = "OBJECT-ID"
"""Stands in a command for what a person has to put in."""

IDENTITY = re.compile(
    r"/subscriptions/[0-9a-fA-F-]{1,64}/resource[gG]roups/[\w.()-]{1,90}/providers/Microsoft\.ManagedIdentity"
    r"/userAssignedIdentities/[\w-]{1,128}"
)
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_CLUSTER = "the identity that the cluster reads the vault with (that of the secret store or the provider class)"
_MARKS = (("aci", "secretReferenceUri"), ("kubernetes", "remoteRef"), ("kubernetes", "objectName"))
"""What the text of a platform's reference has in it."""
_CLUSTERED = ("kubernetes", "openshift", "helm")
_OBJECTS = ("kind: ExternalSecret", "kind: SecretProviderClass", "kind: AzureKeyVaultSecret", "kind: SecretStore")
_MOUNT = re.compile(r"--mount=type=secret,id=([0-9A-Za-z-]{1,127})\b")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One thing that is left. `command` is for copying into a POSIX shell, from any folder; words in capitals are to be
    filled in. It is empty where a person has to think or edit, or where a name has characters that no line shows.

    `proof`: the run's proof does not hold. `refused`: a place that stays. `elsewhere`: a place that still holds a moved
    value. `grant`: a role that a reader needs. `apply`: what has to be deployed. `rotate`: a value that counts as
    exposed. `note`: what to know before deploying. `undo`: the way back.
    """

    kind: FollowUpKind
    text: str
    command: str = ""


def aftermath(
    plan: Plan, root: Path, done: Applied | None = None, choice: VaultChoice | None = None
) -> tuple[FollowUp, ...]:
    """What is left, the most urgent first. Without `done` the plan is taken as not carried out yet: what will be left.

    `choice` adds the sign-in to the command for undo, and leaves out the Azure CLI for an embedded vault.
    """
    root = root.absolute()
    azure = "" if choice is not None and choice.auth == "local" else _azure(plan)
    return (
        *_proof(done),
        *_refused(plan),
        *_elsewhere(done),
        *_grants(plan, azure),
        *_deployments(plan, root),
        *_rotations(plan, azure),
        *_notes(plan, choice),
        *_undo(root, done, choice),
    )


def _proof(done: Applied | None) -> Iterator[FollowUp]:
    if done is None:
        return
    for difference in done.proof.differences:
        place = difference.address
        what = f"{place.subject or place.path} {place.channel} {place.name}".rstrip()
        yield _follow("proof", f"not delivered as before: {what} is {difference.problem}; undo the run, or mend it")
    for leftover in done.proof.leftovers:
        where = f"{leftover.path}:{leftover.line} {leftover.pointer}".rstrip()
        yield _follow("proof", f"the value is still there: {where}; undo the run, or mend it")


def _refused(plan: Plan) -> Iterator[FollowUp]:
    for left in plan.left:
        where = f"{left.path}:{left.line} {left.pointer or left.key}".rstrip()
        instead = f"; instead: {left.alternative}" if left.alternative else ""
        yield _follow("refused", f"{where} stays: {left.reason}{instead}")


def _elsewhere(done: Applied | None) -> Iterator[FollowUp]:
    for rest in done.proof.elsewhere if done else ():
        where = f"{rest.path}:{rest.line} {rest.pointer}".rstrip()
        yield _follow("elsewhere", f"{where} still holds a moved value, and was not part of the run")


def _undo(root: Path, done: Applied | None, choice: VaultChoice | None) -> Iterator[FollowUp]:
    if done is None:
        return
    words = ["secretscan", "undo", done.run, "--root", str(root)]
    if choice is not None:
        words += ["--local", choice.descriptor] if choice.auth == "local" else ["--auth", choice.auth]
    yield _follow("undo", "takes the run back: every file that has not changed since", _command(*words))


# --- the vault --------------------------------------------------------------------------------------------------------


def _grants(plan: Plan, azure: str) -> Iterator[FollowUp]:
    """Who reads which secrets: the least role, on these secrets alone."""
    policy = f"az keyvault set-policy --name {azure} --object-id {WHO} --secret-permissions get"
    for who, names in readers(plan).items():
        text = f"{who} needs the role {READER} for {_many(len(names), 'secret')}"
        if azure:
            text += f" (in a vault with access policies: {policy})"
        yield _follow("grant", text, _grant(azure, names) if azure else "")


def readers(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The names that each reader looks up, by what the new text of its files says: a variable that an image loses is
    given to deployments in which nothing moves."""
    platforms = {move.path: move.platform for move in plan.moves}
    names = [secret.name for secret in plan.secrets]
    found: dict[str, set[str]] = {}
    for file in plan.files:
        text = "\n".join(edit.replacement for edit in file.edits)
        platform = platforms.get(file.path) or next((name for name, mark in _MARKS if mark in text), "")
        identity = IDENTITY.search(text)
        if platform == "aci" or identity:
            who = f"the identity {identity.group() if identity else 'of the group'} in {file.path}"
        elif platform in _CLUSTERED:
            who = _CLUSTER
        else:
            continue
        found.setdefault(who, set()).update(_NAME.findall(text))
    for companion in plan.companions:
        script = fetch.parse(render.to_bytes(companion.content))
        named = {each.reference.name for each in script} or set(_NAME.findall(companion.content))
        found.setdefault(_companion_reader(companion, bool(script)), set()).update(named)
    known = set().union(*found.values())
    by_id = {secret.id: secret.name for secret in plan.secrets}
    for move in plan.moves:
        if (name := by_id.get(move.secret, "")) not in known:
            found.setdefault(f"whoever or whatever reads the vault for {move.path}", set()).add(name)
    mine = {who: tuple(name for name in names if name in named) for who, named in found.items()}
    return {who: here for who, here in mine.items() if here}


def _companion_reader(companion: PlannedCompanion, script: bool) -> str:
    if script:
        return f"whoever starts {companion.path}"
    if any(mark in companion.content for mark in _OBJECTS):
        return _CLUSTER
    return f"whoever deploys with {companion.path}"


def _grant(vault: str, names: tuple[str, ...]) -> str:
    vault_id = f"$(az keyvault show --name {quote(vault)} --query id --output tsv)"
    create = f'az role assignment create --role "{READER}" --assignee {WHO} --scope "{vault_id}/secrets/'
    if len(names) == 1:
        return f'{create}{names[0]}"'
    return f'for name in {" ".join(map(quote, names))}; do {create}$name"; done'


def _rotations(plan: Plan, azure: str) -> Iterator[FollowUp]:
    for secret in plan.secrets:
        command = f"az keyvault secret set --vault-name {azure} --name {quote(secret.name)} --file NEW-VALUE-FILE"
        yield _follow("rotate", _burnt(secret), command if azure else "")


def _burnt(secret: PlannedSecret) -> str:
    whole = " (the whole text around the credential)" if secret.whole_text else ""
    return (
        f"{secret.name}{whole} counts as exposed until the vault holds another value: change it where it was issued, "
        "then store the new one from a file without a line break at its end, and restart what reads it"
    )


def _azure(plan: Plan) -> str:
    """The vault's name, if it is one in a known Azure cloud, where the Azure CLI finds it by that."""
    try:
        checked = vault_url(plan.vault_url)
    except UsageError:
        return ""
    return Reference(checked.url, "").vault_name if checked.authority else ""


# --- deploying --------------------------------------------------------------------------------------------------------


def _deployments(plan: Plan, root: Path) -> Iterator[FollowUp]:
    """New files first: a reference needs them."""
    manifests = dict.fromkeys(move.path for move in plan.moves if move.platform == "kubernetes")
    scripts = [each for each in plan.companions if fetch.parse(render.to_bytes(each.content))]
    beside = [each for each in plan.companions if each not in scripts]
    for companion in beside:
        yield _manifest(root, companion)
    loose = [path for path in manifests if not _kustomized(root, path)]
    if loose:
        words = [word for path in loose for word in ("-f", _full(root, path))]
        yield _follow(
            "apply", f"deploy {_many(len(loose), 'rewritten manifest')}", _command("kubectl", "apply", *words)
        )
    if len(loose) < len(manifests):
        yield _follow("apply", "deploy the kustomizations that take in the rewritten manifests, as you always do")
    for path in dict.fromkeys(move.path for move in plan.moves if move.platform == "aci"):
        start = "az container create --resource-group RESOURCE-GROUP --file"
        command = _command(_full(root, path))
        yield _follow("apply", f"deploy the container group of {path}", f"{start} {command}" if command else "")
    for script in scripts:
        yield from _started(plan, root, script)


def _manifest(root: Path, companion: PlannedCompanion) -> FollowUp:
    text = companion.note or f"apply {companion.path} before the manifests that need it"
    if _kustomized(root, companion.path):
        return _follow("apply", f"{text}; if a kustomization lists it, it comes with that")
    return _follow("apply", text, _command("kubectl", "apply", "-f", _full(root, companion.path)))


def _kustomized(root: Path, path: str) -> bool:
    """Whether a kustomization stands beside the file or above it: then it is not to be applied by itself."""
    return any((root / folder / name).is_file() for folder in PurePosixPath(path).parents for name in _KUSTOMIZATIONS)


def _started(plan: Plan, root: Path, script: PlannedCompanion) -> Iterator[FollowUp]:
    """How to start through a fetch script what reads its variables: Compose, builds with secrets, any program."""
    place = PurePosixPath(script.path)
    text = f"start through {script.path} whatever reads its variables, signed in as somebody who may read the secrets"
    begin = _command(f"./{place.name}")
    home = _command("cd", _full(root, str(place.parent)))
    mine = [file for file in plan.files if PurePosixPath(file.path).is_relative_to(place.parent)]
    starts: list[str] = []
    if _composed(plan, mine, place):
        starts.append("docker compose up -d")
    variables = {each.reference.name.lower(): each.name for each in fetch.parse(render.to_bytes(script.content))}
    for file in mine:
        if PurePosixPath(file.path).parent != place.parent:
            continue
        mounts = dict.fromkeys(name for edit in file.edits for name in _MOUNT.findall(edit.replacement))
        secrets = [f"--secret id={name},env={variables[name.lower()]}" for name in mounts if name.lower() in variables]
        if secrets and (named := _command(PurePosixPath(file.path).name)):
            starts.append(f"docker build {' '.join(secrets)} -f {named} .")
    for start in starts or ["COMMAND"]:
        yield _follow("apply", text, f"{home} && {begin} {start}" if home and begin else "")


def _composed(plan: Plan, mine: Iterable[PlannedFile], script: PurePosixPath) -> bool:
    """Whether Compose reads this script's variables: a Compose file beside it changed, or a file that it reads."""
    if any(move.platform == "compose" and PurePosixPath(move.path).parent == script.parent for move in plan.moves):
        return True
    asks = f":?run ./{script.name}}}"
    return any(asks in edit.replacement for file in mine for edit in file.edits)


def _notes(plan: Plan, choice: VaultChoice | None) -> Iterator[FollowUp]:
    for note in plan.notes:
        yield _follow("note", note)
    if choice is not None and choice.auth == "local":
        yield _follow(
            "note", "the embedded vault forgets everything when it ends: undo before that, or lose the values"
        )
    if plan.moves:
        yield _follow(
            "note",
            "git history, images that were built before and what is deployed already still hold the moved values",
        )


def _full(root: Path, path: str) -> str:
    return str(root / path)


def _command(*words: str) -> str:
    """Words as one would type them; nothing when a word cannot be shown as it is."""
    return " ".join(map(quote, words)) if all(word.isprintable() for word in words) else ""


def _follow(kind: FollowUpKind, text: str, command: str = "") -> FollowUp:
    return FollowUp(kind, printable(text), command)


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
