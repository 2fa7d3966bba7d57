"""The state machine of functions/batch.asl.json, played in any order of its shards, with its retries and error paths."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.domain.errors import BatchyardError, StaleRecord, StoreError
from batchyard.domain.step import Next, Step
from batchyard.domain.time_budget import TIME_TO_END
from batchyard.planning.plan import plan
from batchyard.recovery.advance import advance
from batchyard.results.assemble import assemble
from batchyard.shards.cancel import cancel
from batchyard.shards.collect import collect
from batchyard.shards.continue_as_new import MOST_TURNS
from batchyard.shards.fail import fail_batch, fail_shard
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.faults.strikes import Killed, Strikes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchyard.services import Services
    from tests.fakes.world import Clock

DOORS: Final = {"submit": submit, "poll": poll, "collect": collect}
TRIES: Final = 4  # of a step whose process dies or that raises what is neither StoreError nor StaleRecord
STORE_TRIES: Final = 31
LEFT: Final = frozenset({"done", "continue"})  # what a shard's own execution ends with
STATUSES: Final = {"done": "SUCCEEDED", "Aborted": "ABORTED"}


@dataclass
class Sleeper:
    """A shard's child execution: its next step, and when that is due."""

    step: Step
    due: float = 0.0
    tries: Counter[str] = field(default_factory=Counter)


@dataclass
class Execution:
    """One execution: where it is, and its shards'. `ended` is how it ended."""

    batch_id: str
    next: str = "plan"
    resumed: bool = False
    shards: dict[int, Sleeper] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    error: dict[str, str] | None = None
    ended: str | None = None


class Watch:
    """The time an invocation has left: enough for so many looks at it, or for any number."""

    def __init__(self, looks: int | None) -> None:
        self.looks = inf if looks is None else looks

    def __call__(self) -> float:
        self.looks -= 1
        return TIME_TO_END + 1 if self.looks >= 0 else TIME_TO_END - 1


class Machine:
    """Play executions step by step; whoever plays chooses which shard is next."""

    def __init__(
        self, services: Services, clock: Clock, strikes: Strikes, found: Callable[[str], bytes | None]
    ) -> None:
        self.services, self.clock, self.strikes, self.found = services, clock, strikes, found
        self.executions: dict[str, Execution] = {}
        self.cancels: list[str] = []
        self.payloads: list[Step] = []
        self.surprises: list[str] = []
        self.failed_shards: list[Step] = []
        self.short: list[
            int
        ] = []  # how often the next runs of Plan and Assemble may look at the clock before time is up
        self.handed_over = 0
        self.turns = 0

    def start(self, name: str, payload: dict[str, str]) -> bool:
        """Stand where Step Functions' StartExecution stands: a name starts once."""
        new = name not in self.executions
        self.executions.setdefault(name, Execution(payload["batch_id"]))
        return new

    def status(self, name: str) -> str | None:
        """Stand where DescribeExecution stands."""
        execution = self.executions.get(name)
        if execution is None:
            return None
        return STATUSES.get(execution.ended, "FAILED") if execution.ended else "RUNNING"

    def invoke(self, payload: dict[str, Any]) -> None:
        """Stand where the cancel function's invoker stands."""
        self.cancels.append(str(payload["batch_id"]))

    def advance(self, asked: Mapping[str, Any]) -> None:
        """Run the advance function once, as it was asked to."""
        self.once(lambda: advance(self.services, asked["batch_id"], asked["shard"]))

    @property
    def running(self) -> list[Execution]:
        return [execution for execution in self.executions.values() if execution.ended is None]

    def turn(self, execution: Execution, choice: int | None = None) -> None:
        """Play one state of an execution: while it has shards that of the chosen one, else of the one that is due first."""
        self.turns += 1
        if execution.next == "shards":
            waiting = [number for number, each in execution.shards.items() if each.step.next not in LEFT]
            if not waiting:
                execution.next = "assemble"
                return
            first = min(waiting, key=lambda number: execution.shards[number].due)
            self._shard(execution, first if choice is None else waiting[choice % len(waiting)])
        elif execution.next == "fail":
            self._attempt(execution.tries, lambda: fail_batch(self.services, execution.batch_id, execution.error or {}))
            execution.ended = "Failed"
        else:
            self._batch(execution)

    def deliver(self, call: Callable[[], Any]) -> Any:
        """Call a function until it comes to its end, as events are delivered."""
        for _ in range(TRIES):
            answer = self._attempt(Counter(), call)
            if answer is not FAILED:
                return answer
        raise AssertionError("not delivered")

    def once(self, call: Callable[[], Any]) -> None:
        """Call a function as an asynchronous invocation does that nobody repeats."""
        self._attempt(Counter(), call)

    def cancel(self, choice: int = 0) -> None:
        """Run one of the cancel function's pending invocations; Lambda tries an asynchronous one three times."""
        if self.cancels:
            batch_id = self.cancels.pop(choice % len(self.cancels))
            for _ in range(3):
                if self._attempt(Counter(), lambda: cancel(self.services, batch_id)) is not FAILED:
                    return

    def replay(self, choice: int) -> None:
        """Deliver an old step once more, late; nobody waits for what it answers."""
        if self.payloads:
            step = self.payloads[choice % len(self.payloads)]
            self._attempt(Counter(), lambda: DOORS[step.next](self.services, step))

    def tire(self, choice: int, turns: int = MOST_TURNS) -> None:
        """Let an execution of a shard have had so many turns that its history is nearly full."""
        sleepers = [each for execution in self.running for each in execution.shards.values()]
        if sleepers:
            sleeper = sleepers[choice % len(sleepers)]
            sleeper.step = msgspec.structs.replace(sleeper.step, turns=turns)
            self.payloads.clear()  # so many turns later, no delivery of those comes any more

    def _batch(self, execution: Execution) -> None:
        left = Watch(self.short.pop(0) if self.short else None)
        batch_id, resume = execution.batch_id, execution.resumed
        if execution.next == "plan":
            call: Callable[[], Any] = lambda: plan(self.services, batch_id, resume=resume, seconds_left=left).next  # noqa: E731
        else:
            call = lambda: assemble(self.services, batch_id, left)  # noqa: E731
        answer = self._attempt(execution.tries, call)
        if answer is FAILED:
            if exhausted(execution.tries):
                execution.error, execution.next = {"Error": "Exhausted", "Cause": "tried too often"}, "fail"
            return
        execution.tries.clear()
        execution.resumed = answer == "plan"
        self.handed_over += left.looks < 0
        if answer == "run":
            listed = json.loads(self.found(f"work/{execution.batch_id}/plan/shards.json") or b"")
            execution.shards = {each["shard"]: Sleeper(Step(execution.batch_id, each["shard"])) for each in listed}
            execution.next = "shards"
        elif answer in {"plan", "assemble"}:
            execution.next = str(answer)
        else:
            execution.ended = str(answer)

    def _shard(self, execution: Execution, number: int) -> None:
        sleeper = execution.shards[number]
        self.clock.now = max(self.clock.now, sleeper.due)
        step = sleeper.step
        self.payloads.append(step)
        answer = self._attempt(sleeper.tries, lambda: DOORS[step.next](self.services, step))
        if answer is FAILED:
            if exhausted(sleeper.tries):
                error = {"Error": "Exhausted", "Cause": "tried too often"}
                for _ in range(TRIES):
                    if (
                        self._attempt(Counter(), lambda: fail_shard(self.services, step.batch_id, number, error))
                        is not FAILED
                    ):
                        break
                self.failed_shards.append(step)
                sleeper.step = step.then(Next.DONE)
            return
        sleeper.tries.clear()
        sleeper.step, sleeper.due = answer, self.clock.now + answer.wait_seconds

    def _attempt(self, tries: Counter[str], call: Callable[[], Any]) -> Any:
        """Run a function once, as Lambda would; FAILED when it did not come to its end."""
        self.strikes.step = call
        try:
            return call()
        except (StoreError, StaleRecord):
            tries["store"] += 1
        except (Killed, BatchyardError):
            tries["other"] += 1
        except Exception:  # noqa: BLE001 - the state machine retries any; the checker wants to know of these
            self.surprises.append(traceback.format_exc())
            tries["other"] += 1
        self.clock.now += 2
        return FAILED


FAILED: Final = object()


def exhausted(tries: Counter[str]) -> bool:
    """Tell whether the state machine would take its error path."""
    return tries["other"] >= TRIES or tries["store"] >= STORE_TRIES
