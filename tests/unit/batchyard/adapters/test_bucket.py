"""A range of an object arrives whole, or its reader is told; a body that breaks off is gone on with where it ended."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from batchyard.adapters import bucket
from batchyard.adapters.bucket import Bucket
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import StoreError

DATA = bytes(range(256)) * 10
SOURCE = InputObject("bucket", "key", '"etag"', len(DATA))


class Body(BytesIO):
    """A body that ends, or that times out where it would end."""

    def __init__(self, data: bytes, *, raising: bool) -> None:
        super().__init__(data)
        self.raising = raising

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece and self.raising:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1")
        return piece


class BreakingS3:
    """An S3 whose bodies end after so many bytes, in turn; None is all of them."""

    def __init__(self, ends: list[int | None], *, raising: bool) -> None:
        self._ends, self._raising = iter(ends), raising
        self.asked: list[str] = []

    def get_object(self, *, Range: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.asked.append(Range)
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        return {"Body": Body(DATA[first : last + 1][: next(self._ends, None)], raising=self._raising)}

    def read(self, size: int) -> Iterator[bytes]:
        bucket: Any = self
        return Bucket("bucket", bucket).chunks(SOURCE, 5, 2_005, size)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "PIECE", 64)


@pytest.mark.parametrize("raising", [False, True])
@pytest.mark.parametrize(
    ("ends", "asked"),
    [
        ([], ["5-1004", "1005-2004"]),
        ([100], ["5-1004", "105-1004", "1005-2004"]),
        ([0, 0, 64, 0], ["5-1004", "5-1004", "5-1004", "69-1004", "69-1004", "1005-2004"]),
        ([None, 999], ["5-1004", "1005-2004", "2004-2004"]),
    ],
)
def test_of_a_body_that_breaks_off_only_the_rest_is_asked_for(
    ends: list[int | None], asked: list[str], raising: bool
) -> None:
    s3 = BreakingS3(ends, raising=raising)
    assert b"".join(s3.read(1_000)) == DATA[5:2_005]
    assert [each.removeprefix("bytes=") for each in s3.asked] == asked


@pytest.mark.parametrize("raising", [False, True])
@pytest.mark.parametrize("ends", [[0, 0, 0], [100, 0, 0], [None, 0, 0, 0]])
def test_bodies_that_bring_nothing_three_times_are_an_error(ends: list[int | None], raising: bool) -> None:
    with pytest.raises(StoreError):
        list(BreakingS3(ends, raising=raising).read(1_000))


def test_the_bytes_come_in_small_pieces_of_few_requests() -> None:
    s3 = BreakingS3([], raising=False)
    assert max(map(len, s3.read(1_000))) == bucket.PIECE
    assert len(s3.asked) == 2
