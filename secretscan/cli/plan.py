"""`secretscan plan`: the value-free plan, and its preview."""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from secretscan.cli.options import (
    add_settings,
    add_targets,
    add_vault,
    again,
    cancellable,
    connected,
    many,
    settings,
    show_draft,
    vault_url,
)

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker
    from secretscan.events import Cancellation
    from secretscan.plan.build import Draft

EXAMPLES = """\
The preview goes to standard output, the plan to the file of --output. Neither holds a value.
exit status: 0 all that was found can move, 1 something stays as it is, 2 wrong usage or configuration, 3 something
could not be read, or the vault could not be asked; what is marked in .secretscan-ignore stays and does not count

examples:
  secretscan plan --vault https://NAME.vault.azure.net --output plan.json
  secretscan plan deploy --vault https://NAME.vault.azure.net --offline
  secretscan plan deploy --vault https://NAME.vault.azure.net --output plan.json --roles roles.bicep
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_targets(parser)
    add_vault(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write the plan there, for 'secretscan apply'")
    parser.add_argument(
        "--roles", metavar="FILE", help="write the least roles of who reads the secrets there, as a Bicep template"
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the vault which names are taken")
    add_settings(parser)


def draft(args: argparse.Namespace, speaker: Speaker, cancellation: Cancellation, *, offline: bool = False) -> Draft:
    """The plan as the options ask for it."""
    from secretscan import api

    url = vault_url(args)
    with nullcontext() if offline else connected(args, url, speaker, cancellation) as vault:
        made = api.plan(
            args.targets or ["."],
            url,
            vault,
            settings=settings(args),
            placeholders=args.placeholders,
            prefix=args.prefix,
            listener=speaker.hear,
            cancellation=cancellation,
        )
        who = str(vault.identity) if vault else "unknown"
    if who != "unknown":
        speaker.say(f"signed in as {who}")
    return made


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    with cancellable(speaker) as cancellation:
        made = draft(args, speaker, cancellation, offline=args.offline)
    sys.stdout.write(show_draft(made, speaker))
    plan = made.plan
    if args.output:
        _write(Path(args.output), plan.to_text())
    if args.roles and plan.secrets:
        from secretscan import api

        _write(Path(args.roles), api.roles(plan))
        speaker.say(f"the roles to assign once the secrets are in the vault: {args.roles}")
    if not plan.moves and not plan.left:
        speaker.say("there is nothing to move")
    else:
        goal = f"into {many(len(plan.secrets), 'secret')}" if plan.moves else "on its own"
        marked = sum(bool(left.mark) for left in plan.left)
        meant = f", {marked} of them as marked" if marked else ""
        speaker.say(f"{many(len(plan.moves), 'place')} can move {goal}, {len(plan.left)} stay{meant}")
    if args.output and plan.moves:
        speaker.say(f"next: secretscan apply {shlex.quote(args.output)}{again(args)}")
    return outcome(made)


def outcome(draft: Draft) -> int:
    """The exit status of a plan: whether anything stays in plain that nobody marked, or was not seen at all."""
    return 1 if any(not left.mark for left in draft.plan.left) else 3 if draft.unscanned else 0


def _write(path: Path, text: str) -> None:
    from secretscan.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError("cannot write this file", where=str(path), why=error.strerror or "") from None
