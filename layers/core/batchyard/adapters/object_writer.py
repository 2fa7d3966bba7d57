"""One object written in pieces: bytes of ours, and ranges of other objects that S3 copies by itself."""

from __future__ import annotations

import hashlib
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from batchyard.adapters import checksums
from batchyard.adapters.aws import translated
from batchyard.domain.errors import BatchyardError, UploadGone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

    from batchyard.domain.batch import InputObject

    Read = Callable[[InputObject, int, int], Iterator[bytes]]
    Put = Callable[[str, bytes], None]

# "Amazon S3 multipart upload limits": at most 10,000 parts of 5 MiB to 5 GiB; the last part may be smaller.
SMALLEST_PART: Final = 5 * 1024 * 1024
MOST_PARTS: Final = 10_000
PART: Final = 8 * 1024 * 1024
PARTS_PER_SIZE: Final = (
    1_000  # parts grow after every thousand, so that 10,000 parts reach 430 GiB, and far more with copies
)
LARGEST_COPY: Final = 512 * 1024 * 1024  # S3 copies this well within the time-out of a request
# S3 makes the checksum of the whole object from the checksums of sent and copied parts.
CHECKSUM: Final = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}


class CompletedPart(msgspec.Struct, frozen=True):
    """A part as S3 knows it."""

    etag: str
    #: None if S3 did not say.
    crc32: str | None = None


class Begun(msgspec.Struct, frozen=True):
    """An object that is written in part: all a writer in another process needs to go on. `held` was not sent yet.

    `crc32` is that of the bytes written and of the objects copied to their end so far.
    """

    #: The multipart upload to S3; None if nothing was sent yet.
    multipart_id: str | None = None
    parts: list[CompletedPart] = []
    #: Bytes that are not sent yet.
    held: bytes = b""
    #: Bytes of the object so far.
    size: int = 0
    crc32: int = 0


class Writer:
    """Write one object of any size with the memory of one part; tell its size, CRC-32 and, if nothing was copied, SHA-256."""

    def __init__(
        self, s3: S3Client, bucket: str, key: str, read: Read, put: Put, *, hashing: bool, begun: Begun | None = None
    ) -> None:
        """Prepare, or go on where another writer was suspended; nothing is sent before the first part is full.

        `read` reads a range of another object, and `put` writes a small object in one request.
        """
        self._s3, self._bucket, self.key, self._read, self._put = s3, bucket, key, read, put
        self._kept = begun is not None  # somebody may go on with this upload after us
        begun = begun or Begun()
        self._multipart_id, self._parts, self.size = begun.multipart_id, list(begun.parts), begun.size
        self.crc32 = begun.crc32
        self._held, self._held_bytes = [begun.held], len(begun.held)
        self._digest = hashlib.sha256() if hashing and not self._kept else None
        self._ended = False

    @property
    def sha256(self) -> str | None:
        """Return the digest of the bytes so far, in hex; None if it was not wanted, or bytes were copied by S3."""
        return self._digest.hexdigest() if self._digest else None

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self.crc32 = zlib.crc32(data, self.crc32)
        self._append(data)

    def _append(self, data: bytes) -> None:
        if self._digest:
            self._digest.update(data)
        self.size += len(data)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes >= self._part:
            self._send_part()

    def copying(self, source: InputObject, crc32: int, start: int = 0) -> Iterator[int]:
        """Append another object of the bucket from `start` on, and yield how far it came after each step of bounded size.

        The bytes of a large object never come here, so `crc32` is its own. The writer may be suspended between two steps.
        """
        while start < source.size:
            stop = min(start + LARGEST_COPY, source.size)
            self._copy(source, start, stop)
            start = stop
            if start == source.size:
                self.crc32 = checksums.joined(self.crc32, crc32, source.size)
            yield start

    def copy(self, source: InputObject, crc32: int) -> None:
        """Append all bytes of another object of the bucket."""
        for _ in self.copying(source, crc32):
            pass

    def copy_range(self, source: InputObject, start: int, size: int, crc32: int) -> None:
        """Append bytes of another object of the bucket, as many as S3 copies in one request at most."""
        self._copy(source, start, start + size)
        self.crc32 = checksums.joined(self.crc32, crc32, size)

    def suspend(self) -> Begun:
        """Leave the object unfinished for another writer; this one writes no more."""
        self._ended = True
        return Begun(self._multipart_id, self._parts, b"".join(self._held), self.size, self.crc32)

    def discard(self) -> None:
        """Leave nothing of the object, whoever began it; nobody goes on with it."""
        if self._multipart_id:
            with suppress(UploadGone), translated(f"aborting s3://{self._bucket}/{self.key}"):
                self._s3.abort_multipart_upload(**self._where())

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the object, or leave nothing behind but a suspended object; do nothing if it is complete."""
        if self._ended:
            return
        if error_type is None:
            self._complete()
            self._ended = True
        elif self._multipart_id and not self._kept:
            with translated(f"aborting s3://{self._bucket}/{self.key}"):
                self._s3.abort_multipart_upload(**self._where())

    @property
    def _part(self) -> int:
        return PART * (1 + len(self._parts) // PARTS_PER_SIZE)

    def _where(self) -> Any:  # noqa: ANN401 - unpacked into calls that take these three among others
        return {"Bucket": self._bucket, "Key": self.key, "UploadId": self._multipart_id}

    def _next(self) -> Any:  # noqa: ANN401 - unpacked, as above
        if self._multipart_id is None:
            made = self._s3.create_multipart_upload(Bucket=self._bucket, Key=self.key, **CHECKSUM)  # type: ignore[arg-type]  # literals
            self._multipart_id = made["UploadId"]
        if len(self._parts) == MOST_PARTS:
            raise BatchyardError(f"s3://{self._bucket}/{self.key} is larger than {MOST_PARTS:,} parts can hold")
        return {**self._where(), "PartNumber": len(self._parts) + 1}

    def _send_part(self) -> None:
        body = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        with translated(f"writing s3://{self._bucket}/{self.key}"):
            sent = self._s3.upload_part(**self._next(), Body=body)
        self._parts.append(CompletedPart(sent["ETag"], sent.get("ChecksumCRC32")))

    def _copy(self, source: InputObject, start: int, stop: int) -> None:
        # The bytes that are held must become a part before S3 copies the next one.
        missing = max(0, SMALLEST_PART - self._held_bytes) if self._held_bytes else 0
        begin = start + missing if stop - start - missing >= self._part else stop
        for chunk in self._read(source, start, begin):
            self._append(chunk)
        if begin < stop:
            if self._held_bytes:
                self._send_part()
            self._copy_part(source, begin, stop)

    def _copy_part(self, source: InputObject, start: int, stop: int) -> None:
        given: Any = {"Bucket": source.bucket, "Key": source.key}
        if source.version_id:
            given["VersionId"] = source.version_id
        with translated(f"copying {source.uri} to s3://{self._bucket}/{self.key}"):
            copied = self._s3.upload_part_copy(
                **self._next(),
                CopySource=given,
                CopySourceIfMatch=source.etag,
                CopySourceRange=f"bytes={start}-{stop - 1}",
            )["CopyPartResult"]
        self._parts.append(CompletedPart(copied["ETag"], copied.get("ChecksumCRC32")))
        self._digest = None
        self.size += stop - start

    def _complete(self) -> None:
        if self._multipart_id is None:
            self._put(self.key, b"".join(self._held))
            return
        if self._held_bytes:
            self._send_part()
        with translated(f"completing s3://{self._bucket}/{self.key}"):
            self._s3.complete_multipart_upload(**self._where(), MultipartUpload={"Parts": shown(self._parts)})


def shown(parts: Iterable[CompletedPart]) -> Any:  # noqa: ANN401 - members of a request
    """Return the parts in the form of a request, numbered from 1; an unknown checksum is left out."""
    rows = ({"PartNumber": at, "ETag": part.etag, "ChecksumCRC32": part.crc32} for at, part in enumerate(parts, 1))
    return [{name: value for name, value in row.items() if value is not None} for row in rows]
