"""The objects of the data bucket: read, written, listed and linked."""

from __future__ import annotations

from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from batchyard.adapters.aws import client, translated
from batchyard.adapters.object_writer import Begun, Writer
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import NotFound, StaleRecord, StoreError
from batchyard.domain.stored_file import LINK_LIFE, disposition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectVersionTypeDef

    from batchyard.adapters.file_list import FileList, FilePart

CHUNK: Final = 8 * 1024 * 1024  # bytes of one request
PIECE: Final = 256 * 1024  # bytes at a time, few enough for the processor's cache
CHECKSUMS: Final = ("CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1")
TRIES: Final = 3  # of a range whose body breaks off
MOST_LISTS: Final = 4  # of gathered files that a process remembers


class Arrived(NamedTuple):
    """An object in the inbox, and when it came."""

    object: InputObject
    at: datetime


class InboxPage(NamedTuple):
    """What one request lists of the inbox."""

    #: The newest version of each object.
    newest: list[Arrived]
    #: The key behind which the next page begins.
    last: str


class Bucket:
    """Read and write objects of one bucket."""

    def __init__(self, bucket: str, s3: S3Client | None = None) -> None:
        """Use this bucket."""
        self.bucket = bucket
        self._s3: S3Client = s3 or client("s3")

    def head(self, key: str, version_id: str | None = None) -> tuple[InputObject, dict[str, str]]:
        """Return the newest version of an object, or a given one, and its user metadata; raises NotFound."""
        with translated(f"looking at s3://{self.bucket}/{key}"):
            version: dict[str, Any] = {"VersionId": version_id} if version_id else {}
            found = self._s3.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED", **version)
        pinned = InputObject(
            self.bucket, key, found["ETag"], found["ContentLength"], found.get("VersionId"), _checksum(found)
        )
        metadata = {name.replace("_", "-").lower(): _plain(value) for name, value in found["Metadata"].items()}
        return pinned, metadata

    def inbox(self, prefix: str, after: str = "") -> Iterator[InboxPage]:
        """Yield the objects under `prefix` in the order of keys, behind the key `after`: a page for each request."""
        with translated(f"listing s3://{self.bucket}/{prefix}"):
            marker: Any = {"KeyMarker": after} if after else {}
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix, **marker)
            for page in pages:
                newest = [self._arrived(row) for row in page.get("Versions", []) if row["IsLatest"]]
                listed = [row["Key"] for row in (*page.get("Versions", []), *page.get("DeleteMarkers", []))]
                after = max(listed, default=after)  # of a key, the newest version is listed first
                yield InboxPage(newest, after)

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders right below a prefix that ends with a slash, each with a slash at its end."""
        with translated(f"listing folders of s3://{self.bucket}/{prefix}"):
            listing = self._s3.get_paginator("list_object_versions")
            for page in listing.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/"):
                yield from (each["Prefix"] for each in page.get("CommonPrefixes", []))

    def _arrived(self, row: ObjectVersionTypeDef) -> Arrived:
        pinned = InputObject(self.bucket, row["Key"], row["ETag"], row["Size"], row["VersionId"])
        return Arrived(pinned, row["LastModified"].astimezone(UTC))

    def chunks(
        self, source: InputObject, start: int = 0, stop: int | None = None, size: int = CHUNK
    ) -> Iterator[bytes]:
        """Yield the bytes `[start, stop)` of an object in small pieces; one request reads `size` bytes.

        Of a gathered input no piece has bytes of two files.
        """
        stop = source.size if stop is None else stop
        if source.files is not None:
            yield from self.file_list(source).read([(start, stop)], self._of_file)
            return
        for begin in range(start, stop, size):
            yield from self._range(source, begin, min(begin + size, stop))

    def file_list(self, source: InputObject) -> FileList:
        """Return the files of a gathered input; raises NotFound."""
        from batchyard.adapters.file_list import FileList  # noqa: PLC0415 - few inputs are gathered

        key = source.files or ""
        if key not in self._lists:
            if len(self._lists) >= MOST_LISTS:
                self._lists.clear()
            self._lists[key] = FileList.unpack(source, self.get(key))
        return self._lists[key]

    def _of_file(self, part: FilePart) -> Iterator[bytes]:
        for start, stop in part.ranges:
            yield from self.chunks(part.source, start, stop)

    @cached_property
    def _lists(self) -> dict[str, FileList]:
        return {}

    def _range(self, source: InputObject, start: int, stop: int) -> Iterator[bytes]:
        """Read a range; if the body breaks off, request the rest. botocore repeats only whole requests."""
        failures = 0
        while start < stop:
            try:
                for piece in self._range_once(source, start, stop):
                    start, failures = start + len(piece), 0
                    yield piece
            except StoreError:
                failures += 1
                if failures == TRIES:
                    raise

    def _range_once(self, source: InputObject, start: int, stop: int) -> Iterator[bytes]:
        pin: Any = {"Bucket": source.bucket, "Key": source.key, "IfMatch": source.etag}
        version: Any = {"VersionId": source.version_id} if source.version_id else {}
        with translated(f"reading {source.uri} at byte {start}"):
            answer = self._s3.get_object(**pin, **version, Range=f"bytes={start}-{stop - 1}")
            while start < stop:
                piece = answer["Body"].read(min(PIECE, stop - start))
                if not piece:
                    raise StoreError(f"{source.uri} ends at byte {start} instead of {stop}")
                start += len(piece)
                yield piece

    def get(self, key: str) -> bytes:
        """Read a whole small object; raises NotFound."""
        with translated(f"reading s3://{self.bucket}/{key}"):
            return self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def get_pinned(self, key: str) -> tuple[bytes, str]:
        """Read a whole small object, and its ETag; raises NotFound."""
        with translated(f"reading s3://{self.bucket}/{key}"):
            found = self._s3.get_object(Bucket=self.bucket, Key=key)
            return found["Body"].read(), found["ETag"]

    def replace(self, key: str, data: bytes, etag: str | None) -> None:
        """Write a small object in the place of that with this ETag, or of none; raises StaleRecord if another is there."""
        condition: Any = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        try:
            with translated(f"replacing s3://{self.bucket}/{key}"):
                self._s3.put_object(Bucket=self.bucket, Key=key, Body=data, **condition)
        except NotFound as error:  # 412, or removed meanwhile
            raise StaleRecord(str(error)) from error

    def link(self, source: InputObject, filename: str, content_type: str = "application/json") -> str:
        """Return a URL that gives an object to its holder, for an hour; a client saves it by `filename`."""
        version = {"VersionId": source.version_id} if source.version_id else {}
        named = {"ResponseContentDisposition": disposition(filename)}
        shown = {"ResponseContentType": content_type, **named, **version}
        return self._s3.generate_presigned_url(
            "get_object", Params={"Bucket": source.bucket, "Key": source.key, **shown}, ExpiresIn=LINK_LIFE
        )

    @cached_property
    def origin(self) -> str:
        """Name the scheme and host of the URLs that `link` returns."""
        url = urlsplit(self._s3.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": "any"}))
        return f"{url.scheme}://{url.netloc}"

    def put(self, key: str, data: bytes) -> None:
        """Write a whole small object."""
        with translated(f"writing s3://{self.bucket}/{key}"):
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def remove(self, key: str) -> None:
        """Remove an object, if there is one; the bucket keeps older versions for a while."""
        with translated(f"removing s3://{self.bucket}/{key}"):
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def listed(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Yield the keys under `prefix` in their order, each with the time of its object."""
        with translated(f"listing s3://{self.bucket}/{prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                yield from ((row["Key"], row["LastModified"].astimezone(UTC)) for row in page.get("Contents", []))

    def writer(self, key: str, *, hashing: bool = True, begun: Begun | None = None) -> Writer:
        """Open an object for writing in pieces, or go on with a begun one; the object appears when the block ends well."""
        return Writer(self._s3, self.bucket, key, self.chunks, self.put, hashing=hashing, begun=begun)


def _plain(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))  # S3 encodes text beyond ASCII as mail headers do
    except (LookupError, UnicodeError, HeaderParseError):  # the text only looks encoded
        return value


def _checksum(found: Mapping[str, Any]) -> str | None:
    """Read the checksum of the whole object, by whichever algorithm the upload chose; None if there is none."""
    whole = found.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    kept = (f"{name}:{found[f'Checksum{name}']}" for name in CHECKSUMS if f"Checksum{name}" in found)
    return next(kept, None) if whole else None
