import array
import base64
import math
from typing import Any

import pytest
from anthropic.types import Message
from openai.types import Completion, CreateEmbeddingResponse, ImagesResponse, ModerationCreateResponse, Video
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import BaseModel

from local.emulator.answers import Question, answer, snapshot
from local.emulator.prompts import REQUIRED_MEMBER, prompt_text

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hi?"}]}]
REQUESTS: dict[str, tuple[dict[str, Any], type[BaseModel]]] = {
    "/v1/chat/completions": ({"model": "gpt-4o-mini", "messages": MESSAGES}, ChatCompletion),
    "/v1/responses": ({"model": "m", "input": "Hi?", "instructions": "Be brief."}, Response),
    "/v1/fim/completions": ({"model": "m", "prompt": "def f("}, ChatCompletion),
    "/v1/completions": ({"model": "m", "prompt": "Hi?"}, Completion),
    "/v1/embeddings": ({"model": "m", "input": ["a", "b"]}, CreateEmbeddingResponse),
    "/v1/moderations": ({"model": "m", "input": ["a", "b"]}, ModerationCreateResponse),
    "/v1/images/generations": ({"model": "m", "prompt": "Services"}, ImagesResponse),
    "/v1/images/edits": ({"model": "m", "prompt": "Services", "image": "file-1"}, ImagesResponse),
    "/v1/videos": ({"model": "m", "prompt": "A train"}, Video),
    "/v1/messages": (
        {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": MESSAGES[1:], "system": "Be brief."},
        Message,
    ),
}


def ask(endpoint: str, body: dict[str, Any], answer_bytes: int = 0) -> dict[str, Any]:
    return answer(Question(endpoint, body, created=1_790_000_000, answer_bytes=answer_bytes))


def test_every_endpoint_a_batch_may_name_is_answered() -> None:
    assert REQUESTS.keys() == REQUIRED_MEMBER.keys()


@pytest.mark.parametrize("endpoint", REQUESTS)
def test_the_official_types_accept_the_answer(endpoint: str) -> None:
    body, shape = REQUESTS[endpoint]
    assert shape.model_validate(ask(endpoint, body)).model_fields_set


@pytest.mark.parametrize("endpoint", REQUESTS)
def test_the_same_request_gets_the_same_answer(endpoint: str) -> None:
    body, _ = REQUESTS[endpoint]
    assert ask(endpoint, body) == ask(endpoint, dict(body))


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in REQUESTS if "images" not in endpoint])
def test_another_request_gets_another_answer(endpoint: str) -> None:
    body, _ = REQUESTS[endpoint]
    changed = {**body, REQUIRED_MEMBER[endpoint]: [{"role": "user", "content": "Bye!"}]}
    assert ask(endpoint, body) != ask(endpoint, changed)


def test_an_answer_refers_to_the_last_thing_asked() -> None:
    chat = ask("/v1/chat/completions", REQUESTS["/v1/chat/completions"][0])
    assert chat["choices"][0]["message"]["content"] == "You asked: Hi?"


def test_an_alias_is_answered_by_its_dated_model() -> None:
    assert ask("/v1/chat/completions", REQUESTS["/v1/chat/completions"][0])["model"] == "gpt-4o-mini-2024-07-18"
    assert snapshot("never-heard-of") == "never-heard-of"


def test_n_asks_for_so_many_choices_and_pays_for_them() -> None:
    body = REQUESTS["/v1/chat/completions"][0]
    one, three = (ask("/v1/chat/completions", {**body, "n": n}) for n in (1, 3))
    assert [choice["index"] for choice in three["choices"]] == [0, 1, 2]
    assert three["usage"]["completion_tokens"] == 3 * one["usage"]["completion_tokens"]


def test_usage_sums_up_and_counts_all_text_of_the_prompt() -> None:
    usage = ask("/v1/responses", REQUESTS["/v1/responses"][0])["usage"]
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]
    assert prompt_text("/v1/chat/completions", {"messages": MESSAGES}) == "Be brief.\nHi?"


def test_answers_can_be_filled_up_to_a_size() -> None:
    body = REQUESTS["/v1/completions"][0]
    assert len(ask("/v1/completions", body, answer_bytes=5_000)["choices"][0]["text"]) == 5_000


def test_an_embedding_has_unit_length_and_the_size_asked_for() -> None:
    (first, second) = ask("/v1/embeddings", {"model": "m", "input": ["a", "b"], "dimensions": 128})["data"]
    assert len(first["embedding"]) == 128
    assert math.isclose(sum(number * number for number in first["embedding"]), 1.0, abs_tol=1e-5)
    assert first["embedding"] != second["embedding"]


def test_an_embedding_in_base64_is_the_same_vector() -> None:
    body = {"model": "m", "input": "a"}
    plain = ask("/v1/embeddings", body)["data"][0]["embedding"]
    encoded = ask("/v1/embeddings", {**body, "encoding_format": "base64"})["data"][0]["embedding"]
    assert array.array("f", base64.b64decode(encoded)).tolist() == pytest.approx(plain)


def messages(**members: Any) -> dict[str, Any]:
    return ask("/v1/messages", {**REQUESTS["/v1/messages"][0], **members})


def test_a_message_that_is_longer_than_its_limit_is_cut_off() -> None:
    assert messages()["stop_reason"] == "end_turn"
    cut = messages(max_tokens=2)
    assert (cut["stop_reason"], cut["content"][0]["text"], cut["usage"]["output_tokens"]) == (
        "max_tokens",
        "You aske",
        2,
    )


def test_a_message_counts_the_cached_system_prompt_beside_its_input() -> None:
    system = [{"type": "text", "text": "x" * 400, "cache_control": {"type": "ephemeral"}}]
    seen = [messages(system=system, temperature=at / 10)["usage"] for at in range(10)]
    whole = {each["cache_creation_input_tokens"] + each["cache_read_input_tokens"] for each in seen}
    assert whole == {100}
    assert {each["cache_read_input_tokens"] for each in seen} == {0, 100}
    assert all(0 < each["input_tokens"] < 10 for each in seen)


def test_a_message_without_a_marked_prompt_has_nothing_to_do_with_the_cache() -> None:
    for each in (messages(temperature=at / 10)["usage"] for at in range(10)):
        assert (each["cache_creation_input_tokens"], each["cache_read_input_tokens"]) == (0, 0)
        assert each["input_tokens"] > 0
