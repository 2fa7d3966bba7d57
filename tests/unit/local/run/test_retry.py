"""The requests of failed lines, as they were sent, in a file of their own."""

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.response import StreamingBody

from local.run.retry import write_retry
from local.stack.running import Stack


def request(custom_id: str, text: str = "Hello") -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    line = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line, ensure_ascii=False).encode()


def failed(custom_id: str | None, **error: Any) -> bytes:
    outcome = {"id": "x", "custom_id": custom_id, "response": None, "error": {"code": "c", "message": "m", **error}}
    return json.dumps(outcome).encode() + b"\n"


def retried(tmp_path: Path, source: bytes, *errors: bytes) -> tuple[bytes | None, list[str]]:
    """Return what retry.jsonl holds after a run of `source` with these failed lines, and what was said."""
    asked: list[dict[str, str]] = []

    def get_object(**given: str) -> dict[str, Any]:
        asked.append(given)
        return {"Body": StreamingBody(io.BytesIO(source), len(source))}

    told: list[str] = []
    write_retry(stack(get_object, tmp_path, errors), tmp_path, told.append)
    assert all(each == {"Bucket": "b", "Key": "inbox/default/a", "VersionId": "v"} for each in asked)
    path = tmp_path / "retry.jsonl"
    return path.read_bytes() if path.exists() else None, told


def stack(get_object: Any, folder: Path, errors: tuple[bytes, ...]) -> Stack:
    (folder / "errors.jsonl").write_bytes(b"".join(errors))
    (folder / "report.json").write_text('{"input": {"key": "inbox/default/a", "version_id": "v"}}')
    clients: Any = SimpleNamespace(s3=SimpleNamespace(get_object=get_object))
    return Stack(clients, {"BucketName": "b"}, "http://provider", (), folder)


A, B, C = request("a"), request("b", "Grüße \u2028 naïve"), request("c")


def test_the_requests_of_the_failed_lines_are_copied_as_they_are(tmp_path: Path) -> None:
    assert retried(tmp_path, A + b"\n" + B + b"\n" + C, failed("b"), failed("c")) == (B + b"\n" + C + b"\n", [])


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbf" + A + b"\r\n\r\n" + B + b"\r\n" + C + b"\r\n",
        gzip.compress(A + b"\n") + gzip.compress(B + b"\n" + C),
        A + b"\nnot json\n\xff\n[]\n" + B + b"\n" + C + b"\n",
    ],
)
def test_what_an_input_may_hold_is_read(tmp_path: Path, source: bytes) -> None:
    assert retried(tmp_path, source, failed("a"), failed("c")) == (A + b"\n" + C + b"\n", [])


def test_a_line_that_cannot_be_sent_as_it_is_is_left_out(tmp_path: Path) -> None:
    source = A + b"\nnot json\n" + A + b"\n" + C
    assert retried(tmp_path, source, failed(None, line=2), failed("a", line=3), failed("c")) == (C + b"\n", [])


def test_no_file_is_made_where_nothing_can_be_sent_again(tmp_path: Path) -> None:
    assert retried(tmp_path, A) == (None, [])
    assert retried(tmp_path, A, failed(None, line=1)) == (None, [])


def test_a_request_that_is_not_found_is_told(tmp_path: Path) -> None:
    assert retried(tmp_path, A, failed("a"), failed("z")) == (
        A + b"\n", ["retry.jsonl is not whole: no request z was found in the input."],
    )  # fmt: skip


def test_errors_that_cannot_be_read_cost_no_results(tmp_path: Path) -> None:
    retry, told = retried(tmp_path, A, failed("a"), b"[1]\n")
    assert retry is None
    assert [text.startswith("retry.jsonl could not be written") for text in told] == [True]


def test_an_input_that_cannot_be_read_costs_no_results(tmp_path: Path) -> None:
    def get_object(**_: str) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    told: list[str] = []
    write_retry(stack(get_object, tmp_path, (failed("a"),)), tmp_path, told.append)
    assert [text.startswith("retry.jsonl could not be written") for text in told] == [True]
    assert not (tmp_path / "retry.jsonl").exists()
