"""What was read and has not changed is not sent again."""

from http import HTTPStatus

import pytest

from batchyard.gateway.response import Response, comparable, json_response


def test_json_has_an_etag_and_is_not_sent_again_to_who_has_it() -> None:
    answer = json_response({"data": [1]})
    first = comparable(answer, None)
    assert (first.status, first.body) == (HTTPStatus.OK, answer.body)
    again = comparable(answer, first.headers["ETag"])
    assert (again.status, again.body, again.headers["ETag"]) == (HTTPStatus.NOT_MODIFIED, b"", first.headers["ETag"])
    assert again.payload({})["body"] == ""


def test_what_has_changed_is_sent() -> None:
    before = comparable(json_response({"data": [1]}), None).headers["ETag"]
    changed = comparable(json_response({"data": [2]}), before)
    assert (changed.status, changed.headers["ETag"] != before) == (HTTPStatus.OK, True)


@pytest.mark.parametrize(
    "response", [Response(b"bytes", content_type="application/octet-stream"), Response(b"{}", HTTPStatus.FOUND)]
)
def test_files_and_redirects_have_none(response: Response) -> None:
    assert comparable(response, None) == response
