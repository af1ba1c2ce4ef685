"""`secretscan plan`: the value-free plan, and its preview."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from secretscan.cli.options import (
    add_targets,
    add_vault,
    again,
    cancellable,
    choices,
    configure,
    connected,
    many,
    settings,
    show_draft,
    vault_url,
)

if TYPE_CHECKING:
    from secretscan.cli.configuration import Configured
    from secretscan.cli.stderr import Speaker
    from secretscan.events import Cancellation
    from secretscan.plan.build import Draft
    from secretscan.plan.document import Plan

EXAMPLES = """\
The preview goes to standard output, the plan to the file of --output. Neither holds a value.
exit status: 0 all that was found can move, 1 something stays as it is, 2 wrong usage or configuration, 3 something
could not be read, or the vault could not be asked; what is marked in .secretscan-ignore stays and does not count
Settings may also stand in .secretscan.toml, or in variables such as SECRETSCAN_VAULT (docs/settings.md).

examples:
  secretscan plan --vault https://NAME.vault.azure.net --output plan.json
  secretscan plan deploy --vault https://NAME.vault.azure.net --offline
  secretscan plan deploy --vault https://NAME.vault.azure.net --output plan.json --roles roles.bicep
  secretscan plan --vault https://TEST.vault.azure.net --vault-for 'production/**=https://NAME.vault.azure.net'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_targets(parser)
    from secretscan.cli.configuration import add_references

    add_vault(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write the plan there, for 'secretscan apply'")
    parser.add_argument(
        "--roles", metavar="FILE", help="write the least roles of who reads the secrets there, as a Bicep template"
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the vault which names are taken")
    add_references(parser)


def drafts(
    args: argparse.Namespace, speaker: Speaker, cancellation: Cancellation, *, unattended: bool, offline: bool = False
) -> Iterator[tuple[Draft, Configured]]:
    """The plans as the settings ask for them, one for each vault, each made when it is asked for."""
    from secretscan import api

    targets = args.targets or ["."]
    config = configure(args, api.root_of(targets), speaker)
    config.need_person(unattended=unattended)
    first = vault_url(args, config)
    share = config.share(first)
    for url in share.urls() if share else (first,):
        with nullcontext() if offline else connected(args, config, url, speaker, cancellation) as vault:
            made = api.plan(
                targets,
                url,
                vault,
                settings=settings(config),
                placeholders=config.on("placeholders"),
                prefix=config.text("prefix"),
                choices=choices(config, first),
                listener=speaker.hear,
                cancellation=cancellation,
            )
            who = str(vault.identity) if vault else "unknown"
        if who != "unknown":
            speaker.say(f"signed in as {who}")
        yield made, config


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    with cancellable(speaker) as cancellation:
        made = list(drafts(args, speaker, cancellation, unattended=False, offline=args.offline))
    several = made[0][1].rules
    for draft, _ in made:
        _show(draft, args, speaker, several=bool(several))
    return worst(outcome(draft) for draft, _ in made)


def _show(draft: Draft, args: argparse.Namespace, speaker: Speaker, *, several: bool) -> None:
    sys.stdout.write(show_draft(draft, speaker))
    plan = draft.plan
    if several:
        speaker.say(f"{plan.vault_url}:")
        if not plan.moves and not any(left.mark != "other-vault" for left in plan.left):
            speaker.say("there is nothing to move into this vault")
            return
    if args.output:
        _write(_of_vault(args.output, plan, several=several), plan.to_text())
    if args.roles and plan.secrets:
        from secretscan import api

        place = _of_vault(args.roles, plan, several=several)
        _write(place, api.roles(plan))
        speaker.say(f"the roles to assign once the secrets are in the vault: {place}")
    stay = [left for left in plan.left if left.mark != "other-vault"]
    if not plan.moves and not stay:
        speaker.say("there is nothing to move")
    else:
        goal = f"into {many(len(plan.secrets), 'secret')}" if plan.moves else "on its own"
        marked = sum(bool(left.mark) for left in stay)
        meant = f", {marked} of them as marked" if marked else ""
        speaker.say(f"{many(len(plan.moves), 'place')} can move {goal}, {len(stay)} stay{meant}")
    if args.output and plan.moves:
        place = _of_vault(args.output, plan, several=several)
        speaker.say(f"next: secretscan apply {shlex.quote(str(place))}{again(args)}")


def _of_vault(name: str, plan: Plan, *, several: bool) -> Path:
    """The file of an option: with several vaults one for each, with the vault's name before the ending."""
    place = Path(name)
    from rewriters import Reference

    vault = Reference(plan.vault_url, "").vault_name
    return place.with_name(f"{place.stem}.{vault}{place.suffix}") if several else place


def outcome(draft: Draft) -> int:
    """The exit status of a plan: whether anything stays in plain that nobody marked, or was not seen at all."""
    return 1 if any(not left.mark for left in draft.plan.left) else 3 if draft.unscanned else 0


def worst(statuses: Iterable[int]) -> int:
    """The exit status of several plans: what stays in plain goes before what could not be read."""
    return max(statuses, key=(0, 3, 1).index, default=0)


def _write(path: Path, text: str) -> None:
    from secretscan.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError("cannot write this file", where=str(path), why=error.strerror or "") from None
