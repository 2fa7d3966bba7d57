"""Save what the functions logged; the logs of the engine end with the engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.stack.running import Stack


def save_logs(stack: Stack) -> Path:
    """Write every message of every log group, oldest first and its function before it, into `functions.log` of the run."""
    logs = stack.clients.other("logs")
    path = stack.folder / "functions.log"
    with path.open("w", encoding="utf-8") as target:
        for page in logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                target.writelines(_messages(logs, group["logGroupName"]))
    return path


def _messages(logs: Any, group: str) -> Iterator[str]:  # noqa: ANN401 - the stubs of CloudWatch Logs are not installed
    # some streams at a time: the engine gives the first 10,000 messages and does not say that there are more
    for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group, orderBy="LastEventTime"):
        if names := [stream["logStreamName"] for stream in page["logStreams"]]:
            for found in logs.get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNames=names):
                for event in found["events"]:
                    yield f"{_function(event['logStreamName']) or group} {event['message'].rstrip()}\n"


def _function(stream: str) -> str:
    """Return the function that a stream is of: `YYYY/MM/DD/FUNCTION[VERSION]ID`."""
    return stream.rpartition("/")[2].partition("[")[0]
