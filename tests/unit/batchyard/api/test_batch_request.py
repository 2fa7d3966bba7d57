"""What `POST /v1/batches` refuses, with OpenAI's codes."""

from http import HTTPStatus

import pytest

from batchyard.api.batch_request import check
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import ApiError, invalid_request
from batchyard.lines.line import ENDPOINTS
from batchyard.providers.windows import Windows

GOOD: dict[str, object] = {"input_file_id": "s3://b/k", "endpoint": "/v1/responses", "completion_window": "24h"}
WINDOWS = [Windows(("24h", "7d"))]
ABSENT = "absent"


def refused(body: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        check(body, WINDOWS)
    assert caught.value.status is HTTPStatus.BAD_REQUEST
    return caught.value


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": {f"k{at}": "v" for at in range(16)}},
        {"metadata": {"k" * 64: "v" * 512}},
        {"metadata": {"k": ""}},
        {"output_expires_after": None},
        {"output_expires_after": {"anchor": "created_at", "seconds": 3_600}},
        {"output_expires_after": {"anchor": "created_at", "seconds": 2_592_000}},
        {"completion_window": "7d"},
        {"input_file_id": ""},
        *({"endpoint": endpoint} for endpoint in sorted(ENDPOINTS)),
        {"endpoint": "*"},
    ],
    ids=str,
)
def test_a_body_openai_takes_is_returned_as_it_is(changes: dict[str, object]) -> None:
    assert check({**GOOD, **changes}, WINDOWS).body == {**GOOD, **changes}


def test_a_star_has_the_lines_say_their_endpoints() -> None:
    assert check({**GOOD, "endpoint": "*"}, WINDOWS).members()["endpoint"] is None


def test_our_options_are_taken_with_hyphens_too() -> None:
    assert check({**GOOD, "dry-run": True, "other": 1}, WINDOWS).body == {**GOOD, "dry_run": True, "other": 1}
    assert refused({**GOOD, "dry-run": "yes"}).param == "dry_run"
    assert refused({**GOOD, "dry-run": True, "dry_run": False}).code == "invalid_value"


def test_a_member_that_was_meant_to_be_an_option_is_refused() -> None:
    error = refused({**GOOD, "dryrun": True})
    assert (error.code, error.param) == ("unknown_parameter", "dryrun")
    assert str(error) == "Unknown parameter: 'dryrun'. Did you mean 'dry_run'?"


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        *(({name: ABSENT}, "missing_required_parameter", name) for name in GOOD),
        *(({name: None}, "missing_required_parameter", name) for name in GOOD),
        *(({name: 7}, "invalid_type", name) for name in GOOD),
        *(({name: ["x"]}, "invalid_type", name) for name in GOOD),
        ({"endpoint": "/v1/chat/complete"}, "invalid_value", "endpoint"),
        ({"endpoint": ""}, "invalid_value", "endpoint"),
        ({"completion_window": "1h"}, "invalid_value", "completion_window"),
        ({"completion_window": ""}, "invalid_value", "completion_window"),
        ({"metadata": "text"}, "invalid_type", "metadata"),
        ({"metadata": [["k", "v"]]}, "invalid_type", "metadata"),
        ({"metadata": {"run": 7}}, "invalid_type", "metadata.run"),
        ({"metadata": {"run": None}}, "invalid_type", "metadata.run"),
        ({"metadata": {f"k{at}": "v" for at in range(17)}}, "invalid_value", "metadata"),
        ({"metadata": {"": "v"}}, "invalid_value", "metadata."),
        ({"metadata": {"k" * 65: "v"}}, "string_above_max_length", "metadata." + "k" * 64),
        ({"metadata": {"k": "v" * 513}}, "string_above_max_length", "metadata.k"),
        ({"output_expires_after": 3_600}, "invalid_value", "output_expires_after"),
        ({"output_expires_after": {}}, "invalid_value", "output_expires_after"),
        ({"output_expires_after": {"seconds": 3_600}}, "invalid_value", "output_expires_after"),
        *(
            ({"output_expires_after": {"anchor": "created_at", "seconds": seconds}}, "invalid_value", "output_expires_after")
            for seconds in (3_599, 2_592_001, "3600", 3_600.0, True, None)
        ),
        ({"output_expires_after": {"anchor": "completed_at", "seconds": 3_600}}, "invalid_value", "output_expires_after"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_member_is_named_with_openai_s_code(changes: dict[str, object], code: str, param: str) -> None:
    body = {name: value for name, value in {**GOOD, **changes}.items() if value is not ABSENT}
    error = refused(body)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize("body", [None, [], "text", 7, True])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert refused(body).code == "invalid_type"


def test_the_supported_values_are_told() -> None:
    error = refused({**GOOD, "endpoint": "/v1/" + "x" * 10_000})
    assert all(endpoint in str(error) for endpoint in ENDPOINTS)
    assert len(str(error)) < 600
    assert "'24h' or '7d'" in str(refused({**GOOD, "completion_window": "1h"}))


def test_a_refusal_is_a_400_in_openai_s_envelope() -> None:
    assert invalid_request(BatchError("c", "m", "p")).envelope() == {
        "error": {"message": "m", "type": "invalid_request_error", "param": "p", "code": "c"}
    }
