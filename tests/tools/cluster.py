"""etcd and the API server of Kubernetes on loopback, with kubectl: what a cluster is without nodes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.server import Server, serving

TOKEN = "made-up-token-of-an-administrator"
READY = 60.0


class Cluster:
    """A running API server."""

    def __init__(self, program: str, folder: Path, port: int) -> None:
        self.program = program
        self.folder = folder
        self.address = f"https://127.0.0.1:{port}"
        self.kubeconfig = folder / "kubeconfig"
        server = {"server": self.address, "certificate-authority": str(folder / "certs" / "apiserver.crt")}
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": server}],
                    "users": [{"name": "u", "user": {"token": TOKEN}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "c",
                }
            )
        )

    def try_kubectl(self, *words: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": str(self.kubeconfig)}
        command = [self.program, "kubectl", *map(str, words)]
        return subprocess.run(command, input=given, env=env, capture_output=True, check=False, timeout=120)

    def kubectl(self, *words: str | Path, given: bytes = b"") -> bytes:
        done = self.try_kubectl(*words, given=given)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def apply(self, documents: Sequence[dict[str, Any]], *words: str) -> subprocess.CompletedProcess[bytes]:
        """`kubectl apply` of some objects."""
        stream = "\n---\n".join(json.dumps(document) for document in documents)
        return self.try_kubectl("apply", "--validate=strict", *words, "-f", "-", given=stream.encode())

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def namespaces(self, documents: Sequence[dict[str, Any]], *more: str) -> None:
        """Make the namespaces that the objects name."""
        names = {one["metadata"].get("namespace", "") for one in documents} | set(more)
        objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names if name]
        if objects:
            done = self.apply(objects)
            assert done.returncode == 0, done.stderr.decode()


@contextlib.contextmanager
def cluster(program: str, folder: Path, free_port: Callable[[], int]) -> Iterator[Cluster]:
    """The API server until the end of the block, without any controller."""
    key = folder / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
    etcd, peer, port = free_port(), free_port(), free_port()
    running = Cluster(program, folder, port)
    commands = [
        [
            *(program, "etcd", f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync"),
            *(f"--listen-client-urls=http://127.0.0.1:{etcd}", f"--advertise-client-urls=http://127.0.0.1:{etcd}"),
            *(f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        ],
        [
            *(program, "kube-apiserver", "--bind-address=127.0.0.1", f"--secure-port={port}"),
            *("--advertise-address=127.0.0.1", f"--etcd-servers=http://127.0.0.1:{etcd}"),
            *(f"--cert-dir={folder / 'certs'}", f"--token-auth-file={folder / 'tokens.csv'}"),
            *(f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"),
            *("--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24"),
            *("--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount"),
        ],
    ]
    with contextlib.ExitStack() as servers:
        started = [
            servers.enter_context(serving(command, folder / f"{command[1]}.log", cwd=folder)) for command in commands
        ]
        _await(running, started)
        yield running


def _await(running: Cluster, started: Sequence[Server]) -> None:
    end = time.monotonic() + READY
    while running.try_kubectl("get", "--raw", "/readyz").returncode:
        for server in started:
            assert not server.ended, f"a server ended:\n{server.said}"
            assert time.monotonic() < end, f"the API server is not ready:\n{server.said}"
        time.sleep(0.2)
