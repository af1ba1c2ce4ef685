"""`secretscan prove`: a finished run against the files as they are now."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from secretscan.cli.options import add_root, add_vault, cancellable, configure, connected, folder, show_proof

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker

EXAMPLES = """\
Compares what the platforms hand the workloads with what they did before the run, references read from the vault, and
searches the rewritten places for what was moved. Changes nothing.
exit status: 0 the proof holds, 3 it does not

examples:
  secretscan prove 20261124-2015 --root deploy
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run's id, or how it begins (see 'secretscan status')")
    add_root(parser)
    add_vault(parser, url=False)


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    from secretscan import api

    root = folder(args.root)
    found = api.find_run(root, args.run)
    with (
        cancellable(speaker) as cancellation,
        connected(args, configure(args, root, speaker), found.plan.vault_url, speaker, cancellation) as vault,
    ):
        proof = api.prove(root, found.id, vault, listener=speaker.hear, cancellation=cancellation)
    return show_proof(proof, speaker)
