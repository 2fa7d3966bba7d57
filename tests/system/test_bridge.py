"""OpenAI's own client through `make bridge`: files and results that are too large for a form and for an answer."""

import json
import subprocess
import sys
from collections.abc import Iterator

import openai
import pytest

from tests.system.processes import ROOT, environment, eventually
from tests.system.running_stack import RunningStack, jsonl, request

LINES = 60


@pytest.fixture
def client(stack: RunningStack) -> Iterator[openai.OpenAI]:
    given = environment(BATCHYARD_URL=stack.doors["base_url"], BATCHYARD_KEY=stack.doors["api_key"])
    command = [sys.executable, "-m", "local.bridge"]
    with subprocess.Popen(command, cwd=ROOT, env=given, stdout=subprocess.PIPE, text=True) as bridge:  # noqa: S603 - our own program
        assert bridge.stdout is not None
        yield openai.OpenAI(base_url=json.loads(bridge.stdout.readline())["base_url"], api_key="any", max_retries=0)
        bridge.terminate()


def test_a_file_of_11_mb_goes_the_whole_way_by_openais_own_calls(client: openai.OpenAI) -> None:
    data = jsonl(request(number, user="x" * 180_000) for number in range(LINES))
    file = client.files.create(file=("in.jsonl", data), purpose="batch")
    assert (file.bytes, file.status, file.filename) == (len(data), "processed", "in.jsonl")
    assert client.files.content(file.id).read() == data
    made = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    ended = eventually(lambda: next((b for b in [client.batches.retrieve(made.id)] if b.status == "completed"), None))
    assert ended.output_file_id is not None
    answers = [json.loads(line) for line in client.files.content(ended.output_file_id).text.splitlines()]
    assert [answer["custom_id"] for answer in answers] == [f"request-{number}" for number in range(LINES)]
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_what_batchyard_refuses_is_refused_by_the_bridge_alike(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"in\.csv"):
        client.files.create(file=("in.csv", bytes(5_000_000)), purpose="batch")
    with pytest.raises(openai.NotFoundError):
        client.files.content("file-unknown")
