"""`secretscan vault serve`: the embedded Key Vault-compatible server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker

EXAMPLES = """\
Listens on loopback only, keeps everything in memory, and ends with Ctrl-C. The descriptor tells other commands where it
is (--local FILE) and holds its token, so it is readable by you alone.

examples:
  secretscan vault serve --name shop --descriptor vault.json
  secretscan migrate deploy --vault https://shop.vault.azure.net --local vault.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("serve",), help="serve: run the server in the foreground")
    parser.add_argument(
        "--name", action="append", metavar="NAME", help="a vault to serve; may be repeated (default: local)"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of the first vault on localhost (default: a free one)"
    )
    parser.add_argument("--descriptor", default="secretscan-vault.json", metavar="FILE", help="(default: %(default)s)")


def run(args: argparse.Namespace, speaker: Speaker) -> int:
    from secretscan.errors import ConfigurationError, UsageError
    from secretscan.vault.server import serve

    try:
        serve(args.descriptor, say=speaker.say, names=tuple(args.name or ("local",)), port=args.port)
    except ValueError as error:
        raise UsageError("no vault can have this name", why=str(error)) from None
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise ConfigurationError("cannot start the embedded vault", where=args.descriptor, why=why or "") from None
    return 0
