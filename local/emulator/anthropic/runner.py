"""Run one message batch to its end, in a thread of its own."""

import math
import threading
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from local.emulator import messages
from local.emulator.answering import Answer
from local.emulator.anthropic import bill, incoming
from local.emulator.anthropic.batches import MessageBatch
from local.emulator.anthropic.incoming import Wanted
from local.emulator.clock import ClockStoppedError
from local.emulator.faults import LineFault
from local.emulator.lines import InputLine
from local.emulator.outcomes import OutcomeSpool
from local.emulator.prompts import MESSAGES
from local.emulator.scenario import NO_LINE_FAULT
from local.emulator.spoilt import spoil
from local.emulator.state import State

_NOT_IN_BATCHES: Final = (
    "stream", "speed", "store", "previous_thread_event_id", "cache_hint", "context_hint", "fallbacks"
)  # fmt: skip
_STEPS: Final = 20
_CANCELING: Final = 0.1
"""The share of a batch's time between a cancel and its end."""


def start(state: State, batch: MessageBatch, body: Path) -> None:
    """Run `batch`, whose requests are in the file `body`, in the background."""
    threading.Thread(target=Run(state, batch, body).play, name=batch.id, daemon=True).start()


class Run:
    """Run one batch until it has ended, or until the emulator stops."""

    def __init__(self, state: State, batch: MessageBatch, body: Path) -> None:
        self._state = state
        self._batch = batch
        self._body = body
        self._clock = state.clock
        self._director = state.director
        self._answerer = state.answerer(state.scenario)
        batch.fault = state.director.for_batch(batch.ordinal, MESSAGES, None, None)
        ordered = batch.fault.seconds
        self._seconds = state.scenario.seconds_per_batch if ordered is None else ordered

    def play(self) -> None:
        """Answer the requests, and let the batch end."""
        spool = OutcomeSpool(self._state.directory / f"messages-{self._batch.ordinal}")
        try:
            with self._batch.ledger_path.open("wb", buffering=0) as billed:  # a test may read it at any time
                self._run(spool, billed)
            if self._canceled() and self._batch.has_run:
                self._clock.wait_until(self._clock.now() + self._seconds * _CANCELING, lambda: False)
            spool.write_shuffled(self._batch.results_path, f"{self._state.scenario.seed}/{self._batch.ordinal}")
            self._batch.end(self._clock.now())
        except ClockStoppedError:
            return
        finally:
            spool.remove()
            self._body.unlink(missing_ok=True)

    def _run(self, spool: OutcomeSpool, billed: BinaryIO) -> None:
        """Answer the requests, spread evenly over the time of the batch; those that find it over never run."""
        began, total = self._clock.now(), self._batch.total
        step, share = -(-total // _STEPS), self._batch.fault.expire_after
        last = math.inf if share is None else share * total
        over = None
        for at, wanted in enumerate(incoming.read(self._body)):
            if over is None and at % step == 0:
                self._clock.wait_until(began + self._seconds * (at + 1) / (total + 1), self._canceled)
            over = over or self._end(ordered=at >= last)
            self._keep(spool, billed, wanted, over)
        stuck = self._batch.fault.stuck == "in_progress"
        if over is None:
            self._clock.wait_until(self._batch.expires_at if stuck else began + self._seconds, self._canceled)

    def _end(self, *, ordered: bool) -> str | None:
        """Return how requests end that have not run; None while the batch runs."""
        if self._canceled():
            return "canceled"
        return "expired" if ordered or self._clock.now() >= self._batch.expires_at else None

    def _canceled(self) -> bool:
        return self._batch.cancel_initiated_at is not None and not self._batch.fault.cancel_finishes

    def _keep(self, spool: OutcomeSpool, billed: BinaryIO, wanted: Wanted, over: str | None) -> None:
        fault = NO_LINE_FAULT
        if over is None and self._director.orders_lines:
            fault = self._director.for_line(self._batch.fault, wanted.custom_id, wanted.number)
        result = {"type": over} if over else self._result(wanted, fault)
        self._count(result, billed, wanted)
        line = msgspec.json.encode({"custom_id": wanted.custom_id, "result": result}) + b"\n"
        for _ in range((not fault.missing) + fault.duplicate):
            spool.append(line[: len(line) // 2] + b"\n" if fault.malformed else line)
        if fault.unknown_custom_id:
            spool.append(msgspec.json.encode({"custom_id": "unknown", "result": result}) + b"\n")

    def _result(self, wanted: Wanted, fault: LineFault) -> dict[str, Any]:
        if fault.error is not None:  # a way to end, of this API or of none
            return {"type": fault.error}
        if fault.status is not None and not 200 <= fault.status < 300:
            why = fault.message or f"This request was answered {fault.status} on order."
            return _errored(messages.refused(fault.status, why, fault.code))
        odd = next((name for name in _NOT_IN_BATCHES if wanted.params.get(name)), None)
        if odd is not None:
            return _errored(messages.refused(400, f"{odd}: not permitted in batches"))
        told = self._answer(wanted) if fault.body is None else Answer(200, fault.body)
        if not told.succeeded:
            return _errored(told.body)
        return {"type": "succeeded", "message": spoil(told.body, fault.says) if fault.says else told.body}

    def _answer(self, wanted: Wanted) -> Answer:
        line = InputLine(wanted.number, wanted.custom_id, wanted.params)
        return self._answerer.ask(MESSAGES, line, self._clock.seconds())

    def _count(self, result: dict[str, Any], billed: BinaryIO, wanted: Wanted) -> None:
        """Count a request by its end, and bill it if it succeeded."""
        batch, kind = self._batch, result["type"]
        with batch.lock:
            batch.counts[kind if kind in batch.counts else "errored"] += 1
            if kind != "succeeded":
                return
            usage = result["message"].get("usage", {})
            batch.usage = bill.summed(batch.usage, usage)
            cost = bill.dollars(self._state.prices, str(wanted.params["model"]), usage, batch=True)
            batch.dollars = None if cost is None or batch.dollars is None else batch.dollars + cost
        billed.write(msgspec.json.encode(wanted.custom_id) + b"\n")


def _errored(error: dict[str, Any]) -> dict[str, Any]:
    return {"type": "errored", "error": error}
