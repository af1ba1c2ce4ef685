"""`serve` as its own process, stopped by signals, and within this one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from azure.keyvault.secrets import SecretClient

from secretscan.vault.server import DescriptorTakenError, serve
from secretscan.vault.server.credential import LocalCredential

SCRIPT = """
import sys
from secretscan.vault.server import serve
serve(sys.argv[1], names=("shop", "other"), say=lambda line: print(line, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_server_of_its_own_until_a_signal(tmp_path: Path, ending: signal.Signals) -> None:
    path = tmp_path / "vault.json"
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("vault shop: https://localhost:")
            told = json.loads(path.read_text())
            assert path.stat().st_mode & 0o777 == 0o600
            assert told["pid"] == process.pid
            with SecretClient(
                told["azure_url"],
                LocalCredential(told["token"]),
                proxies={"https": told["proxy"]},
                connection_verify=told["ca_file"],
            ) as sdk:
                assert sdk.set_secret("a", "made-up-value").value == "made-up-value"
            with pytest.raises(DescriptorTakenError, match=f"process {process.pid} wrote this descriptor"):
                serve(str(path), say=pytest.fail)
            process.send_signal(ending)
            out, err = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 0
    assert err == ""
    assert out.splitlines()[-1] == "ended"
    assert told["token"] not in out
    assert "made-up-value" not in out
    assert list(tmp_path.iterdir()) == []


def test_a_killed_servers_descriptor_is_replaced(tmp_path: Path) -> None:
    path, stop, said = tmp_path / "vault.json", threading.Event(), list[str]()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    path.write_text(json.dumps({"pid": os.getpid(), "proxy": f"http://127.0.0.1:{port}"}))
    path.with_name("vault.json.ca.pem").write_text("old")

    def say(line: str) -> None:
        said.append(line)
        assert json.loads(path.read_text())["pid"] == os.getpid()
        stop.set()

    serve(str(path), say=say, stop=stop)
    assert len(said) == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["not json", "[]", "{}", '"pid"', '{"pid": 1, "proxy": 1}', "[" * 100_000])
def test_a_file_that_is_no_descriptor_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(DescriptorTakenError, match="no descriptor"):
        serve(str(path), say=pytest.fail)
    assert path.read_text() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_descriptor_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    path, stop = tmp_path / "vault.json", threading.Event()

    def say(_: str) -> None:
        path.write_text("other")
        stop.set()

    serve(str(path), say=say, stop=stop)
    assert path.read_text() == "other"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        serve(str(tmp_path / "no" / "vault.json"), say=pytest.fail)
