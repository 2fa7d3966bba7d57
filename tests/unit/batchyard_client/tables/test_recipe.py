"""What is asked of each row, and what cannot be asked."""

import json
from typing import Any

import pytest

from batchyard_client.tables import Recipe, RecipeError, read, requests
from tests.unit.batchyard_client.tables.made import bodies

NOVA = "/model/amazon.nova-lite-v1:0/converse"
ROWS = read([{"text": 'a "b"\n%d', "image": "https://x/a.png", "n": 5}])
SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string"}},
    "required": ["mood"],
    "additionalProperties": False,
}


def asked(**options: Any) -> tuple[str, Any]:
    (line,) = requests(ROWS, Recipe(**options))
    found = json.loads(line)
    assert (found["custom_id"], found["method"]) == ("row-1", "POST")
    return found["url"], found["body"]


def test_a_prompt_is_a_chat() -> None:
    assert asked(model="m", prompt="Of {text} {n}%", system="Be {n} {{}}") == (
        "/v1/chat/completions",
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be 5 {}"},
                {"role": "user", "content": 'Of a "b"\n%d 5%'},
            ],
        },
    )


def test_a_prompt_for_responses() -> None:
    url, body = asked(
        model="m", prompt="{text}", system="S", image_column="image", schema=SCHEMA, endpoint="/v1/responses"
    )
    content = [
        {"type": "input_text", "text": 'a "b"\n%d'},
        {"type": "input_image", "image_url": "https://x/a.png"},
    ]
    told = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}
    assert (url, body) == (
        "/v1/responses",
        {"model": "m", "instructions": "S", "input": [{"role": "user", "content": content}], "text": {"format": told}},
    )
    assert asked(model="m", prompt="{n}", endpoint="/v1/responses")[1] == {"model": "m", "input": "5"}


def test_a_prompt_for_messages() -> None:
    url, body = asked(model="m", prompt="{text}", system="S {n}", schema=SCHEMA, endpoint="/v1/messages")
    said = [{"role": "user", "content": 'a "b"\n%d'}]
    told = {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert (url, body) == (
        "/v1/messages",
        {"model": "m", "system": "S 5", "max_tokens": 4_096, "messages": said, "output_config": told},
    )
    plain = asked(model="m", prompt="{n}", body={"max_tokens": 7}, endpoint="/v1/messages")[1]
    assert plain == {"model": "m", "max_tokens": 7, "messages": [{"role": "user", "content": "5"}]}


def test_a_schema_and_an_image_for_chats() -> None:
    _, body = asked(model="m", prompt="{text}", image_column="image", schema=SCHEMA)
    told = {"name": "answer", "schema": SCHEMA, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": told}
    assert body["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": "https://x/a.png"}}


def test_a_row_without_an_image_is_asked_without_one() -> None:
    table = read([{"text": "a", "image": ""}, {"text": "b", "image": "data:image/png;base64,xx"}, {"text": "c"}])
    recipe = Recipe(model="m", prompt="{text}", image_column="image", nulls="empty")
    assert [len(body["messages"][0]["content"]) for body in bodies(requests(table, recipe))] == [1, 2, 1]


def test_an_embedding() -> None:
    assert asked(model="e", embed="text", body={"dimensions": 8}) == (
        "/v1/embeddings",
        {"model": "e", "dimensions": 8, "input": 'a "b"\n%d'},
    )


@pytest.mark.parametrize(
    ("endpoint", "member"),
    [
        ("/v1/completions", "prompt"),
        ("/v1/images/generations", "prompt"),
        ("/v1/moderations", "input"),
        ("/v1/embeddings", "input"),
    ],
)
def test_endpoints_that_take_plain_text(endpoint: str, member: str) -> None:
    option = {"embed": "n"} if endpoint == "/v1/embeddings" else {"prompt": "{n}"}
    assert asked(model="m", endpoint=endpoint, **option) == (endpoint, {"model": "m", member: "5"})


def test_a_body_has_templates_in_its_texts_at_any_depth() -> None:
    body = {
        "model": "of-{n}",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "{text} {{x}}"}]}],
        "max_tokens": 5,
        "stop": None,
        "{n}": 1.5,
    }
    assert asked(body=body) == (
        "/v1/chat/completions",
        {
            "model": "of-5",
            "messages": [{"role": "user", "content": [{"type": "text", "text": 'a "b"\n%d {x}'}]}],
            "max_tokens": 5,
            "stop": None,
            "{n}": 1.5,
        },
    )
    assert asked(model="m", body={"model": "other", "input": "{n}"})[0] == "/v1/responses"
    assert asked(model="m", body={"model": "other", "input": "{n}"})[1]["model"] == "m"
    assert asked(model="m", prompt="{n}", body={"temperature": 0})[1]["temperature"] == 0


@pytest.mark.parametrize("url", [NOVA, "/model/amazon.nova-lite-v1%3A0/invoke"])
def test_an_endpoint_that_names_the_model_needs_no_other_name(url: str) -> None:
    body = {"messages": [{"role": "user", "content": [{"text": "{n}"}]}]}
    for model in ({}, {"model": "amazon.nova-lite-v1:0"}):
        found = asked(body=body, endpoint=url, **model)
        assert found == (url, {"messages": [{"role": "user", "content": [{"text": "5"}]}]})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "m"}, "Give a prompt, a body, or a column to embed"),
        ({"model": "m", "prompt": "{a}", "embed": "a"}, "Give prompt or embed, not both"),
        ({"prompt": "{a}"}, "Name a model"),
        ({"model": "", "prompt": "{a}"}, "Name a model"),
        ({"model": "m", "prompt": "the same"}, "No text names a column"),
        ({"model": "m", "prompt": "{a"}, "prompt: { stands alone"),
        ({"model": "m", "body": {"messages": [{"content": "{"}]}}, "body.messages[0].content: { stands alone"),
        ({"model": "m", "prompt": "{a}", "body": {"messages": []}}, "The body has 'messages'"),
        ({"model": "m", "prompt": "{a}", "nulls": "drop"}, "Take one of refuse, skip, empty"),
        ({"model": "m", "prompt": "{a}", "endpoint": "chat"}, "Write it as a path"),
        ({"model": "m", "prompt": "{a}", "endpoint": "/v1/rerank"}, "It is not known how /v1/rerank takes a prompt"),
        ({"model": "m", "body": {"x": "{a}"}, "endpoint": NOVA}, "names the model, and model is 'm'. Leave model out"),
        ({"prompt": "{a}", "endpoint": NOVA}, "takes a prompt. Give the body"),
        ({"body": {"x": "{a}"}, "endpoint": "/model/*/invoke"}, "is a pattern. Name one url"),
        ({"model": "m", "embed": "a", "endpoint": "/v1/responses"}, "embed needs /v1/embeddings"),
        ({"model": "m", "embed": "a", "system": "x"}, "system needs a prompt"),
        ({"model": "m", "body": {"x": "{a}"}, "image_column": "i"}, "image_column needs a prompt"),
        ({"model": "m", "embed": "a", "schema": SCHEMA}, "A schema needs"),
        (
            {"model": "m", "prompt": "{a}", "image_column": "i", "endpoint": "/v1/messages"},
            "image_column is not made for /v1/messages",
        ),
        ({"model": "m", "prompt": "{a}", "schema": {"type": "array"}}, "The schema must be of an object"),
    ],
)
def test_what_cannot_be_asked_is_told_at_once(options: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe(**options)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["body", "schema"])
@pytest.mark.parametrize("given", [[1], "x.json", 7])
def test_a_body_or_a_schema_that_is_no_dict_is_refused_by_its_name(name: str, given: Any) -> None:
    asked: dict[str, Any] = {"model": "m", "prompt": "{text}", name: given}
    with pytest.raises(RecipeError, match=f"{name} is a {type(given).__name__}. Give a dict"):
        Recipe(**asked)
