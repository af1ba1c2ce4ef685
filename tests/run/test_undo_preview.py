"""The preview of an undo says exactly what undo then does, and shows no value."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from secretscan import api
from secretscan.errors import Cancelled, JournalBroken, SecretscanError, UsageError
from secretscan.events import Cancellation, Event, StepDone
from secretscan.run.preview import UndoPreview

K8S = "k8s/database.yaml"
MADE = "k8s/secret-store.yaml"


def everything(root: Path) -> dict[str, bytes]:
    """All files, also those of `.secretscan`."""
    return {
        str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()
    }


def standing(path: Path) -> object:
    """What stands there: the bytes of a file, or what else it is."""
    return path.read_bytes() if path.is_file() else os.path.lexists(path) and path.lstat().st_mode


def spellings(value: str) -> set[str]:
    raw = value.encode()
    coded = base64.b64encode(raw).rstrip(b"=").decode()
    return {value, coded[: len(raw) * 8 // 6], quote(value, safe=""), json.dumps(value)[1:-1]}


def changed(diff: str, sign: str) -> list[str]:
    return sorted(line[1:] for line in diff.splitlines() if line.startswith(sign))


def check(root: Path, run: str, local: Any) -> UndoPreview:
    """Previews, undoes, and compares."""
    before = everything(root)
    said = api.preview_undo(root, run)
    assert everything(root) == before
    stood = {file.path: standing(root / file.path) for file in said.files}
    named = set(local.vault.names())
    undone = api.undo(root, run, local.vault, delete_from_vault=True)
    by_state: dict[str, set[str]] = {}
    for file in said.files:
        by_state.setdefault(file.state, set()).add(file.path)
        assert bool(file.diff) == (file.state == "restores")
        assert (standing(root / file.path) == stood[file.path]) == (file.state != "restores")
    assert by_state.get("restores", set()) | by_state.get("is the original", set()) == set(undone.restored)
    assert by_state.get("gone", set()) | by_state.get("changed since", set()) == {
        item.path for item in undone.kept if item.path in {file.path for file in said.files}
    }
    assert said.run == undone.run
    assert said.removes == undone.removed
    assert said.keeps == undone.kept
    assert said.secrets == undone.deleted
    assert named - set(local.vault.names()) == set(said.secrets)
    return said


def applied(root: Path, local: Any) -> str:
    return api.apply(api.plan([str(root)], local.url, local.vault).plan, local.vault).run


def test_the_shop(shop: Path, local: Any) -> None:
    draft = api.plan([str(shop)], local.url, local.vault)
    values = {item.secret: item.finding.value for item in api.scan([str(shop)], record=False).found}
    run = api.apply(draft.plan, local.vault).run
    said = check(shop, run, local)
    assert {file.state for file in said.files} == {"restores"}
    assert len(said.secrets) == len(draft.plan.secrets)
    planned = {diff.path: diff.text for diff in draft.diffs}
    for file in said.files:  # what the plan showed to come goes, and what it showed to go comes back
        assert changed(file.diff, "+") == changed(planned[file.path], "-")
        assert changed(file.diff, "-") == changed(planned[file.path], "+")
        assert "***" in file.diff
    assert values
    for value in values.values():
        for spelling in spellings(value.reveal().decode()):
            assert spelling not in repr(said)


def edited(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"# mine\n")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.rename(path.with_name("moved.yaml"))
    path.symlink_to("moved.yaml")


def linked_folder(path: Path) -> None:
    outside = path.parents[2] / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def too_large(path: Path) -> None:
    os.truncate(path, 65 * 1024 * 1024)


SPOIL = [Path.unlink, edited, emptied, pipe, link, linked_folder, folder_instead, too_large]


@pytest.mark.parametrize("path", [K8S, MADE])
@pytest.mark.parametrize("spoil", SPOIL)
def test_a_file_that_is_not_what_the_run_made_of_it(
    spoil: Callable[[Path], None], path: str, shop: Path, local: Any
) -> None:
    run = applied(shop, local)
    spoil(shop / path)
    said = check(shop, run, local)
    if (path, spoil) == (MADE, Path.unlink):
        assert not said.keeps
        assert path not in said.removes
        return
    assert path in {item.path for item in said.keeps}
    assert all(item.reason for item in said.keeps)
    assert said.secrets == ()
    state = {file.path: file.state for file in said.files}.get(path, "changed since")
    assert state == ("gone" if spoil is Path.unlink else "changed since")
    assert [run.state for run in api.status(shop).runs] == ["undo unfinished"]


def test_files_that_are_the_originals_already(shop: Path, local: Any) -> None:
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    run = applied(shop, local)
    (shop / K8S).write_bytes(before[shop / K8S])
    said = check(shop, run, local)
    assert [file.path for file in said.files if file.state == "is the original"] == [K8S]
    said = check(shop, run, local)
    assert {file.state for file in said.files} == {"is the original"}
    assert said.secrets == ()


@pytest.mark.parametrize("moment", ["stored", "created", "rewritten"])
def test_a_run_that_is_not_finished(moment: str, shop: Path, local: Any) -> None:
    cancellation = Cancellation()

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.what == moment:
            cancellation.cancel()

    plan = api.plan([str(shop)], local.url, local.vault).plan
    with pytest.raises(Cancelled):
        api.apply(plan, local.vault, listener=stop, cancellation=cancellation)
    (run,) = api.run_history(shop)
    said = check(shop, run.id, local)
    assert len(said.secrets) == (1 if moment == "stored" else len(plan.secrets))
    assert sum(file.state == "restores" for file in said.files) == (moment == "rewritten")


def test_what_another_run_needs_stays_in_the_vault(shop: Path, local: Any) -> None:
    shutil.move(shop / "k8s", shop.parent / "k8s")
    first = applied(shop, local)
    shutil.move(shop.parent / "k8s", shop / "late")
    second = applied(shop, local)
    shared = {secret.name for secret in api.find_run(shop, second).plan.secrets}
    said = check(shop, first, local)
    assert said.secrets
    assert shared & {secret.name for secret in api.find_run(shop, first).plan.secrets}
    assert shared.isdisjoint(said.secrets)


def test_a_run_whose_journal_is_damaged_may_need_its_secrets(shop: Path, local: Any) -> None:
    shutil.move(shop / "k8s", shop.parent / "k8s")
    first = applied(shop, local)
    shutil.move(shop.parent / "k8s", shop / "late")
    second = api.find_run(shop, applied(shop, local))
    second.journal.write_text("{}\n")
    said = check(shop, first, local)
    assert {secret.name for secret in second.plan.secrets}.isdisjoint(said.secrets)


def test_the_journal_is_needed(shop: Path, local: Any) -> None:
    run = api.find_run(shop, applied(shop, local))
    run.journal.write_text("{}\n")
    with pytest.raises(JournalBroken):
        api.preview_undo(shop, run.id)


def test_a_run_of_somebody_else_is_refused(shop: Path, local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = applied(shop, local)
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(shop.parent / "other"))
    for use in (api.preview_undo, api.run_details):
        with pytest.raises(UsageError, match="another key"):
            use(shop, run)


def test_stops_when_asked(shop: Path, local: Any) -> None:
    run = applied(shop, local)
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        api.preview_undo(shop, run, cancellation=cancellation)


def new_value() -> str:
    return "Vq/" + secrets.token_urlsafe(15) + "+7"


def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> Path:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "tree"
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def shown(root: Path, local: Any, *values: str) -> dict[str, str]:
    """The diffs by path; none shows one of the values, in any spelling."""
    run = applied(root, local)
    said = check(root, run, local)
    diffs = {file.path: file.diff for file in said.files}
    for value in values:
        for spelling in spellings(value):
            assert not any(spelling in diff for diff in diffs.values())
    return diffs


@pytest.mark.parametrize("above", range(3))
def test_a_copy_in_a_comment_is_masked(above: int, tmp_path: Path, local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the plan knows of it: nothing finds it, and the vault, which has the value, is not asked."""
    value = new_value()
    coded = base64.b64encode(value.encode()).decode()
    copies = f"# was {value}\n# or {coded}\n# or {quote(value, safe='')}\n"
    lines = ["# first\n", copies, f"DB_PASSWORD={value}\n", "# last\n"]
    lines.insert(above, lines.pop(1))
    root = tree(tmp_path, monkeypatch, {".env": "".join(lines)})
    assert len(api.plan([str(root)], local.url, local.vault).plan.left) == 3
    diff = shown(root, local, value)[".env"]
    assert changed(diff, "+") == ["DB_PASSWORD=***"]
    assert " # last\n" in diff or above == 2
    assert "# was" not in diff


def test_a_copy_behind_a_value_of_many_lines_is_masked(
    tmp_path: Path, local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan counts the lines of the original; the preview knows none of the value's."""
    value = new_value()
    body = "".join(f"        {secrets.token_urlsafe(40)}\n" for _ in range(7))
    root = tree(
        tmp_path,
        monkeypatch,
        {
            "compose.yaml": "services:\n  db:\n    image: alpine\n    environment:\n      DB_PASSWORD: |\n"
            f"{body}      API_TOKEN: {value}\n      # was {value}\n      OTHER: fine\n"
        },
    )
    plan = api.plan([str(root)], local.url, local.vault).plan
    assert len(plan.moves) == 2
    assert [left.line for left in plan.left] == [14]
    diff = shown(root, local, value, *body.split())["compose.yaml"]
    assert "# was" not in diff
    assert "      OTHER: fine" in diff


def test_a_part_of_a_text_that_moved_is_masked(tmp_path: Path, local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    value = secrets.token_hex(12)
    root = tree(
        tmp_path, monkeypatch, {".env": f"# it was {value} once\nBROKER=amqp://shop:{value}@broker:5672/\nA=b\n"}
    )
    plan = api.plan([str(root)], local.url, local.vault).plan
    assert plan.secrets[0].whole_text
    assert "it was" not in shown(root, local, value)[".env"]


def test_values_that_stay_are_masked(tmp_path: Path, local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the value that moved, weak ones, too; and in a comment, where nothing finds it, one of another file."""
    moved, stays = new_value(), "Kq" + secrets.token_urlsafe(18)
    root = tree(
        tmp_path,
        monkeypatch,
        {
            ".env": f"# {stays}\nOTHER_PASSWORD={moved}\nDB_PASSWORD=changeme\n",
            "settings.py": f'DB_PASSWORD = "{stays}"\n',
        },
    )
    plan = api.plan([str(root)], local.url, local.vault).plan
    assert {(left.path, left.strength) for left in plan.left} == {(".env", "placeholder"), ("settings.py", "strong")}
    diff = shown(root, local, moved, stays, "changeme")[".env"]
    assert " # ***\n" in diff
    assert " DB_PASSWORD=***\n" in diff


def test_control_characters_are_escaped(tmp_path: Path, local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, monkeypatch, {".env": f"# \x1b[2J\u202e\nDB_PASSWORD={new_value()}\n"})
    diff = shown(root, local)[".env"]
    assert "\\x1b[2J\\u202e" in diff
    assert all(line.isprintable() for line in diff.split("\n"))


def test_the_vault_can_still_say_no(shop: Path, local: Any) -> None:
    """What only the vault knows is not in the preview: a value that is gone from it keeps its files."""
    run = applied(shop, local)
    said = api.preview_undo(shop, run)
    name = said.secrets[0]
    local.vault.delete(local.vault.versions(name)[0].reference)
    assert api.preview_undo(shop, run) == said
    try:
        assert api.undo(shop, run, local.vault).kept
    except SecretscanError as error:
        pytest.fail(str(error))
