"""What a shard's change means for the record of its batch: its counts, its tokens, and whether a shard holds it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.table import encode
from batchyard.domain.batch import Usage

if TYPE_CHECKING:
    from batchyard.domain.shard import Shard

USED: Final = "used_"
HELD: Final = "held_by"  # the set of shards that wait for something; DynamoDB drops an empty set


def share(before: Shard | None, after: Shard) -> dict[str, Any]:
    """Shape the members of an update of the batch; empty when the change does not concern it.

    Each kind of token is an attribute of its own, for one that is not there yet can be added to.
    """
    completed = after.completed - (before.completed if before else 0)
    failed = after.failed - (before.failed if before else 0)
    used = msgspec.structs.asdict(after.usage - (before.usage if before else Usage()))
    tokens = {f"{USED}{name}": count for name, count in used.items() if count}
    sets, adds, deletes = [], [f"{name} :{name}" for name in tokens], list[str]()
    values = encode({f":{name}": count for name, count in tokens.items()})
    if completed or failed:
        sets += [f"#counts.{name} = #counts.{name} + :{name}" for name in ("completed", "failed")]
        values |= encode({":completed": completed, ":failed": failed})
    paused = before.paused if before else None
    if after.paused != paused:
        values[":shard"] = {"NS": [str(after.shard)]}
        (adds if after.paused else deletes).append(f"{HELD} :shard")
        if after.paused:
            sets.append("#paused = :paused")
            values |= encode({":paused": after.paused})
    return _update(sets, adds, deletes, values)


def _update(sets: list[str], adds: list[str], deletes: list[str], values: dict[str, Any]) -> dict[str, Any]:
    clauses = {"SET": sets, "ADD": adds, "DELETE": deletes}
    expression = " ".join(f"{word} {', '.join(parts)}" for word, parts in clauses.items() if parts)
    if not expression:
        return {}
    names = {f"#{name}": name for name in ("counts", "paused") if f"#{name}" in expression}
    return {
        "UpdateExpression": expression,
        "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeValues": values,
        **({"ExpressionAttributeNames": names} if names else {}),
    }
