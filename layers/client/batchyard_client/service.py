"""The calls of the service: Batchyard's API, and what of it any provider of the contract has."""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

import msgspec

from batch_client import (
    APIStatusError,
    Batch,
    BatchClient,
    ConflictError,
    CreateOutcomeUnknown,
    RetryPolicy,
)

from .errors import Refused
from .job_record import MARK
from .screen import reason_of
from .settings import Place

ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
QUICK: Final = RetryPolicy(max_retries=3, floor=0.3, ceiling=3.0, total=60.0)  # `Patience` goes on from there
LOOKED_BACK: Final = 200  # batches in which one is looked for by its mark
IN_FLIGHT: Final = 20.0  # seconds in which a create may still arrive whose sender died


class Counts(msgspec.Struct, frozen=True):
    """The requests of a batch."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as the service shows it; what only Batchyard tells is None elsewhere."""

    id: str
    status: str
    endpoint: str = ""
    model: str | None = None
    created_at: int | None = None
    in_progress_at: int | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: Counts | None = None
    usage: dict[str, Any] | None = None
    errors: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    paused: str | None = None
    cost: dict[str, Any] | None = None
    preflight: dict[str, Any] | None = None
    dry_run: bool = False
    retry_of: str | None = None
    taken_over: int | None = None

    @property
    def ended(self) -> bool:
        """Tell whether the status is final."""
        return self.status in ENDED

    @property
    def counts(self) -> Counts:
        """Return the counts, which are 0 while none are known."""
        return self.request_counts or Counts()

    @property
    def usd(self) -> float | None:
        """Return what the batch cost so far, in US dollars."""
        return None if self.cost is None else self.cost.get("usd")

    @property
    def reasons(self) -> list[str]:
        """Return in words why the batch failed, line by line."""
        found = (self.errors or {}).get("data") or []
        lines = (
            (f"line {each['line']}: " if each.get("line") else "", each) for each in found if isinstance(each, dict)
        )
        return [f"{where}{reason_of(each)}" for where, each in lines]


class Service:
    """Call one service; every call raises BatchClientError."""

    def __init__(
        self, place: Place, client: BatchClient | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Use the service at a place."""
        self.place, self._sleep = place, sleep
        self.client = client or BatchClient(place.key, place.base_url, retry=QUICK)
        self._batchyard: bool | None = None

    @property
    def is_batchyard(self) -> bool:
        """Tell whether the service is Batchyard: no other has `/usage` in this shape."""
        if self._batchyard is None:
            try:
                answer = self.client.ask("GET", "/usage").data
                self._batchyard = isinstance(answer, dict) and answer.get("object") == "usage"
            except APIStatusError as error:
                if error.status in (401, 403, 429) or (error.status or 0) >= 500:
                    raise
                self._batchyard = False
        return self._batchyard

    def need_batchyard(self, what: str) -> None:
        """Raise Refused if the service is another one, which cannot do this."""
        if not self.is_batchyard:
            raise Refused(f"{self.place.host} is not Batchyard, and cannot {what}.")

    def announce(self, filename: str, size: int, part_bytes: int | None, purpose: str = "batch") -> dict[str, Any]:
        """Announce a file that is sent straight to S3, in parts if these have a size."""
        parts = {} if part_bytes is None else {"part_bytes": part_bytes}
        body = {"filename": filename, "purpose": purpose, "bytes": size, **parts}
        return _object(self.client.ask("POST", "/uploads/presign", body=body).data)

    def addresses(self, file_id: str) -> dict[str, Any]:
        """Return the addresses for what has not come of an announced file."""
        return _object(self.client.ask("POST", "/uploads/presign", body={"file_id": file_id}).data)

    def create(self, key: str, body: Mapping[str, Any], creating_at: int | None) -> View:
        """Create the batch of this key, or return the one that the key has already.

        `creating_at` says when an earlier command may have asked for the batch.
        """
        metadata = {**(body.get("metadata") or {}), MARK: key}
        if not self.is_batchyard:
            return self._create_elsewhere(key, {**body, "metadata": metadata}, creating_at)
        try:
            answer = self.client.ask(
                "POST", "/batches", body={**body, "metadata": metadata}, headers={"Idempotency-Key": key}
            )
            return view_of(answer.data)
        except ConflictError as error:
            found = self.find(key) if error.code == "idempotency_key_reused" else None
            if found is None:
                raise
            return found  # of a command elsewhere, which sent the same content in another file

    def estimate(self, key: str, body: Mapping[str, Any]) -> View:
        """Make a dry run: a batch that is checked and estimated, of which nothing is sent."""
        dry = {name: value for name, value in body.items() if name not in ("max_cost_usd", "metadata")}
        headers = {"Idempotency-Key": f"{key}-dry-{body['input_file_id']}"}
        return view_of(self.client.ask("POST", "/batches", body={**dry, "dry_run": True}, headers=headers).data)

    def find(self, key: str) -> View | None:
        """Return the newest batch with this mark in its metadata, among the newest batches."""
        newest = (batch for batch in self.batches() if not batch.dry_run)  # of which each batch may have made one
        return next((each for each in islice(newest, LOOKED_BACK) if (each.metadata or {}).get(MARK) == key), None)

    def retrieve(self, batch_id: str) -> View:
        """Read a batch."""
        if self.is_batchyard:
            return view_of(self.client.ask("GET", _of(batch_id)).data)
        return _view_of(self.client.retrieve_batch(batch_id))

    def batches(self) -> Iterator[View]:
        """Yield the batches, newest first."""
        if not self.is_batchyard:
            yield from map(_view_of, self.client.iter_batches())
            return
        after: dict[str, str] = {}
        while True:
            page = _object(self.client.ask("GET", "/batches", query={"limit": "100", **after}).data)
            yield from (found := [view_of(each) for each in page["data"]])
            if not page.get("has_more") or not found:
                return
            after = {"after": found[-1].id}

    def cancel(self, batch_id: str) -> View:
        """Cancel a batch; one that has ended is shown as it is."""
        return _view_of(self.client.cancel_batch(batch_id))

    def resume(self, batch_id: str) -> View:
        """Have a waiting batch try at once."""
        self.need_batchyard("resume a batch")
        return view_of(self.client.ask("POST", f"{_of(batch_id)}/resume").data)

    def retry(self, batch_id: str, key: str, body: Mapping[str, Any]) -> View:
        """Make a batch of what has no success in an ended one."""
        self.need_batchyard("retry a batch; send what failed as a new input")
        headers = {"Idempotency-Key": key}
        return view_of(self.client.ask("POST", f"{_of(batch_id)}/retry", body=body, headers=headers).data)

    def inside(self, batch_id: str, what: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what is inside a batch: `lines` with request and result, `shards` with their progress, or its `files`."""
        return _object(self.client.ask("GET", f"{_of(batch_id)}/{what}", query=query).data)

    def usage(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what was used and paid."""
        self.need_batchyard("tell what was used")
        return _object(self.client.ask("GET", "/usage", query=query).data)

    def scheduled(
        self, method: str, path: str = "", *, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Call a route of schedules; what is asked with the same key is done once."""
        self.need_batchyard("fire schedules")
        headers = {} if key is None else {"Idempotency-Key": key}
        return _object(self.client.ask(method, f"/schedules{path}", body=body, query=query, headers=headers).data)

    def _create_elsewhere(self, key: str, body: Mapping[str, Any], creating_at: int | None) -> View:
        """Create a provider batch, after a look for the one that an earlier command, or another machine, may have created."""
        found = self.find(key)
        left = 0.0 if creating_at is None else creating_at + IN_FLIGHT - time.time()
        if found is None and left > 0:
            self._sleep(left)
            found = self.find(key)
        if found is not None:
            return found
        try:
            return _view_of(self.client.create_batch(**body))
        except CreateOutcomeUnknown:
            self._sleep(IN_FLIGHT)
            found = self.find(key)
            if found is None:
                raise
            return found


def _of(batch_id: str) -> str:
    return f"/batches/{quote(batch_id, safe='')}"


def _object(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Refused("The answer of the service is no JSON object.")
    return data


def view_of(data: object) -> View:
    """Read a batch as a service answers it; raises Refused."""
    try:
        return msgspec.convert(_object(data), View)
    except msgspec.ValidationError as error:
        raise Refused(f"The answer of the service is no batch: {error}.") from error


def _view_of(batch: Batch) -> View:
    data = msgspec.to_builtins(batch)
    data["errors"] = {"data": data["errors"]} if data["errors"] else None
    return msgspec.convert(data, View)
