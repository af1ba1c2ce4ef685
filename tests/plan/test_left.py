"""What a plan says of places that stay is true of them."""

from __future__ import annotations

from pathlib import Path

import pytest

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
