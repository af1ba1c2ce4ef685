"""What a plan says of credentials in files that manifests take in whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewriters import Settings
from secretscan.detect.survey import common_root, survey
from secretscan.events import Cancellation, silent
from secretscan.inventory.ids import Ids
from secretscan.plan.build import build

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
KEY = f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----\n"


def left(root: Path, files: dict[str, str]) -> dict[str, tuple[str, str]]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    read = survey(common_root((str(root),)))
    draft = build(
        read, None, "https://shop.vault.azure.net", Settings(), Ids(b"k" * 32), silent, Cancellation(), root=str(root)
    )
    return {item.path: (item.reason, item.alternative) for item in draft.plan.left}


@pytest.mark.parametrize(
    ("path", "line"),
    [("api/id_rsa", "COPY id_rsa /k"), ("tls/a.pem", "COPY tls/*.pem /k/"), ("api/.ssh/key", "ADD .ssh /root/.ssh")],
)
def test_a_key_that_a_dockerfile_copies_has_the_mount_as_its_alternative(tmp_path: Path, path: str, line: str) -> None:
    reason, alternative = left(tmp_path, {path: KEY, "api/Dockerfile": f"FROM alpine\n{line}\n"})[path]
    assert reason.startswith("api/Dockerfile takes this file in: ")
    assert "--mount=type=secret" in alternative


def test_a_key_that_a_generator_packs_has_an_external_secret_as_its_alternative(tmp_path: Path) -> None:
    files = {"k/tls.key": KEY, "k/kustomization.yaml": "secretGenerator:\n- name: tls\n  files: [server.key=tls.key]\n"}
    reason, alternative = left(tmp_path, files)["k/tls.key"]
    assert "k/kustomization.yaml takes this file in" in reason
    assert "ExternalSecret" in alternative


def test_other_files_keep_their_reason(tmp_path: Path) -> None:
    files = {"a/id_rsa": KEY, "b/Dockerfile": "FROM alpine\nCOPY id_rsa /k\n"}
    assert "no supported platform" in left(tmp_path, files)["a/id_rsa"][0]
