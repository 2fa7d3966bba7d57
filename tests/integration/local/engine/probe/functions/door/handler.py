"""The probe's doors: they answer with what they were given, and record events in the table."""

import json
import os
from typing import Any

import boto3
import words  # type: ignore[import-not-found]  # only the layer has it


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | None:
    """Answer an HTTP request with its event; record any other event, and read the object it names."""
    if "requestContext" in event:
        return {
            "statusCode": 201,
            "headers": {"content-type": "application/x-probe; charset=utf-8", "x-probe": "yes"},
            "body": json.dumps(event),
        }
    item = {"pk": event["detail-type"], "event": json.dumps(event)}
    boto3.resource("dynamodb").Table(os.environ["TABLE"]).put_item(Item=item)
    if "object" in event["detail"]:
        found = event["detail"]["object"]
        version = {"VersionId": found["version-id"]}
        boto3.client("s3").get_object(Bucket=os.environ["BUCKET"], Key=found["key"], **version)
        boto3.resource("dynamodb").Table(os.environ["TABLE"]).put_item(Item={"pk": found["key"], **version})
    return None


def word(_event: dict[str, Any], _context: object) -> str:
    """Answer a word that only the layer knows."""
    return str(words.KEY)
