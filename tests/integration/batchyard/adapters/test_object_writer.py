"""An object on real S3, written in pieces and copied ranges, is the bytes that were given, in parts that S3 takes."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from batchyard.adapters.object_writer import (
    LARGEST_COPY,
    PART,
    PARTS_PER_SIZE,
    SMALLEST_PART,
    Begun,
    CompletedPart,
    Writer,
)
from batchyard.domain.errors import BatchyardError
from tests.fakes.batches import BUCKET

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket
    from batchyard.domain.batch import InputObject
    from tests.fakes.world import World

MB = 1024 * 1024


def filled(seed: int, size: int) -> bytes:
    return hashlib.shake_128(b"%d" % seed).digest(min(size, 65_521)) * (1 + size // 65_521)


def source(bucket: Bucket, seed: int, size: int) -> tuple[InputObject, bytes]:
    data = filled(seed, size)[:size]
    bucket.put(f"work/source-{seed}", data)
    return bucket.head(f"work/source-{seed}")[0], data


def crc32(data: bytes) -> str:
    return "CRC32:" + base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.fixture
def bucket(world: World) -> Bucket:
    return world.services.bucket


SIZES = [
    [], [1], [PART], [SMALLEST_PART - 1, PART + 1], [PART - 1, PART + SMALLEST_PART - 1, 9],
    [1, 1, PART + 2 * MB, 1, PART, 5],
]  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("copying", range(1, 3))
def test_what_was_written_and_copied_lies_there_in_order_with_the_checksum_of_the_whole(
    bucket: Bucket, sizes: list[int], copying: int
) -> None:
    given = [source(bucket, seed, size) for seed, size in enumerate(sizes)]
    with bucket.writer("results/r") as writer:
        for at, (pinned, data) in enumerate(given):
            if at % 2 == copying or copying == 2:
                writer.copy(pinned, zlib.crc32(data))
            else:
                writer.write(data)
    whole = b"".join(data for _, data in given)
    assert bucket.get("results/r") == whole
    assert writer.size == len(whole)
    assert bucket.head("results/r")[0].checksum == crc32(whole)
    assert writer.crc32 == zlib.crc32(whole)
    assert writer.sha256 in {None, hashlib.sha256(whole).hexdigest()}


def test_an_object_of_which_all_bytes_came_by_has_their_sha256_and_one_that_was_copied_has_none(
    bucket: Bucket,
) -> None:
    small, data = source(bucket, 1, PART - 1)
    with bucket.writer("results/small") as writer:
        writer.copy(small, zlib.crc32(data))
    assert writer.sha256 == hashlib.sha256(data).hexdigest()
    large, data = source(bucket, 2, PART)
    with bucket.writer("results/large") as writer:
        writer.copy(large, zlib.crc32(data))
    assert writer.sha256 is None


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_an_object_that_is_suspended_anywhere_is_continued_by_another_writer(bucket: Bucket, stop: int) -> None:
    given = [source(bucket, seed, size) for seed, size in enumerate([7, PART + MB, 2 * PART, 5, SMALLEST_PART, 9])]
    begun: Begun | None = None
    for part in (given[:stop], given[stop:], []):
        with bucket.writer("results/r", begun=begun) as writer:
            for at, (pinned, data) in enumerate(part):
                writer.copy(pinned, zlib.crc32(data)) if at % 2 else writer.write(data)
            begun = writer.suspend()
    with bucket.writer("results/r", begun=begun) as writer:
        pass
    whole = b"".join(data for _, data in given)
    assert bucket.get("results/r") == whole
    assert (writer.size, writer.sha256, writer.crc32) == (len(whole), None, zlib.crc32(whole))
    assert bucket.head("results/r")[0].checksum == crc32(whole)


def uploads() -> list[Any]:
    return list(boto3.client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


def give_up(writer: Writer) -> None:
    with writer:
        writer.write(bytes(PART))
        raise KeyboardInterrupt


def test_an_upload_that_failed_is_not_left_behind_unless_somebody_may_go_on_with_it(bucket: Bucket) -> None:
    with pytest.raises(KeyboardInterrupt):
        give_up(bucket.writer("results/r"))
    assert uploads() == []
    with bucket.writer("results/r") as writer:
        writer.write(bytes(PART))
        begun = writer.suspend()
    with pytest.raises(KeyboardInterrupt):
        give_up(bucket.writer("results/r", begun=begun))
    assert [each["UploadId"] for each in uploads()] == [begun.multipart_id]


def test_an_object_that_was_replaced_meanwhile_is_copied_as_it_was(bucket: Bucket) -> None:
    pinned, data = source(bucket, 1, PART)
    bucket.put(pinned.key, data[::-1])
    with bucket.writer("results/r") as writer:
        writer.copy(pinned, zlib.crc32(data))
    assert bucket.get("results/r") == data


class Counting:
    """An S3 client that only counts what it is asked for."""

    def __init__(self) -> None:
        self.copied: list[tuple[int, int]] = []
        self.sent: list[int] = []
        self.pins: set[tuple[str, str]] = set()

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"UploadId": "u"}

    def upload_part(self, *, Body: bytes, **_: Any) -> dict[str, str]:  # noqa: N803 - boto3's names
        self.sent.append(len(Body))
        return {"ETag": "e"}

    def upload_part_copy(self, *, CopySourceRange: str, **given: Any) -> dict[str, dict[str, str]]:  # noqa: N803 - as above
        self.pins.add((given["CopySource"]["VersionId"], given["CopySourceIfMatch"]))
        first, last = CopySourceRange.removeprefix("bytes=").split("-")
        self.copied.append((int(first), int(last) + 1))
        return {"CopyPartResult": {"ETag": "e"}}


def counted(bucket: Bucket, counting: Any, *, hashing: bool, begun: Begun | None = None) -> Writer:
    return Writer(counting, BUCKET, "results/r", bucket.chunks, bucket.put, hashing=hashing, begun=begun)


def test_a_huge_source_is_copied_in_steps_that_are_done_in_time_and_may_be_left_between_any_two(
    bucket: Bucket,
) -> None:
    counting: Any = Counting()
    size = 7 * LARGEST_COPY + PART
    pinned = bucket.head(source(bucket, 1, 5)[0].key)[0]
    writer = counted(bucket, counting, hashing=True)
    huge = type(pinned)(BUCKET, pinned.key, pinned.etag, size, pinned.version_id)
    reached = next(writer.copying(huge, 0))
    writer = counted(bucket, counting, hashing=True, begun=writer.suspend())
    assert list(writer.copying(huge, 0, reached))[-1] == size
    assert (counting.copied[0][0], counting.copied[-1][1], writer.size) == (0, size, size)
    assert all(stop == start for (_, stop), (start, _) in zip(counting.copied[:-1], counting.copied[1:], strict=True))
    assert counting.pins == {(pinned.version_id, pinned.etag)}
    assert all(SMALLEST_PART <= stop - start <= LARGEST_COPY for start, stop in counting.copied)


def test_parts_grow_so_that_ten_thousand_hold_much_and_one_more_is_refused_in_words(bucket: Bucket) -> None:
    counting: Any = Counting()
    many = counted(bucket, counting, hashing=False, begun=Begun("u", [CompletedPart("e")] * 9 * PARTS_PER_SIZE))
    many.write(bytes(9 * PART))
    assert counting.sent == []
    many.write(bytes(PART))
    assert counting.sent == [10 * PART]
    full = counted(bucket, counting, hashing=False, begun=Begun("u", [CompletedPart("e")] * 10_000))
    with pytest.raises(BatchyardError, match="10,000 parts"):
        full.write(bytes(11 * PART))
