"""The state machines of functions/batch.asl.json and shard.asl.json, played in any order of the shards, with their retries and
error paths."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.domain.errors import BatchyardError, StaleRecord, StoreError
from batchyard.domain.step import MOST_TURNS, Next, Step
from batchyard.planning.plan import Planned, plan
from batchyard.recovery.advance import advance
from batchyard.results.assemble import assemble
from batchyard.shards.cancel import cancel
from batchyard.shards.collect import collect
from batchyard.shards.fail import fail_batch, fail_shard
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.seconds_left import SecondsLeft
from tests.faults.strikes import Killed, Strikes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from batchyard.services import Services
    from tests.fakes.world import Clock

DOORS: Final = {"submit": submit, "poll": poll, "collect": collect}
TRIES: Final = 4  # of a step whose process dies or that raises what is neither StoreError nor StaleRecord
STORE_TRIES: Final = 31
STATUSES: Final = {"done": "SUCCEEDED", "Aborted": "ABORTED"}
ENDS: Final = frozenset({Next.DONE, Next.CONTINUE})  # what an execution of a shard hands back
FAILED: Final = object()


@dataclass
class ShardExecution:
    """An execution of a shard: its next step, when that is due, and how it ended."""

    name: str
    step: Step
    due: float = 0.0
    tries: Counter[str] = field(default_factory=Counter)
    ended: str | None = None  # SUCCEEDED, FAILED or ABORTED

    def error(self) -> dict[str, str]:
        """Tell the parent's task that this failed, as Step Functions does."""
        told = {
            "ExecutionArn": f"arn:aws:states:::execution:shard:{self.name}",
            "Name": self.name,
            "Status": self.ended,
        }
        if self.ended == "FAILED":
            whole = {"Error": "Exhausted", "Cause": json.dumps({"errorMessage": "tried too often"})}
            told |= {"Error": "Exhausted", "Cause": json.dumps(whole)}
        return {"Error": "States.TaskFailed", "Cause": json.dumps(told)}


@dataclass
class Iteration:
    """What the execution of a batch does about one shard: its execution number `run`, and then perhaps FailShard."""

    nested: ShardExecution
    run: int = 1
    tries: Counter[str] = field(default_factory=Counter)
    ended: bool = False

    @property
    def due(self) -> float:
        return self.nested.due

    @property
    def runs(self) -> bool:
        """Tell whether a step of the shard is what comes next."""
        return not self.ended and self.nested.ended is None


@dataclass
class Execution:
    """One execution of a batch: where it is, and the iterations of its shards. `ended` is how it ended."""

    batch_id: str
    name: str
    next: str = "plan"
    resumed: bool = False
    shards: dict[int, Iteration] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    error: dict[str, str] | None = None
    ended: str | None = None

    @property
    def open(self) -> list[int]:
        """List the shards whose iterations have not ended."""
        return [number for number, each in self.shards.items() if not each.ended]


class Machine:
    """Play executions step by step; whoever plays chooses which shard is next."""

    def __init__(
        self, services: Services, clock: Clock, strikes: Strikes, found: Callable[[str], bytes | None]
    ) -> None:
        self.services, self.clock, self.strikes, self.found = services, clock, strikes, found
        self.executions: dict[str, Execution] = {}
        self.astray: list[ShardExecution] = []  # what runs on though its batch's execution was stopped
        self.cancels: list[str] = []
        self.payloads: list[Step] = []
        self.surprises: list[str] = []
        self.failed_shards: list[Step] = []
        self.short: list[
            int
        ] = []  # how often the next runs of Plan and Assemble may look at the clock before time is up
        self.out_of_time = 0
        self.turns = 0

    def start(self, name: str, payload: dict[str, str]) -> bool:
        """Stand where Step Functions' StartExecution stands: a name starts once."""
        new = name not in self.executions
        self.executions.setdefault(name, Execution(payload["batch_id"], name))
        return new

    def status(self, name: str) -> str | None:
        """Stand where DescribeExecution stands."""
        execution = self.executions.get(name)
        if execution is None:
            return None
        return STATUSES.get(execution.ended, "FAILED") if execution.ended else "RUNNING"

    def list_running(self) -> frozenset[str]:
        """Stand where ListExecutions stands."""
        return frozenset(each.name for each in self.running)

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
            waiting = execution.open
            if not waiting:
                execution.next = "assemble"
                return
            first = min(waiting, key=lambda number: execution.shards[number].due)
            self._iterate(execution, first if choice is None else waiting[choice % len(waiting)])
        elif execution.next == "fail":
            self._attempt(execution.tries, lambda: fail_batch(self.services, execution.batch_id, execution.error or {}))
            execution.ended = "Failed"
        else:
            self._batch(execution)

    def stray(self, choice: int = 0) -> None:
        """Play a step of an execution of a shard for which nobody waits any more."""
        if self.astray:
            self.turns += 1
            at = choice % len(self.astray)
            self._step(self.astray[at])
            if self.astray[at].ended is not None:
                del self.astray[at]

    def stop(self, execution: Execution, *, alone: bool) -> None:
        """Stop an execution of a batch. Step Functions then stops those of its shards, if it can: not those of one `alone`."""
        execution.ended = "Aborted"
        nested = [each.nested for each in execution.shards.values() if each.runs]
        if alone:
            self.astray += nested
        for each in nested if not alone else ():
            each.ended = "ABORTED"

    def stop_shard(self, choice: int) -> None:
        """Stop an execution of a shard alone."""
        nested = [each.nested for execution in self.running for each in execution.shards.values() if each.runs]
        if nested:
            nested[choice % len(nested)].ended = "ABORTED"

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

    def tire(self, choice: int) -> None:
        """Let an execution of a shard have had so many turns that its history is nearly full."""
        nested = [each.nested for execution in self.running for each in execution.shards.values() if each.runs]
        if nested:
            tired = nested[choice % len(nested)]
            tired.step = msgspec.structs.replace(tired.step, turns=MOST_TURNS)
            self.payloads.clear()  # so many turns later, no delivery of those comes any more

    def _batch(self, execution: Execution) -> None:
        left = SecondsLeft(self.short.pop(0) if self.short else inf)
        batch_id, resume = execution.batch_id, execution.resumed
        if execution.next == "plan":
            call: Callable[[], Any] = lambda: plan(self.services, batch_id, resume=resume, seconds_left=left)  # noqa: E731
        else:
            call = lambda: assemble(self.services, batch_id, left)  # noqa: E731
        answer = self._attempt(execution.tries, call)
        if answer is FAILED:
            if exhausted(execution.tries):
                execution.error, execution.next = {"Error": "Exhausted", "Cause": "tried too often"}, "fail"
            return
        execution.tries.clear()
        following = answer.next if isinstance(answer, Planned) else str(answer)
        execution.resumed = following == "plan"
        self.out_of_time += left.low
        if following in {"run", "run_distributed"}:
            numbers = self._numbers(answer)
            execution.shards = {number: Iteration(_started(execution, number, 1)) for number in numbers}
            execution.next = "shards"
        elif following in {"plan", "assemble"}:
            execution.next = following
        else:
            execution.ended = following

    def _numbers(self, planned: Planned) -> Iterable[int]:
        """List the shards as the Map does that Plan has chosen."""
        if planned.next == "run":
            return range(planned.last_shard + 1)
        return [each["shard"] for each in json.loads(self.found(planned.shards["key"]) or b"")]

    def _iterate(self, execution: Execution, number: int) -> None:
        """Play RunShard, or FailShard, of a shard, and then what follows."""
        iteration = execution.shards[number]
        nested = iteration.nested
        if nested.ended is None:
            self._step(nested)
            answer: Any = nested.step.next if nested.ended == "SUCCEEDED" else FAILED
        else:
            step = nested.step
            answer = self._attempt(
                iteration.tries,
                lambda: fail_shard(
                    self.services, step.batch_id, number, nested.error(), f"{execution.name}-{iteration.run}"
                ),
            )
            if answer is not FAILED or exhausted(iteration.tries):
                self.failed_shards.append(step)
            iteration.ended = exhausted(iteration.tries)
        if answer is not FAILED:
            iteration.tries.clear()
            iteration.ended = answer != Next.CONTINUE
        if answer == Next.CONTINUE:
            iteration.run += 1
            iteration.nested = _started(execution, number, iteration.run)

    def _step(self, nested: ShardExecution) -> None:
        self.clock.now = max(self.clock.now, nested.due)
        step = nested.step
        self.payloads.append(step)
        answer = self._attempt(nested.tries, lambda: DOORS[step.next](self.services, step))
        if answer is FAILED:
            nested.ended = "FAILED" if exhausted(nested.tries) else None
            return
        nested.tries.clear()
        nested.step, nested.due = answer, self.clock.now + answer.wait_seconds
        nested.ended = "SUCCEEDED" if answer.next in ENDS else None

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


def _started(execution: Execution, number: int, run: int) -> ShardExecution:
    return ShardExecution(f"{execution.name}-shard-{number}-run-{run}", Step(execution.batch_id, number))


def exhausted(tries: Counter[str]) -> bool:
    """Tell whether the state machine would take its error path."""
    return tries["other"] >= TRIES or tries["store"] >= STORE_TRIES
