"""Bring the probe template up on an engine of the test's own."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from local import engine
from local.stack.clients import Clients
from local.stack.deploy import build, deploy, read_template
from local.stack.processes import Process
from local.stack.start import await_engine, start_engine

T = TypeVar("T")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Probe:
    """The probe's doors."""

    clients: Clients
    outputs: Mapping[str, str]
    scratch: Path
    process: Process

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": "Bearer letmein", **options.pop("headers", {})}
        return httpx.request(method, f"{self.clients.endpoint_url}/v1{path}", headers=headers, timeout=30, **options)

    def invoke(self, function: str, event: Mapping[str, Any]) -> tuple[Any, str | None]:
        """Return the function's answer and, when it failed, the kind of failure."""
        answer = self.clients.other("lambda").invoke(FunctionName=self.outputs[function], Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    def execute(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run the state machine and return the ended execution."""
        states = self.clients.stepfunctions
        machine = self.outputs["StateMachineArn"]
        arn = states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
        return eventually(lambda: _ended(states.describe_execution(executionArn=arn)))

    def item(self, key: str) -> Mapping[str, Any]:
        """Return the record of this key as soon as there is one."""
        table = self.clients.table(self.outputs["TableName"])
        return eventually(lambda: table.get_item(Key={"pk": key}, ConsistentRead=True).get("Item"))


def _ended(execution: Any) -> Mapping[str, Any] | None:
    return None if execution["status"] == "RUNNING" else execution


def eventually(ask: Callable[[], T | None], seconds: float = 30) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"it did not come about within {seconds} seconds")


@contextmanager
def probe(folder: Path, *without: str, host: Mapping[str, str] | None = None) -> Iterator[Probe]:
    scratch = folder / "scratch"
    scratch.mkdir()
    template = read_template(HERE / "template.yaml")
    with ExitStack() as started:
        port, process = start_engine(folder, host or {}, started, without)
        files = build(template, HERE, scratch)
        await_engine(process, port)
        clients = Clients(engine.endpoint_url(port))
        yield Probe(clients, deploy(template, files, {}, clients), scratch, process)
