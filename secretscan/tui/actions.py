"""Every action of the terminal application, in one table.

Footer, command palette, help screen and remapping are made from it. An action is called `scope.id`; its keys can be
changed in the user's configuration under that name. Keys are Textual's names, several separated by commas; the first
is the one that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding

__all__ = ["ACTIONS", "BY_NAME", "SCOPES", "Action", "bindings", "in_scope", "keys_table", "shown"]


@dataclass(frozen=True, slots=True)
class Action:
    """What a person can do, where (`scope`), and how it is named: `label` in the footer, `help` as a sentence."""

    scope: str
    id: str
    keys: str
    label: str
    help: str
    footer: bool = True

    @property
    def name(self) -> str:
        """The name for the configuration."""
        return f"{self.scope}.{self.id}"

    @property
    def method(self) -> str:
        """The action as the toolkit calls it."""
        return self.id.replace("-", "_")


SCOPES: Final = {
    "app": "Everywhere",
    "list": "In lists",
    "review": "Review",
    "mark": "Marking",
    "wizard": "Each step of a migration",
    "vault": "Vault",
    "targets": "References",
    "names": "Names",
    "preview": "Preview",
    "preflight": "Checks",
    "confirm": "Confirmation",
    "run": "A run",
    "result": "Result",
    "runs": "Runs",
    "prove": "Proof",
    "undo": "Undo",
    "signin": "Signing in",
    "value": "A revealed value",
    "dialog": "Dialogs",
}
"""The scopes and their titles, in the order of the help screen."""

ACTIONS: Final = (
    Action("app", "help", "question_mark,f1", "Help", "Show what can be done here, and with which keys"),
    Action("app", "palette", "ctrl+p", "Commands", "Search all commands of this screen by name"),
    Action("app", "theme", "ctrl+t", "Theme", "Change to the next colour theme"),
    Action("app", "interrupt", "ctrl+c", "Stop", "Stop after the step under way; a second time: end at once"),
    Action("app", "quit", "q,ctrl+q", "Quit", "End the application; choices and runs are kept"),
    Action("list", "cursor-up", "up,k", "Up", "One row up", footer=False),
    Action("list", "cursor-down", "down,j", "Down", "One row down", footer=False),
    Action("list", "page-up", "pageup,ctrl+u", "Page up", "One page up", footer=False),
    Action("list", "page-down", "pagedown,ctrl+d", "Page down", "One page down", footer=False),
    Action("list", "first", "home", "First", "To the first row", footer=False),
    Action("list", "last", "end", "Last", "To the last row", footer=False),
    Action("list", "choose", "enter", "Open", "Open or choose the row; a group unfolds, a place shows its lines"),
    Action("review", "select", "space", "Select", "Select the row, or all of its group, for marking and copying"),
    Action("review", "select-all", "a", "All", "Select all rows that the filter shows, or none"),
    Action(
        "review", "filter", "slash", "Filter", "Type a filter: words, kind:token, platform:aci, !weak, path:deploy/"
    ),
    Action("review", "facets", "f", "Facets", "Choose from counts of state, kind, strength, platform and more"),
    Action("review", "group", "g", "Group", "Group by secret, by file, or by platform"),
    Action("review", "sort", "s", "Sort", "Sort by place, strength, kind, name, or number of places"),
    Action("review", "jump", "colon", "Jump", "Jump to the next row that begins with what you type"),
    Action("review", "next-place", "n", "Next", "Show the next place of the secret in the detail"),
    Action("review", "previous-place", "N", "Prev", "Show the place before in the detail"),
    Action(
        "review", "mark", "m", "Mark", "Mark as false alarm, accepted or placeholder, so that it is no leak any more"
    ),
    Action("review", "unmark", "u", "Unmark", "Take back the latest marking"),
    Action("review", "migrate", "M", "Migrate", "Move what is found into a vault, step by step"),
    Action("review", "runs", "r", "Runs", "Show earlier runs: state, resume, undo"),
    Action("review", "rescan", "ctrl+r", "Scan", "Read the folder again"),
    Action("review", "skipped", "i", "Skipped", "List what could not be read"),
    Action(
        "review", "show-value", "v", "Reveal", "Show one value for ten seconds (only with --allow-reveal)", footer=False
    ),
    Action("review", "copy", "y", "Copy", "Copy ids, names, places or commands; never a value"),
    Action("review", "zoom", "z", "Zoom", "Give the detail all of the screen, and back"),
    Action("review", "clear", "escape", "Clear", "Clear the filter, the selection, or leave the detail"),
    Action("mark", "save", "ctrl+s", "Save", "Write the mark"),
    Action("wizard", "next", "ctrl+n", "Next", "Go on with the next step"),
    Action("wizard", "back", "escape", "Back", "To the step before; what was chosen stays"),
    Action("wizard", "leave", "ctrl+l", "Leave", "Back to the review; the migration is kept and can be gone on with"),
    Action("vault", "try", "ctrl+o", "Try it", "Use an embedded vault on this machine, which forgets all at the end"),
    Action("vault", "check", "ctrl+y", "Check", "Sign in now, and show whether the vault answers and as whom"),
    Action("vault", "fresh", "ctrl+r", "Afresh", "Forget what was chosen earlier, and begin anew", footer=False),
    Action("names", "edit", "enter", "Rename", "Give the secret another name in the vault"),
    Action("names", "leave-out", "space", "Leave out", "Take the secret out of this migration, or in again"),
    Action("preview", "refuse", "space", "Accept/refuse", "Refuse or accept the file or secret"),
    Action("preview", "by", "g", "By file/secret", "List files, or secrets"),
    Action("preview", "left", "i", "What stays", "List what stays as it is, with the reason"),
    Action("preview", "diff", "enter", "Diff", "Go into the diff and scroll; Tab goes back"),
    Action("preview", "copy", "y", "Copy", "Copy the path or name", footer=False),
    Action("preflight", "again", "ctrl+r", "Check again", "Run all checks again"),
    Action("confirm", "start", "ctrl+g", "Start", "Start the run"),
    Action("run", "cancel", "x", "Stop", "Stop between two steps; the run can be resumed"),
    Action("run", "resume", "ctrl+g", "Go on", "Go on where the run stopped"),
    Action("result", "copy", "y", "Copy", "Copy the command of the row"),
    Action("result", "copy-all", "Y", "Copy all", "Copy all commands"),
    Action("result", "left", "i", "What stays", "List what stays as it is, with the reason"),
    Action("result", "undo", "U", "Undo", "Take the run back, after a preview"),
    Action("result", "close", "escape,ctrl+n", "Done", "Back to the review"),
    Action("runs", "resume", "R", "Go on", "Go on with an interrupted run, or with its interrupted undo"),
    Action(
        "runs", "prove", "p", "Prove", "Prove a run again: the files as they are now against the files as they were"
    ),
    Action("runs", "undo", "U", "Undo", "Preview what undoing the run would restore"),
    Action("runs", "copy", "y", "Copy", "Copy the id, the vault, or the commands for the run"),
    Action("runs", "close", "escape", "Back", "Back to the review"),
    Action("prove", "cancel", "x", "Stop", "Stop looking; nothing is changed by that"),
    Action("prove", "again", "ctrl+r", "Again", "Prove once more"),
    Action("prove", "close", "escape", "Back", "Back to the list of runs"),
    Action("undo", "start", "ctrl+g", "Undo", "Give the files their original bytes"),
    Action("undo", "delete", "d", "Delete too", "Delete from the vault what the run stored there, or keep it"),
    Action("undo", "again", "ctrl+r", "Look again", "Look at the files again, and make the preview anew"),
    Action("undo", "cancel", "x", "Stop", "Stop between two files; the undo can be gone on with"),
    Action("undo", "close", "escape", "Back", "Back without a change"),
    Action("value", "show", "enter", "Show", "Write the journal, and show the value for ten seconds"),
    Action("value", "close", "escape,q", "Hide", "Hide the value now, or do not show it at all"),
    Action("signin", "go", "ctrl+g", "Sign in", "Sign in to the vault, and go on"),
    Action("dialog", "close", "escape", "Close", "Close without a change"),
)

BY_NAME: Final = {action.name: action for action in ACTIONS}


def in_scope(scope: str) -> Iterator[Action]:
    """The actions of a scope, in the order of the table."""
    return (action for action in ACTIONS if action.scope == scope)


def bindings(scope: str) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """The actions of a scope for a widget's or screen's `BINDINGS`."""
    return [
        Binding(
            action.keys,
            action.method,
            action.label,
            show=action.footer,
            tooltip=action.help,
            id=action.name,
            # To stop must be possible wherever the focus is.
            priority=action.id == "interrupt",
        )
        for action in in_scope(scope)
    ]


_KEYS: Final = {
    "question_mark": "?", "slash": "/", "colon": ":", "escape": "Esc", "enter": "Enter", "space": "Space", "up": "↑",
    "down": "↓", "left": "←", "right": "→", "pageup": "PgUp", "pagedown": "PgDn", "home": "Home", "end": "End",
    "tab": "Tab",
}  # fmt: skip


def shown(key: str) -> str:
    """A key as people write it: `^p`, `Esc`, `?`."""
    if key.startswith("ctrl+"):
        return f"^{key[5:]}"
    if key.startswith("shift+"):
        return f"Shift-{shown(key[6:])}"
    return _KEYS.get(key, key.upper() if len(key) > 1 and key[0] == "f" and key[1:].isdigit() else key)


def keys_table() -> str:
    """The table of docs/terminal.md: every action with its keys, and the name under which they can be changed."""
    lines: list[str] = []
    for scope, title in SCOPES.items():
        actions = list(in_scope(scope))
        if actions:
            lines += [f"**{title}**", "", "| keys | what | name |", "| --- | --- | --- |"]
            for action in actions:
                keys = " ".join(f"`{shown(key.strip())}`" for key in action.keys.split(","))
                lines.append(f"| {keys} | {action.help} | `{action.name}` |")
            lines.append("")
    return "\n".join(lines)
