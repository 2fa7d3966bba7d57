"""The data bucket and the objects of files, in one dictionary."""

import base64
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self, cast

from batchyard.adapters.bucket import CHUNK, Arrived, Bucket, InboxPage
from batchyard.adapters.file_bucket import FileBucket, ObjectVersion
from batchyard.adapters.object_join import ObjectJoin, SmallObject
from batchyard.adapters.object_writer import Begun, Writer
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import InputGone, NotFound, StaleRecord
from batchyard.domain.stored_file import StoredFile
from tests.fakes.batches import BUCKET, NOW


class MemoryBucket(Bucket):
    """Objects in a dictionary, handed out in chunks of `chunk` bytes."""

    def __init__(self, chunk: int = 65_536, page: int = 1_000) -> None:
        self.bucket = BUCKET
        self.chunk, self.page = chunk, page
        self.stored: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.reads: list[tuple[int, int]] = []
        #: when an object came, in Unix seconds; NOW if it is not said
        self.arrived: dict[str, float] = {}

    def head(self, key: str, version_id: str | None = None) -> tuple[InputObject, dict[str, str]]:
        data = self.get(key)
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        checksum = f"CRC32:{base64.b64encode(zlib.crc32(data).to_bytes(4, 'big')).decode()}"
        return InputObject(self.bucket, key, etag, len(data), version_id or "v1", checksum), self.metadata.get(key, {})

    def inbox(self, prefix: str, after: str = "") -> Iterator[InboxPage]:
        keys = [key for key in sorted(self.stored) if key.startswith(prefix) and key > after]
        for begin in range(0, max(1, len(keys)), self.page):
            arrived = [
                Arrived(self.head(key)[0], datetime.fromtimestamp(self.arrived.get(key, NOW), UTC))
                for key in keys[begin : begin + self.page]
            ]
            yield InboxPage(arrived, arrived[-1].object.key if arrived else after)

    def folders(self, prefix: str) -> Iterator[str]:
        below = (key.removeprefix(prefix) for key in self.stored if key.startswith(prefix))
        return iter(sorted({f"{prefix}{rest.partition('/')[0]}/" for rest in below if "/" in rest}))

    def chunks(
        self, source: InputObject, start: int = 0, stop: int | None = None, size: int = CHUNK
    ) -> Iterator[bytes]:
        stop = source.size if stop is None else stop
        if source.files is not None:
            yield from self.file_list(source).read([(start, stop)], self._of_file)
            return
        data = self.get(source.key)
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != source.etag:
            raise InputGone(source.uri)
        self.reads.append((start, stop))
        piece = min(size, self.chunk)
        for begin in range(start, stop, piece):
            yield data[begin : min(begin + piece, stop)]

    def get(self, key: str) -> bytes:
        if key not in self.stored:
            raise NotFound(key)
        return self.stored[key]

    def get_pinned(self, key: str) -> tuple[bytes, str]:
        return self.get(key), self.head(key)[0].etag

    def replace(self, key: str, data: bytes, etag: str | None) -> None:
        if (self.head(key)[0].etag if key in self.stored else None) != etag:
            raise StaleRecord(key)
        self.put(key, data)

    def link(self, source: InputObject, filename: str, content_type: str = "application/json") -> str:  # noqa: ARG002 - the URL is made up
        return f"https://{BUCKET}.example/{source.key}"

    @cached_property
    def origin(self) -> str:
        return f"https://{BUCKET}.example"

    def put(self, key: str, data: bytes) -> None:
        self.stored[key] = data

    def remove(self, key: str) -> None:
        self.stored.pop(key, None)

    def listed(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        written = {key: NOW + at for at, key in enumerate(self.stored)}  # a second after the object before
        for key in sorted(written):
            if key.startswith(prefix):
                yield key, datetime.fromtimestamp(written[key], UTC)

    def writer(self, key: str, *, hashing: bool = True, begun: Begun | None = None) -> Writer:
        nothing = cast("Any", None)
        return Writer(
            nothing, self.bucket, key, self.chunks, self.put, hashing=hashing, begun=begun
        )  # below one part, a writer only puts


class MemoryObjectJoin(ObjectJoin):
    """Objects of a dictionary joined in their order."""

    def __init__(self, bucket: MemoryBucket, key: str) -> None:
        self._kept, self._into, self._whole = bucket, key, b""

    def take(self, sources: Sequence[SmallObject]) -> Iterator[bytes]:
        for source in sources:
            piece = self._kept.get(source.key)
            self._whole += piece
            yield piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: object, error: object, trace: object) -> None:
        if error_type is None:
            self._kept.put(self._into, self._whole)
            self.version_id = "v1"


class MemoryFileBucket(FileBucket):
    """The objects of files, in the same dictionary as all others; `tags` say for how many seconds each is to live."""

    def __init__(self, bucket: MemoryBucket) -> None:
        self.bucket = bucket
        self.lives: dict[str, int | None] = {}
        self.sent: dict[str, dict[int, bytes]] = {}

    def put(self, key: str, data: bytes, life: int | None) -> str | None:
        self.bucket.put(key, data)
        self.lives[key] = life
        return "v1"

    def tag(self, key: str, life: int) -> None:
        self.lives[key] = life

    def read(self, file: StoredFile) -> bytes:
        return self.bucket.get(file.key)

    def link(self, file: StoredFile) -> str:
        return f"https://{BUCKET}.example/{file.key}"

    def abort(self, file: StoredFile, multipart_id: str) -> None:  # noqa: ARG002 - parts have the name of their upload
        self.bucket.stored.pop(multipart_id, None)
        self.sent.pop(multipart_id, None)

    def hide(self, file: StoredFile) -> None:
        self.bucket.stored.pop(file.key, None)

    def hold(self, file: StoredFile) -> None:
        self.put(file.key, b"", 1)

    def remove(self, key: str, version_id: str) -> None:  # noqa: ARG002 - there is one version, and an empty one stays
        if self.bucket.stored.get(key):
            del self.bucket.stored[key]

    def remove_all(self, versions: Sequence[tuple[str, str]]) -> None:
        for key, version_id in versions:
            self.remove(key, version_id)

    def versions(self, prefix: str, after: str = "") -> Iterator[list[ObjectVersion]]:
        at = datetime.fromtimestamp(NOW, UTC)
        keys = [key for key in sorted(self.bucket.stored) if key.startswith(prefix) and key > after]
        yield [ObjectVersion(key, "v1", len(self.bucket.stored[key]), at) for key in keys]

    def join(self, key: str, life: int | None) -> ObjectJoin:
        self.lives[key] = life
        return MemoryObjectJoin(self.bucket, key)

    def put_link(self, file: StoredFile, life: int | None) -> str:
        self.lives[file.key] = life
        return f"{self.link(file)}?put"

    def begin(self, key: str, life: int | None) -> str:
        self.lives[key] = life
        self.sent[f"parts of {key}"] = {}
        return f"parts of {key}"

    def parts(self, file: StoredFile, multipart_id: str) -> dict[int, int]:
        if multipart_id not in self.sent:
            raise NotFound(f"no parts of {file.file_id}")
        return {number: len(data) for number, data in self.sent[multipart_id].items()}

    def part_link(self, file: StoredFile, multipart_id: str, number: int, size: int) -> str:
        return f"{self.link(file)}?{multipart_id}/{number}/{size}"

    def finish(self, file: StoredFile, multipart_id: str) -> None:
        numbered = self.sent.get(multipart_id, {})
        sent = self.bucket.stored.pop(multipart_id, b"") or b"".join(numbered[at] for at in sorted(numbered))
        if len(sent) == file.bytes:
            self.bucket.put(file.key, sent)
            self.sent.pop(multipart_id, None)
