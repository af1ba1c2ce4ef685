"""`secretscan migrate`: plan, confirm, apply: the bulk script."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from secretscan.cli.apply import show_applied
from secretscan.cli.options import add_targets, add_vault, cancellable, connected, show_draft
from secretscan.cli.plan import drafts, outcome, worst

if TYPE_CHECKING:
    from secretscan.cli.configuration import Configured
    from secretscan.cli.stderr import Speaker
    from secretscan.events import Cancellation
    from secretscan.plan.build import Draft

EXAMPLES = """\
Shows the plan and asks before anything changes; --yes answers for scripts. Without a terminal --yes is needed.
exit status: 0 all that was found has moved, 1 the rest stays as it is, 2 wrong usage or configuration, 3 not done, the
proof does not hold, or something could not be read; what is marked in .secretscan-ignore stays and does not count
Settings may also stand in .secretscan.toml, or in variables such as SECRETSCAN_VAULT (docs/settings.md).

examples:
  secretscan migrate deploy --vault https://NAME.vault.azure.net --auth cli
  secretscan migrate --vault https://NAME.vault.azure.net --auth managed-identity --yes
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from secretscan.cli.configuration import add_references

    add_targets(parser)
    add_vault(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_references(parser)


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    statuses: list[int] = []
    with cancellable(speaker) as cancellation:
        # One vault after the other: each plan is made on the files as the run before it left them.
        for made, config in drafts(args, speaker, cancellation, unattended=args.yes):
            done = _moved(made, config, args, speaker, cancellation)
            statuses.append(outcome(made) if done is None else done)
            if done:
                break
    return next((status for status in statuses if status == 3), worst(statuses))


def _moved(
    made: Draft, config: Configured, args: argparse.Namespace, speaker: Speaker, cancellation: Cancellation
) -> int | None:
    """Moves what the plan moves. The exit status if that was not done or is not proved, else `None`."""
    from secretscan import api

    sys.stdout.write(show_draft(made, speaker))
    sys.stdout.flush()
    plan = made.plan
    if not plan.moves:
        stays = any(left.mark != "other-vault" for left in plan.left)
        where = f" into {plan.vault_url}" if config.rules else ""
        speaker.say(f"nothing can move{where}" if stays else f"there is nothing to move{where}")
        return None
    if not args.yes and not _confirmed(len(plan.moves), plan.vault_url):
        speaker.say("nothing was changed")
        return 3
    with connected(args, config, plan.vault_url, speaker, cancellation) as vault:
        done = api.apply(plan, vault, listener=speaker.hear, cancellation=cancellation)
    return show_applied(done, args, speaker) or None


def _confirmed(count: int, url: str) -> bool:
    """Asks at the terminal itself, so that a redirected standard input never answers."""
    from secretscan.errors import UsageError

    try:
        # Two handles: a terminal cannot be sought in, which one handle for both ways would need.
        answers, questions = open("/dev/tty", encoding="utf-8"), open("/dev/tty", "w", encoding="utf-8")  # noqa: PTH123, SIM115
    except OSError:
        raise UsageError(
            "there is no terminal to ask at", next_step="look at the plan with 'secretscan plan', then add --yes"
        ) from None
    with answers, questions:
        questions.write(f"move {count} place{'s' * (count != 1)} into {url}? [y/N] ")
        questions.flush()
        return answers.readline().strip().lower() in ("y", "yes")
