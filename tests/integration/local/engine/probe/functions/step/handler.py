"""The probe's step: counts how many of it run at once, fails with a class of its own, tells its environment."""

import os
import time
from typing import Any

import boto3


class OfItsOwnError(Exception):
    """An error whose name a state machine can catch."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Do what the event asks for, and answer with it."""
    if event.get("fail"):
        raise OfItsOwnError("on purpose")
    if event.get("environment"):
        return dict(os.environ)
    if event.get("forbidden"):
        boto3.resource("dynamodb").Table(os.environ["TABLE"]).scan()
    if event.get("says"):
        print(event["says"])  # noqa: T201 - a line of the log
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if "item" in event:
        _count(1)
        time.sleep(0.3)
        _count(-1)
    return event


def _count(change: int) -> None:
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    running = table.update_item(
        Key={"pk": "running"},
        UpdateExpression="ADD running :change",
        ExpressionAttributeValues={":change": change},
        ReturnValues="UPDATED_NEW",
    )["Attributes"]["running"]
    if change > 0:
        most = {"pk": f"most-{running!s:>03}"}
        table.update_item(Key=most, UpdateExpression="ADD seen :one", ExpressionAttributeValues={":one": 1})
