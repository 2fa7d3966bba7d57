"""A tenant finds its own records by their ids; any other text is answered as if there were nothing."""

from http import HTTPStatus
from typing import NamedTuple

import pytest

from batchyard.api.tenancy import own
from batchyard.domain.errors import ApiError, NotFound, StoreError

IDS = r"thing_[0-9]+"


class Thing(NamedTuple):
    """A record."""

    name: str
    tenant: str


def read(name: str) -> Thing:
    if name == "thing_0":
        raise NotFound(name)
    if name == "thing_9":
        raise StoreError(name)
    return Thing(name, "theirs" if name == "thing_2" else "ours")


def unknown(name: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, f"No {name}.")


def test_what_is_the_tenants_is_found() -> None:
    assert own("ours", "thing_1", IDS, read, unknown) == Thing("thing_1", "ours")


@pytest.mark.parametrize("wanted", ["thing_0", "thing_2", "thing_9\n", "thing_x" * 500, ""])
def test_what_is_not_there_or_anothers_or_no_id_is_unknown_in_the_same_words(wanted: str) -> None:
    with pytest.raises(ApiError) as caught:
        own("ours", wanted, IDS, read, unknown)
    assert (caught.value.status, str(caught.value)) == (HTTPStatus.NOT_FOUND, f"No {wanted}.")


def test_a_table_that_fails_is_not_taken_for_one_that_has_nothing() -> None:
    with pytest.raises(StoreError):
        own("ours", "thing_9", IDS, read, unknown)
