"""Endpoints that answer one request at once, as a batch would answer it, and bill it."""

from typing import Any

import pytest

from tests.integration.local.emulator.running import CHAT, Emulator, chat_line

BODIES: dict[str, dict[str, Any]] = {
    "/responses": {"model": "m", "input": "Say a"},
    "/chat/completions": chat_line("a-1")["body"],
    "/embeddings": {"model": "m", "input": ["a", "b"]},
    "/completions": {"model": "m", "prompt": "Say a"},
    "/moderations": {"model": "m", "input": "a"},
    "/images/generations": {"model": "m", "prompt": "a"},
}


@pytest.mark.parametrize("path", BODIES)
def test_a_request_is_answered_and_billed(emulator: Emulator, path: str) -> None:
    before = len(emulator.admin("/ledger")["direct"])
    answer = emulator.call("POST", path, json=BODIES[path])
    assert answer.status_code == 200
    assert answer.headers["x-request-id"].startswith("req_")
    (billed,) = emulator.admin("/ledger")["direct"][before:]
    assert (billed["endpoint"], billed["body"], billed["service_tier"]) == (f"/v1{path}", BODIES[path], "default")
    assert billed["usd"] is None


def test_the_answer_is_that_of_a_batch_but_for_its_time(emulator: Emulator) -> None:
    emulator.play()
    ended = emulator.run(1)
    (line,) = emulator.lines(ended["output_file_id"])
    at_once = emulator.call("POST", CHAT.removeprefix("/v1"), json=chat_line("a-1")["body"]).json()
    assert {**at_once, "created": 0} == {**line["response"]["body"], "created": 0}


def test_what_is_refused_or_fails_to_order_is_not_billed(emulator: Emulator) -> None:
    before = emulator.admin("/ledger")["direct"]
    assert emulator.call("POST", "/chat/completions", json={"model": "m", "messages": []}).status_code == 400
    emulator.play(calls=[{"operation": "createChatCompletion", "nth": "1", "do": {"status": 503}}])
    assert emulator.call("POST", "/chat/completions", json=BODIES["/chat/completions"]).status_code == 503
    assert emulator.admin("/ledger")["direct"] == before
    assert emulator.calls("createChatCompletion")[-1]["status"] == 503
