"""The objects of files in the data bucket: written, read, handed out and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchyard.adapters.aws import client, translated
from batchyard.adapters.bucket import LINK_SECONDS
from batchyard.adapters.object_join import ObjectJoin
from batchyard.domain.errors import NotFound
from batchyard.domain.stored_file import keep_tag
from batchyard.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from batchyard.domain.stored_file import StoredFile


class FileBucket:
    """Work on the objects of one bucket that stand for files."""

    def __init__(self, bucket: str, s3: S3Client | None = None) -> None:
        """Use this bucket."""
        self._bucket = bucket
        self._s3: S3Client = s3 or client("s3")

    def put(self, key: str, data: bytes, life: int | None) -> str | None:
        """Write a file's object, to be removed some days after `life` seconds; return its version."""
        with translated(f"writing s3://{self._bucket}/{key}"):
            put = self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, **_tagging(life))
        return put.get("VersionId")

    def tag(self, key: str, life: int) -> None:
        """Have an object that is there already removed some days after `life` seconds."""
        name, _, value = keep_tag(life).partition("=")
        with translated(f"tagging s3://{self._bucket}/{key}"):
            self._s3.put_object_tagging(
                Bucket=self._bucket, Key=key, Tagging={"TagSet": [{"Key": name, "Value": value}]}
            )

    def read(self, file: StoredFile) -> bytes:
        """Read a file whole; raises NotFound."""
        with translated(f"reading {file.file_id}"):
            return self._s3.get_object(**self._where(file))["Body"].read()

    def link(self, file: StoredFile) -> str:
        """Make a URL that gives the file to whoever holds it, for an hour."""
        named = f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}"
        shown = {"ResponseContentType": "application/octet-stream", "ResponseContentDisposition": named}
        return self._s3.generate_presigned_url(
            "get_object", Params={**self._where(file), **shown}, ExpiresIn=LINK_SECONDS
        )

    def joint(self, key: str, life: int | None) -> ObjectJoin:
        """Open an object that is made of others."""
        return ObjectJoin(self._s3, self._bucket, key, _tagging(life))

    def put_headers(self, life: int | None) -> dict[str, str]:
        """Name the headers that a PUT to `put_link` must carry."""
        return {"x-amz-tagging": keep_tag(life)} if life is not None else {}

    def put_link(self, file: StoredFile, life: int | None) -> str:
        """Make a URL that takes the whole file, of its very size, from whoever holds it, for an hour."""
        wanted = {"Bucket": self._bucket, "Key": file.key, "ContentLength": file.bytes, **_tagging(life)}
        return self._s3.generate_presigned_url("put_object", Params=wanted, ExpiresIn=LINK_SECONDS)

    def begin(self, key: str, life: int | None) -> str:
        """Begin a file that its owner sends in parts; return S3's id of that upload."""
        with translated(f"beginning s3://{self._bucket}/{key}"):
            begun = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, **_tagging(life))
        return begun["UploadId"]

    def part_link(self, file: StoredFile, multipart_id: str, number: int, size: int) -> str:
        """Make a URL that takes one part of a file, of this size, for an hour."""
        wanted = {**self._part_of(file, multipart_id), "PartNumber": number, "ContentLength": size}
        return self._s3.generate_presigned_url("upload_part", Params=wanted, ExpiresIn=LINK_SECONDS)

    def finish(self, file: StoredFile, multipart_id: str) -> None:
        """Join the parts that an owner sent if all bytes are there and it was not done before."""
        try:
            with translated(f"finishing {file.file_id}"):
                self._finish(self._part_of(file, multipart_id), file.bytes)
        except NotFound:
            logger.info("parts were joined before, or are given up", file_id=file.file_id)

    def _finish(self, where: Any, size: int) -> None:  # noqa: ANN401 - unpacked into calls that take these three among others
        pages = self._s3.get_paginator("list_parts").paginate(**where)
        rows = [row for page in pages for row in page.get("Parts", [])]
        if sum(row["Size"] for row in rows) == size:
            parts: Any = [{"PartNumber": row["PartNumber"], "ETag": row["ETag"]} for row in rows]
            self._s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})

    def delete(self, file: StoredFile) -> None:
        """Remove a file's object; its version stays for the batches that read it, until the bucket's lifecycle takes it.

        Parts of one that was never joined go the same way.
        """
        with translated(f"removing s3://{self._bucket}/{file.key}"):
            self._s3.delete_object(Bucket=self._bucket, Key=file.key)

    def _part_of(self, file: StoredFile, multipart_id: str) -> Any:  # noqa: ANN401 - as below
        return {"Bucket": self._bucket, "Key": file.key, "UploadId": multipart_id}

    def _where(self, file: StoredFile) -> Any:  # noqa: ANN401 - unpacked into calls that take these among others
        version = {"VersionId": file.version_id} if file.version_id else {}
        return {"Bucket": self._bucket, "Key": file.key, **version}


def _tagging(life: int | None) -> Any:  # noqa: ANN401 - unpacked into calls that take it among others
    return {"Tagging": keep_tag(life)} if life is not None else {}
