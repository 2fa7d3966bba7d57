"""The Files API."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from .address import path_id
from .decode import deleted_from, file_from, page_from
from .download import Download
from .errors import (
    InvalidArgumentError,
    NotFoundError,
    UploadOutcomeUnknown,
)
from .http_info import HttpInfo
from .models import ExpiresAfter, File, FileDeleted, FilePage
from .paging import all_items, query_of
from .sources import Source, source_from
from .transport import JSON, Call, Transport
from .unknown_outcome import known_or_raise, never_sent
from .upload import UploadBody


class Files:
    """Upload, read, list, delete and download files."""

    _transport: Transport

    def create_file(
        self,
        source: Path | bytes | BinaryIO | Source,
        filename: str,
        purpose: str = "batch",
        expires_after: ExpiresAfter | Mapping[str, object] | None = None,
    ) -> File:
        """Upload a file in one request and constant memory; a batch input's `filename` must end in `.jsonl`.

        The request is sent once, and is repeated only if nothing can have reached the service.
        Raises UploadOutcomeUnknown if the answer is lost, and SourceError if `source` breaks or has another length.
        """
        return self.create_file_with_http_info(source, filename, purpose, expires_after).data

    def create_file_with_http_info(
        self,
        source: Path | bytes | BinaryIO | Source,
        filename: str,
        purpose: str = "batch",
        expires_after: ExpiresAfter | Mapping[str, object] | None = None,
    ) -> HttpInfo[File]:
        """Do as `create_file`, and return status and headers, too."""
        profile = self._transport.profile
        more = {name: text.format(filename=filename) for name, text in profile.upload_form.items()}
        form = {"purpose": profile.purposes.get(purpose, purpose), **more, **_expiry(expires_after)}
        body = UploadBody(source_from(source), filename, form)
        call = Call(method="POST", path=profile.upload_path, headers={"Content-Type": body.content_type}, body=body)
        return known_or_raise(
            lambda: self._transport.call(call, file_from, never_sent), UploadOutcomeUnknown, "The file"
        )

    def retrieve_file(self, file_id: str) -> File:
        """Read the description of a file."""
        return self.retrieve_file_with_http_info(file_id).data

    def retrieve_file_with_http_info(self, file_id: str) -> HttpInfo[File]:
        """Do as `retrieve_file`, and return status and headers, too."""
        return self._transport.call(Call(method="GET", path=f"/files/{path_id(file_id)}"), file_from)

    def list_files(
        self,
        *,
        purpose: str | None = None,
        limit: int | None = None,
        order: str | None = None,
        after: str | None = None,
    ) -> FilePage:
        """Read one page of files; `limit` is 1 … 10,000, `order` is `asc` or `desc` by creation."""
        return self.list_files_with_http_info(purpose=purpose, limit=limit, order=order, after=after).data

    def list_files_with_http_info(
        self,
        *,
        purpose: str | None = None,
        limit: int | None = None,
        order: str | None = None,
        after: str | None = None,
    ) -> HttpInfo[FilePage]:
        """Do as `list_files`, and return status and headers, too."""
        if purpose is not None:
            purpose = self._transport.profile.purposes.get(purpose, purpose)
        paged = self._transport.paged
        query = query_of(purpose=purpose, **({"limit": limit, "order": order, "after": after} if paged else {}))
        call = Call(method="GET", path="/files", query=query)
        return self._transport.call(call, lambda answer: page_from(answer, file_from))

    def iter_files(self, *, purpose: str | None = None, limit: int = 1000, after: str | None = None) -> Iterator[File]:
        """Yield all files after the one with the id `after`, newest first, in pages of `limit`."""
        return all_items(
            lambda last: self.list_files(purpose=purpose, limit=limit, after=last), lambda file: file.id, after,
            paged=self._transport.paged,
        )  # fmt: skip

    def delete_file(self, file_id: str) -> FileDeleted:
        """Delete a file."""
        return self.delete_file_with_http_info(file_id).data

    def delete_file_with_http_info(self, file_id: str) -> HttpInfo[FileDeleted]:
        """Do as `delete_file`, and return status and headers, too."""
        gone = FileDeleted(id=file_id)
        call = Call(method="DELETE", path=f"/files/{path_id(file_id)}", headers=JSON)
        try:
            return self._transport.call(call, lambda answer: gone if answer is None else deleted_from(answer))
        except NotFoundError as error:
            if error.attempts == 1:
                raise
            return HttpInfo(gone, 404, {})  # an earlier try has deleted the file, and its answer was lost

    def download_file(self, file_id: str) -> Iterator[bytes]:
        """Yield the content of a file in chunks of any size.

        A body that ends short is continued, or read again without the bytes that were given.
        Raises DownloadIncomplete if the body stays short.
        """
        return Download(self._transport, file_id, self._size_of).chunks()

    def download_file_with_http_info(self, file_id: str) -> HttpInfo[Iterator[bytes]]:
        """Do as `download_file`, open the first answer now, and return its status and headers, too."""
        return Download(self._transport, file_id, self._size_of).with_http_info()

    def download_file_to(self, file_id: str, writer: BinaryIO) -> int:
        """Write the content of a file to `writer`, and return the number of bytes."""
        written = 0
        for chunk in self.download_file(file_id):
            writer.write(chunk)
            written += len(chunk)
        return written

    def _size_of(self, file_id: str) -> int | None:
        return self.retrieve_file(file_id).bytes


def _expiry(given: ExpiresAfter | Mapping[str, object] | None) -> dict[str, str]:
    if given is None:
        return {}
    try:
        expiry = given if isinstance(given, ExpiresAfter) else msgspec.convert(given, ExpiresAfter)
    except msgspec.ValidationError as error:
        raise InvalidArgumentError(
            "expires_after must have `seconds`, a whole number, and may have `anchor`"
        ) from error
    return {"expires_after[anchor]": expiry.anchor, "expires_after[seconds]": str(expiry.seconds)}
