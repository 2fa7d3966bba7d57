"""Many objects joined into one, several of which are read at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from batchyard.adapters.aws import translated
from batchyard.adapters.object_writer import CHECKSUM, PART, CompletedPart, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

WORKERS: Final = 6


class SmallObject(NamedTuple):
    """An object to be joined with others."""

    key: str
    #: Bytes.
    size: int


class ObjectJoin:
    """Write one object, which appears when the block ends without an error. Memory is six parts of about 8 MiB."""

    def __init__(self, s3: S3Client, bucket: str, key: str, tagging: Mapping[str, str]) -> None:
        """Keep the arguments; nothing is sent yet."""
        self._s3, self._bucket, self._key, self._tagging = s3, bucket, key, tagging
        self._multipart_id = ""
        self._parts: list[CompletedPart] = []
        self.version_id: str | None = None

    def take(self, sources: Sequence[SmallObject]) -> Iterator[bytes]:
        """Append objects in their order, and yield their bytes."""
        numbers = count(1)
        waiting = _groups(sources)
        with ThreadPoolExecutor(WORKERS) as workers:
            while wave := list(islice(waiting, WORKERS)):
                pieces = list(workers.map(self._read, wave))
                yield from pieces
                self._parts += workers.map(self._send, islice(numbers, len(pieces)), pieces)

    def __enter__(self) -> Self:
        """Begin the multipart upload."""
        with translated(f"beginning s3://{self._bucket}/{self._key}"):
            begin: Any = {"Bucket": self._bucket, "Key": self._key, **self._tagging, **CHECKSUM}
            self._multipart_id = self._s3.create_multipart_upload(**begin)["UploadId"]
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the object, or abort the upload after an error."""
        if error_type is not None:
            with translated(f"aborting s3://{self._bucket}/{self._key}"):
                self._s3.abort_multipart_upload(**self._where())
            return
        with translated(f"completing s3://{self._bucket}/{self._key}"):
            done = self._s3.complete_multipart_upload(**self._where(), MultipartUpload={"Parts": shown(self._parts)})
        self.version_id = done.get("VersionId")

    def _read(self, group: Sequence[SmallObject]) -> bytes:
        with translated(f"reading parts of s3://{self._bucket}/{self._key}"):
            return b"".join(self._s3.get_object(Bucket=self._bucket, Key=source.key)["Body"].read() for source in group)

    def _send(self, number: int, piece: bytes) -> CompletedPart:
        with translated(f"writing s3://{self._bucket}/{self._key}"):
            sent = self._s3.upload_part(**self._where(), PartNumber=number, Body=piece)
        return CompletedPart(sent["ETag"], sent.get("ChecksumCRC32"))

    def _where(self) -> Any:  # noqa: ANN401 - unpacked into calls that take these three among others
        return {"Bucket": self._bucket, "Key": self._key, "UploadId": self._multipart_id}


def _groups(sources: Sequence[SmallObject]) -> Iterator[list[SmallObject]]:
    """Group neighbours until a group is large enough for a part."""
    group: list[SmallObject] = []
    for source in sources:
        group.append(source)
        if sum(each.size for each in group) >= PART:
            yield group
            group = []
    if group:
        yield group
