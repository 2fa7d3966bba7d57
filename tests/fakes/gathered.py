"""Gather folders: files put there, a provider that says again what it was asked, and the results of each file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fakes.bucket import MemoryBucket
from tests.fakes.endings import EndingsProvider, ended
from tests.fakes.lines import bad, jsonl, request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_client import Batch
    from tests.fakes.world import AnyWorld

FOLDER = "gather/default/tickets/"
NAME = "tickets"


def lines_of(name: str, count: int, model: str = "m-1") -> bytes:
    """Make a file whose custom_ids other files have, too, and whose prompts no other file has."""
    return jsonl(
        [request(f"line-{at}", model, messages=[{"role": "user", "content": f"{name} {at}"}]) for at in range(count)]
    )


def bucket_of(world: AnyWorld[Any]) -> MemoryBucket:
    """Return the bucket of a world of memory."""
    bucket = world.services.bucket
    assert isinstance(bucket, MemoryBucket)
    return bucket


def put(world: AnyWorld[Any], files: Mapping[str, bytes]) -> None:
    """Put files into the folder, one after the other."""
    for name, data in files.items():
        world.backing.put(FOLDER + name, data, {})


def echo(line: bytes) -> bytes:
    """Answer a request by its prompt."""
    asked = json.loads(line)
    body = {"said": asked["body"]["messages"][0]["content"], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    answer = {"id": "x", "custom_id": asked["custom_id"], "error": None}
    return json.dumps({**answer, "response": {"status_code": 200, "request_id": "r", "body": body}}).encode() + b"\n"


def echoing(provider: EndingsProvider, batch: Batch) -> Batch:
    """Answer every request by its prompt, last first."""
    asked = provider.files[batch.input_file_id or ""].splitlines()
    return ended(provider, batch, "completed", [echo(line) for line in reversed(asked)], [])


def said(world: AnyWorld[Any], batch_id: str, name: str, result: str = "output.jsonl") -> list[tuple[str, str]]:
    """Return, of the results of a file, each custom_id and what the answer says again, or the code of the error."""
    found = []
    for line in (world.found(f"results/default/{batch_id}/files/{name}/{result}") or b"?").splitlines():
        told = json.loads(line)
        found.append((told["custom_id"], _said(told)))
    return found


def _said(told: dict[str, Any]) -> str:
    if told["response"] is None:
        return str(told["error"]["code"])
    body = told["response"]["body"]
    return str(body["said"] if "said" in body else body["error"]["code"])


def report_of(world: AnyWorld[Any], batch_id: str) -> dict[str, Any]:
    """Read the report of a batch."""
    report: dict[str, Any] = json.loads(world.read(f"results/default/{batch_id}/report.json"))
    return report


def failing(*prompts: str, status: int = 400) -> Any:
    """Answer every request by its prompt, but refuse those with these prompts."""

    def ending(provider: EndingsProvider, batch: Batch) -> Batch:
        output, errors = list[bytes](), list[bytes]()
        for line in provider.files[batch.input_file_id or ""].splitlines():
            asked = json.loads(line)
            refused = asked["body"]["messages"][0]["content"] in prompts
            (errors if refused else output).append(bad(asked["custom_id"], status) if refused else echo(line))
        return ended(provider, batch, "completed", output, errors)

    return ending
