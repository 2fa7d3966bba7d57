"""Keep what the functions logged; the engine forgets it when it ends."""

from pathlib import Path

from local.stack import Stack


def save_logs(stack: Stack) -> Path:
    """Write every message of every log group, oldest first, into `functions.log` of the run's folder."""
    logs = stack.clients.other("logs")
    path = stack.folder / "functions.log"
    with path.open("w", encoding="utf-8") as target:
        for page in logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                name = group["logGroupName"]
                for events in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                    target.writelines(f"{name} {event['message'].rstrip()}\n" for event in events["events"])
    return path
