"""The objects of files in the data bucket: written, read, linked and removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batchyard.adapters.aws import client, translated
from batchyard.adapters.object_join import ObjectJoin
from batchyard.domain.errors import NotFound
from batchyard.domain.stored_file import LINK_LIFE, disposition, keep_tag
from batchyard.observability import logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_s3 import S3Client

    from batchyard.domain.stored_file import StoredFile

WORKERS: Final = 6


class ObjectVersion(NamedTuple):
    """One version of one object."""

    key: str
    version_id: str
    #: Bytes.
    size: int
    at: datetime


class FileBucket:
    """Write, read, link and remove the objects of files in one bucket."""

    def __init__(self, bucket: str, s3: S3Client | None = None) -> None:
        """Use this bucket."""
        self._bucket = bucket
        self._s3: S3Client = s3 or client("s3")

    def put(self, key: str, data: bytes, life: int | None) -> str | None:
        """Write the object of a file and return its version; S3 removes the object some days after `life` seconds."""
        with translated(f"writing s3://{self._bucket}/{key}"):
            put = self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, **_tagging(life))
        return put.get("VersionId")

    def tag(self, key: str, life: int) -> None:
        """Have S3 remove an object that exists some days after `life` seconds."""
        name, _, value = keep_tag(life).partition("=")
        with translated(f"tagging s3://{self._bucket}/{key}"):
            self._s3.put_object_tagging(
                Bucket=self._bucket, Key=key, Tagging={"TagSet": [{"Key": name, "Value": value}]}
            )

    def read(self, file: StoredFile) -> bytes:
        """Read a whole file; raises NotFound."""
        with translated(f"reading {file.file_id}"):
            return self._s3.get_object(**self._where(file))["Body"].read()

    def link(self, file: StoredFile) -> str:
        """Return a URL that gives the file to its holder, for an hour."""
        named = {"ResponseContentDisposition": disposition(file.filename)}
        shown = {"ResponseContentType": "application/octet-stream", **named}
        return self._s3.generate_presigned_url("get_object", Params={**self._where(file), **shown}, ExpiresIn=LINK_LIFE)

    def join(self, key: str, life: int | None) -> ObjectJoin:
        """Open an object that is made of other objects."""
        return ObjectJoin(self._s3, self._bucket, key, _tagging(life))

    def put_headers(self, life: int | None) -> dict[str, str]:
        """Return the headers that a PUT to `put_link` must carry."""
        tagged = {"x-amz-tagging": keep_tag(life)} if life is not None else {}
        return {"If-None-Match": "*", **tagged}

    def put_link(self, file: StoredFile, life: int | None) -> str:
        """Return a URL to which its holder can PUT the whole file once, of exactly its size, for an hour.

        S3 refuses the PUT where an object is already: each further one would be a version that nobody counts.
        """
        wanted = {"Bucket": self._bucket, "Key": file.key, "ContentLength": file.bytes, "IfNoneMatch": "*"}
        return self._s3.generate_presigned_url("put_object", Params={**wanted, **_tagging(life)}, ExpiresIn=LINK_LIFE)

    def begin(self, key: str, life: int | None) -> str:
        """Begin a multipart upload to S3, whose parts the owner sends; return its id."""
        with translated(f"beginning s3://{self._bucket}/{key}"):
            begun = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, **_tagging(life))
        return begun["UploadId"]

    def part_link(self, file: StoredFile, multipart_id: str, number: int, size: int) -> str:
        """Return a URL to which its holder can PUT one part of `size` bytes, for an hour."""
        wanted = {**self._part_of(file, multipart_id), "PartNumber": number, "ContentLength": size}
        return self._s3.generate_presigned_url("upload_part", Params=wanted, ExpiresIn=LINK_LIFE)

    def parts(self, file: StoredFile, multipart_id: str) -> dict[int, int]:
        """Return the size of each part that the owner has sent, by its number; raises NotFound if parts are removed."""
        with translated(f"listing the parts of {file.file_id}"):
            rows = self._rows(self._part_of(file, multipart_id))
            return {row["PartNumber"]: row["Size"] for row in rows}

    def finish(self, file: StoredFile, multipart_id: str) -> None:
        """Join the parts that the owner sent, if all bytes are there and the parts are not joined yet."""
        try:
            with translated(f"finishing {file.file_id}"):
                self._finish(self._part_of(file, multipart_id), file.bytes)
        except NotFound:
            logger.info("parts were joined before, or are removed", file_id=file.file_id)

    def _finish(self, where: Any, size: int) -> None:  # noqa: ANN401 - unpacked into calls that take these three among others
        rows = self._rows(where)
        if sum(row["Size"] for row in rows) == size:
            parts: Any = [{"PartNumber": row["PartNumber"], "ETag": row["ETag"]} for row in rows]
            self._s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})

    def _rows(self, where: Any) -> list[Any]:  # noqa: ANN401 - unpacked, as above
        pages = self._s3.get_paginator("list_parts").paginate(**where)
        return [row for page in pages for row in page.get("Parts", [])]

    def abort(self, file: StoredFile, multipart_id: str) -> None:
        """Remove the parts that the owner sent; no link of theirs takes anything more."""
        try:
            with translated(f"aborting {file.file_id}"):
                self._s3.abort_multipart_upload(**self._part_of(file, multipart_id))
        except NotFound:
            logger.info("parts were joined before, or are removed", file_id=file.file_id)

    def hide(self, file: StoredFile) -> None:
        """Remove the object of a file, but not its bytes: batches that read this version go on."""
        with translated(f"removing s3://{self._bucket}/{file.key}"):
            self._s3.delete_object(Bucket=self._bucket, Key=file.key)

    def hold(self, file: StoredFile) -> None:
        """Put an empty object in the place of a file, so that a link of the file can write there no more."""
        self.put(file.key, b"", 1)

    def remove(self, key: str, version_id: str) -> None:
        """Remove the bytes of a version for good; it may be gone already."""
        with translated(f"removing s3://{self._bucket}/{key}"):
            self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=version_id)

    def remove_all(self, versions: Sequence[tuple[str, str]]) -> None:
        """Remove the bytes of versions for good, by key and version id; several at a time."""
        with ThreadPoolExecutor(WORKERS) as pool:
            for _ in pool.map(lambda each: self.remove(*each), versions):
                pass

    def versions(self, prefix: str, after: str = "") -> Iterator[list[ObjectVersion]]:
        """Yield all versions of the objects under `prefix`, in the order of keys behind `after`: a page for each request."""
        marker: Any = {"KeyMarker": after} if after else {}
        with translated(f"listing s3://{self._bucket}/{prefix}"):
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=prefix, **marker
            )
            for page in pages:
                yield [
                    ObjectVersion(row["Key"], row["VersionId"], row["Size"], row["LastModified"].astimezone(UTC))
                    for row in page.get("Versions", [])
                ]

    def _part_of(self, file: StoredFile, multipart_id: str) -> Any:  # noqa: ANN401 - unpacked, as above
        return {"Bucket": self._bucket, "Key": file.key, "UploadId": multipart_id}

    def _where(self, file: StoredFile) -> Any:  # noqa: ANN401 - unpacked, as above
        version = {"VersionId": file.version_id} if file.version_id else {}
        return {"Bucket": self._bucket, "Key": file.key, **version}


def _tagging(life: int | None) -> Any:  # noqa: ANN401 - unpacked, as above
    return {"Tagging": keep_tag(life)} if life is not None else {}
