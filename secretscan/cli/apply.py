"""`secretscan apply`: into the vault, verify, rewrite, prove."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from secretscan.cli.options import add_vault, again, cancellable, configure, connected, folder, many, show_proof

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker
    from secretscan.plan.document import Plan
    from secretscan.run.apply import Applied

EXAMPLES = """\
A run that was interrupted goes on where it stopped when the same command is given again, or with --resume.
exit status: 0 done and the proof holds, 2 wrong usage or configuration, 3 not finished, or the proof does not hold

examples:
  secretscan apply plan.json --auth cli
  secretscan apply --resume 20261124-2015 --root deploy
"""

_MAX_PLAN = 256 * 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", nargs="?", metavar="PLAN", help="the file that 'secretscan plan --output' wrote")
    parser.add_argument("--resume", metavar="RUN", help="go on with this run of --root (see 'secretscan status')")
    parser.add_argument("--root", metavar="DIR", help="the folder to change (default: the one that was planned on)")
    add_vault(parser, url=False)


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    from secretscan import api
    from secretscan.errors import UsageError

    if bool(args.plan) == bool(args.resume):
        raise UsageError(
            "give a plan, or --resume with a run", next_step="secretscan plan --vault URL --output plan.json"
        )
    with cancellable(speaker) as cancellation:
        if args.resume:
            root = folder(args.root or ".")
            found = api.find_run(root, args.resume)
            config = configure(args, root, speaker)
            with connected(args, config, found.plan.vault_url, speaker, cancellation) as vault:
                done = api.resume(root, found.id, vault, listener=speaker.hear, cancellation=cancellation)
        else:
            plan = _read(args.plan)
            api.check_plan(plan)
            place = folder(args.root) if args.root else None
            speaker.say(f"into {plan.vault_url}")
            config = configure(args, place or Path(plan.root), speaker)
            with connected(args, config, plan.vault_url, speaker, cancellation) as vault:
                done = api.apply(plan, vault, root=place, listener=speaker.hear, cancellation=cancellation)
    return show_applied(done, args, speaker)


def show_applied(done: Applied, args: argparse.Namespace, speaker: Speaker) -> int:
    """What a run did, on standard output, and its proof; the exit status."""
    if done.changed:
        sys.stdout.write(
            f"run {done.run}: {done.stored} stored, {done.adopted} already in the vault,"
            f" {many(len(done.rewritten), 'file')} rewritten, {len(done.created)} made\n"
        )
    else:
        sys.stdout.write(f"run {done.run}: was done already, nothing was left to do\n")
    sys.stdout.flush()
    status = show_proof(done.proof, speaker)
    if status == 0:
        speaker.say("rotate the moved values: they were readable until now")
        speaker.say(f"to take the run back: secretscan undo {done.run}{again(args, done.root)}")
        if args.local:
            speaker.warn("the embedded vault forgets everything when it ends: undo before that, or lose the values")
    return status


def _read(name: str) -> Plan:
    from secretscan.errors import UsageError
    from secretscan.plan.document import Plan

    path = Path(name)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_PLAN + 1)
        if len(data) > _MAX_PLAN:
            raise UsageError("this is not a plan", where=name, why="it is too large")
        return Plan.from_text(data.decode("ascii"), name)
    except OSError as error:
        raise UsageError("cannot read the plan", where=name, why=error.strerror or "") from None
    except UnicodeDecodeError:
        raise UsageError("this is not a plan", where=name, why="it is not ASCII text") from None
