"""The one logger, structured, and the metrics: neither is ever given a key, a prompt or an answer.

A metric is a line of the log in CloudWatch's embedded metric format. `METRICS` declares each with the sets of its dimensions,
all of them with few values, because each combination is paid for. `service` is in every set: the name of the stack.
"""

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec
from aws_lambda_powertools import Logger, Metrics

NAMESPACE: Final = "Batchyard"

# Below WARNING libraries log what they send and receive: botocore the body of every answer, secrets included. Lambda may have
# set the root logger to DEBUG before this; only our own logger follows.
logging.getLogger().setLevel(max(logging.getLogger().level, logging.WARNING))

logger = Logger(service="batchyard", utc=True)  # the template sets its level, by a variable that Powertools reads

COUNT, SECONDS, MILLISECONDS, PERCENT, NONE = "Count", "Seconds", "Milliseconds", "Percent", "None"
#: Members of the log that a line of metrics has, too, so that it is found with the other lines of its batch.
FOLLOWED: Final = ("batch_id", "shard")


class Metric(NamedTuple):
    """What a metric is counted in, and by which dimensions beside `service`: one series for each set."""

    unit: str = COUNT
    by: tuple[tuple[str, ...], ...] = ((),)


METRICS: Final[Mapping[str, Metric]] = {
    # What the sweep has done: each is explained in docs/failures.md.
    **dict.fromkeys(
        (
            "UploadsStarted", "FiringsTakenUp", "ExecutionsStarted", "ExecutionsRestarted", "BatchesGivenUp",
            "GivenUpBatchesAdvanced", "BatchesFailed", "ProviderBatchesAdopted", "ProviderBatchesCancelled",
            "ProviderFilesDeleted", "ReservationsReleased", "LedgersCorrected", "StoredBytesCorrected",
            "StoredFilesRemoved", "CopiesRemoved", "BatchesSettled", "FiringsCaughtUp", "SchedulesMended",
            "SetApart", "ProviderFailures",
        ),
        Metric(),
    ),
    # What the sweep has seen, of all tenants: each is explained in docs/operations.md, as all that follow.
    "OpenBatches": Metric(),
    "PausedBatches": Metric(),
    "OldestBatchHours": Metric(NONE),
    "Shards": Metric(by=(("state",),)),
    "QuotaUse": Metric(PERCENT, (("quota",),)),
    # What the steps do.
    "GivenUp": Metric(),
    "ResultsAtRisk": Metric(),
    "LinesCompleted": Metric(),
    "LinesFailed": Metric(),
    "InputTokens": Metric(),
    "OutputTokens": Metric(),
    "DollarsSpent": Metric(NONE, ((), ("model",), ("provider",))),
    "Waits": Metric(by=(("reason",),)),
    "TokenWaitSeconds": Metric(SECONDS),
    "ProviderCallTime": Metric(MILLISECONDS, (("call",),)),
    "ProviderCallErrors": Metric(by=(("call",), ("error",))),
}  # fmt: skip
#: Every value that a dimension can have; those of `model` are names of the price list, of `provider` those of Providers.
VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "state": ("waiting", "sent", "at_provider"),
    "quota": ("open_batches", "stored_bytes", "enqueued_tokens", "creates_per_hour"),
    "reason": ("tokens", "creates_per_hour", "slots"),
    "call": ("upload", "create", "look", "download", "cancel", "delete", "list", "send"),
    "error": ("rate_limit", "token_limit", "money", "key", "not_found", "refused", "server",
              "connection", "answer_lost", "other"),
}  # fmt: skip


def publish(values: Mapping[str, float], /, **dimensions: str) -> None:
    """Publish values of declared metrics, as one line; nothing if there is none. What cannot be published costs no step."""
    if not values:
        return
    try:
        sys.stdout.write(_line(values, dimensions) + "\n")  # in one write: several threads may publish
    except Exception:  # the work that is counted is done, and must not be done again for want of its count
        logger.exception("metrics not published", extra={"metrics": list(values)})


def _line(values: Mapping[str, float], dimensions: Mapping[str, str]) -> str:
    service = Metrics(namespace=NAMESPACE).service  # Powertools reads the name of the stack from a variable, too
    said: dict[str, Any] = logger.get_current_keys()
    line: dict[str, Any] = {
        **{name: said[name] for name in FOLLOWED if name in said},
        "_aws": {"Timestamp": int(time.time() * 1_000), "CloudWatchMetrics": list(_described(values))},
        "service": service,
        **dimensions,
        **{name: [float(value)] for name, value in values.items()},
    }
    return msgspec.json.encode(line).decode()


def _described(values: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """Describe the values to CloudWatch, those with the same dimensions together."""
    for by, names in groupby(sorted(values, key=lambda name: METRICS[name].by), key=lambda name: METRICS[name].by):
        sets = [["service", *each] for each in by]
        units = [{"Name": name, "Unit": METRICS[name].unit} for name in names]
        yield {"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": units}
