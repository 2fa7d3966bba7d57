"""Where things lie in the data bucket."""

from typing import Final

INBOX: Final = "inbox/"
FILES: Final = "files/"
DEFAULT_TENANT: Final = "default"
LONGEST_TENANT: Final = 256  # bytes


def tenant_of(key: str) -> str:
    """Read the tenant from `inbox/<tenant>/…`; it is the default one right below `inbox/`, and for an endless name."""
    tenant, slash, _ = key.removeprefix(INBOX).partition("/")
    short = len(tenant.encode()) <= LONGEST_TENANT  # the keys of its results must stay within S3's 1,024 bytes
    return tenant if slash and tenant and short else DEFAULT_TENANT


def sound_tenant(tenant: str) -> bool:
    """Tell whether a tenant may have this name: it is one folder, and no part of it is another tenant's."""
    short = 0 < len(tenant.encode("utf-8", "replace")) <= LONGEST_TENANT
    return short and tenant.isprintable() and "/" not in tenant and tenant.strip() == tenant and tenant[0] not in "-."


def readable_by(tenant: str, key: str) -> bool:
    """Tell whether an input object belongs to the tenant."""
    return key.startswith(f"{FILES}{tenant}/") or (key.startswith(INBOX) and tenant_of(key) == tenant)


def file(tenant: str, file_id: str) -> str:
    """Name the object of a file that came through the front door."""
    return f"{FILES}{tenant}/{file_id}"


def result(tenant: str, batch_id: str, name: str) -> str:
    """Name a result: output.jsonl, errors.jsonl or report.json."""
    return f"results/{tenant}/{batch_id}/{name}"


def plan(batch_id: str, name: str) -> str:
    """Name an object of the plan."""
    return f"work/{batch_id}/plan/{name}"


def shard_lines(batch_id: str, shard: int) -> str:
    """Name the list of a shard's lines."""
    return f"work/{batch_id}/shards/{shard:05}/lines.msgpack"


def shard_left(batch_id: str, shard: int) -> str:
    """Name the list of a shard's lines without those that were set aside."""
    return f"work/{batch_id}/shards/{shard:05}/left.msgpack"


def aside(batch_id: str, first: int, count: int) -> str:
    """Name a run of so many lines that were set aside, from this position on."""
    return f"work/{batch_id}/plan/aside-{first:012}-{count}"


def attempt(batch_id: str, shard: int, number: int, runs: int, name: str) -> str:
    """Name an object that one attempt of a shard left; `runs` tells apart what two workers wrote for the same attempt."""
    return f"work/{batch_id}/shards/{shard:05}/attempt-{number:04}-{runs}/{name}"
