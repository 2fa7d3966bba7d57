"""Run one job of Bedrock through its statuses, from submitted to its end, in a thread of its own."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from local.emulator.answering import Answer
from local.emulator.bedrock import answers
from local.emulator.bedrock.aws import NoAccessError
from local.emulator.bedrock.jobs import (
    COMPLETED,
    EXPIRED,
    FAILED,
    IN_PROGRESS,
    PARTIAL,
    SCHEDULED,
    STOPPED,
    VALIDATING,
    Job,
)  # fmt: skip
from local.emulator.bill import BATCH
from local.emulator.clock import ClockStoppedError
from local.emulator.faults import LineFault
from local.emulator.lines import raw_lines
from local.emulator.outcomes import OutcomeSpool
from local.emulator.scenario import NO_LINE_FAULT
from local.emulator.spoilt import spoil
from local.emulator.state import State

EVENT: Final = "Batch Inference Job State Change"
_STEPS: Final = 20
_BEFORE, _STOPPING = 0.2, 0.1
"""The shares of a job's time before it is in progress, and between a stop and its end."""


class _Record(msgspec.Struct):
    modelInput: dict[str, Any]  # noqa: N815 - as it stands in a record
    recordId: str = ""  # noqa: N815 - as above


def start(state: State, job: Job) -> None:
    """Run `job` in the background."""
    threading.Thread(target=Run(state, job).play, name=job.id, daemon=True).start()


class Run:
    """Run one job until it has ended, or until the emulator stops."""

    def __init__(self, state: State, job: Job) -> None:
        self._state, self._job, self._clock, self._director = state, job, state.clock, state.director
        self._scenario = state.scenario
        job.fault = state.director.for_batch(job.ordinal, f"/model/{job.request.model}", job.request.model, None)
        ordered = job.fault.seconds
        self._seconds = self._scenario.seconds_per_batch if ordered is None else ordered
        self._input = state.directory / f"input-{job.ordinal}"

    def play(self) -> None:
        """Validate, run and end the job."""
        spool = OutcomeSpool(self._state.directory / f"records-{self._job.ordinal}")
        try:
            self._tell()
            end = self._prepare() or self._execute(spool)
            if end in {COMPLETED, PARTIAL, STOPPED} and self._job.history:
                end = self._publish(spool) or end
            self._enter(end)
        except ClockStoppedError:
            return
        finally:
            spool.remove()
            self._input.unlink(missing_ok=True)

    def _prepare(self) -> str | None:
        """Take the job as far as it can run; return its end if it never does."""
        began, job = self._clock.now(), self._job
        self._enter(VALIDATING)
        problem = self._problem()
        stuck = job.fault.stuck == "validating" or job.fault.expire_after == 0
        self._clock.wait_until(began + self._seconds * _BEFORE, self._stopped)
        if self._stopped():
            return STOPPED
        if problem:
            job.message = problem
            return FAILED
        if stuck:  # a job that expires has never begun
            if job.fault.stuck:
                self._clock.wait_until(job.expires_at, self._stopped)
            return STOPPED if self._stopped() else EXPIRED
        self._enter(SCHEDULED)
        return None

    def _problem(self) -> str:
        """Read and check the input; return why the job fails, or no text."""
        job, least = self._job, self._scenario.bedrock.least_records
        try:
            self._state.aws.read_to(job.request.source, self._input)
        except NoAccessError as error:
            return f"Could not validate GetObject permissions to access S3 bucket: {error}"
        for number, line in raw_lines(self._input):
            job.total = number
            try:
                msgspec.json.decode(line, type=_Record)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return f"Record {number} of the input is not valid JSON with a modelInput."
        if job.total < least:
            return f"The job contains less records ({job.total}) than the required minimum of: {least}"
        if job.total > self._scenario.max_lines:
            return f"The number of records ({job.total}) exceeds the maximum of {self._scenario.max_lines} records."
        ordered = job.fault.fail
        first = ordered[0] if isinstance(ordered, list) else ordered
        return str(first.get("message") or first.get("code")) if isinstance(first, dict) else first or ""

    def _execute(self, spool: OutcomeSpool) -> str:
        job = self._job
        self._enter(IN_PROGRESS)
        began, share = self._clock.now(), job.fault.expire_after
        last = math.inf if share is None else share * job.total
        with job.ledger_path.open("wb", buffering=0) as billed:  # a test may read it at any time
            for at, (number, record) in enumerate(self._records(began)):
                if self._stopped() or at >= last or self._clock.now() >= job.expires_at:
                    break
                self._keep(spool, billed, number, record)
        until = job.expires_at if job.fault.stuck == "in_progress" else began + self._seconds * (1 - _BEFORE)
        if not self._stopped() and share is None:
            self._clock.wait_until(until, self._stopped)
        if self._stopped():
            self._clock.wait_until(self._clock.now() + self._seconds * _STOPPING, lambda: False)
            return STOPPED
        return COMPLETED if job.succeeded + job.failed == job.total else PARTIAL

    def _records(self, began: float) -> Iterator[tuple[int, _Record]]:
        """Yield the records, spread evenly over the time in progress."""
        total = self._job.total
        step, time = -(-total // _STEPS), self._seconds * (1 - _BEFORE)
        for at, (number, line) in enumerate(raw_lines(self._input)):
            if at % step == 0:
                self._clock.wait_until(began + time * at / total, self._stopped)
            yield number, msgspec.json.decode(line, type=_Record)

    def _keep(self, spool: OutcomeSpool, billed: BinaryIO, number: int, record: _Record) -> None:
        job, record_id = self._job, record.recordId or f"{number:011d}"
        fault = self._director.for_line(job.fault, record_id, number) if self._director.orders_lines else NO_LINE_FAULT
        told = self._answer(record, fault)
        job.count(self._clock.now(), succeeded=told.succeeded)
        outcome: dict[str, Any] = {"modelOutput": told.body}
        if told.succeeded:
            self._bill(billed, record_id, answers.used(told.body))
        elif fault.bare:
            outcome = {}
        else:
            said = fault.error or str(told.body.get("message") or "")
            outcome = {"error": {"errorCode": told.status, "errorMessage": said}}
        line = _line(record_id, record, outcome)
        for _ in range((not fault.missing) + fault.duplicate):
            spool.append(line[: len(line) // 2] + b"\n" if fault.malformed else line)
        if fault.unknown_custom_id:
            spool.append(_line("UNKNOWN", record, outcome))

    def _answer(self, record: _Record, fault: LineFault) -> Answer:
        if fault.error is not None or fault.bare or (fault.status is not None and not 200 <= fault.status < 300):
            status = fault.status or 500
            return Answer(status, {"message": fault.message or f"This record was answered {status} on order."})
        if fault.body is not None:
            return Answer(200, fault.body)
        request = self._job.request
        told = answers.ask(request.model, request.kind, record.modelInput, self._scenario, in_batch=True)
        return Answer(told.status, spoil(told.body, fault.says)) if fault.says and told.succeeded else told

    def _bill(self, billed: BinaryIO, record_id: str, usage: Any) -> None:  # noqa: ANN401 - Usage
        job, total = self._job, self._job.usage
        for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"):
            setattr(total, name, getattr(total, name) + getattr(usage, name))
        cost = self._state.aws_prices.dollars(job.request.model, BATCH, usage, "")
        job.dollars = None if cost is None or job.dollars is None else job.dollars + cost
        billed.write(msgspec.json.encode(record_id) + b"\n")

    def _publish(self, spool: OutcomeSpool) -> str | None:
        """Write the results, in another order than the input, and the manifest; return `Failed` if that is not allowed."""
        job, made = self._job, self._state.directory / f"results-{self._job.ordinal}"
        spool.write_shuffled(made, f"{self._scenario.seed}/{job.ordinal}")
        name = Path(job.request.source).name
        try:
            if not job.fault.no_output_file:
                self._state.aws.write(f"{job.folder}/{name}.out", made)
                self._state.aws.write(f"{job.folder}/manifest.json.out", msgspec.json.encode(job.manifest()))
        except NoAccessError as error:
            job.message = f"Could not validate PutObject permissions to access S3 bucket: {error}"
            return FAILED
        finally:
            made.unlink(missing_ok=True)
        return None

    def _stopped(self) -> bool:
        return self._job.stopping and not self._job.fault.cancel_finishes

    def _enter(self, status: str) -> None:
        if self._job.enter(status, self._clock.now()):
            self._tell()

    def _tell(self) -> None:
        """Tell the event bus of the status, in the background and as the scenario orders: delivery is best effort."""
        job, manner = self._job, self._job.fault.webhook
        if manner == "lost" or not self._state.aws.endpoint_url:
            return
        detail = msgspec.json.encode({
            "version": "0.0", "accountId": job.arn.split(":")[4], "batchJobName": job.request.name, "batchJobArn": job.arn,
            "batchModelId": job.request.model, "status": job.status, "failureMessage": job.message,
        }).decode()  # fmt: skip
        for _ in range(2 if manner == "twice" else 1):
            threading.Thread(target=self._state.aws.tell, args=(EVENT, detail, job.arn), daemon=True).start()


def _line(record_id: str, record: _Record, outcome: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"modelInput": record.modelInput, **outcome, "recordId": record_id}) + b"\n"
