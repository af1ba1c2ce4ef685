"""The step that reads secrets from the vault into a job: its text, and what a text of ours reads.

Sources: GitHub documentation, "Workflow commands" (masking, `GITHUB_ENV` and `GITHUB_OUTPUT` with values of several
lines); actions/runner, `ActionCommand.cs` (how a command's value is escaped); Azure CLI, `az keyvault secret show`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rewriters._api import Reference

__all__ = ["Fetched", "fetched", "line", "script"]

_MARK = "# secretscan: fetch step 1"
_LINE = re.compile(
    r"fetch +\"\$GITHUB_(?P<kind>ENV|OUTPUT)\" +(?P<name>[\w-]+) +(?P<vault>https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?)/secrets/"
    r"(?P<secret>[0-9A-Za-z-]{1,127})(?:/(?P<version>[0-9A-Za-z]{1,64}))?[ \t]*\Z"
)

_TEXT = """{mark}
fetch() {{
  value="$(az keyvault secret show --id "$3" --query value --output tsv </dev/null && printf .)"
  value="${{value%.}}"
  if [ "$RUNNER_OS" = Windows ]; then value="${{value//$'\\r'/}}"; fi
  value="${{value%$'\\n'}}"
  while IFS= read -r line; do
    if [ -n "$line" ]; then printf '::add-mask::%s\\n' "${{line//'%'/%25}}"; fi
  done <<< "$value"
  end="EOF-$RANDOM-$RANDOM-$RANDOM"
  printf '%s<<%s\\n%s\\n%s\\n' "$2" "$end" "$value" "$end" >> "$1"
}}
"""

Kind = Literal["ENV", "OUTPUT"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A variable of the steps after it (`ENV`), or an output of the step."""

    kind: Kind
    name: str
    reference: Reference


def script(wanted: list[Fetched]) -> list[str]:
    """The lines of the step's script."""
    return [*_TEXT.format(mark=_MARK).splitlines(), *map(line, wanted)]


def line(item: Fetched) -> str:
    reference = item.reference
    version = f"/{reference.version}" if reference.version else ""
    return (
        f'fetch "$GITHUB_{item.kind}" {item.name} {reference.vault_url.rstrip("/")}/secrets/{reference.name}{version}'
    )


def fetched(text: str) -> Iterator[Fetched]:
    """What a script of ours reads; nothing for any other script."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != _MARK:
        return
    for one in lines:
        match = _LINE.match(one.strip())
        if match is not None:
            kind: Kind = "ENV" if match["kind"] == "ENV" else "OUTPUT"
            yield Fetched(kind, match["name"], Reference(match["vault"], match["secret"], match["version"] or ""))
