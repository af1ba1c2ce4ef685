"""`secretscan inventory`: every secret, every place."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from secretscan.cli.options import add_root, folder

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker

EXAMPLES = """\
One line for each secret, with its places below: its keyed id, state, strength, kind and name in the vault.

examples:
  secretscan inventory --root deploy
  secretscan inventory --format jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_root(parser)
    parser.add_argument("--format", choices=("text", "jsonl"), default="text", help="(default: %(default)s)")


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    from secretscan import api
    from secretscan.report.inventory import jsonl, text

    secrets, occurrences = api.inventory(folder(args.root))
    if not secrets:
        speaker.say("nothing is known of this folder yet: secretscan scan")
    sys.stdout.writelines((jsonl if args.format == "jsonl" else text)(secrets, occurrences))
    return 0
