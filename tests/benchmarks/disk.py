"""Services on local files: the real operations and the real bucket adapter over an S3 client that is a directory."""

import io
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from batch_client import File, Source
from batchyard.adapters.bucket import Bucket
from batchyard.domain.batch import InputObject
from tests.fakes.batches import BATCH_ID, BUCKET, batch
from tests.fakes.provider import ScriptedProvider
from tests.fakes.services import MemoryServices

READ = 256 * 1024  # what the real client reads at a time
INPUT_KEY = "inbox/default/requests.jsonl"
ETAG = '"etag"'


class RangeOfFile(io.RawIOBase):
    """The body of an answer: part of a file, read when it is asked for."""

    def __init__(self, path: Path, start: int, stop: int) -> None:
        self._file: BinaryIO = path.open("rb", buffering=0)
        self._file.seek(start)
        self._left = stop - start

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = memoryview(buffer)[: self._left]
        count: int = self._file.readinto(data)  # type: ignore[attr-defined]  # an unbuffered file has it
        self._left -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class DiskS3:
    """The calls of an S3 client that the bucket adapter makes, over a directory; `links` are objects elsewhere."""

    def __init__(self, root: Path, links: dict[str, Path]) -> None:
        self._root, self._links = root, links
        self.served = 0.0  # seconds of CPU for what a bucket does itself, without the bytes coming to us
        self.stored = 0.0  # and for writing parts to files

    def head_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {"ETag": ETAG, "ContentLength": self._path(Key).stat().st_size, "VersionId": "v1", "Metadata": {}}

    def get_object(self, *, Key: str, Range: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: N803 - as above
        path = self._path(Key)
        if not path.exists():
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        start, stop = 0, path.stat().st_size
        if Range is not None:
            first, last = Range.removeprefix("bytes=").split("-")
            start, stop = int(first), int(last) + 1
        return {"Body": RangeOfFile(path, start, stop), "ETag": ETAG, "ContentLength": stop - start}

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - as above
        self._path(Key).write_bytes(Body)
        return {"ETag": ETAG}

    def create_multipart_upload(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as above
        self._path(Key).write_bytes(b"")
        return {"UploadId": "upload"}

    def upload_part(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - as above
        start = time.process_time()
        with self._path(Key).open("ab", buffering=0) as file:
            file.write(Body)
        self.stored += time.process_time() - start
        return {"ETag": ETAG}

    def upload_part_copy(
        self,
        *,
        Key: str,  # noqa: N803 - as above
        CopySource: dict[str, str],  # noqa: N803 - as above
        CopySourceRange: str = "",  # noqa: N803 - as above
        **_: Any,
    ) -> dict[str, Any]:
        start = time.process_time()
        given_path = self._path(CopySource["Key"])
        first, _dash, last = CopySourceRange.removeprefix("bytes=").partition("-")
        left = (int(last) + 1 if last else given_path.stat().st_size) - int(first or 0)
        with given_path.open("rb", buffering=0) as given, self._path(Key).open("ab", buffering=0) as file:
            given.seek(int(first or 0))
            while left:
                left -= file.write(given.read(min(left, READ)))
        self.served += time.process_time() - start
        return {"CopyPartResult": {"ETag": ETAG}}

    def complete_multipart_upload(self, **_: Any) -> dict[str, Any]:
        return {"ETag": ETAG}

    def _path(self, key: str) -> Path:
        return self._links.get(key) or self._root / key.replace("/", "~")


class DiskProvider(ScriptedProvider):
    """A provider that drops uploads and serves the files of a directory."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def create_file(self, source: Source, filename: str) -> File:
        return File(id=filename, filename=filename, bytes=len(source))

    def download_file(self, file_id: str) -> Iterator[bytes]:
        with (self._root / file_id).open("rb", buffering=0) as file:
            while chunk := file.read(READ):
                yield chunk


class DiskServices(MemoryServices):
    """Services whose objects are files below `root`; `source` is the input of its one batch, BATCH_ID."""

    def __init__(self, root: Path, source: Path, **settings: str | int) -> None:
        super().__init__(**settings)
        self._root = root
        self._provider = DiskProvider(root)
        self.disk = DiskS3(root, {INPUT_KEY: source})
        self.bucket = Bucket(BUCKET, cast("Any", self.disk))  # type: ignore[assignment]  # the real adapter
        given = InputObject(BUCKET, INPUT_KEY, ETAG, source.stat().st_size, "v1")
        self.batch_store.create_batch(batch(input=given, endpoint=None))

    def keep(self) -> None:
        """Write the records and the provider's batches down for another process."""
        known = self.batch_store.batches, self.batch_store.kept, self.provider.batches
        (self._root / "records").write_bytes(pickle.dumps(known))

    def recall(self) -> None:
        """Read what `keep` wrote."""
        known = pickle.loads((self._root / "records").read_bytes())  # noqa: S301 - written by `keep`
        self.batch_store.batches, self.batch_store.kept, self.provider.batches = known


__all__ = ["BATCH_ID", "DiskServices"]
