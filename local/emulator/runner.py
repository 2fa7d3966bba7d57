"""Run one batch through its statuses, from validating to its end, in a thread of its own."""

import math
import os
import threading
from collections.abc import Iterator

from local.emulator import webhooks
from local.emulator.answers import snapshot
from local.emulator.batches import Batch
from local.emulator.clock import ClockStoppedError
from local.emulator.errors import ApiError
from local.emulator.lines import InputLine, input_lines
from local.emulator.mistral.checks import JobValidation
from local.emulator.mistral.shapes import NAME as MISTRAL
from local.emulator.results import Results
from local.emulator.state import State
from local.emulator.validator import Problem, Validation, file_not_found, ordered_problems, token_limit_exceeded

_STEPS = 20
_VALIDATING, _IN_PROGRESS, _FINALIZING, _CANCELLING = 0.15, 0.7, 0.15, 0.1
"""The share of a batch's time for each stage."""


def start(state: State, batch: Batch) -> None:
    """Run `batch` in the background."""
    begin(batch, Run(state, batch))


def begin(batch: Batch, run: "Run") -> None:
    """Have `run` play in the background."""
    threading.Thread(target=run.play, name=batch.id, daemon=True).start()


class Run:
    """Run one batch until it has ended, is cancelled or expires, or until the emulator stops."""

    def __init__(self, state: State, batch: Batch) -> None:
        self._state = state
        self._batch = batch
        self._clock = state.clock
        self._director = state.director
        self._scenario = state.scenario
        self._input = state.directory / f"input-{batch.ordinal}"
        self._results = Results(state, batch)
        self._seconds = state.scenario.seconds_per_batch
        self._total = 0
        self._expired = False

    def play(self) -> None:
        """Run the batch until it has one of the four final statuses."""
        try:
            problems = self._validate()
            if self._end() == "completed" and problems:
                self._fail(problems)
            elif self._end() == "completed":
                self._execute()
            else:
                self._results.publish(self._end())
            webhooks.announce(list(self._state.webhook_endpoints.values()), self._batch, self._clock.seconds())
        except ClockStoppedError:
            return
        finally:
            self._results.remove()
            self._input.unlink(missing_ok=True)

    def _validate(self) -> list[Problem]:
        began, batch = self._clock.now(), self._batch
        problems = self._problems()
        request = batch.request
        batch.fault = self._director.for_batch(batch.ordinal, request.endpoint, batch.model, request.metadata)
        if batch.fault.seconds is not None:
            self._seconds = batch.fault.seconds
        self._stay("validating", began + self._seconds * _VALIDATING)
        return problems or ordered_problems(batch.fault.fail, request.input_file_id, batch.model)

    def _problems(self) -> list[Problem]:
        input_file_id = self._batch.request.input_file_id
        try:
            stored = self._state.files.get(input_file_id)
            os.link(stored.path, self._input)  # the user may delete the file while the batch runs
        except (ApiError, FileNotFoundError):
            return [file_not_found(input_file_id)]
        if stored.purpose != "batch":
            return [file_not_found(input_file_id)]
        found = self._checks().read(self._input)
        self._total = found.total
        return found.problems or self._enqueue(found)

    def _checks(self) -> Validation:
        wanted, scenario = self._batch.request, self._scenario
        if wanted.service == MISTRAL:
            return JobValidation(wanted.endpoint, scenario, job_model=wanted.model)
        return Validation(wanted.endpoint, scenario)

    def _enqueue(self, found: Validation) -> list[Problem]:
        limits, model = self._state.scenario.enqueued_token_limits, str(found.model)
        limit = limits.get(model, limits.get("*"))
        self._batch.model = snapshot(model)
        admitted = self._state.batches.admit(self._batch, found.tokens, limit)
        return [] if limit is None or admitted else [token_limit_exceeded(model, limit)]

    def _fail(self, problems: list[Problem]) -> None:
        with self._batch.lock:
            self._batch.errors = problems
            self._batch.enter("failed", self._clock.seconds())

    def _execute(self) -> None:
        self._batch.total = self._total
        self._batch.enter("in_progress", self._clock.seconds())
        began = self._clock.now()
        lines = input_lines(self._input, self._batch.request.model)
        self._results.collect(self._paced(lines, began))
        self._stay("in_progress", began + self._seconds * _IN_PROGRESS)
        if self._end() == "completed":
            self._batch.enter("finalizing", self._clock.seconds())
            self._stay("finalizing", self._clock.now() + self._seconds * _FINALIZING)
        if self._end() == "cancelled":
            self._stay_cancelling()
        end = self._end()
        self._results.fail_rest(lines, end)
        self._results.publish(end)

    def _paced(self, lines: Iterator[InputLine], began: float) -> Iterator[InputLine]:
        """Yield the lines spread evenly over the time in progress, until the batch is cancelled or expires."""
        step = -(-self._total // _STEPS)
        last = self._last_line()
        for index in range(self._total):
            if index % step == 0:
                due = began + self._seconds * _IN_PROGRESS * index / self._total
                self._clock.wait_until(due, self._cancelled)
            if self._cancelled() or self._expire(index >= last):
                return
            yield next(lines)

    def _last_line(self) -> float:
        share = self._batch.fault.expire_after
        return math.inf if share is None else share * self._total

    def _expire(self, ordered: bool) -> bool:
        self._expired = ordered or self._clock.now() >= self._batch.moments["expires_at"]
        return self._expired

    def _stay(self, stage: str, until: float) -> None:
        if self._expired:
            return
        stuck = self._batch.fault.stuck == stage
        self._clock.wait_until(self._batch.moments["expires_at"] if stuck else until, self._cancelled)
        self._expired = stuck and not self._cancelled()

    def _stay_cancelling(self) -> None:
        stuck = self._batch.fault.stuck == "cancelling"
        self._clock.wait_until(math.inf if stuck else self._clock.now() + self._seconds * _CANCELLING, lambda: False)

    def _cancelled(self) -> bool:
        return self._batch.cancelling and not self._batch.fault.cancel_finishes

    def _end(self) -> str:
        """Return the status that the batch would have if it ended now."""
        if self._cancelled():
            return "cancelled"
        return "expired" if self._expired else "completed"
