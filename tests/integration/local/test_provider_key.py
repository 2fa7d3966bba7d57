"""`make provider-key` as an operator meets it: at a terminal, from a pipe, and before anything is set."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.system.processes import ROOT, environment

KEY = "sk-made-up-0123456789"
SECRET = "ProviderSecret-x1Y2"
ARN = f"arn:aws:secretsmanager:eu-west-3:123456789012:secret:{SECRET}-AbCdEf"
STACKS = f"""<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>
<member><StackName>batchyard</StackName><CreationTime>2026-11-20T10:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>
<Outputs><member><OutputKey>ProviderSecretArn</OutputKey><OutputValue>{ARN}</OutputValue></member></Outputs>
</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""


class FakeAws(ThreadingHTTPServer):
    """Secrets Manager and CloudFormation, as far as the command asks them; `stored` is what was put into which secret."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.stored: list[tuple[str, str]] = []
        self.regions: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    server: FakeAws

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.regions.append(self.headers["authorization"].split("/")[2])
        if self.headers.get("x-amz-target") == "secretsmanager.GetSecretValue":
            return self._show()
        if self.headers.get("x-amz-target") != "secretsmanager.PutSecretValue":
            return self._answer(200, STACKS.encode())
        asked: dict[str, Any] = json.loads(body)
        if SECRET not in asked["SecretId"]:
            return self._answer(
                400, json.dumps({"__type": "ResourceNotFoundException", "message": "no such secret"}).encode()
            )
        self.server.stored.append((asked["SecretId"], asked["SecretString"]))
        return self._answer(200, json.dumps({"ARN": ARN, "Name": SECRET}).encode())

    def _show(self) -> None:
        if not self.server.stored:
            missing = {"__type": "ResourceNotFoundException", "message": "no value"}
            return self._answer(400, json.dumps(missing).encode())
        shown = {"ARN": ARN, "Name": SECRET, "SecretString": self.server.stored[-1][1]}
        return self._answer(200, json.dumps(shown).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def around(aws: FakeAws | None = None, **given: str) -> dict[str, str]:
    nothing = {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if aws is None:
        return environment(**nothing, **given)
    address = f"http://127.0.0.1:{aws.server_port}"
    reach = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    return environment(**nothing, **reach, **{"AWS_DEFAULT_REGION": "eu-central-1", **given})


def piped(
    text: str, *arguments: str, aws: FakeAws | None = None, stack: str = "batchyard", secret: str = SECRET
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "local.provider_key", stack, secret, *arguments]
    return subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=around(aws), input=text, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_key_from_a_pipe_is_stored_and_what_was_done_is_said_without_the_key(aws: FakeAws) -> None:
    done = piped(f"{KEY}\n", aws=aws)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        f"API key of the provider: stored in the secret {SECRET}. Batches that wait for a key go on"
    )
    assert aws.stored == [(SECRET, KEY)]
    assert KEY not in done.stdout


def test_without_a_secret_it_is_the_one_that_the_stack_names_in_the_region_of_its_arn(aws: FakeAws) -> None:
    assert piped(KEY, aws=aws, secret="").returncode == 0
    assert aws.stored == [(ARN, KEY)]
    assert aws.regions == ["eu-central-1", "eu-west-3"]


def test_a_webhook_secret_is_stored_too_and_while_it_is_rotated_there_are_two(aws: FakeAws) -> None:
    done = piped("whsec_a whsec_b\n", "--webhook", aws=aws)
    assert done.stdout.startswith(f"Signing secret of the provider's webhooks: stored in the secret {SECRET}. ")
    assert aws.stored == [(SECRET, "whsec_a whsec_b")]


def test_make_runs_it_and_leaves_it_the_pipe(aws: FakeAws) -> None:
    command = ["make", "-s", "provider-key", f"SECRET={ARN}", f"PYTHON={sys.executable}"]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=around(aws), input=KEY, capture_output=True, text=True, timeout=200, check=False
    )
    assert (done.returncode, aws.stored) == (0, [(ARN, KEY)])
    assert KEY not in done.stdout + done.stderr


def test_at_a_terminal_the_key_is_asked_for_and_not_shown(aws: FakeAws) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", "local.provider_key", "batchyard", SECRET], around(aws))  # noqa: S606 - as above
    shown = until(terminal, b"(not shown): ")
    os.write(terminal, f"{KEY}\n".encode())
    shown += until(terminal, b"refuses the old one.")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)
    assert aws.stored == [(SECRET, KEY)]
    assert KEY.encode() not in shown


def until(terminal: int, text: bytes) -> bytes:
    """Read what a terminal shows until this is there."""
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 1_024)
    return shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Nothing was stored: nothing was given.\n"),
        ("two words", "Nothing was stored: API key of the provider: the value must be plain text without spaces.\n"),
        ("sk-1\nsk-2\n", "Nothing was stored: API key of the provider: the value must be plain text without spaces.\n"),
    ],
    ids=["nothing", "words", "lines"],
)
def test_what_can_be_no_key_is_refused_and_not_repeated(aws: FakeAws, text: str, told: str) -> None:
    done = piped(text, aws=aws)
    assert (done.returncode, done.stdout, done.stderr, aws.stored) == (1, "", told, [])


@pytest.mark.parametrize(
    "arguments", [{"secret": "AnotherSecret"}, {"secret": "", "stack": "other"}], ids=["secret", "stack"]
)
def test_what_is_not_there_is_told_in_one_sentence_with_how_to_mend_it(aws: FakeAws, arguments: dict[str, str]) -> None:
    done = piped(KEY, *(["--webhook"] if "stack" in arguments else []), aws=aws, **arguments)
    assert (done.returncode, done.stdout, aws.stored) == (1, "", [])
    assert done.stderr.startswith("Nothing was stored: ")
    assert done.stderr.count("\n") == 1
    assert KEY not in done.stderr


def test_without_a_region_the_reason_is_one_line() -> None:
    done = piped(KEY)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "You must specify a region. AWS_REGION and the credentials must be" in done.stderr
