"""What a line must hold to be sent, and what its user is told if it does not."""

import json
from typing import Any, get_args, get_type_hints

import pytest
from openai.types import batch_create_params

from batchyard.domain.batch import BatchError
from batchyard.domain.nesting import MOST_LEVELS
from batchyard.lines.file_kinds import BOM
from batchyard.lines.line import (
    ENDPOINTS,
    Line,
    custom_id_of,
    diagnose,
    duplicate,
    embedding_inputs,
    fault_of,
    parse,
    too_long,
)
from tests.fakes.nested import DEPTHS, SHAPES, nested

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
GOOD: dict[str, Any] = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": BODY}


def line(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode() + b"\n"


def without(name: str) -> bytes:
    return json.dumps({member: value for member, value in GOOD.items() if member != name}).encode()


def around(member: bytes) -> bytes:
    """Put a member of raw bytes into a body that is otherwise good."""
    return b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m",%s}}' % member


def looked_at(text: bytes, endpoint: str | None = None) -> Line | BatchError:
    """Parse as the plan does."""
    try:
        found = parse(text)
    except ValueError:
        return diagnose(text)
    return fault_of(found, endpoint) or found


def fault(text: bytes, endpoint: str | None = None) -> BatchError:
    found = looked_at(text, endpoint)
    assert isinstance(found, BatchError), found
    assert found.line is None  # the plan knows the number
    return found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(line(), id="plain"),
        pytest.param(line().rstrip(b"\n"), id="no line end"),
        pytest.param(line().rstrip(b"\n") + b"\r\n", id="Windows line end"),
        pytest.param(b"  \t" + line().rstrip(b"\n") + b"  \r\n", id="white space around"),
        pytest.param(line(extra={"deep": [1, None]}, id=7), id="members we do not know"),
        pytest.param(line(body={**BODY, "stream": False}), id="stream false"),
        pytest.param(line(body={**BODY, "stream": None}), id="stream null"),
        pytest.param(around('"input":"a\u2028b\u0085c \U0001f682"'.encode()), id="separators that end no line"),
        pytest.param(around(b'"x":"\\ud83d\\ude82"'), id="a whole surrogate pair"),
        pytest.param(around(b'"x":' + b"9" * 5_000), id="a number of 5,000 digits that nobody reads"),
        pytest.param(around(b'"x":"\\u0000"'), id="NUL, escaped"),
        pytest.param(around(b'"x":' + b"[" * 500 + b"]" * 500), id="500 deep"),
        pytest.param(around(b'"x":' + nested(MOST_LEVELS - 2)), id="as deep as may be"),
        pytest.param(around(b'"input":' + nested(MOST_LEVELS - 2)), id="input as deep as may be"),
        pytest.param(around(b'"x":"' + b"[" * 100_000 + b'"'), id="100,000 brackets in a text"),
        pytest.param(around(b'"x":[' + b"[]," * 100_000 + b"1]"), id="100,000 arrays side by side"),
    ],
)
def test_a_line_the_provider_takes_is_taken(text: bytes) -> None:
    assert isinstance(looked_at(text), Line)


@pytest.mark.parametrize("name", ["custom_id", "method", "url", "body"])
@pytest.mark.parametrize("how", ["absent", "null"])
def test_a_missing_parameter_is_named(name: str, how: str) -> None:
    found = fault(without(name) if how == "absent" else line(**{name: None}))
    assert (found.code, found.param) == ("missing_required_parameter", name)
    assert f"'{name}'" in found.message
    assert "Add it" in found.message


@pytest.mark.parametrize(
    ("members", "named", "seems"),
    [
        ({"custom_id": "a", "params": {}}, "'method', 'url', 'body' are", "Anthropic's message batches"),
        ({"custom_id": "a", "response": {}, "error": None}, "'method', 'url', 'body' are", "a result of a batch"),
        ({"model": "m", "messages": []}, "'custom_id', 'method', 'url', 'body' are", "the body of a request alone"),
        ({"custom_id": "a", "url": "/v1/responses"}, "'method', 'body' are", ""),
    ],
)
def test_all_that_is_missing_is_named_at_once_with_what_the_line_seems_to_be(
    members: dict[str, Any], named: str, seems: str
) -> None:
    found = fault(json.dumps(members).encode())
    assert f"The required parameters {named} missing." in found.message
    assert ("looks like" in found.message) is bool(seems)
    assert seems in found.message
    assert found.message.endswith("Add them.")


@pytest.mark.parametrize(
    ("text", "code", "param", "remedy"),
    [
        pytest.param(line(custom_id=7), "invalid_type", "custom_id", "must be a string", id="custom_id a number"),
        pytest.param(line(custom_id=True), "invalid_type", "custom_id", "must be a string", id="custom_id a truth"),
        pytest.param(line(custom_id=["a"]), "invalid_type", "custom_id", "must be a string", id="custom_id a list"),
        pytest.param(line(custom_id=""), "invalid_value", "custom_id", "Give the line a unique one", id="no custom_id"),
        pytest.param(line(method=1), "invalid_type", "method", "must be a string", id="method a number"),
        pytest.param(line(method="GET"), "invalid_value", "method", "Change `method`", id="another method"),
        pytest.param(line(method="post"), "invalid_value", "method", "Change `method`", id="method in lower case"),
        pytest.param(line(url="/v1/chat"), "invalid_url", "url", "Change `url`", id="unknown endpoint"),
        pytest.param(line(url="/v1/responses/"), "invalid_url", "url", "Change `url`", id="endpoint with a slash"),
        pytest.param(line(url={}), "invalid_type", "url", "must be a string", id="url an object"),
        pytest.param(line(body="{}"), "invalid_type", "body", "must be an object", id="body a text"),
        pytest.param(line(body=[BODY]), "invalid_type", "body", "must be an object", id="body a list"),
        pytest.param(line(body={}), "invalid_request", "body.model", "Name one", id="no model"),
        pytest.param(line(body={"model": None}), "invalid_request", "body.model", "Name one", id="model null"),
        pytest.param(line(body={"model": ""}), "invalid_request", "body.model", "Name one", id="model empty"),
        pytest.param(line(body={"model": "m" * 1_001}), "invalid_request", "body.model", "longer", id="model endless"),
        pytest.param(line(body={"model": 4}), "invalid_type", "body.model", "must be a string", id="model a number"),
        pytest.param(
            line(body={**BODY, "stream": True}), "streaming_unsupported", "body.stream", "Remove `stream`", id="stream"
        ),
    ],
)
def test_a_wrong_member_is_named_with_its_code_and_remedy(text: bytes, code: str, param: str, remedy: str) -> None:
    found = fault(text)
    assert (found.code, found.param) == (code, param)
    assert remedy in found.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(BOM + line(), "Save the file as UTF-8 without BOM", id="byte order mark"),
        pytest.param(line()[:40], "Write one complete JSON object per line", id="truncated in a string"),
        pytest.param(line()[:-3], "Write one complete JSON object per line", id="truncated before the end"),
        pytest.param(b"{", "Write one complete JSON object per line", id="one brace"),
        pytest.param(b"hello", "Write one complete JSON object per line", id="no JSON"),
        pytest.param(line().rstrip(b"\n") * 2, "Write one complete JSON object per line", id="two in one line"),
        pytest.param(
            line().rstrip(b"\n") + b"\r" + line(), "Write one complete JSON object per line", id="old Mac line ends"
        ),
        pytest.param(line().rstrip(b"\n") + b",\n", "Write one complete JSON object per line", id="trailing comma"),
        pytest.param(b"[" + line().rstrip() + b"]", "Write one request object per line", id="an array"),
        pytest.param(b"null", "Write one request object per line", id="null"),
        pytest.param(b'"text"', "Write one request object per line", id="a text"),
        pytest.param(around(b'"x":NaN'), "such as NaN", id="NaN"),
        pytest.param(around(b'"input":-Infinity'), "such as NaN", id="minus infinity as input"),
        pytest.param(around(b'"x":"\\ud800"'), "lone surrogate", id="lone surrogate"),
        pytest.param(around(b'"\\udc00":1'), "lone surrogate", id="lone surrogate as a name"),
        pytest.param(b'{"custom_id":1,' + line().lstrip(b"{"), "names one parameter twice", id="custom_id twice"),
        pytest.param(around(b'"x":"a\x00b"'), "Invalid control character at character", id="NUL"),
        pytest.param(b"\x00" * 20, "Write one complete JSON object per line", id="only NUL"),
        pytest.param(around(b'"x":"a\tb"'), "Invalid control character", id="a bare tab"),
        pytest.param(b"[" * 1_000, "nested too deeply", id="1,000 deep and cut off"),
        pytest.param(b'{"custom_id":' + b"9" * 5_000 + b"}", "number too long", id="custom_id of 5,000 digits"),
        pytest.param(
            json.dumps(GOOD).encode("utf-16"), "it is UTF-16 text. Write the requests", id="UTF-16 with its mark"
        ),
        pytest.param(json.dumps(GOOD).encode("utf-16-le"), "Write one complete JSON object", id="UTF-16 without"),
        pytest.param(b"\x1f\x8b\x08\x00", "it is a gzip file. Write the requests", id="gzip"),
        pytest.param(b"PK\x03\x04\xff", "it is a zip or spreadsheet file. Write the requests", id="zip"),
        pytest.param(b"\xfd7zXZ\x00", "it is an xz file. Write the requests", id="xz"),
    ],
)
def test_what_is_no_json_is_an_invalid_json_line_with_a_remedy(text: bytes, said: str) -> None:
    found = fault(text)
    assert (found.code, found.param) == ("invalid_json_line", None)
    assert said in found.message


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", [depth for depth in DEPTHS if depth > MOST_LEVELS])
@pytest.mark.parametrize("member", [b"x", b"input", b"messages"])
def test_a_line_that_nests_too_deeply_is_refused_with_the_bound_and_keeps_its_name(
    member: bytes, depth: int, shape: str
) -> None:
    text = around(b'"%s":%s' % (member, nested(depth - 2, shape)))
    found = fault(text)
    assert (found.code, found.param) == ("invalid_json_line", None)
    assert found.message == (
        f"The line could not be read as JSON: it is nested too deeply, more than {MOST_LEVELS} levels. Flatten it."
    )
    assert custom_id_of(text) == "a"


WHOLE = (
    '{"custom_id":"é","method":"POST","url":"/v1/embeddings","body":{"model":"é","input":"é","x":"é","é":1}}'.encode()
)


@pytest.mark.parametrize("at", [at for at in range(len(WHOLE)) if WHOLE[at] >= 0x80])
def test_a_byte_that_is_not_utf8_is_found_wherever_it_stands(at: int) -> None:
    assert isinstance(looked_at(WHOLE), Line)
    found = fault(WHOLE[:at] + b"\xff" + WHOLE[at + 1 :])
    assert found.code == "invalid_json_line"
    assert "not UTF-8 at byte" in found.message


@pytest.mark.parametrize("encoded", [b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"])
def test_bytes_that_only_look_like_utf8_are_not(encoded: bytes) -> None:
    assert "not UTF-8" in fault(around(b'"skipped":"' + encoded + b'"')).message


def test_of_a_member_given_twice_the_last_counts_as_with_most_readers() -> None:
    text = b'{"custom_id":"a","custom_id":"b","method":"POST","url":"/v1/responses","body":{"model":"m","model":"n"}}'
    found = parse(text)
    assert (found.custom_id, found.body.model) == ("b", "n")
    assert json.loads(text)["custom_id"] == "b"


def test_a_wrong_value_given_twice_is_refused_whichever_comes_last() -> None:
    first = b'{"custom_id":1,"custom_id":"b","method":"POST","url":"/v1/responses","body":{"model":"m"}}'
    assert fault(first).code == "invalid_json_line"
    assert fault(first.replace(b'1,"custom_id":"b"', b'"b","custom_id":1')).param == "custom_id"


@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
def test_every_endpoint_of_the_batch_api_is_taken(endpoint: str) -> None:
    assert isinstance(looked_at(line(url=endpoint), endpoint), Line)


def test_a_line_for_another_endpoint_than_the_batch_s_is_refused_and_told_which() -> None:
    found = fault(line(), "/v1/responses")
    assert (found.code, found.param) == ("invalid_url", "url")
    assert "/v1/responses" in found.message


def test_a_duplicate_is_told_with_its_id_however_long_or_odd() -> None:
    assert duplicate("a").code == "duplicate_custom_id"
    assert "'a'" in duplicate("a").message
    assert len(duplicate("x" * 100_000).message) < 300
    assert "\n" not in duplicate("a\nb").message


def test_a_line_over_the_limit_is_told_both_sizes() -> None:
    found = too_long(3_000_000, 2_000_000)
    assert found.code == "invalid_request"
    assert "2,000,000" in found.message
    assert "3,000,000" in found.message
    assert found.message.endswith("Shorten it.")


@pytest.mark.parametrize(
    ("members", "inputs"),
    [
        (b'"input":"one text"', 1),
        (b'"input":["a"]', 1),
        (b'"input":  [ "a" , "b", "c" ]', 3),
        (b'"input":[1,2,3,4]', 1),
        (b'"input":[[1,2],[3],[4]]', 3),
        (b'"input":[]', 1),
        (b'"input":null', 1),
        (b'"x":1', 1),
    ],
)
def test_embedding_inputs_are_texts_and_token_lists_not_tokens(members: bytes, inputs: int) -> None:
    assert embedding_inputs(parse(around(members))) == inputs


def test_only_embeddings_have_embedding_inputs() -> None:
    assert embedding_inputs(parse(line(body={"model": "m", "input": ["a", "b"]}))) == 0


def test_the_endpoints_are_those_of_the_official_client() -> None:
    official = get_type_hints(batch_create_params.BatchCreateParams)["endpoint"]
    assert set(get_args(official)) <= ENDPOINTS
