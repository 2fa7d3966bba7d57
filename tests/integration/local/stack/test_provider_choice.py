"""A provider that reads and writes objects by itself is told where those of this machine are, or is refused."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from local.errors import ProviderError
from local.run.provider_check import check_provider
from local.stack.provider_choice import Provider, Several, tell_place

BEDROCK = Provider("http://127.0.0.1:9", "none", "bedrock", "bedrock")
KEY = "sk-1"


class Emulator(BaseHTTPRequestHandler):
    told: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.told.append(self.path.encode() + b" " + self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if self.path == "/_emulator/aws" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_emulator_that_reads_objects_is_told_where_they_are_and_no_other_provider_is_asked() -> None:
    Emulator.told.clear()
    with HTTPServer(("127.0.0.1", 0), Emulator) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        here = Provider(f"http://127.0.0.1:{server.server_port}/x", "none", "bedrock", "bedrock")
        tell_place(Several("{}", (Provider("http://127.0.0.1:9/v1", KEY, name="gpt"), here)), "http://127.0.0.1:4566")
    assert Emulator.told == [b'/_emulator/aws {"endpoint_url": "http://127.0.0.1:4566"}']


def test_a_service_that_cannot_reach_the_objects_of_this_machine_is_told_with_what_to_do() -> None:
    with pytest.raises(
        ProviderError, match=r"bedrock at http://127.0.0.1:9 reads its inputs from S3 .* Deploy the stack to AWS"
    ):
        tell_place(BEDROCK, "http://127.0.0.1:4566")
    away = Provider("https://bedrock.us-east-1.amazonaws.com", "none", "bedrock", "bedrock")
    with pytest.raises(ProviderError, match=r"or try the emulator .* Nothing was sent"):
        check_provider(away, print)
