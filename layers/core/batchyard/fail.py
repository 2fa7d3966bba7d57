"""Record that something failed which no step could mend."""

import json
from typing import Any, Final

from batchyard import keys, ledger, pauses, statuses
from batchyard.batch import LineError
from batchyard.log import logger
from batchyard.shard import finish, new_shard
from batchyard.splitting import ShardLines
from batchyard.yard import Yard

LONGEST_CAUSE: Final = 500


def fail_batch(yard: Yard, batch_id: str, error: dict[str, Any]) -> None:
    """Record that the batch failed, and have cancelled what the provider still runs of it; an ended one stays as it is."""
    reason = _reason(error)
    logger.error("batch failed", batch_id=batch_id, reason=reason.message)
    failed = yard.records.move_batch(batch_id, statuses.FAILED, yard.now(), errors=[reason], errors_total=1)
    batch = failed or yard.records.batch(batch_id)
    if batch.status == statuses.FAILED:  # told again rather than never, if the last run ended before it could tell
        yard.cancel_function.invoke({"batch_id": batch_id})
        yard.events.announce(batch)


def fail_shard(yard: Yard, batch_id: str, number: int, error: dict[str, Any]) -> None:
    """Record that a shard failed: its unfinished lines become errors, its siblings go on."""
    reason = _reason(error)
    logger.error("shard failed", batch_id=batch_id, shard=number, reason=reason.message)
    shard = yard.records.shard(batch_id, number)
    if shard is None:
        lines = ShardLines.unpack(yard.objects.get(keys.shard_lines(batch_id, number)))
        shard = yard.records.save_shard(None, new_shard(yard.records.batch(batch_id), lines))
    if not shard.done:
        yard.records.save_shard(shard, finish(shard, reason))
        pauses.tell(yard, yard.records.batch(batch_id))
    ledger.give_back(yard, batch_id, number)
    yard.cancel_function.invoke({"batch_id": batch_id})


def _reason(error: dict[str, Any]) -> LineError:
    name, cause = str(error.get("Error") or "Unknown"), str(error.get("Cause") or "")
    return LineError("server_error", f"Batchyard could not go on: {name}: {_message(cause)[:LONGEST_CAUSE]}")


def _message(cause: str) -> str:
    try:
        decoded = json.loads(cause)
    except ValueError:
        return cause
    return str(decoded.get("errorMessage", cause)) if isinstance(decoded, dict) else cause
