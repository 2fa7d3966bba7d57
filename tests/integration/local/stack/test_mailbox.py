"""What a person would get by mail is said where the stack runs on one machine."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from local.stack.deploy import NOTIFICATIONS
from local.stack.mailbox import QUEUE, Mailbox
from local.stack.running import Stack
from tests.fakes.moto import empty_aws

CONSOLE = "http://127.0.0.1:4566/console"


class Here:
    """Clients of the AWS of this process."""

    endpoint_url = "http://127.0.0.1:4566"

    def other(self, service: str) -> Any:
        return boto3.client(service)  # type: ignore[call-overload]  # the name is no literal here


def stack(outputs: dict[str, str]) -> Stack:
    return Stack(Here(), outputs, "http://provider", (), Path())  # type: ignore[arg-type]  # these clients suffice


def test_each_mail_is_said_once() -> None:
    said, now = list[str](), [0.0]
    with empty_aws():
        topic = boto3.client("sns").create_topic(Name="notifications")["TopicArn"]
        mailbox = Mailbox(stack({NOTIFICATIONS: topic}), said.append, lambda: now[0])
        mailbox.look()
        text = f"Batch b has failed.\n\n{CONSOLE}#/batches/b"
        boto3.client("sns").publish(TopicArn=topic, Subject="Batchyard: b has failed", Message=text)
        mailbox.look()
        assert said == []  # the last look was a moment ago
        for now[0] in (3.0, 6.0):
            mailbox.look()
        (mail,) = said
        assert mail.splitlines() == [
            "On AWS this mail would go out: Batchyard: b has failed", "  Batch b has failed.", "  ",
            f"  {CONSOLE}#/batches/b",
        ]  # fmt: skip
        boto3.client("sqs").delete_queue(QueueUrl=boto3.client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"])
        now[0] = 9.0
        mailbox.look()  # the engine has ended, which others tell


def test_without_a_topic_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, said = list[str](), list[str]()
    monkeypatch.setattr(Here, "other", lambda _, service: asked.append(service))
    Mailbox(stack({}), said.append).look()
    assert (asked, said) == ([], [])
