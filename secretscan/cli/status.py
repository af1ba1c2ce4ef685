"""`secretscan status`: how far a folder is."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from secretscan.cli.options import add_root, folder

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker

EXAMPLES = """\
exit status: 0, or 3 if the inventory cannot be read

examples:
  secretscan status
  secretscan status --root deploy
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_root(parser)


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    from secretscan import api
    from secretscan.errors import printable

    status = api.status(folder(args.root))
    counts = dict.fromkeys(("found", "stored", "migrated", "gone"), 0)
    for secret in status.secrets:
        counts[secret.state] += 1
    burnt = sum(secret.burnt for secret in status.secrets)
    out = [f"{len(status.secrets)} secrets: " + ", ".join(f"{number} {state}" for state, number in counts.items())]
    if burnt:
        out.append(f"{burnt} of them were exposed and should be rotated in the vault")
    for item in status.runs:
        if item.trouble:
            out.append(f"run {item.id}  {item.state}  {item.trouble}")
            continue
        out.append(f"run {item.id}  {item.state}  {item.secrets} secrets, {item.files} files  {item.vault_url}")
        if "unfinished" in item.state:
            verb = "undo" if item.state.startswith("undo") else "apply --resume"
            out.append(f"  go on with: secretscan {verb} {item.id} --root {args.root}")
    sys.stdout.write("\n".join(printable(line) for line in out) + "\n")
    if status.trouble:
        speaker.warn(status.trouble)
        return 3
    return 0
