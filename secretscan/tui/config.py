"""What a user has set for the terminal application: keys and theme, from a file of their own, never from a tree.

    [review]
    theme = "ansi-dark"

    [review.keys]
    "review.filter" = "slash,ctrl+f"

The file is `secretscan/config.toml` in the user's configuration folder (XDG Base Directory specification), or what
`SECRETSCAN_CONFIG` names. What is wrong in it is said and left out; the application starts all the same.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from textual.theme import BUILTIN_THEMES

from secretscan.errors import printable
from secretscan.tui.actions import ACTIONS

__all__ = ["Config", "config_file", "read_config"]

_MOST_BYTES = 1 << 20
_HELD = frozenset(("ctrl", "shift", "alt", "super", "meta", "hyper"))


@dataclass(frozen=True, slots=True)
class Config:
    """Keys by the action's name, the theme, and what in the file could not be heeded."""

    keys: tuple[tuple[str, str], ...] = ()
    theme: str = ""
    notes: tuple[str, ...] = ()


def config_file() -> Path | None:
    """Where the file would be; nothing when the user has no home."""
    named = os.environ.get("SECRETSCAN_CONFIG")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if Path(base).is_absolute() else Path("~/.config").expanduser()
    return folder / "secretscan" / "config.toml" if folder.is_absolute() else None


def read_config() -> Config:
    """The user's settings; never raises."""
    file = config_file()
    try:
        if file is None or not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return Config()
        body = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not TOML"
        return Config(notes=(f"{file}: not heeded: {why}",))
    review = body.get("review", {})
    if not isinstance(review, dict):
        return Config(notes=(f"{file}: review is not a table",))
    notes = [f"{file}: review.{key} is not known" for key in review if key not in ("theme", "keys")]
    theme = review.get("theme", "")
    if theme and (not isinstance(theme, str) or theme not in BUILTIN_THEMES):
        notes.append(f"{file}: there is no theme {printable(str(theme), 40)}; there are {', '.join(BUILTIN_THEMES)}")
        theme = ""
    keys: dict[str, str] = {}
    names = [action.name for action in ACTIONS]
    wanted = review.get("keys", {})
    for name, value in (wanted if isinstance(wanted, dict) else {}).items():
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            hint = f"; did you mean {near[0]}" if near else ""
            notes.append(f"{file}: there is no action {printable(str(name), 40)}{hint}")
        elif not isinstance(value, str):
            notes.append(f"{file}: the keys of {name} are not a text")
        elif odd := [part for part in map(str.strip, value.split(",")) if not _is_key(part)]:
            notes.append(f"{file}: {name}: no key is called {printable(odd[0], 40)!r}; some are f2, slash, ctrl+f")
        else:
            keys[name] = value
    return Config(tuple(keys.items()), theme, tuple(notes))


def _is_key(text: str) -> bool:
    """Whether a text looks like a key's name. Another one is never pressed, and does not belong into a footer."""
    *held, last = text.split("+")
    return _HELD.issuperset(held) and last.isascii() and last.replace("_", "").isalnum()
