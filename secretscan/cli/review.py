"""`secretscan review`: the terminal application."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from secretscan.cli.options import add_targets, add_vault, choices, configure, settings

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker
    from secretscan.tui.app import Options

EXAMPLES = """\
Opens on what is known of the folder and reads it anew meanwhile. ? shows the keys of each screen, q ends.
exit status: 0 ended by its user, 2 wrong usage or configuration, 3 ended from outside, 130 interrupted

examples:
  secretscan review
  secretscan review deploy --vault https://NAME.vault.azure.net --auth cli
  secretscan demo --review
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_targets(parser)
    parser.add_argument("--no-scan", action="store_true", help="show the inventory as it is; ^r scans when asked")
    parser.add_argument("--no-inventory", action="store_true", help="do not keep .secretscan/inventory.db in the root")
    parser.add_argument(
        "--allow-reveal",
        action="store_true",
        help="let one value at a time be shown for ten seconds; each time is written to .secretscan/reveals.jsonl",
    )
    add_vault(parser)
    from secretscan.cli.configuration import add_references

    add_references(parser)


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    from secretscan import api
    from secretscan.plan.saved import Saved
    from secretscan.tui.app import Options
    from secretscan.tui.config import read_config

    _need_terminal()
    targets = tuple(args.targets or (".",))
    config = configure(args, api.root_of(targets), speaker)
    url = config.text("vault").rstrip("/")
    options = Options(
        targets=targets,
        scan=not args.no_scan,
        record=not args.no_inventory,
        allow_reveal=args.allow_reveal,
        vault_url=url,
        auth="local" if args.local else config.text("auth"),
        descriptor=args.local or "",
        config=read_config(),
        first=Saved(
            prefix=config.text("prefix"),
            placeholders=config.on("placeholders"),
            settings=settings(config),
            choices=choices(config, url),
        ),
    )
    return open_terminal(options, speaker)


def open_terminal(options: Options, speaker: Speaker) -> int:
    """Runs the application. Raises `UsageError` without a terminal."""
    _need_terminal()
    from secretscan.tui.start import start

    return start(options, say=speaker.say)


def _need_terminal() -> None:
    from secretscan.errors import UsageError

    # The screen is drawn on standard error, so that one needs to be the terminal, too.
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError(
            "the terminal application needs a terminal",
            why="standard input, output or error is redirected",
            next_step="use 'secretscan scan', 'plan' and 'apply' in scripts, or start it in a terminal",
        )
