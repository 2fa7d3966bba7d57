"""The schedule of a deployed stack finds what no event told of."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.running_stack import RunningStack, jsonl, request


@contextmanager
def deaf(stack: RunningStack) -> Iterator[None]:
    """Let the events of uploads go missing while the block lasts."""
    events = stack.clients.other("events")
    rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "inbox/" in rule.get("EventPattern", "")]
    assert len(rules) == 1
    events.disable_rule(Name=rules[0])
    try:
        yield
    finally:
        events.enable_rule(Name=rules[0])


def test_the_schedule_finds_an_upload_whose_event_went_missing(stack: RunningStack) -> None:
    with deaf(stack):
        version_id = stack.drop("missed.jsonl", jsonl([request(1)]))
        batch_id = stack.batch_of("missed.jsonl", version_id, seconds=90)
    assert stack.ended(batch_id).status == "completed"


def test_a_sweep_makes_no_batch_of_what_has_one(stack: RunningStack) -> None:
    stack.run("seen.jsonl", jsonl([request(1)]))
    swept = stack.invoke("Sweep", {"detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"})
    assert "UploadsStarted" not in swept
