"""A stack that is up asks its own API once, over a real socket, and says how to reach it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from local.errors import ProcessEnded
from local.stack import up as module
from local.stack.clients import Clients
from local.stack.running import Stack
from local.stack.up import keep_up


class Ended(Stack):
    """A stack that has ended by the first look at it."""

    def check(self, wait_seconds: float = 0.0) -> None:  # noqa: ARG002 - as inherited
        raise ProcessEnded("gone")


OUTPUTS = {"BucketName": "data", "TableName": "table", "StateMachineArn": "arn"}


class Api(BaseHTTPRequestHandler):
    """Keeps what was asked for."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["authorization"]))
        self.send_error(500)

    def log_message(self, *_: object) -> None:
        pass


def test_the_api_is_asked_once_before_the_user_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_api_key", lambda *_: "by_1")
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        stack = Ended(Clients(f"http://127.0.0.1:{server.server_port}"), OUTPUTS, "http://provider", (), tmp_path)
        with pytest.raises(ProcessEnded):  # and not what was wrong with the answer
            keep_up(stack, lambda: None)
    assert Api.asked == [("/v1/batches", "Bearer by_1")]


def test_a_stack_that_is_up_says_how_to_reach_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_api_key", lambda *_: "by_1")
    with pytest.raises(ProcessEnded):
        keep_up(Ended(Clients("http://127.0.0.1:4566"), OUTPUTS, "http://127.0.0.1:1/v1", (), tmp_path), lambda: None)
    told = capsys.readouterr()
    assert json.loads(told.out)["api_key"] == "by_1"
    assert "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1" in told.err
    assert "aws --endpoint-url http://127.0.0.1:4566 s3 cp mine.jsonl s3://data/inbox/default/" in told.err
    key = "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 make key TABLE=table"
    assert f"AWS_ENDPOINT_URL=http://127.0.0.1:4566 {key}\n" in told.err
    assert "base_url=http://127.0.0.1:4566/v1" in told.err
