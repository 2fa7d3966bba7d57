"""Uploading 200 MB to a server that forgets them, against openai-python from a stream of the same bytes.

The bytes come from a bucket, as in the product: both sides read them through boto3. What is left of the comparison when
they come from memory is told too; there nearly all is the kernel's work of sending.
"""

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from batch_client import BatchClient, ByteRanges, Source
from tests.benchmarks.measure import MB, Job, environment, interleaved
from tests.benchmarks.row import Row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SIZE = 200 * MB
PIECE = 64 * 1024  # what openai-python reads at a time
BLOCK = 256 * 1024  # what we ask a bucket's body for
APART = [(at * 16 * MB, 8 * MB) for at in range(25)]
PATIENCE = 5  # seconds the sink may take to end
CONTENT = bytes(range(32, 127)) * (PIECE // 95 + 1)


class Bucket:
    """The object to upload, read through boto3."""

    def __init__(self, base_url: str) -> None:
        import boto3  # noqa: PLC0415 - who uploads from memory must not hold it

        self._s3: S3Client = boto3.client(
            "s3", endpoint_url=base_url.removesuffix("/v1"), region_name="us-east-1",
            aws_access_key_id="made-up", aws_secret_access_key="made-up",
        )  # fmt: skip

    def __len__(self) -> int:
        return SIZE

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces(0, SIZE)

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        return cast("Iterator[bytes]", self.body(start, length).iter_chunks(BLOCK))

    def body(self, start: int, length: int) -> Any:
        return self._s3.get_object(Bucket="bucket", Key="key", Range=f"bytes={start}-{start + length - 1}")["Body"]


class RangeStream(io.RawIOBase):
    """Ranges of the object as one stream."""

    def __init__(self, bucket: Bucket) -> None:
        self._bodies = (bucket.body(start, length) for start, length in APART)
        self._body = next(self._bodies)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        data: bytes = self._body.read(size)
        while not data and (body := next(self._bodies, None)):
            self._body = body
            data = body.read(size)
        return data


class Memory:
    """Bytes at hand, in pieces."""

    def __len__(self) -> int:
        return SIZE

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, SIZE, PIECE):
            yield CONTENT[: min(PIECE, SIZE - at)]


class MemoryStream(io.RawIOBase):
    """The same bytes as a stream, which reads on and never back."""

    def __init__(self) -> None:
        self._left = SIZE

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        count = min(self._left, PIECE if size is None or size < 0 else size, PIECE)
        self._left -= count
        return CONTENT[:count]


def iterator(base_url: str) -> Callable[[], None]:
    """Prepare our upload from an object with a length and an iterator."""
    return _ours(base_url, Bucket(base_url))


def ranges(base_url: str) -> Callable[[], None]:
    """Prepare our upload of byte ranges that lie apart."""
    return _ours(base_url, ByteRanges(Bucket(base_url).pieces, APART))


def range_stream(base_url: str) -> Callable[[], None]:
    """Prepare the baseline of that: openai-python with a stream over the same ranges."""
    bucket = Bucket(base_url)
    return _theirs(base_url, lambda: RangeStream(bucket))


def stream(base_url: str) -> Callable[[], None]:
    """Prepare the baseline: openai-python with the body that boto3 gives."""
    bucket = Bucket(base_url)
    return _theirs(base_url, lambda: bucket.body(0, SIZE))


def memory_iterator(base_url: str) -> Callable[[], None]:
    """Prepare our upload from memory."""
    return _ours(base_url, Memory())


def memory_stream(base_url: str) -> Callable[[], None]:
    """Prepare openai-python's upload from memory."""
    return _theirs(base_url, MemoryStream)


def rows(*, full: bool) -> Iterator[Row]:
    """Compare the two forms of source with openai-python's upload."""
    with _sink() as base_url:
        names = ("iterator", "stream", "ranges", "range_stream", "memory_iterator", "memory_stream")
        found = interleaved({name: Job("upload", name, [base_url]) for name in names}, 9 if full else 5)
    for name, theirs in (("iterator", "stream"), ("ranges", "range_stream")):
        title = f"upload 200 MB from {name} of a bucket"
        yield Row.ratio(f"{title}: CPU / openai-python", found[name], found[theirs], 0.7)
        yield Row.memory(f"{title}: memory", found[name], 16 * MB)
    yield Row.memory("upload 200 MB with openai-python: memory", found["stream"])
    yield Row.ratio("upload 200 MB from memory: CPU / openai-python", found["memory_iterator"], found["memory_stream"])
    yield Row.memory("upload 200 MB from memory: memory", found["memory_iterator"], 16 * MB)


def _ours(base_url: str, source: Source) -> Callable[[], None]:
    client = BatchClient("sk-made-up", base_url)
    return lambda: _check(client.create_file(source, "f.jsonl").bytes)


def _theirs(base_url: str, source: Callable[[], Any]) -> Callable[[], None]:
    import openai  # noqa: PLC0415 - ours must not hold it in memory

    client = openai.OpenAI(api_key="sk-made-up", base_url=base_url, max_retries=0)
    return lambda: _check(client.files.create(file=("f.jsonl", cast("IO[bytes]", source())), purpose="batch").bytes)


def _check(received: int | None) -> None:
    if received is None or received < SIZE:
        raise AssertionError(f"the server received {received} bytes")


@contextmanager
def _sink() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.sink"]
    with subprocess.Popen(  # noqa: S603 - our own module
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sink:
        if sink.stdin is None or sink.stdout is None:
            raise AssertionError("the sink has no pipes")
        try:
            yield f"http://127.0.0.1:{int(sink.stdout.readline())}/v1"
        finally:
            sink.stdin.close()
            sink.wait(PATIENCE)
