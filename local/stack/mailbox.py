"""Show the mails that a stack on AWS would send to whoever is notified: on one machine nobody sends them."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from local.stack.deploy import NOTIFICATIONS
from local.stack.running import Stack

QUEUE: Final = "batchyard-mailbox"
MOST_AT_ONCE: Final = 10
SECONDS: Final = 2.0  # between two looks


class Mailbox:
    """Subscribe a queue to the topic of notifications, and say what comes; without a topic nothing comes."""

    def __init__(self, stack: Stack, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Subscribe at once, so that nothing is missed."""
        self._clock, self._next = clock, 0.0
        self._say = say
        self._queue = ""
        if topic := stack.outputs.get(NOTIFICATIONS):
            self._sqs = stack.clients.other("sqs")
            self._queue = self._sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
            wanted = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
            arn = wanted["Attributes"]["QueueArn"]
            self._sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": json.dumps(_policy(arn, topic))})
            stack.clients.other("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def look(self) -> None:
        """Say each mail that has come, and take it out; return at once if the last look was a moment ago."""
        now = self._clock()
        if not self._queue or now < self._next:
            return
        self._next = now + SECONDS
        try:
            found = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=MOST_AT_ONCE)
        except (BotoCoreError, ClientError):
            return  # whoever calls this watches the engine's process, and names its end
        for message in found.get("Messages", []):
            self._say(_mail(json.loads(message["Body"])))
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])


def _mail(told: Mapping[str, Any]) -> str:
    lines = (f"  {line}" for line in told["Message"].splitlines())
    return f"On AWS this mail would go out: {told['Subject']}\n" + "\n".join(lines)


def _policy(queue: str, topic: str) -> dict[str, Any]:
    """Let the topic send to the queue, and nobody else."""
    allowed = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }  # fmt: skip
    return {"Version": "2012-10-17", "Statement": [allowed]}
