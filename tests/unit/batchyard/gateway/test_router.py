"""A path finds its one operation, however routes were added, or is told what is allowed there."""

from typing import Any

import pytest

from batchyard.domain.errors import ApiError
from batchyard.gateway.request import Request
from batchyard.gateway.router import Router


def request(method: str, path: str) -> Request:
    return Request({"rawPath": path, "requestContext": {"http": {"method": method}}})


@pytest.fixture
def router() -> Router:
    made = Router()

    def operation(_: Request) -> dict[str, Any]:
        return {}

    for method, path in (
        ("GET", "/things/{thing_id}"), ("POST", "/things/{thing_id}"), ("GET", "/things/new"),
        ("GET", "/things/{thing_id}/parts/{part_id}"), ("GET", "/models/{model+}"),
    ):  # fmt: skip
        made.add(method, path)(operation)
    return made


@pytest.mark.parametrize(
    ("path", "found", "parameters"),
    [
        ("/things/t1", "/things/{thing_id}", {"thing_id": "t1"}),
        ("/things/new", "/things/new", {}),  # although it was added after the route with a parameter
        ("/things/t%2F1", "/things/{thing_id}", {"thing_id": "t%2F1"}),
        ("/things/t1/parts/p-2", "/things/{thing_id}/parts/{part_id}", {"thing_id": "t1", "part_id": "p-2"}),
        ("/models/acme/kant-7b", "/models/{model+}", {"model": "acme/kant-7b"}),
        ("/models/acme%2Fkant-7b", "/models/{model+}", {"model": "acme/kant-7b"}),
    ],
)
def test_a_path_finds_its_route_and_parameters(
    router: Router, path: str, found: str, parameters: dict[str, str]
) -> None:
    route, given = router.find(request("GET", path))
    assert (route.path, given) == (found, parameters)


@pytest.mark.parametrize(
    "path", ["", "/", "/things", "/things/", "//things/t1", "/things/t1/", "/things/t\n1", "/things/\ud800", "/models/",
             "/things/" + "x" * 513, "/Things/t1", "/things/t1/parts/"],
)  # fmt: skip
def test_a_path_that_fits_no_route_is_not_found(router: Router, path: str) -> None:
    with pytest.raises(ApiError, match="Unknown request URL") as caught:
        router.find(request("GET", path))
    assert caught.value.status == 404


@pytest.mark.parametrize(("path", "allowed"), [("/things/t1", "GET, POST"), ("/things/new", "GET, POST")])
def test_a_method_that_a_path_has_not_is_refused_with_those_it_has(router: Router, path: str, allowed: str) -> None:
    with pytest.raises(ApiError, match=f"Not allowed to DELETE on {path}") as caught:
        router.find(request("DELETE", path))
    assert (caught.value.status, caught.value.headers["Allow"]) == (405, allowed)
