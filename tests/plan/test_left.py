"""What a plan says of places that stay is true of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import rewriters
from secretscan import api


def test_a_variable_made_for_a_command_is_not_said_to_be_set_by_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "shop"
    root.mkdir()
    text = 'FROM alpine:3\nHEALTHCHECK CMD curl -H "X-Token: m7Q4kz0aVq9LdP2x" http://localhost/\n'
    (root / "Dockerfile").write_text(text)
    plan = api.plan([str(root)], "https://shop.vault.azure.net", None, listener=lambda event: None).plan
    (left,) = plan.left
    assert "the image sets" not in left.reason
    assert "would need SHOP_X_TOKEN" in left.reason
    assert "Compose service" in left.alternative


def test_a_name_is_free_again_when_its_secret_moves_with_the_text_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "shop"
    root.mkdir()
    (root / ".env").write_text("BROKER=amqp://shop:m7Q4kz0aVq9LdP2x@broker:5672/\n")
    plan = api.plan([str(root)], "https://shop.vault.azure.net", None, listener=lambda event: None).plan
    assert [(secret.name, secret.whole_text) for secret in plan.secrets] == [("shop-broker", True)]


def test_one_file_that_fails_its_check_does_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries of one file that come out different leave that file as it is, with the reason."""
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "app"
    root.mkdir()
    for name in ("odd", "good"):
        (root / name).mkdir()
        text = f"services:\n  db:\n    image: alpine\n    environment:\n      DB_PASSWORD: w7KqLz29TmXc-{name}4\n"
        (root / name / "compose.yaml").write_text(text)
    compose = rewriters.by_name("compose")
    honest = compose.effective

    def wrong(files: rewriters.Files, lookup: rewriters.Lookup) -> tuple[rewriters.Delivery, ...]:
        changed = b"${" in files["odd/compose.yaml"]
        found = honest(files, lookup)
        if not changed:
            return found
        return tuple(item for item in found if item.address.path != "odd/compose.yaml")

    monkeypatch.setattr(compose, "effective", wrong)
    plan = api.plan([str(root)], "https://shop.vault.azure.net", None).plan
    assert [move.path for move in plan.moves] == ["good/compose.yaml"]
    assert [left.path for left in plan.left] == ["odd/compose.yaml"]
    assert "check" in plan.left[0].reason
