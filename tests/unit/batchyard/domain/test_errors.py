"""The tree of errors, as its docstring draws it."""

import inspect
import re
from http import HTTPStatus

import pytest

from batchyard.domain import errors
from batchyard.domain.errors import ApiError, BatchyardError

OWN = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
KINDS = [kind for kind in OWN if issubclass(kind, Exception)]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn, path = {}, {0: "BatchyardError"}
    for indent, name in re.findall(r"^([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4 + 1
        path[depth] = name
        drawn[name] = path[depth - 1]
    assert drawn == {
        kind.__name__: kind.__base__.__name__ for kind in KINDS if kind.__base__ and kind is not BatchyardError
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_the_one_root(kind: type[BatchyardError]) -> None:
    assert issubclass(kind, BatchyardError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (HTTPStatus.BAD_REQUEST, "invalid_request_error"),
        (HTTPStatus.NOT_FOUND, "invalid_request_error"),
        (HTTPStatus.CONFLICT, "invalid_request_error"),
        (HTTPStatus.INTERNAL_SERVER_ERROR, "server_error"),
        (HTTPStatus.SERVICE_UNAVAILABLE, "server_error"),
    ],
)
def test_an_envelope_has_openai_s_four_members(status: HTTPStatus, kind: str) -> None:
    envelope = ApiError(status, "no").envelope()
    assert envelope == {"error": {"message": "no", "type": kind, "param": None, "code": None}}
