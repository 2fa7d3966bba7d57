"""Where things lie in the data bucket."""

from typing import Final

INBOX: Final = "inbox/"
FILES: Final = "files/"
DEFAULT_TENANT: Final = "default"


def tenant_of(key: str) -> str:
    """Read the tenant from `inbox/<tenant>/…`; an object right below `inbox/` is the default tenant's."""
    tenant, slash, _ = key.removeprefix(INBOX).partition("/")
    return tenant if slash and tenant else DEFAULT_TENANT


def readable_by(tenant: str, key: str) -> bool:
    """Tell whether an input object belongs to the tenant."""
    return key.startswith(f"{FILES}{tenant}/") or (key.startswith(INBOX) and tenant_of(key) == tenant)


def result(tenant: str, batch_id: str, name: str) -> str:
    """Name a result: output.jsonl, errors.jsonl or report.json."""
    return f"results/{tenant}/{batch_id}/{name}"


def plan(batch_id: str, name: str) -> str:
    """Name an object of the plan."""
    return f"work/{batch_id}/plan/{name}"


def shard_lines(batch_id: str, shard: int) -> str:
    """Name the list of a shard's lines."""
    return f"work/{batch_id}/shards/{shard:05}/lines.msgpack"


def attempt(batch_id: str, shard: int, number: int, name: str) -> str:
    """Name an object that one attempt of a shard left."""
    return f"work/{batch_id}/shards/{shard:05}/attempt-{number:04}/{name}"
