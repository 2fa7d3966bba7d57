"""A person is told of the end of a batch: in a chat, and by a mail that a stack on one machine prints."""

import json
from pathlib import Path

from tests.system.processes import eventually, local
from tests.system.running_stack import RunningStack, jsonl, request
from tests.system.test_tenant_webhooks import receiver


def test_the_end_of_a_batch_is_told_in_the_chat_and_the_mail_is_printed(tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    with receiver(500) as (url, got), printed.open("w", encoding="utf-8") as stderr:
        settings = {
            "BATCHYARD_NOTIFY_EMAIL": "you@example.com", "BATCHYARD_NOTIFY_CHAT": "slack", "BATCHYARD_CHAT_ADDRESS": url,
            "BATCHYARD_NOTIFY_ON": "completed", "BATCHYARD_WEBHOOKS_TO_PRIVATE_ADDRESSES": "true",
        }  # fmt: skip
        with local("up", settings=settings, stderr=stderr) as process:
            try:
                assert process.stdout is not None
                stack = RunningStack(json.loads(process.stdout.readline()))
                batch = stack.run("told.jsonl", jsonl([request(number) for number in range(3)]))
                eventually(lambda: len(got) == 2)  # tried again after the 500
                eventually(lambda: "this mail would go out" in printed.read_text(encoding="utf-8"))
            finally:
                process.terminate()
                process.wait(20)
        said = json.loads(got[-1][1])["text"]
    assert f"Batch {batch.batch_id} of the tenant default has completed." in said
    assert "3 lines: 3 good, 0 failed. Spent: $" in said
    assert said.endswith(f"\n<{stack.doors['console_url']}#/batches/{batch.batch_id}>")
    text = printed.read_text(encoding="utf-8")
    assert f"mail would go out: Batchyard: {batch.batch_id} has completed\n" in text
    assert f"  {stack.doors['console_url']}#/batches/{batch.batch_id}\n" in text
