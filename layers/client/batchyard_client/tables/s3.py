"""Objects in S3 as sources and targets: by boto3, or by pyarrow where boto3 is not installed."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from .errors import ChangedTable, MissingPackage, TableError, UnreadableTable, UnwritableTable
from .packages import INSTALL, optional

SCHEME: Final = "s3://"
_ADDRESS: Final = re.compile(r"s3://([^/]+)/(.+)", re.DOTALL)
_READ_AHEAD: Final = 8 << 20  # bytes of one ranged GET
_CHANGED: Final = {"PreconditionFailed", "412"}


class S3Object:
    """An object in S3, as it was when it was first seen."""

    path: Path | None = None

    def __init__(self, address: str) -> None:
        self.name = address
        self._bucket, self._key = _parts(address)
        boto3 = optional("boto3")
        self._reader: _Boto3 | _Arrow = _Boto3(boto3) if boto3 else _Arrow()
        self._size, self._mark = self._seen()

    def open(self) -> io.BufferedReader:
        """Open the object; every read is of the version that was there first."""
        size, mark = self._seen()
        if (size, mark) != (self._size, self._mark):
            raise ChangedTable(f"{self.name} has changed since it was first read. Run the command again")
        return io.BufferedReader(_Ranges(self._range, self._size), _READ_AHEAD)

    def fingerprint(self) -> str:
        """Name the content by its size and the mark that S3 gives it."""
        return f"s3:{self._size}:{self._mark}"

    def _seen(self) -> tuple[int, str]:
        with _Told(self.name):
            return self._reader.look(self._bucket, self._key)

    def _range(self, start: int, size: int) -> bytes:
        with _Told(self.name):
            return self._reader.read(self._bucket, self._key, self._mark, (start, size))


def upload(file: Path, address: str) -> None:
    """Store a local file as an object, whole or not at all."""
    bucket, key = _parts(address)
    boto3 = optional("boto3")
    with _Told(address, UnwritableTable):
        if boto3:
            boto3.client("s3").upload_file(str(file), bucket, key)
        else:
            fs = _arrow_fs()
            fs.copy_files(str(file), f"{bucket}/{key}", fs.LocalFileSystem(), _filesystem(bucket))


def _parts(address: str) -> tuple[str, str]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise TableError(f"{address} names no object in S3. Write s3://bucket/key")
    return found[1], found[2]


class _Told:
    """Tell what S3 answers in one sentence."""

    def __init__(self, name: str, kind: type[TableError] = UnreadableTable) -> None:
        self._name, self._kind = name, kind

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, TableError):
            return
        code = str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
        if code in _CHANGED:
            raise ChangedTable(f"{self._name} has changed while it was read. Run the command again") from error
        if type(error).__module__.split(".")[0] in {"botocore", "boto3", "s3transfer"} or isinstance(error, OSError):
            verb = "written" if self._kind is UnwritableTable else "read"
            raise self._kind(f"{self._name} cannot be {verb}: {error}") from error


class _Boto3:
    def __init__(self, boto3: Any) -> None:  # noqa: ANN401 - boto3 is no dependency
        self._client = boto3.client("s3")

    def look(self, bucket: str, key: str) -> tuple[int, str]:
        found = self._client.head_object(Bucket=bucket, Key=key)
        return found["ContentLength"], found["ETag"]

    def read(self, bucket: str, key: str, mark: str, wanted: tuple[int, int]) -> bytes:
        start, size = wanted
        got = self._client.get_object(Bucket=bucket, Key=key, IfMatch=mark, Range=f"bytes={start}-{start + size - 1}")
        data: bytes = got["Body"].read()  # botocore compares the length
        return data


class _Arrow:
    """Reads through pyarrow, which shows no ETag: the time of the last change stands for it."""

    def look(self, bucket: str, key: str) -> tuple[int, str]:
        found = _filesystem(bucket).get_file_info(f"{bucket}/{key}")
        if found.size is None:
            raise UnreadableTable(f"s3://{bucket}/{key} cannot be read: there is no such object")
        return found.size, str(found.mtime_ns)

    def read(self, bucket: str, key: str, _: str, wanted: tuple[int, int]) -> bytes:
        start, size = wanted
        with _filesystem(bucket).open_input_file(f"{bucket}/{key}") as file:
            data: bytes = file.read_at(size, start)
        return data


def _arrow_fs() -> Any:  # noqa: ANN401 - pyarrow has no types
    found = optional("pyarrow.fs")
    if found is None:
        raise MissingPackage(f"s3:// needs boto3 or pyarrow. Install one: pip install boto3, or {INSTALL}")
    return found


def _filesystem(bucket: str) -> Any:  # noqa: ANN401 - as above
    fs = _arrow_fs()
    return fs.S3FileSystem(region=fs.resolve_s3_region(bucket))


class _Ranges(io.RawIOBase):
    """Bytes that are fetched by ranges."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        data = self._fetch(self._at, wanted)
        if len(data) != wanted:
            raise OSError(f"S3 gave {len(data)} of {wanted} bytes")
        buffer[:wanted] = data
        self._at += wanted
        return wanted
