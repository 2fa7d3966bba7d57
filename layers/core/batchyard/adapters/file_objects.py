"""The objects of files in the data bucket: written, read, handed out and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from batchyard.adapters.aws import client, translated
from batchyard.stored_file import keep_tag

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from batchyard.stored_file import StoredFile

LINK_SECONDS: Final = 3_600


class FileObjects:
    """Work on the objects of one bucket that stand for files."""

    def __init__(self, bucket: str, s3: S3Client | None = None) -> None:
        """Use this bucket."""
        self._bucket = bucket
        self._s3: S3Client = s3 or client("s3")

    def put(self, key: str, data: bytes, life: int | None) -> str | None:
        """Write a file's object, to be removed some days after `life` seconds; return its version."""
        with translated(f"writing s3://{self._bucket}/{key}"):
            put = self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, Tagging=keep_tag(life))
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

    def delete(self, key: str) -> None:
        """Remove an object; its version stays for the batches that read it, until the bucket's lifecycle takes it."""
        with translated(f"removing s3://{self._bucket}/{key}"):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _where(self, file: StoredFile) -> Any:  # noqa: ANN401 - unpacked into calls that take these among others
        version = {"VersionId": file.version_id} if file.version_id else {}
        return {"Bucket": self._bucket, "Key": file.key, **version}
