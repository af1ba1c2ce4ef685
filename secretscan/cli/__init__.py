"""The command line: picks the command, runs it, and turns what happens into messages and an exit status.

Exit status: 0 clean or done; 1 leaks; 2 wrong usage or configuration; 3 incomplete. Each command is a module with
`add_arguments` and `run`; only the chosen one is imported, and its work only inside `run`.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from secretscan.cli.stderr import Speaker

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "scan": "find credentials in files and folders",
    "review": "look through findings and migrate them, in the terminal",
    "plan": "make a value-free plan of what would move, and preview it",
    "apply": "carry out a plan, or go on with an interrupted run",
    "migrate": "plan, confirm and apply in one go",
    "undo": "give the files of a run their original bytes",
    "prove": "prove a finished run again",
    "status": "show secrets, places and runs of a folder",
    "inventory": "list every known secret and where it stands",
    "vault": "serve an embedded Key Vault-compatible server on loopback",
    "demo": "take a sample shop through the whole loop, no account needed",
}

_EPILOG = """\
exit status: 0 clean or done, 1 leaks, 2 wrong usage or configuration, 3 incomplete

examples:
  secretscan scan                                        what is in this folder
  secretscan scan deploy --format jsonl > findings.jsonl
  secretscan migrate deploy --vault https://NAME.vault.azure.net --auth cli
  secretscan demo                                        see it work, without an account
"""


class Command(Protocol):
    """A module of this folder."""

    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, args: argparse.Namespace, speaker: Speaker) -> int: ...


def _command(name: str) -> Command:
    return cast(Command, import_module(f"{__name__}.{name}"))


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """All commands by name; the options of the one that is asked for."""
    parser = argparse.ArgumentParser(
        prog="secretscan",
        description="Finds credentials in container manifests and moves them into Azure Key Vault, with proof.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    asked = next((word for word in argv if not word.startswith("-")), "")
    for name, text in COMMANDS.items():
        if asked != name:
            commands.add_parser(name, help=text, add_help=False)
            continue
        command = _command(name)
        sub = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(sub)
        sub.add_argument(
            "-q", "--quiet", action="store_true", help="no progress and no summary, only results and errors"
        )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    _no_core_dump()
    _open_streams()
    try:
        args = _parser(words).parse_args(words)
    except SystemExit as asked:
        return asked.code if isinstance(asked.code, int) else 2
    if args.version:
        from secretscan.version import VERSION

        print(f"secretscan {VERSION}")  # noqa: T201 - the result
        return 0
    if not args.command:
        _parser([]).print_help()
        return 2
    return _guarded(args)


def _guarded(args: argparse.Namespace) -> int:
    from secretscan.cli.stderr import Speaker
    from secretscan.errors import SecretscanError, unforeseen

    speaker = Speaker(quiet=args.quiet)
    try:
        status = _command(args.command).run(args, speaker)
        sys.stdout.flush()
    except SecretscanError as error:
        speaker.error(error)
        return error.exit_status
    except KeyboardInterrupt:
        speaker.warn("stopped at once; a run that was under way can be resumed")
        return 130
    except BrokenPipeError:
        _drop_output()  # whoever read it has gone
        return 3
    except OSError as error:
        _drop_output()
        speaker.error(unforeseen(error))
        return 3
    except Exception as error:  # noqa: BLE001 - the last resort: a traceback would print what the exception quotes
        speaker.error(unforeseen(error))
        return 3
    finally:
        speaker.clear()
    return status


def _open_streams() -> None:
    """A stream that was closed by whoever started us is nobody's, but must not change what happens; and text that its
    character set cannot hold is written as escapes."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """What is still to be written to standard output goes nowhere, at exit either."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _no_core_dump() -> None:
    """A crash of the interpreter must not write memory, which holds values, to disk."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, ValueError, OSError):  # not on this platform, or not allowed to
        pass
