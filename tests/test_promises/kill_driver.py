"""Runs one migration again and again, each time killed at another step, and goes on with it.

Started by `test_kill.py` as a process without threads, so that it can fork: each attempt is a child that kills itself
with SIGKILL before or after the n-th record of the journal. Each has a vault of its own. Prints one JSON object for
each attempt.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from secretscan import api
from secretscan.plan.choices import Choices
from secretscan.plan.document import Plan
from secretscan.run.journal import Entry, Journal
from secretscan.vault.auth import connect
from secretscan.vault.client import Vault

LIMIT = 400
VERSION = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


def main() -> None:
    work, descriptor, suffix, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]

    def vault(name: str) -> Vault:
        return connect(f"https://{name}{suffix}", "local", descriptor=descriptor)

    def attempt(name: str, kill_at: int, before: bool) -> dict[str, object]:
        root = work / name
        shutil.copytree(work / "original", root)
        with vault(name) as fresh:
            choices = Choices(pinned=mode == "apply-pinned")
            mine = api.plan([str(root)], f"https://{name}{suffix}", fresh, prefix="shop", choices=choices).plan
        if mode == "undo":
            assert forked(lambda: applied(mine, vault(name))) == 0
        step = (lambda: undone(root, vault(name))) if mode == "undo" else (lambda: applied(mine, vault(name)))
        status = forked(step, kill_at, before)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        again = forked(step)
        with vault(name) as held:
            contents = {
                each: [len(held.versions(each)), sha256(held.read(mine.reference(secret)).reveal()).hexdigest()]
                for each in held.names()
                for secret in mine.secrets
                if secret.name == each
            }
            extra = sorted(set(held.names()) - set(contents))
            stored = {each.reference.version.encode() for one in held.names() for each in held.versions(one)}
        found = {
            path.relative_to(root).as_posix(): sha256(_alike(path.read_bytes(), name, stored)).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file() and ".secretscan" not in path.parts
        }
        shutil.rmtree(root)
        return {
            "secrets": len(mine.secrets),
            "edited": len(mine.files),
            "killed": killed,
            "exit": again,
            "vault": contents,
            "extra": extra,
            "files": found,
        }

    print(json.dumps(attempt("undisturbed", LIMIT, True)), flush=True)
    for at in range(LIMIT):
        results = [attempt(f"kill-{at}-{moment}", at, moment == "before") for moment in ("before", "after")]
        if not any(result["killed"] for result in results):
            return
        for result in results:
            print(json.dumps(result), flush=True)


def _alike(data: bytes, vault: str, versions: set[bytes]) -> bytes:
    """A file without what differs from attempt to attempt: the vault, and the versions that it made."""
    data = VERSION.sub(lambda found: b"VERSION" if found.group() in versions else found.group(), data)
    return data.replace(vault.encode(), b"VAULT")


def applied(plan: Plan, vault: Vault) -> bool:
    with vault:
        return api.apply(plan, vault).proof.holds


def undone(root: Path, vault: Vault) -> bool:
    with vault:
        return not api.undo(root, api.status(root).runs[0].id, vault).kept


def forked(step: Callable[[], bool], kill_at: int = LIMIT, before: bool = True) -> int:
    """Does the step in a child, which is killed at that record of the journal; its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    count = 0
    append = Journal.append

    def fatal(self: Journal, entry: Entry) -> None:
        nonlocal count
        if count == kill_at and before:
            os.kill(os.getpid(), signal.SIGKILL)
        append(self, entry)
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    Journal.append = fatal  # type: ignore[method-assign]
    try:
        os._exit(0 if step() else 9)
    except BaseException as error:  # noqa: BLE001 - a child must never return into the loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(8)


if __name__ == "__main__":
    main()
