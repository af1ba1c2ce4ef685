"""`secretscan scan`: find."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from secretscan.cli.options import add_targets, cancellable

if TYPE_CHECKING:
    from secretscan.api import Scan
    from secretscan.cli.stderr import Speaker

EXAMPLES = """\
exit status: 0 nothing found, 1 credentials found, 2 wrong usage, 3 nothing found but something could not be read
What is marked in .secretscan-ignore of the scanned folder is counted apart, and not as found.

examples:
  secretscan scan
  secretscan scan deploy compose.yaml --format jsonl --output findings.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_targets(parser)
    parser.add_argument("--format", choices=("text", "jsonl"), default="text", help="(default: %(default)s)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the findings there instead of standard output")
    parser.add_argument("--no-inventory", action="store_true", help="do not keep .secretscan/inventory.db in the root")


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    from secretscan import api

    with cancellable(speaker) as cancellation:
        scan = api.scan(
            args.targets or ["."],
            record=not args.no_inventory,
            listener=speaker.hear,
            cancellation=cancellation,
        )
    _write(scan, args.format, args.output)
    if args.format == "text" or args.output:
        from secretscan.report.text import summary

        speaker.say(summary(scan))
    return int(scan.outcome)


def _write(scan: Scan, form: str, output: str | None) -> None:
    if not (scan.found or scan.unscanned or scan.marks or output):
        return
    if form == "jsonl":
        from secretscan.report.jsonl import lines
    else:
        from secretscan.report.text import lines
    if output is None:
        sys.stdout.writelines(lines(scan))
        return
    try:
        with open(output, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.writelines(lines(scan))
    except OSError as error:
        from secretscan.errors import UsageError

        raise UsageError("cannot write the report", where=output, why=error.strerror or "") from None
