"""The stores on Amazon's own DynamoDB Local, as `make conformance` runs them, where the machine has what that needs."""

import os
import subprocess
import sys

import pytest

from tests.conformance.needs import missing
from tests.system.processes import ROOT, environment

SECONDS = 280  # below the timeout of a test, on a machine that does much else


def test_the_stores_answer_on_dynamodb_local_as_on_moto() -> None:
    lacking = "CONFORMANCE=no" if os.environ.get("CONFORMANCE") == "no" else missing()
    if lacking:
        pytest.skip(lacking)
    command = [sys.executable, "-m", "tests.conformance", "-q", "-n", "2", "tests/integration/batchyard"]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
