"""A refusal for the size of a file is told from every other one."""

import pytest

from batch_client import BadRequestError, FileTooLargeError
from batch_client.decode import batch_from
from batch_client.refusals import refusal

JSON = {"content-type": "application/json"}
PAGE = b"<html><head><title>413 Request Entity Too Large</title></head><body>nginx</body></html>"


def kind(status: int, body: bytes, content_type: str = "application/json") -> type[Exception]:
    return type(refusal(status, {"content-type": content_type}, body, 0.0))


@pytest.mark.parametrize("body", [PAGE, b"", b"{}", b'{"error": {"message": "no", "code": null}}', b"\xff"])
def test_413_says_that_a_file_is_too_large_whatever_its_body(body: bytes) -> None:
    assert kind(413, body, "text/html") is FileTooLargeError


@pytest.mark.parametrize(
    "message",
    [
        "File is too large",
        "File is too large.",
        "The file is too large: a batch input may have at most 5000 bytes.",
        "The uploaded file is too big",
        "File size exceeds the maximum of 100 MB",
        "Maximum file size exceeded",
        "Uploaded file exceeds the size limit",
        "The file exceeds 104857600 bytes",
        "Request body too large",
        "Payload too large",
        "The request is larger than 20 MB",
        "Batch file is too large (210 MB). Limit is 200 MB",
    ],
)
@pytest.mark.parametrize("code", [None, "invalid_request_error", "400", "BadRequest"])
def test_a_refusal_without_a_telling_code_is_known_by_its_words(message: str, code: str | None) -> None:
    body = repr({"error": {"message": message, "code": code}}).replace("None", "null").replace("'", '"').encode()
    assert kind(400, body) is FileTooLargeError


@pytest.mark.parametrize(
    "code",
    ["file_too_large", "request_too_large", "payload_too_large", "RequestEntityTooLarge", "max_file_size_exceeded"],
)
def test_a_code_says_so(code: str) -> None:
    assert kind(400, f'{{"error": {{"message": "no", "code": "{code}"}}}}'.encode()) is FileTooLargeError


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Cannot find file file-1, or project p does not have access to it.", "null"),
        ("The total size of all files exceeds the limit of 100 GB of your organization", "null"),
        ("File exceeds the storage quota of 10 GB", "null"),
        ("The request exceeds the context size of 8192 tokens", "null"),
        ("File is too large", '"rate_limit_exceeded"'),
        ("Invalid file format. Must be .jsonl", "null"),
        ("Too many requests", "null"),
        ("metadata is too long", "null"),
    ],
)
def test_other_refusals_are_none_of_it(message: str, code: str) -> None:
    assert kind(400, f'{{"error": {{"message": "{message}", "code": {code}}}}}'.encode()) is BadRequestError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "invalid_request", "message": "The input file is too large: at most 9 bytes."}, "file_too_large"),
        ({"code": "FileTooLarge", "message": "no"}, "file_too_large"),
        ({"code": "invalid_request", "message": "The file is too large.", "line": 3}, "invalid_request"),
        ({"code": "too_many_tasks", "message": "The file has too many requests."}, "too_many_tasks"),
    ],
)
def test_an_error_of_a_batch_has_the_code_of_its_meaning(error: dict[str, object], code: str) -> None:
    (read,) = batch_from({"id": "b", "status": "failed", "errors": {"data": [error]}}).errors
    assert read.code == code
