"""vals itself, which Helmfile reads values with: it puts the bytes back in place of the references.

Files of values are read as they were rewritten; files with actions of templates are Helmfile's own to render first.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from tools.azure import Azure, account_token, azure
from tools.bench import Bench, Case, cases

from secretscan.vault.server import EmbeddedVault

pytestmark = pytest.mark.cluster
REFERENCE = b"ref+azurekeyvault://"
FILES = [
    (case, path)
    for case in cases("helm")
    for path, data in sorted(case.after.items())
    if data != case.before.get(path)
    and path in case.before
    and REFERENCE in data
    and REFERENCE + b"other/" not in data
    and path.endswith((".yaml", ".yml"))
    and b"{{" not in data
]


@pytest.fixture(scope="module")
def signing(vault: EmbeddedVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with azure(vault, tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.mark.parametrize(("case", "path"), FILES, ids=str)
def test_vals_reads_the_same_values(bench: Bench, signing: Azure, case: Case, path: str) -> None:
    bench.store(case)
    token = bench.folder / "token"
    token.write_text(account_token("ci", "deploy"))
    env = signing.environment | {
        "AZURE_TENANT_ID": "00000000-0000-0000-0000-000000000000",  # what the embedded vault asks for
        "AZURE_CLIENT_ID": "1b6f5f0e-0000-4000-8000-00000000c1d0",
        "AZURE_FEDERATED_TOKEN_FILE": str(token),
    }
    place = bench.lay(case.after, "after")
    done = bench.run([bench.program("vals"), "eval", "-f", place / path, "-o", "yaml"], place, env)
    assert done.returncode == 0, done.stderr.decode()
    assert yaml.safe_load(done.stdout) == yaml.safe_load(case.before[path].decode("utf-8-sig"))
