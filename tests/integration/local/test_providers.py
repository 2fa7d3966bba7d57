"""`make providers` as an operator meets it: from a pipe, from a file, at a terminal, and with nothing described."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.local.test_provider_key import ARN, SECRET, FakeAws, around, aws, until
from tests.system.processes import ROOT

__all__ = ["aws"]
OPENAI = {"base_url": "https://api.openai.com/v1", "api_key": "sk-openai-secret", "models": ["gpt-*"]}
GROQ = {"base_url": "https://api.groq.com/openai/v1", "api_key": "sk-groq-secret"}


def without_key(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "api_key"}


def piped(
    text: str, *flags: str, aws: FakeAws | None, secret: str = SECRET, **given: str
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "local.providers", "batchyard", secret, *flags]
    return subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=around(aws, **given), input=text, capture_output=True, text=True, timeout=60, check=False
    )


def test_keys_are_stored_by_name_and_the_parameter_is_told_without_them(aws: FakeAws) -> None:
    done = piped(json.dumps({"openai": OPENAI, "groq": GROQ}), aws=aws)
    assert (done.returncode, done.stderr) == (0, "")
    ((where, stored),) = aws.stored
    assert (where, json.loads(stored)) == (SECRET, {"openai": "sk-openai-secret", "groq": "sk-groq-secret"})
    assert "Keys stored of: openai, groq." in done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == {"openai": without_key(OPENAI), "groq": without_key(GROQ)}
    assert "secret" not in done.stdout.replace(SECRET, "")


def test_a_key_that_is_not_named_again_stays_and_one_that_is_missing_is_told(aws: FakeAws, tmp_path: Path) -> None:
    aws.stored.append((SECRET, json.dumps({"openai": "sk-older-secret", "gone": "sk-gone"})))
    file = tmp_path / "providers.json"
    file.write_text(json.dumps({"openai": without_key(OPENAI), "groq": GROQ, "new": without_key(GROQ)}))
    done = piped("", aws=aws, secret="", PROVIDERS=str(file))
    assert done.returncode == 0, done.stderr
    assert json.loads(aws.stored[-1][1]) == {"openai": "sk-older-secret", "groq": "sk-groq-secret"}
    assert aws.stored[-1][0] == ARN
    assert "No key is stored of: new. Their requests wait for one." in done.stdout


def test_the_list_shows_names_and_no_keys(aws: FakeAws) -> None:
    aws.stored.append((SECRET, json.dumps({"openai": "sk-openai-secret", "groq": "sk-groq-secret"})))
    done = piped("", "--list", aws=aws)
    assert (done.returncode, done.stdout) == (0, "groq\nopenai\n")
    aws.stored.append((SECRET, "sk-plain-secret"))
    assert piped("", "--list", aws=aws).stdout == "No keys of several providers are stored.\n"


def test_a_key_that_is_not_described_is_asked_for_at_a_terminal_and_not_shown(aws: FakeAws, tmp_path: Path) -> None:
    file = tmp_path / "providers.json"
    file.write_text(json.dumps({"openai": without_key(OPENAI)}))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        command = [sys.executable, "-m", "local.providers", "batchyard", SECRET]
        os.execve(sys.executable, command, around(aws, PROVIDERS=str(file)))  # noqa: S606 - our own program
    shown = until(terminal, b"(not shown; empty: later): ")
    os.write(terminal, b"sk-typed-secret\n")
    shown += until(terminal, b"}}")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert json.loads(aws.stored[-1][1]) == {"openai": "sk-typed-secret"}
    assert b"API key of openai" in shown
    assert b"sk-typed-secret" not in shown


def test_what_is_wrong_is_one_sentence_and_nothing_is_stored(aws: FakeAws) -> None:
    for text, told in (
        ("", "make providers PROVIDERS=providers.json"),
        ("{", "PROVIDERS is no JSON"),
        ('{"a": {}}', "'a' has no 'base_url'"),
    ):
        done = piped(text, aws=aws)
        assert done.returncode == 1
        assert done.stderr.startswith("Nothing was stored: ")
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert aws.stored == []


def test_the_description_is_read_before_aws_is_asked() -> None:
    done = piped("{", aws=None, secret="")
    assert done.stderr.startswith("Nothing was stored: PROVIDERS is no JSON")


def test_a_list_that_cannot_be_read_was_not_to_store_anything() -> None:
    done = piped("", "--list", aws=None, secret="")
    assert done.returncode == 1
    assert done.stderr.startswith("Nothing was read: reading the outputs of the stack batchyard")
