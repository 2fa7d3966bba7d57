"""How long one job of `make prove` is waited for."""

from types import SimpleNamespace
from typing import Any

import pytest

from batch_client import Prepared
from local.prove import trial
from local.prove.choice import choose
from local.prove.lines import batches
from local.prove.trial import ProofFailed, Trial


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        assert len(self.slept) < 10_000, "nothing bounds it"
        self.slept.append(seconds)
        self.now += seconds


def test_an_input_that_is_never_processed_ends_the_run_after_looks_that_grow_rare(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, looked = Clock(), list[str]()
    monkeypatch.setattr(trial, "time", clock)

    def prepared(input_id: str) -> Prepared:
        looked.append(input_id)
        return Prepared(input_id, pending=True)

    service: Any = SimpleNamespace(prepare=lambda *_: Prepared("file-1", pending=True), prepared=prepared)
    choice = choose({"PROVIDER_BASE_URL": "https://api.openai.com/v1", "PROVIDER_API_KEY": "sk-x"}, "", "")
    (first, *_) = batches(choice.asked, choice.profile.facts, "run")
    job = Trial(service, choice, first, "run", lambda _: None)
    with pytest.raises(ProofFailed, match="has not processed the input file-1 within 15 minutes"):
        job.run(3_600)
    assert job.job.input == "file-1", "so `stop` deletes it"
    assert set(looked) == {"file-1"}
    assert len(looked) < 60
    assert clock.slept == sorted(clock.slept)
    assert (clock.slept[0], clock.slept[-1]) == (0.2, 60.0)
