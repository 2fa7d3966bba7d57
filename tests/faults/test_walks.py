"""Random walks through all that may go wrong at once. A failing walk prints the steps that lead to it, as few as can be."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from batch_client import (
    BadRequestError,
    NotFoundError,
)
from batch_client import (
    BatchError as ProviderBatchError,
)
from tests.fakes.failures import PASSING, only
from tests.faults.answers import SAYS
from tests.faults.inputs import SORTS as BAD
from tests.faults.provider import NEVER_SEEN, Fate, Trouble, no_room
from tests.faults.strikes import Strike
from tests.faults.struck import StruckWorld

WALKS = int(os.environ.get("WALKS", "150"))
IDS = [f"r{at}" for at in range(12)]
MOST_BATCHES = 6  # of a walk
OTHERS = [f"s{at}" for at in range(6)]  # of a second batch
SORTS = [
    "good",
    "refused",
    "unavailable",
    "slow down",
    "zero",
    "timed out",
    "expired",
    "missing",
    "malformed",
    "twice",
    "stranger",
    "mangled",
    "empty",
    "with an error",
    "contradicted",
    "coded",
    *SAYS,
]
ACCEPTS = [
    None, None, '{"finish_reason": ["stop"], "not_empty": true}', '{"json": true}', '{"finish_reason": ["stop", "length"]}',
]  # fmt: skip
MODELS = ("o4-mini", "gpt-5-nano")  # are sold by flex processing
# Which models each provider gets; None for one provider. A retry may change a model to one that another gets.
PROVIDERS = [None, None, {"a": ["o4*"], "b": ["*"]}, {"a": ["o4*"], "b": ["gpt-*"], "c": ["*"]}]
OWN = ["good", "empty", *SAYS]  # of a request that is sent on its own
IN_A_FILE = [sort for sort in SORTS if sort != "missing"]
STATUSES = ["validating", "in_progress", "finalizing", "pondering", "cancelling"]
ERRORS = [
    no_room("m0", 90_000),
    ProviderBatchError("invalid_request", "not found", "file_id"), ProviderBatchError("billing_hard_limit_reached", "pay"),
    ProviderBatchError(NEVER_SEEN, "?"), ProviderBatchError("invalid_json_line", "bad", None, 1),
    ProviderBatchError("duplicate_custom_id", "twice", None, 2),
]  # fmt: skip
# A lasting failure is no trouble of every call: one that says "never" ends the shard, and rightly.
TROUBLES = {
    **PASSING,
    "its batch is not there": only("retrieve_batch", NotFoundError("gone", status=404)),
    "an upload that is refused": only("create_file", BadRequestError("no", status=400)),
    "a create that is refused": only("create_batch", BadRequestError("no such file", status=400, param="file_id")),
    "a cancel that is refused": only("cancel_batch", BadRequestError("no", status=400)),
}

fates = st.builds(
    Fate,
    end=st.sampled_from(["completed", "completed", "expired", "cancelled", "failed"]),
    seconds=st.sampled_from([1.0, 90.0, 4_000.0, 86_400.0]),
    share=st.sampled_from([0.0, 0.3, 0.6, 0.9]),
    lines=st.dictionaries(st.sampled_from([*IDS, *OTHERS[:3]]), st.sampled_from(SORTS), max_size=6),
    errors=st.lists(st.sampled_from(ERRORS), min_size=1, max_size=2).map(tuple),
    shown=st.lists(st.sampled_from(STATUSES), max_size=3),
    late=st.sampled_from([0, 0, 1, 2]),
    no_counts=st.booleans(),
    empty_ids=st.booleans(),
    cancel_finishes=st.booleans(),
    vanish=st.sampled_from([0, 0, 1, 3]),
)
# A provider batch that takes its whole window, and answers that not every user accepts.
slow_fates = st.builds(
    Fate, end=st.just("expired"), seconds=st.just(86_400.0), share=st.sampled_from([0.0, 0.3, 0.6]),
    lines=st.dictionaries(st.sampled_from(IDS), st.sampled_from(["good", *SAYS]), max_size=6),
)  # fmt: skip
# A status that nobody knows: such a provider batch ends only by what its counts and files show.
odd_fates = st.builds(
    Fate,
    seconds=st.sampled_from([1.0, 90.0, 4_000.0]),
    lines=st.dictionaries(st.sampled_from([*IDS, *OTHERS[:3]]), st.sampled_from(IN_A_FILE), max_size=3),
    odd=st.just("pondering"),
    cancel_finishes=st.just(value=True),
)
troubles = st.builds(
    lambda name, after: Trouble(TROUBLES[name].error, after=after and TROUBLES[name].may_have_worked),
    st.sampled_from(sorted(TROUBLES)), st.booleans(),
)  # fmt: skip
bad = st.dictionaries(st.integers(0, len(IDS) - 1), st.sampled_from(BAD), max_size=4)
strikes = st.builds(
    Strike, st.sampled_from(["kill", "fail", "overtake"]), st.integers(0, 6), st.booleans(), st.just(value=False)
)


def world_of(providers: dict[str, list[str]] | None) -> StruckWorld:
    made = StruckWorld(providers=providers, max_requests_per_shard=4, provider_profile="openai")
    made.models = MODELS
    return made


class Walk(RuleBasedStateMachine):
    """Services to which anything may happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = world_of(None)
        self.cancels = False

    @initialize(
        cancels=st.booleans(), lines=st.integers(1, len(IDS)), models=st.integers(1, 2),
        room=st.sampled_from([None, None, 60, 200]), bad=st.just({}) | bad,
        deadline_action=st.sampled_from(["wait", "resubmit", "finish"]), chunk=st.sampled_from([65_536, 300]),
        most_bytes=st.sampled_from([None, None, None, 500, 250]), accept=st.sampled_from(ACCEPTS),
        providers=st.sampled_from(PROVIDERS), inline=st.booleans(),
        service_tier=st.sampled_from(["flex", "flex", "standard"]),
        first=st.lists(slow_fates | fates, max_size=3),
        own=st.dictionaries(st.sampled_from(IDS), st.sampled_from(OWN), max_size=4),
        flex=st.dictionaries(st.sampled_from(IDS), st.sampled_from(["default", "full"]), max_size=4),
    )  # fmt: skip
    def upload(
        self, lines: int, models: int, room: int | None, bad: dict[int, str], deadline_action: str, chunk: int,
        most_bytes: int | None, accept: str | None, service_tier: str, first: list[Fate], own: dict[str, str],
        flex: dict[str, str], providers: dict[str, list[str]] | None, *, cancels: bool, inline: bool,
    ) -> None:  # fmt: skip
        if providers:
            self.world = world_of(providers)
        self.cancels, self.world.provider.inline = cancels, inline
        self.world.provider.fates, self.world.provider.own, self.world.provider.flex = [*first], {**own}, {**flex}
        self.world.change(deadline_action=deadline_action, deadline_service_tier=service_tier)
        self.world.memory.bucket.chunk = chunk  # a plan looks at the clock between two
        self.world.provider.token_limit, self.world.provider.most_bytes = room, most_bytes
        self.world.upload(IDS[:lines], models, bad, options={"accept": accept} if accept else None)

    @precondition(lambda self: len(self.world.cases) == 1)
    @rule(lines=st.integers(1, len(OTHERS)), models=st.integers(1, 2), bad=st.just({}) | bad, dry_run=st.booleans())
    def upload_another(self, lines: int, models: int, bad: dict[int, str], *, dry_run: bool) -> None:
        self.world.upload(OTHERS[:lines], models, bad, dry_run=dry_run)

    @precondition(lambda self: len(self.world.cases) < MOST_BATCHES and not self.world.open())
    @rule(
        lines=st.sampled_from(["errors", "errors", "cancelled", "all"]),
        body=st.sampled_from([None, {"seed": 7}, {"model": "m0"}]),
        dry_run=st.sampled_from([False, False, True]), uploads=st.booleans(),
    )  # fmt: skip
    def retry(self, lines: str, body: dict[str, Any] | None, *, dry_run: bool, uploads: bool) -> None:
        self.world.retry(lines, body, dry_run=dry_run, uploads=uploads)

    @rule()
    def go_to_the_end(self) -> None:
        self.world.finish(calm=False)

    @rule(looks=st.lists(st.integers(0, 4), min_size=1, max_size=2))
    def run_short_of_time(self, looks: list[int]) -> None:
        self.world.machine.short = looks

    @rule(choice=st.integers(0, 5))
    def tire(self, choice: int) -> None:
        self.world.machine.tire(choice)

    @rule(choice=st.integers(0, 7), turns=st.integers(1, 6))
    def go_on(self, choice: int, turns: int) -> None:
        for _ in range(turns):
            self.world.machine.stray(choice)
            for execution in self.world.machine.running:
                self.world.machine.turn(execution, choice)

    @rule(fate=fates | odd_fates)
    def ordain(self, fate: Fate) -> None:
        self.world.provider.fates.append(fate)

    @rule(trouble=troubles, calls=st.integers(0, 2))
    def trouble_a_call(self, trouble: Trouble, calls: int) -> None:
        self.world.provider.troubles += [*[None] * calls, trouble]

    @precondition(lambda self: self.world.doors)
    @rule(choice=st.integers(0, 2), seconds=st.sampled_from([60, 3_600, 40_000]))
    def lose_a_provider(self, choice: int, seconds: int) -> None:
        doors = [*self.world.doors.values()]
        doors[choice % len(doors)].down_until = self.world.clock.now + seconds

    @rule(strike=strikes)
    def strike(self, strike: Strike) -> None:
        self.world.strikes.due = strike

    @rule()
    def notice_again(self) -> None:
        self.world.notice("inbox/default/0.jsonl")

    @rule(choice=st.integers(0, 99))
    def replay(self, choice: int) -> None:
        self.world.machine.replay(choice)

    @rule(shard=st.integers(0, 2))
    def hear_from_the_provider(self, shard: int) -> None:
        self.world.hear(shard)

    @rule()
    def resume(self) -> None:
        self.world.resume()

    @rule(seconds=st.sampled_from([5, 700, 40_000]))
    def wait(self, seconds: int) -> None:
        self.world.clock.now += seconds

    @precondition(lambda self: self.cancels)
    @rule(choice=st.integers(0, 1))
    def cancel(self, choice: int) -> None:
        self.world.cancel(choice)

    @rule(choice=st.integers(0, 3))
    def run_a_cancel(self, choice: int) -> None:
        self.world.machine.cancel(choice)

    @rule(choice=st.integers(0, 3), alone=st.booleans())
    def stop_an_execution(self, choice: int, *, alone: bool) -> None:
        self.world.abort(choice, alone=alone)

    @rule(choice=st.integers(0, 7))
    def stop_an_execution_of_a_shard(self, choice: int) -> None:
        self.world.machine.stop_shard(choice)

    @rule()
    def sweep(self) -> None:
        self.world.sweep()

    @rule()
    def lose_a_cancel(self) -> None:
        del self.world.machine.cancels[:1]

    def teardown(self) -> None:
        if self.world.cases:
            self.world.finish()
            assert self.world.wrongs() == []


TestWalk: Any = Walk.TestCase
TestWalk.settings = settings(
    max_examples=WALKS, stateful_step_count=40, deadline=None, derandomize="WALKS" not in os.environ,
    suppress_health_check=list(HealthCheck), print_blob=True,
)  # fmt: skip
