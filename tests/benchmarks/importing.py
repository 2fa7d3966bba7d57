"""A cold start: importing the client and each function, against what they stand on; all compiled, as on Lambda."""

from collections.abc import Iterator

from tests.benchmarks.measure import Cost, Job, interleaved, run
from tests.benchmarks.row import Row
from tests.unit.template.documents import functions, listed, statements_of

REPEATS, REPEATS_OF_DOORS = 15, 9
JOBS = {
    "ours": ["batch_client.client"],
    "floor": ["requests", "msgspec"],
    "openai": ["openai"],
    "command": ["batchyard_client.__main__"],
    "click": ["click"],
}
MOST_OF_A_DOOR = 1.15
AT_PROVIDER = "batch_store event_bus account.token_ledgers account.client"
# The parts of the services that a function uses in its usual work.
PARTS = {
    "intake": "bucket batch_store executions event_bus",
    "gather": "bucket batch_store gather_store executions event_bus",
    "trigger": "bucket batch_store gather_store schedule_store executions event_bus",
    "plan": "bucket batch_store event_bus",
    "submit": f"bucket account.creations {AT_PROVIDER}",
    "poll": AT_PROVIDER,
    "collect": f"bucket {AT_PROVIDER}",
    "cancel": AT_PROVIDER,
    "fail": "bucket batch_store event_bus cancel_function",
    "assemble": "bucket batch_store event_bus file_bucket file_store quota_store",
    "advance": f"bucket file_bucket file_store quota_store {AT_PROVIDER}",
    "notify": "webhook_store webhook_executions",
    "inform": "webhook_store webhook_executions event_bus batch_store",
    "deliver": "webhook_store webhook_sender signing_secret",
    "api": "bucket batch_store file_bucket file_store upload_store quota_store api_key_store idempotency_store executions "
    "event_bus cancel_function advance_function webhook_store signing_secret webhook_secret webhook_receipts",
    "sweep": "bucket sweep_store gather_store schedule_store executions cancel_function advance_function trigger_function "
    f"gather_function file_store upload_store quota_store {AT_PROVIDER}",
}
CLIENTS = {"states": "stepfunctions"}  # an action's prefix, where boto3 calls the service otherwise


def rows(*, full: bool) -> Iterator[Row]:
    """Compare."""
    times = 2 if full else 1
    found = measured({name: Job("imported", "modules", names) for name, names in JOBS.items()}, times * REPEATS)
    yield Row.ratio("import batch_client.client: CPU / import requests, msgspec", found["ours"], found["floor"], 1.1)
    yield Row.ratio("import openai: the same", found["openai"], found["floor"])
    yield Row.ratio("start of the command batchyard: CPU / import click", found["command"], found["click"], 1.5)
    yield from doors(times * REPEATS_OF_DOORS)


def doors(repeats: int) -> Iterator[Row]:
    """Compare each function with boto3 and the AWS clients that it uses, requests and powertools' Logger."""
    used = {each["CodeUri"].removeprefix("functions/"): clients(each) for each in functions().values()}
    jobs = {name: Job("imported", "door", [name, PARTS[name], *clients]) for name, clients in used.items()}
    floors = {" ".join(clients): Job("imported", "floor", clients) for clients in used.values()}
    found = measured(jobs | floors, repeats)
    for name, clients_of in used.items():
        floor = found[" ".join(clients_of)]
        yield Row.ratio(f"cold start of {name}: CPU / its floor", found[name], floor, MOST_OF_A_DOOR)


def clients(function: dict[str, object]) -> list[str]:
    """Name the AWS services that a function may call, as boto3 does."""
    prefixes = {action.partition(":")[0] for each in statements_of(function) for action in listed(each["Action"])}
    return sorted(CLIENTS.get(prefix, prefix) for prefix in prefixes)


def measured(jobs: dict[str, Job], repeats: int) -> dict[str, Cost]:
    """Measure; a first import compiles and is not counted."""
    for job in jobs.values():
        run(job)
    return interleaved(jobs, repeats)
