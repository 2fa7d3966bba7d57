"""A door under Lambda's own runtime client: what reaches the log at each level, and what never does."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryFile
from typing import Final

import pytest

from tests.system.processes import ROOT, environment
from tests.unit.template.documents import template

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="Lambda's runtime client has no wheels for other systems"
)

SECRET: Final = "sk-made-up-0123456789"
LEVELS: Final = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR")
INVOCATION: Final = "/2018-06-01/runtime/invocation"
NO_VERSIONS: Final = b"""<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>data</Name>
<Prefix>inbox/</Prefix><IsTruncated>false</IsTruncated></ListVersionsResult>"""
ANSWERS: Final[dict[str, dict[str, object]]] = {
    "Query": {"Items": [], "Count": 0, "ScannedCount": 0}, "GetItem": {}, "PutItem": {}, "ListExecutions": {"executions": []},
}  # fmt: skip


class Surroundings(ThreadingHTTPServer):
    """The runtime API with one event, an AWS with an empty stack and a key, and a provider that refuses the key."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.events = [(ROOT / "events/sweep.schedule.json").read_bytes()]
        self.answer: bytes | None = None
        self.answered = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Surroundings

    def do_GET(self) -> None:
        if self.path == f"{INVOCATION}/next":
            self.server.answered.wait(
                0 if self.server.events else 60
            )  # the second time until the test ends the process
            told = {
                "Aws-Request-Id": "r-1",
                "Deadline-Ms": str(int((time.time() + 600) * 1_000)),
                "Invoked-Function-Arn": "a",
            }
            body = self.server.events.pop() if self.server.events else b"{}"
            self._say(200, body, {f"Lambda-Runtime-{name}": value for name, value in told.items()})
        elif self.path.startswith("/provider/"):
            self._say(401, b"{}")
        else:
            self._say(200, NO_VERSIONS)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        service, _, action = self.headers.get("x-amz-target", "").partition(".")
        if self.path.startswith(INVOCATION):
            self.server.answer = body
            self._say(202, b"{}")
            self.server.answered.set()
        elif service == "secretsmanager":
            self._say(200, json.dumps({"ARN": "a", "Name": "provider", "SecretString": SECRET}).encode())
        else:
            self._say(200, json.dumps(ANSWERS[action]).encode())

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    with Surroundings() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def of_the_template(level: str) -> dict[str, str]:
    """Return the variables that Lambda and the template set for the log, where LogLevel is this."""
    function = template()["Globals"]["Function"]
    names = {"LogLevel": level, "AWS::StackName": "stack-1"}
    ours = {
        name: value for name, value in function["Environment"]["Variables"].items() if name.startswith("POWERTOOLS_")
    }
    set_ = {name: names[value["Ref"]] if isinstance(value, dict) else str(value) for name, value in ours.items()}
    return {"AWS_LAMBDA_LOG_FORMAT": function["LoggingConfig"]["LogFormat"], **set_}


def swept(server: Surroundings, **logging: str) -> list[str]:
    """Run a sweep in Lambda's runtime with these variables for the log, and return all that was printed, by line."""
    given = environment(
        BUCKET="data", TABLE="table", EVENT_BUS="bus", STACK="s", PROVIDER_SECRET_ID="provider",
        STATE_MACHINE_ARN="arn:aws:states:us-east-1:123456789012:stateMachine:batches",
        PROVIDER_BASE_URL=f"http://{server.address}/provider/v1", AWS_ENDPOINT_URL=f"http://{server.address}",
        AWS_LAMBDA_RUNTIME_API=server.address, AWS_LAMBDA_FUNCTION_NAME="sweep", AWS_LAMBDA_FUNCTION_VERSION="1",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512", AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test", **logging,
    )  # fmt: skip
    layers = ":".join(str(ROOT / "layers" / name) for name in ("client", "core"))
    command = [sys.executable, "-m", "awslambdaric", "handler.handler"]
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=ROOT / "functions/sweep",
            env={**given, "PYTHONPATH": layers},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        server.answered.wait(60)
        process.kill()  # it prints nothing more, and would wait for the next event
        process.wait()
        said.seek(0)
        printed = said.read()
    assert server.answer == b'{"ProviderFailures": 2}', printed
    assert SECRET not in printed
    return printed.splitlines()


@pytest.mark.parametrize("level", template()["Parameters"]["LogLevel"]["AllowedValues"])
def test_metrics_are_printed_at_every_level_and_messages_from_that_level_on(level: str) -> None:
    with surroundings() as server:
        lines = [json.loads(line) for line in swept(server, **of_the_template(level)) if line.startswith("{")]
    (metrics,) = [line for line in lines if "ProviderFailures" in line]
    assert (metrics["ProviderFailures"], metrics["service"]) == ([2.0], "stack-1")
    messages = {line["message"]: line["level"] for line in lines if "_aws" not in line}
    assert ("provider call failed" in messages) is (level != "ERROR")  # a warning
    assert all(LEVELS.index(of_line) >= LEVELS.index(level) for of_line in messages.values())


@pytest.mark.parametrize("format_", ["Text", "JSON"])
def test_at_debug_no_library_says_what_it_sends_and_receives_even_if_lambda_turns_all_loggers_on(format_: str) -> None:
    everything = {"AWS_LAMBDA_LOG_FORMAT": format_, "AWS_LAMBDA_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
    with surroundings() as server:
        lines = swept(server, POWERTOOLS_SERVICE_NAME="batchyard", **everything)
    assert lines
    assert {json.loads(line)["service"] for line in lines} == {"batchyard"}  # a line of any other logger has none
