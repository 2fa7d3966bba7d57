"""`make key` as a user meets it before anything is set."""

import subprocess
import sys

import pytest

from tests.system.processes import ROOT, environment


def key(*arguments: str, **given: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "batchyard.api.api_keys", *arguments]
    nothing = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    return subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=environment(**nothing, **given), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("arguments", [(), ("", "default"), ("table", ""), ("table",)])
def test_what_is_missing_is_told_with_how_to_give_it(arguments: tuple[str, ...]) -> None:
    done = key(*arguments)
    assert done.returncode == 1
    assert "make key TABLE=…" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_region_the_reason_is_one_line() -> None:
    done = key("table", "default")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "You must specify a region. AWS_REGION and the credentials must be" in done.stderr


def test_a_key_id_that_is_none_is_told_without_advice_about_credentials() -> None:
    done = key("table", "--revoke", "nonsense", AWS_REGION="eu-central-1", AWS_DEFAULT_REGION="eu-central-1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Nothing was done: 'nonsense' is no key id; the list shows them.\n"
