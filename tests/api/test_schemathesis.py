"""schemathesis over the whole document: a live API, and a live ClickHouse behind it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api.resources import ALL
from tests.api import leniency
from tests.api.live import alerted, live_config, provisioned
from tests.servers.api import ApiProcess
from tests.servers.embedded import EmbeddedServer

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse"
TOKEN = hashlib.sha256(PASSWORD.encode()).hexdigest()
# 40 s for three thousand requests; more examples repeat what the coverage phase has tried already.
EXAMPLES = 10


@pytest.mark.timeout(400)
def test_the_api_does_what_its_document_says(
    embedded: EmbeddedServer, api: Callable[..., ApiProcess], tmp_path: Path
) -> None:
    config = live_config(embedded, tmp_path / "state")
    config["api"] = {"password": PASSWORD, "auth_failures_per_minute": 0}
    cluster_id = provisioned(config)
    alerted(config)

    ended = schemathesis(api(config).url, tmp_path, LIVE_CLUSTER=cluster_id)

    assert ended.returncode == 0, ended.stdout[-30_000:] + ended.stderr
    # None was left out, and none of the checks is on that would not have run.
    assert f"Tested: {sum(len(resource.routes) for resource in ALL)}\n" in ended.stdout
    assert int(re.findall(r"(\d+) generated", ended.stdout)[0]) > 1000


def schemathesis(url: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """All checks, all phases, the same requests in every run."""
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {TOKEN}"),
        *("--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", str(EXAMPLES), "--generation-deterministic", "--seed", "1", "--workers", "2"),
        *("--continue-on-failure", "--no-color", "--request-timeout", "20"),
    ]
    around = os.environ | environment
    around |= {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": leniency.__name__}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=around, timeout=380
    )
