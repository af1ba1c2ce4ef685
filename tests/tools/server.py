"""Servers that tests start: they end with the test, and with the process that ran it, however that ends."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


class Server:
    """A running program, and what it printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def said(self) -> str:
        """The end of its log, for the message of a failure."""
        return self._log.read_text(errors="replace")[-3000:]


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Server]:
    """Run a program until the end of the block. Nothing of it is kept, so it need not take its leave."""
    # The kernel kills it when this process is gone, killed ones too; setpriv is part of util-linux.
    words = ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
    with log.open("wb") as output:
        process = subprocess.Popen(words, env=env, stdout=output, stderr=output, cwd=cwd)
        try:
            yield Server(process, log)
        finally:
            process.kill()
            process.wait()
