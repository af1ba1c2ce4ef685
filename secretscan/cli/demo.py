"""`secretscan demo`: a sample shop through the whole loop, against the embedded vault."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from secretscan.cli.options import cancellable

if TYPE_CHECKING:
    from secretscan import api
    from secretscan.cli.stderr import Speaker
    from secretscan.events import Cancellation
    from secretscan.plan.build import Draft

EXAMPLES = """\
Needs no account and no network: the vault is a server of secretscan's own on loopback, with a throw-away certificate
authority. Works on a copy in a temporary folder, which is removed afterwards unless --keep is given.
exit status: 0 only if the proof holds

examples:
  secretscan demo
  secretscan demo --keep
  secretscan demo --review          the same shop in the terminal application: migrate it yourself
"""

VAULT = "shop-demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--review", action="store_true", help="open the shop in the terminal application instead")
    parser.add_argument("--keep", action="store_true", help="keep the folder, and say where it is")


def sample() -> Path:
    """The shop's files: beside the package in an installed wheel, in `fixtures/` in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for place in (package / "_shop", package.parent / "fixtures" / "shop"):
        if place.is_dir():
            return place
    from secretscan.errors import ConfigurationError

    raise ConfigurationError(
        "the sample shop is not installed", where=str(package), next_step="install secretscan again"
    )


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    holder = Path(tempfile.mkdtemp(prefix="secretscan-demo-"))
    # The demo's key is its own: it must neither make nor need the user's.
    before = os.environ.get("SECRETSCAN_STATE_DIR")
    os.environ["SECRETSCAN_STATE_DIR"] = str(holder / "state")
    try:
        root = holder / "shop"
        shutil.copytree(sample(), root)
        if args.review:
            return _review(root, speaker)
        with cancellable(speaker) as cancellation:
            return _loop(root, speaker, cancellation)
    finally:
        if before is None:
            del os.environ["SECRETSCAN_STATE_DIR"]
        else:
            os.environ["SECRETSCAN_STATE_DIR"] = before
        if args.keep:
            speaker.say(f"kept: {holder}")
        else:
            shutil.rmtree(holder, ignore_errors=True)


def _loop(root: Path, speaker: Speaker, cancellation: Cancellation) -> int:
    from secretscan import api
    from secretscan.vault.server import EmbeddedVault

    before = {path: path.read_bytes() for path in _files(root)}
    _tell(f"secretscan demo: {len(before)} files of a made-up shop, and a vault on this machine only\n")
    scan = api.scan([str(root)], cancellation=cancellation)
    _tell_scan(scan)
    with EmbeddedVault((VAULT,)) as server:
        url = server.azure_url(VAULT)
        with server.client(VAULT, cancellation=cancellation) as vault:
            draft = api.plan([str(root)], url, vault, cancellation=cancellation)
            _tell_plan(draft)
            done = api.apply(draft.plan, vault, cancellation=cancellation)
            again = api.scan([str(root)], record=False, cancellation=cancellation)
            proof = done.proof
            _tell(f"4 apply   {done.stored} values stored and read back, then {len(done.rewritten)} files rewritten")
            _tell(
                f"5 prove   {proof.deliveries} deliveries compared with the vault's values:"
                f" {'all the same' if not proof.differences else f'{len(proof.differences)} differ'};"
                f"\n          a new scan finds {len(again.found)} of {len(scan.found)} credentials"
            )
            undone = api.undo(root, done.run, vault, cancellation=cancellation)
            same = all(path.read_bytes() == data for path, data in before.items()) and not undone.kept
            verdict = "byte for byte" if same else "NOT"
            _tell(f"6 undo    {len(undone.restored)} files rendered from the vault, {verdict} the originals")
    held = proof.holds and same and not again.found and again.outcome == 0
    _tell(
        "\nthe proof holds: the same values arrive, and no plaintext is left" if held else "\nTHE PROOF DOES NOT HOLD"
    )
    sys.stdout.flush()
    for difference in proof.differences:
        speaker.warn(f"{difference.address.subject} {difference.address.name}: {difference.problem}")
    for found in again.found:
        speaker.warn(f"still found: {found.finding.location.path} {found.finding.location.pointer}")
    return 0 if held else 3


def _review(root: Path, speaker: Speaker) -> int:
    """The terminal application on the shop, with an embedded vault at hand."""
    from secretscan.cli.review import open_terminal
    from secretscan.tui.app import Options
    from secretscan.tui.config import read_config

    return open_terminal(Options(targets=(str(root),), demo=True, config=read_config()), speaker)


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def _tell_scan(scan: api.Scan) -> None:
    _tell(f"1 scan    {len(scan.found)} credentials, {scan.secrets} distinct values:")
    for secret in dict.fromkeys(item.secret for item in scan.found):
        places = [item.finding for item in scan.found if item.secret == secret]
        shown = ", ".join(
            f"{place.location.path}:{place.location.line}" + "".join(f" ({how})" for how in place.encoding)
            for place in places
        )
        kinds = [place.kind for place in places]
        kind = max(kinds, key=kinds.count)
        _tell(f"          {places[0].strength:6} {kind:17} {shown}")


def _tell_plan(draft: Draft) -> None:
    plan = draft.plan
    _tell(f"2 plan    {len(plan.moves)} places become references to {plan.vault_url}:")
    for secret in plan.secrets:
        whole = "  (the whole text)" if secret.whole_text else ""
        _tell(f"          {secret.name}{whole}")
    for left in plan.left:
        _tell(f"          stays: {left.path}:{left.line}: {left.reason}")
    _tell("3 preview of one of the files, values masked:")
    diff = next((diff for diff in draft.diffs if diff.path == ".env"), None)
    for line in (diff.text.splitlines() if diff else [])[1:]:
        _tell(f"          {line}")
    for made in plan.companions:
        _tell(f"          + {made.path}")
