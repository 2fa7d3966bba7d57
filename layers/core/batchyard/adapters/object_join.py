"""Many objects as one, several of which are read at a time: joined into one object, or read one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate, count, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import msgspec

from batchyard.adapters.aws import translated
from batchyard.adapters.object_writer import CHECKSUM, PART, CompletedPart, shown
from batchyard.domain.batch import InputObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

    ReadPart = Callable[["FilePart"], Iterable[bytes]]

WORKERS: Final = 6
READERS: Final = 8  # of files, at a time
AHEAD: Final = 16  # files that are read before they are asked for
SMALL: Final = 512 * 1024  # bytes of a file, at most, that is read ahead
LINE_END: Final = b"\n"


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


class GatheredFile(msgspec.Struct, frozen=True, array_like=True):
    """One version of one file of a gather folder."""

    #: Its name below the folder.
    name: str
    etag: str
    #: Bytes.
    size: int
    version_id: str | None
    #: When the file came, in Unix seconds.
    at: int


class FilePart(NamedTuple):
    """Bytes of a file: ranges `[start, stop)`, which ascend, and then perhaps a line end of ours."""

    source: InputObject
    ranges: list[tuple[int, int]]
    ends: bool

    @property
    def size(self) -> int:
        """Return how many bytes are read at most."""
        return self.ranges[-1][1] - self.ranges[0][0] if self.ranges else 0


class FileList:
    """The files of a gathered input. They are read one after the other, with a line end of ours behind each of them."""

    def __init__(self, source: InputObject, files: list[GatheredFile]) -> None:
        """Take the input, and the files that its list names."""
        self._source, self.files = source, files
        #: The byte of the input at which each file begins, and at last the size of the input.
        self.starts = list(accumulate((file.size + 1 for file in files), initial=0))

    @classmethod
    def unpack(cls, source: InputObject, data: bytes) -> FileList:
        """Decode a list that `pack_files` encoded."""
        return cls(source, msgspec.msgpack.decode(data, type=list[GatheredFile]))

    def __len__(self) -> int:
        """Count the files."""
        return len(self.files)

    def file(self, at: int) -> InputObject:
        """Return the object of a file."""
        file = self.files[at]
        return InputObject(
            self._source.bucket, self._source.key + file.name, file.etag, file.size, version_id=file.version_id
        )

    def read(self, ranges: Iterable[tuple[int, int]], read: ReadPart) -> Iterator[bytes]:
        """Yield the bytes of ranges of the input, with the help of `read`, which reads those of one file.

        No chunk has bytes of two files, and no file without such bytes is read. Some small parts are read ahead, so memory is
        bounded.
        """
        waiting = deque[Future[bytes]]()
        with ThreadPoolExecutor(READERS) as readers:
            for part in self._parts(ranges):
                if part.size <= SMALL:
                    waiting.append(readers.submit(_whole, part, read))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                    continue
                while waiting:
                    yield waiting.popleft().result()
                yield from read(part)
                yield from [LINE_END] if part.ends else []
            while waiting:
                yield waiting.popleft().result()

    def _parts(self, ranges: Iterable[tuple[int, int]]) -> Iterator[FilePart]:
        """Part ranges of the input, which ascend, by file."""
        at, own, ends = -1, list[tuple[int, int]](), False
        for first, stop in ranges:
            start = first
            while start < stop:
                file = bisect_right(self.starts, start) - 1
                if file != at and at >= 0:
                    yield FilePart(self.file(at), own, ends)
                    own, ends = [], False
                at, begin, size = file, self.starts[file], self.files[file].size
                end = min(stop, self.starts[file + 1])
                if start - begin < size:
                    own.append((start - begin, min(size, end - begin)))
                start, ends = end, end - begin > size
        if at >= 0:
            yield FilePart(self.file(at), own, ends)


def _whole(part: FilePart, read: ReadPart) -> bytes:
    return b"".join((*read(part), LINE_END if part.ends else b""))


def pack_files(files: Sequence[GatheredFile]) -> bytes:
    """Encode a list of files."""
    return msgspec.msgpack.encode(files)


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
