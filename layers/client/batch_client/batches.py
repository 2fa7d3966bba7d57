"""The Batch API."""

from collections.abc import Container, Iterator, Mapping

import msgspec

from .address import path_id
from .decode import batch_from, page_from
from .errors import (
    BadRequestError,
    CannotTell,
    ConflictError,
    CreateOutcomeUnknown,
)
from .http_info import HttpInfo
from .models import Batch, BatchPage, ExpiresAfter
from .paging import ListEnd, all_items, query_of
from .transport import JSON, Call, Transport
from .unknown_outcome import known_or_raise, never_sent


class Batches:
    """Create, read, cancel and find batches."""

    _transport: Transport

    def create_batch(
        self,
        *,
        input_file_id: str,
        endpoint: str,
        completion_window: str = "24h",
        metadata: Mapping[str, str] | None = None,
        output_expires_after: ExpiresAfter | Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Create a batch of an uploaded file.

        The request is sent once, and is repeated only if nothing can have reached the service. `idempotency_key` goes along
        where the service knows such a key again. Raises CreateOutcomeUnknown if the answer is lost; then use `find_batch`
        before creating again.
        """
        return self.create_batch_with_http_info(
            input_file_id=input_file_id,
            endpoint=endpoint,
            completion_window=completion_window,
            metadata=metadata,
            output_expires_after=output_expires_after,
            idempotency_key=idempotency_key,
        ).data

    def create_batch_with_http_info(
        self,
        *,
        input_file_id: str,
        endpoint: str,
        completion_window: str = "24h",
        metadata: Mapping[str, str] | None = None,
        output_expires_after: ExpiresAfter | Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
    ) -> HttpInfo[Batch]:
        """Do as `create_batch`, and return status and headers, too."""
        members = {
            "completion_window": completion_window,
            "endpoint": endpoint,
            "input_file_id": input_file_id,
            "metadata": metadata,
            "output_expires_after": output_expires_after,
        }
        body = msgspec.json.encode({name: value for name, value in members.items() if value is not None})
        header = self._transport.profile.idempotency_header
        key = {header: idempotency_key} if header and idempotency_key else {}
        call = Call(method="POST", path="/batches", headers={**JSON, **key}, body=body)
        return known_or_raise(
            lambda: self._transport.call(call, batch_from, never_sent), CreateOutcomeUnknown, "The batch"
        )

    def retrieve_batch(self, batch_id: str) -> Batch:
        """Read a batch."""
        return self.retrieve_batch_with_http_info(batch_id).data

    def retrieve_batch_with_http_info(self, batch_id: str) -> HttpInfo[Batch]:
        """Do as `retrieve_batch`, and return status and headers, too."""
        return self._transport.call(Call(method="GET", path=f"/batches/{path_id(batch_id)}"), batch_from)

    def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel a batch; a batch that has ended is returned as it is.

        The request is sent once. After an error that is `retryable` it can be sent again: cancelling twice is harmless.
        """
        return self.cancel_batch_with_http_info(batch_id).data

    def cancel_batch_with_http_info(self, batch_id: str) -> HttpInfo[Batch]:
        """Do as `cancel_batch`, and return status and headers, too."""
        profile = self._transport.profile
        path = profile.cancel_path.format(id=path_id(batch_id))
        try:
            return self._transport.call(
                Call(method=profile.cancel_method, path=path, headers=JSON), batch_from, never_sent
            )
        except (ConflictError, BadRequestError):  # some gateways say 400 where OpenAI says 409
            found = self.retrieve_batch_with_http_info(batch_id)
            if not found.data.ended:
                raise
            return found

    def list_batches(self, after: str | None = None, limit: int | None = None) -> BatchPage:
        """Read one page of batches, newest first; `limit` is 1 … 100, and 20 without it.

        A service whose list has no pages is asked for neither, and shows what it shows.
        """
        return self.list_batches_with_http_info(after, limit).data

    def list_batches_with_http_info(self, after: str | None = None, limit: int | None = None) -> HttpInfo[BatchPage]:
        """Do as `list_batches`, and return status and headers, too."""
        query = query_of(after=after, limit=limit) if self._transport.paged else {}
        call = Call(method="GET", path="/batches", query=query)
        return self._transport.call(call, lambda answer: page_from(answer, batch_from))

    def iter_batches(self, limit: int = 100, after: str | None = None) -> Iterator[Batch]:
        """Yield all batches after the one with the id `after`, newest first, in pages of `limit`.

        Raises ProtocolError if the service says that there are more batches and does not show them.
        """
        paged = self._transport.paged
        return all_items(lambda last: self.list_batches(last, limit), lambda batch: batch.id, after, paged=paged)

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> Batch | None:
        """Return the newest batch whose metadata has `value` under `metadata_key`; None if there is none.

        The search ends at batches older than `since`, in Unix seconds. Where a service keeps no metadata, a batch matches
        that has this `input_file_id` and no id among `but`. Raises CannotTell where finding nothing proves nothing.
        """
        found = self._found(metadata_key, value, since, input_file_id, but)
        facts = self._transport.profile.facts
        proves = facts.lookup == "token" or (facts.lookup != "none" and self._transport.paged)
        if found is None and not proves:
            name = self._transport.profile.name
            raise CannotTell(f"What {name} lists of its batches does not show whether it made this one")
        return found

    def _found(
        self, metadata_key: str, value: str, since: int, input_file_id: str | None, but: Container[str]
    ) -> Batch | None:
        end = ListEnd(since)
        for batch in self.iter_batches():
            if batch.metadata.get(metadata_key) == value:
                return batch
            of_file = input_file_id is not None and batch.input_file_id == input_file_id
            if of_file and not batch.metadata and batch.id not in but:
                return batch
            if end.passed(batch.created_at):
                return None
        return None
