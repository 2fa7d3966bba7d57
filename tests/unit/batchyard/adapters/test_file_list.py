"""Files that are read as one input: any range of it, from those files alone that have a part of it."""

import random

import pytest

from batchyard.adapters import file_list
from batchyard.adapters.file_list import FileList, GatheredFile, pack_files
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import NotFound
from batchyard.lines.byte_ranges import ByteRanges
from tests.fakes.batches import BUCKET
from tests.fakes.bucket import MemoryBucket

SIZES = [3, 0, 10, 1, 0, 0, 25, 7]


def gathered(sizes: list[int], chunk: int = 4) -> tuple[MemoryBucket, InputObject, bytes]:
    bucket = MemoryBucket(chunk=chunk)
    files, whole = [], b""
    for at, size in enumerate(sizes):
        data = bytes(random.Random(at).choices(b"abcdefgh\n", k=size))  # noqa: S311 - any bytes
        bucket.put(f"gather/t/n/{at}", data)
        files.append(GatheredFile(str(at), bucket.head(f"gather/t/n/{at}")[0].etag, size, "v1", at))
        whole += data + b"\n"
    bucket.put("list", pack_files(files))
    return bucket, InputObject(BUCKET, "gather/t/n/", "e", len(whole), files="list", file_count=len(files)), whole


@pytest.mark.parametrize("small", [0, 5, 1_000], ids=["none ahead", "some", "all"])
def test_every_range_has_the_bytes_of_the_files_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(file_list, "SMALL", small)
    bucket, source, whole = gathered(SIZES)
    assert source.size == len(whole)
    for start in range(len(whole)):
        for stop in range(start, len(whole) + 1, 3):
            assert b"".join(bucket.chunks(source, start, stop)) == whole[start:stop]
    assert b"".join(bucket.chunks(source)) == whole


def test_no_chunk_has_bytes_of_two_files() -> None:
    bucket, source, _ = gathered(SIZES, chunk=100)
    ends = {start - 1 for start in bucket.file_list(source).starts[1:]}
    at = 0
    for chunk in bucket.chunks(source):
        assert not any(at <= end < at + len(chunk) - 1 for end in ends)
        at += len(chunk)


def test_ranges_are_read_from_the_files_alone_that_have_them() -> None:
    bucket, source, whole = gathered([10] * 30)
    for gone in (1, 2, 17):
        del bucket.stored[f"gather/t/n/{gone}"]
    ranges = [(0, 4), (6, 11), (33, 40), (41, 60), (200, 330)]
    wanted = [
        (start, stop)
        for start, stop in ranges
        if not any(start < 11 * gone + 11 and 11 * gone < stop for gone in (1, 2, 17))
    ]
    assert b"".join(ByteRanges(bucket, source, wanted)) == b"".join(whole[start:stop] for start, stop in wanted)
    with pytest.raises(NotFound):
        b"".join(bucket.chunks(source, 0, 30))


def test_what_is_ahead_is_bounded() -> None:
    _, source, _ = gathered([1] * 5)
    under_way = list[str]()
    files = FileList(source, [GatheredFile(str(at), "e", 1, None, 0) for at in range(1_000)])

    def read(part: file_list.FilePart) -> list[bytes]:
        under_way.append(part.source.key)
        return [b"x"]

    chunks = files.read([(0, 2_000)], read)
    assert next(chunks) == b"x\n"
    assert len(under_way) <= file_list.AHEAD + 1
    assert b"".join(chunks) == b"x\n" * 999
