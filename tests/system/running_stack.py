"""A running stack as a test sees it: through S3, the HTTP API, the records and the provider's own books."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from local.run.records import Progress, find_batch, read_progress
from local.stack.clients import Clients
from tests.system.processes import eventually

TENANT = "default"


def request(number: int, **body: Any) -> dict[str, Any]:
    """Return one request of an input."""
    messages = [{"role": "user", "content": f"Say {number}."}]
    return {
        "custom_id": f"request-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4.1-mini", "messages": messages, **body},
    }


def jsonl(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


@dataclass(frozen=True)
class Results:
    """The three files of an ended batch, parsed."""

    output: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    report: dict[str, Any]


class RunningStack:
    """A stack at the doors that `make up` printed."""

    def __init__(self, doors: Mapping[str, str]) -> None:
        self.doors = doors
        self.clients = Clients(doors["endpoint_url"])
        self.table = self.clients.table(doors["table"])

    def drop(self, name: str, body: bytes) -> str:
        """Upload an input and return the version it became."""
        key = f"inbox/{TENANT}/{name}"
        return self.clients.s3.put_object(Bucket=self.doors["bucket"], Key=key, Body=body)["VersionId"]

    def batch_of(self, name: str, version_id: str, seconds: float = 60) -> str:
        """Return the id of the batch that was made of an upload."""
        key = f"inbox/{TENANT}/{name}"
        return eventually(lambda: find_batch(self.table, TENANT, key, version_id), seconds)

    def ended(self, batch_id: str, seconds: float = 120) -> Progress:
        """Return the batch's last state, once it has one."""

        def last() -> Progress | None:
            now = read_progress(self.table, batch_id)
            return now if now.ended else None

        return eventually(last, seconds)

    def run(self, name: str, body: bytes) -> Progress:
        """Upload an input and return the ended batch."""
        return self.ended(self.batch_of(name, self.drop(name, body)))

    def results(self, batch_id: str) -> Results:
        """Return the result files; each must be there."""
        bodies = [self._result(batch_id, name) for name in ("output.jsonl", "errors.jsonl", "report.json")]
        output, errors = ([json.loads(line) for line in body.splitlines()] for body in bodies[:2])
        return Results(output, errors, json.loads(bodies[2]))

    def _result(self, batch_id: str, name: str) -> bytes:
        key = f"results/{TENANT}/{batch_id}/{name}"
        return self.clients.s3.get_object(Bucket=self.doors["bucket"], Key=key)["Body"].read()

    def function(self, name: str) -> str:
        """Return the deployed name of one of the template's functions."""
        listed = self.clients.other("lambda").list_functions()["Functions"]
        names: list[str] = [item["FunctionName"] for item in listed]
        return next(found for found in names if name in found)

    def invoke(self, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function and return its answer; it must not fail."""
        answer = self.clients.other("lambda").invoke(FunctionName=self.function(name), Payload=json.dumps(event))
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def provider_batches(self, batch_id: str) -> list[dict[str, Any]]:
        """Return the provider batches made for a batch of ours, by the provider's own ledger."""
        url = self.doors["provider_url"].removesuffix("/v1") + "/_emulator/ledger"
        ledger: list[dict[str, Any]] = httpx.get(url, timeout=60).json()["data"]
        return [batch for batch in ledger if (batch["metadata"] or {}).get("batchyard_batch") == batch_id]
