"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters import Settings
    from secretscan.cli.configuration import Configured
    from secretscan.cli.stderr import Speaker
    from secretscan.events import Cancellation
    from secretscan.plan.build import Draft
    from secretscan.plan.choices import Choices
    from secretscan.prove.proof import Proof
    from secretscan.vault.client import Vault


def add_targets(parser: argparse.ArgumentParser) -> None:
    """The files and folders of a scan or a plan."""
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="file or folder (default: the current folder)")


def add_root(parser: argparse.ArgumentParser) -> None:
    """The folder whose `.secretscan` is meant."""
    parser.add_argument("--root", default=".", metavar="DIR", help="the folder that was scanned (default: the current)")


def add_vault(parser: argparse.ArgumentParser, *, url: bool = True) -> None:
    """Which vault, and how to sign in."""
    from secretscan.cli.configuration import add_key

    group = parser.add_argument_group("vault")
    if url:
        add_key(group, "vault")
    add_key(group, "auth")
    group.add_argument("--local", metavar="FILE", help="the descriptor of a running 'secretscan vault serve'")


def configure(args: argparse.Namespace, root: Path, speaker: Speaker) -> Configured:
    """The settings for what is below `root`; what a person should know of them is said."""
    from secretscan.cli.configuration import configured

    found = configured(args, root)
    for note in found.notes:
        speaker.warn(note)
    if found.found:
        speaker.say(f"the vault is the one that {found.found} names")
    return found


def settings(config: Configured) -> Settings:
    """The chosen references."""
    from rewriters import Settings

    return Settings(
        identity=config.text("identity"),
        vault_id=config.text("vault-id"),
        client_id=config.text("client-id"),
        tenant_id=config.text("tenant-id"),
        kubernetes_target=config.text("kubernetes-target"),  # type: ignore[arg-type]
        secret_store=config.text("secret-store"),
        companions=config.text("companions"),
        service_connection=config.text("service-connection"),
        marathon_secrets=config.on("marathon-secrets"),
    )


def choices(config: Configured, default: str) -> Choices:
    """What was chosen for how everything moves; `default` is the vault of files that no pattern fits."""
    from secretscan.plan.choices import Choices

    return Choices(
        pinned=config.on("pin-versions"),
        whole_texts=config.text("connection-strings") == "whole",
        share=config.share(default),
    )


def vault_url(args: argparse.Namespace, config: Configured) -> str:
    """The vault that was named, or that of the embedded vault. Raises `UsageError` when none was named."""
    from secretscan.errors import UsageError

    if named := config.text("vault"):
        return named.rstrip("/")
    if args.local:
        from secretscan.vault.auth import read_descriptor

        return read_descriptor(Path(args.local)).url
    raise UsageError("no vault is named", next_step="add --vault https://NAME.vault.azure.net")


@contextmanager
def connected(
    args: argparse.Namespace, config: Configured, url: str, speaker: Speaker, cancellation: Cancellation
) -> Iterator[Vault]:
    """The vault at `url`, signed in as the settings say."""
    from secretscan.errors import UsageError
    from secretscan.vault.auth import connect

    if args.local and args.auth:
        raise UsageError(
            "--auth and --local do not go together",
            where=args.local,
            why="the embedded vault takes its own token only",
            next_step="leave one of them out",
        )
    with connect(
        url,
        "local" if args.local else config.text("auth") or "default",
        descriptor=args.local,
        unattended=getattr(args, "yes", False),
        listener=speaker.hear,
        cancellation=cancellation,
    ) as vault:
        for note in vault.notes:
            speaker.warn(note)
        yield vault


@contextmanager
def cancellable(speaker: Speaker) -> Iterator[Cancellation]:
    """The first interrupt, or request to end, stops between two steps; the second one at once."""
    from secretscan.events import Cancellation

    cancellation = Cancellation()

    def stop(*_: object) -> None:
        for asked in before:
            signal.signal(asked, signal.default_int_handler)
        cancellation.cancel()
        speaker.warn("stopping after this step; once more to stop at once")

    before = {asked: signal.signal(asked, stop) for asked in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancellation
    finally:
        for asked, handler in before.items():
            signal.signal(asked, handler)


def many(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing}{'s' * (number != 1)}"


def again(args: argparse.Namespace, root: str | None = None) -> str:
    """The options that a command which follows this one needs, as they would be typed."""
    from shlex import quote

    words = ["--root", root] if root and Path(root) != Path.cwd() else []
    words += ["--local", args.local] if args.local else ["--auth", args.auth] if args.auth else []
    return "".join(f" {quote(word)}" for word in words)


def folder(text: str) -> Path:
    """A folder that is there. Raises `UsageError`."""
    from secretscan.errors import UsageError

    path = Path(text)
    if not path.is_dir():
        raise UsageError(
            "there is no such folder", where=text, next_step="give the folder that was scanned with --root"
        )
    return path.resolve()


def show_draft(draft: Draft, speaker: Speaker) -> str:
    """The plan for a person: the diff, what goes where, what stays and why. Values are masked."""
    from secretscan.errors import printable

    plan = draft.plan
    out: list[str] = []
    for diff in draft.diffs:
        out += (f"--- {printable(diff.path)}", f"+++ {printable(diff.path)}", diff.text.rstrip("\n"), "")
    places: dict[str, int] = {}
    for move in plan.moves:
        places[move.secret] = places.get(move.secret, 0) + 1
    if plan.secrets:
        out.append(f"into {plan.vault_url}")
        for secret in plan.secrets:
            what = "already there" if secret.action == "adopt" else "new"
            whole = ", the whole text" if secret.whole_text else ""
            what = f"{what}, {secret.strength} {secret.kind}{whole}"
            out.append(f"  {secret.name}  ({what}) <- {many(places.get(secret.id, 0), 'place')}")
    left_here = [left for left in plan.left if left.mark != "other-vault"]
    if left_here:
        out.append("stays as it is")
        for left in left_here:
            out.append(printable(f"  {left.path}:{left.line} {left.pointer or left.key}: {left.reason}"))
            out.append(printable(f"      {left.alternative}"))
    if draft.unscanned:
        out.append("could not be read, so the plan says nothing of it")
        out += [printable(f"  {item.path}: {item.reason}") for item in draft.unscanned]
    if plan.notes:
        out.append("before you deploy")
        out += [printable(f"  {note}") for note in plan.notes]
    return "\n".join(out) + "\n" if out else ""


def show_proof(proof: Proof, speaker: Speaker) -> int:
    """Says what was proved; the exit status."""
    for difference in proof.differences:
        where = difference.address
        speaker.warn(
            f"not the same: {where.subject or where.path} {where.channel} {where.name} is {difference.problem}"
        )
    for leftover in proof.leftovers:
        speaker.warn(f"still there: {leftover.path}:{leftover.line} {leftover.pointer}")
    if not proof.holds:
        speaker.warn("the proof does not hold: undo the run, or mend what is listed")
        return 3
    speaker.say(f"proved: {proof.deliveries} deliveries are the same, {proof.places} rewritten places hold no value")
    for rest in proof.elsewhere:
        place = f"{rest.path}:{rest.line} {rest.pointer}".rstrip()
        speaker.say(f"  the same value still stands in {place}, which was not moved")
    return 0
