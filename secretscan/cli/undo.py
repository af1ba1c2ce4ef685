"""`secretscan undo`: the original bytes back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from secretscan.cli.options import add_root, add_vault, cancellable, configure, connected, folder

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker

EXAMPLES = """\
Files that have changed since the run are left alone and named. Nothing is deleted from the vault unless asked.
exit status: 0 all files are as they were, 3 some were left

examples:
  secretscan undo 20261124-2015
  secretscan undo 20261124-2015 --root deploy --delete-from-vault
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run's id, or how it begins (see 'secretscan status')")
    add_root(parser)
    parser.add_argument(
        "--delete-from-vault",
        action="store_true",
        help="delete the secrets that this run stored (they can be recovered)",
    )
    add_vault(parser, url=False)


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    from secretscan import api

    root = folder(args.root)
    found = api.find_run(root, args.run)
    with (
        cancellable(speaker) as cancellation,
        connected(args, configure(args, root, speaker), found.plan.vault_url, speaker, cancellation) as vault,
    ):
        done = api.undo(
            root,
            found.id,
            vault,
            delete_from_vault=args.delete_from_vault,
            listener=speaker.hear,
            cancellation=cancellation,
        )
    for kept in done.kept:
        speaker.warn(f"left as it is: {kept.path}: {kept.reason}")
    speaker.say(
        f"run {done.run}: {len(done.restored)} files have their original bytes, {len(done.removed)} made files removed"
        + (f", {len(done.deleted)} secrets deleted" if args.delete_from_vault else "; the vault was not changed")
    )
    return 3 if done.kept else 0
