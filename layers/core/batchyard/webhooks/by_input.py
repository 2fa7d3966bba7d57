"""Where the results of an upload are: a small object under the upload's own key, for whoever does not know the batch's id."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from batchyard.domain import nesting, object_keys
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.observability import logger
from batchyard.services import Services

TRIES: Final = 5  # against other batches of the same key that end at this moment


def point(services: Services, batch: Mapping[str, Any]) -> str | None:
    """Write where the results of a batch that has ended are, if an upload made it; return the key of the object.

    A batch that is older than the one that is written there changes nothing, so events may come twice and late.
    """
    source = str(batch["input_file_id"]).removeprefix(f"s3://{services.settings.bucket}/")
    key = object_keys.by_input(batch["tenant"], source)
    if not source.startswith(object_keys.INBOX) or _hides_results(batch):
        return None
    if len(key.encode("utf-8", "replace")) > object_keys.LONGEST_KEY:
        logger.warning("the key is too long to point to its results", batch_id=batch["id"])
        return None
    new = _pointer(services, batch)
    for _ in range(TRIES):
        known, etag = _known(services, key)
        if known and _age(known) >= _age(new):
            return key
        try:
            services.bucket.replace(key, msgspec.json.format(nesting.encode(new)).encode(), etag)
        except StaleRecord:
            logger.info("another batch of this upload's key ended meanwhile", batch_id=batch["id"])
        else:
            return key
    raise StaleRecord(f"{key} is written by others all the time")


def _hides_results(batch: Mapping[str, Any]) -> bool:
    """Tell whether the batch is a retry without results, as a dry run: those of the batch that it retries still stand."""
    return bool(batch.get("retry_of")) and not any((batch.get("results") or {}).values())


def _pointer(services: Services, batch: Mapping[str, Any]) -> dict[str, Any]:
    """Shape the object; a result that does not exist is null."""
    place, tenant, batch_id = f"s3://{services.settings.bucket}/", batch["tenant"], batch["id"]
    found = batch.get("results") or {}
    keys = {name: (found.get(f"{name}.jsonl") or "").removeprefix(place) or None for name in ("output", "errors")}
    return {
        "batch_id": batch_id, "status": batch["status"], "created_at": batch["created_at"],
        "created_ms": batch.get("created_ms") or 0, **keys,
        "report": _there(services, object_keys.result(tenant, batch_id, "report.json")),
    }  # fmt: skip


def _there(services: Services, key: str) -> str | None:
    try:
        services.bucket.head(key)
    except NotFound:
        return None
    return key


def _known(services: Services, key: str) -> tuple[dict[str, Any] | None, str | None]:
    try:
        data, etag = services.bucket.get_pinned(key)
    except NotFound:
        return None, None
    try:
        known = nesting.decode(data)
        return (known, etag) if isinstance(known, dict) and _age(known) else (None, etag)
    except (ValueError, KeyError):  # a person wrote there
        return None, etag


def _age(pointer: Mapping[str, Any]) -> tuple[int, int, str]:
    return int(pointer["created_at"]), int(pointer["created_ms"]), str(pointer["batch_id"])
