"""What may befall the results in Anthropic's shape: every line once, in the order of the input, with what both results say."""

from __future__ import annotations

import json

import msgspec
import pytest

from batchyard.domain.batch import BY_FILE
from tests.faults.provider import Fate
from tests.faults.strikes import Strike, some
from tests.faults.struck import StruckWorld

LINES = [f"r{at}" for at in range(9)]
FATES = [Fate("expired", share=0.5, lines={"r0": "refused", "r1": "unavailable"})]


def world(strike: Strike | None = None, *, short: int = 0) -> StruckWorld:
    """Make services with a batch that Anthropic's route made; `short`: its last step runs out of time as often."""
    made = StruckWorld(max_requests_per_shard=4)
    made.provider.fates = list(FATES)
    made.strikes.due = strike
    batch_id = made.upload(LINES, bad={5: "broken"})
    known = made.memory.batch_store.batches[batch_id]
    made.memory.batch_store.batches[batch_id] = msgspec.structs.replace(known, messages_input=BY_FILE)
    made.machine.short += [1] * short
    return made


def shown(played: StruckWorld) -> list[tuple[str, str]]:
    """Return what each line of the file names and says, which must be what both results have for the line."""
    results = {
        each["custom_id"] or f"line-{each['error']['line']}": each
        for name in ("output.jsonl", "errors.jsonl")
        for each in map(json.loads, (played.first_result(name) or b"").splitlines())
    }
    found = list(map(json.loads, (played.first_result("messages.jsonl") or b"").splitlines()))
    assert sorted(each["custom_id"] for each in found) == sorted(results)
    for each in found:
        result, ours = each["result"], results[each["custom_id"]]
        if result["type"] == "succeeded":
            assert result["message"] == ours["response"]["body"]
        else:
            assert ours["error"] or ours["response"]["status_code"] >= 400
    return [(each["custom_id"], each["result"]["type"]) for each in found]


def names(played: StruckWorld) -> list[str]:
    return [name for name, _ in shown(played)]


def whole(short: int = 0) -> StruckWorld:
    played = world(short=short)
    played.finish()
    assert played.wrongs() == []
    return played


def effects_of_assemble(short: int) -> range:
    """Return the numbers of the effects from the turn on in which the results are begun, up to the end of the batch."""
    played, first = world(short=short), 0
    batch_id = played.cases[0].batch_id
    while not played.memory.batch_store.batches[batch_id].ended:
        before = played.strikes.count
        for execution in played.machine.running:
            played.machine.turn(execution)
        if played.memory.batch_store.batches[batch_id].finalizing_at:
            first = first or before
    return range(first, played.strikes.count)


def test_the_file_has_every_line_in_the_order_of_the_input() -> None:
    lines = shown(whole())
    assert [name for name, _ in lines if name in LINES] == LINES
    assert len(lines) == len(LINES) + 1
    assert dict(lines)["r0"] == "errored"
    assert [kind for name, kind in lines if name in LINES].count("succeeded") == len(LINES) - 1


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize(
    ("kind", "short"),
    [("kill", 0), ("fail", 0), ("overtake", 0), ("kill", 14)],
    ids=["kill", "fail", "overtake", "in parts"],
)
def test_the_last_step_is_struck_at_any_call_it_makes_to_aws(kind: str, short: int, *, after: bool) -> None:
    calm = whole(short)
    assert (calm.machine.out_of_time > 1) == bool(short)
    struck = set[str]()
    for at in some(effects_of_assemble(short), kind, after=after, every=2):
        played = world(Strike(kind, at, after), short=short)
        played.finish(calm=False)
        where = f"at effect {at}: {played.strikes.struck}"
        assert played.wrongs() == [], where
        assert names(played) == names(calm), where
        struck.update(played.strikes.struck)
    assert any("messages" in each or "put" in each for each in struck), struck
