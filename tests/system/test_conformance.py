"""The stores on Amazon's own DynamoDB Local, as `make conformance` runs them, where the machine has what that needs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conformance.needs import missing
from tests.system.processes import ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 280  # below the timeout of a test, on a machine that does much else
TESTS = "tests/integration/batchyard"
# What these test is S3, roles and providers: with them it lasts twice as long. `make conformance` runs them too.
ELSEWHERE = (
    "adapters/test_object_writer.py", "planning", "results", "test_bedrock.py", "test_permissions.py", "test_stores.py",
    "test_together.py", "test_walks_with_bedrock.py", "test_walks_with_messages.py", "test_walks_with_mistral.py",
    "test_with_bedrock.py", "test_with_messages.py", "test_with_mistral.py",
)  # fmt: skip
LEFT_OUT = [f"--ignore={TESTS}/{each}" for each in ELSEWHERE]


def test_the_stores_keep_their_promises_on_dynamodb_local_too() -> None:
    lacking = "CONFORMANCE=no" if os.environ.get("CONFORMANCE") == "no" else missing()
    if lacking:
        pytest.skip(f"the stores were not held against DynamoDB Local. {lacking}")
    command = [sys.executable, "-m", "tests.conformance", "-q", "-n", "2", TESTS, *LEFT_OUT]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


# ---- What is missing ----------------------------------------------------------------------------------------------------

JAVA_11, JAVA_17 = (f"""echo 'openjdk version "{number}.0.2"' >&2""" for number in (11, 17))
REFUSED = "echo 'unshare: Operation not permitted' >&2; exit 1"


@pytest.mark.parametrize(
    ("programs", "told"),
    [
        ({}, "Java 17"),
        ({"java": JAVA_11, "npm": ""}, "Java 17"),
        ({"java": "exit 1", "npm": ""}, "Java 17"),
        ({"java": JAVA_17}, "no npm"),
        ({"java": JAVA_17, "npm": ""}, "util-linux"),
        ({"java": JAVA_17, "npm": "", "setpriv": "", "unshare": REFUSED}, "unshare: Operation not permitted"),
        ({"java": JAVA_17, "npm": "", "setpriv": "", "unshare": ""}, "nothing"),
    ],
    ids=["nothing", "old Java", "a stub of Java", "no npm", "no util-linux", "refused", "all"],
)
def test_what_is_missing_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[str, str], told: str
) -> None:
    for name, does in programs.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert told in (missing() or "nothing")
