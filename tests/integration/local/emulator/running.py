"""A provider emulator as a process, and what every test of it does with one."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests

if TYPE_CHECKING:
    from tests.fakes.s3_server import S3Server

ROOT = Path(__file__).parents[4]
CHAT: Final = "/v1/chat/completions"
_SECONDS_TO_END = 15.0


def chat_line(custom_id: str, **body: object) -> dict[str, Any]:
    """Return one input line for chat completions."""
    messages = [{"role": "user", "content": f"Say {custom_id}"}]
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": {"model": "m", "messages": messages, **body}}


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    """Return the lines as JSONL."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


class Emulator:
    """A running emulator, spoken to over HTTP."""

    def __init__(self, url: str, api_key: str, process: "subprocess.Popen[bytes]") -> None:
        self.url = url
        self.api_key = api_key
        self.process = process
        #: The bucket that it reads and writes, where a test started one.
        self.s3: S3Server | None = None
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {api_key}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request under /v1 and return whatever comes."""
        return self.session.request(method, self.url + path, timeout=10, **options)

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON of a GET that must succeed."""
        return self._json(self.call("GET", path))

    def admin(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call one of the emulator's own paths: POST with a body, GET without."""
        url = self.url.removesuffix("/v1") + "/_emulator" + path
        return self._json(requests.request("GET" if body is None else "POST", url, json=body, timeout=10))

    def play(self, **scenario: object) -> None:
        """Follow a scenario."""
        self.admin("/scenario", scenario)

    def upload(self, content: bytes, filename: str = "input.jsonl") -> dict[str, Any]:
        """Upload a batch file."""
        return self._json(self.call("POST", "/files", data={"purpose": "batch"}, files={"file": (filename, content)}))

    def create(self, file_id: str, **members: object) -> dict[str, Any]:
        """Create a batch."""
        body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h", **members}
        return self._json(self.call("POST", "/batches", json=body))

    def submit(self, count: int = 10, **members: object) -> str:
        """Upload `count` chat lines named a-1, a-2, … and return the id of their batch."""
        lines = [chat_line(f"a-{number}") for number in range(1, count + 1)]
        return str(self.create(self.upload(jsonl(lines))["id"], **members)["id"])

    def wait(self, batch_id: str, *statuses: str) -> dict[str, Any]:
        """Poll until the batch has one of `statuses` (default: an end) and return it."""
        wanted = statuses or ("completed", "failed", "expired", "cancelled")
        deadline = time.monotonic() + _SECONDS_TO_END
        while time.monotonic() < deadline:
            batch = self.get(f"/batches/{batch_id}")
            if batch["status"] in wanted:
                return batch
            time.sleep(0.01)
        raise AssertionError(f"{batch['status']} after {_SECONDS_TO_END} s")

    def run(self, count: int = 10, **members: object) -> dict[str, Any]:
        """Submit a batch and return it ended."""
        return self.wait(self.submit(count, **members))

    def lines(self, file_id: str | None) -> list[dict[str, Any]]:
        """Return the lines of an output or error file."""
        assert file_id
        return [json.loads(line) for line in self.call("GET", f"/files/{file_id}/content").content.splitlines()]

    def calls(self, operation: str) -> list[dict[str, Any]]:
        """Return the recorded calls of one operation."""
        return list(self.admin(f"/calls?operation={operation}")["data"])

    def ledger(self, batch_id: str) -> dict[str, Any]:
        """Return what the ledger says about one batch."""
        (entry,) = [entry for entry in self.admin("/ledger")["data"] if entry["id"] == batch_id]
        return dict(entry)

    @staticmethod
    def _json(response: requests.Response) -> dict[str, Any]:
        assert response.ok, response.text
        return dict(response.json())


@contextmanager
def started(*options: str, env: dict[str, str] | None = None) -> Iterator[Emulator]:
    """Start an emulator and end it afterwards."""
    command = [sys.executable, "-m", "local.emulator", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=env) as process:  # noqa: S603 # our own
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            emulator = Emulator(ready["provider_url"], ready["api_key"], process)
            with emulator.session:
                yield emulator
        finally:
            process.terminate()
            process.wait(10)
